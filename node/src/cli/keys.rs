use super::output::{Output, table};
use super::{CliError, person};
use crate::home::Home;
use clap::Subcommand;
use salus_client::keystore::{self, Randomness};
use salus_client::{Identity, LinkageKey, PublicIdentity};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Keys of people: doctors, patients, managers.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a new pair of keys, encrypted under a passphrase.
    New {
        /// The file to write; an existing one is never overwritten.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show the public keys of a keystore.
    Show {
        /// The keystore.
        file: PathBuf,
    },
}

pub(crate) fn run(command: &KeysCommand, output: Output) -> Result<(), CliError> {
    let (path, identity) = match command {
        KeysCommand::New { out } => {
            let passphrase = person::passphrase("Choose a passphrase: ")?;
            let identity = Identity::from_seed(&crate::random_bytes());
            write_keystore(out, &identity, &passphrase)?;
            (out, identity)
        }
        KeysCommand::Show { file } => (file, person::load_identity(file)?),
    };
    let PublicIdentity {
        signing_key,
        encryption_key,
    } = identity.public();
    let encryption = data_encoding::HEXLOWER.encode(encryption_key.as_bytes());
    let text = table(&[
        ("keystore", path.display().to_string()),
        ("signing key", signing_key.to_string()),
        ("encryption key", encryption.clone()),
    ]);
    output.result(
        &text,
        &json!({
            "keystore": path.display().to_string(),
            "signing_key": signing_key.to_string(),
            "encryption_key": encryption,
        }),
    );
    Ok(())
}

/// Encrypts an identity into a new file that only this user may read.
pub(crate) fn write_keystore(path: &Path, identity: &Identity, passphrase: &str) -> Result<(), CliError> {
    let (salt, nonce) = (crate::random_bytes(), crate::random_bytes());
    let randomness = Randomness {
        salt: *salt.first_chunk().unwrap_or(&[0; 16]),
        nonce: *nonce.first_chunk().unwrap_or(&[0; 12]),
    };
    let file = keystore::encrypt(identity, passphrase, randomness)
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Home::new(folder)
        .write_private(path, &file)
        .map_err(|error| CliError::Usage(error.to_string()))
}

/// The key under which a hospital's staff member makes patients' pseudonyms: derived from that member's own keys,
/// so that the same medical record number gives the same address again.
pub(crate) fn linkage_key(identity: &Identity) -> LinkageKey {
    let seed = identity.signing().seed();
    LinkageKey::new(blake3::derive_key(
        "salus 2026-11 hospital linkage key",
        seed.as_slice(),
    ))
}
