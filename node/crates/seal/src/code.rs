//! The Reed-Solomon code: k data fragments, S - k parity fragments, any k of which give the data back.
//!
//! The library's matrix is a Vandermonde matrix made systematic (the Backblaze construction). Golden vectors fix its
//! code words, so that the library can be replaced without touching what is stored.

use crate::Layout;
use crate::share_set::PrimitiveError;
use reed_solomon_erasure::galois_8::ReedSolomon;

/// Columns are independent, so the code runs over strips of this width: most of them are still in the cache when they
/// are hashed, and BLAKE3 hashes so much at once at its full width. Measured: 16 KiB 0.82, 64 KiB 0.94, 256 KiB
/// 0.94 GB/s for code and hash together at k = 4, S = 16.
const STRIP: usize = 64 << 10;

/// This processor cannot run the vector code that the Reed-Solomon library was compiled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this processor lacks AVX2, which the Reed-Solomon code needs; run the node on a newer one (x86-64-v3)"
)]
pub struct UnsupportedCpu;

/// Checks that this processor can seal and open. The library's C is compiled for AVX2 (Haswell) without a fallback at
/// run time, so an older processor would stop with an illegal instruction. A node calls this when it starts.
pub fn check_cpu() -> Result<(), UnsupportedCpu> {
    #[cfg(all(target_arch = "x86_64", not(target_env = "msvc")))]
    {
        use std::arch::is_x86_feature_detected as has;
        let haswell = has!("avx2") && has!("bmi1") && has!("bmi2") && has!("fma") && has!("lzcnt");
        if !(haswell && has!("movbe")) {
            return Err(UnsupportedCpu);
        }
    }
    Ok(())
}

/// Computes the parity fragments of a code word whose data fragments are filled in.
///
/// Calls `strip_done` for each strip of each fragment, in the order of the bytes of a fragment, while the strip is
/// still in the cache: that is when it is cheap to hash.
pub(crate) fn encode(
    layout: &Layout,
    codeword: &mut [u8],
    mut strip_done: impl FnMut(usize, &[u8]),
) -> Result<(), PrimitiveError> {
    check_cpu()?;
    let (k, slots) = (layout.threshold(), layout.slots());
    // With k = S there is no parity, which the library refuses.
    let code = (k < slots).then(|| library(k, slots)).transpose()?;
    let mut fragments: Vec<_> = codeword
        .chunks_exact_mut(layout.fragment_length())
        .map(|fragment| fragment.chunks_mut(STRIP))
        .collect();
    loop {
        let mut strips: Vec<&mut [u8]> = fragments.iter_mut().filter_map(Iterator::next).collect();
        if strips.is_empty() {
            return Ok(());
        }
        if let Some(code) = &code {
            code.encode(&mut strips)
                .map_err(|_| PrimitiveError::Defect("Reed-Solomon"))?;
        }
        for (index, strip) in strips.iter().enumerate() {
            strip_done(index, strip);
        }
    }
}

/// Rebuilds the data fragments from any k fragments, given as (index, bytes), each index once and in ascending order.
pub(crate) fn decode(layout: &Layout, pieces: &[(usize, &[u8])]) -> Result<Vec<u8>, PrimitiveError> {
    let (k, width) = (layout.threshold(), layout.fragment_length());
    let mut data = vec![0; layout.data_length()];
    for (fragment, (_, piece)) in in_place(&mut data, width, pieces) {
        fragment.copy_from_slice(piece);
    }
    if pieces.iter().all(|(index, _)| *index < k) {
        return Ok(data);
    }
    check_cpu()?;
    let code = library(k, layout.slots())?;
    let mut parity: Vec<(usize, Vec<u8>)> = pieces
        .iter()
        .filter(|(index, _)| *index >= k)
        .map(|(index, piece)| (*index, piece.to_vec()))
        .collect();
    let mut offset = 0;
    while offset < width {
        let end = offset.saturating_add(STRIP).min(width);
        let mut slots: Vec<(&mut [u8], bool)> = Vec::with_capacity(layout.slots());
        for (index, fragment) in data.chunks_exact_mut(width).enumerate() {
            let present = pieces.iter().any(|(piece, _)| *piece == index);
            slots.push((fragment.get_mut(offset..end).unwrap_or_default(), present));
        }
        slots.resize_with(layout.slots(), || (&mut [], false));
        for (index, fragment) in &mut parity {
            if let Some(slot) = slots.get_mut(*index) {
                *slot = (fragment.get_mut(offset..end).unwrap_or_default(), true);
            }
        }
        code.reconstruct_data(&mut slots)
            .map_err(|_| PrimitiveError::Defect("Reed-Solomon"))?;
        offset = end;
    }
    Ok(data)
}

/// Pairs the data fragments that are at hand with the place where they belong.
fn in_place<'a, 'b>(
    data: &'a mut [u8],
    width: usize,
    pieces: &'b [(usize, &'b [u8])],
) -> impl Iterator<Item = (&'a mut [u8], &'b (usize, &'b [u8]))> {
    data.chunks_exact_mut(width)
        .enumerate()
        .filter_map(|(index, fragment)| {
            let piece = pieces.iter().find(|(piece, _)| *piece == index)?;
            Some((fragment, piece))
        })
}

fn library(k: usize, slots: usize) -> Result<ReedSolomon, PrimitiveError> {
    ReedSolomon::new(k, slots.saturating_sub(k)).map_err(|_| PrimitiveError::Defect("Reed-Solomon"))
}
