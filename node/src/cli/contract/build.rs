//! From sources to an artefact and the manifest that says how it came to be.

use super::compiler::{Compiler, TARGET, guest_flags};
use super::package::Package;
use super::stage::Stage;
use crate::cli::CliError;
use crate::cli::output::{Output, bytes_text, table};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::Path;

/// How an artefact came to be. Members vote on its hash beside the code's; who builds the same sources with the same
/// compiler gets the same bytes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Version of this file's layout: 1.
    pub(super) version: u32,
    /// Which compiler.
    pub(super) compiler: String,
    /// Its flags, without those that keep paths out.
    pub(super) flags: String,
    /// The profile's settings.
    pub(super) profile: String,
    /// BLAKE3 over all sources, in hexadecimal.
    pub(super) sources_blake3: String,
    /// What was built.
    pub(super) artifact: Artefact,
}

/// What was built.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Artefact {
    /// Its file, beside the manifest.
    pub(super) file: String,
    /// Its length.
    pub(super) bytes: usize,
    /// BLAKE3 of it, in hexadecimal: the code hash that the chain knows it by.
    pub(super) code_hash: String,
}

/// The version of [`Manifest`] that is written.
const VERSION: u32 = 1;

impl Manifest {
    pub(super) fn read(package: &Package) -> Result<Self, CliError> {
        let path = package.build_manifest();
        let bytes = fs::read(&path).map_err(|error| CliError::file(&path, error))?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| CliError::file(&path, error))?;
        if manifest.version == VERSION {
            return Ok(manifest);
        }
        Err(CliError::file(
            &path,
            format!("version {} is not known here", manifest.version),
        ))
    }
}

/// Builds a package in a fresh stage of this name; the artefact's bytes and its manifest.
pub(super) fn build(package: &Package, stage: &str) -> Result<(Vec<u8>, Manifest), CliError> {
    let target = package.target();
    let stage = Stage::make(package, &target.join(stage))?;
    let compiler = Compiler::find(&stage.folder)?;
    let built = target.join("guest");
    compiler.build(&stage.folder, &built, &package.name)?;
    let file = format!("{}.wasm", package.library());
    let path = built.join(TARGET).join("release").join(&file);
    let wasm = fs::read(&path).map_err(|error| CliError::file(&path, error))?;
    let manifest = Manifest {
        version: VERSION,
        compiler: compiler.description,
        flags: guest_flags().collect::<Vec<_>>().join(" "),
        profile: stage.profile,
        sources_blake3: stage.sources.to_hex().to_string(),
        artifact: Artefact {
            file,
            bytes: wasm.len(),
            code_hash: blake3::hash(&wasm).to_hex().to_string(),
        },
    };
    Ok((wasm, manifest))
}

/// Builds a package whose artefact is missing or was built from other sources: tests of an old artefact prove nothing.
pub(super) fn refresh(package: &Package, output: Output) -> Result<(), CliError> {
    let recorded = Manifest::read(package)
        .ok()
        .filter(|_| package.artefact().is_file());
    let stage = Stage::make(package, &package.target().join("stage"))?;
    if recorded.is_some_and(|manifest| manifest.sources_blake3 == stage.sources.to_hex().as_str()) {
        return Ok(());
    }
    output.note("building the artefact, whose sources have changed");
    build_and_keep(package).map(|_| ())
}

pub(super) fn run(folder: &Path, output: Output) -> Result<(), CliError> {
    let package = Package::read(folder)?;
    let manifest = build_and_keep(&package)?;
    let path = package.artefact();
    let rows = [
        ("artefact", path.display().to_string()),
        ("size", bytes_text(manifest.artifact.bytes as u64)),
        ("code hash", manifest.artifact.code_hash.clone()),
        ("compiler", manifest.compiler.clone()),
    ];
    output.result(&table(&rows), &json!({ "artifact": path, "manifest": manifest }));
    Ok(())
}

/// Builds and writes the artefact and its manifest.
fn build_and_keep(package: &Package) -> Result<Manifest, CliError> {
    let (wasm, manifest) = build(package, "stage")?;
    let artefacts = package.artefacts();
    fs::create_dir_all(&artefacts).map_err(|error| CliError::file(&artefacts, error))?;
    let path = package.artefact();
    fs::write(&path, &wasm).map_err(|error| CliError::file(&path, error))?;
    let text =
        serde_json::to_string_pretty(&manifest).map_err(|error| CliError::Damaged(error.to_string()))?;
    let place = package.build_manifest();
    fs::write(&place, text + "\n").map_err(|error| CliError::file(&place, error))?;
    Ok(manifest)
}
