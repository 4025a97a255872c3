//! What is refused, by which error, and who is blamed.

use super::*;
use crate::cipher::{self, Binding, CipherError, DataKey};
use crate::header::Layout;
use crate::seal::{Dealing, assemble};
use crate::shamir;
use crate::{envelope, fragments, piece, release};
use proptest::prelude::*;
use salus_types::codec::DecodeError;
use zeroize::Zeroizing;

fn scene() -> Scene {
    Scene::new(&[0xab; 3000], 4, Thresholds::for_pieces(4))
}

fn check(scene: &Scene, piece: Piece) -> PieceError {
    piece
        .check(&chain(), member(1), scene.sealed.root(), &release_secret(1))
        .unwrap_err()
}

#[test]
fn a_member_refuses_what_is_not_its_piece() {
    let scene = scene();
    let good = scene.sealed.pieces()[1].clone();
    let root = scene.sealed.root();
    let other_chain = ChainId::new(Hash::of_content(b"another network"));
    let refused = |chain: &ChainId, member, root: &Hash, secret: &ReleaseSecret| {
        good.clone().check(chain, member, root, secret).unwrap_err()
    };
    let secret = release_secret(1);
    assert_eq!(
        refused(&other_chain, member(1), root, &secret),
        PieceError::WrongChain
    );
    assert_eq!(
        refused(&chain(), member(2), root, &secret),
        PieceError::WrongMember {
            found: member(1),
            expected: member(2)
        }
    );
    assert_eq!(
        refused(&chain(), member(1), &Hash::ZERO, &secret),
        PieceError::WrongPath
    );
    assert_eq!(
        refused(&chain(), member(1), root, &release_secret(2)),
        PieceError::KeyShareSealed
    );
}

#[test]
fn a_member_refuses_a_changed_piece() {
    let scene = scene();
    type Change = fn(&mut Piece);
    let wrong_path: [Change; 9] = [
        |piece| piece.fragments[100] ^= 1,
        |piece| piece.sealed_key_share[50] ^= 1,
        |piece| piece.position ^= 1,
        |piece| piece.position = 4,
        |piece| piece.key_share_commitment = Hash::ZERO,
        |piece| piece.path[0] = Hash::ZERO,
        |piece| piece.path.truncate(1),
        |piece| piece.path.push(Hash::ZERO),
        |piece| piece.header.author = PATIENT,
    ];
    for change in wrong_path {
        let mut piece = scene.sealed.pieces()[1].clone();
        change(&mut piece);
        assert_eq!(check(&scene, piece), PieceError::WrongPath);
    }
    let mut piece = scene.sealed.pieces()[1].clone();
    let expected = piece.fragments.len();
    piece.fragments.push(0);
    let found = expected + 1;
    assert_eq!(
        check(&scene, piece),
        PieceError::FragmentLength { found, expected }
    );
}

#[test]
fn a_header_out_of_range_is_refused() {
    let scene = scene();
    let header = scene.sealed.header();
    let thresholds = |fragments, keys, pieces: u8| HeaderError::Thresholds {
        fragments,
        keys,
        pieces: usize::from(pieces),
    };
    type Change = fn(&mut RecordHeader);
    let cases: [(Change, HeaderError); 7] = [
        (|header| header.suite = 2, HeaderError::UnknownSuite(2)),
        (|header| header.size_bucket = 39, HeaderError::SizeBucket(39)),
        (|header| header.size_bucket = 255, HeaderError::SizeBucket(255)),
        (|header| header.thresholds.fragments = 0, thresholds(0, 2, 4)),
        (|header| header.thresholds.fragments = 3, thresholds(3, 2, 4)),
        (|header| header.thresholds.keys = 5, thresholds(2, 5, 4)),
        (|header| header.pieces = 128, thresholds(2, 2, 128)),
    ];
    for (change, error) in cases {
        let mut header = header.clone();
        change(&mut header);
        assert_eq!(header.check(), Err(error));
        let mut piece = scene.sealed.pieces()[1].clone();
        piece.header = header;
        assert_eq!(check(&scene, piece), PieceError::Header(error));
    }
}

