//! Shamir's scheme over the data key: share j is `(j, P(j))` for j = 1..=S, with P of degree k - 1 and P(0) the key.
//!
//! The library evaluates only P(0), accepts index 0 and duplicates, and checks nothing; so this module alone feeds it,
//! with indices that it made itself. To get P(j) it is asked for Q(0) with Q(x) = P(x + j): in GF(2^8) that is the same
//! shares with j XOR-ed onto every index.

use crate::key::{DataKey, KEY_LENGTH};
use crate::secret::SecretBytes;
use crate::share_set::PrimitiveError;
use salus_types::KEY_SHARE_LENGTH;
use shamirsecretsharing::hazmat::{combine_keyshares, create_keyshares};
use zeroize::Zeroizing;

/// The key shares of all slots in order, each without its index; zeroised on drop.
pub(crate) type KeyShares = SecretBytes;

const DEFECT: PrimitiveError = PrimitiveError::Defect("Shamir");

/// Splits the key. The coefficients come from the operating system.
pub(crate) fn split(key: &DataKey, threshold: usize, slots: usize) -> Result<KeyShares, PrimitiveError> {
    let (n, k) = (u8::try_from(slots), u8::try_from(threshold));
    let (n, k) = (n.map_err(|_| DEFECT)?, k.map_err(|_| DEFECT)?);
    let shares = Zeroizing::new(create_keyshares(key.as_bytes(), n, k).map_err(|_| DEFECT)?);
    Ok(SecretBytes::with_room(slots.saturating_mul(KEY_LENGTH), |all| {
        all.extend(shares.iter().flat_map(|share| share.iter().skip(1)));
    }))
}

/// The key share of a slot as it is stored: its index `slot + 1`, then 32 bytes.
pub(crate) fn with_index(shares: &[u8], index: usize) -> Option<[u8; KEY_SHARE_LENGTH]> {
    let share = shares.chunks_exact(KEY_LENGTH).nth(index)?;
    let mut stored = [0; KEY_SHARE_LENGTH];
    let (first, rest) = stored.split_first_mut()?;
    *first = x_of(index)?;
    rest.copy_from_slice(share);
    Some(stored)
}

/// The x of the share at a position: one more than it; `None` past 255, which no checked layout reaches.
pub(crate) fn x_of(index: usize) -> Option<u8> {
    u8::try_from(index.checked_add(1)?).ok()
}

/// Whether all shares lie on one polynomial of degree k - 1 through the key.
///
/// Every window of k consecutive shares must give the key. Neighbouring windows have k - 1 shares and P(0) in common,
/// which fix such a polynomial, so all windows then describe the same one.
pub(crate) fn lie_on_one_polynomial(
    shares: &[u8],
    threshold: usize,
    key: &DataKey,
) -> Result<bool, PrimitiveError> {
    let indexed = (0..shares.len().checked_div(KEY_LENGTH).unwrap_or_default())
        .map(|index| with_index(shares, index).map(|share| share.to_vec()))
        .collect::<Option<Vec<_>>>()
        .map(Zeroizing::new)
        .ok_or(DEFECT)?;
    for window in indexed.windows(threshold) {
        let combined = Zeroizing::new(combine_keyshares(window).map_err(|_| DEFECT)?);
        if combined.as_slice() != key.as_bytes() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// P(x) from exactly k shares with distinct indices of 1 to 255. `x` = 0 gives the key.
pub(crate) fn evaluate(
    shares: &[[u8; KEY_SHARE_LENGTH]],
    x: u8,
) -> Result<Zeroizing<[u8; KEY_LENGTH]>, PrimitiveError> {
    let mut moved = Zeroizing::new(Vec::with_capacity(shares.len()));
    for share in shares {
        let mut share = share.to_vec();
        if let Some(index) = share.first_mut() {
            *index ^= x;
        }
        moved.push(share);
    }
    let value = Zeroizing::new(combine_keyshares(&moved).map_err(|_| DEFECT)?);
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    bytes.copy_from_slice(value.get(..KEY_LENGTH).ok_or(DEFECT)?);
    Ok(bytes)
}

/// The key shares of all slots, from exactly k of them.
pub(crate) fn rederive(shares: &[[u8; KEY_SHARE_LENGTH]], slots: usize) -> Result<KeyShares, PrimitiveError> {
    let values = (0..slots)
        .map(|index| evaluate(shares, x_of(index).ok_or(DEFECT)?))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(SecretBytes::with_room(slots.saturating_mul(KEY_LENGTH), |all| {
        all.extend(values.iter().flat_map(|value| value.iter()));
    }))
}
