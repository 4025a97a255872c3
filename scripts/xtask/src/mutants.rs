//! How much the contracts' own tests notice: the decision logic is changed a little, one place at a time, and each time the
//! package's unit tests must fail.
//!
//! ```text
//! source --> functions over plain values (those that are handed no chain) --> mutants: one operator, constant or answer changed
//!                                                                                  |  in a copy of the sources
//!                                                     cargo test --lib:  does not build -> unviable | fails -> killed | passes -> survived
//! ```
//!
//! Functions that are handed the chain (`cx`) hold no decision logic and are tested as artefacts.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Packages and their files with decision logic.
const TARGETS: [(&str, &str, &[&str]); 8] = [
    (
        "salus-access",
        "access/src",
        &[
            "decision.rs",
            "standing.rs",
            "grants.rs",
            "records.rs",
            "reviews.rs",
        ],
    ),
    ("salus-registry", "registry/src", &["rules.rs", "recovery.rs"]),
    (
        "salus-care",
        "care/src",
        &["requests.rs", "delegation.rs", "custody.rs"],
    ),
    ("salus-office-hours", "rules/office-hours/src", &["lib.rs"]),
    ("salus-purpose-of-use", "rules/purpose-of-use/src", &["lib.rs"]),
    ("salus-minors", "rules/minors/src", &["lib.rs"]),
    ("salus-research-cohort", "rules/research-cohort/src", &["lib.rs"]),
    ("salus-care-team", "rules/care-team/src", &["lib.rs"]),
];

/// What is replaced by what. Spaces keep comparisons apart from types and arrows.
const SWAPS: [(&str, &str); 30] = [
    (" == ", " != "),
    (" != ", " == "),
    (" < ", " <= "),
    (" <= ", " < "),
    (" > ", " >= "),
    (" >= ", " > "),
    (" < ", " > "),
    (" > ", " < "),
    (" && ", " || "),
    (" || ", " && "),
    (" & ", " | "),
    (" | ", " & "),
    (" << ", " >> "),
    (" % ", " / "),
    (" / ", " % "),
    ("..=", ".."),
    (".any(", ".all("),
    (".all(", ".any("),
    (".min(", ".max("),
    (".is_some_and(", ".is_none_or("),
    (".is_none_or(", ".is_some_and("),
    (".is_none()", ".is_some()"),
    (".is_some()", ".is_none()"),
    ("saturating_add(", "saturating_sub("),
    ("saturating_sub(", "saturating_add("),
    ("true", "false"),
    ("false", "true"),
    ("abstain()", "deny(salus_sdk::Abort(999))"),
    ("Ok(())", "Err(0)"),
    (".get(..", ".get(1.."),
];

/// How often the tests of one mutant are looked at; one that loops is killed after about two minutes.
const LOOKS_MAX: u32 = 6_000;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A change of one place.
struct Mutant {
    file: PathBuf,
    line: usize,
    what: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Killed,
    Survived,
    Unviable,
}

/// Runs the mutants of all packages, or of the named ones, and tells the score.
pub(crate) fn run(wanted: &[String]) -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let copy = std::env::temp_dir().join(format!("salus-mutants-{}", std::process::id()));
    copy_sources(&root, &copy)?;
    let outcome = score(&copy.join("contracts-wasm"), wanted);
    fs::remove_dir_all(&copy).map_err(|error| error.to_string())?;
    outcome
}

fn score(workspace: &Path, wanted: &[String]) -> Result<String, String> {
    let (mut killed, mut survived, mut unviable) = (0_u32, Vec::new(), 0_u32);
    let chosen = |package: &str| wanted.is_empty() || wanted.iter().any(|name| name == package);
    for (package, folder, files) in TARGETS {
        if !chosen(package) {
            continue;
        }
        if fate(workspace, package)? != Fate::Survived {
            return Err(format!("{package}: its tests fail without any change"));
        }
        let before = (killed, survived.len());
        for file in files {
            let path = workspace.join(folder).join(file);
            let original =
                fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            for mutant in mutants(&path, &original) {
                fs::write(&mutant.file, &mutant.text).map_err(|error| error.to_string())?;
                match fate(workspace, package)? {
                    Fate::Killed => killed += 1,
                    Fate::Unviable => unviable += 1,
                    Fate::Survived => {
                        survived.push(format!("{folder}/{file}:{}: {}", mutant.line, mutant.what))
                    }
                }
            }
            fs::write(&path, original).map_err(|error| error.to_string())?;
        }
        eprintln!(
            "{package}: {} killed, {} survived",
            killed - before.0,
            survived.len() - before.1
        );
    }
    report(killed, &survived, unviable)
}

