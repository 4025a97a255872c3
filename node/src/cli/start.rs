use super::CliError;
use super::output::Output;
use crate::config::Config;
use crate::home::Home;
use crate::{observe, validator};
use serde_json::json;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, clap::Args)]
pub(crate) struct StartArguments {
    /// The validator's folder.
    #[arg(long, env = "SALUS_HOME", value_name = "DIR")]
    home: PathBuf,
    /// Stop when standard input closes: for programs that start validators and must not leave any behind.
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// Runs a validator until it is interrupted or terminated.
pub(crate) async fn run(arguments: &StartArguments, output: Output) -> Result<(), CliError> {
    let home = Home::new(&arguments.home);
    let config = Config::load(&home.config()).map_err(|error| CliError::Usage(error.to_string()))?;
    observe::start_logging(&config.log);
    let shown = arguments.home.display().to_string();
    let ready = |address| {
        let value = json!({ "home": shown, "api": format!("http://{address}"), "ready": true });
        output.result(
            &format!("validator of {shown} answers at http://{address}"),
            &value,
        );
    };
    Ok(validator::run(&home, config, interrupted(arguments.until_stdin_closes), ready).await?)
}

async fn interrupted(until_stdin_closes: bool) {
    let closed = async {
        if until_stdin_closes {
            let mut sink = tokio::io::sink();
            let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut sink).await;
        } else {
            std::future::pending().await
        }
    };
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
        () = closed => {}
    }
}
