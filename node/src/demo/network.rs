//! Real validator processes on this machine.

use super::tell::Teller;
use crate::cli::{CliError, Layout, write_testnet};
use crate::remote::{Remote, Status};
use salus_genesis::Params;
use salus_types::Hash;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long anything may take before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(100);

/// The processes and their folders.
pub(super) struct Network {
    pub(super) layout: Layout,
    folder: PathBuf,
    keep: bool,
    processes: Vec<Option<Child>>,
}

impl Network {
    /// Writes the folders of a new network.
    pub(super) fn found(validators: u16, keep: bool) -> Result<Self, CliError> {
        let name = format!(
            "salus-demo-{}",
            data_encoding::HEXLOWER.encode(&crate::random_bytes()[..4])
        );
        let folder = std::env::temp_dir().join(name);
        let gas_table = Hash::new(salus_runtime::gas_table_hash());
        let layout = write_testnet(
            &folder,
            "demo",
            validators,
            Params::usual(usize::from(validators), gas_table),
            0,
        )?;
        let processes = layout.homes.iter().map(|_| None).collect();
        Ok(Self {
            layout,
            folder,
            keep,
            processes,
        })
    }

    pub(super) fn size(&self) -> usize {
        self.layout.homes.len()
    }

    /// A validator's folder.
    pub(super) fn home(&self, node: usize) -> Result<&Path, CliError> {
        self.layout
            .homes
            .get(node)
            .map(PathBuf::as_path)
            .ok_or_else(|| no_such(node))
    }

    /// A validator's public interface.
    pub(super) fn remote(&self, node: usize) -> Result<Remote, CliError> {
        let address = self.layout.nodes.get(node).ok_or_else(|| no_such(node))?;
        Ok(Remote::new(&format!("http://{address}"))?)
    }

    /// Starts a validator: the same command that a hospital runs. It ends when this process does, however that ends,
    /// because the pipe to its standard input closes then.
    pub(super) fn start(&mut self, node: usize) -> Result<(), CliError> {
        let program = std::env::current_exe().map_err(|error| CliError::Demo(error.to_string()))?;
        let home = self.home(node)?.to_path_buf();
        let path = home.join("log.txt");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| CliError::file(&path, error))?;
        let child = Command::new(program)
            .args(["start", "--until-stdin-closes", "--home"])
            .arg(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| CliError::Demo(format!("validator {node} can't be started: {error}")))?;
        if let Some(place) = self.processes.get_mut(node) {
            *place = Some(child);
        }
        Ok(())
    }

    /// kill -9: no warning, no chance to tidy up.
    pub(super) async fn kill(&mut self, node: usize) -> Result<(), CliError> {
        let failed =
            |error: std::io::Error| CliError::Demo(format!("validator {node} can't be killed: {error}"));
        match self.processes.get_mut(node).and_then(Option::take) {
            Some(mut child) => child.kill().await.map_err(failed),
            None => Ok(()),
        }
    }

    /// Asks a validator to stop, and waits until it has.
    pub(super) async fn stop(&mut self, node: usize) -> Result<(), CliError> {
        let Some(mut child) = self.processes.get_mut(node).and_then(Option::take) else {
            return Ok(());
        };
        drop(child.stdin.take());
        let failed = |error: std::io::Error| CliError::Demo(error.to_string());
        match tokio::time::timeout(Duration::from_secs(20), child.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(|status| status.success()) => Ok(()),
            Ok(status) => Err(CliError::Demo(format!(
                "validator {node} stopped with {}",
                status.map_err(failed)?
            ))),
            Err(_) => {
                child.kill().await.map_err(failed)?;
                Err(CliError::Demo(format!(
                    "validator {node} did not stop when asked to"
                )))
            }
        }
    }

    /// Waits until a validator's status is as wanted.
    pub(super) async fn wait(
        &mut self,
        node: usize,
        what: &str,
        wanted: impl Fn(&Status) -> bool,
    ) -> Result<Status, CliError> {
        let remote = self.remote(node)?;
        let polls = PATIENCE.as_millis() / POLL.as_millis();
        let mut last = None;
        for _ in 0..polls {
            if let Some(ended) = self.ended(node) {
                return Err(CliError::Demo(format!(
                    "validator {node} ended by itself ({ended})"
                )));
            }
            match remote.status().await {
                Ok(status) if wanted(&status) => return Ok(status),
                Ok(status) => last = Some(status),
                Err(_) => {}
            }
            tokio::time::sleep(POLL).await;
        }
        Err(CliError::Demo(format!(
            "validator {node} did not get there: {what}; last seen: {last:?}"
        )))
    }

    fn ended(&mut self, node: usize) -> Option<String> {
        let child = self.processes.get_mut(node)?.as_mut()?;
        child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// The ends of the validators' logs, after a failure.
    pub(super) fn show_logs(&self, teller: &Teller) {
        for (node, home) in self.layout.homes.iter().enumerate() {
            let log = fs::read_to_string(home.join("log.txt")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            teller.note(&format!("validator {node}, the end of its log:"));
            lines
                .iter()
                .skip(lines.len().saturating_sub(8))
                .for_each(|line| teller.note(line));
        }
    }

    /// Stops everything, and removes the folders unless they are to be kept.
    pub(super) async fn end(mut self) -> Option<PathBuf> {
        for node in 0..self.size() {
            // Killed where asking does not help: nothing must be left behind.
            if self.stop(node).await.is_err() {
                let _ = self.kill(node).await;
            }
        }
        if self.keep {
            return Some(self.folder);
        }
        let _ = fs::remove_dir_all(&self.folder);
        None
    }
}

fn no_such(node: usize) -> CliError {
    CliError::Demo(format!("there is no validator {node}"))
}
