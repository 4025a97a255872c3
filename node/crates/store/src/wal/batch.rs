//! A batch of log entries as bytes.
//!
//! ```text
//!  bytes  field
//!      4  magic "SLWB"
//!      4  length of what follows the checksum
//!      4  CRC32C over length and all that follows, started from a salt of the node's key
//!      1  version, 1
//!      8  height
//!  then, for each entry:
//!      1  kind: 0 input, 1 signed
//!   input:   4  length n,  n  bytes
//!   signed:  4  round,  1  step (0 proposal, 1 prevote, 2 precommit),  32  digest of what was signed
//! ```

use super::{SigningStep, WAL_BYTES_MAX};
use crate::StoreError;
use crate::frame::{Fields, Format};
use salus_types::{Hash, Height, Round};

const VERSION: u8 = 1;
const KIND_INPUT: u8 = 0;
const KIND_SIGNED: u8 = 1;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Input(Vec<u8>),
    Signed {
        round: Round,
        step: SigningStep,
        digest: Hash,
    },
}

pub(super) fn format(salt: u32) -> Format {
    Format {
        magic: *b"SLWB",
        salt,
        payload_max: usize::try_from(WAL_BYTES_MAX).unwrap_or(usize::MAX),
    }
}

pub(super) fn encoded_length(entry: &Entry) -> usize {
    match entry {
        Entry::Input(bytes) => 1 + 4 + bytes.len(),
        Entry::Signed { .. } => 1 + 4 + 1 + 32,
    }
}

pub(super) fn encode(format: &Format, height: Height, entries: &[Entry]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = format.begin(9 + entries.iter().map(encoded_length).sum::<usize>());
    bytes.push(VERSION);
    bytes.extend_from_slice(&height.get().to_be_bytes());
    for entry in entries {
        match entry {
            Entry::Input(input) => {
                // Entries are at most 1 MiB, so the length always fits.
                let length = u32::try_from(input.len()).unwrap_or(u32::MAX);
                bytes.push(KIND_INPUT);
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(input);
            }
            Entry::Signed { round, step, digest } => {
                bytes.push(KIND_SIGNED);
                bytes.extend_from_slice(&round.get().to_be_bytes());
                bytes.push(step.number());
                bytes.extend_from_slice(digest.as_bytes());
            }
        }
    }
    format.finish(bytes)
}

pub(super) fn decode(payload: &[u8]) -> Option<(Height, Vec<Entry>)> {
    let mut fields = Fields(payload);
    if fields.u8()? != VERSION {
        return None;
    }
    let height = Height::new(fields.u64()?);
    let mut entries = Vec::new();
    while !fields.0.is_empty() {
        entries.push(match fields.u8()? {
            KIND_INPUT => {
                let length = usize::try_from(fields.u32()?).ok()?;
                Entry::Input(fields.take(length)?.to_vec())
            }
            KIND_SIGNED => Entry::Signed {
                round: Round::new(fields.u32()?),
                step: SigningStep::from_number(fields.u8()?)?,
                digest: Hash::new(fields.array()?),
            },
            _ => return None,
        });
    }
    Some((height, entries))
}
