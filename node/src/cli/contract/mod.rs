//! `salus contract`: what the author of a contract does by itself ([`author`]), and contracts on a running network
//! ([`network`]).
//!
//! ```text
//! deploy  an artefact -> the chain, in parts; proposed for approval
//! vote, enact         -> approved code, after the timelock
//! instantiate         -> a contract;   register: a rule of one's own hospital
//! migrate, freeze, unfreeze, rule -> proposals about a contract that runs
//! list, show, query, call
//! ```

mod author;
mod build;
mod check;
mod compiler;
mod coverage;
mod diff;
mod explain;
mod gas;
mod network;
mod new;
mod package;
mod schema;
mod stage;
mod test;
mod verify;

use super::CliError;
use super::output::Output;
use super::person::PersonArguments;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    #[command(flatten)]
    Author(author::AuthorCommand),
    #[command(flatten)]
    Network(network::NetworkCommand),
}

pub(crate) async fn run(
    person: &PersonArguments,
    command: ContractCommand,
    output: Output,
) -> Result<(), CliError> {
    match command {
        ContractCommand::Author(command) => author::run(&command, output),
        ContractCommand::Network(command) => network::run(person, command, output).await,
    }
}
