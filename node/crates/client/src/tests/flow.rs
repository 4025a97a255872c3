//! From the author's client through the members to the reader's.

use super::*;
use salus_records::{
    EncryptionKey, OpenError, Piece, PieceError, SealError, Seed, SignedReadRequest, Thresholds,
};
use salus_types::abi::access::{AddRecord, Record, RecordClass, StoredReceipt, stored_receipt_payload};
use salus_types::abi::domain::Tag;
use salus_types::{RecordNumber, Timestamp};

const NOW: Timestamp = Timestamp::new(1_790_000_000_000);
const CONTENT: &[u8] = b"{\"resourceType\":\"DiagnosticReport\"}";

fn author() -> Signer {
    Signer::new(chain_id(), PrincipalId::new(11), Identity::from_seed(&[11; 32]))
}

fn upload(members: &[Member]) -> Upload {
    let seed = Seed::new([60; 32]);
    let class = RecordClass::Laboratory;
    Upload::seal(&author(), PATIENT, class, CONTENT, members, None, seed).unwrap()
}

/// What a member does with a piece that arrives.
fn store(number: u8, piece: &Piece, upload: &Upload) -> StoredReceipt {
    let member = MemberId::new(number.into());
    let arrived = Piece::decode(&piece.encode()).unwrap();
    let checked = arrived.check(
        &chain_id(),
        member,
        upload.sealed().root(),
        &release_secret(number),
    );
    checked.unwrap().receipt(&consensus_key(number))
}

fn on_chain(add: &AddRecord) -> Record {
    Record {
        digest: add.digest,
        root: add.root,
        threshold: add.threshold,
        pieces: add.pieces,
        size_bucket: add.size_bucket,
        class: add.class,
        author: author().principal(),
        time_ms: 5,
    }
}

/// What a member answers to a request that its own state allows.
fn answer(number: u8, upload: &Upload, record: &Record, request: &SignedReadRequest) -> Vec<u8> {
    let member = MemberId::new(number.into());
    let (key, reader) = (release_secret(number), doctor().identity().public());
    let piece = upload.sealed().piece(member).unwrap().clone();
    let stored = piece
        .check(&chain_id(), member, upload.sealed().root(), &key)
        .unwrap();
    let request = SignedReadRequest::decode(&request.encode())
        .unwrap()
        .verify(&chain_id(), &reader.signing_key, NOW)
        .unwrap();
    let encryption_key = EncryptionKey::new(*reader.encryption_key.as_bytes());
    stored
        .release(&key, &request, record, &encryption_key, Seed::new([number; 32]))
        .unwrap()
        .encode()
}

#[test]
fn a_record_goes_out_and_comes_back_with_one_member_down_and_one_lying() {
    let members = members(7);
    let mut upload = upload(&members);
    assert_eq!(upload.outstanding().count(), 7);
    for number in [5, 0, 6, 2, 3] {
        let piece = upload.sealed().piece(MemberId::new(number.into())).unwrap();
        let receipt = store(number, piece, &upload);
        upload.accept(receipt).unwrap();
    }
    assert_eq!(upload.outstanding().count(), 2);
    let add = upload.finish().unwrap();
    let order: Vec<u16> = add.receipts.iter().map(|receipt| receipt.member.get()).collect();
    assert_eq!(order, [0, 2, 3, 5, 6]);
    assert_eq!((add.threshold, add.pieces, add.patient), (3, 7, PATIENT));

    let record = on_chain(&add);
    let mut download = Download::new(&doctor(), PATIENT, RecordNumber::new(0), record.clone(), NOW);
    let mut lie = answer(2, &upload, &record, download.request());
    *lie.last_mut().unwrap() ^= 1;
    assert_eq!(
        download.accept(MemberId::new(2), &lie),
        Err(PieceError::WrongPath)
    );
    for number in [0, 5] {
        let bytes = answer(number, &upload, &record, download.request());
        download.accept(MemberId::new(number.into()), &bytes).unwrap();
    }
    assert_eq!(download.open(), Err(OpenError::TooFewPieces { have: 2, need: 3 }));
    let bytes = answer(6, &upload, &record, download.request());
    let progress = download.accept(MemberId::new(6), &bytes).unwrap();
    assert_eq!(progress, download.progress());
    assert_eq!(download.open().unwrap().content(), CONTENT);
    let refused: Vec<_> = download.refused().iter().collect();
    assert_eq!(refused, [(&MemberId::new(2), &PieceError::WrongPath)]);
}

