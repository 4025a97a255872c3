//! What the demo says while it runs: to standard error, so that standard output is the result alone.

use super::Summary;
use crate::cli::bytes_text;
use crate::clock::Clock;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Shows progress.
pub(super) struct Teller {
    json: bool,
    clock: Clock,
    bar: ProgressBar,
}

impl Teller {
    pub(super) fn new(json: bool) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
            bar.set_style(style);
        }
        Self {
            json,
            clock: Clock::start(),
            bar,
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    /// A new chapter begins.
    pub(super) fn chapter(&self, title: &str) {
        self.line(&format!("\n{title}"));
    }

    /// Something is under way; shown on a terminal only.
    pub(super) fn doing(&self, what: &str) {
        self.bar.enable_steady_tick(Duration::from_millis(100));
        self.bar.set_message(what.to_owned());
    }

    /// Something was done and checked.
    pub(super) fn done(&self, what: &str) {
        self.line(&format!("  ok  {what}"));
    }

    /// More about what was done.
    pub(super) fn note(&self, what: &str) {
        self.line(&format!("      {what}"));
    }

    pub(super) fn failed(&self, what: &str) {
        self.line(&format!("FAIL  {what}"));
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// The result.
    pub(super) fn finish(&self, summary: &Summary) {
        self.bar.finish_and_clear();
        if self.json {
            match serde_json::to_string(summary) {
                Ok(line) => println!("{line}"),
                Err(error) => eprintln!("the summary can't be shown: {error}"),
            }
            return;
        }
        println!(
            "\n{} hospitals, {} blocks, {} records: {} permits, {} refusals, {} penalised, in {:.0} s.\n\
             Of all block bodies ({}) each node keeps {}; {} marks were found at rest.",
            summary.validators,
            summary.height,
            summary.records,
            summary.permits,
            summary.denials,
            summary.penalties,
            summary.seconds,
            bytes_text(summary.bytes_full_replication),
            bytes_text(summary.bytes_per_node),
            summary.canaries_found,
        );
    }
}
