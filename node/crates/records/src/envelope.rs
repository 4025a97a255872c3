//! One key share sealed to one receiver: HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! AES-256-GCM; the suite that WebCrypto can do too.
//!
//! ```text
//! encapsulated key 32 B | ciphertext 33 B | tag 16 B
//! ```

use crate::keys::Private;
use crate::seed::Stream;
use crate::shamir::KeyShare;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal_with_rng,
};
use salus_types::KEY_SHARE_LENGTH;
use zeroize::Zeroizing;

const ENCAPSULATED_LENGTH: usize = 32;
const TAG_LENGTH: usize = 16;

/// Bytes of a sealed key share.
pub const SEALED_KEY_SHARE_LENGTH: usize = ENCAPSULATED_LENGTH + KEY_SHARE_LENGTH + TAG_LENGTH;

/// A key share that only its receiver can read.
pub type SealedKeyShare = [u8; SEALED_KEY_SHARE_LENGTH];

/// Seals a key share; `None` if the receiver's key is none (a point of small order).
pub(crate) fn seal(
    receiver: &[u8; 32],
    info: &[u8],
    share: &KeyShare,
    randomness: &mut Stream,
) -> Option<SealedKeyShare> {
    let receiver = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(receiver).ok()?;
    let (encapsulated, ciphertext) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &receiver,
        info,
        share.as_slice(),
        &[],
        randomness,
    )
    .ok()?;
    let mut sealed = encapsulated.to_bytes().to_vec();
    sealed.extend(ciphertext);
    sealed.try_into().ok()
}

/// Opens a key share; `None` if it was sealed to another key or for another use, or was changed.
pub(crate) fn open(secret: &Private, info: &[u8], sealed: &SealedKeyShare) -> Option<KeyShare> {
    let (encapsulated, ciphertext) = sealed.split_at_checked(ENCAPSULATED_LENGTH)?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    let share = single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        secret,
        &encapsulated,
        info,
        ciphertext,
        &[],
    )
    .ok()
    .map(Zeroizing::new)?;
    let share: [u8; KEY_SHARE_LENGTH] = share.as_slice().try_into().ok()?;
    Some(Zeroizing::new(share))
}
