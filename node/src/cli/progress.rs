//! How a validator that is behind comes forward, as the command line tells it.

use super::CliError;
use super::output::{Output, bytes_text};
use crate::remote::{Remote, Status, SyncStatus};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::time::Duration;

/// How often a validator that is watched is asked.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Looks until nothing is left to do.
pub(super) async fn watch(remote: &Remote, output: Output) -> Result<(), CliError> {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("  {msg:24} [{bar:32}] {prefix}") {
        bar.set_style(style.progress_chars("=> "));
    }
    loop {
        let status = remote.status().await?;
        if is_settled(&status) {
            bar.finish_and_clear();
            return Ok(());
        }
        if output.json {
            let value: Value = remote.get("/v1/status").await?;
            output.result("", &value);
        } else {
            bar.set_length(status.sync.total);
            bar.set_position(status.sync.done);
            bar.set_message(doing(&status.sync));
            bar.set_prefix(amount(&status.sync));
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

fn is_settled(status: &Status) -> bool {
    !status.catching_up
        && status.sync.phase == "in_step"
        && status.repair.missing == 0
        && status.unread_blocks == 0
}

/// What it does, in words.
fn doing(sync: &SyncStatus) -> &'static str {
    match sync.phase.as_str() {
        "headers" => "verifying headers",
        "snapshot" => "fetching a snapshot",
        "blocks" => "catching up with blocks",
        "repair" => "repairing shares",
        _ => "in step",
    }
}

/// How much of it is done, how fast, and how long it takes.
fn amount(sync: &SyncStatus) -> String {
    let shown = |count: u64| match sync.phase.as_str() {
        "snapshot" => bytes_text(count),
        _ => count.to_string(),
    };
    let mut text = format!("{} of {}", shown(sync.done), shown(sync.total));
    if sync.per_second > 0.0 {
        // Whole units: nobody counts halves of a block.
        let rate = format!("{:.0}", sync.per_second);
        let rate = rate.parse().map_or(rate, shown);
        text.push_str(&format!(", {rate}/s"));
    }
    if let Some(seconds) = sync.eta_seconds {
        text.push_str(&format!(
            ", {} left",
            indicatif::HumanDuration(Duration::from_secs(seconds))
        ));
    }
    text
}

/// How it is, in a line.
pub(super) fn state(status: &Status) -> String {
    let mut text = match (status.catching_up, status.sync.phase.as_str()) {
        (false, "in_step") => "in step".into(),
        (false, "repair") => format!("in step, {}: {}", doing(&status.sync), amount(&status.sync)),
        (_, "in_step") => "catching up".into(),
        _ => format!("{}: {}", doing(&status.sync), amount(&status.sync)),
    };
    if status.unread_blocks > 0 {
        text.push_str(&format!("; {} older blocks not read yet", status.unread_blocks));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_units_of_its_phase() {
        let mut sync = SyncStatus {
            phase: "snapshot".into(),
            done: 1 << 20,
            total: 8 << 20,
            per_second: 524_288.0,
            eta_seconds: Some(14),
        };
        assert_eq!(
            amount(&sync),
            "1.00 MiB of 8.00 MiB, 512.00 KiB/s, 14 seconds left"
        );
        sync = SyncStatus {
            phase: "blocks".into(),
            done: 3,
            total: 10_000,
            per_second: 0.0,
            eta_seconds: None,
        };
        assert_eq!(amount(&sync), "3 of 10000");
    }
}
