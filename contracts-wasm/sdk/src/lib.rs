//! What a Salus contract is written with.
//!
//! A contract is a core WebAssembly module that speaks the interface `salus0` ([`salus_abi::host`]). This crate
//! hides its pointers behind typed storage, a context and macros that wire entries to plain methods:
//!
//! ```text
//!  transaction / query / access request
//!        |  bytes
//!  #[contract_impl]       decodes the argument, finds the method, encodes the answer
//!        |  values
//!  fn grant(&self, cx: &mut Ctx, argument: GrantAccess) -> Result<u32, Abort>
//!        |
//!  self.grants, Ctx       the chain: state (Item, Map, Index), caller, block time, roles, events, other contracts
//!        |
//!  host                   the only module with raw imports
//! ```
//!
//! A whole rule, which refuses every research request of a hospital:
//!
//! ```
//! use salus_sdk::prelude::*;
//!
//! /// No research here.
//! #[contract(state_version = 1, reasons = Reason::TABLE)]
//! pub struct NoResearch {}
//!
//! /// Why it refuses.
//! #[derive(Clone, Copy, Debug, Codes)]
//! pub enum Reason {
//!     /// The hospital takes part in no research.
//!     NoResearch = 256,
//! }
//!
//! #[contract_impl]
//! impl NoResearch {
//!     /// Refuses research.
//!     #[decide]
//!     pub fn decide(&self, _cx: &Ctx, request: AccessRequest) -> RuleDecision {
//!         match request.purpose {
//!             Purpose::Research => deny(Reason::NoResearch),
//!             _ => abstain(),
//!         }
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! What the macros see they also write down: entries with their numbers, types, events, errors, reasons and the places of the state
//! stand in the artefact's custom section `salus_schema` ([`salus_abi::schema`]), which costs no gas.
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
mod decision;
mod host;
#[cfg(target_arch = "wasm32")]
mod memory;
mod storage;
mod text;

pub use context::Ctx;
#[doc(hidden)]
pub use contract::exports;
pub use contract::{Abort, Answer, Contract, Entries};
pub use decision::{Codes, abstain, deny, oblige};
pub use salus_abi as abi;
pub use salus_abi::codec::{Decode, Encode};
pub use salus_abi::{ContractId, MemberId, PrincipalId, RecordNumber};
pub use storage::{Descending, Index, Item, Key, Map, StartsWith, Stored};
pub use text::Text;

/// Everything that most contracts use: `use salus_sdk::prelude::*;`
pub mod prelude {
    pub use crate::abi::access::{AccessRequest, Obligations, Purpose, RecordClass, RuleDecision};
    pub use crate::abi::registry::Role;
    pub use crate::abi::schema::Schema;
    pub use crate::{
        Abort, Codes, ContractId, Ctx, Decode, Descending, Encode, Index, Item, Map, MemberId, PrincipalId,
        RecordNumber, Text, abstain, deny, oblige,
    };
    pub use salus_sdk_macros::{Codes, Schema, contract, contract_impl};
}
