//! A validator of Salus, and the tool that hospitals, researchers and contract authors use.
//!
//! This is the only place where the parts meet. Each part decides; this crate moves values between them and does
//! all I/O:
//!
//! ```text
//!  clients --HTTP--> api --Request--> clients --admit--> mempool
//!                                        |                  |
//!                                      query              chain  <--Event-- switchboard <-- net <-- peers
//!                                        |            (one loop: consensus, execution, seal, store)
//!                                        v                  |
//!                                      view  <--commit------'------ archivist (reconstruct, repair, catch up)
//! ```
//!
//! Reading order: [`validator`] makes and starts everything; `chain` is the loop; `archivist` gathers shares;
//! `clients` and `peers` answer; `admission`, `pieces` and `query` are what they answer with; `view` is what all
//! threads read. [`remote`] is the other side: a validator as its clients see it, used by [`cli`] and the demo.

mod admission;
mod archivist;
pub mod card;
mod chain;
pub mod cli;
mod clients;
mod clock;
mod compiled;
pub mod config;
mod courier;
pub mod demo;
mod deposits;
pub mod home;
mod in_force;
mod joining;
pub mod memory;
pub mod mempool;
mod observe;
mod peers;
mod pieces;
mod query;
mod receipts;
mod recent;
mod releases;
pub mod remote;
pub mod session;
mod snapshots;
mod switchboard;
mod sync;
pub mod validator;
mod view;
mod wire;

/// 32 bytes from the operating system's generator. Without it nothing secret can be made: the process ends.
pub(crate) fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "the operating system gives no random bytes");
        std::process::abort();
    }
    bytes
}
