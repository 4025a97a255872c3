//! The Reed-Solomon code: k data fragments, S - k parity fragments, any k of which give the data back.
//!
//! The library's matrix is a Vandermonde matrix made systematic (the Backblaze construction). Golden vectors fix its
//! code words, so that the library can be replaced without touching what is stored.

use crate::share_set::PrimitiveError;
use reed_solomon_erasure::Field as _;
use reed_solomon_erasure::galois_8::{Field, ReedSolomon};

/// Columns are independent, so the code runs over strips of this width, which are hashed while they are in the
/// second-level cache; BLAKE3 hashes so much at once at its full width.
const STRIP: usize = 64 << 10;

/// Within a strip parity is computed over blocks of this width, so that the sum and what is added to it stay in the
/// first-level cache.
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
        let mut parity = vec![0; STRIP.min(self.shape.width)];
        let mut offset = 0;
        while offset < self.shape.width {
            let end = offset.saturating_add(STRIP).min(self.shape.width);
            for (index, fragment) in data.chunks_exact(self.shape.width).enumerate() {
                show(index, fragment.get(offset..end).unwrap_or_default());
            }
            let parity = parity.get_mut(..end.saturating_sub(offset)).unwrap_or_default();
            for (index, row) in (self.shape.threshold..).zip(&self.rows) {
                self.sum(row, data, offset, parity);
                show(index, parity);
            }
            offset = end;
        }
    }

    /// One fragment of the code word of `data`; `None` past the last.
    pub(crate) fn fragment(&self, data: &[u8], index: usize) -> Option<Vec<u8>> {
        if let Some(fragment) = data.chunks_exact(self.shape.width).nth(index) {
            return Some(fragment.to_vec());
        }
        let row = self.rows.get(index.checked_sub(self.shape.threshold)?)?;
        let mut fragment = vec![0; self.shape.width];
        self.sum(row, data, 0, &mut fragment);
        Some(fragment)
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

    /// Writes the columns from `offset` of the parity that a row describes.
    fn sum(&self, row: &[u8], data: &[u8], mut offset: usize, parity: &mut [u8]) {
        for block in parity.chunks_mut(BLOCK) {
            let end = offset.saturating_add(block.len());
            for (index, (factor, fragment)) in row.iter().zip(data.chunks_exact(self.shape.width)).enumerate()
            {
                let column = fragment.get(offset..end).unwrap_or_default();
                match index {
                    0 => Field::mul_slice(*factor, column, block),
                    _ => Field::mul_slice_add(*factor, column, block),
                }
            }
            offset = end;
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
