use super::world::{Manner, World};
use super::*;
use proptest::prelude::*;
use salus_types::{BlockId, CertificateError, CommitCertificate, Hash};

type Change = dyn Fn(&mut CommitCertificate);

fn up_to(last: u64) -> Vec<Height> {
    (1..=last).map(height).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_node_far_behind_applies_every_block_in_order_whatever_f_peers_do(
        seed in any::<u64>(),
        n in 4u16..=7,
        faulty in prop::collection::vec((1u16..7, 0usize..8), 0..2),
        loss in prop_oneof![Just(0u64), Just(10)],
        length in 1u64..150,
    ) {
        let mut world = World::new(seed, n, length);
        for (who, kind) in faulty.into_iter().take(usize::from((n - 1) / 3)) {
            world.set_manner(1 + who % (n - 1), Manner::FAULTY[kind]);
        }
        for number in 1..n {
            world.peer(number).loss = loss;
        }
        world.announce();
        world.run(ms(600_000));
        prop_assert_eq!(&world.applied, &up_to(length));
        prop_assert_eq!(world.certified.last(), Some(&height(length)));
        prop_assert_eq!(world.archive.tip().height, height(length));
        prop_assert!(world.diverged.is_empty());
    }
}

/// Headers that the test's archive asks for at once.
pub(super) const BATCH_MAX: u16 = 64;

#[test]
fn batches_are_bounded_and_each_ends_with_its_certificate() {
    let mut world = World::new(1, 4, 150);
    world.announce();
    world.run(ms(60_000));
    assert_eq!(world.applied, up_to(150));
    assert_eq!(world.certified, [height(64), height(128), height(150)]);
    let asked: Vec<(u64, u16)> = world
        .header_asks
        .iter()
        .map(|(_, from, max)| (from.get(), *max))
        .collect();
    assert_eq!(asked, [(1, BATCH_MAX), (65, BATCH_MAX), (129, BATCH_MAX)]);
    assert!(world.asks.iter().all(|(.., purpose)| *purpose == Purpose::Sync));
    // Nothing is left to do.
    assert_eq!(world.archive.next_wake(), None);
}

#[test]
fn a_batch_ends_before_the_validators_change() {
    let mut world = World::with_sets(2, 5, 40, &[(21, 4)]);
    world.announce();
    world.run(ms(60_000));
    assert_eq!(world.applied, up_to(40));
    assert!(world.blamed.is_empty());
    let asked: Vec<(u64, u16)> = world
        .header_asks
        .iter()
        .map(|(_, from, max)| (from.get(), *max))
        .collect();
    assert_eq!(asked, [(1, 64), (1, 20), (21, 64)]);
}

#[test]
fn a_newcomer_follows_members_that_come_and_go_from_the_first_block_on() {
    let sets = [(1, 4), (10, 5), (11, 6), (30, 7), (70, 4)];
    let mut world = World::with_sets(7, 7, 100, &sets);
    world.announce();
    world.run(ms(120_000));
    assert_eq!(world.applied, up_to(100));
    assert!(world.blamed.is_empty() && world.diverged.is_empty());
    for (from, _) in &sets[1..] {
        assert!(
            world.certified.contains(&height(from - 1)),
            "the last one before {from}"
        );
    }
}

#[test]
fn every_kind_of_wrong_headers_is_named_once_and_the_next_peer_is_asked() {
    let kinds = [
        (Manner::Lying, HeadersError::BrokenLink(height(2))),
        (
            Manner::OffByOne,
            HeadersError::WrongHeight {
                got: height(2),
                want: height(1),
            },
        ),
        (Manner::Impostor, HeadersError::OtherCertificate),
        (Manner::Empty, HeadersError::Empty),
    ];
    for (manner, error) in kinds {
        let mut world = World::new(3, 4, 10);
        world.peer(3).delay = ms(1);
        world.set_manner(3, manner);
        // Only it is known to be ahead at first.
        world.input(Input::Tip {
            member: member(3),
            height: height(10),
        });
        world.run(ms(100));
        assert_eq!(world.blamed, [(member(3), Fault::Headers(error))]);
        world.announce();
        world.run(ms(20_000));
        assert_eq!(world.applied, up_to(10));
        let asked_again = world.header_asks.iter().filter(|(who, ..)| *who == member(3));
        assert_eq!(asked_again.count(), 1);
    }
}

#[test]
fn certificates_that_prove_nothing_are_named() {
    let mut world = World::new(4, 4, 3);
    world.set_manner(1, Manner::Silent);
    let send = |world: &mut World, max_headers: usize, change: &Change| {
        let blocks = &world.blocks[..max_headers];
        let mut certificate = Box::new(blocks[max_headers - 1].certificate.clone());
        change(&mut certificate);
        let headers = blocks.iter().map(|block| block.header.clone()).collect();
        world.archive.reset(Tip {
            height: Height::ZERO,
            id: BlockId::new(Hash::ZERO),
        });
        world.now += ms(60_000);
        world.input(Input::Tip {
            member: member(1),
            height: height(3),
        });
        let request = world.archive.handle(world.now, Input::Wake);
        assert!(request.is_empty());
        (headers, certificate)
    };
    // The request is the last that was made: the world counts them.
    let cases: [(HeadersError, &Change); 2] = [
        (
            HeadersError::Certificate(CertificateError::BadSignature(member(0))),
            &|certificate| certificate.signatures[0].signature = certificate.signatures[1].signature,
        ),
        (
            HeadersError::Certificate(CertificateError::NoQuorum {
                signers: 2,
                quorum: 3,
            }),
            &|certificate| {
                certificate.signatures.pop();
            },
        ),
    ];
    for (request, (want, change)) in (1..).zip(cases) {
        let (headers, certificate) = send(&mut world, 3, change);
        let effects = world.archive.handle(
            world.now,
            Input::Headers {
                request: RequestId(request),
                member: member(1),
                headers,
                certificate,
            },
        );
        assert!(
            matches!(&effects[..], [Effect::Blame { fault: Fault::Headers(error), .. }] if *error == want),
            "{effects:?}"
        );
    }
}

