use crate::StoreError;
use crate::frame::Fields;
use salus_types::{BlockId, Hash, Header, Height, SealedShare};

/// Bytes of [`Resealing::terms`], at most.
pub const RESEALING_TERMS_MAX: usize = 512;
/// Bytes of an encoded resealing, at most.
pub(crate) const RESEALING_MAX: usize = 8 + 32 + RESEALING_TERMS_MAX;

/// A later dealing of a committed block, which takes the place of the one that its header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealing {
    /// Height of the block that decides it, above the block's own: its generation. Of two, the higher one is in force.
    pub decided_at: Height,
    /// What its shares are checked against; tells it from every other dealing of the block.
    pub share_root: Hash,
    /// What else is needed to check and open its shares, at most [`RESEALING_TERMS_MAX`] bytes. The store doesn't look into them.
    pub terms: Vec<u8>,
}

/// An own share of a resealed block, to be kept.
#[derive(Clone, Copy, Debug)]
pub struct ResealedShare<'a> {
    /// The block's header, unchanged.
    pub header: &'a Header,
    /// The block's id; the caller has computed it from the header.
    pub id: BlockId,
    /// The new dealing.
    pub resealing: &'a Resealing,
    /// The own share of it.
    pub share: &'a SealedShare,
}

impl Resealing {
    /// decided_at (8) || share root (32) || terms.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        if self.terms.len() > RESEALING_TERMS_MAX {
            return Err(StoreError::TooLong {
                what: "the terms of a resealing",
                length: self.terms.len(),
                limit: RESEALING_TERMS_MAX,
            });
        }
        Ok([
            &self.decided_at.get().to_be_bytes()[..],
            self.share_root.as_bytes(),
            &self.terms,
        ]
        .concat())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            decided_at: Height::new(fields.u64()?),
            share_root: Hash::new(fields.array()?),
            terms: (fields.0.len() <= RESEALING_TERMS_MAX).then(|| fields.0.to_vec())?,
        })
    }
}

/// Which dealing of which block a record belongs to; no root stands for the dealing that the header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DealingKey {
    pub(crate) block: BlockId,
    pub(crate) root: Option<Hash>,
}

impl DealingKey {
    pub(crate) const fn first(block: BlockId) -> Self {
        Self { block, root: None }
    }
}
