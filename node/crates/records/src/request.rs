use salus_types::abi::domain::Tag;
use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::{ChainId, Hash, PrincipalId, PublicKey, RecordNumber, SecretKey, Signature, Timestamp};

/// How far a request's time may lie from the member's clock, in milliseconds, either way.
pub const READ_REQUEST_AGE_MS_MAX: u64 = 2 * 60 * 1000;

/// Bytes of an encoded request, at most.
const LENGTH_MAX: usize = 128;

/// A requester's question to every member for its piece of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReadRequest {
    /// Whose record.
    pub patient: PrincipalId,
    /// Which.
    pub record: RecordNumber,
    /// Who asks: the holder of the ticket.
    pub requester: PrincipalId,
    /// When, by the requester's clock. Tells requests apart; a stale one is refused.
    pub time: Timestamp,
}

/// A request as it arrives: nothing about it has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedReadRequest {
    /// What is asked.
    pub request: ReadRequest,
    /// The requester's signature over it under `Tag::RECORD_READ`.
    pub signature: Signature,
}

/// A request that its requester signed lately. Whether there is a ticket is for the member's own state to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedReadRequest(SignedReadRequest);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Its bytes are not a request.
    #[error("not a read request: {0}")]
    Malformed(#[from] DecodeError),
    /// Its signature does not verify under the requester's current key on this chain.
    #[error("the signature does not verify under the requester's key on this chain")]
    BadSignature,
    /// It is too old, or from the future.
    #[error("the request's time is {off_ms} ms off; set the device's clock and ask again")]
    Stale {
        /// How far its time lies from the member's, in milliseconds.
        off_ms: u64,
    },
}

impl ReadRequest {
    /// Signs it.
    pub fn sign(self, key: &SecretKey, chain: &ChainId) -> SignedReadRequest {
        SignedReadRequest {
            request: self,
            signature: key.sign(Tag::RECORD_READ, chain, &codec::encode(&self)),
        }
    }

    /// What every answer to it is bound to.
    pub fn hash(&self, chain: &ChainId) -> Hash {
        Hash::of(Tag::RECORD_READ, chain, &codec::encode(self))
    }
}

impl SignedReadRequest {
    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads one from its canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RequestError> {
        Ok(codec::decode(bytes, LENGTH_MAX)?)
    }

    /// Checks the signature under the requester's key, which the member took from the registry's state, and the
    /// time against the member's clock.
    pub fn verify(
        self,
        chain: &ChainId,
        key: &PublicKey,
        now: Timestamp,
    ) -> Result<VerifiedReadRequest, RequestError> {
        let off_ms = now.get().abs_diff(self.request.time.get());
        if off_ms > READ_REQUEST_AGE_MS_MAX {
            return Err(RequestError::Stale { off_ms });
        }
        key.verify(
            Tag::RECORD_READ,
            chain,
            &codec::encode(&self.request),
            &self.signature,
        )
        .map_err(|_| RequestError::BadSignature)?;
        Ok(VerifiedReadRequest(self))
    }
}

impl VerifiedReadRequest {
    /// What is asked.
    pub const fn request(&self) -> &ReadRequest {
        &self.0.request
    }
}
