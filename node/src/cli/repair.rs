//! `salus repair`: how far a validator is with rebuilding its own shares.

use super::output::{Output, table};
use super::status::{passed_text, repair_rows, scrub_rows};
use super::{CliError, NodeArguments};
use crate::remote::{Remote, Status};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;

/// How often the validator is asked while it is watched.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(crate) struct RepairArguments {
    #[command(flatten)]
    node: NodeArguments,
    /// Watch until no share is missing, with a progress bar; with --json, one object a line.
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(arguments: &RepairArguments, output: Output) -> Result<(), CliError> {
    let remote = arguments.node.remote()?;
    if arguments.watch {
        return watch(&remote, output).await;
    }
    let status = remote.status().await?;
    let mut rows = repair_rows(&status);
    rows.extend(scrub_rows(&status));
    output.result(&table(&rows), &repair_json(&remote).await?);
    Ok(())
}

async fn repair_json(remote: &Remote) -> Result<Value, CliError> {
    let value: Value = remote.get("/v1/status").await?;
    let part = |name: &str| value.get(name).cloned().unwrap_or_default();
    Ok(serde_json::json!({ "repair": part("repair"), "scrub": part("scrub") }))
}

async fn watch(remote: &Remote, output: Output) -> Result<(), CliError> {
    let first = remote.status().await?.repair;
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} shares  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        let status = remote.status().await?;
        let repair = status.repair;
        // A restart of the validator counts from zero again.
        let done = repair.repaired.saturating_sub(first.repaired);
        bar.set_length(done.saturating_add(repair.missing));
        bar.set_position(done);
        bar.set_message(message(&status));
        if repair.missing == 0 {
            bar.finish_and_clear();
            let text = format!("no share is missing; {done} were rebuilt meanwhile");
            output.result(&text, &repair_json(remote).await?);
            return Ok(());
        }
        if output.json {
            output.result("", &repair_json(remote).await?);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn message(status: &Status) -> String {
    let repair = &status.repair;
    let failed = repair.failed.no_header + repair.failed.too_few_shares + repair.failed.unopenable;
    let left = match repair.estimate_ms {
        Some(ms) => format!("{} left", passed_text(ms)),
        None => "waiting".into(),
    };
    format!("{left}, {} urgent, {failed} failed tries", repair.urgent)
}
