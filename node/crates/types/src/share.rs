use crate::{Hash, Header, Height, MemberId, Round, Sealing, Slot};
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

/// What the shares of a block are checked against, and what its body is opened under.
///
/// A block is dealt when it is decided: then this says what its header says. A later block may deal its body anew, with a
/// fresh key, for the members of its own time: then this says what that block's body says, and the header's sealing,
/// commitment and root are history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct ShareCommitment {
    /// The block whose body is dealt.
    pub height: Height,
    /// The block that deals it: the same one, or a later one that reseals it. Of two dealings the later one counts.
    pub dealt_at: Height,
    /// The round in which the dealing block was built.
    pub round: Round,
    /// Who built the dealing block.
    pub proposer: MemberId,
    /// How the body was turned into shares.
    pub sealing: Sealing,
    /// Keyed BLAKE3 of the body, under a key derived from this dealing's data key.
    pub body_commitment: Hash,
    /// Merkle root over the sealed shares.
    pub share_root: Hash,
}

impl ShareCommitment {
    /// Whether a later block dealt the body anew.
    pub fn is_reseal(&self) -> bool {
        self.dealt_at > self.height
    }
}

/// The dealing with which the block was decided.
impl From<&Header> for ShareCommitment {
    fn from(header: &Header) -> Self {
        Self {
            height: header.height,
            dealt_at: header.height,
            round: header.round,
            proposer: header.proposer,
            sealing: header.sealing,
            body_commitment: header.body_commitment,
            share_root: header.share_root,
        }
    }
}

impl From<&Self> for ShareCommitment {
    fn from(commitment: &Self) -> Self {
        *commitment
    }
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
