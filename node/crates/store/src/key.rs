use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use salus_types::KEY_SHARE_LENGTH;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a wrapped key share: nonce, ciphertext, tag.
pub(crate) const WRAPPED_LENGTH: usize = WRAPPING_LENGTH + KEY_SHARE_LENGTH;
/// Bytes that wrapping adds: nonce and tag.
pub(crate) const WRAPPING_LENGTH: usize = NONCE_LENGTH + TAG_LENGTH;
const NONCE_LENGTH: usize = 12;
const TAG_LENGTH: usize = 16;

/// The node's key for what it stores: 32 secret bytes from its keystore.
///
/// Who steals the disk but not this key learns no key share. Zeroised on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StoreKey([u8; 32]);

impl StoreKey {
    /// Wraps 32 bytes drawn at random once for this node.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn derive(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(context, &self.0)
    }

    /// Tells this key from another without showing anything of it.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.derive("salus store 2026-01 key fingerprint v1")
    }

    /// The salt of the consensus log's checksums.
    pub(crate) fn wal_salt(&self) -> u32 {
        let [a, b, c, d, ..] = self.derive("salus store 2026-01 consensus log salt v1");
        u32::from_be_bytes([a, b, c, d])
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(..)")
    }
}

/// Wraps key shares for the share log, and envelopes for deposits: AES-256-GCM with a synthetic nonce.
///
/// The nonce is the first 12 bytes of a keyed BLAKE3 over the associated data and the key share (as in RFC 5297,
/// SIV): it needs no counter, which a wiped or restored disk would reset, and no randomness. Two records have one
/// nonce only if they wrap the same share of the same block, and then their ciphertexts are equal too.
/// For different inputs a collision among 2^32 records has probability 2^-33.
pub(crate) struct KeyWrap {
    nonce_key: [u8; 32],
    cipher: LessSafeKey,
}

impl KeyWrap {
    /// For the key shares in the share log.
    pub(crate) fn new(key: &StoreKey) -> Option<Self> {
        Self::derived(
            key,
            "salus store 2026-01 key share wrapping v1",
            "salus store 2026-01 key share nonce v1",
        )
    }

    /// For what is deposited for other members.
    pub(crate) fn of_deposits(key: &StoreKey) -> Option<Self> {
        Self::derived(
            key,
            "salus store 2026-11 deposit wrapping v1",
            "salus store 2026-11 deposit nonce v1",
        )
    }

    fn derived(key: &StoreKey, cipher_context: &str, nonce_context: &str) -> Option<Self> {
        let mut cipher_key = key.derive(cipher_context);
        let cipher = UnboundKey::new(&AES_256_GCM, &cipher_key).map(LessSafeKey::new);
        cipher_key.zeroize();
        Some(Self {
            nonce_key: key.derive(nonce_context),
            cipher: cipher.ok()?,
        })
    }

    /// `nonce || ciphertext || tag`; `None` only if the cipher itself refuses.
    pub(crate) fn wrap(
        &self,
        bound_to: &[u8],
        key_share: &[u8; KEY_SHARE_LENGTH],
    ) -> Option<[u8; WRAPPED_LENGTH]> {
        self.wrap_bytes(bound_to, key_share)?.try_into().ok()
    }

    /// As [`Self::wrap`], for any number of bytes.
    pub(crate) fn wrap_bytes(&self, bound_to: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
        let mut hasher = blake3::Hasher::new_keyed(&self.nonce_key);
        hasher.update(&(bound_to.len() as u64).to_be_bytes());
        hasher.update(bound_to).update(secret);
        let mut nonce = [0; NONCE_LENGTH];
        hasher.finalize_xof().fill(&mut nonce);

        let mut wrapped = Vec::with_capacity(WRAPPING_LENGTH + secret.len());
        wrapped.extend_from_slice(&nonce);
        wrapped.extend_from_slice(secret);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = wrapped.get_mut(NONCE_LENGTH..)?;
        let tag = self
            .cipher
            .seal_in_place_separate_tag(nonce, Aad::from(bound_to), sealed)
            .ok()?;
        wrapped.extend_from_slice(tag.as_ref());
        Some(wrapped)
    }

    /// The key share, if this key wrapped it for these very bytes.
    pub(crate) fn unwrap(&self, bound_to: &[u8], wrapped: &[u8]) -> Option<[u8; KEY_SHARE_LENGTH]> {
        let opened = self.unwrap_bytes(bound_to, wrapped)?;
        opened.as_slice().try_into().ok()
    }

    /// What [`Self::wrap_bytes`] wrapped for these very bytes.
    pub(crate) fn unwrap_bytes(&self, bound_to: &[u8], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = wrapped.split_at_checked(NONCE_LENGTH)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self
            .cipher
            .open_in_place(nonce, Aad::from(bound_to), &mut sealed)
            .ok()?
            .len();
        sealed.truncate(length);
        Some(sealed)
    }
}

impl Drop for KeyWrap {
    /// The nonce key only: ring offers no way to wipe an expanded cipher key.
    fn drop(&mut self) {
        self.nonce_key.zeroize();
    }
}

impl fmt::Debug for KeyWrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyWrap(..)")
    }
}
