//! A chain in memory for contract authors: the node's own executor, engine and meter, without a network.
//!
//! ```text
//! TestChain::wasm("artifacts/office_hours.wasm")        Setup: the artefact to be tested, and others beside it
//!   .argument(&hours)
//!   .at("2026-01-05T02:00:00Z")
//!   .deploy()                                           TestChain: two hospitals, the people of [`who`]
//!
//! chain.by(DOCTOR).decide(&request)                     what the artefact answers
//! chain.by(PATIENT).execute::<u32>(ACCESS, GRANT, ..)   a signed transaction in a block of its own
//! chain.advance("2h"), chain.at("...")                  time travel: the next block's time
//! let before = chain.save(); chain.go_back(&before)     snapshots
//! assert_gas!(chain <= 40_000)                          what the last call cost
//! ```
//!
//! Three layers, each usable by itself:
//!
//! - [`Chain`] answers with `Result`s: for tools.
//! - [`TestChain`] panics with a readable message: for tests.
//! - [`cases`] are files in YAML, who asks what and when, and what must come of it: for people who don't program.
//!
//! # Invariants
//!
//! - Nothing is mocked. Every `execute` is a transaction, signed with its sender's key and executed by
//!   `salus-execution` as a block of a validator; so its gas is the gas of the network, and who may not do something
//!   there may not do it here.
//! - No clock and no randomness: keys and times are the same in every run.
//!
//! # Example
//!
//! ```
//! use salus_testkit::{TestChain, assert_gas, request, who::{DOCTOR, PATIENT}};
//! use salus_abi::access::RuleDecision;
//!
//! # let office_hours = concat!(env!("CARGO_MANIFEST_DIR"), "/../artifacts/office_hours.wasm");
//! // 08:00 to 18:00, Monday to Friday, UTC.
//! let hours: (u16, u16, u8, i16) = (480, 1080, 0b001_1111, 0);
//! let mut chain = TestChain::wasm(office_hours).argument(&hours).deploy();
//!
//! chain.at("2026-01-05T09:00:00Z");
//! assert_eq!(chain.by(DOCTOR).decide(&request(DOCTOR, PATIENT)), RuleDecision::Abstain);
//! chain.at("2026-01-05T02:00:00Z");
//! assert_eq!(chain.by(DOCTOR).decide(&request(DOCTOR, PATIENT)), RuleDecision::Deny { reason: 256 });
//! assert_gas!(chain <= 40_000);
//! ```

pub mod cases;
mod chain;
mod founding;
pub mod probe;
mod record;
mod state;
mod test_chain;
pub mod time;
pub mod trace;
pub mod who;

pub use chain::{Answer, Chain, ChainError, Refusal};
pub use founding::{CHAIN, Contract, MEMBERS, member_key};
pub use record::{CallKind, GasEntry, Met};
/// The vocabulary of contracts: messages, codes, numbers.
pub use salus_abi as abi;
pub use state::Snapshot;
pub use test_chain::{By, Setup, TestChain, request};