fn report(killed: u32, survived: &[String], unviable: u32) -> Result<String, String> {
    let viable = f64::from(killed) + f64::from(u32::try_from(survived.len()).unwrap_or(u32::MAX));
    let share = 100.0 * f64::from(killed) / viable.max(1.0);
    let mut text = String::new();
    for line in survived {
        let _ = writeln!(text, "survived: {line}");
    }
    let _ = write!(
        text,
        "{killed} of {viable} mutants killed: {share:.1} % ({unviable} more did not build)"
    );
    if share >= 90.0 { Ok(text) } else { Err(text) }
}

/// What becomes of the package as it stands in the copy.
fn fate(workspace: &Path, package: &str) -> Result<Fate, String> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command
            .args(["test", "--quiet", "--offline", "--lib", "-p", package])
            .args(arguments)
            .current_dir(workspace)
            .env("PROPTEST_CASES", "64")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let built = cargo(&["--no-run"]).status().map_err(|error| error.to_string())?;
    if !built.success() {
        return Ok(Fate::Unviable);
    }
    let mut tests = cargo(&[]).spawn().map_err(|error| error.to_string())?;
    for _ in 0..LOOKS_MAX {
        if let Some(status) = tests.try_wait().map_err(|error| error.to_string())? {
            return Ok(if status.success() {
                Fate::Survived
            } else {
                Fate::Killed
            });
        }
        std::thread::sleep(LOOK_EVERY);
    }
    tests
        .kill()
        .and_then(|()| tests.wait())
        .map_err(|error| error.to_string())?;
    Ok(Fate::Killed)
}

/// Every mutant of a file's functions over plain values.
fn mutants(file: &Path, source: &str) -> Vec<Mutant> {
    let end = source.find("#[cfg(test)]\nmod tests").unwrap_or(source.len());
    let mut all = Vec::new();
    for (start, stop) in plain_functions(&source[..end]) {
        for (from, to) in SWAPS {
            let places = source[start..stop]
                .match_indices(from)
                .map(|(place, _)| start + place);
            for place in places.filter(|place| !in_comment(source, *place)) {
                all.push(mutant(file, source, place..place + from.len(), to));
            }
        }
        for place in negations(source, start, stop) {
            all.push(mutant(file, source, place..place + 1, ""));
        }
        if let Some(body) = source[start..stop]
            .find("-> bool {")
            .map(|place| start + place + "-> bool {".len())
        {
            for answer in ["true", "false"] {
                let early = format!("\n    #[allow(unreachable_code)] return {answer};");
                all.push(mutant(file, source, body..body, &early));
            }
        }
    }
    all
}

fn mutant(file: &Path, source: &str, range: std::ops::Range<usize>, to: &str) -> Mutant {
    let line = source[..range.start].matches('\n').count() + 1;
    let what = format!("`{}` -> `{}`", source[range.clone()].trim(), to.trim());
    let mut text = source.to_owned();
    text.replace_range(range, to);
    Mutant {
        file: file.to_owned(),
        line,
        what,
        text,
    }
}

/// Where functions begin and end that are not handed the chain. Formatted code: a function ends at the brace under its beginning.
fn plain_functions(source: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for line in source.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let is_function = ["fn ", "pub fn ", "pub(crate) fn "]
            .iter()
            .any(|head| line.trim_start().starts_with(head));
        if is_function {
            let rest = &source[offset..];
            let closing = format!("\n{}}}\n", " ".repeat(indent));
            let stop = rest
                .find(&closing)
                .map_or(source.len(), |place| offset + place + closing.len());
            let signature = rest.split(" {\n").next().unwrap_or_default();
            if !signature.contains("cx:") && !signature.contains("_: &mut Ctx") {
                found.push((offset, stop));
            }
        }
        offset += line.len();
    }
    found
}

/// Where `!` negates a value: not in `!=`, nor after a macro's name.
fn negations(source: &str, start: usize, stop: usize) -> Vec<usize> {
    let bytes = source.as_bytes();
    (start..stop)
        .filter(|place| bytes[*place] == b'!')
        .filter(|place| bytes.get(place + 1) != Some(&b'='))
        .filter(|place| *place > 0 && !bytes[place - 1].is_ascii_alphanumeric())
        .filter(|place| !in_comment(source, *place))
        .collect()
}

fn in_comment(source: &str, place: usize) -> bool {
    let line = source[..place].rsplit('\n').next().unwrap_or_default();
    line.contains("//")
}

/// The contracts and what they are built from, without anything that was built.
fn copy_sources(root: &Path, copy: &Path) -> Result<(), String> {
    for part in ["contracts-wasm", "runtime/abi", "rust-toolchain.toml"] {
        copy_tree(&root.join(part), &copy.join(part)).map_err(|error| format!("{part}: {error}"))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_file() {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        return fs::copy(from, to).map(drop);
    }
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        if name != "target" {
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}
