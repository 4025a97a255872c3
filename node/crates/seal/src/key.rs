//! The data key and the keys derived from it.

use salus_types::{ChainId, Hash, Height, MemberId, Round, Sealing, ShareCommitment};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a data key.
pub(crate) const KEY_LENGTH: usize = 32;

const ENCRYPTION_CONTEXT: &str = "salus seal v1: encryption key of a block body";
const COMMITMENT_CONTEXT: &str = "salus seal v1: commitment key of a block body";

/// The secret that a block's shares share. Drawn afresh for every sealing; zeroised on drop; not clonable.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; KEY_LENGTH]);

/// What a sealing belongs to. It goes into the derived keys and into the authenticated data, so that a ciphertext
/// means nothing for another chain, height, round or proposer, nor for another dealing of the same block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The network.
    pub chain: ChainId,
    /// The height of the block whose body is sealed.
    pub height: Height,
    /// The height of the block that deals it: the same, or a later one that reseals it.
    pub dealt_at: Height,
    /// The round in which the dealing block is built.
    pub round: Round,
    /// Who builds the dealing block.
    pub proposer: MemberId,
}

impl DataKey {
    /// Wraps 32 uniformly random bytes, which must never have been used before.
    pub const fn new(random: [u8; KEY_LENGTH]) -> Self {
        Self(random)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// A second copy, to prove what the first one sealed.
    pub(crate) const fn duplicate(&self) -> Self {
        Self(self.0)
    }

    /// The one-time key of the cipher.
    pub(crate) fn encryption_key(&self, binding: &Binding) -> Zeroizing<[u8; KEY_LENGTH]> {
        self.derive(ENCRYPTION_CONTEXT, binding)
    }

    /// The header's commitment to a body: keyed, so that nobody can confirm a guessed body from the header.
    pub(crate) fn commit(&self, binding: &Binding, body: &[u8]) -> Hash {
        let key = self.derive(COMMITMENT_CONTEXT, binding);
        Hash::new(*blake3::keyed_hash(&key, body).as_bytes())
    }

    fn derive(&self, context: &str, binding: &Binding) -> Zeroizing<[u8; KEY_LENGTH]> {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.0);
        hasher.update(&binding.to_bytes());
        let key = Zeroizing::new(*hasher.finalize().as_bytes());
        hasher.zeroize();
        key
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

impl Binding {
    /// What a commitment's sealing belongs to.
    pub fn of(commitment: impl Into<ShareCommitment>, chain: &ChainId) -> Self {
        let commitment = commitment.into();
        Self {
            chain: *chain,
            height: commitment.height,
            dealt_at: commitment.dealt_at,
            round: commitment.round,
            proposer: commitment.proposer,
        }
    }

    /// `chain || height || round || proposer`, and `dealt_at` of a reseal; numbers big-endian: 46 or 54 bytes.
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(59);
        bytes.extend_from_slice(self.chain.as_bytes());
        bytes.extend_from_slice(&self.height.get().to_be_bytes());
        bytes.extend_from_slice(&self.round.get().to_be_bytes());
        bytes.extend_from_slice(&self.proposer.get().to_be_bytes());
        if self.dealt_at != self.height {
            bytes.extend_from_slice(&self.dealt_at.get().to_be_bytes());
        }
        bytes
    }

    /// The cipher's authenticated data: the binding, then `suite || k || S`; 51 or 59 bytes.
    pub(crate) fn associated_data(&self, sealing: &Sealing) -> Vec<u8> {
        let mut bytes = self.to_bytes();
        bytes.push(sealing.suite);
        bytes.extend_from_slice(&sealing.threshold.to_be_bytes());
        bytes.extend_from_slice(&sealing.slots.to_be_bytes());
        bytes
    }
}
