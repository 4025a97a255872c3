use crate::{Hash, Height, Slot};
use salus_abi::codec::{Decode, Encode};
use std::fmt;

/// Bytes of a Shamir share of a data key: its index and 32 bytes.
pub const KEY_SHARE_LENGTH: usize = 33;

/// What one node keeps of a block: a share of the data key, a fragment of the ciphertext, and the path that
/// proves both against the header's `share_root`.
///
/// Fewer than k of them show nothing of the body. `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct SealedShare {
    /// The block's height.
    pub height: Height,
    /// Which share of the dealing.
    pub slot: Slot,
    /// Shamir share of the data key: index `slot + 1`, then 32 bytes.
    pub key_share: [u8; KEY_SHARE_LENGTH],
    /// Siblings from this share's leaf up to the share root.
    pub path: Vec<Hash>,
    /// Reed-Solomon fragment of the ciphertext.
    pub fragment: Vec<u8>,
}

impl fmt::Debug for SealedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SealedShare(height {}, slot {}, {} B)",
            self.height,
            self.slot,
            self.fragment.len()
        )
    }
}
