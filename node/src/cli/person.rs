//! Whose keys a command uses.

use super::{CliError, NodeArguments};
use crate::home::PASSPHRASE_VARIABLE;
use crate::session::Session;
use salus_client::{Identity, Signer, keystore, parse_address};
use salus_types::PrincipalId;
use salus_types::abi::registry::PatientAddress;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Who acts, and where.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PersonArguments {
    #[command(flatten)]
    pub(crate) node: NodeArguments,
    /// The keystore of whoever acts; its passphrase is asked for, or taken from SALUS_PASSPHRASE.
    #[arg(long, global = true, env = "SALUS_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
    /// The number under which that principal is registered.
    #[arg(long = "as", global = true, env = "SALUS_PRINCIPAL", value_name = "NUMBER")]
    principal: Option<u32>,
}

impl PersonArguments {
    /// Whether it was said who acts.
    pub(crate) const fn is_given(&self) -> bool {
        self.key.is_some()
    }

    pub(crate) async fn session(&self) -> Result<Session, CliError> {
        let missing = |what: &str| CliError::Usage(format!("say who acts: {what}"));
        let key = self
            .key
            .as_deref()
            .ok_or_else(|| missing("--key FILE (or SALUS_KEY)"))?;
        let principal = self
            .principal
            .ok_or_else(|| missing("--as NUMBER (or SALUS_PRINCIPAL)"))?;
        let identity = load_identity(key)?;
        let remote = self.node.remote()?;
        let chain = remote.chain().await?;
        Ok(Session::new(
            remote,
            Signer::new(chain, PrincipalId::new(principal), identity),
        ))
    }
}

/// Opens a keystore.
pub(crate) fn load_identity(path: &Path) -> Result<Identity, CliError> {
    let file = std::fs::read(path).map_err(|error| CliError::file(path, error))?;
    let passphrase = passphrase(&format!("Passphrase of {}: ", path.display()))?;
    keystore::decrypt(&file, &passphrase).map_err(|error| CliError::file(path, error))
}

/// From the environment, or typed.
pub(crate) fn passphrase(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    if let Ok(passphrase) = std::env::var(PASSPHRASE_VARIABLE) {
        return Ok(Zeroizing::new(passphrase));
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(format!(
            "no passphrase: set {PASSPHRASE_VARIABLE}, or run this in a terminal"
        )));
    }
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| CliError::Usage(format!("the passphrase could not be read: {error}")))
}

/// A patient address as a command's argument.
pub(crate) fn address_argument(text: &str) -> Result<PatientAddress, String> {
    parse_address(text).map_err(|error| error.to_string())
}
