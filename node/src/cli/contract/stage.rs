//! The sources in one folder, made anew for every build.
//!
//! Cargo hashes the absolute path of a crate outside the workspace into its symbols, and so into the order of the code.
//! With the SDK and its vocabulary inside, the artefact is the same wherever the contract and the checkout lie.
//!
//! ```text
//! stage/Cargo.toml    the SDK's workspace, with its profile
//! stage/Cargo.lock    the contract's, without what only its tests use
//! stage/sdk, abi, ... copies from the checkout
//! stage/package       the contract
//! ```
//!
//! Of every crate: `src/`, and `Cargo.toml` without what belongs to its tests and to its own workspace.

use super::package::Package;
use crate::cli::CliError;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// Crates of the checkout that guests are built from: their folder there, and in the stage. What is not there is skipped.
const CRATES: [(&str, &str); 3] = [
    ("contracts-wasm/sdk", "sdk"),
    ("contracts-wasm/sdk-macros", "sdk-macros"),
    ("runtime/abi", "abi"),
];
/// Files of one contract, at most.
const FILES_MAX: usize = 4_096;
/// Folders within folders, at most.
const DEPTH_MAX: usize = 16;

/// A stage that is ready to be built.
#[derive(Debug)]
pub(super) struct Stage {
    /// Where it is.
    pub(super) folder: PathBuf,
    /// BLAKE3 over every file that the artefact is built from: its path, its length, its bytes.
    pub(super) sources: blake3::Hash,
    /// The release profile, as a manifest records it.
    pub(super) profile: String,
}

impl Stage {
    /// Copies a package and what it is built with.
    pub(super) fn make(package: &Package, folder: &Path) -> Result<Self, CliError> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| CliError::file(folder, error))?;
        }
        let mut copied = Vec::new();
        for (from, to) in CRATES {
            let from = package.checkout.join(from);
            if from.is_dir() {
                copy_crate(&package.checkout, &from, &folder.join(to), &mut copied)?;
            }
        }
        copy_crate(
            &package.checkout,
            &package.folder,
            &folder.join("package"),
            &mut copied,
        )?;
        let workspace = workspace(package)?;
        let profile = profile_text(&workspace);
        write(&folder.join("Cargo.toml"), &workspace.to_string())?;
        for (from, name) in [
            (&package.folder, "Cargo.lock"),
            (&package.checkout, "rust-toolchain.toml"),
        ] {
            if from.join(name).is_file() {
                copy(&from.join(name), &folder.join(name))?;
            }
        }
        settle_lock(folder)?;
        copied.extend(["Cargo.toml", "Cargo.lock"].map(|name| folder.join(name)));
        Ok(Self {
            sources: hash(folder, copied)?,
            folder: folder.to_owned(),
            profile,
        })
    }
}

