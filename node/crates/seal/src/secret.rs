//! Bytes that are wiped on drop.

use std::ops::Deref;
use zeroize::Zeroize;

/// A buffer that is zeroised on drop. It is never grown beyond the room it was made with, so it leaves no copies.
///
/// `Zeroizing<Vec<u8>>` would do, but wipes byte by byte: for a body of a megabyte that takes as long as encrypting it.
pub(crate) struct SecretBytes(Vec<u8>);

impl SecretBytes {
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Room for `length` bytes, which `fill` must not exceed.
    pub(crate) fn with_room(length: usize, fill: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = Self(Vec::with_capacity(length));
        fill(&mut bytes.0);
        debug_assert!(bytes.0.len() <= length, "a secret outgrew its room");
        bytes
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}
