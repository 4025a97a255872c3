//! The same requests to two artefacts: which decisions change.

use super::check::artefact_of;
use super::test::files;
use crate::cli::CliError;
use crate::cli::output::Output;
use salus_testkit::Refusal;
use salus_testkit::cases::{Actual, CaseOutcome, File, Suite};
use salus_testkit::trace::obligations_text;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct DiffArguments {
    /// The artefact as it is, or the folder of its contract.
    old: PathBuf,
    /// The artefact as it is to be.
    new: PathBuf,
    /// What is asked: cases, with or without expectations; a file, or a folder of them.
    #[arg(long, value_name = "FILE")]
    requests: PathBuf,
    /// Which contract of the file the artefacts stand for; without it, the first. `access` and `registry` are those that
    /// ship.
    #[arg(long, value_name = "NAME")]
    contract: Option<String>,
    /// Fail if a decision changes.
    #[arg(long)]
    strict: bool,
}

/// A request that is answered otherwise.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    place: String,
    name: String,
    old: String,
    new: String,
}

pub(super) fn run(arguments: &DiffArguments, output: Output) -> Result<(), CliError> {
    let artefact = |path: &Path| {
        let path = artefact_of(path)?;
        fs::read(&path).map_err(|error| CliError::file(&path, error))
    };
    let (old, new) = (artefact(&arguments.old)?, artefact(&arguments.new)?);
    let (mut asked, mut changes) = (0, Vec::new());
    for path in files(&arguments.requests)? {
        let name = contract_of(arguments, &path)?;
        let [old, new] = [&old, &new].map(|wasm| answers(&path, &name, wasm));
        let (old, new) = (old?, new?);
        asked += old.len();
        changes.extend(changed(&path, &old, &new));
    }
    report(asked, &changes, output);
    if arguments.strict && !changes.is_empty() {
        return Err(CliError::Damaged(format!(
            "{} requests are answered otherwise",
            changes.len()
        )));
    }
    Ok(())
}

/// The name of the contract that the artefacts stand for in a file.
fn contract_of(arguments: &DiffArguments, path: &Path) -> Result<String, CliError> {
    if let Some(name) = &arguments.contract {
        return Ok(name.clone());
    }
    let file = File::read(path).map_err(|error| CliError::Usage(error.to_string()))?;
    let first = file.contracts.first().map(|one| one.value.name.clone());
    first.ok_or_else(|| CliError::file(path, "no contract is named here: say which one with --contract"))
}

/// Every case with its decision in words, as one artefact answers it. What it costs is no part of it.
fn answers(path: &Path, name: &str, wasm: &[u8]) -> Result<Vec<(CaseOutcome, String)>, CliError> {
    let artefacts = BTreeMap::from([(name.to_owned(), wasm.to_vec())]);
    let mut suite = Suite::with(path, &artefacts).map_err(|error| CliError::Usage(error.to_string()))?;
    let outcomes = suite
        .run()
        .map_err(|error| CliError::Damaged(error.to_string()))?;
    let texts = outcomes.into_iter().map(|outcome| {
        let text = text(suite.file(), &outcome.actual);
        (outcome, text)
    });
    Ok(texts.collect())
}

fn changed(path: &Path, old: &[(CaseOutcome, String)], new: &[(CaseOutcome, String)]) -> Vec<Change> {
    let pairs = old.iter().zip(new);
    pairs
        .filter(|((_, old), (_, new))| old != new)
        .map(|((case, old), (_, new))| Change {
            place: format!("{}:{}", path.display(), case.line),
            name: case.name.clone(),
            old: old.clone(),
            new: new.clone(),
        })
        .collect()
}

fn text(file: &File, actual: &Result<Actual, Refusal>) -> String {
    match actual {
        Err(refusal) => format!("no decision: {refusal}"),
        Ok(actual) => {
            let reason = actual
                .reason
                .map_or_else(String::new, |code| format!(" ({})", file.name_of(code)));
            let owed = match obligations_text(actual.obligations) {
                none if none.is_empty() => none,
                some => format!(", owed: {some}"),
            };
            format!("{}{reason}{owed}", actual.kind.name())
        }
    }
}

fn report(asked: usize, changes: &[Change], output: Output) {
    let mut lines: Vec<String> = changes
        .iter()
        .map(|change| {
            format!(
                "{} {}\n  old  {}\n  new  {}",
                change.place, change.name, change.old, change.new
            )
        })
        .collect();
    lines.push(format!("{asked} requests, {} answered otherwise", changes.len()));
    let values: Vec<Value> = changes
        .iter()
        .map(|change| json!({ "place": change.place, "name": change.name, "old": change.old, "new": change.new }))
        .collect();
    output.result(
        &lines.join("\n"),
        &json!({ "requests": asked, "changes": values }),
    );
}
