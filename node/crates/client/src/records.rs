//! The two flows of a record: dispersing it, and reading it back.

use crate::Signer;
use salus_records::{
    OpenError, OpenedRecord, Origin, Piece, PieceError, Progress, Recipient, RecordReader, ReleasedPiece,
    SealError, SealedRecord, Seed, SignedReadRequest, Thresholds, seal,
};
use salus_types::abi::access::{AddRecord, Record, RecordClass, StoredReceipt, stored_receipt_payload};
use salus_types::abi::domain::Tag;
use salus_types::{Member, MemberId, PrincipalId, PublicKey, RecordNumber, Signature, Timestamp};
use std::collections::BTreeMap;

/// A record on its way to the members: pieces out, receipts in, then `AddRecord`.
#[derive(Clone, Debug)]
pub struct Upload {
    sealed: SealedRecord,
    class: RecordClass,
    members: BTreeMap<MemberId, PublicKey>,
    receipts: BTreeMap<MemberId, StoredReceipt>,
}

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadProgress {
    /// Members whose valid receipt is here.
    pub have: usize,
    /// Receipts needed: n - f, and no fewer than the record's key threshold.
    pub need: usize,
}

/// Why an upload does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// The record was not sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A receipt of somebody who got no piece.
    #[error("{0} got no piece of this record")]
    NotAMember(MemberId),
    /// A receipt that does not verify for this record, its patient and its author.
    #[error("the receipt of {0} does not verify under its consensus key")]
    BadReceipt(MemberId),
    /// Too few members have the record.
    #[error("{have} of {need} needed receipts; wait for more members to store their pieces")]
    TooFewReceipts {
        /// Valid receipts.
        have: usize,
        /// Receipts needed.
        need: usize,
    },
}

impl Upload {
    /// Seals a content for all members. `author` signs and sends the transaction later; `thresholds` are the usual
    /// ones ([`Thresholds::for_pieces`]) if not given; `seed` is fresh randomness.
    pub fn seal(
        author: &Signer,
        patient: PrincipalId,
        class: RecordClass,
        content: &[u8],
        members: &[Member],
        thresholds: Option<Thresholds>,
        seed: Seed,
    ) -> Result<Self, UploadError> {
        let origin = Origin {
            chain: *author.chain(),
            patient,
            author: author.principal(),
        };
        let recipients: Vec<Recipient> = members.iter().map(Recipient::from).collect();
        // More members than pieces are possible is refused by `seal`, whatever the thresholds.
        let usual = || Thresholds::for_pieces(u8::try_from(members.len()).unwrap_or(u8::MAX));
        let thresholds = thresholds.unwrap_or_else(usual);
        Ok(Self {
            sealed: seal(content, &origin, &recipients, thresholds, seed)?,
            class,
            members: members
                .iter()
                .map(|member| (member.id, member.consensus_key))
                .collect(),
            receipts: BTreeMap::new(),
        })
    }

    /// The sealed record.
    pub const fn sealed(&self) -> &SealedRecord {
        &self.sealed
    }

    /// Pieces of members whose receipt is not here yet.
    pub fn outstanding(&self) -> impl Iterator<Item = &Piece> {
        self.sealed
            .pieces()
            .iter()
            .filter(|piece| !self.receipts.contains_key(&piece.member))
    }

    /// How far it is.
    pub fn progress(&self) -> UploadProgress {
        let n = self.members.len();
        let keys = usize::from(self.sealed.header().thresholds.keys);
        UploadProgress {
            have: self.receipts.len(),
            need: (n - n.saturating_sub(1) / 3).max(keys),
        }
    }

    /// Takes a member's receipt; the same one twice counts once.
    pub fn accept(&mut self, receipt: StoredReceipt) -> Result<UploadProgress, UploadError> {
        let StoredReceipt { member, signature } = receipt;
        let key = self.members.get(&member).ok_or(UploadError::NotAMember(member))?;
        let header = self.sealed.header();
        let payload = stored_receipt_payload(
            member,
            header.patient,
            header.author,
            header.digest.as_bytes(),
            self.sealed.root().as_bytes(),
        );
        key.verify(
            Tag::RECORD_RECEIPT,
            &header.chain,
            &payload,
            &Signature::new(signature),
        )
        .map_err(|_| UploadError::BadReceipt(member))?;
        self.receipts.insert(member, receipt);
        Ok(self.progress())
    }

    /// The transaction's input, once enough members have the record durably.
    pub fn finish(&self) -> Result<AddRecord, UploadError> {
        let UploadProgress { have, need } = self.progress();
        if have < need {
            return Err(UploadError::TooFewReceipts { have, need });
        }
        let header = self.sealed.header();
        Ok(AddRecord {
            patient: header.patient,
            digest: *header.digest.as_bytes(),
            root: *self.sealed.root().as_bytes(),
            threshold: header.thresholds.keys,
            pieces: header.pieces,
            size_bucket: header.size_bucket,
            class: self.class,
            receipts: self.receipts.values().copied().collect(),
        })
    }
}

/// A record on its way to a reader who has a ticket: one request out to all members, pieces in, then the content.
#[derive(Debug)]
pub struct Download {
    request: SignedReadRequest,
    reader: RecordReader,
    refused: BTreeMap<MemberId, PieceError>,
}

impl Download {
    /// Asks for a record. `on_chain` is what the chain's state says of it, `now` the present time.
    pub fn new(
        reader: &Signer,
        patient: PrincipalId,
        record: RecordNumber,
        on_chain: Record,
        now: Timestamp,
    ) -> Self {
        let request = reader.read_request(patient, record, now);
        let secret = reader.identity().encryption().clone();
        Self {
            request,
            reader: RecordReader::new(*reader.chain(), request.request, on_chain, secret),
            refused: BTreeMap::new(),
        }
    }

    /// What to send to every member.
    pub const fn request(&self) -> &SignedReadRequest {
        &self.request
    }

    /// Takes a member's answer in its canonical bytes. An error says what is wrong with it; others may still suffice.
    pub fn accept(&mut self, from: MemberId, answer: &[u8]) -> Result<Progress, PieceError> {
        let added = ReleasedPiece::decode(answer).and_then(|piece| self.reader.add(from, piece));
        added.inspect_err(|error| {
            if error.fault().is_some() {
                self.refused.insert(from, *error);
            }
        })
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.reader.progress()
    }

    /// Members whose answer was refused for a fault of theirs or of the author's, and why; for reports.
    pub const fn refused(&self) -> &BTreeMap<MemberId, PieceError> {
        &self.refused
    }

    /// Opens the record, once enough pieces are here.
    pub fn open(&self) -> Result<OpenedRecord, OpenError> {
        self.reader.open()
    }
}
