//! Shamir's scheme over GF(2^8), byte by byte, by `shamirsecretsharing`.
//!
//! Its `create_keyshares` draws coefficients from the system, which a pure core may not. Its
//! `combine_keyshares` interpolates at 0; with every index XORed by x, it interpolates at x instead
//! (subtraction in GF(2^8) is XOR). So a dealing is made by choosing k-1 share values at random and
//! interpolating the rest through them and the key: the same distribution as random coefficients.

use crate::seed::Stream;
use salus_types::KEY_SHARE_LENGTH;
use shamirsecretsharing::hazmat::combine_keyshares;
use zeroize::{Zeroize, Zeroizing};

/// Index (1 to n), then 32 bytes.
pub(crate) type KeyShare = Zeroizing<[u8; KEY_SHARE_LENGTH]>;

/// Deals `count` shares of a key, any `threshold` of which give it back. Needs 1 <= threshold <= count.
pub(crate) fn deal(
    key: &[u8; 32],
    threshold: u8,
    count: u8,
    randomness: &mut Stream,
) -> Option<Vec<KeyShare>> {
    let mut points = vec![share_of(0, key)];
    for index in 1..threshold {
        let mut value = Zeroizing::new([0; 32]);
        randomness.fill(value.as_mut_slice());
        points.push(share_of(index, &value));
    }
    (1..=count)
        .map(|index| {
            let dealt = points.iter().find(|point| point.first() == Some(&index));
            match dealt {
                Some(point) => Some(point.clone()),
                None => interpolate(&points, index).map(|value| share_of(index, &value)),
            }
        })
        .collect()
}

/// The key that shares with distinct indices give; a wrong key if there are too few of them.
pub(crate) fn combine<'a>(shares: impl IntoIterator<Item = &'a KeyShare>) -> Option<Zeroizing<[u8; 32]>> {
    let points: Vec<KeyShare> = shares.into_iter().cloned().collect();
    interpolate(&points, 0)
}

fn share_of(index: u8, value: &[u8; 32]) -> KeyShare {
    let mut share = Zeroizing::new([0; KEY_SHARE_LENGTH]);
    if let Some((first, rest)) = share.split_first_mut() {
        *first = index;
        rest.copy_from_slice(value);
    }
    share
}

fn interpolate(points: &[KeyShare], at: u8) -> Option<Zeroizing<[u8; 32]>> {
    let shifted: Zeroizing<Vec<Vec<u8>>> = Zeroizing::new(
        points
            .iter()
            .map(|point| {
                let mut shifted = point.to_vec();
                if let Some(index) = shifted.first_mut() {
                    *index ^= at;
                }
                shifted
            })
            .collect(),
    );
    let mut value = combine_keyshares(&shifted).ok()?;
    let array = <[u8; 32]>::try_from(value.as_slice()).ok().map(Zeroizing::new);
    value.zeroize();
    array
}
