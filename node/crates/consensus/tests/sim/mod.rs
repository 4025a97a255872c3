//! A deterministic network of validators: real consensus and real signatures; clock, network, disk and randomness
//! from one seed. Every step checks the invariants; a failure names the seed.
#![allow(dead_code, reason = "each test file uses its part of the simulation")]

pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod world;

use salus_consensus::Timeouts;
use salus_types::{ChainId, Hash, Height, MemberId, SecretKey, Slot, Validator, ValidatorSet};
use std::time::Duration;

/// What a run looks like.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Seeds everything.
    pub(crate) seed: u64,
    /// Nodes, all of them validators unless `joins_at` says otherwise.
    pub(crate) nodes: u16,
    /// The height at which the last node becomes a validator.
    pub(crate) joins_at: Option<u64>,
    /// Heights to reach.
    pub(crate) heights: u64,
    /// Of a thousand packets, so many are lost until healing.
    pub(crate) loss_per_mille: u32,
    /// Packets take 1 ms up to this; so they overtake one another.
    pub(crate) delay_ms_max: u64,
    /// Of ten thousand effects, before so many the node crashes, until healing.
    pub crash_per_10k: u32,
    /// Until when the network is bad.
    pub(crate) heal_at: Duration,
    /// When everything must be done.
    pub(crate) deadline: Duration,
    /// Votes and proposes twice, and deals bad blocks.
    pub(crate) byzantine: Option<u16>,
    /// Cut off from all others between the two times.
    pub(crate) cut: Option<(u16, Duration, Duration)>,
    /// All lose power at once.
    pub(crate) blackout: Option<Blackout>,
    /// Who can't get a dealing opens the block from shares.
    pub(crate) gathers: bool,
    /// Record every effect into the trace.
    pub(crate) traced: bool,
}

/// Power fails as soon as two validators besides these have locked a block, before anybody has decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blackout {
    /// At which height.
    pub(crate) height: u64,
    /// Gets no dealing of that height before.
    pub(crate) unseeing: u16,
    /// Votes like the others, and never comes back.
    pub(crate) lost: u16,
}

impl Options {
    pub(crate) fn calm(seed: u64, nodes: u16, heights: u64) -> Self {
        Self {
            seed,
            nodes,
            joins_at: None,
            heights,
            loss_per_mille: 0,
            delay_ms_max: 20,
            crash_per_10k: 0,
            heal_at: Duration::ZERO,
            deadline: Duration::from_secs(600),
            byzantine: None,
            cut: None,
            blackout: None,
            gathers: true,
            traced: false,
        }
    }
}

pub(crate) fn chain() -> ChainId {
    ChainId::new(Hash::of_content(b"simulated chain"))
}

pub(crate) fn key(node: u16) -> SecretKey {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&node.to_be_bytes());
    SecretKey::from_seed(&seed)
}

pub(crate) fn validators(count: u16) -> ValidatorSet {
    let all = (0..count).map(|node| Validator {
        member: MemberId::new(node),
        key: key(node).public(),
        slot: Slot::new(node),
    });
    ValidatorSet::new(all.collect()).unwrap()
}

/// The validators of a height in a run.
pub(crate) fn set_of(options: &Options, height: Height) -> ValidatorSet {
    match options.joins_at {
        Some(at) if height.get() < at => validators(options.nodes - 1),
        _ => validators(options.nodes),
    }
}

pub(crate) fn timeouts() -> Timeouts {
    Timeouts::default()
}
