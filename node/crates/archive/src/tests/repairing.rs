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
        prop_assert_eq!(world.progress, RepairProgress { repaired, remaining: 0 });
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
    assert_eq!(
        world.progress,
        RepairProgress {
            repaired: 24,
            remaining: 6
        }
    );
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
fn a_height_without_a_header_is_put_off_and_others_go_on() {
    let mut world = World::new(5, 4, 10);
    world.missing(8..=12);
    world.run(ms(4000));
    assert_eq!(
        world.progress,
        RepairProgress {
            repaired: 3,
            remaining: 2
        }
    );
}
