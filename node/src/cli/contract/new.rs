//! A new contract's folder.

use super::package::{find_checkout, is_checkout};
use crate::cli::CliError;
use crate::cli::output::Output;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a new contract, with what is replaced in them: `{name}`, `{library}`, `{type}` and `{checkout}`.
const TEMPLATE: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("template/lib.rs.txt")),
    ("tests/decisions.rs", include_str!("template/decisions.rs.txt")),
    ("cases/decisions.yaml", include_str!("template/decisions.yaml")),
    (".gitignore", "/target\n"),
];
/// The versions that host and SDK were tested with; Cargo drops from it what the contract doesn't use.
const LOCK: &str = "contracts-wasm/tests/Cargo.lock";
/// The longest name.
const NAME_LENGTH_MAX: usize = 32;

#[derive(Debug, clap::Args)]
pub(crate) struct NewArguments {
    /// The contract's name: lower-case letters, digits and hyphens.
    #[arg(value_parser = name)]
    name: String,
    /// A checkout of this project, for the SDK and the test kit; without it, the one around this folder or this program.
    #[arg(long, env = "SALUS_SDK", value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

/// A package's name.
fn name(text: &str) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = text
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase());
    let is_name = begins && text.len() <= NAME_LENGTH_MAX && text.bytes().all(good) && !text.ends_with('-');
    is_name.then(|| text.to_owned()).ok_or_else(|| {
        format!("a name has 1 to {NAME_LENGTH_MAX} of a-z, 0-9 and -, and begins with a letter")
    })
}

pub(super) fn run(arguments: &NewArguments, output: Output) -> Result<(), CliError> {
    let folder = Path::new(&arguments.name);
    if folder.exists() {
        return Err(CliError::file(folder, "is there already"));
    }
    let checkout = checkout(arguments)?;
    for (place, text) in TEMPLATE {
        let text = fill(text, &arguments.name, &checkout);
        write(&folder.join(place), text.as_bytes())?;
    }
    if let Ok(lock) = fs::read(checkout.join(LOCK)) {
        write(&folder.join("Cargo.lock"), &lock)?;
    }
    let text = format!(
        "{0}/ is a rule with its tests. Go on with:\n  cd {0}\n  salus contract build\n  salus contract test",
        arguments.name
    );
    output.result(&text, &json!({ "folder": folder, "sdk": checkout }));
    Ok(())
}

fn checkout(arguments: &NewArguments) -> Result<PathBuf, CliError> {
    let missing = || {
        CliError::Usage(
            "say where the SDK is: --sdk FOLDER (or SALUS_SDK), a checkout of this project".to_owned(),
        )
    };
    match &arguments.sdk {
        Some(told) if is_checkout(told) => told.canonicalize().map_err(|error| CliError::file(told, error)),
        Some(told) => Err(CliError::file(told, "no contracts-wasm/sdk is in there")),
        None => find_checkout(Path::new(".")).ok_or_else(missing),
    }
}

fn fill(text: &str, name: &str, checkout: &Path) -> String {
    let type_name: String = name
        .split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        })
        .collect();
    text.replace("{name}", name)
        .replace("{library}", &name.replace('-', "_"))
        .replace("{type}", &type_name)
        .replace("{checkout}", &checkout.display().to_string())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| CliError::file(folder, error))?;
    fs::write(path, bytes).map_err(|error| CliError::file(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_packages() {
        for good in ["a", "night-rule", "r2"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "2r", "Night", "night_rule", "../x", "salus night"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_template_is_filled_in_everywhere() {
        for (place, text) in TEMPLATE {
            let filled = fill(text, "night-rule", Path::new("/checkout"));
            for mark in ["{name}", "{library}", "{type}", "{checkout}"] {
                assert!(!filled.contains(mark), "{place} holds {mark}");
            }
        }
        assert_eq!(
            fill("{type} {library}", "night-rule", Path::new("")),
            "NightRule night_rule"
        );
    }
}
