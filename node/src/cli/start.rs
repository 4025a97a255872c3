use super::CliError;
use super::output::Output;
use crate::config::Config;
use crate::home::Home;
use crate::observe;
use crate::validator::{self, Ended};
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
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

/// Runs a validator until it is interrupted or terminated. Once its member's keys have changed it takes its own place, so that whoever
/// supervises the process sees the same one go on.
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
    match validator::run(&home, config, interrupted(arguments.until_stdin_closes), ready).await? {
        Ended::Stopped => Ok(()),
        Ended::KeysChanged => Err(start_anew()),
    }
}

/// Replaces this process by the same program with the same arguments; returns only if that fails.
fn start_anew() -> CliError {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return CliError::file(Path::new("salus"), error),
    };
    let error = Command::new(&program).args(std::env::args_os().skip(1)).exec();
    CliError::file(
        &program,
        format!("the validator has new keys and can't start anew: {error}"),
    )
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