#[test]
fn sealing_refuses_what_cannot_be_sealed() {
    let seal = |content: &[u8], recipients: &[Recipient], thresholds| {
        seal(content, &origin(), recipients, thresholds, Seed::new([1; 32])).unwrap_err()
    };
    let usual = Thresholds::for_pieces(4);
    assert_eq!(seal(b"", &recipients(4), usual), SealError::Empty);
    let length = CONTENT_LENGTH_MAX + 1;
    assert_eq!(
        seal(&vec![0; length], &recipients(4), usual),
        SealError::TooLong { length }
    );
    let thresholds = |fragments, keys, pieces| {
        SealError::Thresholds(HeaderError::Thresholds {
            fragments,
            keys,
            pieces,
        })
    };
    assert_eq!(seal(b"x", &[], usual), thresholds(2, 2, 0));
    let keys_below_fragments = Thresholds {
        fragments: 3,
        keys: 2,
    };
    assert_eq!(
        seal(b"x", &recipients(4), keys_below_fragments),
        thresholds(3, 2, 4)
    );
    let twice = [recipients(4), recipients(1)].concat();
    assert_eq!(seal(b"x", &twice, usual), SealError::DuplicateMember(member(0)));
    let mut small_order = recipients(4);
    small_order[2].release_key = ReleaseKey::new([0; 32]);
    assert_eq!(
        seal(b"x", &small_order, usual),
        SealError::BadReleaseKey(member(2))
    );
}

#[test]
fn a_reader_names_who_changed_a_piece() {
    let scene = scene();
    let mut reader = scene.reader();
    let mut add = |change: fn(&mut ReleasedPiece)| {
        let mut piece = scene.release(1);
        change(&mut piece);
        let error = reader.add(member(1), piece).unwrap_err();
        let excused = error == PieceError::WrongRequest;
        assert_eq!(error.fault(), (!excused).then_some(Fault::Sender));
        error
    };
    assert_eq!(add(|piece| piece.fragments[7] ^= 1), PieceError::WrongPath);
    assert_eq!(
        add(|piece| piece.stored_key_share = Hash::ZERO),
        PieceError::WrongPath
    );
    assert_eq!(
        add(|piece| piece.key_share_commitment = Hash::ZERO),
        PieceError::WrongPath
    );
    assert_eq!(add(|piece| piece.position = 0), PieceError::WrongPath);
    assert_eq!(
        add(|piece| piece.header.digest = Hash::ZERO),
        PieceError::WrongPath
    );
    assert_eq!(add(|piece| piece.request = Hash::ZERO), PieceError::WrongRequest);
    assert_eq!(
        add(|piece| piece.sealed_key_share[40] ^= 1),
        PieceError::KeyShareSealed
    );
    assert_eq!(
        add(|piece| piece.header.suite = 9),
        PieceError::Header(HeaderError::UnknownSuite(9))
    );
    assert_eq!(
        reader.add(member(2), scene.release(1)),
        Err(PieceError::WrongMember {
            found: member(1),
            expected: member(2)
        })
    );
    reader.add(member(1), scene.release(1)).unwrap();
    assert_eq!(
        reader.add(member(1), scene.release(1)),
        Err(PieceError::Duplicate(1))
    );
    // The liar did not stop the others.
    reader.add(member(3), scene.release(3)).unwrap();
    assert_eq!(reader.open().unwrap().content(), [0xab; 3000]);
}

#[test]
fn a_member_that_releases_another_key_share_is_found_out() {
    let scene = scene();
    // It seals some other share to the requester, properly in every other way.
    let mut piece = scene.release(1);
    let header = piece.header.hash();
    let info = release::release_info(&header, member(1), &piece.request);
    let mut wrong = Zeroizing::new([5; 33]);
    wrong[0] = 2;
    let mut randomness = Seed::new([3; 32]).stream("test", &[]);
    piece.sealed_key_share = envelope::seal(
        scene.reader_key.public().as_bytes(),
        &info,
        &wrong,
        &mut randomness,
    )
    .unwrap();
    let error = scene.reader().add(member(1), piece).unwrap_err();
    assert_eq!(
        (error, error.fault()),
        (PieceError::KeyShareDiffers, Some(Fault::Sender))
    );
}

