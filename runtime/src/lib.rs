//! Admits, meters and runs contracts as WebAssembly.
//!
//! ```text
//! wasm bytes --admit--> Module --run(Invocation, &mut dyn Host)--> Outcome { result, gas_used, events }
//!   validate             |  cheap to clone                 |
//!   check imports,       |  holds compiled code            +--> NodeFault: this machine failed,
//!   exports, limits      |                                      never the contract's result
//!   count stack height   |
//!   compile              +-- call_read runs other modules the same way, read-only, on the same gas
//! ```
//!
//! Everything a contract can see or cause is the same on every validator:
//!
//! - **Features** are an allow-list: integers, bulk memory, sign extension, multiple results. No floats, no SIMD, no
//!   threads, no proposals that are off today and on in the next release of the engine.
//! - **Gas** is wasmtime's fuel with the table of [`gas_table_hash`], plus the price of host calls.
//! - **Stack height** is counted by instructions that admission adds to the module, and trips long before the native
//!   stack of any compiler setting would.
//! - **Outcomes** are ours: [`Failure`] and [`TrapCode`] name every way a contract can end, and wasmtime's own texts
//!   never leave this crate.
//!
//! # Gas
//!
//! | ending | charged |
//! | --- | --- |
//! | return, abort, `unreachable`, a refused host call | exactly what was used |
//! | any other trap, including an exhausted stack | the whole limit, since wasmtime reports such gas imprecisely |
//! | out of gas, or nothing left at the end | the whole limit |
//!
//! A `call_read` may use at most half of the gas that is left, so that the caller can always answer for a contract that
//! fails; it is charged by the same rules.
//!
//! # Threads and stack
//!
//! [`Engine`] and [`Module`] are `Send + Sync`; a run stays on its caller's thread. One run, with everything it calls,
//! uses less than 1 MiB of native stack for contract code; give threads that run contracts 8 MiB or more.
//!
//! # Schemas
//!
//! [`schema`] reads what a contract says of itself out of its artefact, and writes it for other languages. No run looks at it.
//!
//! # Compiled code
//!
//! [`Engine::with_cache`] keeps what the compiler made for the next start of the program, in a [`CodeStore`] that need not be
//! trusted: a [`CodeCache`] tags each record under this machine's secret, and runs nothing without the right tag. Checks and
//! limits are gone through each time.
//!
//! # Invariants
//!
//! - Only this crate names wasmtime.
//! - No clock, no randomness, no I/O: what a contract reads comes through [`Host`] and [`Context`].
//! - A module that was admitted cannot fail to instantiate, except by a [`NodeFault`].
//! - A failed run's writes are the host's to drop; its events are dropped here.
//!
//! # Example
//!
//! ```
//! use salus_runtime::{Engine, EngineConfig};
//!
//! let engine = Engine::new(&EngineConfig::default())?;
//! let refused = engine.admit(b"\0asm\x01\0\0\0").unwrap_err();
//! assert_eq!(refused.code(), "A020"); // a module without exports is no contract
//! # Ok::<(), salus_runtime::NodeFault>(())
//! ```

mod admission;
mod cache;
mod engine;
pub mod gas;
mod host;
mod imports;
mod instrument;
mod invocation;
mod lent;
pub mod lint;
mod run;
pub mod schema;
mod sections;

pub use admission::{AdmissionError, limit};
pub use cache::{CODE_RECORD_BYTES_MAX, CodeCache, CodeName, CodeRefusal, CodeStore};
pub use engine::{Effort, Engine, EngineConfig, Module};
pub use gas::gas_table_hash;
pub use host::{Entry, Host, HostFault};
pub use invocation::{Context, EntryPoint, Failure, Invocation, NodeFault, Outcome, TrapCode};
pub use sections::custom_section;

#[cfg(test)]
mod tests;
