//! What works: any threshold of members opens any record, and nothing less does.

use super::*;
use crate::cipher::{Binding, DataKey};
use crate::seed::Seed;
use crate::shamir;
use proptest::prelude::*;
use salus_types::Signature;
use salus_types::abi::access::stored_receipt_payload;
use salus_types::abi::domain::Tag;
use zeroize::Zeroizing;

/// Members, both thresholds, and an order in which the members answer.
fn networks() -> impl Strategy<Value = (u8, Thresholds, Vec<u8>)> {
    (1u8..=13)
        .prop_flat_map(|pieces| (Just(pieces), 1..=pieces))
        .prop_flat_map(|(pieces, keys)| {
            let order = Just((0..pieces).collect::<Vec<u8>>()).prop_shuffle();
            (Just(pieces), 1..=keys, Just(keys), order)
        })
        .prop_map(|(pieces, fragments, keys, order)| (pieces, Thresholds { fragments, keys }, order))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_threshold_of_members_opens_it_and_one_less_does_not(
        (pieces, thresholds, order) in networks(),
        content in prop::collection::vec(any::<u8>(), 1..5000),
    ) {
        let scene = Scene::new(&content, pieces, thresholds);
        let enough = &order[..usize::from(thresholds.keys)];
        let opened = scene.open_with(enough).unwrap();
        prop_assert_eq!(opened.content(), &content[..]);
        prop_assert_eq!(opened.cid(), scene.sealed.cid());
        let have = enough.len() - 1;
        let too_few = Err(OpenError::TooFewPieces { have, need: enough.len() });
        prop_assert_eq!(scene.open_with(&enough[1..]), too_few);
    }

    #[test]
    fn key_shares_below_the_threshold_give_another_key(key: [u8; 32], threshold in 2u8..=10, more in 0u8..=6) {
        let count = threshold + more;
        let mut randomness = Seed::new(key).stream("test", &[]);
        let shares = shamir::deal(&key, threshold, count, &mut randomness).unwrap();
        let needed = usize::from(threshold);
        for window in shares.windows(needed) {
            prop_assert_eq!(&*shamir::combine(window).unwrap(), &key);
        }
        for window in shares.windows(needed - 1) {
            prop_assert_ne!(&*shamir::combine(window).unwrap(), &key);
        }
    }

    #[test]
    fn padding_adds_at_most_a_quarter(length in 1usize..=CONTENT_LENGTH_MAX) {
        let room = bucket_length(size_bucket(length).unwrap()).unwrap();
        prop_assert!(length <= room);
        prop_assert!(room <= 1024.max(length + length / 4));
    }
}

#[test]
fn size_buckets_follow_their_formula() {
    for bucket in BUCKET_MIN..=BUCKET_MAX {
        let exact = f64::from(1u32 << (bucket / 4)) * (1.0 + f64::from(bucket % 4) / 4.0);
        let length = u32::try_from(bucket_length(bucket).unwrap()).unwrap();
        assert_eq!(f64::from(length), exact);
    }
    assert_eq!(size_bucket(0), Some(BUCKET_MIN));
    assert_eq!(size_bucket(1025), Some(BUCKET_MIN + 1));
    assert_eq!(size_bucket(CONTENT_LENGTH_MAX), Some(BUCKET_MAX));
    assert_eq!(size_bucket(CONTENT_LENGTH_MAX + 1), None);
    assert_eq!((bucket_length(39), bucket_length(97)), (None, None));
}

#[test]
fn the_usual_thresholds_are_n_minus_2f() {
    for (pieces, threshold) in [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 2),
        (7, 3),
        (10, 4),
        (31, 11),
        (127, 43),
    ] {
        let thresholds = Thresholds::for_pieces(pieces);
        assert_eq!((thresholds.fragments, thresholds.keys), (threshold, threshold));
    }
}

#[test]
fn a_record_of_many_chunks_opens_from_originals_from_parity_and_from_a_mix() {
    let content: Vec<u8> = (0..2_500_000u32)
        .map(|i| i.to_be_bytes()[2] ^ i.to_be_bytes()[3])
        .collect();
    let scene = Scene::new(
        &content,
        7,
        Thresholds {
            fragments: 3,
            keys: 4,
        },
    );
    for positions in [[0, 1, 2, 3], [3, 4, 5, 6], [6, 1, 4, 0]] {
        assert_eq!(scene.open_with(&positions).unwrap().content(), content);
    }
}

#[test]
fn the_largest_record_fits_a_piece_even_at_threshold_one() {
    let content = vec![0x5a; CONTENT_LENGTH_MAX];
    let scene = Scene::new(
        &content,
        1,
        Thresholds {
            fragments: 1,
            keys: 1,
        },
    );
    let encoded = scene.sealed.pieces()[0].encode();
    assert!(encoded.len() <= PIECE_LENGTH_MAX);
    assert_eq!(&Piece::decode(&encoded).unwrap(), &scene.sealed.pieces()[0]);
    assert_eq!(scene.open_with(&[0]).unwrap().content(), content);
}

