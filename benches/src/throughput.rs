//! Committed transactions: how many a second, after how long, at what cost.
//!
//! Four validators run as processes on this machine. Doctors of all four hospitals ask for a patient's record, each with
//! keys of its own, and are all permitted: every transaction is a full access decision that writes a ticket and a log entry.
//!
//! ```text
//!   crowd: doctors ----- signed beforehand ----.
//!                                              v
//!   load: one lane for each validator --POST /v1/transactions/batch--> validators 0..3
//!            ^                                                             |
//!            '--- room in a doctor's window --- watch <--GET /v1/events--- validator 0
//!
//!   ledger: afterwards, from the blocks themselves: how many transactions were committed between two blocks
//! ```
//!
//! Full load is a closed loop: so many transactions are under way at any time, never more, so the pool never overflows.
//! A transaction's latency runs from the moment its batch is about to be sent until its access event is read from the event
//! stream; every transaction of the window is measured. At light load transactions are sent one by one at fixed times, and
//! a latency runs until the answer to `?wait=commit` is there.

mod crowd;
mod ledger;
mod load;
mod watch;

use crate::disk::DataFolder;
use crate::figures::{Report, Target};
use crate::machine::{self, CounterError, MachineCounters, ProcessCounters};
use crate::stats::Sorted;
use crowd::Crowd;
use ledger::Counted;
use salus::remote::RemoteError;
use salus::session::SessionError;
use salus_tests::{Network, NetworkError, Options};
use std::path::PathBuf;
use std::time::Duration;

/// Transactions that one block of a validator holds, at most: its own bound, which the report compares with.
const BLOCK_TRANSACTIONS_MAX: usize = 1_500;

/// How to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Doctors that ask, 4 to 256: so many grants can one patient give.
    pub doctors: usize,
    /// Transactions under way at any time at full load.
    pub in_flight: usize,
    /// Full load before the measured window.
    pub warm_up: Duration,
    /// The measured window.
    pub window: Duration,
    /// How long light load lasts.
    pub light: Duration,
    /// Transactions a second at light load.
    pub light_rate: u32,
    /// Transactions a second for which signatures are made beforehand.
    pub signed_per_second: usize,
    /// Where the validators' folders are made; `None` for the system's folder for temporary files.
    pub parent: Option<PathBuf>,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The validators.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A step of the preparation.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A validator's answer.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The machine's counters.
    #[error(transparent)]
    Counter(#[from] CounterError),
    /// A validator's folder.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A request of the generator.
    #[error("the generator could not reach a validator: {0}")]
    Http(#[from] reqwest::Error),
    /// Something else than planned happened, so figures would mean nothing.
    #[error("the run is void: {0}")]
    Void(String),
}

/// What was counted at one moment.
struct Moment {
    validators: Vec<ProcessCounters>,
    generator: ProcessCounters,
    machine: MachineCounters,
}

impl Moment {
    fn read(network: &Network) -> Result<Self, CounterError> {
        Ok(Self {
            validators: network
                .processes()
                .into_iter()
                .map(ProcessCounters::read)
                .collect::<Result<_, _>>()?,
            generator: ProcessCounters::read(std::process::id())?,
            machine: MachineCounters::read()?,
        })
    }
}

/// What one validator keeps of access transactions, on average over all of them: bytes that the file system has set aside.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// How many were committed.
    pub transactions: usize,
    /// In how many blocks.
    pub blocks: usize,
    /// Bytes of the blocks' bodies.
    pub bodies: u64,
    /// The whole folder.
    pub everything: u64,
    /// Of it the share log.
    pub shares: u64,
    /// Of it headers, indexes and state.
    pub index: u64,
}

/// Full load on a network of its own, and what its disks hold after it: everything since the genesis, people, grants and a
/// record included.
///
/// # Errors
///
/// As [`run`].
pub async fn kept(settings: &Settings, progress: impl Fn(&str)) -> Result<Kept, BenchError> {
    let options = Options {
        parent: settings.parent.clone(),
        ..Options::default()
    };
    let network = Network::start(options).await?;
    let measured = async {
        loaded(&network, settings, &progress).await?;
        let last = network.remote(3)?.status().await?.height;
        for validator in 0..network.validators() {
            network.wait_height(validator, last).await?;
        }
        let folders: Vec<DataFolder> = (0..network.validators())
            .map(|validator| Ok(DataFolder::count(&network.home(validator)?.join("data"))?))
            .collect::<Result<_, BenchError>>()?;
        let counted = ledger::count(&network.remote(3)?, 1, last).await?;
        Ok(kept_of(&folders, &counted))
    };
    tokio::select! {
        kept = measured => kept,
        error = network.until_one_ends() => Err(error.into()),
    }
}

