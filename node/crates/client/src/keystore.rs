//! An identity in a file, encrypted under a passphrase.
//!
//! ```text
//! "saluskey" | version 01 | argon2id: memory KiB, passes, lanes | salt 16 B | nonce 12 B | AES-256-GCM of both seeds
//! ```
//!
//! In the canonical encoding. Everything before the ciphertext is its associated data. The cost stands in the file,
//! so that it can be raised later; it is bounded, so that a planted file cannot exhaust the device.

use crate::Identity;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use bincode::{Decode, Encode};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use salus_types::codec;
use zeroize::{Zeroize, Zeroizing};

const MAGIC: [u8; 8] = *b"saluskey";
const VERSION: u8 = 1;
const LENGTH_MAX: usize = 256;

/// Characters of a passphrase, at least.
pub const PASSPHRASE_LENGTH_MIN: usize = 8;

/// What it costs to try a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Cost {
    /// Memory in KiB: 8 per lane to 1 GiB.
    pub memory_kib: u32,
    /// Passes over the memory: 1 to 16.
    pub passes: u32,
    /// Lanes: 1 to 16.
    pub lanes: u32,
}

impl Cost {
    /// The second recommended option of RFC 9106: 64 MiB, 3 passes, 4 lanes.
    pub const RECOMMENDED: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    fn params(self) -> Result<Params, KeystoreError> {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        let bounded = memory_kib <= 1 << 20 && (1..=16).contains(&passes) && (1..=16).contains(&lanes);
        bounded
            .then(|| Params::new(memory_kib, passes, lanes, Some(32)).ok())
            .flatten()
            .ok_or(KeystoreError::Cost(self))
    }
}

/// Fresh random bytes for one file.
#[derive(Clone, Copy, Debug)]
pub struct Randomness {
    /// Makes the same passphrase give another key in each file.
    pub salt: [u8; 16],
    /// Makes the same key encrypt only once.
    pub nonce: [u8; 12],
}

/// Why a keystore is not written or not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeystoreError {
    /// The bytes are no keystore.
    #[error("not a keystore file, or a damaged one")]
    Malformed,
    /// Written by a later version of this software.
    #[error("keystore version {0} is unknown here; use a later version of this software")]
    UnknownVersion(u8),
    /// Its cost is out of bounds.
    #[error("the keystore asks for {} KiB, {} passes and {} lanes, which is out of bounds", .0.memory_kib, .0.passes, .0.lanes)]
    Cost(Cost),
    /// The passphrase is too short to protect anything.
    #[error("choose a passphrase of at least {PASSPHRASE_LENGTH_MIN} characters")]
    ShortPassphrase,
    /// There is not enough memory to stretch the passphrase.
    #[error("not enough memory to stretch the passphrase: {} KiB are needed", .0.memory_kib)]
    Memory(Cost),
    /// The passphrase is wrong, or the file was changed.
    #[error("wrong passphrase, or the file was changed")]
    WrongPassphrase,
}

#[derive(Encode, Decode)]
struct Preamble {
    magic: [u8; 8],
    version: u8,
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; 12],
}

#[derive(Encode, Decode)]
struct File {
    preamble: Preamble,
    sealed: Vec<u8>,
}

/// Encrypts an identity at the recommended cost.
pub fn encrypt(
    identity: &Identity,
    passphrase: &str,
    randomness: Randomness,
) -> Result<Vec<u8>, KeystoreError> {
    encrypt_at(identity, passphrase, randomness, Cost::RECOMMENDED)
}

/// Encrypts an identity at a cost of choice.
pub fn encrypt_at(
    identity: &Identity,
    passphrase: &str,
    randomness: Randomness,
    cost: Cost,
) -> Result<Vec<u8>, KeystoreError> {
    if passphrase.chars().count() < PASSPHRASE_LENGTH_MIN {
        return Err(KeystoreError::ShortPassphrase);
    }
    let preamble = Preamble {
        magic: MAGIC,
        version: VERSION,
        cost,
        salt: randomness.salt,
        nonce: randomness.nonce,
    };
    let key = stretch(passphrase, &preamble)?;
    // 64 bytes of seeds; room for the tag, so that nothing is copied around.
    let mut sealed = Zeroizing::new(Vec::with_capacity(64 + 16));
    sealed.extend_from_slice(identity.signing().seed().as_slice());
    sealed.extend_from_slice(identity.encryption().seed().as_slice());
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(preamble.nonce),
        Aad::from(codec::encode(&preamble)),
        &mut *sealed,
    )
    .map_err(|_| KeystoreError::Malformed)?;
    Ok(codec::encode(&File {
        preamble,
        sealed: std::mem::take(&mut *sealed),
    }))
}

/// Decrypts an identity.
pub fn decrypt(file: &[u8], passphrase: &str) -> Result<Identity, KeystoreError> {
    // The version decides how the rest is read, so it is looked at first.
    match file.strip_prefix(&MAGIC).and_then(|rest| rest.first()) {
        Some(&VERSION) => {}
        Some(other) => return Err(KeystoreError::UnknownVersion(*other)),
        None => return Err(KeystoreError::Malformed),
    }
    let File { preamble, sealed } = codec::decode(file, LENGTH_MAX).map_err(|_| KeystoreError::Malformed)?;
    let key = stretch(passphrase, &preamble)?;
    let mut sealed = Zeroizing::new(sealed);
    let seeds = key
        .open_in_place(
            Nonce::assume_unique_for_key(preamble.nonce),
            Aad::from(codec::encode(&preamble)),
            sealed.as_mut_slice(),
        )
        .map_err(|_| KeystoreError::WrongPassphrase)?;
    match (seeds.first_chunk::<32>(), seeds.last_chunk::<32>()) {
        (Some(signing), Some(encryption)) if seeds.len() == 64 => {
            Ok(Identity::from_seeds(signing, encryption))
        }
        _ => Err(KeystoreError::Malformed),
    }
}

fn stretch(passphrase: &str, preamble: &Preamble) -> Result<LessSafeKey, KeystoreError> {
    let params = preamble.cost.params()?;
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(params.block_count())
        .map_err(|_| KeystoreError::Memory(preamble.cost))?;
    memory.resize(params.block_count(), Block::default());
    let mut key = Zeroizing::new([0; 32]);
    let stretched = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        passphrase.as_bytes(),
        &preamble.salt,
        key.as_mut_slice(),
        &mut memory,
    );
    memory.zeroize();
    stretched.map_err(|_| KeystoreError::Cost(preamble.cost))?;
    UnboundKey::new(&AES_256_GCM, key.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| KeystoreError::Malformed)
}