#[test]
fn a_member_signs_what_the_contract_verifies() {
    let scene = Scene::new(b"a record", 4, Thresholds::for_pieces(4));
    let consensus_key = SecretKey::from_seed(&[77; 32]);
    let stored = scene.stored(2);
    let receipt = stored.receipt(&consensus_key);
    assert_eq!(receipt.member, member(2));
    let verifies = |patient, author| {
        let (digest, root) = (scene.sealed.header().digest, scene.sealed.root());
        let payload = stored_receipt_payload(member(2), patient, author, digest.as_bytes(), root.as_bytes());
        let signature = Signature::new(receipt.signature);
        let key = consensus_key.public();
        key.verify(Tag::RECORD_RECEIPT, &chain(), &payload, &signature)
            .is_ok()
    };
    assert!(verifies(PATIENT, AUTHOR));
    assert!(!verifies(DOCTOR, AUTHOR), "for another patient");
    assert!(!verifies(PATIENT, DOCTOR), "in another author's name");
}

#[test]
fn every_piece_leads_to_the_root_and_survives_encoding() {
    let scene = Scene::new(b"a record", 5, Thresholds::for_pieces(5));
    for piece in scene.sealed.pieces() {
        assert_eq!(&piece.root().unwrap(), scene.sealed.root());
        assert_eq!(&Piece::decode(&piece.encode()).unwrap(), piece);
        assert_eq!(scene.sealed.piece(piece.member), Some(piece));
    }
    let released = scene.release(3);
    assert_eq!(ReleasedPiece::decode(&released.encode()).unwrap(), released);
    assert_eq!(scene.sealed.piece(MemberId::new(2)), None);
}

#[test]
fn the_order_of_recipients_does_not_matter() {
    let thresholds = Thresholds::for_pieces(4);
    let mut reversed = recipients(4);
    reversed.reverse();
    let sealed = seal(b"a record", &origin(), &reversed, thresholds, Seed::new([42; 32])).unwrap();
    assert_eq!(sealed, Scene::new(b"a record", 4, thresholds).sealed);
}

#[test]
fn a_seed_used_twice_still_gives_every_content_a_key_of_its_own() {
    let thresholds = Thresholds::for_pieces(4);
    let one = Scene::new(b"one", 4, thresholds).sealed;
    let two = Scene::new(b"two", 4, thresholds).sealed;
    assert_ne!(one.header().key_commitment, two.header().key_commitment);
    // The plaintexts differ in three bytes; under one key and nonce the ciphertexts would differ only there and in the tag.
    let differing = one.pieces()[0].fragments.iter().zip(&two.pieces()[0].fragments);
    assert!(differing.filter(|(a, b)| a != b).count() > 400);
}

#[test]
fn no_piece_shows_the_content() {
    let canary = b"HIV positive since 2019";
    let scene = Scene::new(&canary.repeat(200), 4, Thresholds::for_pieces(4));
    for piece in scene.sealed.pieces() {
        let bytes = piece.encode();
        assert!(
            !bytes
                .windows(8)
                .any(|window| canary.windows(8).any(|part| part == window))
        );
    }
}

#[test]
fn the_key_commitment_is_bound_to_the_record() {
    let key = DataKey::new(Zeroizing::new([9; 32]));
    let other = Origin {
        patient: AUTHOR,
        ..origin()
    };
    let commitment = key.commitment(&Binding::new(&origin(), 40));
    assert_ne!(commitment, key.commitment(&Binding::new(&other, 40)));
    assert_ne!(commitment, key.commitment(&Binding::new(&origin(), 41)));
    assert_ne!(commitment.as_bytes(), key.as_bytes());
}

#[test]
fn pieces_beyond_the_threshold_are_checked_and_dropped() {
    let scene = Scene::new(b"a record", 4, Thresholds::for_pieces(4));
    let mut reader = scene.reader();
    for position in 0..4 {
        let progress = reader.add(member(position), scene.release(position)).unwrap();
        assert_eq!(progress.have, usize::from(position + 1).min(2));
        assert_eq!(reader.is_ready(), position > 0);
    }
    assert_eq!(reader.open().unwrap().content(), b"a record");
}

#[test]
fn nothing_secret_is_printed() {
    let scene = Scene::new(b"a record", 4, Thresholds::for_pieces(4));
    let opened = scene.open_with(&[0, 1]).unwrap();
    let seed = release_secret(1).seed();
    let secret = format!("{:?}", *seed);
    for text in [
        format!("{:?}", Seed::new([1; 32])),
        format!("{:?}", release_secret(1)),
        format!("{:?}", scene.reader_key),
        format!("{:?}", scene.reader()),
        format!("{opened:?}"),
        format!("{:?}", scene.sealed),
        format!("{:?}", scene.release(0)),
        format!("{:?}", scene.stored(0)),
    ] {
        assert!(
            !text.contains("a record") && !text.contains("97, 32") && !text.contains(&secret),
            "{text}"
        );
    }
    assert_eq!(format!("{:?}", Seed::new([1; 32])), "Seed(..)");
    assert!(format!("{:?}", release_secret(1)).contains(&release_secret(1).public().to_string()));
}
