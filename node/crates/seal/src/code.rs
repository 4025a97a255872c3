//! The Reed-Solomon code: k data fragments, S - k parity fragments, any k of which give the data back.
//!
//! The library's matrix is a Vandermonde matrix made systematic (the Backblaze construction). Golden vectors fix its
//! code words, so that the library can be replaced without touching what is stored.

use crate::share_set::PrimitiveError;
use reed_solomon_erasure::Field as _;
use reed_solomon_erasure::galois_8::{Field, ReedSolomon};
use std::ops::Range;

/// Columns are independent, so the code runs over strips of this width: all fragments' strips are still in the
/// second-level cache when they are hashed, and BLAKE3 hashes so much at once at its full width.
const STRIP: usize = 32 << 10;

/// Within a strip all parity of a block of this width is computed before that of the next, so that the data it is
/// computed from stay in the first-level cache.
const BLOCK: usize = 4 << 10;

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

/// The numbers of a code word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// k; at least 1.
    pub(crate) threshold: usize,
    /// S; at least k, at most 256.
    pub(crate) slots: usize,
    /// Bytes of every fragment; at least 1.
    pub(crate) width: usize,
}

/// The code of one shape.
pub(crate) struct Code {
    shape: Shape,
    /// Of each parity fragment, what each data fragment is multiplied with.
    rows: Vec<Vec<u8>>,
    /// `None` with k = S: then there is no parity, which the library refuses.
    library: Option<ReedSolomon>,
}

/// Rebuilds the data fragments, end to end, from any k fragments, given as (index, bytes), each index once and in
/// ascending order. When they are the data fragments themselves, nothing is computed.
pub(crate) fn decode(shape: Shape, pieces: &[(usize, &[u8])]) -> Result<Vec<u8>, PrimitiveError> {
    let length = shape.width.saturating_mul(shape.threshold);
    if pieces.iter().all(|(index, _)| *index < shape.threshold) {
        let mut data = Vec::with_capacity(length);
        for (_, piece) in pieces {
            data.extend_from_slice(piece);
        }
        return Ok(data);
    }
    let mut data = vec![0; length];
    for (index, piece) in pieces {
        if let Some(fragment) = data.chunks_exact_mut(shape.width).nth(*index) {
            fragment.copy_from_slice(piece);
        }
    }
    Code::new(shape)?.reconstruct(&mut data, pieces)?;
    Ok(data)
}

impl Code {
    pub(crate) fn new(shape: Shape) -> Result<Self, PrimitiveError> {
        check_cpu()?;
        let parity = shape.slots.checked_sub(shape.threshold).ok_or(DEFECT)?;
        let library = (parity > 0)
            .then(|| ReedSolomon::new(shape.threshold, parity))
            .transpose()
            .map_err(|_| DEFECT)?;
        let rows = match &library {
            Some(library) => rows(library)?,
            None => Vec::new(),
        };
        Ok(Self { shape, rows, library })
    }

    /// Shows every fragment of the code word of `data`, which is the data fragments end to end, strip by strip: each
    /// fragment's strips come in the order of its bytes, while they are in the cache. Parity is not kept: a code word is
    /// S / k times as long as its data, and who needs a parity fragment needs one.
    pub(crate) fn each_strip(&self, data: &[u8], mut show: impl FnMut(usize, &[u8])) {
        let width = self.shape.width;
        let mut parity = vec![vec![0; STRIP.min(width)]; self.rows.len()];
        let mut start = 0;
        while start < width {
            let strip = start..start.saturating_add(STRIP).min(width);
            self.parity_of(data, strip.clone(), &mut parity);
            for (index, fragment) in data.chunks_exact(width).enumerate() {
                show(index, fragment.get(strip.clone()).unwrap_or_default());
            }
            for (index, parity) in (self.shape.threshold..).zip(&parity) {
                show(index, parity.get(..strip.len()).unwrap_or_default());
            }
            start = strip.end;
        }
    }

