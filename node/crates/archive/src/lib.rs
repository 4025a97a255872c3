//! Decides what to ask of whom: reconstruct, repair and catch up, without doing any I/O.
//!
//! No node holds a block whole. To read one, to get back a share that was lost, or to follow a chain that went on
//! without it, a node gathers k shares from the members that hold them and opens the block:
//!
//! ```text
//!   Open ------> reads    \                     / AskShare --> peers
//!   Tip -------> catch up  } --> one gather per    Share <----  |
//!   Missing ---> repair   /      block          \ Blame      whoever answers wrongly
//!   Snapshots -> leap --------------------------> AskPart --> peers
//!                   |
//!                   +--> Opened / Failed, Apply, StoreShare: what became of it
//! ```
//!
//! [`Archive`] is a plain struct in the manner of quinn: [`Archive::handle`] takes the time and one [`Input`] and
//! returns what to do; [`Archive::next_wake`] says when to call again with [`Input::Wake`]. The same inputs at the
//! same times give the same effects. Checking and opening shares is done inside, which takes milliseconds for a body
//! of a megabyte: the shell gives the archive a thread of its own.
//!
//! - **Gather**: asks the k fastest first, one more after each hedge delay, and everyone once something failed. A wrong
//!   share is an erasure, and whoever sent it is named. Late answers count as long as the gather lasts.
//! - **Resealed blocks**: a gather asks for shares of one dealing, the header's own or the later one that the shell names. A
//!   holder whose share is of a later one says so; once more members say the same than can be faulty, the gather turns to it.
//!   So a node that has not come to the resealing block yet opens what others have resealed already.
//! - **Reads** of the same block share one gather. At most 32 gathers run for reads, and 1,024 jobs wait.
//! - **Catch up**: a batch of headers under one certificate, checked back to the own tip; then block for block.
//! - **Leap**: a node that is thousands of blocks behind takes the state from a snapshot instead. Headers first; then the parts of the
//!   newest snapshot whose root stands in one, from all who hold it, each checked by itself; then block for block. Whenever that
//!   fails, it goes on block by block.
//! - **Deposits**: where a certificate does not prove that k honest members hold their share (k > n - 2f), a node keeps
//!   what the others need to get theirs back (a *deposit*) until k + f of them have signed that they hold it. When too few
//!   shares answer, a gather asks for the own share in the others' deposits (a *parcel*).
//! - **Repair**: newest first, paced, in passes; what cannot be repaired in one pass is tried in the next.
//!
//! Beside all this, [`durability`] calculates how long shares last under given risks.
//!
//! Invariants:
//! - [`Effect::Blame`] names nobody who answered honestly: only shares that their holder signed although they do not
//!   belong to the header, and headers, validators and parts of snapshots that no honest peer sends. Silence, refusal, slowness and answers that were
//!   spoiled on the way are never blamed.
//! - [`Effect::Apply`] comes in the order of heights without gaps, but for the leap to a snapshot, one at a time, and only for
//!   blocks that a certificate of the validators in force covers.
//! - Each purpose gathers by itself: holders log why they were asked, so a read never rides on a repair.
//! - [`Effect::Discharge`] comes only after verified receipts of k + f distinct members, this node among them or not.
//! - Every queue, set and wait is bounded.
#![deny(clippy::arithmetic_side_effects)]

mod api;
mod archive;

mod catch_up;
mod deposits;
mod leap;
mod parts;
mod reads;
mod repair;

mod gather;
mod headers;
mod peers;
mod ranges;

pub mod durability;

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
mod tests;

pub use api::{
    CertifiedBlock, Config, DivergenceReason, Effect, Fault, Input, JobId, Purpose, ReadError, RepairFailure,
    RepairProgress, RequestId, Resume, ShareRefusal, Shortfall, SyncPhase, SyncProgress, Tip,
};
pub use archive::Archive;
pub use headers::HeadersError;