#[test]
fn an_upload_is_done_only_with_enough_valid_receipts() {
    let members = members(4);
    let mut upload = upload(&members);
    let receipt = |number: u8, upload: &Upload| {
        let piece = upload.sealed().piece(MemberId::new(number.into())).unwrap();
        store(number, piece, upload)
    };
    let good = receipt(1, &upload);
    for _ in 0..3 {
        assert_eq!(upload.accept(good), Ok(UploadProgress { have: 1, need: 3 }));
    }
    assert_eq!(
        upload.finish(),
        Err(UploadError::TooFewReceipts { have: 1, need: 3 })
    );
    let stolen = StoredReceipt {
        member: MemberId::new(2),
        ..good
    };
    assert_eq!(
        upload.accept(stolen),
        Err(UploadError::BadReceipt(MemberId::new(2)))
    );
    // Of pieces dealt by somebody else, and of pieces of another patient's record.
    let header = upload.sealed().header();
    for (patient, by) in [
        (header.patient, doctor().principal()),
        (doctor().principal(), header.author),
    ] {
        let (digest, root) = (header.digest, upload.sealed().root());
        let member = MemberId::new(2);
        let payload = stored_receipt_payload(member, patient, by, digest.as_bytes(), root.as_bytes());
        let signature = consensus_key(2).sign(Tag::RECORD_RECEIPT, &chain_id(), &payload);
        let foreign = StoredReceipt {
            member,
            signature: *signature.as_bytes(),
        };
        assert_eq!(
            upload.clone().accept(foreign),
            Err(UploadError::BadReceipt(member))
        );
    }
    let stranger = StoredReceipt {
        member: MemberId::new(9),
        ..good
    };
    assert_eq!(
        upload.accept(stranger),
        Err(UploadError::NotAMember(MemberId::new(9)))
    );
}

#[test]
fn sealing_errors_come_through() {
    let (class, seed) = (RecordClass::Document, || Seed::new([1; 32]));
    let empty = Upload::seal(&author(), PATIENT, class, b"", &members(4), None, seed());
    assert_eq!(empty.unwrap_err(), UploadError::Seal(SealError::Empty));
    let thresholds = Some(Thresholds {
        fragments: 2,
        keys: 9,
    });
    let refused = Upload::seal(&author(), PATIENT, class, b"x", &members(4), thresholds, seed());
    assert!(matches!(
        refused,
        Err(UploadError::Seal(SealError::Thresholds(_)))
    ));
    let nobody = Upload::seal(&author(), PATIENT, class, b"x", &[], None, seed());
    assert!(matches!(nobody, Err(UploadError::Seal(SealError::Thresholds(_)))));
}

#[test]
fn an_author_may_ask_for_more_hospitals_than_the_bytes_need() {
    let thresholds = Some(Thresholds {
        fragments: 2,
        keys: 4,
    });
    let class = RecordClass::Sensitive;
    let members = members(4);
    let seed = Seed::new([2; 32]);
    let mut upload = Upload::seal(&author(), PATIENT, class, CONTENT, &members, thresholds, seed).unwrap();
    for number in 0..4u8 {
        // n - f would be three, but three members could not open it.
        assert_eq!(
            upload.finish(),
            Err(UploadError::TooFewReceipts {
                have: number.into(),
                need: 4
            })
        );
        let piece = upload.sealed().piece(MemberId::new(number.into())).unwrap();
        let receipt = store(number, piece, &upload);
        upload.accept(receipt).unwrap();
    }
    let record = on_chain(&upload.finish().unwrap());
    let mut download = Download::new(&doctor(), PATIENT, RecordNumber::new(0), record.clone(), NOW);
    for number in 0..4u8 {
        assert!(download.open().is_err());
        let bytes = answer(number, &upload, &record, download.request());
        download.accept(MemberId::new(number.into()), &bytes).unwrap();
    }
    assert_eq!(download.open().unwrap().content(), CONTENT);
}
