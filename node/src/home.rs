//! A validator's folder.
//!
//! ```text
//! home/
//!   config.toml        the operator's file
//!   genesis.toml       the network's agreement
//!   contracts/         code that the genesis names and that does not ship with this program: <hash>.wasm
//!   keys/validator.key a keystore: the seed of all the validator's keys, encrypted under a passphrase
//!   keys/validator-1.key ... seeds of keys that replaced those; the disk stays under the first one's storage key
//!   data/              shares, write-ahead log, index, pieces of records
//! ```
//!
//! The passphrase comes from the environment variable `SALUS_PASSPHRASE`, or from `keys/passphrase` (mode 0600)
//! where nobody is there to type it.

use salus_client::keystore;
use salus_records::ReleaseSecret;
use salus_types::{Member, MemberKeys, PublicKey, SecretKey};
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The environment variable that holds the keystore's passphrase.
pub const PASSPHRASE_VARIABLE: &str = "SALUS_PASSPHRASE";

/// How often keys can be replaced: every old release key is tried on old records.
const REPLACED_KEYS_MAX: usize = 64;

/// The paths of a validator's folder.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

/// Why a folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A file can't be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// No passphrase.
    #[error("no passphrase for {0}: set SALUS_PASSPHRASE, or put it into keys/passphrase with mode 0600")]
    NoPassphrase(String),
    /// The passphrase file is open to others.
    #[error("{0} can be read by other users of this machine: chmod 600 it")]
    OpenPassphrase(String),
    /// The keystore does not open.
    #[error("{path}: {error}")]
    Keystore {
        /// Which file.
        path: String,
        /// Why.
        error: String,
    },
}

impl Home {
    /// The folder at a path, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The operator's file.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The network's agreement.
    pub fn genesis(&self) -> PathBuf {
        self.0.join("genesis.toml")
    }

    /// Code of a contract that does not ship with this program.
    pub fn contract(&self, hash: &salus_types::Hash) -> PathBuf {
        self.0.join("contracts").join(format!("{hash}.wasm"))
    }

    /// Everything the validator writes while it runs.
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Compiled contracts.
    pub fn compiled(&self) -> PathBuf {
        self.data().join("compiled")
    }

    /// The encrypted seed.
    pub fn key_file(&self) -> PathBuf {
        self.0.join("keys").join("validator.key")
    }

    /// The encrypted seed of the keys that replaced others, from 1.
    pub fn replaced_key_file(&self, number: usize) -> PathBuf {
        self.0.join("keys").join(format!("validator-{number}.key"))
    }

    /// Where the next seed goes when the keys are replaced.
    pub fn next_key_file(&self) -> PathBuf {
        let free = (1..=REPLACED_KEYS_MAX).map(|number| self.replaced_key_file(number));
        let mut free = free.filter(|path| !path.exists());
        free.next()
            .unwrap_or_else(|| self.replaced_key_file(REPLACED_KEYS_MAX))
    }

    /// The passphrase, where nobody is there to type it.
    pub fn passphrase_file(&self) -> PathBuf {
        self.0.join("keys").join("passphrase")
    }

    /// Writes a file that only this user may read, durably, making its folder if needed. Never overwrites.
    pub fn write_private(&self, path: &Path, content: &[u8]) -> Result<(), HomeError> {
        let fail = |error| HomeError::File {
            path: path.display().to_string(),
            error,
        };
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(fail)?;
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(fail)?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(fail)
    }

    /// Opens the validator's keys: the first ones, then those that replaced them, in their order.
    pub fn keys(&self) -> Result<Vec<ValidatorKeys>, HomeError> {
        let passphrase = self.passphrase()?;
        let mut seeds = vec![self.seed(&self.key_file(), &passphrase)?];
        let replaced = (1..=REPLACED_KEYS_MAX).map(|number| self.replaced_key_file(number));
        for path in replaced.take_while(|path| path.exists()) {
            seeds.push(self.seed(&path, &passphrase)?);
        }
        Ok((0..seeds.len())
            .filter_map(|current| ValidatorKeys::from_seeds(&seeds, current))
            .collect())
    }

    /// The key under which this folder's data are wrapped.
    pub fn storage_key(&self) -> Result<Zeroizing<[u8; 32]>, HomeError> {
        let seed = self.seed(&self.key_file(), &self.passphrase()?)?;
        Ok(ValidatorKeys::from_seed(&seed).storage)
    }

    fn seed(&self, path: &Path, passphrase: &str) -> Result<Zeroizing<[u8; 32]>, HomeError> {
        let shown = path.display().to_string();
        let sealed = fs::read(path).map_err(|error| HomeError::File {
            path: shown.clone(),
            error,
        })?;
        let identity = keystore::decrypt(&sealed, passphrase).map_err(|error| HomeError::Keystore {
            path: shown,
            error: error.to_string(),
        })?;
        Ok(identity.signing().seed())
    }

