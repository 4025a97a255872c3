//! A contract's folder.

use crate::cli::CliError;
use std::fs;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Where the SDK lies in a checkout of this project.
const SDK: &str = "contracts-wasm/sdk";
/// The crate that every contract is written with.
const SDK_CRATE: &str = "salus-sdk";

/// A contract's package, as its `Cargo.toml` says.
#[derive(Debug)]
pub(super) struct Package {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its name, as Cargo has it.
    pub(super) name: String,
    /// The checkout whose SDK it uses.
    pub(super) checkout: PathBuf,
}

impl Package {
    /// Reads the package in a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, CliError> {
        let path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(|error| CliError::file(&path, error))?;
        let manifest: Table = text.parse().map_err(|error| CliError::file(&path, error))?;
        let wrong = |what: &str| CliError::file(&path, what);
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(Value::as_str)
            .ok_or_else(|| wrong("there is no `package.name`"))?
            .to_owned();
        let sdk = manifest
            .get("dependencies")
            .and_then(|all| all.get(SDK_CRATE))
            .and_then(|sdk| sdk.get("path"))
            .and_then(Value::as_str)
            .ok_or_else(|| wrong("there is no `dependencies.salus-sdk` with a `path`"))?;
        let sdk = folder.join(sdk);
        let checkout = sdk
            .canonicalize()
            .ok()
            .and_then(|sdk| Some(sdk.parent()?.parent()?.to_owned()))
            .filter(|checkout| is_checkout(checkout))
            .ok_or_else(|| {
                wrong(&format!(
                    "the SDK is not at {}: correct the `path`",
                    sdk.display()
                ))
            })?;
        Ok(Self {
            folder: folder.to_owned(),
            name,
            checkout,
        })
    }

    /// The name of the library, and so of the artefact.
    pub(super) fn library(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The folder of what was built.
    pub(super) fn artefacts(&self) -> PathBuf {
        self.folder.join("artifacts")
    }

    /// The artefact.
    pub(super) fn artefact(&self) -> PathBuf {
        self.artefacts().join(format!("{}.wasm", self.library()))
    }

    /// How the artefact came to be.
    pub(super) fn build_manifest(&self) -> PathBuf {
        self.artefacts().join("manifest.json")
    }

    /// Cases in YAML.
    pub(super) fn cases(&self) -> PathBuf {
        self.folder.join("cases")
    }

    /// Where builds lie: as Cargo is told, or beside the sources. Absolute, since Cargo runs in a folder of its own and the
    /// compiler is told which paths not to write into an artefact.
    pub(super) fn target(&self) -> PathBuf {
        let told = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = told
            .unwrap_or_else(|| self.folder.join("target"))
            .join("contract")
            .join(self.library());
        std::path::absolute(&target).unwrap_or(target)
    }
}

/// Whether a folder is a checkout with the SDK in it.
pub(super) fn is_checkout(folder: &Path) -> bool {
    folder.join(SDK).join("Cargo.toml").is_file()
}

/// The checkout that a new contract uses: around the folder, or around this program.
pub(super) fn find_checkout(folder: &Path) -> Option<PathBuf> {
    let around = |path: PathBuf| {
        let found = path.ancestors().find(|ancestor| is_checkout(ancestor));
        found.map(Path::to_owned)
    };
    let folder = folder.canonicalize().ok().and_then(around);
    folder.or_else(|| std::env::current_exe().ok()?.canonicalize().ok().and_then(around))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_lie_in_the_same_place_wherever_cargo_runs() {
        let package = Package {
            folder: PathBuf::from("."),
            name: "ward-rule".to_owned(),
            checkout: PathBuf::new(),
        };
        assert!(package.target().is_absolute());
        assert!(package.target().ends_with("contract/ward_rule"));
    }
}
