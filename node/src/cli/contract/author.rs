//! What the author of a contract does, from nothing to an artefact that members can vote on. Talks to nobody.
//!
//! ```text
//! new      a folder with a rule, its tests and its cases
//! build    src/ -> artifacts/NAME.wasm and manifest.json, the same bytes on every machine with the same compiler
//! check    the node's own admission, and lints
//! test     cargo test, then every file of cases/
//! coverage which entries, reasons and errors the tests have met
//! gas      what each entry cost in the tests, beside what it cost before
//! explain  why a case comes out as it does
//! schema   what callers need to know, as JSON Schema, TypeScript or WIT
//! diff     two artefacts, the same requests: which decisions change
//! verify   build again and compare with the manifest
//! ```

use super::{build, check, coverage, diff, explain, gas, new, schema, test, verify};
use crate::cli::CliError;
use crate::cli::output::Output;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum AuthorCommand {
    /// Make a folder with a rule, its tests and its cases.
    New(new::NewArguments),
    /// Build the artefact and its manifest.
    Build(FolderArguments),
    /// See whether validators admit an artefact, and what speaks against it besides.
    Check(check::CheckArguments),
    /// Run the tests and the cases.
    Test(test::TestArguments),
    /// Show which entries, reasons and errors the tests have met.
    Coverage(coverage::CoverageArguments),
    /// Show what each entry costs in the tests.
    Gas(gas::GasArguments),
    /// Show why a case comes out as it does: the grants, the rules, the reason.
    Explain(explain::ExplainArguments),
    /// Print what an artefact says of itself, for those who call it.
    Schema(schema::SchemaArguments),
    /// Ask two artefacts the same and list every decision that changes.
    Diff(diff::DiffArguments),
    /// Build again and compare with the manifest.
    Verify(FolderArguments),
}

/// Which contract.
#[derive(Debug, clap::Args)]
pub(crate) struct FolderArguments {
    /// The contract's folder.
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
}

pub(super) fn run(command: &AuthorCommand, output: Output) -> Result<(), CliError> {
    match command {
        AuthorCommand::New(arguments) => new::run(arguments, output),
        AuthorCommand::Build(arguments) => build::run(&arguments.folder, output),
        AuthorCommand::Check(arguments) => check::run(arguments, output),
        AuthorCommand::Test(arguments) => test::run(arguments, output),
        AuthorCommand::Coverage(arguments) => coverage::run(arguments, output),
        AuthorCommand::Gas(arguments) => gas::run(arguments, output),
        AuthorCommand::Explain(arguments) => explain::run(arguments, output),
        AuthorCommand::Schema(arguments) => schema::run(arguments, output),
        AuthorCommand::Diff(arguments) => diff::run(arguments, output),
        AuthorCommand::Verify(arguments) => verify::run(&arguments.folder, output),
    }
}