fn kept_of(folders: &[DataFolder], counted: &Counted) -> Kept {
    let mean = |part: fn(&DataFolder) -> u64| {
        let all: u64 = folders.iter().map(part).sum();
        all / u64::try_from(folders.len()).unwrap_or(u64::MAX).max(1)
    };
    Kept {
        transactions: counted.transactions,
        blocks: counted.blocks,
        bodies: counted.bodies,
        everything: mean(|folder| folder.total().most()),
        shares: mean(|folder| folder.shares.most()),
        index: mean(|folder| folder.index.most()),
    }
}

/// Measures the whole group on a network of its own, which is gone afterwards.
///
/// # Errors
///
/// When the network does not run, or anything is refused, denied, lost or late.
pub async fn run(settings: &Settings, progress: impl Fn(&str)) -> Result<Report, BenchError> {
    progress("starting four validators");
    let options = Options {
        parent: settings.parent.clone(),
        ..Options::default()
    };
    let network = Network::start(options).await?;
    tokio::select! {
        report = measure(&network, settings, progress) => report,
        error = network.until_one_ends() => Err(error.into()),
    }
}

async fn measure(
    network: &Network,
    settings: &Settings,
    progress: impl Fn(&str),
) -> Result<Report, BenchError> {
    let (crowd, full, expires) = loaded(network, settings, &progress).await?;
    progress("counting on the chain");
    let counted = ledger::count(&network.remote(3)?, full.first, full.last).await?;
    ledger::check_sequences(&network.remote(3)?, &crowd, &full.sent).await?;
    progress(&format!(
        "light load: {} a second for {} s",
        settings.light_rate,
        settings.light.as_secs()
    ));
    let light = load::light(network, &crowd, &full.sent, expires, settings).await?;
    Ok(report(settings, &full, &counted, light))
}

/// Gathers people, signs, and drives full load.
async fn loaded(
    network: &Network,
    settings: &Settings,
    progress: &impl Fn(&str),
) -> Result<(Crowd, load::Full, u64), BenchError> {
    progress(&format!(
        "registering a patient and {} doctors, storing a record, granting",
        settings.doctors
    ));
    let crowd = Crowd::gather(network, settings.doctors).await?;
    progress("signing");
    let planned = settings
        .signed_per_second
        .saturating_mul(seconds_up(settings.warm_up + settings.window));
    let expires = network.remote(0)?.status().await?.height.saturating_add(50_000);
    let signed = crowd.sign(planned, expires);
    progress(&format!(
        "full load: {} s to warm up, {} s measured",
        settings.warm_up.as_secs(),
        settings.window.as_secs()
    ));
    let full = load::full(network, &crowd, signed, expires, settings).await?;
    Ok((crowd, full, expires))
}

fn seconds_up(duration: Duration) -> usize {
    usize::try_from(duration.as_millis().div_ceil(1_000)).unwrap_or(usize::MAX)
}

