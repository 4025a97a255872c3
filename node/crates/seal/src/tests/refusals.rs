//! Each kind of bad input, and the error that names it.

use super::*;
use crate::dealing::DealingError as D;
use crate::share::ShareError as S;
use salus_types::{Body, Sealing};

fn check(change: impl FnOnce(&mut SealedShare, &mut Header)) -> Result<CheckedShare, ShareError> {
    let (block, mut header) = sealed(&noise(300, 1), 3, 7);
    let mut share = share(&block, 2);
    change(&mut share, &mut header);
    CheckedShare::check(share, &header)
}

#[test]
fn a_share_is_refused_for_each_thing_that_can_be_wrong_with_it() {
    assert!(check(|_, _| ()).is_ok());
    let slot = Slot::new(2);
    let cases: [(S, Result<CheckedShare, S>); 9] = [
        (S::IndexZero, check(|share, _| share.key_share[0] = 0)),
        (
            S::IndexMismatch { index: 4, slot },
            check(|share, _| share.key_share[0] = 4),
        ),
        (
            S::IndexMismatch {
                index: 3,
                slot: Slot::new(3),
            },
            check(|share, _| share.slot = Slot::new(3)),
        ),
        (
            S::SlotOutOfRange {
                slot: Slot::new(7),
                slots: 7,
            },
            check(|share, _| share.slot = Slot::new(7)),
        ),
        (
            S::WrongHeight {
                got: Height::new(41),
                want: Height::new(42),
            },
            check(|share, _| share.height = Height::new(41)),
        ),
        (
            S::WrongFragmentLength { got: 105, want: 106 },
            check(|share, _| share.fragment.truncate(105)),
        ),
        (
            S::WrongPath(slot),
            check(|share, _| {
                share.path.pop();
            }),
        ),
        (S::WrongPath(slot), check(|share, _| share.path.push(Hash::ZERO))),
        (
            S::WrongPath(slot),
            check(|_, header| header.share_root = Hash::ZERO),
        ),
    ];
    for (want, got) in cases {
        assert_eq!(got.unwrap_err(), want);
    }
}

#[test]
fn a_share_of_another_slot_under_its_own_index_does_not_pass_for_this_one() {
    let (block, header) = sealed(&noise(300, 1), 3, 7);
    let mut moved = share(&block, 2);
    moved.slot = Slot::new(4);
    moved.key_share[0] = 5;
    assert_eq!(
        CheckedShare::check(moved, &header),
        Err(S::WrongPath(Slot::new(4)))
    );
}

#[test]
fn opening_is_refused_with_too_few_repeated_or_foreign_shares() {
    let (block, header) = sealed(b"body", 3, 7);
    let try_open = |slots: &[u16]| open(&header, &chain(), &checked(&block, &header, slots));
    assert_eq!(
        try_open(&[]).unwrap_err(),
        OpenError::TooFewShares { have: 0, need: 3 }
    );
    assert_eq!(
        try_open(&[6, 0]).unwrap_err(),
        OpenError::TooFewShares { have: 2, need: 3 }
    );
    assert_eq!(
        try_open(&[1, 5, 1]).unwrap_err(),
        OpenError::DuplicateSlot(Slot::new(1))
    );
    assert_eq!(
        try_open(&[1, 5, 2, 5]).unwrap_err(),
        OpenError::DuplicateSlot(Slot::new(5))
    );

    let (other, other_header) = sealed(b"body", 3, 7);
    let mut mixed = checked(&block, &header, &[0, 1]);
    mixed.extend(checked(&other, &other_header, &[2]));
    assert_eq!(
        open(&header, &chain(), &mixed).unwrap_err(),
        OpenError::ForeignShare(Slot::new(2))
    );
}

#[test]
fn opening_under_a_header_that_was_never_checked_is_told_apart() {
    let (block, header) = sealed(b"body", 2, 3);
    let shares = checked(&block, &header, &[0, 2]);
    let height = header.height;
    let with = |change: &dyn Fn(&mut Header)| {
        let mut header = header.clone();
        change(&mut header);
        open(&header, &chain(), &shares).unwrap_err()
    };
    assert_eq!(
        with(&|header| header.round = Round::ZERO),
        OpenError::NotAuthentic(height)
    );
    assert_eq!(
        with(&|header| header.body_commitment = Hash::ZERO),
        OpenError::Commitment(height)
    );
    assert_eq!(
        with(&|header| header.sealing.body_length = 5),
        OpenError::Payload(height)
    );
    assert_eq!(
        with(&|header| header.sealing.suite = 9),
        OpenError::Sealing(SealingError::UnknownSuite(9))
    );
    assert_eq!(
        open(&header, &ChainId::new(Hash::ZERO), &shares).unwrap_err(),
        OpenError::NotAuthentic(height)
    );
    let opened = open(&header, &chain(), &shares).unwrap();
    assert_eq!(
        opened.rederive(Slot::new(3)).unwrap_err(),
        OpenError::SlotOutOfRange {
            slot: Slot::new(3),
            slots: 3
        }
    );
}

/// A dealing whose parts were changed at will, under the header of the honest one.
fn deal(change: impl FnOnce(&mut Vec<u8>, &mut Header)) -> Result<CheckedDealing, DealingError> {
    let (block, mut header) = sealed(&noise(300, 1), 3, 7);
    let mut bytes = block.dealing().encode().to_vec();
    change(&mut bytes, &mut header);
    Dealing::decode(bytes)?.check(&header, &chain())
}

