//! The command line: `salus <command>`. Every command has `--help`, `--json`, and an exit code that scripts can use.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]

mod block;
mod contract;
mod durability;
mod init;
mod keys;
mod member;
mod output;
mod person;
mod progress;
mod record;
mod repair;
mod sharelog;
mod start;
mod status;
mod testnet;
mod tx;

pub(crate) use keys::linkage_key;
pub(crate) use output::bytes_text;
pub(crate) use record::{access_log, log_line};
pub(crate) use testnet::{Layout, write_testnet};

use crate::demo;
use crate::remote::{Remote, RemoteError};
use crate::session::SessionError;
use clap::{CommandFactory, Parser, Subcommand};
use output::Output;
use std::process::ExitCode;

/// A permissioned chain for sharing health records: every hospital keeps only its share of every block.
#[derive(Debug, Parser)]
#[command(
    name = "salus",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run four hospitals on this machine and show everything: records, grants, refusals, failures, repair.
    Demo(demo::DemoArguments),
    /// Write keys, genesis and configuration of a test network.
    Testnet(testnet::TestnetArguments),
    /// Make a new hospital's folder: keys, configuration, and the card for the members.
    Init(init::InitArguments),
    /// Run a validator.
    Start(start::StartArguments),
    /// Show how a validator is.
    Status(status::StatusArguments),
    /// Show how far a validator is with rebuilding lost shares.
    Repair(repair::RepairArguments),
    /// Look at the share log of a validator that does not run, and check it.
    Sharelog {
        #[command(subcommand)]
        command: sharelog::ShareLogCommand,
    },
    /// Show who belongs to the network; propose and vote; change one's own keys.
    Member(member::MemberArguments),
    /// Contracts: write, build, test and compare them; on a network deploy, vote, instantiate, migrate, freeze, call, ask.
    Contract {
        #[command(flatten)]
        person: person::PersonArguments,
        #[command(subcommand)]
        command: contract::ContractCommand,
    },
    /// Make and show keys of people.
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Send a transaction, or look one up.
    Tx(tx::TxArguments),
    /// Look at blocks, open them from shares, and have them dealt anew.
    Block {
        #[command(flatten)]
        person: person::PersonArguments,
        #[command(subcommand)]
        command: block::BlockCommand,
    },
    /// Put and get health records; see who looked.
    Record(record::RecordArguments),
    /// Calculate how likely blocks are lost, closed or stolen, for a number of hospitals and the risks they run.
    Durability(durability::DurabilityArguments),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Which validator to talk to.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct NodeArguments {
    /// Address of a validator's public interface.
    #[arg(
        long,
        global = true,
        env = "SALUS_NODE",
        default_value = "http://127.0.0.1:8700",
        value_name = "URL"
    )]
    node: String,
}

impl NodeArguments {
    pub(crate) fn remote(&self) -> Result<Remote, CliError> {
        Ok(Remote::new(&self.node)?)
    }
}

/// Why a command failed, with the exit code it gives.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Something in the arguments or files.
    #[error("{0}")]
    Usage(String),
    /// The validator or the chain refused.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The validator does not run, or halted.
    #[error(transparent)]
    Validator(#[from] crate::validator::ValidatorError),
    /// Files that were looked at are damaged.
    #[error("{0}")]
    Damaged(String),
    /// A step of the demo failed.
    #[error("{0}")]
    Demo(String),
}

impl From<RemoteError> for CliError {
    fn from(error: RemoteError) -> Self {
        Self::Session(error.into())
    }
}

impl CliError {
    pub(crate) fn file(path: &std::path::Path, error: impl std::fmt::Display) -> Self {
        Self::Usage(format!("{}: {error}", path.display()))
    }

    /// 1 failed, 2 wrong usage, 3 access denied, 4 no validator answers, 5 the chain stands still.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Session(SessionError::Denied(_)) => 3,
            Self::Session(SessionError::Remote(RemoteError::Unreachable { .. })) => 4,
            Self::Session(SessionError::Remote(RemoteError::StandsStill { .. })) => 5,
            Self::Session(_) | Self::Validator(_) | Self::Damaged(_) | Self::Demo(_) => 1,
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Arguments { json, command } = Arguments::parse();
    let output = Output { json };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(command, output)),
        Err(error) => Err(CliError::Usage(format!("no threads can be started: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run(command: Command, output: Output) -> Result<(), CliError> {
    match command {
        Command::Demo(arguments) => demo::run(arguments, output.json).await,
        Command::Testnet(arguments) => testnet::run(&arguments, output),
        Command::Init(arguments) => init::run(&arguments, output),
        Command::Member(arguments) => member::run(arguments, output).await,
        Command::Contract { person, command } => contract::run(&person, command, output).await,
        Command::Start(arguments) => start::run(&arguments, output).await,
        Command::Status(arguments) => status::run(&arguments, output).await,
        Command::Repair(arguments) => repair::run(&arguments, output).await,
        Command::Sharelog { command } => sharelog::run(&command, output),
        Command::Keys { command } => keys::run(&command, output),
        Command::Tx(arguments) => tx::run(arguments, output).await,
        Command::Block { person, command } => block::run(&person, &command, output).await,
        Command::Record(arguments) => record::run(arguments, output).await,
        Command::Durability(arguments) => durability::run(&arguments, output),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "salus", &mut std::io::stdout());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
