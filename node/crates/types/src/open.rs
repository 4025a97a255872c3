use crate::{ChainId, Height, MemberId, PublicKey, SecretKey, Signature, Timestamp};
use salus_abi::PrincipalId;
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;

/// How far ahead a request's end may lie, in milliseconds.
pub const OPEN_REQUEST_MS_MAX: u64 = 2 * 60 * 1000;

/// A principal's wish that a member gathers shares and opens blocks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OpenRequest {
    /// Whose wish; the holder of the ticket.
    pub principal: PrincipalId,
    /// The first height.
    pub from: Height,
    /// The last height.
    pub to: Height,
    /// The member that opens them: in any other's hands the request is worth nothing.
    pub recipient: MemberId,
    /// When it ends, by the clocks of those who check it; at most [`OPEN_REQUEST_MS_MAX`] ahead.
    pub expires: Timestamp,
}

/// A request as it arrives: nothing about it has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedOpenRequest {
    /// What is wished.
    pub request: OpenRequest,
    /// The principal's, over the request under `Tag::OPEN_REQUEST`.
    pub signature: Signature,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenRequestError {
    /// It has ended, or would hold for too long.
    #[error("the request has ended or holds for too long; set the device's clock and ask again")]
    Stale,
    /// It is about another block.
    #[error("the request is about other blocks")]
    OtherBlock,
    /// It is meant for another member.
    #[error("the request is meant for another member")]
    OtherRecipient,
    /// Its signature does not verify under the principal's current key on this chain.
    #[error("the signature does not verify under the principal's key on this chain")]
    BadSignature,
}

impl OpenRequest {
    /// Signs it.
    pub fn sign(self, key: &SecretKey, chain: &ChainId) -> SignedOpenRequest {
        SignedOpenRequest {
            request: self,
            signature: key.sign(Tag::OPEN_REQUEST, chain, &codec::encode(&self)),
        }
    }
}

impl SignedOpenRequest {
    /// Bytes of its encoding, at most.
    pub const LENGTH_MAX: usize = 128;

    /// Checks that the principal with this key wishes `recipient` to open the block of `height` now. Whether there is a
    /// ticket for it is for each member's own state to say.
    ///
    /// # Errors
    ///
    /// What speaks against it; nothing that a later check could heal.
    pub fn verify(
        &self,
        chain: &ChainId,
        key: &PublicKey,
        height: Height,
        recipient: MemberId,
        now: Timestamp,
    ) -> Result<(), OpenRequestError> {
        let OpenRequest {
            from,
            to,
            recipient: meant,
            expires,
            ..
        } = self.request;
        if expires <= now || expires > now.saturating_add(OPEN_REQUEST_MS_MAX) {
            return Err(OpenRequestError::Stale);
        }
        if !(from..=to).contains(&height) {
            return Err(OpenRequestError::OtherBlock);
        }
        if meant != recipient {
            return Err(OpenRequestError::OtherRecipient);
        }
        let payload = codec::encode(&self.request);
        key.verify(Tag::OPEN_REQUEST, chain, &payload, &self.signature)
            .map_err(|_| OpenRequestError::BadSignature)
    }
}