fn report(settings: &Settings, full: &load::Full, counted: &Counted, light: Vec<Duration>) -> Report {
    let use_ = Use::between(&full.before, &full.after, full.took);
    let thousands = counted.transactions as f64 / 1e3;
    let latencies = Sorted::new(full.latencies.clone());
    let light = Sorted::new(light);
    let (samples, quiet) = (latencies.count(), light.count());
    let nodes = full.after.validators.len();
    let resident = |bytes: fn(&ProcessCounters) -> u64| {
        full.after.validators.iter().map(bytes).max().unwrap_or(0) as f64 / f64::from(1 << 20)
    };
    let mut report = Report::default();
    let rate = counted.rate();
    report.add(
        "committed_tx_per_s",
        rate,
        "1/s",
        Some(Target::AtLeast(1_000.0)),
        counted.transactions,
    );
    report.add(
        "p50_full_load_ms",
        latencies.percentile_ms(50),
        "ms",
        None,
        samples,
    );
    report.add(
        "p99_full_load_ms",
        latencies.percentile_ms(99),
        "ms",
        Some(Target::Below(2_000.0)),
        samples,
    );
    report.add(
        "p50_light_ms",
        light.percentile_ms(50),
        "ms",
        Some(Target::Below(150.0)),
        quiet,
    );
    report.add("p99_light_ms", light.percentile_ms(99), "ms", None, quiet);
    let cpu = use_.validators.as_secs_f64() / nodes.max(1) as f64 / thousands;
    report.add("cpu_s_per_1000_tx_per_node", cpu, "s", None, nodes);
    let generator = use_.generator.as_secs_f64() / thousands;
    report.add("cpu_s_per_1000_tx_generator", generator, "s", None, 1);
    report.add(
        "rss_mib_per_node_max",
        resident(|one| one.resident),
        "MiB",
        None,
        nodes,
    );
    report.add(
        "rss_peak_mib_per_node_max",
        resident(|one| one.resident_peak),
        "MiB",
        None,
        nodes,
    );
    report.add(
        "blocks_per_s",
        counted.blocks as f64 / counted.span.as_secs_f64(),
        "1/s",
        None,
        counted.blocks,
    );
    let written = use_.written as f64 / nodes.max(1) as f64 / counted.transactions.max(1) as f64;
    report.add("disk_bytes_written_per_tx_per_node", written, "B", None, nodes);
    report.notes.push(machine::description());
    report.notes.push(use_.text(nodes));
    report.notes.push(bound(settings, &use_, counted));
    report.notes.push(format!(
        "Full load: {} doctors, {} transactions under way, batches of up to {} to four validators; counted on the chain in {} \
         blocks over {:.1} s. {} transactions were signed before the load, {} during it. Every one of {} transactions was \
         executed once and permitted. Light load: {} a second, {} transactions.",
        settings.doctors,
        settings.in_flight,
        load::BATCH_MAX,
        counted.blocks,
        counted.span.as_secs_f64(),
        full.signed_before,
        full.signed_during,
        full.sent.iter().sum::<usize>(),
        settings.light_rate,
        quiet,
    ));
    report
}

/// What the window took of the machine.
struct Use {
    took: Duration,
    validators: Duration,
    generator: Duration,
    machine: MachineCounters,
    written: u64,
}

impl Use {
    fn between(before: &Moment, after: &Moment, took: Duration) -> Self {
        let pairs = || before.validators.iter().zip(&after.validators);
        Self {
            took,
            validators: pairs()
                .map(|(before, after)| after.cpu.saturating_sub(before.cpu))
                .sum(),
            generator: after.generator.cpu.saturating_sub(before.generator.cpu),
            machine: after.machine.since(&before.machine),
            written: pairs()
                .map(|(before, after)| after.written.saturating_sub(before.written))
                .sum(),
        }
    }

    fn percent(&self, time: Duration) -> f64 {
        100.0 * time.as_secs_f64() / self.machine.total.as_secs_f64().max(1e-9)
    }

    /// Everything but having nothing to do, with or without waiting for a disk.
    fn busy(&self) -> Duration {
        self.machine
            .total
            .saturating_sub(self.machine.idle)
            .saturating_sub(self.machine.disk_wait)
    }

    fn others(&self) -> Duration {
        self.busy()
            .saturating_sub(self.validators)
            .saturating_sub(self.generator)
    }

    fn text(&self, nodes: usize) -> String {
        format!(
            "All processors together: {nodes} validators {:.0} %, generator {:.0} %, everything else and the kernel {:.0} %, \
             waiting for the disk {:.0} %, idle {:.0} %. Disk: {:.1} MiB/s.",
            self.percent(self.validators),
            self.percent(self.generator),
            self.percent(self.others()),
            self.percent(self.machine.disk_wait),
            self.percent(self.machine.idle),
            self.written as f64 / f64::from(1 << 20) / self.took.as_secs_f64(),
        )
    }
}

/// What bounds the throughput, as far as counters tell.
fn bound(settings: &Settings, use_: &Use, counted: &Counted) -> String {
    let mean = counted.transactions / counted.blocks.max(1);
    let busy = use_.percent(use_.busy());
    let what = if busy >= 90.0 {
        let share = use_.percent(use_.validators);
        format!("the processors, {busy:.0} % busy, {share:.0} % with the validators' own work")
    } else if mean * 10 >= BLOCK_TRANSACTIONS_MAX * 9 {
        format!("the transactions of a block, {mean} of at most {BLOCK_TRANSACTIONS_MAX}")
    } else if use_.percent(use_.machine.disk_wait) >= 100.0 - busy - 10.0 {
        format!("the disk: the processors are {busy:.0} % busy and wait for it most of the rest")
    } else {
        format!(
            "the rounds of consensus: with {} transactions under way and {mean} a block, the processors are {busy:.0} % busy",
            settings.in_flight
        )
    };
    let largest = counted.largest;
    format!("Bound by {what}. Transactions of a block: {mean} on average, {largest} at most.")
}
