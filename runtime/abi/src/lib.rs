//! The vocabulary that contracts, their host and everyone who calls them share.
//!
//! A guest is built for `wasm32-unknown-unknown` without the standard library, so this crate is `no_std`
//! and depends on nothing of ours. It holds five things:
//!
//! - [`codec`]: the one canonical encoding of everything that is stored, signed or sent;
//! - [`domain`]: how signed and hashed bytes are told apart;
//! - [`host`]: names and numbers of the contract interface, version `salus0`;
//! - [`schema`]: what a contract says of itself;
//! - [`registry`], [`access`] and [`care`]: the messages and storage keys of the contracts that every network starts with.
//!
//! Invariant: nothing here is free text about a person. Codes, numbers and hashes only.
#![no_std]

extern crate alloc;

pub mod access;
pub mod care;
pub mod codec;
pub mod domain;
pub mod host;
mod ids;
pub mod registry;
pub mod schema;

pub use ids::{ContractId, MemberId, PrincipalId, RecordNumber};
