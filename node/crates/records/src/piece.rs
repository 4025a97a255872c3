use crate::envelope::{self, SEALED_KEY_SHARE_LENGTH, SealedKeyShare};
use crate::fragments;
use crate::header::{HeaderError, RecordHeader};
use crate::keys::{Private, ReleaseSecret};
use crate::shamir::KeyShare;
use salus_types::abi::access::{StoredReceipt, stored_receipt_payload};
use salus_types::abi::domain::Tag;
use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::{ChainId, Hash, MemberId, SecretKey, merkle};
use std::fmt;

/// Bytes of an encoded piece, at most.
pub const PIECE_LENGTH_MAX: usize = 20 << 20;

/// Marks the leaves of the tree over pieces.
const PIECE_LEAF: u8 = 0x00;

/// What one member keeps of one record.
///
/// ```text
/// header | member | position | key share commitment 32 B | sealed key share 81 B | Merkle path | fragments
/// ```
///
/// `Debug` shows sizes only.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Piece {
    /// What all pieces say of the record.
    pub header: RecordHeader,
    /// Whose piece.
    pub member: MemberId,
    /// Which piece of the dealing, from 0.
    pub position: u8,
    /// Hash of the bare key share: proves to a reader that a released share is the one that was dealt.
    pub key_share_commitment: Hash,
    /// The member's key share, sealed to its release key.
    pub sealed_key_share: SealedKeyShare,
    /// Siblings from this piece's leaf up to the root.
    pub path: Vec<Hash>,
    /// One Reed-Solomon fragment a chunk, one after the other.
    pub fragments: Vec<u8>,
}

/// A piece that belongs to this member, leads to the record's root, and holds a key share that it can unwrap.
///
/// Only [`Piece::check`] makes one; only this gives a receipt or a release.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckedPiece {
    piece: Piece,
    root: Hash,
}

/// Who is to blame for a piece that fails its check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Who handed it out: what was dealt is something else.
    Sender,
    /// The record's author: it was dealt like this.
    Author,
}

/// Why a piece is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// Its bytes are not a piece.
    #[error("not a piece of a record: {0}")]
    Malformed(#[from] DecodeError),
    /// Its header is out of range.
    #[error("the piece's header is refused: {0}")]
    Header(#[from] HeaderError),
    /// It was sealed for another network.
    #[error("the piece belongs to another network")]
    WrongChain,
    /// It is another member's.
    #[error("this is the piece of {found}, not of {expected}")]
    WrongMember {
        /// Whose it is.
        found: MemberId,
        /// Whose it should be.
        expected: MemberId,
    },
    /// Its fragments do not have the length that its header asks for.
    #[error("{found} bytes of fragments where the header asks for {expected}")]
    FragmentLength {
        /// Bytes in the piece.
        found: usize,
        /// Bytes by the header.
        expected: usize,
    },
    /// It does not lead to the record's root: something in it was changed, or it is of another record.
    #[error("the piece does not lead to the record's root")]
    WrongPath,
    /// It leads to the root, but its header does not describe the record on the chain, or the other pieces.
    #[error("the author dealt a piece whose header does not fit the record")]
    HeaderDiffers,
    /// It answers another request, or another requester.
    #[error("the piece answers another request")]
    WrongRequest,
    /// Its key share was sealed to another key or for another use, or was changed.
    #[error("the key share in the piece cannot be unwrapped with this key")]
    KeyShareSealed,
    /// Its key share is not the one that was dealt.
    #[error("the key share in the piece is not the one that was dealt")]
    KeyShareDiffers,
    /// A piece of this position is here already.
    #[error("a piece of position {0} was added before")]
    Duplicate(u8),
}

impl PieceError {
    /// Who is to blame, as seen by a reader; `None` if an honest member's piece may look like this: one that came
    /// twice, or late, in answer to an earlier request.
    ///
    /// A reader that changed its encryption key and not yet told the chain gets [`Self::KeyShareSealed`] from everybody.
    pub const fn fault(&self) -> Option<Fault> {
        match self {
            Self::HeaderDiffers => Some(Fault::Author),
            Self::Duplicate(_) | Self::WrongRequest => None,
            _ => Some(Fault::Sender),
        }
    }
}

impl Piece {
    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads one from its canonical bytes; nothing about it is checked yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, PieceError> {
        Ok(codec::decode(bytes, PIECE_LENGTH_MAX)?)
    }

    /// The root that it leads to.
    pub fn root(&self) -> Result<Hash, PieceError> {
        self.header.check()?;
        let sealed = Hash::of_content(&self.sealed_key_share);
        let leaf = Leaf::new(&self.header, self.position, self.member, &self.fragments)?;
        leaf.root(&self.key_share_commitment, &sealed, &self.path)
    }

    /// Checks it as the member that is to keep it, against the root that it was announced with (when it arrives)
    /// or that stands on the chain (when it is read back).
    pub fn check(
        self,
        chain: &ChainId,
        member: MemberId,
        root: &Hash,
        secret: &ReleaseSecret,
    ) -> Result<CheckedPiece, PieceError> {
        if self.header.chain != *chain {
            return Err(PieceError::WrongChain);
        }
        if self.member != member {
            return Err(PieceError::WrongMember {
                found: self.member,
                expected: member,
            });
        }
        if self.root()? != *root {
            return Err(PieceError::WrongPath);
        }
        let checked = CheckedPiece {
            piece: self,
            root: *root,
        };
        checked.key_share(secret)?;
        Ok(checked)
    }
}

impl CheckedPiece {
    /// The piece.
    pub const fn piece(&self) -> &Piece {
        &self.piece
    }

    /// The root it was checked against.
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// The member's statement that it holds the piece, for the patient and the author that the piece names. Sign only
    /// once the piece is durable.
    pub fn receipt(&self, key: &SecretKey) -> StoredReceipt {
        let Piece { header, member, .. } = &self.piece;
        let payload = stored_receipt_payload(
            *member,
            header.patient,
            header.author,
            header.digest.as_bytes(),
            self.root.as_bytes(),
        );
        StoredReceipt {
            member: *member,
            signature: *key.sign(Tag::RECORD_RECEIPT, &header.chain, &payload).as_bytes(),
        }
    }

    /// The member's bare key share.
    pub(crate) fn key_share(&self, secret: &ReleaseSecret) -> Result<KeyShare, PieceError> {
        let Piece { header, member, .. } = &self.piece;
        let info = storing_info(&header.hash(), *member);
        unwrap_key_share(
            secret.private(),
            &info,
            &self.piece.sealed_key_share,
            self.piece.position,
            &self.piece.key_share_commitment,
        )
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Piece({:?}, {} at position {}, {} B)",
            self.header.digest,
            self.member,
            self.position,
            self.fragments.len()
        )
    }
}

