//! Runs a block's transactions over the contract state and yields receipts and the state root.
//!
//! ```text
//!                    StateReader (committed state)
//!                         |  reads
//! transactions --> Executor --> ExecutedBlock { receipts, state, tree, state_root, gas_used }
//!                     |   \                      |
//!      salus-runtime (contracts)               the store writes `state` and `tree` in one batch at commit
//! ```
//!
//! Three uses of one engine:
//!
//! - a proposer [`Executor::select`]s from candidates: what cannot be executed now is left out, with the reason;
//! - a validator [`Executor::execute`]s a proposed list: anything that cannot be executed makes the block invalid;
//! - the API [`Executor::query`]s contracts on the committed state.
//!
//! # What a transaction leaves behind
//!
//! A transaction that can be executed takes its sender's next sequence number, whatever becomes of it. If its call
//! succeeds, its writes and events stay; if it fails, nothing does but the sequence number and the receipt. One that cannot be
//! executed ([`NotExecutable`]) leaves nothing at all and must not stand in a block.
//!
//! Before the transactions, a block's evidence is counted against the members it convicts ([`Faults`]). Whether it proves
//! anything is for the caller to check: that needs headers and validators, which are not in the state.
//!
//! # Members and contracts
//!
//! Operators change the members and the contracts by vote. A contract's code is uploaded, approved, and instantiated or given
//! to a contract that exists; a frozen contract answers nothing. Of members: the validator set that a change at height h makes decides height h + 2 and is
//! announced by header h + 1; [`members`] keeps the sets by height.
//!
//! # Invariants
//!
//! - Pure: no clock, no I/O but the [`StateReader`](salus_types::state::StateReader), no randomness. Same state, same
//!   environment, same transactions: same bytes, on every node.
//! - The state root depends on the entries alone, not on their history ([`tree`]).
//! - A contract writes only under its own number; the chain's own entries ([`system`], [`members`]) are written here only.
//! - A fault of this machine ends execution with an error and is never turned into a receipt.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod code;
mod error;
mod executor;
mod faults;
mod genesis;
mod governance;
mod host;
pub mod members;
mod modules;
mod overlay;
mod query;
mod reads;
mod reseal;
pub mod system;
mod transaction;
pub mod tree;

pub use error::{ExecutionError, NotExecutable, ProvenQueryError, QueryError};
pub use executor::{BlockEnv, ExecutedBlock, Executor, Selection};
pub use faults::{FaultCount, Faults};
pub use genesis::{GenesisContract, GenesisState};
pub use governance::approvals_needed;
pub use query::{QueryOutcome, Question, ReadKind};
pub use reseal::ResealError;
pub use system::Params;
pub use transaction::{TRANSACTION_GAS, TRANSACTION_GAS_PER_BYTE};

#[cfg(test)]
mod tests;
