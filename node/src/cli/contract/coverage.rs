//! Which entries, reasons and errors of a contract's schema its tests have met.
//!
//! What is counted is what goes in and comes out, not lines: a reason that no test provokes is a refusal that nobody has
//! looked at. A rule that the access contract asks is not seen itself; the reason it gives is.

use super::gas::calls;
use super::package::Package;
use crate::cli::CliError;
use crate::cli::output::Output;
use salus_runtime::schema::Schema;
use salus_runtime::schema::document::{Document, EntryKind};
use salus_testkit::{CallKind, GasEntry, Met};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct CoverageArguments {
    /// The contract's folder.
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Fail if something was never met.
    #[arg(long)]
    strict: bool,
}

/// Something that tests can meet.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    kind: &'static str,
    name: String,
    times: usize,
}

pub(super) fn run(arguments: &CoverageArguments, output: Output) -> Result<(), CliError> {
    let package = Package::read(&arguments.folder)?;
    let calls = calls(&arguments.folder, None)?;
    let path = package.artefact();
    let wasm = fs::read(&path).map_err(|error| CliError::file(&path, error))?;
    let schema = Schema::read(&wasm)
        .map_err(|error| CliError::file(&path, error))?
        .ok_or_else(|| CliError::file(&path, "there is no schema in it, so nothing to be met is known"))?;
    let parts = parts(schema.document(), &package.library(), &calls);
    let missed = parts.iter().filter(|part| part.times == 0).count();
    report(&parts, missed, output);
    if arguments.strict && missed > 0 {
        return Err(CliError::Damaged(format!("{missed} parts were never met")));
    }
    Ok(())
}

/// Every entry, reason and error of the contract `name`, with how often it was met.
fn parts(document: &Document, name: &str, calls: &[GasEntry]) -> Vec<Part> {
    let count = |matches: &dyn Fn(&GasEntry) -> bool| calls.iter().filter(|call| matches(call)).count();
    let own = |call: &GasEntry| call.contract == name;
    let mut parts = Vec::new();
    for entry in &document.entries {
        let (kind, number) = match entry.kind {
            EntryKind::Execute => (CallKind::Execute, Some(entry.number)),
            EntryKind::Query => (CallKind::Query, Some(entry.number)),
            EntryKind::Decide => (CallKind::Decide, None),
            // The chain calls these once, when the contract comes or changes; no test chain is without the former.
            EntryKind::Instantiate | EntryKind::Migrate => continue,
        };
        parts.push(Part {
            kind: "entry",
            name: format!("{kind} {}", entry.name),
            times: count(&|call| own(call) && call.kind == kind && call.entry == number),
        });
    }
    // A rule's reason also comes out of the access contract, which has asked it.
    parts.extend(document.reasons.iter().map(|reason| Part {
        kind: "reason",
        name: reason.name.clone(),
        times: count(&|call| call.met == Met::Denied(reason.code)),
    }));
    parts.extend(document.errors.iter().map(|error| Part {
        kind: "error",
        name: error.name.clone(),
        times: count(&|call| own(call) && call.met == Met::Aborted(error.code)),
    }));
    parts
}

fn report(parts: &[Part], missed: usize, output: Output) {
    let mut lines: Vec<String> = parts
        .iter()
        .map(|Part { kind, name, times }| match times {
            0 => format!("{kind:6}  {name}: never"),
            times => format!("{kind:6}  {name}: {times}"),
        })
        .collect();
    lines.push(format!(
        "{} of {} parts are met",
        parts.len().saturating_sub(missed),
        parts.len()
    ));
    let values: Vec<Value> = parts
        .iter()
        .map(|part| json!({ "kind": part.kind, "name": part.name, "times": part.times }))
        .collect();
    output.result(&lines.join("\n"), &json!({ "parts": values, "missed": missed }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_runtime::schema::document::{Code, Entry, Type};

    #[test]
    fn what_no_test_meets_is_named() {
        let code = |code, name: &str| Code {
            code,
            name: name.to_owned(),
            doc: String::new(),
        };
        let entry = |kind, number, name: &str| Entry {
            kind,
            number,
            name: name.to_owned(),
            doc: String::new(),
            argument: Type::Unit,
            output: Type::Unit,
        };
        let document = Document {
            name: "Rule".to_owned(),
            doc: String::new(),
            version: String::new(),
            state_version: 1,
            types: Vec::new(),
            entries: vec![
                entry(EntryKind::Query, 2, "hours"),
                entry(EntryKind::Decide, 0, "decide"),
            ],
            state: Vec::new(),
            event: None,
            errors: vec![code(9, "closed")],
            reasons: vec![code(256, "night"), code(257, "sunday")],
        };
        let call = |contract: &str, kind, entry, met| GasEntry {
            contract: contract.to_owned(),
            kind,
            entry,
            gas: 1,
            met,
        };
        let calls = [
            call("rule", CallKind::Decide, None, Met::Done),
            call("access", CallKind::Execute, Some(3), Met::Denied(256)),
            call("other", CallKind::Query, Some(2), Met::Aborted(9)),
        ];
        let times: Vec<(String, usize)> = parts(&document, "rule", &calls)
            .into_iter()
            .map(|part| (part.name, part.times))
            .collect();
        let expected = [
            ("query hours", 0),
            ("decide decide", 1),
            ("night", 1),
            ("sunday", 0),
            ("closed", 0),
        ];
        assert_eq!(times, expected.map(|(name, times)| (name.to_owned(), times)));
    }
}
