use super::world::{Manner, World};
use super::*;
use proptest::prelude::*;
use salus_types::snapshot::PartError;
use salus_types::tree::TreePrefix;
use std::collections::BTreeSet;

fn between(first: u64, last: u64) -> Vec<Height> {
    (first..=last).map(height).collect()
}

/// Runs until so many parts of a snapshot are there; tells which.
fn run_until_parts(world: &mut World, count: usize) -> BTreeSet<TreePrefix> {
    loop {
        world.run(ms(1));
        if let Some((_, parts)) = &world.written.staged
            && parts.len() >= count
        {
            return parts.iter().map(|part| part.prefix.clone()).collect();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_node_far_behind_arrives_whatever_f_peers_do_and_whenever_it_restarts(
        seed in any::<u64>(),
        n in 4u16..=7,
        faulty in prop::collection::vec((1u16..7, 0usize..6), 0..3),
        loss in prop_oneof![Just(0u64), Just(0), Just(10)],
        length in 130u64..260,
        restarts in prop::collection::vec(1u64..400, 0..3),
    ) {
        let mut world = World::leaping(seed, n, length, &[64, 128]);
        for (who, kind) in faulty.into_iter().take(usize::from((n - 1) / 3)) {
            world.set_manner(1 + who % (n - 1), Manner::FAULTY[kind]);
        }
        for number in 1..n {
            world.peer(number).loss = loss;
        }
        let restarted = !restarts.is_empty();
        for after in restarts {
            world.announce();
            world.run(ms(after));
            world.restart();
        }
        world.announce();
        world.run(ms(600_000));
        prop_assert_eq!(world.archive.tip().height, height(length));
        prop_assert!(world.diverged.is_empty());
        // A leap and then every block, in order; or every block, if the leap was given up.
        let leapt = world.installed.last().map_or(0, |at| at.get());
        let after: Vec<Height> = world.applied.iter().copied().filter(|at| at.get() > leapt).collect();
        prop_assert_eq!(after, between(leapt + 1, length));
        let nobody_is_slow = loss == 0 && world.peers.values().all(|peer| peer.manner != Manner::Silent);
        if nobody_is_slow && !restarted {
            prop_assert_eq!(&world.installed, &[height(128)]);
        }
        prop_assert!(world.installed.len() <= 1);
    }
}

#[test]
fn the_newest_snapshot_is_fetched_from_all_who_hold_it() {
    let mut world = World::leaping(1, 5, 200, &[64, 128]);
    world.announce();
    world.run(ms(60_000));
    assert_eq!(world.installed, [height(128)]);
    assert_eq!(world.applied, between(129, 200));
    let askers: BTreeSet<MemberId> = world.part_asks.iter().map(|(who, _)| *who).collect();
    assert_eq!(askers.len(), 4);
    let prefixes: BTreeSet<_> = world.part_asks.iter().map(|(_, prefix)| prefix.clone()).collect();
    assert_eq!(
        prefixes.len(),
        world.part_asks.len(),
        "nothing is asked for twice"
    );
    assert!(prefixes.len() > 16);
    assert!(world.blamed.is_empty());
    assert_eq!(world.archive.next_wake(), None);
}

#[test]
fn blocks_that_were_handed_over_before_do_not_end_a_leap() {
    for slow in [30, 100, 200, 300] {
        let mut world = World::leaping(11, 4, 260, &[192]);
        // Blocks go on while this one is waited for, so some are under way when headers go ahead.
        world.peer(3).delay = ms(slow);
        world.announce();
        world.run(ms(60_000));
        assert_eq!(world.installed, [height(192)], "{slow} ms");
        assert_eq!(world.archive.tip().height, height(260));
        assert!(world.diverged.is_empty());
    }
}

#[test]
fn the_first_offer_is_enough_and_later_ones_are_heard() {
    let mut world = World::leaping(12, 5, 200, &[64, 128]);
    // Who answers first has the older snapshot only; one member never answers, and one late.
    world.peer(1).snapshots = [height(64)].into();
    world.peer(1).delay = ms(5);
    world.set_manner(2, Manner::Silent);
    world.peer(3).delay = ms(8);
    world.peer(4).delay = ms(40);
    world.announce();
    world.run(ms(60_000));
    assert_eq!(world.installed, [height(128)]);
    // The blocks that came before the first offer are few.
    let before = world.applied.iter().filter(|at| **at < height(128)).count();
    assert!(
        before <= 8,
        "{before} blocks were fetched although a snapshot was there"
    );
    let askers: BTreeSet<MemberId> = world.part_asks.iter().map(|(who, _)| *who).collect();
    assert_eq!(askers, [member(3), member(4)].into());
    assert!(world.blamed.is_empty());
}

#[test]
fn a_single_false_offer_only_costs_time() {
    let mut world = World::leaping(13, 4, 200, &[128]);
    // It alone has offered something when the headers are there.
    world.set_manner(2, Manner::Impostor);
    world.peer(2).delay = ms(1);
    (1..4)
        .filter(|number| *number != 2)
        .for_each(|number| world.peer(number).delay = ms(400));
    world.announce();
    world.run(ms(300_000));
    assert_eq!(world.installed, [height(128)]);
    assert_eq!(world.archive.tip().height, height(200));
    assert!(world.blamed.iter().all(|(who, _)| *who == member(2)));
}

#[test]
fn a_node_not_far_behind_goes_block_by_block() {
    let mut world = World::leaping(2, 4, 99, &[64]);
    world.announce();
    world.run(ms(60_000));
    assert!(world.installed.is_empty());
    assert_eq!(world.applied, between(1, 99));
}

#[test]
fn without_offers_nothing_waits() {
    for snapshots in [&[][..], &[0], &[63, 127]] {
        let mut world = World::leaping(3, 4, 150, snapshots);
        world.announce();
        world.run(ms(60_000));
        assert!(world.installed.is_empty() && world.blamed.is_empty());
        assert_eq!(world.applied, between(1, 150));
    }
}

#[test]
fn wrong_parts_and_wrong_roots_are_named() {
    let cases = [
        (Manner::Lying, Some(Fault::Part(PartError::WrongHash))),
        (Manner::Empty, Some(Fault::Part(PartError::WrongHash))),
        (Manner::Impostor, Some(Fault::SnapshotRoot)),
        (Manner::Refusing, None),
        (Manner::Silent, None),
    ];
    for (manner, fault) in cases {
        let mut world = World::leaping(4, 4, 200, &[128]);
        world.set_manner(2, manner);
        world.peer(2).delay = ms(1);
        // Its headers would be named first.
        let only_for_parts = !matches!(manner, Manner::Silent | Manner::Refusing);
        if only_for_parts {
            world.input(Input::Tip {
                member: member(1),
                height: height(200),
            });
            world.input(Input::Tip {
                member: member(3),
                height: height(200),
            });
            world.run(ms(1));
            world.input(Input::Tip {
                member: member(2),
                height: height(129),
            });
        }
        world.announce();
        world.run(ms(300_000));
        // While a silent one is waited for, the blocks go on.
        let leapt = world.installed.last().map_or(0, |at| at.get());
        assert!(leapt == 128 || manner == Manner::Silent, "{manner:?}");
        let applied = world.applied.iter().copied().filter(|at| at.get() > leapt);
        assert_eq!(applied.collect::<Vec<_>>(), between(leapt + 1, 200));
        if let Some(fault) = fault {
            let named = world.blamed.iter().any(|(who, what)| {
                *who == member(2) && (*what == fault || matches!(what, Fault::Headers(_)))
            });
            assert!(named, "{manner:?}: {:?}", world.blamed);
        } else {
            assert!(world.blamed.is_empty());
        }
    }
}

#[test]
fn a_restart_asks_only_for_what_is_missing() {
    let mut world = World::leaping(5, 4, 200, &[128]);
    world.announce();
    let there = run_until_parts(&mut world, 10);
    world.restart();
    world.part_asks.clear();
    world.header_asks.clear();
    world.announce();
    world.run(ms(60_000));
    assert_eq!(world.installed, [height(128)]);
    assert!(world.part_asks.iter().all(|(_, prefix)| !there.contains(prefix)));
    // Headers are not fetched again either, but for the blocks that go on until somebody has offered something.
    let again = world.header_asks.iter();
    let again = again.filter(|(_, from, _)| *from <= height(128));
    assert!(again.count() <= 1, "{:?}", world.header_asks);
}

#[test]
fn when_holders_drop_a_snapshot_the_next_one_is_taken() {
    let mut world = World::leaping(6, 4, 260, &[128]);
    world.announce();
    run_until_parts(&mut world, 5);
    for number in 1..4 {
        world.peer(number).snapshots = [height(192)].into();
    }
    world.run(ms(60_000));
    assert_eq!(world.installed, [height(192)]);
    assert_eq!(world.applied, between(193, 260));
    assert!(world.blamed.is_empty());
}

#[test]
fn when_all_holders_vanish_the_blocks_are_fetched() {
    let mut world = World::leaping(7, 4, 200, &[128]);
    world.announce();
    run_until_parts(&mut world, 5);
    for number in 1..4 {
        world.peer(number).snapshots.clear();
    }
    world.run(ms(300_000));
    assert!(world.installed.is_empty());
    assert_eq!(world.applied, between(1, 200));
}

#[test]
fn progress_names_what_is_done() {
    let mut world = World::leaping(8, 4, 200, &[128]);
    assert_eq!(world.archive.sync_progress(), SyncProgress::default());
    world.announce();
    let mut seen = Vec::new();
    for _ in 0..3000 {
        world.run(ms(1));
        let SyncProgress { phase, done, total } = world.archive.sync_progress();
        assert!(done <= total, "{phase:?} {done} {total}");
        if seen.last() != Some(&phase) {
            seen.push(phase);
        }
    }
    let expected = [
        SyncPhase::Blocks,
        SyncPhase::Headers,
        SyncPhase::Snapshot,
        SyncPhase::Blocks,
        SyncPhase::InStep,
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_newcomer_leaps_over_members_that_came_and_went() {
    let sets = [(1, 4), (30, 5), (31, 7), (100, 6), (150, 7)];
    for manner in [Manner::Honest, Manner::Silent, Manner::Refusing] {
        let mut world = World::leaping_with_sets(9, 7, 200, &[128], &sets);
        world.set_manner(1, manner);
        world.announce();
        world.run(ms(300_000));
        let leapt = world.installed.last().map_or(0, |at| at.get());
        assert!(leapt == 128 || manner == Manner::Silent, "{manner:?}");
        let applied = world.applied.iter().copied().filter(|at| at.get() > leapt);
        assert_eq!(applied.collect::<Vec<_>>(), between(leapt + 1, 200));
        assert!(world.blamed.is_empty() && world.diverged.is_empty());
    }
    let mut world = World::leaping_with_sets(9, 7, 200, &[128], &sets);
    world.announce();
    world.run(ms(60_000));
    let hashes = [30, 31, 100].map(|at| world.set_at(at).hash(&world.chain));
    assert_eq!(
        world.known_sets, hashes,
        "those between the own tip and the snapshot, each once"
    );
}

#[test]
fn validators_with_another_hash_are_named() {
    let mut world = World::leaping_with_sets(10, 4, 200, &[128], &[(1, 3), (2, 4)]);
    world.set_manner(3, Manner::Lying);
    world.peer(3).delay = ms(1);
    // It is the only one that is said to have headers behind the first.
    for (number, tip) in [(1, 200), (2, 200), (3, 200)] {
        world.input(Input::Tip {
            member: member(number),
            height: height(tip),
        });
    }
    world.run(ms(300_000));
    assert_eq!(world.archive.tip().height, height(200));
    let of_three = world.blamed.iter().filter(|(who, _)| *who == member(3));
    assert_eq!(of_three.count(), world.blamed.len(), "{:?}", world.blamed);
}
