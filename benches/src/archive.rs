//! The archive: what four validators keep, open and repair, and how fast blocks are sealed.
//!
//! ```text
//!   sealing      one processor, n = 10, k = 4, S = 16
//!   validators   4 processes: blocks of 1 MiB and of 64 KiB, every file counted; restarted, opened; one share log removed, rebuilt
//!   throughput   4 processes under full load of access transactions: what each of them adds to a disk
//!   storage      members in one process: a joiner takes its spare share, and nobody else writes
//! ```
//!
//! Blocks are filled with transactions whose inputs are random bytes: they are signed, admitted, agreed on, stored and indexed like
//! any other, and fail when they are executed, since the contract has no such entry.

mod sealing;
mod validators;

use crate::disk::DataFolder;
use crate::figures::{Report, Target};
use crate::machine::{self, CounterError};
use crate::numbers::Numbers;
use crate::stats::Sorted;
use crate::storage::{StorageError, joined_beside};
use crate::throughput::{self, BenchError, Kept};
use salus::remote::RemoteError;
use salus_tests::{Network, NetworkError, Options};
use sealing::Rates;
use std::path::PathBuf;
use std::time::Duration;
use validators::{Filled, Filling, Repaired};

/// k of four validators.
const THRESHOLD: f64 = 2.0;
/// 13 transactions of this size, nearly the largest there may be, fill a block of 1 MiB.
const LARGE: Filling = Filling {
    input_bytes: 80_400,
    at_once: 13,
    senders: 4,
};
/// One transaction a block.
const MIDDLE: Filling = Filling {
    input_bytes: (64 << 10) - 600,
    at_once: 1,
    senders: 1,
};
/// A block counts as one of 1 MiB from here on.
const FULL: u64 = (1 << 20) * 9 / 10;

