//! What a validator would say of an artefact, and what speaks against it besides.

use super::package::Package;
use crate::cli::CliError;
use crate::cli::output::{Output, bytes_text, table};
use data_encoding::HEXLOWER_PERMISSIVE;
use salus_runtime::schema::Schema;
use salus_runtime::{Engine, EngineConfig, EntryPoint, Module, lint};
use salus_testkit::probe::{self, Probed};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// The artefact, or the contract's folder.
    #[arg(default_value = ".", value_name = "FILE")]
    artefact: PathBuf,
    /// What a rule is instantiated with when it is probed: canonical bytes in hexadecimal.
    #[arg(long, value_name = "HEX", default_value = "", value_parser = hex)]
    argument: Argument,
    /// Fail on warnings.
    #[arg(long)]
    strict: bool,
}

/// Bytes as an argument of the command line.
#[derive(Clone, Debug)]
struct Argument(Vec<u8>);

fn hex(text: &str) -> Result<Argument, String> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
    bytes.map(Argument).map_err(|error| error.to_string())
}

/// One thing that speaks against an artefact, though it is admitted.
struct Warning {
    code: &'static str,
    text: String,
}

pub(super) fn run(arguments: &CheckArguments, output: Output) -> Result<(), CliError> {
    let path = artefact_of(&arguments.artefact)?;
    let wasm = fs::read(&path).map_err(|error| CliError::file(&path, error))?;
    let engine =
        Engine::new(&EngineConfig::default()).map_err(|error| CliError::Damaged(error.to_string()))?;
    let module = engine
        .admit(&wasm)
        .map_err(|error| CliError::Damaged(format!("{} {error}", error.code())))?;
    let schema = Schema::read(&wasm).map_err(|error| CliError::file(&path, error))?;
    let mut warnings: Vec<Warning> = lint::lints(&wasm, schema.as_ref())
        .into_iter()
        .map(|lint| Warning {
            code: lint.code(),
            text: lint.to_string(),
        })
        .collect();
    let probes = probe_text(&wasm, &module, &arguments.argument.0, &mut warnings)?;
    report(&path, &wasm, &module, (&warnings, &probes), output);
    if arguments.strict && !warnings.is_empty() {
        return Err(CliError::Damaged(format!("{} warnings", warnings.len())));
    }
    Ok(())
}

/// The file itself, or the artefact of a contract's folder.
pub(super) fn artefact_of(path: &Path) -> Result<PathBuf, CliError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let artefact = Package::read(path)?.artefact();
    if artefact.is_file() {
        return Ok(artefact);
    }
    Err(CliError::file(
        &artefact,
        "is not there; run `salus contract build` first",
    ))
}

/// Asks a rule many requests; adds what was seen, and says how it went.
fn probe_text(
    wasm: &[u8],
    module: &Module,
    argument: &[u8],
    warnings: &mut Vec<Warning>,
) -> Result<String, CliError> {
    if !module.has(EntryPoint::Decide) {
        return Ok("no rule: it decides nothing".to_owned());
    }
    let probed = probe::probe(wasm, argument).map_err(|error| CliError::Damaged(error.to_string()))?;
    match probed {
        Probed::NotInstantiated(why) => Ok(format!("not probed: {why}; give --argument")),
        Probed::Asked { requests, findings } => {
            warnings.extend(findings.iter().map(|finding| Warning {
                code: finding.code(),
                text: finding.to_string(),
            }));
            Ok(format!("{requests} requests, which prove nothing of others"))
        }
    }
}

fn report(path: &Path, wasm: &[u8], module: &Module, (warnings, probes): (&[Warning], &str), output: Output) {
    let entries: Vec<&str> = EntryPoint::ALL
        .into_iter()
        .filter(|entry| module.has(*entry))
        .map(EntryPoint::export)
        .collect();
    let code_hash = blake3::Hash::from_bytes(*module.code_hash()).to_hex().to_string();
    let mut rows = vec![
        ("artefact", path.display().to_string()),
        ("admitted", "yes, as on every validator".to_owned()),
        ("code hash", code_hash.clone()),
        ("size", bytes_text(wasm.len() as u64)),
        ("entry points", entries.join(", ")),
        ("probed", probes.to_owned()),
    ];
    rows.extend(
        warnings
            .iter()
            .map(|warning| ("warning", format!("{} {}", warning.code, warning.text))),
    );
    let warnings: Vec<Value> = warnings
        .iter()
        .map(|warning| json!({ "code": warning.code, "text": warning.text }))
        .collect();
    let value = json!({
        "admitted": true,
        "code_hash": code_hash,
        "bytes": wasm.len(),
        "entry_points": entries,
        "probed": probes,
        "warnings": warnings,
    });
    output.result(&table(&rows), &value);
}
