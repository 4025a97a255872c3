//! Blocks that a later one dealt anew, seen by nodes that know of it and by nodes that do not.

use super::world::{Manner, World};
use super::*;

/// Four members, of whom one may be faulty; all blocks resealed.
fn world(seed: u64, length: u64) -> World {
    let mut world = World::new(seed, 4, length);
    (1..=length).for_each(|at| world.reseal(at));
    world
}

fn opened_under(world: &World, job: u64) -> Height {
    world.opened[&JobId(job)].commitment().dealt_at
}

#[test]
fn a_node_that_knows_of_the_reseal_asks_for_the_dealing_in_force() {
    let mut world = world(1, 1);
    world.knows_reseals = true;
    world.open(1, 1, true);
    world.run(ms(5_000));
    assert_eq!(opened_under(&world, 1), height(1_000));
    assert_eq!(world.asks.len(), 1, "its own share and one more");
    assert!(world.damaged.is_empty() && world.blamed.is_empty());
}

#[test]
fn a_node_that_does_not_know_believes_more_members_than_can_be_faulty() {
    let mut world = world(2, 1);
    world.open(1, 1, true);
    world.run(ms(5_000));
    assert_eq!(opened_under(&world, 1), height(1_000));
    assert!(world.damaged.is_empty() && world.blamed.is_empty());
}

#[test]
fn one_member_alone_cannot_make_up_a_dealing() {
    for seed in 0..20 {
        let mut world = World::new(seed, 4, 1);
        world.set_manner(1, Manner::Pretending);
        world.open(1, 1, false);
        world.run(ms(5_000));
        assert_eq!(opened_under(&world, 1), height(1), "seed {seed}");
        assert!(world.blamed.is_empty());

        // Nor beside honest members that say that the block was resealed, but otherwise.
        let mut world = self::world(seed, 1);
        world.set_manner(1, Manner::Pretending);
        world.open(1, 1, false);
        world.run(ms(5_000));
        assert_eq!(opened_under(&world, 1), height(1_000), "seed {seed}");
        assert!(world.blamed.is_empty());
    }
}

#[test]
fn holders_that_are_behind_and_holders_that_are_ahead_serve_each_other() {
    for (knows, behind) in [
        (true, vec![1]),
        (false, vec![1]),
        (false, vec![1, 2]),
        (true, vec![2]),
    ] {
        let mut world = world(3, 1);
        world.knows_reseals = knows;
        behind.iter().for_each(|peer| world.peer(*peer).behind = true);
        world.open(1, 1, true);
        world.run(ms(5_000));
        assert_eq!(world.opened.len(), 1, "{knows} {behind:?}");
        assert!(world.blamed.is_empty() && world.damaged.is_empty());
    }
}

#[test]
fn a_node_that_catches_up_opens_what_was_resealed_since() {
    for manner in [
        Manner::Honest,
        Manner::Pretending,
        Manner::Silent,
        Manner::Refusing,
    ] {
        let mut world = world(4, 30);
        world.set_manner(3, manner);
        world.announce();
        world.run(ms(120_000));
        assert_eq!(world.applied.len(), 30, "{manner:?}");
        assert!(world.blamed.is_empty() && world.diverged.is_empty());
    }
}

#[test]
fn a_lost_share_is_repaired_under_the_dealing_in_force() {
    for knows in [true, false] {
        let mut world = world(5, 10);
        world.knows_reseals = knows;
        world.missing(1..=10);
        world.run(ms(60_000));
        assert_eq!(world.stored.len(), 10);
        assert_eq!(world.progress.remaining, 0);
    }
}
