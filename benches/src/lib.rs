//! Figures, measured: how fast the chain is, what it costs, and what bounds it.
//!
//! `salus-bench figures` starts real validators as processes on this machine, drives them through the public interface as
//! their clients would, and prints one JSON line for each figure and then a table. A group of figures is a module:
//!
//! | group | figures |
//! | --- | --- |
//! | [`throughput`] | committed transactions a second, latency at full and light load, CPU and memory of a validator |
//!
//! The rest: [`figures`] is what is printed,
//! [`machine`] what the measuring machine is and what its counters say (Linux: `/proc`),
//! [`stats`] percentiles.
//!
//! Rules for every group: what is counted is counted on the chain, not in acknowledgements; the generator's own use of the
//! machine is shown beside the validators'; a run in which anything went wrong gives an error and no figure.

pub mod chart;
pub mod disk;
pub mod figures;
pub mod machine;
pub mod numbers;
pub mod stats;
pub mod storage;
pub mod throughput;
