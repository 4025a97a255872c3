//! What sealing promises. Bad input is in `refusals`, fixed bytes are in `golden`, a second dealing is in `resealing`.

mod answers;
mod golden;
mod keyless;
mod refusals;
mod resealing;

use crate::*;
use proptest::prelude::*;
use salus_types::{
    BlockId, ChainId, Gas, Hash, Header, Height, MemberId, Round, SealedShare, Slot, Timestamp,
};

pub(super) fn chain() -> ChainId {
    ChainId::new(Hash::of_content(b"a chain"))
}

pub(super) fn binding() -> Binding {
    Binding {
        chain: chain(),
        height: Height::new(42),
        dealt_at: Height::new(42),
        round: Round::new(3),
        proposer: MemberId::new(5),
    }
}

pub(super) fn header(sealed: &SealedBlock, binding: &Binding) -> Header {
    Header {
        height: binding.height,
        round: binding.round,
        time: Timestamp::new(1),
        proposer: binding.proposer,
        parent: BlockId::new(Hash::ZERO),
        validators: Hash::ZERO,
        next_validators: Hash::ZERO,
        sealing: sealed.sealing(),
        body_commitment: sealed.body_commitment(),
        share_root: sealed.share_root(),
        receipts_root: Hash::ZERO,
        state_root: Hash::ZERO,
        gas_used: Gas::ZERO,
    }
}

/// Bytes that do not compress.
pub(super) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_derive_key("noise")
        .update(&seed.to_be_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

pub(super) fn sealed(body: &[u8], k: u16, slots: u16) -> (SealedBlock, Header) {
    let parameters = Parameters::new(k, slots).unwrap();
    let block = seal(body, &binding(), parameters, DataKey::new([9; 32])).unwrap();
    let header = header(&block, &binding());
    (block, header)
}

pub(super) fn share(block: &SealedBlock, slot: u16) -> SealedShare {
    block.share(Slot::new(slot)).unwrap()
}

pub(super) fn checked(block: &SealedBlock, header: &Header, slots: &[u16]) -> Vec<CheckedShare> {
    slots
        .iter()
        .map(|slot| CheckedShare::check(share(block, *slot), header).unwrap())
        .collect()
}

/// A copy of a dealing as it arrives at a validator.
pub(super) fn sent(block: &SealedBlock) -> Dealing {
    Dealing::decode(block.dealing().encode().to_vec()).unwrap()
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        // Compresses.
        (any::<u8>(), 0usize..40_000).prop_map(|(byte, length)| vec![byte; length]),
        // Does not, and spans several strips of the code.
        (any::<u64>(), 0usize..90_000).prop_map(|(seed, length)| noise(length, seed)),
    ]
}

