use super::output::{Output, bytes_text, table};
use super::{CliError, NodeArguments, progress};
use crate::clock::Clock;
use crate::remote::Status;
use serde_json::Value;

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// Show a progress bar until the validator is in step and has all its shares; with --json, a line for each look.
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(arguments: &StatusArguments, output: Output) -> Result<(), CliError> {
    let remote = arguments.node.remote()?;
    if arguments.watch {
        progress::watch(&remote, output).await?;
    }
    let status = remote.status().await?;
    let mut value: Value = remote.get("/v1/status").await?;
    let members: Value = remote.get("/v1/members").await?;
    let faults = faults(&members);
    let mut rows = chain_rows(&status);
    if status.repair.missing > 0 {
        rows.extend(repair_rows(&status));
    }
    rows.extend(scrub_rows(&status));
    rows.extend(storage_rows(&status));
    rows.push(("proven faults", faults_text(&faults)));
    if let Some(fields) = value.as_object_mut() {
        fields.insert("faults".into(), faults.into());
    }
    output.result(&table(&rows), &value);
    Ok(())
}

fn chain_rows(status: &Status) -> Vec<(&'static str, String)> {
    let others = status.validators.saturating_sub(1);
    vec![
        ("network", status.name.clone()),
        ("member", status.member.to_string()),
        ("height", status.height.to_string()),
        ("state", progress::state(status)),
        ("peers", format!("{} of {others}", status.peers)),
        ("shares to open", status.threshold.to_string()),
        ("blocks open for", status.open_policy.clone()),
        ("waiting transactions", status.mempool.to_string()),
        ("reseal", reseal_text(status)),
    ]
}

fn reseal_text(status: &Status) -> String {
    match status.reseal {
        None => "none so far".into(),
        Some(job) if job.is_open() => format!(
            "{} of {} blocks dealt anew, from {} to {}",
            job.done, job.total, job.from, job.to
        ),
        Some(job) => format!("done: {} blocks, from {} to {}", job.total, job.from, job.to),
    }
}

/// What is missing, and how it goes.
pub(super) fn repair_rows(status: &Status) -> Vec<(&'static str, String)> {
    let repair = &status.repair;
    let failed = &repair.failed;
    let background = repair.missing.saturating_sub(repair.urgent);
    let left = match (repair.missing, repair.estimate_ms) {
        (0, _) => "nothing to do".into(),
        (_, Some(ms)) => passed_text(ms),
        (_, None) => "not known: nothing can be rebuilt right now".into(),
    };
    vec![
        (
            "missing shares",
            format!("{} urgent, {background} in the background", repair.urgent),
        ),
        ("rebuilt since the start", repair.repaired.to_string()),
        ("time left", left),
        (
            "failed tries",
            format!(
                "{} for too few shares, {} without header, {} that did not open",
                failed.too_few_shares, failed.no_header, failed.unopenable
            ),
        ),
    ]
}

/// How the rolling check goes.
pub(super) fn scrub_rows(status: &Status) -> Vec<(&'static str, String)> {
    let scrub = &status.scrub;
    let last = match &scrub.last {
        None => "not finished yet".into(),
        Some(pass) => format!(
            "{} shares, {} damaged, {} of them rebuilt; took {}, ended {} ago",
            pass.checked,
            pass.damaged,
            pass.repaired,
            passed_text(pass.finished_ms.saturating_sub(pass.started_ms)),
            passed_text(Clock::start().wall().get().saturating_sub(pass.finished_ms)),
        ),
    };
    let now = match scrub.current.started_ms {
        0 => "at rest".into(),
        _ => format!("at height {} of {}", scrub.height, status.height),
    };
    vec![("last check of all shares", last), ("check under way", now)]
}

fn storage_rows(status: &Status) -> Vec<(&'static str, String)> {
    let storage = status.storage;
    let kept = storage.shares_bytes + storage.index_bytes + storage.wal_bytes;
    let shares = bytes_text(storage.shares_bytes);
    let deposits = match status.deposits.oldest {
        Some(oldest) => format!(
            "{} of {} blocks from height {oldest}",
            bytes_text(status.deposits.bytes),
            status.deposits.held
        ),
        None => "nothing".into(),
    };
    vec![
        (
            "kept here",
            format!("{} ({shares} of it shares)", bytes_text(kept)),
        ),
        ("bodies in full", bytes_text(storage.full_replication_bytes)),
        ("pieces of records", bytes_text(storage.pieces_bytes)),
        ("kept for others", deposits),
    ]
}

/// Milliseconds for people.
pub(super) fn passed_text(ms: u64) -> String {
    match ms / 1_000 {
        0 => format!("{ms} ms"),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// The faults of every member that has some, with its number.
fn faults(members: &Value) -> Vec<Value> {
    let rows = members.get("members").and_then(Value::as_array);
    let guilty = |row: &Value| {
        let mut faults = row.get("faults")?.clone();
        faults.get("latest_height")?;
        let fields = faults.as_object_mut()?;
        fields.insert("member".into(), row.get("id")?.clone());
        Some(faults)
    };
    rows.into_iter().flatten().filter_map(guilty).collect()
}

fn faults_text(faults: &[Value]) -> String {
    if faults.is_empty() {
        return "none".into();
    }
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
    let line = |row: &Value| {
        format!(
            "member {}: {} wrong shares, {} double votes",
            number(row, "member"),
            number(row, "wrong_shares"),
            number(row, "double_votes")
        )
    };
    faults.iter().map(line).collect::<Vec<_>>().join("; ")
}
