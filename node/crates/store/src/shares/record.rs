//! One kept share as bytes.
//!
//! ```text
//!  bytes  field
//!      4  magic "SLSR"
//!      4  length of what follows the checksum
//!      4  CRC32C over length and all that follows
//!      1  version: 1, or 2 for a share of a resealed block
//!      2  slot
//!     32  block id
//!      2  h, length of the header
//!      h  header, canonical bytes: height, round, suite, k, S and lengths stand there
//!      2  r, length of the resealing  \ version 2
//!      r  resealing                   / only
//!      1  p, siblings in the path
//!   32 p  Merkle path
//!     12  nonce     \
//!     33  key share  > AES-256-GCM under the node's key; bound to all bytes from the version to the path
//!     16  tag       /
//!   rest  fragment
//! ```

use crate::StoreError;
use crate::frame::{Fields, Format};
use crate::key::{KeyWrap, WRAPPED_LENGTH};
use crate::shares::resealing::{DealingKey, RESEALING_MAX, Resealing};
use salus_types::{BlockId, Hash, Header, Height, SealedShare, Slot, codec};

/// Bytes of a record's payload, at most: a body of the largest size kept whole (k = 1), and room for the rest.
const PAYLOAD_MAX: usize = (16 << 20) + (128 << 10);
const HEADER_MAX: usize = 4096;
const VERSION: u8 = 1;
const VERSION_RESEALED: u8 = 2;

pub(crate) const RECORD: Format = Format {
    magic: *b"SLSR",
    salt: 0,
    payload_max: PAYLOAD_MAX,
};

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: BlockId,
    pub(crate) header: Header,
    /// The dealing that the share belongs to, if it is not the header's own.
    pub(crate) resealing: Option<Resealing>,
    pub(crate) share: SealedShare,
}

impl Record {
    pub(crate) fn dealing(&self) -> DealingKey {
        DealingKey {
            block: self.id,
            root: self.resealing.as_ref().map(|resealing| resealing.share_root),
        }
    }

    /// Height of the block that decides, or decided, the share's dealing.
    pub(crate) fn decided_at(&self) -> Height {
        self.resealing
            .as_ref()
            .map_or(self.header.height, |resealing| resealing.decided_at)
    }
}

/// The whole frame of a record.
pub(crate) fn encode(
    wrap: &KeyWrap,
    header: &Header,
    id: &BlockId,
    resealing: Option<&Resealing>,
    share: &SealedShare,
) -> Result<Vec<u8>, StoreError> {
    if share.height != header.height {
        return Err(StoreError::ShareMismatch {
            share: share.height,
            block: header.height,
        });
    }
    let header = codec::encode(header);
    let too_long = |what, length, limit| StoreError::TooLong { what, length, limit };
    let header_length = u16::try_from(header.len())
        .ok()
        .filter(|_| header.len() <= HEADER_MAX)
        .ok_or_else(|| too_long("a header", header.len(), HEADER_MAX))?;
    let siblings = u8::try_from(share.path.len())
        .map_err(|_| too_long("a Merkle path", 32 * share.path.len(), 32 * usize::from(u8::MAX)))?;

    let resealing = resealing.map(Resealing::to_bytes).transpose()?;
    let resealing_length = resealing.as_ref().map_or(0, |bytes| 2 + bytes.len());
    let bound = 1 + 2 + 32 + 2 + header.len() + resealing_length + 1 + 32 * share.path.len();
    let mut bytes = RECORD.begin(bound + WRAPPED_LENGTH + share.fragment.len());
    let start = bytes.len();
    bytes.push(match resealing {
        None => VERSION,
        Some(_) => VERSION_RESEALED,
    });
    bytes.extend_from_slice(&share.slot.get().to_be_bytes());
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(&header_length.to_be_bytes());
    bytes.extend_from_slice(&header);
    if let Some(resealing) = &resealing {
        let length = u16::try_from(resealing.len())
            .map_err(|_| too_long("a resealing", resealing.len(), RESEALING_MAX))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(resealing);
    }
    bytes.push(siblings);
    for sibling in &share.path {
        bytes.extend_from_slice(sibling.as_bytes());
    }
    let wrapped = wrap
        .wrap(bytes.get(start..).unwrap_or_default(), &share.key_share)
        .ok_or(too_long("a record's head", bound, bound))?;
    bytes.extend_from_slice(&wrapped);
    bytes.extend_from_slice(&share.fragment);
    RECORD.finish(bytes)
}

/// A record's fields as they stand in its payload, the key share still wrapped.
pub(super) struct Parts<'a> {
    pub(super) id: BlockId,
    pub(super) header: Header,
    pub(super) resealing: Option<Resealing>,
    pub(super) slot: Slot,
    pub(super) path: Vec<Hash>,
    /// What the key share is bound to.
    bound: &'a [u8],
    wrapped: &'a [u8],
    pub(super) fragment: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(payload: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(payload);
        let version = fields.u8()?;
        let slot = Slot::new(fields.u16()?);
        let id = BlockId::new(Hash::new(fields.array()?));
        let header_length = fields.u16()?;
        let header_bytes = fields.take(usize::from(header_length))?;
        let resealing = match version {
            VERSION => None,
            VERSION_RESEALED => {
                let length = fields.u16()?;
                Some(Resealing::from_bytes(fields.take(usize::from(length))?)?)
            }
            _ => return None,
        };
        let siblings = fields.u8()?;
        let path = fields.take(32 * usize::from(siblings))?.chunks_exact(32);
        let bound = payload.get(..payload.len().checked_sub(fields.0.len())?)?;
        Some(Self {
            id,
            header: codec::decode(header_bytes, HEADER_MAX).ok()?,
            resealing,
            slot,
            path: path
                .filter_map(|sibling| Some(Hash::new(sibling.try_into().ok()?)))
                .collect(),
            bound,
            wrapped: fields.take(WRAPPED_LENGTH)?,
            fragment: fields.0,
        })
    }

    /// The share, if this key wrapped its key share for these very bytes.
    pub(super) fn open(&self, wrap: &KeyWrap) -> Option<SealedShare> {
        Some(SealedShare {
            height: self.header.height,
            slot: self.slot,
            key_share: wrap.unwrap(self.bound, self.wrapped)?,
            path: self.path.clone(),
            fragment: self.fragment.to_vec(),
        })
    }
}

/// Reads a payload. `None` if this node did not write it: its key does not open it.
pub(crate) fn decode(wrap: &KeyWrap, payload: &[u8]) -> Option<Record> {
    let parts = Parts::of(payload)?;
    let share = parts.open(wrap)?;
    Some(Record {
        id: parts.id,
        header: parts.header,
        resealing: parts.resealing,
        share,
    })
}
