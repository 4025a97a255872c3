use crate::{
    BlockId, ChainId, Hash, Header, Height, MemberId, PublicKey, Round, Sealing, SecretKey, Signature,
    SignatureError, Slot,
};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;
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

/// A share as its holder hands it out: with its signature over the share's [`ShareStatement`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedShare {
    /// The share.
    pub share: SealedShare,
    /// The holder's, over the statement under `Tag::SHARE_ANSWER`.
    pub signature: Signature,
}

/// What a holder puts its name to when it hands out a share: all that decides whether the share is right, and no byte
/// of its content.
///
/// Both sides compute it from the share and the question, so that only the signature travels. A third party needs
/// nothing else: fragment and key share enter the Merkle tree by their hashes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ShareStatement {
    /// The block's height.
    pub height: Height,
    /// Which block of that height: several may have been proposed.
    pub block: BlockId,
    /// Which dealing of that block: the root that its shares lead to.
    pub share_root: Hash,
    /// Who states it.
    pub member: MemberId,
    /// Which share of the dealing.
    pub slot: Slot,
    /// Hash of the fragment.
    pub fragment: Hash,
    /// Hash of the key share with its index.
    pub key_share: Hash,
    /// Siblings from the share's leaf up to the share root.
    pub path: Vec<Hash>,
}

impl ShareStatement {
    /// Siblings of a path, at most: enough for 256 slots. A longer one is no statement.
    pub const PATH_MAX: usize = 8;

    /// What `member` states when it answers the question for its share of a block's dealing with `share`.
    pub fn of(
        share: &SealedShare,
        height: Height,
        block: BlockId,
        share_root: Hash,
        member: MemberId,
    ) -> Self {
        Self {
            height,
            block,
            share_root,
            member,
            slot: share.slot,
            fragment: Hash::of_content(&share.fragment),
            key_share: Hash::of_content(&share.key_share),
            path: share.path.clone(),
        }
    }

    /// Signs it with the holder's consensus key. The caller has checked the share against the share root.
    pub fn sign(&self, key: &SecretKey, chain: &ChainId) -> Signature {
        key.sign(Tag::SHARE_ANSWER, chain, &codec::encode(self))
    }

    /// Checks the holder's signature. What the statement says may still be wrong.
    pub fn verify(
        &self,
        key: &PublicKey,
        chain: &ChainId,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        key.verify(Tag::SHARE_ANSWER, chain, &codec::encode(self), signature)
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
