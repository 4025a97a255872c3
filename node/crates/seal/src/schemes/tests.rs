//! Each scheme keeps what it states, and no more: leaks are shown as well as secrecy.

mod secrecy;

use super::*;
use crate::tests::noise;
use proptest::prelude::*;

fn parameters(k: u16, slots: u16) -> Parameters {
    Parameters::new(k, slots).unwrap()
}

fn deal(scheme: &dyn Scheme, body: &[u8], parameters: Parameters, key: u8) -> Dealt {
    scheme.deal(body, parameters, DataKey::new([key; 32])).unwrap()
}

fn given<'a>(dealt: &'a Dealt, slots: &[u16]) -> Vec<(Slot, &'a [u8])> {
    slots
        .iter()
        .map(|slot| dealt.share(Slot::new(*slot)).unwrap())
        .collect()
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 1..=1),
        prop::collection::vec(any::<u8>(), 2..200),
        (any::<u8>(), 0usize..2_000).prop_map(|(byte, length)| vec![byte; length]),
        // Spans several blocks of the code.
        (any::<u64>(), 0usize..20_000).prop_map(|(seed, length)| noise(length, seed)),
    ]
}

/// k, n, and all slots in any order.
fn network() -> impl Strategy<Value = (u16, u16, Vec<u16>)> {
    (1u16..=64)
        .prop_flat_map(|n| (1..=n, Just(n)))
        .prop_flat_map(|(k, n)| {
            let order = Just((0..n).collect::<Vec<_>>()).prop_shuffle();
            (Just(k), Just(n), order)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_k_shares_open_and_one_less_does_not(body in body(), (k, n, order) in network()) {
        let parameters = parameters(k, n);
        for scheme in SCHEMES {
            let dealt = deal(scheme, &body, parameters, 7);
            let need = scheme.needed(parameters);
            let chosen = given(&dealt, &order[..usize::from(need)]);
            prop_assert_eq!(scheme.open(&dealt.announcement, &chosen), Ok(body.clone()), "{}", scheme.name());
            let refused = scheme.open(&dealt.announcement, &chosen[1..]).unwrap_err();
            let too_few = match refused {
                SchemeError::TooFewShares { have, need: told } => have + 1 == usize::from(need) && told == need,
                SchemeError::Open(OpenError::TooFewShares { have, need: told }) => have + 1 == told,
                _ => false,
            };
            prop_assert!(too_few, "{}: {refused:?}", scheme.name());
        }
    }

    #[test]
    fn shares_are_as_long_as_is_said(seed in any::<u64>(), length in 0usize..3_000, (k, n, _) in network()) {
        let (body, parameters) = (noise(length, seed), parameters(k, n));
        for scheme in SCHEMES {
            let dealt = deal(scheme, &body, parameters, 7);
            prop_assert_eq!(dealt.shares.len(), usize::from(n));
            for (slot, share) in (0..).zip(&dealt.shares) {
                let said = scheme.share_length(length, parameters, Slot::new(slot));
                prop_assert_eq!(share.len(), said, "{} slot {}", scheme.name(), slot);
            }
            let longest = dealt.shares.iter().map(Vec::len).max().unwrap();
            prop_assert_eq!(scheme.bytes_per_node(length, parameters), longest);
        }
    }

    #[test]
    fn bytes_that_are_no_shares_are_refused_or_open_to_another_body(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        body in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let parameters = parameters(2, 4);
        for scheme in SCHEMES {
            let dealt = deal(scheme, &body, parameters, 7);
            let mut shares = given(&dealt, &[0, 2]);
            if shares[1].1 != bytes {
                shares[1].1 = &bytes;
                if let Ok(opened) = scheme.open(&dealt.announcement, &shares) {
                    prop_assert_eq!(opened.len(), body.len());
                    prop_assert!(scheme.name() != "ssms");
                }
            }
        }
    }
}

#[test]
fn names_are_distinct_and_secrecy_is_as_the_table_says() {
    let shown = SCHEMES.map(|scheme| (scheme.name(), scheme.secrecy().name()));
    assert_eq!(
        shown,
        [
            ("full-replication", "none"),
            ("shamir-bytes", "perfect"),
            ("multisecret", "not guaranteed"),
            ("rs-only", "not guaranteed"),
            ("ssms", "computational"),
        ]
    );
}

#[test]
fn a_mebibyte_over_ten_nodes_costs_this() {
    let parameters = parameters(4, 10);
    let costs = SCHEMES.map(|scheme| scheme.bytes_per_node(1 << 20, parameters));
    let kth = (1 << 20) / 4;
    // The ciphertext is longer by a flag and a tag: 5 bytes a share. Around it: height, slot, key share, a path of 4
    // with its length, and the fragment's length of 5 bytes.
    let ssms = (kth + 5) + 1 + 1 + 33 + (1 + 4 * 32) + 5;
    assert_eq!(costs, [1 << 20, (1 << 20) / 32 * 33, kth, kth, ssms]);
}

#[test]
fn repeated_missing_and_foreign_shares_are_refused() {
    for scheme in SCHEMES {
        let dealt = deal(scheme, b"a body", parameters(2, 4), 7);
        let [one, other] = given(&dealt, &[1, 3])[..] else {
            unreachable!()
        };
        let open = |shares: &[_]| scheme.open(&dealt.announcement, shares).unwrap_err();
        let duplicate = open(&[one, other, one]);
        assert!(
            matches!(
                duplicate,
                SchemeError::DuplicateSlot(_) | SchemeError::Open(OpenError::DuplicateSlot(_))
            ),
            "{}: {duplicate:?}",
            scheme.name()
        );
        let far = open(&[(Slot::new(4), one.1), other]);
        assert!(
            matches!(far, SchemeError::SlotOutOfRange(_) | SchemeError::NotAShare(_)),
            "{}: {far:?}",
            scheme.name()
        );
        let short = open(&[(one.0, &one.1[1..]), other]);
        assert_eq!(short, SchemeError::NotAShare(one.0), "{}", scheme.name());
    }
}

#[test]
fn a_share_under_another_slot_is_refused_where_the_share_tells() {
    for scheme in [&ShamirBytes as &dyn Scheme, &Ssms] {
        let dealt = deal(scheme, b"a body", parameters(2, 4), 7);
        let shares = given(&dealt, &[1, 3]);
        let moved = [(Slot::new(0), shares[0].1), shares[1]];
        assert_eq!(
            scheme.open(&dealt.announcement, &moved).unwrap_err(),
            SchemeError::NotAShare(Slot::new(0))
        );
    }
}

#[test]
fn an_announcement_of_another_scheme_is_refused() {
    for scheme in SCHEMES {
        let other: &dyn Scheme = if scheme.name() == "ssms" { &RsOnly } else { &Ssms };
        let dealt = deal(other, b"a body", parameters(2, 4), 7);
        let refused = scheme.open(&dealt.announcement, &given(&dealt, &[0, 1]));
        assert_eq!(refused, Err(SchemeError::OtherScheme), "{}", scheme.name());
    }
}

#[test]
fn a_body_that_no_block_has_is_refused() {
    let body = vec![0; Body::LENGTH_MAX + 1];
    for scheme in SCHEMES {
        let refused = scheme.deal(&body, parameters(2, 4), DataKey::new([7; 32]));
        assert!(
            matches!(
                refused,
                Err(SchemeError::BodyTooLong { .. } | SchemeError::Seal(SealError::Sealing(_)))
            ),
            "{}",
            scheme.name()
        );
    }
}
