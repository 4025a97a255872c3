use crate::cipher::{self, Binding, CipherError, DataKey};
use crate::header::RecordHeader;
use crate::keys::EncryptionSecret;
use crate::piece::{Leaf, PieceError, unwrap_key_share};
use crate::release::{ReleasedPiece, release_info};
use crate::request::ReadRequest;
use crate::seal::Origin;
use crate::shamir::{self, KeyShare};
use crate::{cid_text, fragments};
use salus_seal::{UnsupportedCpu, check_cpu};
use salus_types::abi::access::Record;
use salus_types::{ChainId, Hash, MemberId};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// Collects released pieces of one record, checks each, and opens the record once there are enough.
///
/// It keeps as many pieces as are needed and drops the rest, so its memory is bounded by the record's own size
/// and overhead.
pub struct RecordReader {
    chain: ChainId,
    request: ReadRequest,
    record: Record,
    secret: EncryptionSecret,
    header: Option<RecordHeader>,
    pieces: BTreeMap<u8, Collected>,
}

struct Collected {
    key_share: KeyShare,
    fragments: Vec<u8>,
}

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Good pieces so far.
    pub have: usize,
    /// Good pieces needed.
    pub need: usize,
}

/// A record's content. Zeroised when dropped; its `Debug` shows its size only.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedRecord {
    header: RecordHeader,
    content: Zeroizing<Vec<u8>>,
}

/// Why a record does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too few good pieces.
    #[error("{have} of {need} needed pieces; ask more members")]
    TooFewPieces {
        /// Good pieces.
        have: usize,
        /// Pieces needed.
        need: usize,
    },
    /// The Reed-Solomon code would stop with an illegal instruction here.
    #[error(transparent)]
    UnsupportedCpu(#[from] UnsupportedCpu),
    /// Every piece is as it was dealt, yet the fragments do not give the ciphertext with the digest on the chain.
    #[error("the author dealt fragments that do not belong to the record's digest")]
    DigestDiffers,
    /// Every piece is as it was dealt, yet the key shares do not give the key that the header commits to.
    #[error("the author dealt key shares that do not give the record's key")]
    KeyDiffers,
    /// The author encrypted something that does not decrypt.
    #[error("chunk {chunk} of the record does not decrypt: the author sealed it wrongly")]
    BadChunk {
        /// Which chunk, from 0.
        chunk: usize,
    },
    /// The author padded it wrongly.
    #[error("the record is padded wrongly: the author sealed it wrongly")]
    BadPadding,
}

impl RecordReader {
    /// A reader for the answers to `request`; `record` is what the chain's state says of the requested record.
    pub const fn new(chain: ChainId, request: ReadRequest, record: Record, secret: EncryptionSecret) -> Self {
        Self {
            chain,
            request,
            record,
            secret,
            header: None,
            pieces: BTreeMap::new(),
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            have: self.pieces.len(),
            need: usize::from(self.record.threshold),
        }
    }

    /// Whether [`Self::open`] has what it needs.
    pub fn is_ready(&self) -> bool {
        let Progress { have, need } = self.progress();
        have >= need
    }

    /// Checks what a member answered and keeps it. An error says what is wrong with the piece, and whose fault it
    /// is ([`PieceError::fault`]); the reader goes on with the other members.
    pub fn add(&mut self, from: MemberId, piece: ReleasedPiece) -> Result<Progress, PieceError> {
        self.check_origin(from, &piece)?;
        let key_share = self.unwrap_key_share(&piece)?;
        if self.pieces.contains_key(&piece.position) {
            return Err(PieceError::Duplicate(piece.position));
        }
        if !self.is_ready() {
            let ReleasedPiece {
                header,
                position,
                fragments,
                ..
            } = piece;
            self.header.get_or_insert(header);
            self.pieces.insert(position, Collected { key_share, fragments });
        }
        Ok(self.progress())
    }

    /// Puts the record together. May be called again after more pieces.
    pub fn open(&self) -> Result<OpenedRecord, OpenError> {
        let Progress { have, need } = self.progress();
        let header = match &self.header {
            Some(header) if have >= need => header,
            _ => return Err(OpenError::TooFewPieces { have, need }),
        };
        check_cpu()?;
        let rows: Vec<(u8, &[u8])> = self
            .pieces
            .iter()
            .map(|(position, piece)| (*position, piece.fragments.as_slice()))
            .collect();
        let ciphertext = fragments::join(&rows, header.layout(), header.thresholds.fragments, header.pieces)
            .filter(|ciphertext| Hash::of_content(ciphertext) == header.digest)
            .ok_or(OpenError::DigestDiffers)?;

        let origin = Origin {
            chain: header.chain,
            patient: header.patient,
            author: header.author,
        };
        let binding = Binding::new(&origin, header.size_bucket);
        let key = shamir::combine(self.pieces.values().map(|piece| &piece.key_share))
            .map(DataKey::new)
            .filter(|key| key.commitment(&binding) == header.key_commitment)
            .ok_or(OpenError::KeyDiffers)?;
        let content =
            cipher::decrypt(&ciphertext, header.layout(), &key, &binding).map_err(|error| match error {
                CipherError::Chunk(chunk) => OpenError::BadChunk { chunk },
                CipherError::Padding => OpenError::BadPadding,
            })?;
        Ok(OpenedRecord {
            header: header.clone(),
            content,
        })
    }

    /// Everything about a piece but its key share.
    fn check_origin(&self, from: MemberId, piece: &ReleasedPiece) -> Result<(), PieceError> {
        let header = &piece.header;
        if header.chain != self.chain {
            return Err(PieceError::WrongChain);
        }
        if piece.member != from {
            return Err(PieceError::WrongMember {
                found: piece.member,
                expected: from,
            });
        }
        if piece.request != self.request.hash(&self.chain) {
            return Err(PieceError::WrongRequest);
        }
        header.check()?;
        let root = Leaf::new(header, piece.position, piece.member, &piece.fragments)?.root(
            &piece.key_share_commitment,
            &piece.stored_key_share,
            &piece.path,
        )?;
        if root.as_bytes() != &self.record.root {
            return Err(PieceError::WrongPath);
        }
        // From here on the piece is as it was dealt: what is wrong now is the author's fault.
        let same_header = self.header.as_ref().is_none_or(|first| first == header);
        if !same_header || !header.describes(&self.record) || header.patient != self.request.patient {
            return Err(PieceError::HeaderDiffers);
        }
        Ok(())
    }

    fn unwrap_key_share(&self, piece: &ReleasedPiece) -> Result<KeyShare, PieceError> {
        let info = release_info(&piece.header.hash(), piece.member, &piece.request);
        unwrap_key_share(
            self.secret.private(),
            &info,
            &piece.sealed_key_share,
            piece.position,
            &piece.key_share_commitment,
        )
    }
}

impl OpenedRecord {
    /// The content, as its author sealed it.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// What the pieces said of it.
    pub const fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The content identifier of the ciphertext.
    pub fn cid(&self) -> String {
        cid_text(&self.header.digest)
    }
}

impl fmt::Debug for RecordReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Progress { have, need } = self.progress();
        write!(f, "RecordReader({have} of {need} pieces)")
    }
}

impl fmt::Debug for OpenedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "OpenedRecord({:?}, {} B)",
            self.header.digest,
            self.content.len()
        )
    }
}
