//! What the measuring machine is, and what its counters say. Linux only: everything comes from `/proc`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Why a counter can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{path} can't be read or is not what Linux writes there: figures are measured on Linux only")]
pub struct CounterError {
    path: String,
}

/// What the machine has counted for one process since it was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessCounters {
    /// Time on a processor, in user and system mode, of all threads.
    pub cpu: Duration,
    /// Memory held now, in bytes.
    pub resident: u64,
    /// The most memory held at a time, in bytes.
    pub resident_peak: u64,
    /// Bytes handed to the disk.
    pub written: u64,
}

/// What the machine has counted for all its processors since it was started.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineCounters {
    /// Time of all processors together.
    pub total: Duration,
    /// Time in which they had nothing to do.
    pub idle: Duration,
    /// Time in which they had nothing to do but wait for a disk.
    pub disk_wait: Duration,
}

/// How many times a second the kernel's clock for these counters ticks: 100 on nearly every Linux.
fn ticks_per_second() -> u64 {
    static TICKS: OnceLock<u64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let asked = Command::new("getconf").arg("CLK_TCK").output().ok();
        asked
            .and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok())
            .unwrap_or(100)
    })
}

fn read(path: &str) -> Result<String, CounterError> {
    fs::read_to_string(path).map_err(|_| CounterError {
        path: path.to_owned(),
    })
}

impl ProcessCounters {
    /// Reads the counters of a process that runs.
    ///
    /// # Errors
    ///
    /// When there is no such process, or this is not Linux.
    pub fn read(process: u32) -> Result<Self, CounterError> {
        let path = format!("/proc/{process}/stat");
        let strange = || CounterError { path: path.clone() };
        let stat = read(&path)?;
        // The name of the program, in parentheses, may contain anything: count from its end. proc_pid_stat(5).
        let (_, fields) = stat.rsplit_once(") ").ok_or_else(strange)?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<u64>().ok())
                .ok_or_else(strange)
        };
        let (user, system) = (ticks(11)?, ticks(12)?);
        let status = read(&format!("/proc/{process}/status"))?;
        let io = read(&format!("/proc/{process}/io")).unwrap_or_default();
        Ok(Self {
            cpu: Duration::from_millis((user + system) * 1_000 / ticks_per_second()),
            resident: number_after(&status, "VmRSS:") * 1024,
            resident_peak: number_after(&status, "VmHWM:") * 1024,
            written: number_after(&io, "write_bytes:"),
        })
    }
}

/// Time that the calling thread has spent on a processor: of two readings only the difference means something.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)).saturating_add(Duration::from_nanos(part(time.tv_nsec)))
}

/// What `/proc/loadavg` says of the last minute: how many tasks ran or wanted to.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or_default()
}

impl MachineCounters {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// When this is not Linux.
    pub fn read() -> Result<Self, CounterError> {
        let path = "/proc/stat";
        let stat = read(path)?;
        let line = stat.lines().next().unwrap_or_default();
        // user nice system idle iowait irq softirq steal; guest time is part of user time.
        let ticks: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|field| field.parse().ok())
            .collect();
        let [_, _, _, idle, disk_wait, ..] = ticks.as_slice() else {
            return Err(CounterError {
                path: path.to_owned(),
            });
        };
        let per_second = ticks_per_second();
        let time = |ticks: u64| Duration::from_millis(ticks * 1_000 / per_second);
        Ok(Self {
            total: time(ticks.iter().sum()),
            idle: time(*idle),
            disk_wait: time(*disk_wait),
        })
    }

    /// What was counted since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            idle: self.idle.saturating_sub(earlier.idle),
            disk_wait: self.disk_wait.saturating_sub(earlier.disk_wait),
        }
    }
}

fn number_after(text: &str, label: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// One line on the machine and the code, for a report.
pub fn description() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| {
        line.strip_prefix("model name")?
            .split_once(": ")
            .map(|(_, name)| name)
    });
    let memory = number_after(
        &fs::read_to_string("/proc/meminfo").unwrap_or_default(),
        "MemTotal:",
    ) >> 20;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let build = if cfg!(debug_assertions) {
        "debug build: the figures mean nothing"
    } else {
        "release build"
    };
    format!(
        "Machine: {cores} cores, {}, {memory} GiB, Linux {}. Code: {}, {build}.",
        model.unwrap_or("unknown processor").trim(),
        kernel.trim(),
        revision()
    )
}

/// The commit that was measured, and whether the tree differed from it.
fn revision() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
            .args(arguments)
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout)
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown commit".into();
    };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    if changed {
        format!("commit {hash} with changes")
    } else {
        format!("commit {hash}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_this_process_and_machine_can_be_read() {
        let own = ProcessCounters::read(std::process::id()).unwrap();
        assert!(own.resident > 0 && own.resident_peak >= own.resident);
        assert!(ProcessCounters::read(u32::MAX).is_err());
        let machine = MachineCounters::read().unwrap();
        assert!(machine.total > machine.idle);
        assert!(description().contains("cores"));
        let before = thread_cpu();
        let sum: u64 = (0..3_000_000u64).map(std::hint::black_box).sum();
        assert!(sum > 0 && thread_cpu() > before);
    }
}
