//! A block is dealt a second time: same body, nothing else in common.

use super::*;
use data_encoding::HEXLOWER;
use salus_types::{ShareCommitment, codec};

const DEALT_AT: Height = Height::new(99);

/// The first dealing opened from its first k shares.
fn opened(block: &SealedBlock, header: &Header) -> OpenedBlock {
    let slots: Vec<u16> = (0..header.sealing.threshold).collect();
    open(header, &chain(), &checked(block, header, &slots)).unwrap()
}

fn reseal(opened: &OpenedBlock, k: u16, slots: u16) -> SealedBlock {
    let by = (DEALT_AT, Round::new(1), MemberId::new(2));
    let parameters = Parameters::new(k, slots).unwrap();
    opened.reseal(by, parameters, DataKey::new([8; 32])).unwrap()
}

/// A redealing as it arrives at a validator.
fn sent_anew(opened: &OpenedBlock, sealed: SealedBlock) -> Redealing {
    Redealing::decode(opened.redealing(sealed).encode()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_second_dealing_has_the_same_body_and_a_validator_computes_its_shares(
        body in body(),
        (k, slots, _) in scheme(),
        (new_k, new_slots, chosen) in scheme(),
    ) {
        let (block, header) = sealed(&body, k, slots);
        let opened = opened(&block, &header);
        let second = reseal(&opened, new_k, new_slots);
        let commitment = *second.commitment();
        prop_assert!(commitment.is_reseal());
        prop_assert_eq!((commitment.height, commitment.dealt_at), (header.height, DEALT_AT));
        let shares: Vec<SealedShare> = (0..new_slots).map(|slot| share(&second, slot)).collect();

        let judged = sent_anew(&opened, second).check(&(&header).into(), &commitment, &chain()).unwrap();
        prop_assert_eq!(judged.body(), &body[..]);
        for (slot, dealt) in (0..).zip(&shares) {
            prop_assert_eq!(&judged.share(Slot::new(slot)).unwrap(), dealt);
        }
        let some: Vec<CheckedShare> = chosen
            .iter()
            .map(|slot| CheckedShare::check(shares[usize::from(*slot)].clone(), commitment).unwrap())
            .collect();
        let again = open(commitment, &chain(), &some).unwrap();
        prop_assert_eq!(again.body(), &body[..]);
        prop_assert_eq!(again.commitment(), &commitment);
        prop_assert_eq!(&again.rederive(Slot::new(0)).unwrap(), &shares[0]);
    }

    #[test]
    fn a_redealing_with_any_changed_bit_is_refused(bit in any::<prop::sample::Index>()) {
        let (block, header) = sealed(&noise(300, 1), 3, 7);
        let opened = opened(&block, &header);
        let second = reseal(&opened, 2, 4);
        let commitment = *second.commitment();
        let mut bytes = opened.redealing(second).encode();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let judged = Redealing::decode(bytes)
            .and_then(|redealing| redealing.check(&(&header).into(), &commitment, &chain()));
        prop_assert!(judged.is_err());
    }

    #[test]
    fn decoding_a_redealing_never_fails_in_another_way(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(redealing) = Redealing::decode(bytes.clone()) {
            prop_assert_eq!(redealing.encode(), bytes);
        }
    }
}

/// What a thief has who took k - 1 shares before and k - 1 after.
#[test]
fn shares_of_two_dealings_open_nothing_together() {
    let (block, header) = sealed(&noise(900, 7), 3, 7);
    let second = reseal(&opened(&block, &header), 3, 7);
    let (former, commitment) = (ShareCommitment::from(&header), *second.commitment());
    assert_ne!(former.share_root, commitment.share_root);
    assert_ne!(former.body_commitment, commitment.body_commitment);
    for slot in 0..7 {
        let (before, after) = (share(&block, slot), share(&second, slot));
        assert_ne!(before.key_share, after.key_share);
        assert_ne!(before.fragment, after.fragment);
        assert_eq!(
            CheckedShare::check(before, commitment).unwrap_err(),
            ShareError::WrongPath(Slot::new(slot))
        );
        assert_eq!(
            CheckedShare::check(after, &header).unwrap_err(),
            ShareError::WrongPath(Slot::new(slot))
        );
    }
    let old = checked(&block, &header, &[0, 1]);
    let new: Vec<CheckedShare> = [2, 3]
        .map(|slot| CheckedShare::check(share(&second, slot), commitment).unwrap())
        .into();
    let mixed = [old.clone(), new.clone()].concat();
    for dealing in [former, commitment] {
        assert!(matches!(
            open(dealing, &chain(), &mixed),
            Err(OpenError::ForeignShare(_))
        ));
    }
    // Nor does the mathematics behind the checks: the key of a mixture is neither of the two.
    let key_shares: Vec<_> = old
        .iter()
        .chain(&new[..1])
        .map(|share| *share.key_share())
        .collect();
    let key = key_shares::evaluate(&key_shares, 0).unwrap();
    assert!(*key != [9; 32] && *key != [8; 32]);
}

#[test]
fn a_redealing_of_another_body_block_or_time_is_refused() {
    let (block, header) = sealed(b"a body", 2, 3);
    let (other_block, other_header) = sealed(b"a lie!", 2, 3);
    let (honest, other) = (opened(&block, &header), opened(&other_block, &other_header));
    let former = ShareCommitment::from(&header);

    // The key of the honest dealing, beside a dealing of another body.
    let second = reseal(&other, 2, 3);
    let commitment = *second.commitment();
    let refused = sent_anew(&honest, second).check(&former, &commitment, &chain());
    assert_eq!(refused.unwrap_err(), RedealingError::OtherBody);

    // A redealing that is sound, but for a former dealing that another one has replaced since.
    let second = reseal(&honest, 2, 3);
    let commitment = *second.commitment();
    let later = ShareCommitment {
        dealt_at: DEALT_AT,
        ..former
    };
    let refused = sent_anew(&honest, second).check(&later, &commitment, &chain());
    assert!(matches!(refused, Err(RedealingError::NotLater { .. })));

    // Of another height.
    let second = reseal(&honest, 2, 3);
    let commitment = ShareCommitment {
        height: Height::new(41),
        ..*second.commitment()
    };
    let refused = sent_anew(&honest, second).check(&former, &commitment, &chain());
    assert!(matches!(refused, Err(RedealingError::NotLater { .. })));

    // Of another time than it was made for.
    let second = reseal(&honest, 2, 3);
    let commitment = ShareCommitment {
        dealt_at: Height::new(100),
        ..*second.commitment()
    };
    let refused = sent_anew(&honest, second).check(&former, &commitment, &chain());
    assert_eq!(
        refused.unwrap_err(),
        RedealingError::Dealing(DealingError::Commitment)
    );

    assert_eq!(
        Redealing::decode(vec![0; 31]).unwrap_err(),
        RedealingError::Malformed
    );
}

/// A dealing of `golden::RAW_DEALING`'s body made later; its Shamir coefficients were drawn once.
const GOLDEN_REDEALING: &str = "0808080808080808080808080808080808080808080808080808080808080808\
    0003\
    aad2ba1f82d891dfa4bff1d9f9d0b4f924173a96a431de98aeb8d6e8fd03dba7\
    57a7772607b321bd4b7de1b1f1a36bf150366c2f4b7abf335f73afd3f91eb54d\
    f57dc5318d63b86ae7ca1860007bd7007c295eb1e74369a3f9c371330c1566e2\
    00\
    6120626f6479\
    0909090909090909090909090909090909090909090909090909090909090909";
/// Height, the dealing block's height, round and proposer, sealing, body commitment, share root.
const GOLDEN_COMMITMENT: &str = "2a6301020102030617\
    07c347b429c0ec708f0590da7f8487219c230270db0bd461c589f1e9d5b79016\
    79aebc07f0d3cb16b6d8ea26b45f4fe9d7a2115a5727c082a90136835e8a3d3e";
const GOLDEN_SHARE: &str = "2a010257a7772607b321bd4b7de1b1f1a36bf150366c2f4b7abf335f73afd3f91eb54d\
    029349a99235873cbecb66a6911cf1008bd8c1d6cc23b4fe8e6150fa95baeef1dd\
    be61b31f377890bcbffdb0a7b17e6a5c2bb3678c3ae0c8c668d74a422ddc08b7\
    0ca15c864b133fc09caf65cd00";

#[test]
fn a_redealing_gives_these_shares() {
    let (_, header) = sealed(b"a body", 2, 3);
    let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
    let commitment: ShareCommitment = codec::decode(&hex(GOLDEN_COMMITMENT), 200).unwrap();
    let redealing = Redealing::decode(hex(GOLDEN_REDEALING)).unwrap();
    assert_eq!(HEXLOWER.encode(&redealing.encode()), GOLDEN_REDEALING);
    let judged = redealing.check(&(&header).into(), &commitment, &chain()).unwrap();
    assert_eq!(judged.body(), b"a body");
    let share = judged.share(Slot::new(1)).unwrap();
    assert_eq!(HEXLOWER.encode(&codec::encode(&share)), GOLDEN_SHARE);
}
