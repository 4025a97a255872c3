//! Networks of validators under loss, reordering, crashes and lies: they agree, never sign twice, and go on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a simulation fails loudly; its heights fit any integer"
)]

mod sim;

use salus_consensus::Refusal;
use salus_types::MemberId;
use sim::node::Node;
use sim::world::World;
use sim::{Blackout, Options};
use std::time::Duration;

fn no_harm(world: &World) {
    assert_eq!(
        world.refusals,
        [],
        "an honest peer was refused: {}",
        world.report()
    );
    assert_eq!(
        world.evidence,
        [],
        "evidence against the honest: {}",
        world.report()
    );
}

#[test]
fn one_validator_decides_alone() {
    let world = World::run(Options::calm(1, 1, 20));
    no_harm(&world);
    assert_eq!(world.nil_votes, 0);
}

#[test]
fn a_calm_network_needs_one_round_a_height() {
    for nodes in [4, 7] {
        let world = World::run(Options::calm(2, nodes, 10));
        no_harm(&world);
        assert_eq!(world.nil_votes, 0, "{}", world.report());
        for node in &world.nodes {
            assert!(
                node.disk
                    .chain
                    .iter()
                    .all(|(certificate, _)| certificate.round.get() == 0)
            );
        }
    }
}

/// Seeds for a test; `SALUS_SEEDS` asks for more of them.
fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("SALUS_SEEDS").ok();
    let count = asked.and_then(|text| text.parse().ok()).unwrap_or(count);
    first..first + count
}

#[test]
fn loss_and_crashes_harm_neither_safety_nor_progress_after_healing() {
    for seed in seeds(0, 10) {
        let world = World::run(Options {
            loss_per_mille: 150,
            crash_per_10k: 150,
            heal_at: Duration::from_secs(60),
            ..Options::calm(seed, 4, 20)
        });
        no_harm(&world);
        println!(
            "seed {seed}: {} crashes, {} nil votes, done at {:?}",
            world.crashes(),
            world.nil_votes,
            world.now
        );
    }
}

#[test]
fn seven_validators_under_loss_and_crashes() {
    for seed in seeds(1_000, 2) {
        let world = World::run(Options {
            loss_per_mille: 300,
            crash_per_10k: 30,
            delay_ms_max: 200,
            heal_at: Duration::from_secs(30),
            ..Options::calm(seed, 7, 8)
        });
        no_harm(&world);
        println!(
            "seed {seed}: {} crashes, {} nil votes, done at {:?}",
            world.crashes(),
            world.nil_votes,
            world.now
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = |seed| {
        let world = World::run(Options {
            loss_per_mille: 100,
            crash_per_10k: 50,
            heal_at: Duration::from_secs(20),
            traced: true,
            ..Options::calm(seed, 4, 5)
        });
        (world.trace, world.now)
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

#[test]
fn a_liar_is_proven_guilty_and_nobody_else() {
    let mut proven = false;
    for seed in seeds(2_000, 4) {
        let world = World::run(Options {
            byzantine: Some(2),
            loss_per_mille: 50,
            heal_at: Duration::from_secs(10),
            ..Options::calm(seed, 4, 10)
        });
        let guilty = MemberId::new(2);
        assert!(world.evidence.iter().all(|one| one.first.vote.member == guilty));
        proven |= !world.evidence.is_empty();
        let blamed = |(_, _, why): &(u16, MemberId, Refusal)| matches!(why, Refusal::BadSignature(_));
        assert!(!world.refusals.iter().any(blamed));
    }
    assert!(proven);
}

#[test]
fn a_validator_that_was_cut_off_catches_up() {
    let world = World::run(Options {
        cut: Some((3, Duration::from_millis(100), Duration::from_secs(8))),
        ..Options::calm(5, 4, 40)
    });
    no_harm(&world);
}

/// Four validators lose power while two are locked on a block whose dealing was in memory only. One of those who voted for it
/// never returns, and one of those who do has never seen the dealing: the locked ones accept no other block, and it can
/// judge this one from shares only.
fn after_a_blackout(gathers: bool) -> impl Iterator<Item = World> {
    const HEIGHT: u64 = 5;
    let pairs = (0..4).flat_map(|unseeing| (0..4).map(move |lost| (unseeing, lost)));
    // Whoever deals sees its own dealing.
    let proposer = |number: u16| u64::from(number) == HEIGHT % 4;
    let pairs = pairs.filter(move |(unseeing, lost)| unseeing != lost && !proposer(*unseeing));
    pairs.map(move |(unseeing, lost)| {
        World::run_to_deadline(Options {
            blackout: Some(Blackout {
                height: HEIGHT,
                unseeing,
                lost,
            }),
            gathers,
            deadline: Duration::from_secs(120),
            ..Options::calm(7, 4, 10)
        })
    })
}

#[test]
fn a_block_that_some_are_locked_on_is_judged_from_shares_when_its_dealing_is_lost() {
    for world in after_a_blackout(true) {
        assert!(world.is_done(), "{}", world.report());
        no_harm(&world);
        println!("{:?}: done at {:?}", world.options.blackout, world.now);
    }
}

#[test]
fn without_shares_nobody_would_decide_after_such_a_blackout() {
    for world in after_a_blackout(false) {
        assert!(!world.is_done(), "{}", world.report());
        let decided = |node: &Node| node.disk.chain.len();
        assert!(world.nodes.iter().all(|node| decided(node) == 4));
    }
}

#[test]
fn a_fifth_validator_joins_and_votes() {
    for seed in seeds(3_000, 2) {
        let world = World::run(Options {
            joins_at: Some(5),
            loss_per_mille: 50,
            heal_at: Duration::from_secs(5),
            ..Options::calm(seed, 5, 20)
        });
        no_harm(&world);
        let signed_by_fifth = |index: usize| {
            let all = world.nodes.iter().filter_map(|node| node.disk.chain.get(index));
            all.flat_map(|(certificate, _)| &certificate.signatures)
                .any(|one| one.member == MemberId::new(4))
        };
        assert!(!(0..4).any(signed_by_fifth));
        assert!((4..20).any(signed_by_fifth));
        for (index, (certificate, _)) in world.nodes[0].disk.chain.iter().enumerate() {
            let quorum = if index < 4 { 3 } else { 4 };
            assert!(certificate.signatures.len() >= quorum);
        }
    }
}
