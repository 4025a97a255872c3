//! The demo: four hospitals on this machine, real records, real failures, and only the public interface.
//!
//! It starts the same `salus start` that a hospital runs, acts as the people of two hospitals through HTTP, kills and
//! wipes validators, and finally searches every folder for anything that should not be there. Any step that does not
//! give what it should ends the demo with an error.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the demo is shown on a terminal"
)]

mod canaries;
mod network;
mod people;
mod samples;
mod story;
mod tell;

use crate::cli::CliError;
use network::Network;
use std::path::PathBuf;
use tell::Teller;

/// What the demo shows.
#[derive(Debug, clap::Args)]
pub struct DemoArguments {
    /// How many hospitals; one of them is killed on the way.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(4..=16))]
    validators: u16,
    /// A folder of FHIR and DICOM files to upload, each of at most 16 MiB, instead of the built-in samples.
    #[arg(long, value_name = "DIR")]
    records: Option<PathBuf>,
    /// Keep the validators' folders, and say where they are.
    #[arg(long)]
    keep: bool,
}

/// What came of it: the last line of `salus demo --json`.
#[derive(Debug, Default, serde::Serialize)]
struct Summary {
    validators: u16,
    k: u16,
    height: u64,
    records: usize,
    permits: u64,
    denials: u64,
    penalties: u64,
    blocks_opened: u64,
    blocks_opened_one_down: u64,
    caught_up: bool,
    repaired: bool,
    /// Mean size of a node's share log: what it keeps of all bodies.
    bytes_per_node: u64,
    /// What a node would keep of all bodies if it kept them whole.
    bytes_full_replication: u64,
    canaries_found: usize,
    seconds: f64,
}

/// Runs the demo; an interrupt ends it and leaves nothing behind.
pub(crate) async fn run(arguments: DemoArguments, json: bool) -> Result<(), CliError> {
    let files = samples::load(arguments.records.as_deref())?;
    let teller = Teller::new(json);
    let mut network = Network::found(arguments.validators, arguments.keep)?;
    let outcome = tokio::select! {
        outcome = story::play(&mut network, &files, &teller) => outcome,
        _ = tokio::signal::ctrl_c() => Err(CliError::Demo("interrupted".into())),
    };
    if let Err(error) = &outcome {
        teller.failed(&error.to_string());
        network.show_logs(&teller);
    }
    let kept = network.end().await;
    let summary = outcome?;
    if let Some(folder) = kept {
        teller.note(&format!(
            "the validators' folders are kept in {}",
            folder.display()
        ));
    }
    teller.finish(&summary);
    if summary.canaries_found > 0 {
        return Err(CliError::Demo(format!(
            "{} marks were found at rest",
            summary.canaries_found
        )));
    }
    Ok(())
}
