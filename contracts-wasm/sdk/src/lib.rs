//! What a Salus contract is written with.
//!
//! A contract is a core WebAssembly module that speaks the interface `salus0` ([`salus_abi::host`]). This crate
//! hides its pointers behind typed storage, a context and a macro that wires entries to plain functions:
//!
//! ```text
//!  transaction / query / access request
//!        |  bytes
//!  contract! { ... }      decodes the argument, finds the handler, encodes the answer
//!        |  values
//!  fn grant(cx: &mut Ctx, argument: GrantAccess) -> Result<u32, Abort>
//!        |
//!  Ctx, Item, Map         the chain: caller, block time, roles, state, events, other contracts
//!        |
//!  host                   the only module with raw imports
//! ```
//!
//! A whole rule, which refuses every research request of a hospital:
//!
//! ```
//! use salus_sdk::abi::access::{AccessRequest, Purpose, RuleDecision};
//! use salus_sdk::{Ctx, contract};
//!
//! fn decide(_cx: &Ctx, request: AccessRequest) -> RuleDecision {
//!     match request.purpose {
//!         Purpose::Research => RuleDecision::Deny { reason: 256 },
//!         _ => RuleDecision::Abstain,
//!     }
//! }
//!
//! contract! { decide: decide; }
//! # fn main() {}
//! ```
//!
//! ## Invariants
//!
//! - What reads takes `&Ctx`, what writes takes `&mut Ctx`; queries and rules are handed the former only.
//! - Every run starts in a fresh instance: nothing but state survives a call, and memory is never freed.
//! - A handler's error drops all its writes and events. A panic is a trap and does the same.
//! - Off the chain there is no host: logic that wants unit tests is a function over plain values. Everything else
//!   is tested by running the built artefact on the node's own engine.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod context;
mod contract;
mod host;
#[cfg(target_arch = "wasm32")]
mod memory;
mod storage;

pub use context::Ctx;
#[doc(hidden)]
pub use contract::exports;
pub use contract::{Abort, Answer};
pub use salus_abi as abi;
pub use salus_abi::codec::{Decode, Encode};
pub use salus_abi::{ContractId, MemberId, PrincipalId, RecordNumber};
pub use storage::{Item, Key, Map, StartsWith};
