//! Why a case comes out as it does.

use super::test::files;
use crate::cli::CliError;
use crate::cli::output::Output;
use salus_testkit::cases::Suite;
use salus_testkit::trace::{Trace, reason_text};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// The case's name.
    case: String,
    /// Where it stands: a file of cases, or a folder of them.
    #[arg(long, value_name = "FILE", default_value = "cases")]
    cases: PathBuf,
}

pub(super) fn run(arguments: &ExplainArguments, output: Output) -> Result<(), CliError> {
    for path in files(&arguments.cases)? {
        let mut suite = Suite::read(&path).map_err(|error| CliError::Usage(error.to_string()))?;
        let trace = suite
            .explain(&arguments.case)
            .map_err(|error| CliError::Damaged(error.to_string()))?;
        if let Some(trace) = trace {
            output.result(&trace.to_string(), &value(&trace));
            return Ok(());
        }
    }
    Err(CliError::Usage(format!(
        "{} has no case called `{}`",
        arguments.cases.display(),
        arguments.case
    )))
}

fn value(trace: &Trace) -> Value {
    let grants: Vec<Value> = trace
        .grants
        .iter()
        .map(|(entry, lack)| {
            json!({
                "number": entry.number,
                "until_ms": entry.grant.until_ms,
                "covers": lack.is_none(),
                "lacks": lack.map(reason_text),
            })
        })
        .collect();
    let rules: Vec<Value> = trace
        .rules
        .iter()
        .map(|asked| {
            let answer = trace.rule_text(&asked.answer);
            json!({ "name": asked.name, "contract": asked.rule.get(), "answer": answer })
        })
        .collect();
    json!({
        "requester": trace.request.requester.get(),
        "patient": trace.request.patient.get(),
        "record": trace.request.record.get(),
        "purpose": trace.request.purpose.code(),
        "emergency": trace.request.emergency,
        "time_ms": trace.time_ms,
        "grants": grants,
        "rules": rules,
        "decision": trace.decision_text(),
    })
}
