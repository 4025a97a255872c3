//! A synchronous host for the Malachite consensus core: input in, effects out.

mod blocks;
mod config;
mod consensus;
mod effect;
mod evidence;
mod fault;
mod gate;
mod guard;
mod inbox;
mod log;
mod malachite;
mod message;
mod timers;
mod verify;

pub use config::{Config, Timeouts};
pub use consensus::{Consensus, proposer};
pub use effect::{Effect, Input, NilReason, Step, TimerId};
pub use evidence::{EVIDENCE_PER_VALIDATOR_MAX, EvidenceError, verify_evidence};
pub use fault::{Fault, Refusal};
pub use message::{Message, PolkaCertificate, RoundCertificate, RoundCertificateKind, RoundSignature};
