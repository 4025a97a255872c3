//! `salus-bench`: measures the figures of this build on this machine.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

use clap::{Parser, Subcommand, ValueEnum};
use salus_bench::figures::Report;
use salus_bench::throughput::{self, Settings};
use salus_bench::{archive, storage};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Measures the figures of this build on this machine.
#[derive(Debug, Parser)]
#[command(name = "salus-bench", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start validators, drive them, and print one JSON line for each figure and then a table.
    ///
    /// Needs the `salus` binary of the same build, and builds it if it is missing or older than its sources.
    Figures(FiguresArguments),
    /// Measure what shares cost and give, over members, thresholds, sizes of blocks, schemes and faults; write rows, pictures and a
    /// report.
    Storage(StorageArguments),
}

#[derive(Debug, clap::Args)]
struct StorageArguments {
    /// A part of it, in less than a minute.
    #[arg(long)]
    quick: bool,
    /// The folder for the results.
    #[arg(long, value_name = "DIR", default_value = "storage-results")]
    out: PathBuf,
    /// What everything that looks random follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the members' folders are made; the system's folder for temporary files without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct FiguresArguments {
    /// Only these groups of figures; all without it.
    #[arg(long, value_name = "GROUP")]
    only: Vec<Group>,
    /// Seconds of full load that are measured.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Seconds of full load before that.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=600))]
    warm_up: u64,
    /// Doctors that ask, each with keys of its own.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(4..=256))]
    doctors: u16,
    /// Transactions under way at any time at full load.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    in_flight: u16,
    /// Seconds of light load.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    light_seconds: u64,
    /// Transactions a second at light load.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    light_rate: u32,
    /// Transactions a second that are signed before the full load; what goes beyond is signed during it.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u16).range(0..=20_000))]
    signed_per_second: u16,
    /// Where the validators' folders are made; the system's folder for temporary files without it.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Blocks of 1 MiB that are made for the archive's figures.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(10..=10_000))]
    large_blocks: u64,
    /// Blocks of 64 KiB.
    #[arg(long, default_value_t = 1_600, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    middle_blocks: u64,
    /// What everything that looks random follows from; for the archive.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Exit with code 1 if a figure misses its target.
    #[arg(long)]
    check: bool,
}

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Committed transactions a second, latency, CPU and memory.
    Throughput,
    /// What shares take on disks and on the wire, and how fast blocks are sealed, opened and repaired.
    Archive,
}

impl FiguresArguments {
    fn archive(&self) -> archive::Settings {
        archive::Settings {
            seed: self.seed,
            large_blocks: self.large_blocks,
            middle_blocks: self.middle_blocks,
            openings: 120,
            load: self.throughput(),
            parent: self.dir.clone(),
        }
    }

    fn wants(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }

    fn throughput(&self) -> Settings {
        Settings {
            doctors: self.doctors.into(),
            in_flight: self.in_flight.into(),
            warm_up: Duration::from_secs(self.warm_up),
            window: Duration::from_secs(self.seconds),
            light: Duration::from_secs(self.light_seconds),
            light_rate: self.light_rate,
            signed_per_second: self.signed_per_second.into(),
            parent: self.dir.clone(),
        }
    }
}

fn main() -> ExitCode {
    salus::memory::keep_block_buffers();
    let Arguments { command } = Arguments::parse();
    // One thread: the generator shares the machine with the validators, and should take little and know what it takes.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let outcome = match command {
        // What was begun is dropped when a signal comes first, and its validators are killed with it.
        Command::Figures(arguments) => runtime.block_on(async {
            tokio::select! {
                outcome = figures(&arguments) => outcome,
                () = interrupted() => Err("interrupted: nothing was measured, all validators were stopped".into()),
            }
        }),
        Command::Storage(arguments) => runtime.block_on(store(arguments)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

/// Runs the storage experiment; a signal ends it after the network that is being measured, so that its folders are removed.
async fn store(arguments: StorageArguments) -> Result<bool, String> {
    let settings = storage::Settings {
        quick: arguments.quick,
        out: arguments.out,
        seed: arguments.seed,
        parent: arguments.dir,
    };
    let going = Arc::new(AtomicBool::new(true));
    let goes_on = Arc::clone(&going);
    let out = settings.out.clone();
    let mut running = tokio::task::spawn_blocking(move || {
        storage::run(&settings, |what| {
            eprintln!("{what} ...");
            goes_on.load(Ordering::Relaxed)
        })
    });
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = interrupted() => {
            going.store(false, Ordering::Relaxed);
            eprintln!("stopping after this network ...");
            running.await
        }
    };
    ended
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    println!("{}", out.join("report.md").display());
    Ok(true)
}

fn failed(error: &str) -> ExitCode {
    eprintln!("salus-bench: {error}");
    ExitCode::from(2)
}

/// Measures and prints; whether all is as it should be.
async fn figures(arguments: &FiguresArguments) -> Result<bool, String> {
    let progress = |what: &str| eprintln!("{what} ...");
    let mut good = true;
    if arguments.wants(Group::Throughput) {
        let measured = throughput::run(&arguments.throughput(), progress).await;
        good &= print(&measured.map_err(|error| error.to_string())?)?;
    }
    if arguments.wants(Group::Archive) {
        let measured = archive::run(&arguments.archive(), progress).await;
        good &= print(&measured.map_err(|error| error.to_string())?)?;
    }
    Ok(good || !arguments.check)
}

/// Prints a group's figures; whether all keep their targets.
fn print(report: &Report) -> Result<bool, String> {
    for line in report.json_lines().map_err(|error| error.to_string())? {
        println!("{line}");
    }
    println!("\n{}", report.markdown());
    Ok(report.keeps_all_targets())
}

async fn interrupted() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
