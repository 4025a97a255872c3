//! `salus contract`: contracts on a running network.
//!
//! ```text
//! deploy  an artefact -> the chain, in parts; proposed for approval
//! vote, enact         -> approved code, after the timelock
//! instantiate         -> a contract;   register: a rule of one's own hospital
//! migrate, freeze, unfreeze, rule -> proposals about a contract that runs
//! list, show, query, call
//! ```

mod network;

use super::CliError;
use super::output::Output;
use super::person::PersonArguments;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    #[command(flatten)]
    Network(network::NetworkCommand),
}

pub(crate) async fn run(
    person: &PersonArguments,
    command: ContractCommand,
    output: Output,
) -> Result<(), CliError> {
    match command {
        ContractCommand::Network(command) => network::run(person, command, output).await,
    }
}
