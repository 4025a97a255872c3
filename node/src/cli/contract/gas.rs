//! What each entry costs in the tests, beside what it cost when the figures were saved.

use super::package::Package;
use crate::cli::CliError;
use crate::cli::output::Output;
use salus_testkit::GasEntry;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where saved figures lie, beside the artefact.
const SAVED: &str = "gas.json";

#[derive(Debug, clap::Args)]
pub(crate) struct GasArguments {
    /// The contract's folder.
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Only these cases: a file, or a folder of them. No `cargo test` then.
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Save the figures as artifacts/gas.json.
    #[arg(long)]
    save: bool,
    /// Compare with saved figures; fail if an entry became dearer by more than 5 %.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = SAVED)]
    compare: Option<PathBuf>,
}

/// The cost of an entry over all its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Figures {
    calls: u64,
    least: u64,
    median: u64,
    most: u64,
}

/// Figures by the entry's name: contract, kind and number.
type Report = BTreeMap<String, Figures>;

pub(super) fn run(arguments: &GasArguments, output: Output) -> Result<(), CliError> {
    let artefacts = arguments.folder.join("artifacts");
    let saved = match &arguments.compare {
        Some(path) if path == Path::new(SAVED) => Some(read(&artefacts.join(SAVED))?),
        Some(path) => Some(read(path)?),
        None => None,
    };
    let report = summed(calls(&arguments.folder, arguments.cases.as_deref())?);
    let dearer = show(&report, saved.as_ref(), output);
    if arguments.save {
        let path = artefacts.join(SAVED);
        let medians: BTreeMap<&String, u64> = report
            .iter()
            .map(|(name, figures)| (name, figures.median))
            .collect();
        fs::create_dir_all(&artefacts).map_err(|error| CliError::file(&artefacts, error))?;
        fs::write(&path, format!("{:#}\n", json!(medians))).map_err(|error| CliError::file(&path, error))?;
    }
    match dearer.as_slice() {
        [] => Ok(()),
        names => Err(CliError::Damaged(format!("became dearer: {}", names.join(", ")))),
    }
}

/// Runs the tests in a process of their own, which writes down every call.
pub(super) fn calls(folder: &Path, cases: Option<&Path>) -> Result<Vec<GasEntry>, CliError> {
    let log = log_folder(folder)?;
    let program = std::env::current_exe().map_err(|error| CliError::Usage(error.to_string()))?;
    let mut test = Command::new(program);
    test.args(["contract", "test", "--json"]);
    match cases {
        Some(cases) => test.arg("--cases").arg(cases),
        None => test.arg(folder),
    };
    let status = test
        .env("SALUS_GAS_LOG", &log)
        .stdout(Stdio::null())
        .status()
        .map_err(|error| CliError::Usage(format!("the tests can't be started: {error}")))?;
    let calls = entries(&log);
    let _ = fs::remove_dir_all(&log);
    if !status.success() {
        return Err(CliError::Damaged("the tests fail; see above".to_owned()));
    }
    calls
}

/// An empty folder for the log.
fn log_folder(folder: &Path) -> Result<PathBuf, CliError> {
    let near = match Package::read(folder) {
        Ok(package) => package.target(),
        Err(_) => std::env::temp_dir(),
    };
    let log = near.join(format!("calls-{}", std::process::id()));
    fs::create_dir_all(&log).map_err(|error| CliError::file(&log, error))?;
    log.canonicalize().map_err(|error| CliError::file(&log, error))
}

fn entries(log: &Path) -> Result<Vec<GasEntry>, CliError> {
    let mut entries = Vec::new();
    for file in fs::read_dir(log).map_err(|error| CliError::file(log, error))? {
        let path = file.map_err(|error| CliError::file(log, error))?.path();
        let text = fs::read_to_string(&path).map_err(|error| CliError::file(&path, error))?;
        for line in text.lines() {
            entries.push(line.parse().map_err(|error| CliError::file(&path, error))?);
        }
    }
    Ok(entries)
}

fn summed(entries: Vec<GasEntry>) -> Report {
    let mut costs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        let number = entry
            .entry
            .map_or_else(String::new, |number| format!(" {number}"));
        let name = format!("{} {}{number}", entry.contract, entry.kind);
        costs.entry(name).or_default().push(entry.gas);
    }
    costs
        .into_iter()
        .filter_map(|(name, mut costs)| {
            costs.sort_unstable();
            let figures = Figures {
                calls: costs.len() as u64,
                least: *costs.first()?,
                median: *costs.get(costs.len() / 2)?,
                most: *costs.last()?,
            };
            Some((name, figures))
        })
        .collect()
}

fn read(path: &Path) -> Result<BTreeMap<String, u64>, CliError> {
    let bytes = fs::read(path).map_err(|error| CliError::file(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| CliError::file(path, error))
}

/// Prints the figures; the names of those that became dearer.
fn show(report: &Report, saved: Option<&BTreeMap<String, u64>>, output: Output) -> Vec<String> {
    let mut dearer = Vec::new();
    let width = report.keys().map(String::len).max().unwrap_or(0);
    let mut lines = vec![format!(
        "{:width$}  {:>6}  {:>10}  {:>10}  {:>10}  before",
        "entry", "calls", "least", "median", "most"
    )];
    let mut values = serde_json::Map::new();
    for (name, figures) in report {
        let Figures {
            calls,
            least,
            median,
            most,
        } = *figures;
        let before = saved.and_then(|saved| saved.get(name)).copied();
        let was = before.map_or_else(|| "-".to_owned(), |before| before.to_string());
        if before.is_some_and(|before| is_dearer(before, median)) {
            dearer.push(name.clone());
        }
        lines.push(format!(
            "{name:width$}  {calls:>6}  {least:>10}  {median:>10}  {most:>10}  {was}"
        ));
        let value =
            json!({ "calls": calls, "least": least, "median": median, "most": most, "before": before });
        values.insert(name.clone(), value);
    }
    output.result(&lines.join("\n"), &Value::Object(values));
    dearer
}

/// By more than a twentieth: gas is exact, but an entry's cost depends on what the tests ask of it.
const fn is_dearer(before: u64, now: u64) -> bool {
    now > before.saturating_add(before / 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_testkit::{CallKind, Met};

    #[test]
    fn calls_are_summed_by_entry() {
        let call = |kind, entry, gas| GasEntry {
            contract: "rule".to_owned(),
            kind,
            entry,
            gas,
            met: Met::Done,
        };
        let report = summed(vec![
            call(CallKind::Decide, None, 30),
            call(CallKind::Query, Some(2), 5),
            call(CallKind::Decide, None, 10),
            call(CallKind::Decide, None, 20),
        ]);
        let decide = Figures {
            calls: 3,
            least: 10,
            median: 20,
            most: 30,
        };
        assert_eq!(report.get("rule decide"), Some(&decide));
        assert_eq!(report.get("rule query 2").map(|figures| figures.calls), Some(1));
    }

    #[test]
    fn a_twentieth_is_no_news() {
        assert!(!is_dearer(1_000, 1_050));
        assert!(is_dearer(1_000, 1_051));
        assert!(!is_dearer(1_000, 10));
    }
}
