//! Five ways to spread a block over its members, with the same bodies on the same machine.

use super::StorageError;
use super::network::Shape;
use super::sheet::Sheet;
use crate::machine::thread_cpu;
use crate::numbers::Numbers;
use salus_seal::schemes::{Dealt, SCHEMES, Scheme};
use salus_seal::{DataKey, Parameters};
use salus_types::Slot;

/// Deals and opens a body with each scheme, `repeats` times, and says what each member keeps of it.
pub(super) fn measure(
    sheet: &mut Sheet,
    shape: Shape,
    block_bytes: usize,
    repeats: usize,
    seed: u64,
) -> Result<(), StorageError> {
    let void = |error: &dyn std::fmt::Display| StorageError::Void(error.to_string());
    let parameters = Parameters::new(shape.threshold, shape.slots()).map_err(|error| void(&error))?;
    let mut numbers = Numbers::of(seed, "schemes");
    let body = numbers.bytes(block_bytes);
    for scheme in SCHEMES {
        let (mut dealing, mut opening) = (Vec::new(), Vec::new());
        for _ in 0..repeats {
            let fresh = DataKey::new(numbers.array());
            let before = thread_cpu();
            let dealt = scheme
                .deal(&body, parameters, fresh)
                .map_err(|error| void(&error))?;
            dealing.push(thread_cpu() - before);
            let chosen = last(scheme, &dealt, parameters);
            let before = thread_cpu();
            let opened = scheme
                .open(&dealt.announcement, &chosen)
                .map_err(|error| void(&error))?;
            opening.push(thread_cpu() - before);
            if opened != body {
                return Err(StorageError::Void(format!(
                    "{} opened another body",
                    scheme.name()
                )));
            }
        }
        let kept = scheme.bytes_per_node(block_bytes, parameters);
        let mut pen = sheet.pen("schemes", shape, block_bytes);
        pen.scheme(scheme.name());
        pen.add("kept", kept as f64, "B/block", repeats);
        pen.add("kept_over_body", kept as f64 / block_bytes as f64, "1", repeats);
        pen.add_median("deal_cpu", &dealing);
        pen.add_median("open_cpu", &opening);
    }
    Ok(())
}

/// The shares of the last members: those that are hardest to open.
fn last<'a>(scheme: &dyn Scheme, dealt: &'a Dealt, parameters: Parameters) -> Vec<(Slot, &'a [u8])> {
    let first = parameters.slots() - scheme.needed(parameters);
    (first..parameters.slots())
        .filter_map(|slot| dealt.share(Slot::new(slot)))
        .collect()
}