#[test]
fn more_headers_than_asked_for_are_refused_unread() {
    let mut world = World::new(11, 4, 65);
    world.set_manner(1, Manner::Silent);
    world.input(Input::Tip {
        member: member(1),
        height: height(65),
    });
    let effects = world.archive.handle(
        world.now,
        Input::Headers {
            request: RequestId(1),
            member: member(1),
            headers: world.blocks.iter().map(|block| block.header.clone()).collect(),
            certificate: Box::new(world.blocks[64].certificate.clone()),
        },
    );
    let error = HeadersError::TooMany { got: 65, max: 64 };
    assert!(
        matches!(&effects[..], [Effect::Blame { fault: Fault::Headers(got), .. }] if *got == error),
        "{effects:?}"
    );
}

#[test]
fn a_peer_that_claims_a_height_it_does_not_have_costs_a_request_and_no_more() {
    let mut world = World::new(5, 4, 5);
    world.input(Input::Tip {
        member: member(2),
        height: Height::MAX,
    });
    world.announce();
    world.input(Input::Tip {
        member: member(2),
        height: Height::MAX,
    });
    world.run(ms(5000));
    assert_eq!(world.applied, up_to(5));
    assert!(world.header_asks.len() <= 5, "{:?}", world.header_asks);
}

#[test]
fn one_block_behind_waits_for_consensus_and_two_do_not() {
    let mut world = World::new(6, 4, 2);
    let tip = |height| Input::Tip {
        member: member(1),
        height,
    };
    world.input(tip(height(1)));
    world.run(ms(200));
    assert!(world.header_asks.is_empty());
    let id = world.block(height(1)).id;
    world.input(Input::Committed {
        height: height(1),
        id,
    });
    world.run(ms(1000));
    assert!(world.header_asks.is_empty());

    let mut world = World::new(6, 4, 2);
    world.input(tip(height(1)));
    world.run(ms(301));
    assert_eq!(world.header_asks.len(), 1);

    let mut world = World::new(6, 4, 2);
    world.input(tip(height(2)));
    assert_eq!(world.header_asks.len(), 1);
}

#[test]
fn live_consensus_overtakes_and_the_rest_is_caught_up() {
    let mut world = World::new(7, 4, 100);
    world.announce();
    world.run(ms(60));
    let done = world.applied.len();
    assert!(done < 30);
    let id = world.block(height(50)).id;
    world.input(Input::Committed {
        height: height(50),
        id,
    });
    world.run(ms(60_000));
    let after: Vec<Height> = world.applied[done..]
        .iter()
        .copied()
        .filter(|at| *at > height(50))
        .collect();
    assert_eq!(after, up_to(100)[50..]);
    assert!(world.diverged.is_empty());
}

#[test]
fn reset_begins_anew_from_the_given_tip() {
    let mut world = World::new(8, 4, 30);
    world.announce();
    world.run(ms(50));
    let tip = Tip {
        height: height(3),
        id: world.block(height(3)).id,
    };
    world.archive.reset(tip);
    world.applied.clear();
    // What was asked before and arrives now is of no use and no fault.
    world.run(ms(60_000));
    assert_eq!(world.applied, up_to(30)[3..]);
    assert!(world.blamed.is_empty());
}

#[test]
fn a_certified_chain_beside_the_own_tip_halts_and_blames_nobody() {
    let mut world = World::new(9, 4, 5);
    let own = BlockId::new(Hash::of_content(b"own"));
    world.archive.reset(Tip {
        height: height(2),
        id: own,
    });
    world.announce();
    world.run(ms(1000));
    let theirs = world.block(height(2)).id;
    let (at, reason) = world.diverged[0];
    assert_eq!((at, reason), (height(3), DivergenceReason::Fork { theirs, own }));
    assert!(world.applied.is_empty() && world.blamed.is_empty());

    let mut world = World::new(9, 4, 64);
    world.announce();
    world.run(ms(60));
    world.input(Input::Committed {
        height: height(60),
        id: own,
    });
    assert!(matches!(world.diverged[..], [(_, DivergenceReason::Fork { .. })]));
}

#[test]
fn blocks_wait_until_enough_holders_are_back() {
    let mut world = World::new(10, 4, 20);
    world.input(Input::Disconnected(member(2)));
    world.input(Input::Disconnected(member(3)));
    world.input(Input::Tip {
        member: member(1),
        height: height(20),
    });
    world.run(ms(10_000));
    assert!(world.applied.is_empty());
    world.input(Input::Connected(member(3)));
    world.run(ms(60_000));
    assert_eq!(world.applied, up_to(20));
}
