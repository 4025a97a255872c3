use super::world::{Manner, World};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn stored(world: &World) -> Vec<u64> {
    world.stored.iter().map(|(_, height)| height.get()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_lost_share_comes_back_despite_f_faults(
        seed in any::<u64>(),
        n in 4u16..=7,
        who in 1u16..7,
        kind in 0usize..8,
        loss in prop_oneof![Just(0u64), Just(10)],
        lost in prop::collection::btree_set(1u64..40, 1..20),
    ) {
        let mut world = World::new(seed, n, 40);
        world.set_manner(1 + who % (n - 1), Manner::FAULTY[kind]);
        for number in 1..n {
            world.peer(number).loss = loss;
        }
        for at in &lost {
            world.missing(*at..=*at);
        }
        world.run(ms(600_000));
        let back: BTreeSet<u64> = stored(&world).into_iter().collect();
        prop_assert_eq!(&back, &lost);
        prop_assert_eq!(world.stored.len(), lost.len());
        let repaired = lost.len() as u64;
        prop_assert_eq!(world.progress.repaired, repaired);
        prop_assert_eq!(world.progress.remaining, 0);
    }
}

#[test]
fn repair_goes_from_the_newest_down() {
    let mut world = World::new(1, 4, 60);
    for number in 1..4 {
        world.peer(number).delay = ms(5);
    }
    world.missing(1..=60);
    assert_eq!(world.progress.remaining, 60);
    world.run(ms(60_000));
    let order = stored(&world);
    assert_eq!(order.len(), 60);
    // Four run at once, so neighbours may change places.
    for (place, at) in order.iter().enumerate() {
        let expected = 60 - place as i64;
        assert!((expected - *at as i64).abs() <= 4, "{order:?}");
    }
    assert!(world.asks.iter().all(|(.., purpose)| *purpose == Purpose::Repair));
}

#[test]
fn what_cannot_be_repaired_waits_for_the_next_pass_and_delays_nobody() {
    let mut world = World::new(2, 4, 30);
    for number in 1..4 {
        world.peer(number).lacks = (20..=25).map(height).collect();
    }
    world.missing(1..=30);
    world.run(ms(20_000));
    assert_eq!(stored(&world).len(), 24);
    assert_eq!((world.progress.repaired, world.progress.remaining), (24, 6));
    // Saying it again changes neither the order nor the pause.
    let wake = world.archive.next_wake();
    world.input(Input::Missing(Vec::new()));
    world.missing(20..=25);
    assert_eq!(world.archive.next_wake(), wake);
    assert_eq!(world.progress.remaining, 6);

    let asks = world.asks.len();
    world.run(ms(3_600_000));
    let tries = (world.asks.len() - asks) / (6 * 3 * 3);
    assert!(
        (5..=20).contains(&tries),
        "the pause grows: {tries} passes in an hour"
    );
    for number in 1..4 {
        world.peer(number).lacks.clear();
    }
    world.run(ms(3_600_000));
    assert_eq!(world.progress.remaining, 0);
    assert_eq!(stored(&world).len(), 30);
}

#[test]
fn repair_keeps_its_pace() {
    let mut world = World::new(3, 4, 60);
    let bytes: u64 = world
        .blocks
        .iter()
        .map(|block| u64::from(block.header.sealing.sealed_length))
        .sum();
    let config = Config {
        repair_bytes_per_second: bytes / 10,
        ..Config::new(world.chain, super::world::ME, salus_types::Slot::new(0))
    };
    let set = salus_types::ValidatorSet::new(
        (0..)
            .zip(&world.keys)
            .map(|(number, key)| salus_types::Validator {
                member: member(number),
                key: key.public(),
                slot: salus_types::Slot::new(number),
            })
            .collect(),
    );
    let tip = world.archive.tip();
    let set = set.unwrap();
    let holders = set.iter().copied().collect();
    world.archive = Archive::new(config, tip, set);
    world.input(Input::Holders(holders));
    for number in 1..4 {
        world.input(Input::Connected(member(number)));
    }
    let start = world.now;
    world.missing(1..=60);
    world.run(ms(60_000));
    assert_eq!(stored(&world).len(), 60);
    let took = world.stored.last().unwrap().0 - start;
    assert!((ms(9_000)..ms(11_000)).contains(&took), "{took:?}");
}

#[test]
fn without_k_holders_repair_rests_and_goes_on_when_they_come() {
    let mut world = World::new(4, 7, 10);
    for number in 3..7 {
        world.input(Input::Disconnected(member(number)));
    }
    world.missing(1..=10);
    assert_eq!(world.archive.next_wake(), None);
    assert!(world.asks.is_empty());
    world.input(Input::Connected(member(5)));
    world.run(ms(10_000));
    assert_eq!(world.progress.remaining, 0);
}

#[test]
fn repair_waits_until_this_node_has_caught_up() {
    let mut world = World::new(6, 4, 40);
    world.announce();
    world.missing(1..=10);
    while world.archive.tip().height < height(38) {
        let mut asks = world.asks.iter();
        let begun = asks.any(|(.., purpose)| *purpose == Purpose::Repair);
        assert!(!begun, "{:?}", world.archive.tip());
        world.run(ms(1));
    }
    world.run(ms(10_000));
    assert_eq!(world.progress.remaining, 0);
}

#[test]
fn one_member_that_claims_to_be_far_ahead_holds_nothing_up() {
    let mut world = World::new(7, 4, 10);
    let boast = |number: u16| Input::Tip {
        member: member(number),
        height: height(1_000_000),
    };
    world.input(boast(1));
    assert_eq!(world.archive.credible_tip(), None);
    world.missing(1..=10);
    world.run(ms(10_000));
    assert_eq!((world.progress.repaired, world.progress.remaining), (10, 0));
    assert_eq!(world.archive.sync_progress(), SyncProgress::default());
    // Of four members one may lie. Two who say so are believed, for as far as both of them are.
    world.input(Input::Tip {
        member: member(2),
        height: height(50),
    });
    assert_eq!(world.archive.credible_tip(), Some(height(50)));
    assert_eq!(world.archive.sync_progress().phase, SyncPhase::Blocks);
    world.input(Input::Disconnected(member(1)));
    assert_eq!(world.archive.credible_tip(), None);
}

#[test]
fn a_height_without_a_header_is_put_off_and_others_go_on() {
    let mut world = World::new(5, 4, 10);
    world.missing(8..=12);
    world.run(ms(4000));
    assert_eq!((world.progress.repaired, world.progress.remaining), (3, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever cannot be repaired, and however often somebody asks for it: everything else comes back in time.
    #[test]
    fn what_cannot_be_repaired_never_starves_the_rest(
        seed in any::<u64>(),
        hopeless in prop::collection::btree_set(1u64..60, 1..30),
        silent in any::<bool>(),
        urgent in prop::collection::vec((1u64..60, 1u64..4_000), 1..60),
    ) {
        let mut world = World::new(seed, 4, 60);
        // One holder is left for these: too few. If it is silent on top, every try lasts as long as can be.
        for number in 2..4 {
            world.peer(number).lacks = hopeless.iter().map(|at| height(*at)).collect();
        }
        if silent {
            world.set_manner(1, Manner::Silent);
        }
        world.missing(1..=60);
        for (at, after) in &urgent {
            // Those that came back meanwhile are not missing any more; the shell would not say so of them.
            if hopeless.contains(at) {
                for again in 0..10 {
                    world.later(ms(after + again * 500), Input::Urgent(height(*at)));
                }
            }
        }
        world.run(ms(60_000));
        let back: BTreeSet<u64> = stored(&world).into_iter().collect();
        let expected: BTreeSet<u64> = (1..=60).filter(|at| !hopeless.contains(at)).collect();
        prop_assert_eq!(back, expected);
        prop_assert_eq!(world.progress.remaining, hopeless.len() as u64);
        let failed: BTreeSet<u64> = world.not_repaired.iter().map(|(at, _)| at.get()).collect();
        prop_assert_eq!(failed, hopeless);
    }
}

#[test]
fn what_somebody_waits_for_comes_first() {
    let mut world = World::new(6, 4, 60);
    for number in 1..4 {
        world.peer(number).delay = ms(5);
    }
    world.missing(1..=60);
    for at in [10, 3, 10] {
        world.input(Input::Urgent(height(at)));
    }
    assert_eq!((world.progress.remaining, world.progress.urgent), (60, 2));
    world.run(ms(60_000));
    let order = stored(&world);
    // Four were begun before anybody asked.
    let place = |at: u64| order.iter().position(|one| *one == at).unwrap();
    assert!(place(10) < 8 && place(3) < 8, "{order:?}");
    assert_eq!(order.len(), 60);
}

#[test]
fn repair_asks_for_k_shares_of_a_block_and_no_more() {
    let mut world = World::new(7, 7, 20);
    for number in 1..7 {
        // Slow enough that a reader would have asked others as well.
        world.peer(number).delay = ms(300);
    }
    world.missing(1..=20);
    world.run(ms(60_000));
    assert_eq!(stored(&world).len(), 20);
    let k = world.block(height(1)).header.sealing.threshold;
    assert_eq!(world.asks.len(), 20 * usize::from(k));
}

#[test]
fn the_estimate_follows_the_speed_and_is_silent_in_pauses() {
    let mut world = World::new(8, 4, 60);
    for number in 1..4 {
        world.peer(number).delay = ms(100);
        world.peer(number).lacks = [height(1)].into();
    }
    world.missing(1..=60);
    assert_eq!(world.progress.estimate, None);
    world.run(ms(700));
    let (left, estimate) = (world.progress.remaining, world.progress.estimate.unwrap());
    // Four at once, a tenth of a second each.
    let expected = ms(100) * u32::try_from(left).unwrap() / 4;
    assert!(
        estimate > expected / 2 && estimate < expected * 2,
        "{left} left: {estimate:?}"
    );
    world.run(ms(4_000));
    assert_eq!((world.progress.remaining, world.progress.estimate), (1, None));
}
