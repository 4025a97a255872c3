//! Tests in Rust, then cases in YAML.

use super::build::refresh;
use super::package::Package;
use crate::cli::CliError;
use crate::cli::output::Output;
use salus_testkit::cases::{CaseOutcome, Suite};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of cases in one folder, at most.
const FILES_MAX: usize = 1_000;

#[derive(Debug, clap::Args)]
pub(crate) struct TestArguments {
    /// The contract's folder.
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Only these cases: a file, or a folder of them. No `cargo test` then.
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
}

/// A file of cases that was run.
struct Ran {
    path: PathBuf,
    outcomes: Vec<CaseOutcome>,
}

pub(super) fn run(arguments: &TestArguments, output: Output) -> Result<(), CliError> {
    let cases = match &arguments.cases {
        Some(cases) => cases.clone(),
        None => {
            let package = Package::read(&arguments.folder)?;
            refresh(&package, output)?;
            cargo_test(&package, output)?;
            package.cases()
        }
    };
    let ran = files(&cases)?
        .into_iter()
        .map(run_file)
        .collect::<Result<Vec<_>, _>>()?;
    report(&ran, output)
}

/// Runs a package's tests in Rust, if it has some; Cargo speaks on standard error.
fn cargo_test(package: &Package, output: Output) -> Result<(), CliError> {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(&package.folder).arg("test");
    if output.json {
        // Standard output is one JSON object, ours.
        cargo.stdout(std::process::Stdio::null());
    }
    let status = cargo
        .status()
        .map_err(|error| CliError::Usage(format!("cargo can't be started: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(CliError::Damaged("a test in Rust fails; see above".to_owned()))
}

/// The files of a path, in the order of their names.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(|error| CliError::file(path, error))?;
    let is_cases = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let mut files: Vec<PathBuf> = entries
        .take(FILES_MAX)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_cases)
        .collect();
    files.sort();
    Ok(files)
}

fn run_file(path: PathBuf) -> Result<Ran, CliError> {
    let usage = |error: &dyn std::fmt::Display| CliError::Usage(error.to_string());
    let mut suite = Suite::read(&path).map_err(|error| usage(&error))?;
    let outcomes = suite
        .run()
        .map_err(|error| CliError::Damaged(error.to_string()))?;
    Ok(Ran { path, outcomes })
}

fn report(ran: &[Ran], output: Output) -> Result<(), CliError> {
    let mut lines = Vec::new();
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for Ran { path, outcomes } in ran {
        for outcome in outcomes {
            if outcome.faults.is_empty() {
                passed += 1;
                lines.push(format!("ok      {}", outcome.name));
                continue;
            }
            failed += 1;
            lines.push(format!(
                "FAILED  {}:{} {}",
                path.display(),
                outcome.line,
                outcome.name
            ));
            lines.extend(outcome.faults.iter().map(|fault| format!("        {fault}")));
        }
    }
    lines.push(format!("{passed} cases hold, {failed} don't"));
    let value =
        json!({ "passed": passed, "failed": failed, "files": ran.iter().map(value).collect::<Vec<_>>() });
    output.result(&lines.join("\n"), &value);
    match failed {
        0 => Ok(()),
        count => Err(CliError::Damaged(format!("{count} cases don't hold"))),
    }
}

fn value(Ran { path, outcomes }: &Ran) -> Value {
    let cases: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            json!({
                "name": outcome.name,
                "line": outcome.line,
                "gas": outcome.actual.as_ref().ok().map(|actual| actual.gas),
                "faults": outcome.faults,
            })
        })
        .collect();
    json!({ "file": path, "cases": cases })
}