#[test]
fn only_the_requester_can_read_the_answer_and_only_to_this_request() {
    let scene = scene();
    let thief = EncryptionSecret::from_seed(&[99; 32]);
    let mut reader = RecordReader::new(chain(), request(), on_chain(&scene.sealed), thief);
    assert_eq!(
        reader.add(member(0), scene.release(0)),
        Err(PieceError::KeyShareSealed)
    );
    let later = ReadRequest {
        time: Timestamp::new(NOW.get() + 1),
        ..request()
    };
    let mut reader = RecordReader::new(chain(), later, on_chain(&scene.sealed), scene.reader_key.clone());
    let mut answer = scene.release(0);
    assert_eq!(
        reader.add(member(0), answer.clone()),
        Err(PieceError::WrongRequest)
    );
    // Relabelled, it still does not open: the sealing itself is bound to the request.
    answer.request = later.hash(&chain());
    assert_eq!(reader.add(member(0), answer), Err(PieceError::KeyShareSealed));
}

#[test]
fn a_member_releases_nothing_but_the_requested_record() {
    let scene = scene();
    let stored = scene.stored(0);
    let record = on_chain(&scene.sealed);
    let release = |request, record: &Record, secret: &ReleaseSecret, key| {
        let request = scene.verified(request);
        stored
            .release(secret, &request, record, &key, Seed::new([1; 32]))
            .map(|_| ())
    };
    let (secret, key) = (release_secret(0), scene.reader_key.public());
    assert_eq!(release(request(), &record, &secret, key), Ok(()));
    for change in [
        (|record| record.digest = [0; 32]) as fn(&mut Record),
        |record| record.root = [0; 32],
        |record| record.threshold = 1,
        |record| record.author = DOCTOR,
    ] {
        let mut other = record.clone();
        change(&mut other);
        assert_eq!(
            release(request(), &other, &secret, key),
            Err(ReleaseError::OtherRecord)
        );
    }
    let other_patient = ReadRequest {
        patient: DOCTOR,
        ..request()
    };
    assert_eq!(
        release(other_patient, &record, &secret, key),
        Err(ReleaseError::OtherRecord)
    );
    assert_eq!(
        release(request(), &record, &release_secret(3), key),
        Err(ReleaseError::Piece(PieceError::KeyShareSealed))
    );
    assert_eq!(
        release(request(), &record, &secret, EncryptionKey::new([0; 32])),
        Err(ReleaseError::BadEncryptionKey)
    );
}

#[test]
fn a_request_must_be_signed_and_fresh() {
    let key = SecretKey::from_seed(&[1; 32]);
    let signed = request().sign(&key, &chain());
    let verify = |signed: SignedReadRequest, key: &SecretKey, now: u64| {
        signed.verify(&chain(), &key.public(), Timestamp::new(now))
    };
    let now = NOW.get();
    assert_eq!(verify(signed, &key, now).unwrap().request(), &request());
    assert!(verify(signed, &key, now + READ_REQUEST_AGE_MS_MAX).is_ok());
    let off_ms = READ_REQUEST_AGE_MS_MAX + 1;
    assert_eq!(
        verify(signed, &key, now + off_ms),
        Err(RequestError::Stale { off_ms })
    );
    assert_eq!(
        verify(signed, &key, now - off_ms),
        Err(RequestError::Stale { off_ms })
    );
    let other = SecretKey::from_seed(&[2; 32]);
    assert_eq!(verify(signed, &other, now), Err(RequestError::BadSignature));
    let mut changed = signed;
    changed.request.record = RecordNumber::new(4);
    assert_eq!(verify(changed, &key, now), Err(RequestError::BadSignature));
    let elsewhere = ChainId::new(Hash::ZERO);
    assert_eq!(
        signed.verify(&elsewhere, &key.public(), NOW),
        Err(RequestError::BadSignature)
    );
    assert_eq!(
        SignedReadRequest::decode(&[1, 2, 3]),
        Err(RequestError::Malformed(DecodeError::Malformed))
    );
}

