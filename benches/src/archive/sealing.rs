//! Sealing, checking and opening on one processor: n = 10, k = 4, S = 16, 1 MiB that does not compress.

use super::ArchiveError;
use crate::machine::thread_cpu;
use crate::numbers::Numbers;
use crate::stats::Sorted;
use salus_seal::{Binding, CheckedShare, DataKey, Dealing, Parameters, SealedBlock, open, seal};
use salus_types::{BlockId, ChainId, Gas, Hash, Header, Height, MemberId, Round, Slot, Timestamp};
use std::time::Duration;

pub(super) const BODY_LENGTH: usize = 1 << 20;
const THRESHOLD: u16 = 4;
const SLOTS: u16 = 16;
/// How often each is done.
pub(super) const REPEATS: usize = 60;

/// GB (10^9 bytes of body) a second of processor time, by the median.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) seal: f64,
    pub(super) check: f64,
    /// From the shares that hold the ciphertext as it is.
    pub(super) open_originals: f64,
    /// From shares that hold parity only.
    pub(super) open_parity: f64,
}

/// Measures on the calling thread.
pub(super) fn measure(seed: u64) -> Result<Rates, ArchiveError> {
    let mut numbers = Numbers::of(seed, "sealing");
    let body = numbers.bytes(BODY_LENGTH);
    let parameters = Parameters::new(THRESHOLD, SLOTS).map_err(void)?;
    let height = Height::new(1);
    let binding = Binding {
        chain: ChainId::new(Hash::of_content(b"figures")),
        height,
        dealt_at: height,
        round: Round::ZERO,
        proposer: MemberId::new(0),
    };
    let mut times: [Vec<Duration>; 4] = Default::default();
    for _ in 0..REPEATS {
        let key = DataKey::new(numbers.array());
        let started = thread_cpu();
        let sealed = seal(&body, &binding, parameters, key).map_err(void)?;
        let [sealing, checking, originals, parity] = &mut times;
        sealing.push(thread_cpu() - started);
        let header = header(&binding, &sealed);
        let encoded = sealed.dealing().encode().to_vec();
        let started = thread_cpu();
        let dealing = Dealing::decode(encoded).map_err(void)?;
        let dealing = dealing.check(&header, &binding.chain).map_err(void)?;
        checking.push(thread_cpu() - started);
        for (slots, times) in [(0..THRESHOLD, originals), (SLOTS - THRESHOLD..SLOTS, parity)] {
            let shares: Vec<CheckedShare> = slots
                .filter_map(|slot| dealing.share(Slot::new(slot)))
                .map(|share| CheckedShare::check(share, &header))
                .collect::<Result<_, _>>()
                .map_err(void)?;
            let started = thread_cpu();
            let opened = open(&header, &binding.chain, &shares).map_err(void)?;
            times.push(thread_cpu() - started);
            if opened.body() != body {
                return Err(ArchiveError::Void("another body was opened".into()));
            }
        }
    }
    let [seal, check, open_originals, open_parity] = times.map(rate);
    Ok(Rates {
        seal,
        check,
        open_originals,
        open_parity,
    })
}

fn rate(times: Vec<Duration>) -> f64 {
    let median_ms = Sorted::new(times).percentile_ms(50);
    BODY_LENGTH as f64 / 1e6 / median_ms.max(1e-6)
}

fn void(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Void(error.to_string())
}

fn header(binding: &Binding, sealed: &SealedBlock) -> Header {
    Header {
        height: binding.height,
        round: binding.round,
        time: Timestamp::ZERO,
        proposer: binding.proposer,
        parent: BlockId::new(Hash::ZERO),
        validators: Hash::ZERO,
        next_validators: Hash::ZERO,
        sealing: sealed.sealing(),
        body_commitment: sealed.body_commitment(),
        share_root: sealed.share_root(),
        receipts_root: Hash::ZERO,
        state_root: Hash::ZERO,
        gas_used: Gas::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_bytes_a_second() {
        let rate = rate(vec![
            Duration::from_millis(1),
            Duration::from_millis(2),
            Duration::from_millis(9),
        ]);
        assert!((rate - 0.524_288).abs() < 1e-9, "{rate}");
    }
}
