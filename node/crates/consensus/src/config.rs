use salus_types::{ChainId, MemberId, Round, SecretKey};
use std::time::Duration;

/// What a [`crate::Consensus`] is made of. `Debug` shows the public key only.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network; stands in everything signed.
    pub chain: ChainId,
    /// Which member this node is; `None` watches and never votes.
    pub member: Option<MemberId>,
    /// The member's consensus key; not used by a node that watches.
    pub key: SecretKey,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// How long a validator waits in each step. Round r waits `base + r * growth`, at most `max`.
///
/// The waits must exceed the network's delay at some round, else the chain stands still; safety never depends on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal and its dealing, before a prevote for nil.
    pub propose: Duration,
    /// For more prevotes, once a quorum prevoted but not for one block.
    pub prevote: Duration,
    /// For more precommits, once a quorum precommitted but not for one block.
    pub precommit: Duration,
    /// Between two broadcasts of the own last votes and round certificate while a round does not end.
    pub rebroadcast: Duration,
    /// What every round adds.
    pub growth: Duration,
    /// The longest of all waits.
    pub max: Duration,
}

impl Default for Timeouts {
    /// For a LAN: propose 1 s, prevote and precommit 0.5 s, rebroadcast 1 s, 0.5 s more each round, at most 10 s.
    fn default() -> Self {
        Self {
            propose: Duration::from_millis(1_000),
            prevote: Duration::from_millis(500),
            precommit: Duration::from_millis(500),
            rebroadcast: Duration::from_millis(1_000),
            growth: Duration::from_millis(500),
            max: Duration::from_secs(10),
        }
    }
}

impl Timeouts {
    /// A base wait, grown for a round and capped.
    pub(crate) fn grown(&self, base: Duration, round: Round) -> Duration {
        base.saturating_add(self.growth.saturating_mul(round.get()))
            .min(self.max)
    }
}
