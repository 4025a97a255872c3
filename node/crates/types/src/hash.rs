use crate::ChainId;
use data_encoding::HEXLOWER;
use salus_abi::codec::{Decode, Encode};
use salus_abi::domain::{self, Tag};
use std::fmt;
use std::str::FromStr;

/// A BLAKE3 hash of 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of nothing yet: parent of the first block, root of the empty state.
    pub const ZERO: Self = Self([0; 32]);

    /// Wraps bytes that are already a hash.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash of `payload` as a thing of kind `tag` on this chain.
    pub fn of(tag: Tag, chain: &ChainId, payload: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(tag.as_bytes())
            .update(chain.as_bytes())
            .update(&[domain::VERSION])
            .update(payload);
        Self(*hasher.finalize().as_bytes())
    }

    /// The plain BLAKE3 hash of content that carries no meaning of its own: a fragment, a ciphertext, WASM code.
    pub fn of_content(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hex digits, for logs and tables.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// A text that should have been 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct HashParseError;

impl FromStr for Hash {
    type Err = HashParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER
            .decode(text.to_ascii_lowercase().as_bytes())
            .map_err(|_| HashParseError)?;
        Ok(Self(bytes.try_into().map_err(|_| HashParseError)?))
    }
}
