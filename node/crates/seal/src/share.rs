use crate::{Layout, SealingError, key_shares, share_set};
use salus_types::{Hash, Height, KEY_SHARE_LENGTH, SealedShare, ShareCommitment, Slot, merkle};

/// A share that belongs to a dealing of a block: its index is right and its path leads to the dealing's `share_root`.
///
/// Only [`CheckedShare::check`] makes one. `Debug` shows sizes only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedShare {
    share: SealedShare,
    /// The root that it was checked against.
    root: Hash,
}

/// Why a share is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// The header's sealing is one that no block can have.
    #[error("the header's sealing is refused: {0}")]
    Sealing(#[from] SealingError),
    /// The share is of another block.
    #[error("a share of height {got} where one of {want} was wanted")]
    WrongHeight {
        /// The share's height.
        got: Height,
        /// The header's height.
        want: Height,
    },
    /// No such slot was dealt.
    #[error("slot {slot} where {slots} were dealt")]
    SlotOutOfRange {
        /// The share's slot.
        slot: Slot,
        /// S in the header.
        slots: u16,
    },
    /// Index 0 would be the key itself.
    #[error("the key share has index 0")]
    IndexZero,
    /// The key share is of another slot.
    #[error("the key share has index {index} where slot {slot} has one more than its number")]
    IndexMismatch {
        /// The key share's index.
        index: u8,
        /// The share's slot.
        slot: Slot,
    },
    /// The fragment has another length than every fragment of this block.
    #[error("a fragment of {got} bytes where {want} were dealt")]
    WrongFragmentLength {
        /// Bytes of the fragment.
        got: usize,
        /// Bytes of every fragment of the block.
        want: usize,
    },
    /// The share is right, but it is another member's.
    #[error("the share of slot {slot} where its sender holds slot {own}")]
    ForeignSlot {
        /// The share's slot.
        slot: Slot,
        /// The sender's slot.
        own: Slot,
    },
    /// Fragment, key share and path do not lead to the header's share root.
    #[error("the path of slot {0} does not lead to the header's share root")]
    WrongPath(Slot),
}

impl CheckedShare {
    /// Checks a share against the header of its block or, if that was resealed, against the commitment in force.
    pub fn check(share: SealedShare, commitment: impl Into<ShareCommitment>) -> Result<Self, ShareError> {
        let commitment: ShareCommitment = commitment.into();
        let layout = Layout::of(commitment.sealing)?;
        if share.height != commitment.height {
            return Err(ShareError::WrongHeight {
                got: share.height,
                want: commitment.height,
            });
        }
        let slot = share.slot;
        let position = layout.index(slot).ok_or(ShareError::SlotOutOfRange {
            slot,
            slots: commitment.sealing.slots,
        })?;
        let [index, ..] = share.key_share;
        if index == 0 {
            return Err(ShareError::IndexZero);
        }
        if key_shares::x_of(position) != Some(index) {
            return Err(ShareError::IndexMismatch { index, slot });
        }
        if share.fragment.len() != layout.fragment_length() {
            return Err(ShareError::WrongFragmentLength {
                got: share.fragment.len(),
                want: layout.fragment_length(),
            });
        }
        let fragment = Hash::of_content(&share.fragment);
        let key_share = Hash::of_content(&share.key_share);
        let leaf = share_set::leaf(share.height, slot, &fragment, &key_share);
        let root = merkle::root_of_path(leaf, position, layout.slots(), &share.path);
        if root != Some(commitment.share_root) {
            return Err(ShareError::WrongPath(slot));
        }
        Ok(Self {
            share,
            root: commitment.share_root,
        })
    }

    /// The share.
    pub const fn share(&self) -> &SealedShare {
        &self.share
    }

    /// The share, as it is sent and stored.
    pub fn into_share(self) -> SealedShare {
        self.share
    }

    /// Which share of the dealing.
    pub const fn slot(&self) -> Slot {
        self.share.slot
    }

    pub(crate) const fn root(&self) -> Hash {
        self.root
    }

    pub(crate) const fn key_share(&self) -> &[u8; KEY_SHARE_LENGTH] {
        &self.share.key_share
    }
}
