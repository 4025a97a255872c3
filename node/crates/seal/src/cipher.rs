//! AES-256-GCM under one-time keys.

use crate::share_set::PrimitiveError;
use crate::{Binding, DataKey, Layout};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes of the tag after the ciphertext.
pub(crate) const TAG_LENGTH: usize = 16;

/// Constant, because no key is used for more than one body.
const NONCE: [u8; NONCE_LEN] = [0; NONCE_LEN];

/// The ciphertext does not belong to this key and binding.
#[derive(Debug)]
pub(crate) struct NotAuthentic;

/// Encrypts `sealed` in place: a payload, then room for the tag.
pub(crate) fn encrypt(
    key: &DataKey,
    binding: &Binding,
    layout: &Layout,
    sealed: &mut [u8],
) -> Result<(), PrimitiveError> {
    let payload_length = sealed
        .len()
        .checked_sub(TAG_LENGTH)
        .ok_or(PrimitiveError::Defect("cipher"))?;
    let (payload, tag) = sealed.split_at_mut(payload_length);
    let associated = Aad::from(binding.associated_data(&layout.sealing()));
    let computed = one_time(key, binding)
        .and_then(|cipher| {
            cipher.seal_in_place_separate_tag(Nonce::assume_unique_for_key(NONCE), associated, payload)
        })
        .map_err(|_| PrimitiveError::Defect("cipher"))?;
    tag.copy_from_slice(computed.as_ref());
    Ok(())
}

/// Decrypts `sealed` in place; the payload stands at its front afterwards.
pub(crate) fn decrypt(
    key: &DataKey,
    binding: &Binding,
    layout: &Layout,
    sealed: &mut [u8],
) -> Result<(), NotAuthentic> {
    let associated = Aad::from(binding.associated_data(&layout.sealing()));
    one_time(key, binding)
        .and_then(|cipher| {
            cipher
                .open_in_place(Nonce::assume_unique_for_key(NONCE), associated, sealed)
                .map(|_| ())
        })
        .map_err(|_| NotAuthentic)
}

fn one_time(key: &DataKey, binding: &Binding) -> Result<LessSafeKey, ring::error::Unspecified> {
    UnboundKey::new(&AES_256_GCM, key.encryption_key(binding).as_slice()).map(LessSafeKey::new)
}
