//! Chunked encryption of a padded content: AES-256-GCM, one key a record.
//!
//! ```text
//! chunk 0 | length u64 BE, content's first MiB | tag 16 B |
//! chunk i | content from i MiB on              | tag 16 B |     the last ones end in zeroes, up to the bucket
//! nonce   = 00 x 7 | chunk u32 BE | 01 if it is the last, else 00        (STREAM, Hoang et al. 2015)
//! AAD     = suite, chain id, patient, author, size bucket                (canonical encoding)
//! ```
//!
//! The counter stops chunks from being swapped, the last flag from being cut off.

use crate::header::{CHUNK_LENGTH, LENGTH_PREFIX, Layout, SUITE, TAG_LENGTH};
use crate::seal::Origin;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use salus_types::{Hash, codec};
use zeroize::{Zeroize, Zeroizing};

/// The key of one record: what key shares are shares of.
pub(crate) struct DataKey(Zeroizing<[u8; 32]>);

/// Everything about a record that its encryption is bound to.
pub(crate) struct Binding(Vec<u8>);

/// Why a ciphertext does not open under the right key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CipherError {
    /// A chunk fails its authentication.
    Chunk(usize),
    /// The padding is not as it should be.
    Padding,
}

impl Binding {
    pub(crate) fn new(origin: &Origin, size_bucket: u8) -> Self {
        Self(codec::encode(&(
            SUITE,
            origin.chain,
            origin.patient,
            origin.author,
            size_bucket,
        )))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl DataKey {
    pub(crate) const fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What the header says of the key; shows nothing of it.
    pub(crate) fn commitment(&self, binding: &Binding) -> Hash {
        Hash::new(*self.derive("salus.record.v1 key commitment", binding))
    }

    // ring keeps the expanded key without wiping it; the cipher lives for one record only.
    fn cipher(&self, binding: &Binding) -> Option<LessSafeKey> {
        let key = self.derive("salus.record.v1 encryption key", binding);
        UnboundKey::new(&AES_256_GCM, key.as_slice())
            .ok()
            .map(LessSafeKey::new)
    }

    fn derive(&self, purpose: &'static str, binding: &Binding) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(self.0.as_slice()).update(binding.as_bytes());
        let derived = Zeroizing::new(*hasher.finalize().as_bytes());
        hasher.zeroize();
        derived
    }
}

/// Pads and encrypts. The content must fit the layout; `None` only if the AEAD refuses, which it does not below 64 GiB.
pub(crate) fn encrypt(content: &[u8], layout: Layout, key: &DataKey, binding: &Binding) -> Option<Vec<u8>> {
    encrypt_with_length(content, content.len() as u64, layout, key, binding)
}

/// [`encrypt`] with any length in the prefix: an author who does not follow the rules could do this.
pub(crate) fn encrypt_with_length(
    content: &[u8],
    length: u64,
    layout: Layout,
    key: &DataKey,
    binding: &Binding,
) -> Option<Vec<u8>> {
    let cipher = key.cipher(binding)?;
    let mut ciphertext = Vec::with_capacity(layout.sealed());
    let mut rest = content;
    let chunks = layout.chunks();
    let count = chunks.len();
    for (chunk, sealed_length) in chunks.enumerate() {
        let start = ciphertext.len();
        if chunk == 0 {
            ciphertext.extend_from_slice(&length.to_be_bytes());
        }
        let (now, later) = rest.split_at(rest.len().min(CHUNK_LENGTH));
        ciphertext.extend_from_slice(now);
        ciphertext.resize(start + sealed_length - TAG_LENGTH, 0);
        rest = later;
        let plain = ciphertext.get_mut(start..)?;
        let tag = cipher
            .seal_in_place_separate_tag(nonce(chunk, count)?, Aad::from(binding.as_bytes()), plain)
            .ok()?;
        ciphertext.extend_from_slice(tag.as_ref());
    }
    Some(ciphertext)
}

/// Decrypts and strips the padding. The ciphertext must have the layout's length.
pub(crate) fn decrypt(
    ciphertext: &[u8],
    layout: Layout,
    key: &DataKey,
    binding: &Binding,
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let cipher = key.cipher(binding).ok_or(CipherError::Chunk(0))?;
    // Room for everything from the start: growing would leave copies of plaintext behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(LENGTH_PREFIX + layout.padded()));
    let mut rest = ciphertext;
    let chunks = layout.chunks();
    let count = chunks.len();
    for (chunk, sealed_length) in chunks.enumerate() {
        let failed = CipherError::Chunk(chunk);
        let (now, later) = rest.split_at_checked(sealed_length).ok_or(failed)?;
        rest = later;
        let mut buffer = Zeroizing::new(now.to_vec());
        let nonce = nonce(chunk, count).ok_or(failed)?;
        let plain = cipher
            .open_in_place(nonce, Aad::from(binding.as_bytes()), buffer.as_mut_slice())
            .map_err(|_| failed)?;
        padded.extend_from_slice(plain);
    }
    let (prefix, body) = padded
        .split_first_chunk::<LENGTH_PREFIX>()
        .ok_or(CipherError::Padding)?;
    let length = usize::try_from(u64::from_be_bytes(*prefix)).map_err(|_| CipherError::Padding)?;
    let (content, padding) = body.split_at_checked(length).ok_or(CipherError::Padding)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(CipherError::Padding);
    }
    Ok(Zeroizing::new(content.to_vec()))
}

fn nonce(chunk: usize, count: usize) -> Option<Nonce> {
    let mut nonce = [0; 12];
    let counter = u32::try_from(chunk).ok()?.to_be_bytes();
    nonce.get_mut(7..11)?.copy_from_slice(&counter);
    *nonce.last_mut()? = u8::from(chunk + 1 == count);
    Some(Nonce::assume_unique_for_key(nonce))
}