    /// One fragment of the code word of `data`; `None` past the last.
    pub(crate) fn fragment(&self, data: &[u8], index: usize) -> Option<Vec<u8>> {
        if let Some(fragment) = data.chunks_exact(self.shape.width).nth(index) {
            return Some(fragment.to_vec());
        }
        let row = self.rows.get(index.checked_sub(self.shape.threshold)?)?;
        let width = self.shape.width;
        let mut fragment = vec![0; width];
        for (number, block) in fragment.chunks_mut(BLOCK).enumerate() {
            sum(row, data, width, number.saturating_mul(BLOCK), block);
        }
        Some(fragment)
    }

    /// Computes a strip of every parity fragment, each into the front of its buffer.
    fn parity_of(&self, data: &[u8], strip: Range<usize>, parity: &mut [Vec<u8>]) {
        let mut done = 0;
        while done < strip.len() {
            let end = done.saturating_add(BLOCK).min(strip.len());
            for (row, parity) in self.rows.iter().zip(parity.iter_mut()) {
                if let Some(block) = parity.get_mut(done..end) {
                    let column = strip.start.saturating_add(done);
                    sum(row, data, self.shape.width, column, block);
                }
            }
            done = end;
        }
    }

    /// Fills in the data fragments that are not among the pieces; those that are stand in their places.
    fn reconstruct(&self, data: &mut [u8], pieces: &[(usize, &[u8])]) -> Result<(), PrimitiveError> {
        let Shape {
            threshold,
            slots,
            width,
        } = self.shape;
        let library = self.library.as_ref().ok_or(DEFECT)?;
        let mut present = vec![false; slots];
        for (index, _) in pieces {
            *present.get_mut(*index).ok_or(DEFECT)? = true;
        }
        // The library asks to write even where it only reads: it gets copies of the parity, a block at a time.
        let mut copies = vec![Vec::with_capacity(BLOCK); slots];
        let mut offset = 0;
        while offset < width {
            let end = offset.saturating_add(BLOCK).min(width);
            for (index, piece) in pieces.iter().filter(|(index, _)| *index >= threshold) {
                let copy = copies.get_mut(*index).ok_or(DEFECT)?;
                copy.clear();
                copy.extend_from_slice(piece.get(offset..end).ok_or(DEFECT)?);
            }
            let in_place = data
                .chunks_exact_mut(width)
                .map(|fragment| fragment.get_mut(offset..end).unwrap_or_default());
            let copied = copies.iter_mut().skip(threshold).map(Vec::as_mut_slice);
            let mut fragments: Vec<_> = in_place.chain(copied).zip(present.iter().copied()).collect();
            library.reconstruct_data(&mut fragments).map_err(|_| DEFECT)?;
            offset = end;
        }
        Ok(())
    }
}

/// Writes the columns from `start` of the parity fragment that a row describes.
fn sum(row: &[u8], data: &[u8], width: usize, start: usize, parity: &mut [u8]) {
    let end = start.saturating_add(parity.len());
    for (index, (factor, fragment)) in row.iter().zip(data.chunks_exact(width)).enumerate() {
        let columns = fragment.get(start..end).unwrap_or_default();
        match index {
            0 => Field::mul_slice(*factor, columns, parity),
            _ => Field::mul_slice_add(*factor, columns, parity),
        }
    }
}

const DEFECT: PrimitiveError = PrimitiveError::Defect("Reed-Solomon");

/// The parity rows of the library's matrix, which it does not show: the parity of the unit matrix.
fn rows(library: &ReedSolomon) -> Result<Vec<Vec<u8>>, PrimitiveError> {
    let k = library.data_shard_count();
    let unit = |one: usize| -> Vec<u8> { (0..k).map(|index| u8::from(index == one)).collect() };
    let data: Vec<Vec<u8>> = (0..k).map(unit).collect();
    let mut rows = vec![vec![0; k]; library.parity_shard_count()];
    library.encode_sep(&data, &mut rows).map_err(|_| DEFECT)?;
    Ok(rows)
}