/// How to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What everything that looks random follows from.
    pub seed: u64,
    /// Blocks of 1 MiB, at least 10.
    pub large_blocks: u64,
    /// Blocks of 64 KiB. The index begins with a few megabytes that do not grow, so it takes many to see what one costs.
    pub middle_blocks: u64,
    /// How often blocks are opened.
    pub openings: usize,
    /// How access transactions are sent.
    pub load: throughput::Settings,
    /// Where the validators' folders are made; `None` for the system's folder for temporary files.
    pub parent: Option<PathBuf>,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The validators.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A validator's answer.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// A validator's folder.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The machine's counters.
    #[error(transparent)]
    Counter(#[from] CounterError),
    /// The load of access transactions.
    #[error(transparent)]
    Load(#[from] BenchError),
    /// The members in one process.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Something else than planned happened, so figures would mean nothing.
    #[error("the run is void: {0}")]
    Void(String),
}

/// Measures the whole group.
///
/// # Errors
///
/// When validators do not run, or anything is refused, lost or opened otherwise than it was sealed.
pub async fn run(settings: &Settings, progress: impl Fn(&str)) -> Result<Report, ArchiveError> {
    let (description, load_before) = (machine::description(), machine::load());
    let mut report = Report::default();
    progress("sealing, checking and opening 1 MiB on one processor");
    sealed(&mut report, &sealing::measure(settings.seed)?);
    progress("a member joins others in one process");
    joined(
        &mut report,
        joined_beside(settings.parent.as_deref(), settings.seed)?,
    );
    let mut numbers = Numbers::of(settings.seed, "archive");
    progress("four validators: blocks of 64 KiB");
    let network = start(settings).await?;
    let filled = watched(
        &network,
        validators::fill(&network, &MIDDLE, settings.middle_blocks, &mut numbers),
    )
    .await?;
    kept(&mut report, &filled, &MIDDLE_NAMES);
    drop(network);
    progress("four validators: blocks of 1 MiB");
    let network = start(settings).await?;
    let filled = watched(
        &network,
        validators::fill(&network, &LARGE, settings.large_blocks, &mut numbers),
    )
    .await?;
    kept(&mut report, &filled, &LARGE_NAMES);
    whole(&mut report, &filled);
    progress("opening them after a restart");
    let full: Vec<u64> = filled
        .blocks
        .iter()
        .filter(|(_, length)| *length >= FULL)
        .map(|(height, _)| *height)
        .collect();
    if full.is_empty() {
        return Err(ArchiveError::Void("no block was full".into()));
    }
    validators::restart(&network).await?;
    let opened = watched(
        &network,
        validators::reconstruct(&network, &full, settings.openings),
    )
    .await?;
    reconstructed(&mut report, opened);
    progress("repairing a removed share log");
    let all = bodies_up_to_now(&network).await?;
    repaired(&mut report, &validators::repair(&network).await?, all);
    drop(network);
    progress("access transactions at full load");
    let added = throughput::kept(&settings.load, &progress).await?;
    accessed(&mut report, &added);
    report.notes.push(description);
    report.notes.push(format!(
        "Other work on the machine: load {load_before:.1} when it began, {:.1} when it ended.",
        machine::load()
    ));
    Ok(report)
}

async fn start(settings: &Settings) -> Result<Network, ArchiveError> {
    let options = Options {
        parent: settings.parent.clone(),
        patience: Duration::from_secs(180),
        ..Options::default()
    };
    Ok(Network::start(options).await?)
}

/// Unless a validator ends by itself.
async fn watched<T>(
    network: &Network,
    work: impl Future<Output = Result<T, ArchiveError>>,
) -> Result<T, ArchiveError> {
    tokio::select! {
        done = work => done,
        error = network.until_one_ends() => Err(error.into()),
    }
}

async fn bodies_up_to_now(network: &Network) -> Result<u64, ArchiveError> {
    Ok(network.remote(0)?.status().await?.storage.full_replication_bytes)
}

fn sealed(report: &mut Report, rates: &Rates) {
    let Rates {
        seal,
        check,
        open_originals,
        open_parity,
    } = *rates;
    for (name, value, target) in [
        ("seal_gb_per_s", seal, 0.7),
        ("check_dealing_gb_per_s", check, 0.7),
        ("open_originals_gb_per_s", open_originals, 2.0),
        ("open_parity_gb_per_s", open_parity, 1.5),
    ] {
        report.add(
            name,
            value,
            "GB/s",
            Some(Target::AtLeast(target)),
            sealing::REPEATS,
        );
    }
}

fn joined(report: &mut Report, rewritten: u64) {
    let target = Some(Target::AtMost(0.0));
    report.add("join_rewritten_bytes", rewritten as f64, "B", target, 10);
}

/// Names and targets of a size's figures.
struct Names {
    record: &'static str,
    record_target: Option<Target>,
    total: &'static str,
    total_target: Target,
    body: &'static str,
}

const LARGE_NAMES: Names = Names {
    record: "share_record_over_kth_1mib",
    record_target: Some(Target::AtMost(1.005)),
    total: "disk_over_kth_1mib",
    total_target: Target::AtMost(1.03),
    body: "mean_body_1mib",
};

const MIDDLE_NAMES: Names = Names {
    record: "share_record_over_kth_64kib",
    record_target: None,
    total: "disk_over_kth_64kib",
    total_target: Target::AtMost(1.1),
    body: "mean_body_64kib",
};

/// What validators keep, against a k-th of the bodies: the mean of all four, with all that their folders held before the first
/// block.
fn kept(report: &mut Report, filled: &Filled, names: &Names) {
    let blocks = filled.blocks.len();
    let kth = filled.bodies() as f64 / THRESHOLD;
    let over_kth = |part: &dyn Fn(&DataFolder) -> u64| {
        let all: u64 = filled.folders.iter().map(part).sum();
        all as f64 / filled.folders.len().max(1) as f64 / kth
    };
    let record = over_kth(&|folder| folder.shares.length);
    report.add(names.record, record, "1", names.record_target, blocks);
    report.add(
        names.total,
        over_kth(&everything),
        "1",
        Some(names.total_target),
        blocks,
    );
    let mean = filled.bodies() as f64 / blocks.max(1) as f64;
    report.add(names.body, mean, "B", None, blocks);
    let percent = |part: &dyn Fn(&DataFolder) -> u64| 100.0 * over_kth(part);
    report.notes.push(format!(
        "Blocks of {:.0} bytes on average: of a k-th of their bodies, the share log takes {:.2} %, the index {:.2} %, the consensus log {:.2} %, the \
         rest {:.2} %, by what the file system has set aside.",
        mean,
        percent(&|folder| folder.shares.most()),
        percent(&|folder| folder.index.most()),
        percent(&|folder| folder.wal.most()),
        percent(&|folder| folder.rest.most() + folder.pieces.most()),
    ));
}

fn everything(folder: &DataFolder) -> u64 {
    folder.total().most()
}

fn whole(report: &mut Report, filled: &Filled) {
    let all: u64 = filled.folders.iter().map(everything).sum();
    let copies = all as f64 / filled.bodies().max(1) as f64;
    let target = Some(Target::AtMost(2.06));
    report.add(
        "disk_of_four_over_body_1mib",
        copies,
        "1",
        target,
        filled.blocks.len(),
    );
}

fn reconstructed(report: &mut Report, opened: Vec<Duration>) {
    let sorted = Sorted::new(opened);
    let (count, target) = (sorted.count(), Some(Target::AtMost(15.0)));
    report.add(
        "reconstruct_1mib_p50_ms",
        sorted.percentile_ms(50),
        "ms",
        target,
        count,
    );
    report.add(
        "reconstruct_1mib_p99_ms",
        sorted.percentile_ms(99),
        "ms",
        None,
        count,
    );
}

fn repaired(report: &mut Report, repaired: &Repaired, bodies: u64) {
    let blocks = usize::try_from(repaired.count).unwrap_or(usize::MAX);
    let over = |bytes: u64| bytes as f64 / bodies.max(1) as f64;
    let target = Some(Target::AtMost(1.02));
    report.add(
        "repair_bytes_over_body",
        over(repaired.shares),
        "1",
        target,
        blocks,
    );
    report.add(
        "repair_wire_bytes_over_body",
        over(repaired.wire),
        "1",
        None,
        blocks,
    );
    report.add("repair_seconds", repaired.took.as_secs_f64(), "s", None, blocks);
}

fn accessed(report: &mut Report, kept: &Kept) {
    let each = |bytes: u64| bytes as f64 / kept.transactions.max(1) as f64;
    let (count, target) = (kept.transactions, Some(Target::AtMost(160.0)));
    report.add(
        "disk_bytes_per_access_tx_per_node",
        each(kept.everything),
        "B",
        target,
        count,
    );
    report.add("body_bytes_per_access_tx", each(kept.bodies), "B", None, count);
    report.notes.push(format!(
        "An access transaction takes {:.0} bytes of a body and {:.1} on each disk: share log {:.1}, index and state {:.1}, consensus log and the rest {:.1}; {} \
         transactions in {} blocks.",
        each(kept.bodies),
        each(kept.everything),
        each(kept.shares),
        each(kept.index),
        each(kept.everything) - each(kept.shares) - each(kept.index),
        kept.transactions,
        kept.blocks,
    ));
}
