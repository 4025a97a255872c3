//! Where the program under test is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs, io};

/// The environment variable that names a binary to use instead of the one of this build.
pub(crate) const BINARY_VARIABLE: &str = "SALUS_BINARY";

/// Folders and files that the binary is made from, below the root of the workspace.
const SOURCES: [&str; 5] = [
    "Cargo.lock",
    "node",
    "runtime",
    "genesis",
    "contracts-wasm/artifacts",
];

/// Why there is no binary to test.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// The variable names something that is not there.
    #[error("{BINARY_VARIABLE} names {0}, which is no file")]
    NoSuchFile(PathBuf),
    /// This program does not lie where cargo puts programs.
    #[error("{0} does not lie in a target folder of cargo: set {BINARY_VARIABLE} to the salus binary to use")]
    NotInTarget(PathBuf),
    /// Reading the sources, or starting cargo.
    #[error("{path}: {error}")]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// cargo failed; its own message stands above.
    #[error("`{0}` failed; run it by hand to see why")]
    Build(String),
}

/// The `salus` binary of the same build as the calling program: `target/<profile>/salus`.
///
/// `cargo test --workspace` has built it already; `cargo test -p salus-tests` and `cargo run -p salus-bench` have not. So it
/// is built here, by the cargo that runs this (`CARGO`, else `cargo`), if it is missing or older than one of its sources.
/// `SALUS_BINARY` names another binary to use as it is.
///
/// # Errors
///
/// When there is none and none can be built.
pub fn salus_binary() -> Result<PathBuf, BinaryError> {
    if let Some(path) = env::var_os(BINARY_VARIABLE).map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(BinaryError::NoSuchFile(path))
        };
    }
    let this = env::current_exe().map_err(|error| BinaryError::File {
        path: "this program".into(),
        error,
    })?;
    let folder = profile_folder(&this).ok_or_else(|| BinaryError::NotInTarget(this.clone()))?;
    let binary = folder.join(format!("salus{}", env::consts::EXE_SUFFIX));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    if is_current(&binary, root)? {
        return Ok(binary);
    }
    build(root, folder)?;
    if binary.is_file() {
        Ok(binary)
    } else {
        Err(BinaryError::NotInTarget(this))
    }
}

/// `target/<profile>` of `target/<profile>/program` or `target/<profile>/deps/test-0123`.
fn profile_folder(program: &Path) -> Option<&Path> {
    let folder = program.parent()?;
    if folder.file_name() == Some(OsStr::new("deps")) {
        folder.parent()
    } else {
        Some(folder)
    }
}

fn is_current(binary: &Path, root: &Path) -> Result<bool, BinaryError> {
    let Ok(built) = fs::metadata(binary).and_then(|meta| meta.modified()) else {
        return Ok(false);
    };
    for source in SOURCES {
        if newest(&root.join(source))? > built {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When anything that is compiled below a path was changed last. Tests beside the sources do not count: they are not
/// part of the binary.
fn newest(path: &Path) -> Result<SystemTime, BinaryError> {
    let fail = |error| BinaryError::File {
        path: path.to_path_buf(),
        error,
    };
    let meta = fs::metadata(path).map_err(fail)?;
    if meta.is_file() {
        return meta.modified().map_err(fail);
    }
    let mut newest_time = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(path).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let below = entry.path();
        let is_folder = entry.file_type().map_err(fail)?.is_dir();
        let name = below.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let skipped = name.starts_with('.') || matches!(name, "tests" | "target" | "tests.rs" | "benches");
        let compiled = ["rs", "toml", "wasm"]
            .map(OsStr::new)
            .iter()
            .any(|kind| below.extension() == Some(kind));
        if !skipped && (is_folder || compiled) {
            newest_time = newest_time.max(newest(&below)?);
        }
    }
    Ok(newest_time)
}

fn build(root: &Path, folder: &Path) -> Result<(), BinaryError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // The folder of the profile `dev` is called `debug`; all others are called like their profile.
    let profile = match folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = folder.parent().unwrap_or(folder);
    let mut command = Command::new(&cargo);
    command.current_dir(root).args([
        "build",
        "--locked",
        "-p",
        "salus",
        "--bin",
        "salus",
        "--profile",
        profile,
    ]);
    command.arg("--target-dir").arg(target);
    let status = command.status().map_err(|error| BinaryError::File {
        path: cargo.into(),
        error,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(BinaryError::Build(format!(
            "cargo build -p salus --profile {profile}"
        )))
    }
}