/// Lets Cargo drop from the lock file what no guest is built from, so that a test's dependency doesn't count as a source.
fn settle_lock(folder: &Path) -> Result<(), CliError> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(folder)
        .args(["metadata", "--format-version", "1"]);
    let output = cargo
        .output()
        .map_err(|error| CliError::Usage(format!("cargo can't be started: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(CliError::Usage(
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}

/// The workspace of the SDK, with the package in it.
fn workspace(package: &Package) -> Result<Table, CliError> {
    let path = package.checkout.join("contracts-wasm/Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| CliError::file(&path, error))?;
    let mut table: Table = text.parse().map_err(|error| CliError::file(&path, error))?;
    let members = ["sdk", "sdk-macros", "package"]
        .into_iter()
        .filter(|name| *name != "sdk-macros" || package.checkout.join("contracts-wasm/sdk-macros").is_dir());
    let members: Vec<Value> = members.map(Value::from).collect();
    let Some(Value::Table(workspace)) = table.get_mut("workspace") else {
        return Err(CliError::file(&path, "this is no workspace"));
    };
    workspace.insert("members".to_owned(), Value::Array(members));
    workspace.insert("exclude".to_owned(), Value::Array(vec![Value::from("abi")]));
    if let Some(Value::Table(dependencies)) = workspace.get_mut("dependencies") {
        for (_, dependency) in dependencies.iter_mut() {
            move_path(dependency, |path| {
                Ok(path.trim_start_matches("../runtime/").to_owned())
            })?;
        }
    }
    Ok(table)
}

/// A crate's manifest without what belongs to its tests and to its own workspace.
fn guest_manifest(checkout: &Path, folder: &Path) -> Result<Table, CliError> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).map_err(|error| CliError::file(&path, error))?;
    let mut table: Table = text.parse().map_err(|error| CliError::file(&path, error))?;
    for part in [
        "workspace",
        "profile",
        "dev-dependencies",
        "test",
        "bench",
        "example",
    ] {
        table.remove(part);
    }
    if let Some(Value::Table(dependencies)) = table.get_mut("dependencies") {
        for (name, dependency) in dependencies.iter_mut() {
            move_path(dependency, |path| staged_path(checkout, folder, name, path))?;
        }
    }
    Ok(table)
}

/// Where a dependency's folder lies in the stage, seen from a crate there.
fn staged_path(checkout: &Path, folder: &Path, name: &str, path: &str) -> Result<String, CliError> {
    let real = folder.join(path).canonicalize();
    let known = CRATES.into_iter().find(|(from, _)| {
        let from = checkout.join(from).canonicalize();
        matches!((&from, &real), (Ok(from), Ok(real)) if from == real)
    });
    known.map(|(_, to)| format!("../{to}")).ok_or_else(|| {
        CliError::Usage(format!(
            "the dependency {name} lies at {path}: a contract can be built from the SDK, published crates and its own src/ only"
        ))
    })
}

fn move_path(dependency: &mut Value, to: impl Fn(&str) -> Result<String, CliError>) -> Result<(), CliError> {
    if let Some(Value::String(path)) = dependency.as_table_mut().and_then(|table| table.get_mut("path")) {
        *path = to(path)?;
    }
    Ok(())
}

fn profile_text(workspace: &Table) -> String {
    let release = workspace
        .get("profile")
        .and_then(|profiles| profiles.get("release"));
    let settings = release.and_then(Value::as_table).into_iter().flatten();
    let settings: Vec<String> = settings
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    format!("release: {}", settings.join(", "))
}

/// Copies `Cargo.toml` and `src/` of a crate, and notes what was copied.
fn copy_crate(checkout: &Path, from: &Path, to: &Path, copied: &mut Vec<PathBuf>) -> Result<(), CliError> {
    fs::create_dir_all(to).map_err(|error| CliError::file(to, error))?;
    write(
        &to.join("Cargo.toml"),
        &guest_manifest(checkout, from)?.to_string(),
    )?;
    copied.push(to.join("Cargo.toml"));
    let mut open = vec![(from.join("src"), to.join("src"), 0)];
    while let Some((from, to, depth)) = open.pop() {
        for entry in fs::read_dir(&from).map_err(|error| CliError::file(&from, error))? {
            let entry = entry.map_err(|error| CliError::file(&from, error))?;
            let place = to.join(entry.file_name());
            if copied.len() > FILES_MAX || depth > DEPTH_MAX {
                return Err(CliError::file(
                    &from,
                    "too many files, or too deep for the sources of a contract",
                ));
            }
            if entry.path().is_dir() {
                open.push((entry.path(), place, depth + 1));
            } else {
                copy(&entry.path(), &place)?;
                copied.push(place);
            }
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), CliError> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|error| CliError::file(folder, error))?;
    fs::copy(from, to).map_err(|error| CliError::file(from, error))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    fs::write(path, text).map_err(|error| CliError::file(path, error))
}

fn hash(folder: &Path, mut files: Vec<PathBuf>) -> Result<blake3::Hash, CliError> {
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for path in files {
        let bytes = fs::read(&path).map_err(|error| CliError::file(&path, error))?;
        let name = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        for part in [name.as_bytes(), bytes.as_slice()] {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    Ok(hasher.finalize())
}
