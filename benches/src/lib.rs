//! Figures, measured: how fast the chain is, what it costs, and what bounds it.
//!
//! `salus-bench figures` starts real validators as processes on this machine, drives them through the public interface as
//! their clients would, and prints one JSON line for each figure and then a table. A group of figures is a module:
//!
//! | group | figures |
//! | --- | --- |
//! | [`throughput`] | committed transactions a second, latency at full and light load, CPU and memory of a validator |
//! | [`archive`] | what shares take on disks and on the wire, how fast blocks are sealed, opened and repaired |
//!
//! `salus-bench storage` is an experiment for researchers: [`storage`] goes over members, thresholds, sizes, schemes and faults, and
//! writes rows, pictures and a report.
//!
//! The rest: [`figures`] is what is printed,
//! [`machine`] what the measuring machine is and what its counters say (Linux: `/proc`),
//! [`disk`] what a validator's folder holds,
//! [`chart`] pictures, [`numbers`] what looks random, [`stats`] percentiles.
//!
//! Rules for every group: what is counted is counted on the chain, not in acknowledgements; the generator's own use of the
//! machine is shown beside the validators'; a run in which anything went wrong gives an error and no figure.

pub mod archive;
pub mod chart;
pub mod disk;
pub mod figures;
pub mod machine;
pub mod numbers;
pub mod stats;
pub mod storage;
pub mod throughput;
