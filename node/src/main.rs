//! The `salus` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    salus::cli::main()
}
