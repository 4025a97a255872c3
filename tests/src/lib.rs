//! Scenarios that need more than one crate, and the harness that runs real validators for them.
//!
//! A [`Network`] is a folder that `salus testnet` wrote and one operating-system process for each of its validators.
//! Whoever uses it sees what a hospital sees: processes, folders, and the public HTTP interface through
//! [`salus::remote`] and [`salus::session`]. Nothing here reaches into a node.
//!
//! ```text
//!   binary()  --path-->  Network::start  --spawns-->  4 x `salus start --home ...`   (killed when it is dropped)
//!                             |
//!                             +-- remote(i), staff(role, i), kill(i), launch(i), wait_...
//! ```
//!
//! - [`salus_binary`]: the program under test, built if need be;
//! - [`Network`]: start, kill, restart, wait;
//! - [`people`]: keys, registration and pipelined transactions of many people at once;
//! - [`storage`]: what storing and repairing shares costs.
//!
//! Invariants: every child process is killed and reaped when its [`Network`] is dropped, on a panic too; every wait has
//! a limit and its error shows the last lines of the logs of the validators.

mod binary;
mod network;
pub mod people;
pub mod storage;

pub use binary::{BinaryError, salus_binary};
pub use network::{Network, NetworkError, Options};
