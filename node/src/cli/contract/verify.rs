//! Whether an artefact is what its sources give.

use super::build::{Manifest, build};
use super::package::Package;
use crate::cli::CliError;
use crate::cli::output::Output;
use serde_json::json;
use std::fs;
use std::path::Path;

pub(super) fn run(folder: &Path, output: Output) -> Result<(), CliError> {
    let package = Package::read(folder)?;
    let recorded = Manifest::read(&package)?;
    let path = package.artefact();
    let kept = fs::read(&path).map_err(|error| CliError::file(&path, error))?;
    let hash = blake3::hash(&kept).to_hex().to_string();
    if hash != recorded.artifact.code_hash {
        return Err(CliError::Damaged(format!(
            "{} is not the artefact of its manifest: its hash is {hash}, recorded is {}",
            path.display(),
            recorded.artifact.code_hash
        )));
    }
    let (_, rebuilt) = build(&package, "verify")?;
    if let Some(difference) = difference(&recorded, &rebuilt) {
        return Err(CliError::Damaged(difference));
    }
    let text = format!("{} reproduces: {hash}", path.display());
    output.result(&text, &json!({ "reproduces": true, "code_hash": hash }));
    Ok(())
}

/// What keeps two builds from being the same: the cause before its effect.
fn difference(recorded: &Manifest, rebuilt: &Manifest) -> Option<String> {
    let pairs = [
        (
            "the sources have changed",
            &recorded.sources_blake3,
            &rebuilt.sources_blake3,
        ),
        (
            "another compiler builds here",
            &recorded.compiler,
            &rebuilt.compiler,
        ),
        ("other flags are used here", &recorded.flags, &rebuilt.flags),
        (
            "another profile is used here",
            &recorded.profile,
            &rebuilt.profile,
        ),
        (
            "the same sources and compiler give another artefact",
            &recorded.artifact.code_hash,
            &rebuilt.artifact.code_hash,
        ),
    ];
    let found = pairs.into_iter().find(|(_, then, now)| then != now);
    found.map(|(what, then, now)| format!("{what}: recorded is {then}, now it is {now}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::contract::build::Artefact;

    fn manifest(sources: &str, compiler: &str, code: &str) -> Manifest {
        Manifest {
            version: 1,
            compiler: compiler.to_owned(),
            flags: String::new(),
            profile: String::new(),
            sources_blake3: sources.to_owned(),
            artifact: Artefact {
                file: "rule.wasm".to_owned(),
                bytes: 1,
                code_hash: code.to_owned(),
            },
        }
    }

    #[test]
    fn the_cause_of_a_difference_is_named() {
        let recorded = manifest("s", "c", "h");
        assert_eq!(difference(&recorded, &manifest("s", "c", "h")), None);
        for (other, cause) in [
            (manifest("t", "c", "i"), "sources"),
            (manifest("s", "d", "i"), "compiler"),
            (manifest("s", "c", "i"), "another artefact"),
        ] {
            let text = difference(&recorded, &other).unwrap_or_default();
            assert!(text.contains(cause), "{text}");
        }
    }
}