/// What an author who does not follow the rules may deal: honest inside one tree, inconsistent as a whole.
fn dealt_by_a_cheat(cheat: fn(&mut Dealing)) -> Scene {
    let thresholds = Thresholds::for_pieces(4);
    let bucket = size_bucket(100).unwrap();
    let binding = Binding::new(&origin(), bucket);
    let key = DataKey::new(Zeroizing::new([8; 32]));
    let layout = Layout::new(bucket);
    let ciphertext = cipher::encrypt(&[1; 100], layout, &key, &binding).unwrap();
    let mut randomness = Seed::new([4; 32]).stream("test", &[]);
    let mut dealing = Dealing {
        header: RecordHeader {
            suite: SUITE,
            chain: chain(),
            patient: PATIENT,
            author: AUTHOR,
            size_bucket: bucket,
            digest: Hash::of_content(&ciphertext),
            key_commitment: key.commitment(&binding),
            thresholds,
            pieces: 4,
        },
        rows: fragments::split(&ciphertext, layout, 2, 4).unwrap(),
        shares: shamir::deal(key.as_bytes(), 2, 4, &mut randomness).unwrap(),
    };
    cheat(&mut dealing);
    Scene::of(assemble(dealing, &recipients(4), &mut randomness).unwrap())
}

fn reseal(dealing: &mut Dealing, change: fn(&mut Vec<u8>)) {
    let layout = dealing.header.layout();
    let rows: Vec<(u8, &[u8])> = (0..).zip(dealing.rows.iter().map(Vec::as_slice)).collect();
    let mut ciphertext = fragments::join(&rows, layout, 2, 4).unwrap();
    change(&mut ciphertext);
    dealing.header.digest = Hash::of_content(&ciphertext);
    dealing.rows = fragments::split(&ciphertext, layout, 2, 4).unwrap();
}

#[test]
fn an_author_who_deals_inconsistently_is_found_out_and_no_member_is_blamed() {
    let honest = dealt_by_a_cheat(|_| ());
    assert_eq!(honest.open_with(&[1, 3]).unwrap().content(), [1; 100]);

    let fragments = dealt_by_a_cheat(|dealing| dealing.rows[3][9] ^= 1);
    assert_eq!(fragments.open_with(&[1, 3]), Err(OpenError::DigestDiffers));
    let shares = dealt_by_a_cheat(|dealing| dealing.shares[3][9] ^= 1);
    assert_eq!(shares.open_with(&[1, 3]), Err(OpenError::KeyDiffers));
    let chunk = dealt_by_a_cheat(|dealing| reseal(dealing, |ciphertext| ciphertext[30] ^= 1));
    assert_eq!(chunk.open_with(&[1, 3]), Err(OpenError::BadChunk { chunk: 0 }));
}

#[test]
fn one_ciphertext_cannot_open_under_two_keys() {
    // An author deals shares of a key that the header does not commit to: even if it were to decrypt, it is refused.
    let scene = dealt_by_a_cheat(|dealing| {
        let mut randomness = Seed::new([5; 32]).stream("test", &[]);
        dealing.shares = shamir::deal(&[9; 32], 2, 4, &mut randomness).unwrap();
    });
    assert_eq!(scene.open_with(&[0, 1]), Err(OpenError::KeyDiffers));
}

#[test]
fn a_share_with_a_wrong_index_is_refused_before_a_receipt_is_signed() {
    for index in [0, 1, 3, 255] {
        let mut randomness = Seed::new([6; 32]).stream("test", &[]);
        let scene = scene();
        let mut piece = scene.sealed.pieces()[1].clone();
        let mut share = Zeroizing::new([7; 33]);
        share[0] = index;
        let info = piece::storing_info(&piece.header.hash(), member(1));
        let key = release_secret(1).public();
        piece.sealed_key_share = envelope::seal(key.as_bytes(), &info, &share, &mut randomness).unwrap();
        piece.key_share_commitment = piece::key_share_commitment(&share);
        let root = piece.root().unwrap();
        let refused = piece.check(&chain(), member(1), &root, &release_secret(1));
        assert_eq!(refused.unwrap_err(), PieceError::KeyShareDiffers);
    }
}

#[test]
fn a_piece_with_a_header_of_its_own_is_the_authors_fault() {
    // Both pieces lead to one root, but their headers differ: the author built the tree like that.
    let scene = scene();
    let mut record = on_chain(&scene.sealed);
    record.size_bucket += 1;
    let mut reader = RecordReader::new(chain(), request(), record, scene.reader_key.clone());
    let error = reader.add(member(0), scene.release(0)).unwrap_err();
    assert_eq!(
        (error, error.fault()),
        (PieceError::HeaderDiffers, Some(Fault::Author))
    );
}