impl fmt::Debug for CheckedPiece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checked{:?}", self.piece)
    }
}

/// The part of a leaf that a stored and a released piece have in common.
pub(crate) struct Leaf {
    header: Hash,
    pieces: u8,
    position: u8,
    member: MemberId,
    fragments: Hash,
}

impl Leaf {
    /// Hashes the fragments, once their length is right. The header must have been checked.
    pub(crate) fn new(
        header: &RecordHeader,
        position: u8,
        member: MemberId,
        row: &[u8],
    ) -> Result<Self, PieceError> {
        let expected = header.fragments_length();
        if row.len() != expected {
            return Err(PieceError::FragmentLength {
                found: row.len(),
                expected,
            });
        }
        Ok(Self {
            header: header.hash(),
            pieces: header.pieces,
            position,
            member,
            fragments: fragments::row_root(row, header.layout(), header.thresholds.fragments),
        })
    }

    /// `BLAKE3(00 | position u16 BE | member u16 BE | header | fragments | key share commitment | H(sealed key share))`.
    pub(crate) fn hash(&self, key_share_commitment: &Hash, sealed_key_share: &Hash) -> Hash {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&[PIECE_LEAF])
            .update(&u16::from(self.position).to_be_bytes())
            .update(&self.member.get().to_be_bytes())
            .update(self.header.as_bytes())
            .update(self.fragments.as_bytes())
            .update(key_share_commitment.as_bytes())
            .update(sealed_key_share.as_bytes());
        Hash::new(*hasher.finalize().as_bytes())
    }

    /// The root that the leaf leads to.
    pub(crate) fn root(&self, commitment: &Hash, sealed: &Hash, path: &[Hash]) -> Result<Hash, PieceError> {
        let (index, count) = (usize::from(self.position), usize::from(self.pieces));
        merkle::root_of_path(self.hash(commitment, sealed), index, count, path).ok_or(PieceError::WrongPath)
    }
}

/// Commits to a key share. Its 32 bytes are uniform, so the hash shows nothing of them.
pub(crate) fn key_share_commitment(share: &KeyShare) -> Hash {
    Hash::new(blake3::derive_key("salus.record.v1 key share", share.as_slice()))
}

/// What a key share is bound to while a member keeps it. The header's hash covers the chain id and the digest.
pub(crate) fn storing_info(header: &Hash, member: MemberId) -> Vec<u8> {
    let mut info = b"salus.record.v1 stored key share".to_vec();
    info.extend_from_slice(header.as_bytes());
    info.extend_from_slice(&member.get().to_be_bytes());
    info
}

/// Opens a sealed key share and makes sure that it is the one that was dealt.
pub(crate) fn unwrap_key_share(
    secret: &Private,
    info: &[u8],
    sealed: &[u8; SEALED_KEY_SHARE_LENGTH],
    position: u8,
    commitment: &Hash,
) -> Result<KeyShare, PieceError> {
    let share = envelope::open(secret, info, sealed).ok_or(PieceError::KeyShareSealed)?;
    let index = position.checked_add(1);
    if share.first().copied() != index || key_share_commitment(&share) != *commitment {
        return Err(PieceError::KeyShareDiffers);
    }
    Ok(share)
}
