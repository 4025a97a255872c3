//! A synchronous host for the Malachite consensus core (Tendermint; Buchman, Kwon, Milosevic 2018).
//!
//! One [`Consensus`] is one validator's part in deciding one height after another. It reads no clock, opens no
//! socket and no file, and draws no randomness: [`Input`]s go in, [`Effect`]s come out, and the shell carries them
//! out in their order. The value that is decided is a block's `Header`; its dealing (body, data key, shares) travels
//! beside it and is judged by the shell. Nothing of Malachite shows in the public interface.
//!
//! ```text
//!                 peers' messages, timers, built and judged blocks
//!                                     | Input
//!   gate     membership, turn, signature (each checked once), duplicates, room per peer
//!                                     |
//!   core     Malachite: rounds, locks, votes, thresholds
//!                                     | the core's effects
//!   host     signs behind a guard, verifies from a memory, numbers timers, writes the log
//!                                     | Effect
//!            log, keep share, broadcast, timers, build, decided, finalized
//! ```
//!
//! # The life of a height
//!
//! `start_height` -> [`Effect::Build`] at the proposer -> [`Input::Built`] -> a proposal goes out ->
//! [`Effect::WantBody`] at the others -> [`Input::Judged`] -> [`Effect::KeepShare`] -> prevote -> precommit ->
//! [`Effect::Decided`] -> [`Effect::Finalized`]. Then nothing happens until the next `start_height`, which may also
//! come earlier and for any later height, when the shell caught up by certificates.
//!
//! # Invariants
//!
//! - **Durable before sent.** Everything that an own vote or proposal rests on is appended to the log, and a
//!   [`Effect::WalFlush`] stands before the [`Effect::Broadcast`].
//! - **A share before a vote.** A block enters the log as valid only after [`Effect::KeepShare`]. So even a node that
//!   crashes, and thereby loses the dealing, holds its share of every block that its log can make it vote for. Keeping
//!   the share only before the precommit is not enough: replay may derive a precommit when the dealing is gone.
//! - **No double vote**, across crashes too: replay re-derives the recorded votes; [`Fault::DoubleSign`] halts if a
//!   different one is ever asked for. Timers, messages and built blocks count only after the replay.
//! - **No message halts or crashes a node**, except one that is validly signed with its own key elsewhere.
//! - **Everything is bounded:** messages (64 KiB), rounds ahead (10), messages of the next height (32 a peer), judged
//!   but unproposed blocks (2 a round), evidence (3 a validator), remembered signatures (16,384).
//! - **Same inputs, same effects.** The core stamps the start of a height with a clock but, without a target time,
//!   never looks at the stamp.
//!
//! Deliberately absent: catch-up (the shell applies certified blocks and starts a later height), vote extensions,
//! weighted voting power, evidence of double proposals.
//!
//! # Example
//!
//! A chain with one validator decides as soon as a block is built:
//!
//! ```
//! use salus_consensus::{Config, Consensus, Effect, Input, Timeouts};
//! # use salus_types::*;
//! # let chain = ChainId::new(Hash::ZERO);
//! # let member = MemberId::new(0);
//! # let key = SecretKey::from_seed(&[1; 32]);
//! # let validator = Validator { member, key: key.public(), slot: Slot::new(0) };
//! # let validators = ValidatorSet::new(vec![validator])?;
//! # fn build(height: Height, round: Round, proposer: MemberId) -> Header {
//! #     let sealing = Sealing { suite: 1, threshold: 1, slots: 2, body_length: 0, sealed_length: 16 };
//! #     Header {
//! #         height, round, proposer, sealing, time: Timestamp::new(1), parent: BlockId::new(Hash::ZERO),
//! #         validators: Hash::ZERO, next_validators: Hash::ZERO, body_commitment: Hash::ZERO,
//! #         share_root: Hash::ZERO, receipts_root: Hash::ZERO, state_root: Hash::ZERO, gas_used: Gas::ZERO,
//! #     }
//! # }
//! let mut consensus = Consensus::new(Config { chain, member: Some(member), key, timeouts: Timeouts::default() });
//! let effects = consensus.start_height(Height::new(1), validators, &[])?;
//! let Some(Effect::Build { height, round, .. }) = effects.last() else { panic!("its turn") };
//! let (height, round) = (*height, *round);
//! let header = build(height, round, member);
//! let effects = consensus.handle(Input::Built { height, round, header })?;
//! assert!(matches!(effects.last(), Some(Effect::Finalized { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod effect;
mod fault;
mod message;

mod consensus;
mod gate;

mod blocks;
mod guard;
mod inbox;
mod timers;
mod verify;

mod evidence;
mod log;
mod malachite;

pub use config::{Config, Timeouts};
pub use consensus::{Consensus, proposer};
pub use effect::{Effect, Input, NilReason, Step, TimerId};
pub use evidence::{EVIDENCE_PER_VALIDATOR_MAX, EvidenceError, verify_double_vote};
pub use fault::{Fault, Refusal};
pub use message::{Message, PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundSignature};