/// k, S, and k distinct slots in any order.
fn scheme() -> impl Strategy<Value = (u16, u16, Vec<u16>)> {
    (1u16..=12, 0u16..=12)
        .prop_map(|(k, spare)| (k, k + spare))
        .prop_flat_map(|(k, slots)| {
            let order = Just((0..slots).collect::<Vec<_>>()).prop_shuffle();
            (Just(k), Just(slots), order)
        })
        .prop_map(|(k, slots, order)| (k, slots, order.into_iter().take(usize::from(k)).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_k_shares_open_to_the_body_and_rederive_every_share(body in body(), (k, slots, chosen) in scheme()) {
        let (block, header) = sealed(&body, k, slots);
        let opened = open(&header, &chain(), &checked(&block, &header, &chosen)).unwrap();
        prop_assert_eq!(opened.body(), &body[..]);
        prop_assert_eq!(opened.height(), header.height);
        for slot in [0, slots / 2, slots - 1] {
            prop_assert_eq!(opened.rederive(Slot::new(slot)).unwrap(), share(&block, slot));
        }
    }

    #[test]
    fn a_validator_computes_the_proposers_shares(body in body(), (k, slots, _) in scheme()) {
        let (block, header) = sealed(&body, k, slots);
        let dealing = sent(&block).check(&header, &chain()).unwrap();
        prop_assert_eq!(dealing.body(), &body[..]);
        prop_assert_eq!(block.dealing().encode(), dealing.dealing().encode());
        for slot in 0..slots {
            prop_assert_eq!(dealing.share(Slot::new(slot)).unwrap(), share(&block, slot));
        }
        prop_assert_eq!(dealing.share(Slot::new(slots)), None);
        let own = block.into_checked();
        prop_assert_eq!(own.body(), &body[..]);
    }

    #[test]
    fn a_share_with_any_changed_bit_is_refused(seed in any::<u64>(), bit in any::<prop::sample::Index>(), slot in 0u16..7) {
        let (block, header) = sealed(&noise(500, seed), 3, 7);
        let mut share = share(&block, slot);
        let (key, path) = (share.key_share.len(), share.path.len() * 32);
        let bit = bit.index((key + path + share.fragment.len()) * 8);
        let (byte, mask) = (bit / 8, 1 << (bit % 8));
        if byte < key {
            share.key_share[byte] ^= mask;
        } else if byte < key + path {
            let mut hash = *share.path[(byte - key) / 32].as_bytes();
            hash[(byte - key) % 32] ^= mask;
            share.path[(byte - key) / 32] = Hash::new(hash);
        } else {
            share.fragment[byte - key - path] ^= mask;
        }
        prop_assert!(CheckedShare::check(share, &header).is_err());
    }

    #[test]
    fn a_dealing_with_any_changed_bit_is_refused(compress in any::<bool>(), bit in any::<prop::sample::Index>()) {
        let body = if compress { vec![7; 900] } else { noise(300, 1) };
        let (block, header) = sealed(&body, 3, 7);
        let mut bytes = block.dealing().encode().to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Dealing::decode(bytes).and_then(|dealing| dealing.check(&header, &chain())).is_err());
    }

    #[test]
    fn decoding_a_dealing_never_fails_in_another_way(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(dealing) = Dealing::decode(bytes.clone()) {
            prop_assert_eq!(dealing.encode(), &bytes[..]);
        }
    }
}

#[test]
fn a_network_of_the_largest_size_seals_and_opens() {
    let body = noise(100_000, 2);
    let (block, header) = sealed(&body, 43, 128);
    sent(&block).check(&header, &chain()).unwrap();
    let last: Vec<u16> = (85..128).collect();
    let opened = open(&header, &chain(), &checked(&block, &header, &last)).unwrap();
    assert_eq!(opened.body(), body);
    assert_eq!(opened.rederive(Slot::new(0)).unwrap(), share(&block, 0));
}

#[test]
fn more_than_k_shares_open_too() {
    let (block, header) = sealed(b"enough", 2, 5);
    let opened = open(&header, &chain(), &checked(&block, &header, &[4, 1, 3, 0])).unwrap();
    assert_eq!(opened.body(), b"enough");
}

#[test]
fn each_share_is_a_kth_of_the_body() {
    let (block, _) = sealed(&noise(100_000, 3), 5, 16);
    assert_eq!(
        share(&block, 9).fragment.len(),
        (100_000usize + 1 + 16).div_ceil(5)
    );
}

#[test]
fn compressible_bodies_make_small_shares_and_noise_does_not_grow() {
    let (block, header) = sealed(&[b"the same again ".as_slice(); 5000].concat(), 2, 4);
    assert!(header.sealing.sealed_length < header.sealing.body_length / 20);
    assert!(share(&block, 0).fragment.len() < 2000);
    let (_, header) = sealed(&noise(50_000, 4), 2, 4);
    assert_eq!(header.sealing.sealed_length, header.sealing.body_length + 17);
}

/// The canary: neither the body, nor the data key, nor k - 1 shares together show a trace of the plaintext.
#[test]
fn fewer_than_k_shares_show_nothing_of_the_body() {
    let canary = b"CANARY-0123456789-CANARY";
    let mut body = noise(4000, 5);
    body[2000..2024].copy_from_slice(canary);
    for body in [body, canary.repeat(40)] {
        let (block, header) = sealed(&body, 3, 6);
        for slot in 0..6 {
            let share = share(&block, slot);
            let stored = salus_types::codec::encode(&share);
            for trace in [&canary[..8], &canary[10..18], &[9; 8]] {
                assert!(!stored.windows(8).any(|window| window == trace));
            }
            assert!(!format!("{share:?}").contains("CANARY"));
        }
        let two = checked(&block, &header, &[2, 4]);
        assert_eq!(
            open(&header, &chain(), &two).unwrap_err(),
            OpenError::TooFewShares { have: 2, need: 3 }
        );
        // Two shares are consistent with every key: some third share makes any key at all.
        let mut keys = std::collections::BTreeSet::new();
        for guess in 0..=255u8 {
            let mut third = [guess; 33];
            third[0] = 6;
            let shares = [*two[0].key_share(), *two[1].key_share(), third];
            keys.insert(key_shares::evaluate(&shares, 0).unwrap()[0]);
        }
        assert_eq!(keys.len(), 256);
    }
}

#[test]
fn secrets_do_not_show_in_debug() {
    let (block, header) = sealed(&[9; 40], 1, 2);
    let opened = open(&header, &chain(), &checked(&block, &header, &[0])).unwrap();
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {opened:?}",
        DataKey::new([9; 32]),
        block,
        block.dealing(),
        share(&block, 1),
        checked(&block, &header, &[1]),
    );
    assert!(!shown.contains("9, 9") && !shown.contains("0909"), "{shown}");
}

#[test]
fn sealing_twice_deals_different_key_shares() {
    let (one, _) = sealed(b"body", 2, 3);
    let (other, _) = sealed(b"body", 2, 3);
    assert_ne!(share(&one, 0).key_share, share(&other, 0).key_share);
    assert_eq!(share(&one, 0).fragment, share(&other, 0).fragment);
}

#[test]
fn what_is_sealed_is_bound_to_chain_height_round_and_proposer() {
    let bindings = [
        Binding {
            chain: ChainId::new(Hash::ZERO),
            ..binding()
        },
        Binding {
            height: Height::new(43),
            dealt_at: Height::new(43),
            ..binding()
        },
        Binding {
            dealt_at: Height::new(43),
            ..binding()
        },
        Binding {
            round: Round::new(4),
            ..binding()
        },
        Binding {
            proposer: MemberId::new(6),
            ..binding()
        },
    ];
    let (block, _) = sealed(b"body", 1, 1);
    for other in bindings {
        let parameters = Parameters::new(1, 1).unwrap();
        let elsewhere = seal(b"body", &other, parameters, DataKey::new([9; 32])).unwrap();
        assert_ne!(share(&elsewhere, 0).fragment, share(&block, 0).fragment);
        assert_ne!(elsewhere.body_commitment(), block.body_commitment());
    }
}

#[test]
fn this_processor_can_seal() {
    check_cpu().unwrap();
}
