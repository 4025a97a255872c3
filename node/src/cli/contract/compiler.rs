//! The compiler for guests: rustup's WebAssembly target, or Debian's compiler, which builds `core` and `alloc` from source.
//! The same choice, and the same flags, as `scripts/build-contracts.sh` makes for the contracts of this repository.

use crate::cli::CliError;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What guests are built for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";
/// One flag a line; the script reads the same file.
const FLAGS: &str = include_str!("../../../../scripts/guest-flags.txt");
/// Debian's compiler, and its library's sources.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust";

/// A compiler that was found.
#[derive(Debug)]
pub(super) struct Compiler {
    /// What a manifest says of it.
    pub(super) description: String,
    /// Arguments for Cargo besides the usual ones.
    arguments: Vec<String>,
    /// Environment for Cargo.
    environment: Vec<(&'static str, String)>,
    /// Where the standard library's sources lie.
    sources: PathBuf,
}

impl Compiler {
    /// Looks for a compiler, as Cargo in `folder` would.
    pub(super) fn find(folder: &Path) -> Result<Self, CliError> {
        let sysroot = PathBuf::from(rustc(folder, ["--print", "sysroot"])?);
        if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
            return Ok(Self {
                description: format!("{}, {TARGET} from rustup", rustc(folder, ["--version"])?),
                arguments: Vec::new(),
                environment: Vec::new(),
                sources: sysroot.join("lib/rustlib/src/rust"),
            });
        }
        let sources = PathBuf::from(DEBIAN_SOURCES);
        let host = rustc(folder, ["--version", "--verbose"])?;
        let host = host
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .unwrap_or_default();
        let linker = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
        if !Path::new(DEBIAN_RUSTC).is_file() || !sources.join("library").is_dir() || !linker.is_file() {
            return Err(CliError::Usage(format!(
                "no compiler for {TARGET}: run `rustup target add {TARGET}`, or install Debian's rustc-web, rust-web-src and lld"
            )));
        }
        let version = text_of(Command::new(DEBIAN_RUSTC).arg("--version"))?;
        Ok(Self {
            description: format!("{version}, Debian rustc-web, core and alloc from source"),
            arguments: vec![
                "-Zbuild-std=core,alloc".to_owned(),
                "--config".to_owned(),
                format!("target.{TARGET}.linker='{}'", linker.display()),
            ],
            environment: vec![
                ("RUSTC", DEBIAN_RUSTC.to_owned()),
                ("RUSTC_BOOTSTRAP", "1".to_owned()),
            ],
            sources,
        })
    }

    /// Builds the package `name` of the workspace in `stage`. Cargo speaks on standard error.
    pub(super) fn build(&self, stage: &Path, target: &Path, name: &str) -> Result<(), CliError> {
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(stage)
            .args(["build", "--release", "--target", TARGET, "-p", name])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags(stage).join("\u{1f}"))
            // Incremental builds, which a shell may have asked for, cut the code differently.
            .env("CARGO_INCREMENTAL", "0")
            .env_remove("RUSTFLAGS");
        let status = cargo
            .status()
            .map_err(|error| CliError::Usage(format!("cargo can't be started: {error}")))?;
        if status.success() {
            return Ok(());
        }
        Err(CliError::Damaged(
            "the contract doesn't compile; see above".to_owned(),
        ))
    }

    /// The flags of every guest, and those that keep this machine's paths out of it.
    fn flags(&self, stage: &Path) -> Vec<String> {
        let mut flags: Vec<String> = guest_flags().map(str::to_owned).collect();
        let mut remap =
            |from: &Path, to: &str| flags.push(format!("--remap-path-prefix={}={to}", from.display()));
        remap(stage, "/salus");
        // The compiler names its sources by either path.
        remap(&self.sources, "/rust");
        if let Ok(real) = self.sources.canonicalize() {
            remap(&real, "/rust");
        }
        for registry in registries() {
            remap(&registry, "/crates");
        }
        flags
    }
}

/// The flags of every guest, as a manifest records them.
pub(super) fn guest_flags() -> impl Iterator<Item = &'static str> {
    FLAGS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// Where Cargo unpacks dependencies: a folder for each registry.
fn registries() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cargo"))
    });
    let entries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort();
    folders
}

fn rustc<const N: usize>(folder: &Path, arguments: [&str; N]) -> Result<String, CliError> {
    text_of(
        Command::new("rustc")
            .current_dir(folder)
            .args(arguments.map(OsStr::new)),
    )
}

fn text_of(command: &mut Command) -> Result<String, CliError> {
    let program = command.get_program().to_owned();
    let failed = |what: String| CliError::Usage(format!("{} {what}", program.display()));
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            return Err(failed(format!(
                "can't be started: {error}; install Rust with rustup"
            )));
        }
    };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
