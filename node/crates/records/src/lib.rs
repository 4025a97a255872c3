//! Health records: sealed by their author, dispersed to members, released by a threshold of them.
//!
//! ```text
//!  author's client                     member i                            reader's client
//!  ---------------                     --------                            ---------------
//!  content, Seed
//!    | seal                  Piece i     | Piece::check                      ReadRequest
//!    v                    ------------>  v                                      | sign
//!  SealedRecord { root, Piece.. }      CheckedPiece -- receipt --> author       v
//!    | >= n - f receipts                 | release  <-------------------- SignedReadRequest
//!    v                                   v                   ReleasedPiece i
//!  AddRecord on the chain              ReleasedPiece  ------------------>  RecordReader -- open --> content
//! ```
//!
//! Sealing pads the content to a size bucket, encrypts it in chunks under a data key of its own, cuts each chunk's
//! ciphertext into Reed-Solomon fragments and the data key into Shamir shares, and seals each share to the
//! release key of one member (HPKE, RFC 9180). A Merkle root over all pieces goes on the chain, so that
//! everybody can check every piece and name whoever changed one.
//!
//! Invariants:
//! - a member sees its own key share and nothing of the content; fewer than the key threshold of members,
//!   working together, learn nothing but the size bucket;
//! - a member signs a receipt only for a piece whose key share it could unwrap, so it has no excuse later;
//! - what a member releases is readable by one requester, in answer to one request;
//! - the header commits to the data key: AES-GCM alone would let an author seal one ciphertext that opens to
//!   different contents under different keys;
//! - nothing here reads a clock, a file or the system's randomness. Randomness is a [`Seed`] that the caller draws.
//!
//! Limits for now: contents up to [`CONTENT_LENGTH_MAX`], held in memory. The format is ready for more: chunks,
//! their nonces and their fragments stand alone, and a fragment of one chunk has a path of its own.

mod cid;
mod cipher;
mod envelope;
mod fragments;
mod header;
mod keys;
mod piece;
mod reader;
mod release;
mod request;
mod seal;
mod seed;
mod shamir;

#[cfg(test)]
mod tests;

pub use cid::{CidError, cid_text, digest_of_cid};
pub use envelope::{SEALED_KEY_SHARE_LENGTH, SealedKeyShare};
pub use header::{
    BUCKET_MAX, BUCKET_MIN, CHUNK_LENGTH, CONTENT_LENGTH_MAX, HeaderError, PIECES_MAX, RecordHeader, SUITE,
    Thresholds, bucket_length, size_bucket,
};
pub use keys::{EncryptionKey, EncryptionSecret, ReleaseKey, ReleaseSecret};
pub use piece::{CheckedPiece, Fault, PIECE_LENGTH_MAX, Piece, PieceError};
pub use reader::{OpenError, OpenedRecord, Progress, RecordReader};
pub use release::{ReleaseError, ReleasedPiece};
pub use request::{
    READ_REQUEST_AGE_MS_MAX, ReadRequest, RequestError, SignedReadRequest, VerifiedReadRequest,
};
pub use seal::{Origin, Recipient, SealError, SealedRecord, seal};
pub use seed::Seed;
