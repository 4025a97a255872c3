//! Chores of the project: `cargo run -p xtask -- check-demo < last-line-of-the-demo`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool")]

use serde_json::Value;
use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).as_deref() {
        Some("check-demo") => check_demo(),
        _ => Err("usage: xtask check-demo < JSON".into()),
    };
    match outcome {
        Ok(message) => {
            println!("{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The demo's summary must be complete and show what the demo claims.
fn check_demo() -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let summary: Value = serde_json::from_str(text.trim()).map_err(|error| format!("not a JSON line: {error}"))?;
    let number = |name: &str| {
        summary.get(name).and_then(Value::as_f64).ok_or_else(|| format!("`{name}` is missing or not a number"))
    };
    let at_least = |name: &str, least: f64| match number(name)? {
        value if value >= least => Ok(()),
        value => Err(format!("`{name}` is {value}, expected at least {least}")),
    };
    let yes = |name: &str| match summary.get(name) {
        Some(Value::Bool(true)) => Ok(()),
        other => Err(format!("`{name}` is {other:?}, expected true")),
    };
    at_least("validators", 4.0)?;
    at_least("k", 2.0)?;
    for name in ["height", "records", "permits", "denials", "penalties", "blocks_opened", "blocks_opened_one_down"] {
        at_least(name, 1.0)?;
    }
    yes("caught_up")?;
    yes("repaired")?;
    at_least("bytes_per_node", 1.0)?;
    at_least("bytes_full_replication", 1.0)?;
    at_least("seconds", 0.0)?;
    if number("canaries_found")? != 0.0 {
        return Err("canaries were found at rest".into());
    }
    Ok("the demo's summary is complete and as it should be".into())
}
