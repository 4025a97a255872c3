//! What a validator may keep of a whole dealing at rest: everything but the key and the key shares.

use crate::code::Code;
use crate::share_set::PrimitiveError;
use crate::{Layout, SealingError};
use salus_types::{Hash, Height, KEY_SHARE_LENGTH, SealedShare, ShareCommitment, Slot, merkle};
use std::fmt;

/// Bytes of a leaf.
const LEAF_LENGTH: usize = 32;

/// A dealing without its key and key shares: from it every slot's fragment and path can be computed again.
///
/// It shows nothing of the body to who has fewer than k key shares. Its canonical bytes:
///
/// ```text
/// 0   32 S  leaves of slots 0 to S - 1
/// ..  ..    ciphertext with its tag
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeylessDealing {
    layout: Layout,
    bytes: Vec<u8>,
}

/// A sealed share that lacks its key share.
#[derive(Clone, PartialEq, Eq)]
pub struct KeylessShare {
    /// Which share of the dealing.
    pub slot: Slot,
    /// Siblings from the share's leaf up to the share root.
    pub path: Vec<Hash>,
    /// Reed-Solomon fragment of the ciphertext.
    pub fragment: Vec<u8>,
}

/// Why bytes are no keyless dealing of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeylessError {
    /// The header's sealing is one that no block can have.
    #[error("the header's sealing is refused: {0}")]
    Sealing(#[from] SealingError),
    /// Leaves and ciphertext have another length together.
    #[error("{got} bytes of leaves and ciphertext where the header makes {want}")]
    Length {
        /// Bytes given.
        got: usize,
        /// Bytes by the header.
        want: usize,
    },
    /// The leaves are not the ones that the header commits to.
    #[error("the leaves do not lead to the header's share root")]
    ShareRoot,
    /// No such slot was dealt.
    #[error("slot {slot} where {slots} were dealt")]
    SlotOutOfRange {
        /// The slot asked for.
        slot: Slot,
        /// S.
        slots: u16,
    },
    /// This machine cannot do it.
    #[error(transparent)]
    Primitive(#[from] PrimitiveError),
}

impl KeylessDealing {
    /// Joins leaves and ciphertext, which belong to the layout.
    pub(crate) fn of(layout: Layout, leaves: &[Hash], ciphertext: &[u8]) -> Self {
        let room = LEAF_LENGTH.saturating_mul(leaves.len());
        let mut bytes = Vec::with_capacity(room.saturating_add(ciphertext.len()));
        for leaf in leaves {
            bytes.extend_from_slice(leaf.as_bytes());
        }
        bytes.extend_from_slice(ciphertext);
        Self { layout, bytes }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes over canonical bytes, whose leaves are checked against the header, or the commitment in force. The ciphertext is not: whoever gets a
    /// share of it checks that.
    ///
    /// # Errors
    /// All but [`KeylessError::SlotOutOfRange`].
    pub fn decode(bytes: Vec<u8>, commitment: impl Into<ShareCommitment>) -> Result<Self, KeylessError> {
        let commitment = commitment.into();
        let layout = Layout::of(commitment.sealing)?;
        let want = LEAF_LENGTH
            .saturating_mul(layout.slots())
            .saturating_add(layout.sealed_length());
        if bytes.len() != want {
            return Err(KeylessError::Length {
                got: bytes.len(),
                want,
            });
        }
        let dealing = Self { layout, bytes };
        if merkle::root(&dealing.leaves()) != commitment.share_root {
            return Err(KeylessError::ShareRoot);
        }
        Ok(dealing)
    }

    /// Computes what the share of a slot holds besides its key share.
    ///
    /// # Errors
    /// [`KeylessError::SlotOutOfRange`], [`KeylessError::Primitive`].
    pub fn share(&self, slot: Slot) -> Result<KeylessShare, KeylessError> {
        let out_of_range = KeylessError::SlotOutOfRange {
            slot,
            slots: self.layout.sealing().slots,
        };
        let index = self.layout.index(slot).ok_or(out_of_range)?;
        let mut data = self.ciphertext().to_vec();
        data.resize(self.layout.data_length(), 0);
        let fragment = Code::new(self.layout.code_shape())?.fragment(&data, index);
        Ok(KeylessShare {
            slot,
            path: merkle::path(&self.leaves(), index).ok_or(out_of_range)?,
            fragment: fragment.ok_or(out_of_range)?,
        })
    }

    fn leaves_length(&self) -> usize {
        LEAF_LENGTH.saturating_mul(self.layout.slots())
    }

    fn leaves(&self) -> Vec<Hash> {
        let leaves = self.bytes.get(..self.leaves_length()).unwrap_or_default();
        leaves
            .chunks_exact(LEAF_LENGTH)
            .filter_map(|leaf| leaf.try_into().ok().map(Hash::new))
            .collect()
    }

    fn ciphertext(&self) -> &[u8] {
        self.bytes.get(self.leaves_length()..).unwrap_or_default()
    }
}

impl KeylessShare {
    /// Completes it. Whether all of it belongs together is checked against the header, as with any share.
    pub fn with_key_share(self, height: Height, key_share: [u8; KEY_SHARE_LENGTH]) -> SealedShare {
        SealedShare {
            height,
            slot: self.slot,
            key_share,
            path: self.path,
            fragment: self.fragment,
        }
    }
}

impl fmt::Debug for KeylessDealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeylessDealing({} B)", self.bytes.len())
    }
}

impl fmt::Debug for KeylessShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeylessShare(slot {}, {} B)", self.slot, self.fragment.len())
    }
}