#[test]
fn chunks_cannot_be_swapped_cut_off_or_read_as_another_record() {
    let bucket = size_bucket(3 << 20).unwrap();
    let layout = Layout::new(bucket);
    let lengths: Vec<usize> = layout.chunks().collect();
    assert_eq!(lengths, [(1 << 20) + 24, (1 << 20) + 16, (1 << 20) + 16]);
    let key = DataKey::new(Zeroizing::new([8; 32]));
    let binding = Binding::new(&origin(), bucket);
    let sealed = cipher::encrypt(&[3; 3 << 20], layout, &key, &binding).unwrap();
    let open =
        |bytes: &[u8], layout, binding: &Binding| cipher::decrypt(bytes, layout, &key, binding).map(|_| ());
    assert_eq!(open(&sealed, layout, &binding), Ok(()));

    let (first, rest) = sealed.split_at(lengths[0]);
    let (second, third) = rest.split_at(lengths[1]);
    let swapped = [first, third, second].concat();
    assert_eq!(open(&swapped, layout, &binding), Err(CipherError::Chunk(1)));
    // Without its last chunk, it would have to end with the flag of a last chunk.
    let shorter = Layout::new(size_bucket(2 << 20).unwrap());
    let cut = [first, second].concat();
    assert_eq!(open(&cut, shorter, &binding), Err(CipherError::Chunk(1)));
    let other = Origin {
        patient: DOCTOR,
        ..origin()
    };
    let other = Binding::new(&other, bucket);
    assert_eq!(open(&sealed, layout, &other), Err(CipherError::Chunk(0)));
}

#[test]
fn wrong_padding_is_refused() {
    let layout = Layout::new(BUCKET_MIN);
    let key = DataKey::new(Zeroizing::new([8; 32]));
    let binding = Binding::new(&origin(), BUCKET_MIN);
    let whole = [vec![0; 1023], vec![1]].concat();
    // A length that would hide the last byte, and one beyond the bucket.
    for length in [1023, 1025, u64::MAX] {
        let sealed = cipher::encrypt_with_length(&whole, length, layout, &key, &binding).unwrap();
        let opened = cipher::decrypt(&sealed, layout, &key, &binding);
        assert_eq!(opened, Err(CipherError::Padding));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_byte_of_an_answer_goes_unnoticed(place: prop::sample::Index, flip in 1u8..=255) {
        let scene = scene();
        let mut bytes = scene.release(2).encode();
        let index = place.index(bytes.len());
        bytes[index] ^= flip;
        let outcome = ReleasedPiece::decode(&bytes).and_then(|piece| scene.reader().add(member(2), piece));
        prop_assert!(outcome.is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        // Formats without a checksum: now and then some bytes read as one. They are then its only bytes, and
        // nobody who knows the root, the header or the key takes it for anything.
        let root = Hash::of_content(b"of a record that these bytes are not of");
        if let Ok(piece) = Piece::decode(&bytes) {
            prop_assert_eq!(piece.encode(), bytes.clone());
            prop_assert!(piece.check(&chain(), member(1), &root, &release_secret(1)).is_err());
        }
        if let Ok(piece) = ReleasedPiece::decode(&bytes) {
            prop_assert_eq!(piece.encode(), bytes.clone());
            prop_assert!(scene().reader().add(member(2), piece).is_err());
        }
        if let Ok(request) = SignedReadRequest::decode(&bytes) {
            prop_assert_eq!(request.encode(), bytes);
            let key = SecretKey::from_seed(&[1; 32]).public();
            prop_assert!(request.verify(&chain(), &key, request.request.time).is_err());
        }
    }
}

#[test]
fn oversized_and_trailing_bytes_are_refused() {
    let piece = scene().sealed.pieces()[0].encode();
    let trailing = [piece.as_slice(), &[0]].concat();
    assert_eq!(
        Piece::decode(&trailing),
        Err(PieceError::Malformed(DecodeError::NotCanonical))
    );
    let length = PIECE_LENGTH_MAX + 1;
    let limit = PIECE_LENGTH_MAX;
    assert_eq!(
        Piece::decode(&vec![0; length]),
        Err(PieceError::Malformed(DecodeError::TooLong { length, limit }))
    );
}
