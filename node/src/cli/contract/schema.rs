//! What an artefact says of itself, for those who call it.

use super::check::artefact_of;
use crate::cli::CliError;
use crate::cli::output::{Output, table};
use salus_runtime::schema::Schema;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArguments {
    /// The artefact, or the contract's folder.
    #[arg(default_value = ".", value_name = "FILE")]
    artefact: PathBuf,
    /// As TypeScript: types and constants.
    #[arg(long, conflicts_with = "wit")]
    ts: bool,
    /// As WIT: one interface.
    #[arg(long)]
    wit: bool,
}

/// With `--json` the schema is JSON Schema itself, and nothing around it.
pub(super) fn run(arguments: &SchemaArguments, output: Output) -> Result<(), CliError> {
    let path = artefact_of(&arguments.artefact)?;
    let wasm = fs::read(&path).map_err(|error| CliError::file(&path, error))?;
    let schema = Schema::read(&wasm)
        .map_err(|error| CliError::file(&path, error))?
        .ok_or_else(|| CliError::file(&path, "there is no schema in it"))?;
    if arguments.ts || arguments.wit {
        let text = if arguments.ts {
            schema.typescript()
        } else {
            schema.wit()
        };
        output.result(text.trim_end(), &json!({ "text": text }));
        return Ok(());
    }
    let value =
        serde_json::from_str(&schema.json_schema()).map_err(|error| CliError::Damaged(error.to_string()))?;
    output.result(&summary(&schema), &value);
    Ok(())
}

fn summary(schema: &Schema) -> String {
    let document = schema.document();
    let mut rows = vec![
        ("contract", format!("{} {}", document.name, document.version)),
        ("about", document.doc.clone()),
        (
            "schema hash",
            blake3::Hash::from_bytes(schema.hash()).to_hex().to_string(),
        ),
        ("state version", document.state_version.to_string()),
    ];
    for entry in &document.entries {
        let kind = format!("{:?}", entry.kind).to_lowercase();
        rows.push((
            "entry",
            format!("{kind} {} {}: {}", entry.number, entry.name, entry.doc),
        ));
    }
    let codes = |codes: &[salus_runtime::schema::document::Code]| -> Vec<String> {
        let texts = codes
            .iter()
            .map(|code| format!("{} {}: {}", code.code, code.name, code.doc));
        texts.collect()
    };
    rows.extend(codes(&document.errors).into_iter().map(|text| ("error", text)));
    rows.extend(codes(&document.reasons).into_iter().map(|text| ("reason", text)));
    table(&rows)
}
