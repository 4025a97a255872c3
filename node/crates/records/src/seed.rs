use hpke::rand_core::{Infallible, TryCryptoRng, TryRng};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 fresh bytes of the system's randomness, for one operation.
///
/// A seed is used up by the operation it is given to. What is drawn from it also depends on everything that goes
/// into that operation, so that a seed used twice by mistake still does not encrypt two contents under one key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Wraps bytes that the caller drew from the operating system and uses nowhere else.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Stretches the seed for one purpose, bound to what it is used for.
    pub(crate) fn stream(self, purpose: &'static str, bound_to: &[&[u8]]) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(&self.0);
        for part in bound_to {
            // Each part behind its length, so that parts cannot be shifted into one another.
            hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
        }
        let stream = Stream(hasher.finalize_xof());
        hasher.zeroize();
        stream
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// Pseudo-random bytes from a [`Seed`].
pub(crate) struct Stream(blake3::OutputReader);

impl Stream {
    /// Fills an array.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Stream {}
