//! ed25519 (RFC 8032) with one rule of verification.

use crate::ChainId;
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use salus_abi::codec::{Decode, Encode};
use salus_abi::domain::{self, Tag};
use std::fmt;

/// A public key that verifies signatures. The bytes may not be a point of the curve; then nothing verifies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct PublicKey([u8; 32]);

/// A signature that may or may not be valid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Signature([u8; 64]);

/// A key that signs. Zeroised when dropped; its `Debug` shows the public key only.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// A signature that does not verify under the key and message it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureError;

impl PublicKey {
    /// Wraps the 32 bytes of RFC 8032.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature over `payload` as a thing of kind `tag` on this chain.
    ///
    /// `verify_strict`: canonical S, no small-order points. Every path of the project uses this rule, so that
    /// all validators agree on every signature.
    pub fn verify(
        &self,
        tag: Tag,
        chain: &ChainId,
        payload: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError)?;
        let message = domain::message(tag, chain.as_bytes(), payload);
        key.verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&signature.0))
            .map_err(|_| SignatureError)
    }
}

impl Signature {
    /// Wraps the 64 bytes of RFC 8032.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl SecretKey {
    /// The key of a 32-byte seed. The public key is always derived, never taken from beside the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed. Only a keystore, which encrypts it, may ask.
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `payload` as a thing of kind `tag` on this chain.
    pub fn sign(&self, tag: Tag, chain: &ChainId, payload: &[u8]) -> Signature {
        Signature(
            self.0
                .sign(&domain::message(tag, chain.as_bytes(), payload))
                .to_bytes(),
        )
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Signature({}..)",
            HEXLOWER.encode(self.0.get(..4).unwrap_or_default())
        )
    }
}