    /// The passphrase of this folder's keystores.
    pub fn passphrase(&self) -> Result<Zeroizing<String>, HomeError> {
        use std::os::unix::fs::PermissionsExt;
        if let Ok(passphrase) = std::env::var(PASSPHRASE_VARIABLE) {
            return Ok(Zeroizing::new(passphrase));
        }
        let path = self.passphrase_file();
        let shown = path.display().to_string();
        let Ok(meta) = fs::metadata(&path) else {
            return Err(HomeError::NoPassphrase(self.key_file().display().to_string()));
        };
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(HomeError::OpenPassphrase(shown));
        }
        let text = fs::read_to_string(&path).map_err(|error| HomeError::File { path: shown, error })?;
        Ok(Zeroizing::new(text.trim_end().to_owned()))
    }
}

/// A validator's keys: one for each use, all derived from one seed, which is what a hospital backs up.
pub struct ValidatorKeys {
    /// Signs votes and receipts.
    pub consensus: SecretKey,
    /// The same for heights that were announced before these keys, or will be after them.
    pub other_consensus: Vec<SecretKey>,
    /// Identifies the validator on the network.
    pub network: SecretKey,
    /// Opens key shares of health records that are sealed to this member.
    pub release: ReleaseSecret,
    /// The same for records that were sealed before or after these keys were in force.
    pub other_releases: Vec<ReleaseSecret>,
    /// Wraps what is stored on this machine's disk.
    pub storage: Zeroizing<[u8; 32]>,
}

impl ValidatorKeys {
    /// Derives the keys of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let derive = |context: &str| Zeroizing::new(blake3::derive_key(context, seed));
        Self {
            consensus: SecretKey::from_seed(&derive("salus 2026-11 validator consensus key")),
            network: SecretKey::from_seed(&derive("salus 2026-11 validator network key")),
            release: ReleaseSecret::from_seed(&derive("salus 2026-11 validator release key")),
            other_consensus: Vec::new(),
            other_releases: Vec::new(),
            storage: derive("salus 2026-11 validator storage key"),
        }
    }

    /// The keys of one of several seeds, each of which replaced the one before it. The disk was written under the first
    /// one's storage key, and records are still sealed to the release keys of all.
    fn from_seeds(seeds: &[Zeroizing<[u8; 32]>], current: usize) -> Option<Self> {
        let first = Self::from_seed(seeds.first()?);
        let others = seeds.iter().enumerate().filter(|(number, _)| *number != current);
        let others = others.map(|(_, seed)| Self::from_seed(seed));
        let (other_consensus, other_releases) = others.map(|keys| (keys.consensus, keys.release)).unzip();
        Some(Self {
            other_consensus,
            other_releases,
            storage: first.storage,
            ..Self::from_seed(seeds.get(current)?)
        })
    }

    /// The key under which the validators of some height know this one.
    pub fn signing(&self, public: &PublicKey) -> Option<&SecretKey> {
        let mut all = std::iter::once(&self.consensus).chain(&self.other_consensus);
        all.find(|key| key.public() == *public)
    }

    /// Release keys, the one in use first: what was sealed to this member before or after a change opens with another one.
    pub fn releases(&self) -> impl Iterator<Item = &ReleaseSecret> {
        std::iter::once(&self.release).chain(&self.other_releases)
    }

    /// The public keys.
    pub fn public(&self) -> MemberKeys {
        MemberKeys {
            consensus: self.consensus.public(),
            network: self.network.public(),
            release: *self.release.public().as_bytes(),
        }
    }

    /// Whether these are the keys of a member.
    pub fn belong_to(&self, member: &Member) -> bool {
        self.public() == MemberKeys::of(member)
    }
}

impl fmt::Debug for ValidatorKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValidatorKeys(of {})", self.consensus.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use expect_test::expect;

    /// Golden vectors: a backed-up seed must give the same keys for ever.
    #[test]
    fn a_seed_always_gives_the_same_keys() {
        let keys = ValidatorKeys::from_seed(&[7; 32]);
        expect!["5bf9d47eb37536539783af1c726493d4d943b176096f488bda4d03420228e36a"]
            .assert_eq(&keys.consensus.public().to_string());
        expect!["9900ae2a299c47070a9f31799065f54b70ee3ccbd70ca9d7ebe28405c99bd832"]
            .assert_eq(&keys.network.public().to_string());
        expect!["e439a77d0bf190951d0303c45dec7ce6bc92f1170ae5fd2446b63c980b67d124"]
            .assert_eq(&HEXLOWER.encode(keys.release.public().as_bytes()));
        expect!["d663bf93f525ae03022edd8c2b11c030289fec813c1e47183bf778d3bde8e895"]
            .assert_eq(&HEXLOWER.encode(keys.storage.as_slice()));
    }

    #[test]
    fn passphrase_files_open_to_others_are_refused_and_nothing_is_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        home.write_private(&home.passphrase_file(), b"secret enough")
            .unwrap();
        assert!(home.write_private(&home.passphrase_file(), b"another").is_err());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home.passphrase_file()), 0o600);
        fs::set_permissions(home.passphrase_file(), fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(home.key_file(), b"a keystore").unwrap();
        assert!(home.keys().unwrap_err().to_string().contains("chmod 600"));
    }
}
