//! Sealing a block of 1 MiB among ten hospitals: k = 4 of n = 10, 16 slots, on one core.
//!
//! The body does not compress, so every byte is encrypted, coded and hashed.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use salus_seal::{Binding, CheckedShare, DataKey, Dealing, Parameters, SealedBlock, open, seal};
use salus_types::{BlockId, ChainId, Gas, Hash, Header, Height, MemberId, Round, Slot, Timestamp};
use std::hint::black_box;

const BODY_LENGTH: usize = 1 << 20;
const THRESHOLD: u16 = 4;
const SLOTS: u16 = 16;

/// Bytes that no compressor shortens: hashes of a counter.
fn body() -> Vec<u8> {
    let hashes = (0..BODY_LENGTH / 32).map(|number| *Hash::of_content(&number.to_be_bytes()).as_bytes());
    hashes.flatten().collect()
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

fn sealing(criterion: &mut Criterion) {
    let chain = ChainId::new(Hash::of_content(b"benches"));
    let binding = Binding {
        chain,
        height: Height::new(1),
        dealt_at: Height::new(1),
        round: Round::ZERO,
        proposer: MemberId::new(0),
    };
    let parameters = Parameters::new(THRESHOLD, SLOTS).expect("4 of 16 is valid");
    let body = body();
    let sealed = || seal(&body, &binding, parameters, DataKey::new([7; 32])).expect("1 MiB can be sealed");
    let block = sealed();
    let header = header(&binding, &block);
    let shares = |slots: std::ops::Range<u16>| -> Vec<CheckedShare> {
        let share = |slot| block.share(Slot::new(slot)).expect("a slot of the dealing");
        slots
            .map(|slot| CheckedShare::check(share(slot), &header).expect("an honest share"))
            .collect()
    };
    let mut group = criterion.benchmark_group("1 MiB, k = 4, S = 16");
    group
        .throughput(Throughput::Bytes(BODY_LENGTH as u64))
        .sample_size(50);
    group.bench_function("seal", |bencher| bencher.iter(|| black_box(sealed())));
    let dealing = block.dealing().encode().to_vec();
    group.bench_function("check a dealing", |bencher| {
        bencher.iter(|| {
            let dealing = Dealing::decode(dealing.clone()).expect("an honest dealing");
            black_box(dealing.check(&header, &chain).expect("an honest dealing"))
        });
    });
    // The first k fragments are the ciphertext itself; the last k are all parity, the worst case.
    for (name, slots) in [
        ("open from originals", 0..THRESHOLD),
        ("open from parity", SLOTS - THRESHOLD..SLOTS),
    ] {
        let shares = shares(slots);
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(open(&header, &chain, &shares).expect("k honest shares")));
        });
    }
    group.finish();
}

criterion_group!(benches, sealing);
criterion_main!(benches);
