//! A network of members in memory, and what can go wrong in it.

mod flow;
mod format;
mod hostile;

use crate::*;
use salus_types::abi::access::{Record, RecordClass};
use salus_types::{ChainId, Hash, MemberId, PrincipalId, RecordNumber, SecretKey, Timestamp};

pub(crate) const PATIENT: PrincipalId = PrincipalId::new(7);
pub(crate) const AUTHOR: PrincipalId = PrincipalId::new(11);
pub(crate) const DOCTOR: PrincipalId = PrincipalId::new(13);
pub(crate) const NOW: Timestamp = Timestamp::new(1_790_000_000_000);

pub(crate) fn chain() -> ChainId {
    ChainId::new(Hash::of_content(b"a network"))
}

pub(crate) fn origin() -> Origin {
    Origin {
        chain: chain(),
        patient: PATIENT,
        author: AUTHOR,
    }
}

/// A sealed record, its members and its reader. Members have the numbers 1, 4, 7, ...: not their positions.
pub(crate) struct Scene {
    pub(crate) sealed: SealedRecord,
    pub(crate) reader_key: EncryptionSecret,
    pub(crate) signing_key: SecretKey,
}

pub(crate) fn member(position: u8) -> MemberId {
    MemberId::new(u16::from(position) * 3 + 1)
}

pub(crate) fn release_secret(position: u8) -> ReleaseSecret {
    ReleaseSecret::from_seed(&[position; 32])
}

pub(crate) fn recipients(count: u8) -> Vec<Recipient> {
    (0..count)
        .map(|position| Recipient {
            member: member(position),
            release_key: release_secret(position).public(),
        })
        .collect()
}

pub(crate) fn request() -> ReadRequest {
    ReadRequest {
        patient: PATIENT,
        record: RecordNumber::new(3),
        requester: DOCTOR,
        time: NOW,
    }
}

pub(crate) fn on_chain(sealed: &SealedRecord) -> Record {
    let header = sealed.header();
    Record {
        digest: *header.digest.as_bytes(),
        root: *sealed.root().as_bytes(),
        threshold: header.thresholds.keys,
        pieces: header.pieces,
        size_bucket: header.size_bucket,
        class: RecordClass::Clinical,
        author: header.author,
        time_ms: 0,
    }
}

impl Scene {
    pub(crate) fn new(content: &[u8], pieces: u8, thresholds: Thresholds) -> Self {
        let seed = Seed::new([42; 32]);
        Self::of(seal(content, &origin(), &recipients(pieces), thresholds, seed).unwrap())
    }

    pub(crate) fn of(sealed: SealedRecord) -> Self {
        Self {
            sealed,
            reader_key: EncryptionSecret::from_seed(&[200; 32]),
            signing_key: SecretKey::from_seed(&[201; 32]),
        }
    }

    pub(crate) fn stored(&self, position: u8) -> CheckedPiece {
        let piece = self.sealed.pieces()[usize::from(position)].clone();
        piece
            .check(
                &chain(),
                member(position),
                self.sealed.root(),
                &release_secret(position),
            )
            .unwrap()
    }

    pub(crate) fn verified(&self, request: ReadRequest) -> VerifiedReadRequest {
        request
            .sign(&self.signing_key, &chain())
            .verify(&chain(), &self.signing_key.public(), NOW)
            .unwrap()
    }

    pub(crate) fn release(&self, position: u8) -> ReleasedPiece {
        self.stored(position)
            .release(
                &release_secret(position),
                &self.verified(request()),
                &on_chain(&self.sealed),
                &self.reader_key.public(),
                Seed::new([100 + position; 32]),
            )
            .unwrap()
    }

    pub(crate) fn reader(&self) -> RecordReader {
        RecordReader::new(
            chain(),
            request(),
            on_chain(&self.sealed),
            self.reader_key.clone(),
        )
    }

    pub(crate) fn open_with(&self, positions: &[u8]) -> Result<OpenedRecord, OpenError> {
        let mut reader = self.reader();
        for position in positions {
            reader.add(member(*position), self.release(*position)).unwrap();
        }
        reader.open()
    }
}
