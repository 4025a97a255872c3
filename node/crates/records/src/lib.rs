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
//! - a receipt names the patient and the author of the header, so it puts the record on the chain in no other name;
//! - what a member releases is readable by one requester, in answer to one request;
//! - the header commits to the data key: AES-GCM alone would let an author seal one ciphertext that opens to
//!   different contents under different keys;
//! - nothing here reads a clock, a file or the system's randomness. Randomness is a [`Seed`] that the caller draws.
//!
//! ```
//! use salus_records::*;
//! use salus_types::abi::access::{Record, RecordClass};
//! use salus_types::{ChainId, Hash, MemberId, PrincipalId, RecordNumber, SecretKey, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let chain = ChainId::new(Hash::of_content(b"genesis"));
//! let (patient, author, doctor) = (PrincipalId::new(1), PrincipalId::new(2), PrincipalId::new(3));
//! let release_keys: Vec<_> = (0..4).map(|member| ReleaseSecret::from_seed(&[member; 32])).collect();
//! let recipients: Vec<_> = (0..)
//!     .zip(&release_keys)
//!     .map(|(id, key)| Recipient { member: MemberId::new(id), release_key: key.public() })
//!     .collect();
//!
//! // The author seals. Seeds are fresh randomness.
//! let origin = Origin { chain, patient, author };
//! let sealed = seal(b"blood group 0-", &origin, &recipients, Thresholds::for_pieces(4), Seed::new([9; 32]))?;
//!
//! // The record goes on the chain, the doctor gets a ticket and asks.
//! let header = sealed.header();
//! let on_chain = Record {
//!     digest: *header.digest.as_bytes(), root: *sealed.root().as_bytes(), threshold: header.thresholds.keys,
//!     pieces: header.pieces, size_bucket: header.size_bucket, class: RecordClass::Clinical, author, time_ms: 0,
//! };
//! let (signing, encryption) = (SecretKey::from_seed(&[7; 32]), EncryptionSecret::from_seed(&[8; 32]));
//! let now = Timestamp::new(1_790_000_000_000);
//! let request = ReadRequest { patient, record: RecordNumber::new(0), requester: doctor, time: now };
//! let asked = request.sign(&signing, &chain);
//!
//! // Any two of the four members answer.
//! let mut reader = RecordReader::new(chain, request, on_chain.clone(), encryption.clone());
//! for id in [3, 1] {
//!     let (member, key) = (MemberId::new(id), &release_keys[usize::from(id)]);
//!     let stored = sealed.piece(member).cloned().ok_or("no piece")?.check(&chain, member, sealed.root(), key)?;
//!     let asked = asked.verify(&chain, &signing.public(), now)?;
//!     let answer = stored.release(key, &asked, &on_chain, &encryption.public(), Seed::new([id as u8; 32]))?;
//!     reader.add(member, answer)?;
//! }
//! assert_eq!(reader.open()?.content(), b"blood group 0-");
//! # Ok(())
//! # }
//! ```
//!
//! The same envelope also seals a block's key share to the member that it belongs to ([`BlockKeyShare`]), for validators
//! that keep it for one another until all of them are known to have their own.
//!
//! Limits for now: contents up to [`CONTENT_LENGTH_MAX`], held in memory. The format is ready for more: chunks,
//! their nonces and their fragments stand alone, and a fragment of one chunk has a path of its own.

mod cid;
mod cipher;
mod deposit;
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
pub use deposit::BlockKeyShare;
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
