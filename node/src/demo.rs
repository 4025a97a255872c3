//! placeholder while the parts are joined
use crate::cli::CliError;
/// x
#[derive(Debug, clap::Args)]
pub struct DemoArguments {}
pub(crate) async fn run(_: DemoArguments, _json: bool) -> Result<(), CliError> { Ok(()) }
