use crate::{BlockId, ChainId, MemberId, SecretKey, Signature, SignatureError, ValidatorSet};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;

/// A member's signed statement that its own shares of some blocks are durable. Given only where a commit certificate
/// does not prove it for enough members: with k > n - 2f.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ShareReceipt {
    /// Who holds them.
    pub member: MemberId,
    /// Of which blocks: 1 to [`Self::BLOCKS_MAX`].
    pub blocks: Vec<BlockId>,
    /// Over member and blocks under `Tag::SHARE_RECEIPT`, by the member's consensus key.
    pub signature: Signature,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareReceiptError {
    /// It names no block, or too many.
    #[error("a receipt names 1 to {} blocks, not {found}", ShareReceipt::BLOCKS_MAX)]
    Count {
        /// Blocks named.
        found: usize,
    },
    /// It is signed by nobody that holds shares.
    #[error("{0} is no validator")]
    UnknownMember(MemberId),
    /// The member did not sign it.
    #[error(transparent)]
    Signature(SignatureError),
}

impl ShareReceipt {
    /// Blocks in one receipt, at most.
    pub const BLOCKS_MAX: usize = 64;

    /// Signs for blocks whose own share is durable. The caller names at most [`Self::BLOCKS_MAX`].
    pub fn sign(member: MemberId, blocks: Vec<BlockId>, key: &SecretKey, chain: &ChainId) -> Self {
        let signature = key.sign(Tag::SHARE_RECEIPT, chain, &signed_bytes(member, &blocks));
        Self {
            member,
            blocks,
            signature,
        }
    }

    /// Checks count, member and signature.
    ///
    /// # Errors
    /// See [`ShareReceiptError`]; no honest member's receipt gives one while its key stands.
    pub fn verify(&self, validators: &ValidatorSet, chain: &ChainId) -> Result<(), ShareReceiptError> {
        if !(1..=Self::BLOCKS_MAX).contains(&self.blocks.len()) {
            return Err(ShareReceiptError::Count {
                found: self.blocks.len(),
            });
        }
        let validator = validators
            .get(self.member)
            .ok_or(ShareReceiptError::UnknownMember(self.member))?;
        let payload = signed_bytes(self.member, &self.blocks);
        validator
            .key
            .verify(Tag::SHARE_RECEIPT, chain, &payload, &self.signature)
            .map_err(ShareReceiptError::Signature)
    }
}

fn signed_bytes(member: MemberId, blocks: &Vec<BlockId>) -> Vec<u8> {
    codec::encode(&(member, blocks))
}
