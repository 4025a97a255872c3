//! Reed-Solomon over GF(2^8), chunk by chunk: any `threshold` of the pieces' fragments rebuild the ciphertext.
//!
//! Chunk by chunk, so that a range of a record can be read without the rest. The first `threshold` pieces hold the
//! ciphertext itself; when all of them are at hand nothing needs decoding.

use crate::header::Layout;
use reed_solomon_erasure::galois_8::ReedSolomon;
use salus_types::{Hash, merkle};

/// Not `0x00`, which marks the leaves of the tree over pieces.
const FRAGMENT_LEAF: u8 = 0x02;

/// Cuts a ciphertext into one row of fragments a piece; `None` if the numbers do not fit the code.
pub(crate) fn split(ciphertext: &[u8], layout: Layout, threshold: u8, pieces: u8) -> Option<Vec<Vec<u8>>> {
    let code = code(threshold, pieces)?;
    let (threshold, pieces) = (usize::from(threshold), usize::from(pieces));
    let row = layout.chunks().map(|length| length.div_ceil(threshold)).sum();
    let mut rows: Vec<Vec<u8>> = (0..pieces).map(|_| Vec::with_capacity(row)).collect();
    let mut rest = ciphertext;
    for length in layout.chunks() {
        let (chunk, later) = rest.split_at_checked(length)?;
        rest = later;
        let fragment = length.div_ceil(threshold);
        for (index, row) in rows.iter_mut().enumerate() {
            let end = row.len() + fragment;
            let start = (index * fragment).min(length);
            if index < threshold {
                row.extend_from_slice(chunk.get(start..(start + fragment).min(length))?);
            }
            row.resize(end, 0);
        }
        if let Some(code) = &code {
            let (data, parity) = rows.split_at_mut(threshold);
            let data: Vec<&[u8]> = data.iter().map(|row| tail(row, fragment)).collect();
            let mut parity: Vec<&mut [u8]> = parity
                .iter_mut()
                .map(|row| {
                    let start = row.len().saturating_sub(fragment);
                    row.get_mut(start..).unwrap_or_default()
                })
                .collect();
            code.encode_sep(&data, &mut parity).ok()?;
        }
    }
    Some(rows)
}

/// Rebuilds a ciphertext from at least `threshold` rows with their positions; `None` if there are too few.
pub(crate) fn join(rows: &[(u8, &[u8])], layout: Layout, threshold: u8, pieces: u8) -> Option<Vec<u8>> {
    let code = code(threshold, pieces)?;
    let mut ciphertext = Vec::with_capacity(layout.sealed());
    let mut offset = 0;
    for (length, fragment) in layout.chunks().zip(layout.fragments(threshold)) {
        let mut shards: Vec<Option<Vec<u8>>> = vec![None; usize::from(pieces)];
        for (position, row) in rows {
            let bytes = row.get(offset..offset + fragment)?;
            *shards.get_mut(usize::from(*position))? = Some(bytes.to_vec());
        }
        let data = shards.iter().take(usize::from(threshold));
        if data.clone().any(Option::is_none) {
            code.as_ref()?.reconstruct_data(&mut shards).ok()?;
        }
        let end = ciphertext.len() + length;
        for shard in shards.iter().take(usize::from(threshold)) {
            ciphertext.extend_from_slice(shard.as_deref()?);
        }
        ciphertext.truncate(end);
        offset += fragment;
    }
    Some(ciphertext)
}

/// The Merkle root over one piece's fragments, so that a fragment of one chunk can be proven alone.
/// The row must have the layout's length.
pub(crate) fn row_root(row: &[u8], layout: Layout, threshold: u8) -> Hash {
    let mut rest = row;
    let leaves: Vec<Hash> = layout
        .fragments(threshold)
        .zip(0u32..)
        .map(|(length, chunk)| {
            let (fragment, later) = rest.split_at(length.min(rest.len()));
            rest = later;
            let mut hasher = blake3::Hasher::new();
            hasher
                .update(&[FRAGMENT_LEAF])
                .update(&chunk.to_be_bytes())
                .update(fragment);
            Hash::new(*hasher.finalize().as_bytes())
        })
        .collect();
    merkle::root(&leaves)
}

/// The code, or none if every piece is needed and there is nothing to code; `None` if the numbers do not fit.
fn code(threshold: u8, pieces: u8) -> Option<Option<ReedSolomon>> {
    let parity = pieces.checked_sub(threshold)?;
    match parity {
        0 => (threshold > 0).then_some(None),
        _ => ReedSolomon::new(usize::from(threshold), usize::from(parity))
            .ok()
            .map(Some),
    }
}

fn tail(row: &[u8], length: usize) -> &[u8] {
    row.get(row.len().saturating_sub(length)..).unwrap_or_default()
}
