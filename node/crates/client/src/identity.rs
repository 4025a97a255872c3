use salus_records::{EncryptionKey, EncryptionSecret};
use salus_types::{PublicKey, SecretKey};
use zeroize::Zeroizing;

/// A principal's two keys: one signs, one opens what is sealed for it. Zeroised when dropped.
#[derive(Clone, Debug)]
pub struct Identity {
    signing: SecretKey,
    encryption: EncryptionSecret,
}

/// What the registry knows of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicIdentity {
    /// Verifies its transactions.
    pub signing_key: PublicKey,
    /// Receives what is sealed for it.
    pub encryption_key: EncryptionKey,
}

impl Identity {
    /// Both keys from one seed of 32 random bytes, each under a context of its own.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let derive = |context| Zeroizing::new(blake3::derive_key(context, seed));
        Self::from_seeds(
            &derive("salus.identity.v1 signing"),
            &derive("salus.identity.v1 encryption"),
        )
    }

    /// Each key from a seed of its own.
    pub fn from_seeds(signing: &[u8; 32], encryption: &[u8; 32]) -> Self {
        Self {
            signing: SecretKey::from_seed(signing),
            encryption: EncryptionSecret::from_seed(encryption),
        }
    }

    /// Signs transactions and requests.
    pub const fn signing(&self) -> &SecretKey {
        &self.signing
    }

    /// Opens what is sealed for its owner.
    pub const fn encryption(&self) -> &EncryptionSecret {
        &self.encryption
    }

    /// What may be shown.
    pub fn public(&self) -> PublicIdentity {
        PublicIdentity {
            signing_key: self.signing.public(),
            encryption_key: self.encryption.public(),
        }
    }
}
