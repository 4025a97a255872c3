use crate::envelope::{self, SealedKeyShare};
use crate::header::RecordHeader;
use crate::keys::{EncryptionKey, ReleaseSecret};
use crate::piece::{CheckedPiece, PIECE_LENGTH_MAX, PieceError};
use crate::request::VerifiedReadRequest;
use crate::seed::Seed;
use salus_types::abi::access::Record;
use salus_types::codec::{self, Decode, Encode};
use salus_types::{Hash, MemberId};
use std::fmt;

/// A member's answer to a reader: its fragments, and its key share sealed to the requester.
///
/// `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct ReleasedPiece {
    /// What all pieces say of the record.
    pub header: RecordHeader,
    /// Who answers.
    pub member: MemberId,
    /// Which piece of the dealing, from 0.
    pub position: u8,
    /// Which request it answers: `ReadRequest::hash`.
    pub request: Hash,
    /// Hash of the bare key share.
    pub key_share_commitment: Hash,
    /// Hash of the key share as it was sealed to the member; a part of the leaf.
    pub stored_key_share: Hash,
    /// The key share, sealed to the requester.
    pub sealed_key_share: SealedKeyShare,
    /// Siblings from the piece's leaf up to the root.
    pub path: Vec<Hash>,
    /// One Reed-Solomon fragment a chunk, one after the other.
    pub fragments: Vec<u8>,
}

/// Why a member does not release a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The request is for another patient's record, or for another record, than the piece is of.
    #[error("the request is not for the record that this piece is of")]
    OtherRecord,
    /// The piece's key share does not unwrap any more: the release key changed.
    #[error("the piece does not open with this release key: {0}")]
    Piece(#[from] PieceError),
    /// Nothing can be sealed to the requester's key.
    #[error("the requester's encryption key is not a usable X25519 key; rotate it and ask again")]
    BadEncryptionKey,
}

impl CheckedPiece {
    /// Answers a request whose ticket the caller found in its own state. `record` is what that state says of
    /// the requested record, and `requester_key` the requester's encryption key there.
    ///
    /// The answer can be read by that requester only, and says which request it answers.
    pub fn release(
        &self,
        secret: &ReleaseSecret,
        request: &VerifiedReadRequest,
        record: &Record,
        requester_key: &EncryptionKey,
        seed: Seed,
    ) -> Result<ReleasedPiece, ReleaseError> {
        let piece = self.piece();
        let request = request.request();
        let same = piece.header.describes(record)
            && self.root().as_bytes() == &record.root
            && piece.header.patient == request.patient;
        if !same {
            return Err(ReleaseError::OtherRecord);
        }
        let share = self.key_share(secret)?;
        let request = request.hash(&piece.header.chain);
        let info = release_info(&piece.header.hash(), piece.member, &request);
        let mut randomness = seed.stream("salus.record.v1 release", &[&info, requester_key.as_bytes()]);
        let sealed_key_share = envelope::seal(requester_key.as_bytes(), &info, &share, &mut randomness)
            .ok_or(ReleaseError::BadEncryptionKey)?;
        Ok(ReleasedPiece {
            header: piece.header.clone(),
            member: piece.member,
            position: piece.position,
            request,
            key_share_commitment: piece.key_share_commitment,
            stored_key_share: Hash::of_content(&piece.sealed_key_share),
            sealed_key_share,
            path: piece.path.clone(),
            fragments: piece.fragments.clone(),
        })
    }
}

impl ReleasedPiece {
    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads one from its canonical bytes; nothing about it is checked yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, PieceError> {
        Ok(codec::decode(bytes, PIECE_LENGTH_MAX)?)
    }
}

impl fmt::Debug for ReleasedPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ReleasedPiece({:?}, {} at position {}, {} B)",
            self.header.digest,
            self.member,
            self.position,
            self.fragments.len()
        )
    }
}

/// What a key share is bound to on its way to a reader.
pub(crate) fn release_info(header: &Hash, member: MemberId, request: &Hash) -> Vec<u8> {
    let mut info = b"salus.record.v1 released key share".to_vec();
    info.extend_from_slice(header.as_bytes());
    info.extend_from_slice(&member.get().to_be_bytes());
    info.extend_from_slice(request.as_bytes());
    info
}
