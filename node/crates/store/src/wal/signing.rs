//! The rule against double signing, and the two slots that remember the last signed step.
//!
//! A slot:
//!
//! ```text
//!  bytes  field
//!      4  magic "SLSG"
//!      4  CRC32C over all that follows, started from a salt of the node's key
//!      8  counter: the higher of two sound slots is the newer
//!      8  height
//!      4  round
//!      1  step (0 proposal, 1 prevote, 2 precommit)
//!     32  digest of what was signed
//! ```

use crate::error::DoubleSign;
use crate::frame::Fields;
use salus_types::{Hash, Height, Round};
use std::collections::BTreeMap;
use std::fmt;

pub(super) const SLOT_LENGTH: usize = 61;
const SLOT_MAGIC: &[u8; 4] = b"SLSG";
/// Steps of one height that can be signed again after a crash: over a thousand rounds.
const STEPS_MAX: usize = 4096;

/// What a validator signs in a round, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SigningStep {
    /// A proposal.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
}

impl SigningStep {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Proposal => 0,
            Self::Prevote => 1,
            Self::Precommit => 2,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Proposal, Self::Prevote, Self::Precommit]
            .get(usize::from(number))
            .copied()
    }
}

impl fmt::Display for SigningStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proposal => "proposal",
            Self::Prevote => "prevote",
            Self::Precommit => "precommit",
        })
    }
}

type Step = (Height, Round, SigningStep);

/// The rule: never sign two things for one step, never sign below the last step. Pure.
#[derive(Clone, Debug, Default)]
pub struct LastSigned {
    last: Option<(Step, Hash)>,
    /// All steps of the last height that are known: those may be signed again, unchanged.
    steps: BTreeMap<Step, Hash>,
}

impl LastSigned {
    /// The last signed step.
    pub fn last(&self) -> Option<(Height, Round, SigningStep)> {
        self.last.map(|(step, _)| step)
    }

    pub(super) fn last_with_digest(&self) -> Option<(Step, Hash)> {
        self.last
    }

    /// Whether the step was signed with this very digest already (`true`), or may be signed now (`false`).
    ///
    /// # Errors
    /// [`DoubleSign`] if it must not be signed.
    pub fn check(
        &self,
        height: Height,
        round: Round,
        step: SigningStep,
        digest: Hash,
    ) -> Result<bool, DoubleSign> {
        let at = (height, round, step);
        let known = self.steps.get(&at).copied();
        let known = known.or_else(|| {
            self.last
                .filter(|(last, _)| *last == at)
                .map(|(_, digest)| digest)
        });
        match known {
            Some(known) if known == digest => Ok(true),
            Some(_) => Err(DoubleSign::Conflict { height, round, step }),
            None if self.last.is_some_and(|(last, _)| at < last) => {
                Err(DoubleSign::Backwards { height, round, step })
            }
            None => Ok(false),
        }
    }

    /// Remembers a step that [`Self::check`] allowed.
    pub fn record(&mut self, height: Height, round: Round, step: SigningStep, digest: Hash) {
        self.start_height(height);
        self.remember((height, round, step), digest);
    }

    /// Forgets steps of other heights, but not the last one.
    pub(super) fn start_height(&mut self, height: Height) {
        self.steps.retain(|(of, ..), _| *of == height);
    }

    /// Takes over the newest slot.
    pub(super) fn restore(&mut self, (step, digest): (Step, Hash)) {
        self.remember(step, digest);
    }

    /// Takes over a step from a batch, which may be older than the slot.
    pub(super) fn reload(&mut self, height: Height, round: Round, step: SigningStep, digest: Hash) {
        self.remember((height, round, step), digest);
    }

    fn remember(&mut self, step: Step, digest: Hash) {
        self.steps.insert(step, digest);
        if self.steps.len() > STEPS_MAX {
            self.steps.pop_first();
        }
        if self.last.is_none_or(|(last, _)| last <= step) {
            self.last = Some((step, digest));
        }
    }
}

/// The two slots.
#[derive(Debug, Default)]
pub(super) struct Slots {
    found: [Option<(u64, Step, Hash)>; 2],
    counter: u64,
    /// There is something to write.
    pub(super) dirty: bool,
}

impl Slots {
    /// Takes a slot's bytes. False if they are neither sound nor all zero.
    pub(super) fn load(&mut self, index: usize, bytes: &[u8], salt: u32) -> bool {
        let slot = decode_slot(bytes, salt);
        if let (Some(place), Some((counter, ..))) = (self.found.get_mut(index), slot) {
            *place = slot;
            self.counter = self.counter.max(counter);
        }
        slot.is_some() || bytes.iter().all(|byte| *byte == 0)
    }

    pub(super) fn newest(&self) -> Option<(Step, Hash)> {
        let newest = self.found.iter().flatten().max_by_key(|(counter, ..)| *counter);
        newest.map(|(_, step, digest)| (*step, *digest))
    }

    /// The slot to write next, the older one, and its bytes.
    pub(super) fn next(&mut self, (step, digest): (Step, Hash), salt: u32) -> (usize, Vec<u8>) {
        self.counter = self.counter.saturating_add(1);
        let index = usize::from(self.counter.is_multiple_of(2));
        (index, encode_slot(self.counter, step, digest, salt))
    }
}

pub(super) fn encode_slot(counter: u64, (height, round, step): Step, digest: Hash, salt: u32) -> Vec<u8> {
    let mut body = Vec::with_capacity(SLOT_LENGTH);
    body.extend_from_slice(&counter.to_be_bytes());
    body.extend_from_slice(&height.get().to_be_bytes());
    body.extend_from_slice(&round.get().to_be_bytes());
    body.push(step.number());
    body.extend_from_slice(digest.as_bytes());
    let crc = crc32c::crc32c_append(salt, &body);
    [&SLOT_MAGIC[..], &crc.to_be_bytes(), &body].concat()
}

fn decode_slot(bytes: &[u8], salt: u32) -> Option<(u64, Step, Hash)> {
    let mut fields = Fields(bytes);
    if fields.take(4)? != SLOT_MAGIC {
        return None;
    }
    if fields.u32()? != crc32c::crc32c_append(salt, fields.0) {
        return None;
    }
    let counter = fields.u64()?;
    let step = (
        Height::new(fields.u64()?),
        Round::new(fields.u32()?),
        SigningStep::from_number(fields.u8()?)?,
    );
    Some((counter, step, Hash::new(fields.array()?)))
}