#[test]
fn a_dealing_is_refused_for_each_thing_that_can_be_wrong_with_it() {
    const SHARES: usize = 34;
    const PAYLOAD: usize = SHARES + 7 * 32;
    assert!(deal(|_, _| ()).is_ok());
    let cases: [(D, Result<CheckedDealing, D>); 15] = [
        (D::Malformed, deal(|bytes, _| bytes.truncate(20))),
        (D::Malformed, deal(|bytes, _| bytes.truncate(PAYLOAD))),
        (D::Malformed, deal(|bytes, _| bytes[32..34].fill(0))),
        (
            D::Malformed,
            deal(|bytes, _| bytes[32..34].copy_from_slice(&129u16.to_be_bytes())),
        ),
        (
            D::TooLong {
                length: Dealing::LENGTH_MAX + 1,
            },
            deal(|bytes, _| bytes.resize(Dealing::LENGTH_MAX + 1, 0)),
        ),
        (
            D::SlotCount { dealt: 7, slots: 8 },
            deal(|_, header| header.sealing.slots = 8),
        ),
        (
            D::SealedLength {
                payload: 300,
                sealed: 317,
            },
            deal(|bytes, _| {
                bytes.pop();
            }),
        ),
        (D::KeyShares, deal(|bytes, _| bytes[0] ^= 1)),
        (D::KeyShares, deal(|bytes, _| bytes[SHARES + 6 * 32] ^= 1)),
        (D::Payload, deal(|bytes, _| bytes[PAYLOAD] = 1)),
        (D::Payload, deal(|bytes, _| bytes[PAYLOAD] = 2)),
        (D::Payload, deal(|_, header| header.sealing.body_length = 301)),
        (D::Commitment, deal(|bytes, _| bytes[PAYLOAD + 1] ^= 1)),
        (
            D::Commitment,
            deal(|_, header| header.proposer = MemberId::new(0)),
        ),
        (D::ShareRoot, deal(|_, header| header.share_root = Hash::ZERO)),
    ];
    for (want, got) in cases {
        assert_eq!(got.unwrap_err(), want);
    }
}

/// Every share is consistent with the root, and the first window gives the key; but other readers would get another.
#[test]
fn a_dealing_with_key_shares_off_the_polynomial_is_refused_even_if_the_root_covers_them() {
    let (honest, _) = sealed(&noise(300, 1), 3, 7);
    for slot in 0..7usize {
        let key = DataKey::new([9; 32]);
        let mut bytes = honest.dealing().encode().to_vec();
        bytes[34 + slot * 32] ^= 0x80;
        let dealing = Dealing::decode(bytes).unwrap();
        let layout = Layout::of(honest.sealing()).unwrap();
        let key_shares = crate::secret::SecretBytes::new(dealing.encode()[34..34 + 7 * 32].to_vec());
        let set =
            share_set::ShareSet::build(dealing.payload(), &binding(), layout, &key, key_shares).unwrap();
        let lying = Header {
            share_root: set.root(),
            ..header(&honest, &binding())
        };
        assert_eq!(dealing.check(&lying, &chain()).unwrap_err(), D::KeyShares);
    }
}

#[test]
fn a_frame_that_unpacks_to_more_than_the_header_says_is_refused_without_the_memory() {
    let bomb = zstd::bulk::compress(&vec![0; 8 << 20], 1).unwrap();
    let (block, mut header) = sealed(&[7; 2000], 2, 3);
    let mut bytes = block.dealing().encode()[..34 + 3 * 32].to_vec();
    bytes.push(1);
    bytes.extend_from_slice(&bomb);
    header.sealing.sealed_length = u32::try_from(bomb.len()).unwrap() + 17;
    assert_eq!(
        Dealing::decode(bytes)
            .unwrap()
            .check(&header, &chain())
            .unwrap_err(),
        D::Payload
    );
}

#[test]
fn sealings_that_no_block_can_have_are_refused() {
    let sealing = |threshold, slots, body_length, sealed_length| Sealing {
        suite: SUITE_SSMS,
        threshold,
        slots,
        body_length,
        sealed_length,
    };
    let parameters = |threshold, slots| SealingError::Parameters(ParametersError { threshold, slots });
    let longest = u32::try_from(Body::LENGTH_MAX).unwrap();
    let cases = [
        (sealing(0, 4, 10, 27), parameters(0, 4)),
        (sealing(5, 4, 10, 27), parameters(5, 4)),
        (sealing(5, 129, 10, 27), parameters(5, 129)),
        (
            sealing(2, 4, 10, 28),
            SealingError::SealedLength { sealed: 28, body: 10 },
        ),
        (
            sealing(2, 4, 10, 16),
            SealingError::SealedLength { sealed: 16, body: 10 },
        ),
        (
            sealing(2, 4, longest + 1, 100),
            SealingError::BodyTooLong {
                length: Body::LENGTH_MAX + 1,
                max: Body::LENGTH_MAX,
            },
        ),
        (
            sealing(1, 128, longest, longest),
            SealingError::CodewordTooLong {
                slots: 128,
                fragment: Body::LENGTH_MAX,
            },
        ),
    ];
    for (sealing, want) in cases {
        assert_eq!(Layout::of(sealing), Err(want));
    }
    assert!(Parameters::new(0, 0).is_err());
    let too_long = seal(
        &vec![0; Body::LENGTH_MAX + 1],
        &binding(),
        Parameters::new(1, 1).unwrap(),
        DataKey::new([1; 32]),
    );
    assert!(matches!(
        too_long,
        Err(SealError::Sealing(SealingError::BodyTooLong { .. }))
    ));
}
