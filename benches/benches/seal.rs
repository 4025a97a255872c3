//! Sealing a block of 1 MiB on one core: among 4, 10 and 31 hospitals, and beside the schemes it is compared with.
//!
//! The body does not compress, so every byte is encrypted, coded and hashed.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use salus_seal::schemes::SCHEMES;
use salus_seal::{Binding, CheckedShare, DataKey, Dealing, Parameters, SealedBlock, open, seal};
use salus_types::{BlockId, ChainId, Gas, Hash, Header, Height, MemberId, Round, Slot, Timestamp};
use std::hint::black_box;

const BODY_LENGTH: usize = 1 << 20;
/// k = n - 2f and S for n = 4, 10 and 31. At n = 10, 16 slots are the fewest that leave spare ones; a genesis without
/// a number of its own takes 32.
const NETWORKS: [(u16, u16); 4] = [(2, 8), (4, 16), (4, 32), (11, 64)];
/// k and n of the comparison.
const COMPARED: (u16, u16) = (4, 10);

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
    salus::memory::keep_block_buffers();
    let body = body();
    for (threshold, slots) in NETWORKS {
        network(criterion, &body, threshold, slots);
    }
}

fn network(criterion: &mut Criterion, body: &[u8], threshold: u16, slots: u16) {
    let chain = ChainId::new(Hash::of_content(b"benches"));
    let binding = Binding {
        chain,
        height: Height::new(1),
        dealt_at: Height::new(1),
        round: Round::ZERO,
        proposer: MemberId::new(0),
    };
    let parameters = Parameters::new(threshold, slots).expect("k of S is valid");
    let sealed = || seal(body, &binding, parameters, DataKey::new([7; 32])).expect("1 MiB can be sealed");
    let block = sealed();
    let header = header(&binding, &block);
    let shares = |slots: std::ops::Range<u16>| -> Vec<CheckedShare> {
        let share = |slot| block.share(Slot::new(slot)).expect("a slot of the dealing");
        slots
            .map(|slot| CheckedShare::check(share(slot), &header).expect("an honest share"))
            .collect()
    };
    let mut group = criterion.benchmark_group(format!("1 MiB, k = {threshold}, S = {slots}"));
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
        ("open from originals", 0..threshold),
        ("open from parity", slots - threshold..slots),
    ] {
        let shares = shares(slots);
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(open(&header, &chain, &shares).expect("k honest shares")));
        });
    }
    group.finish();
}

/// What dealing to ten nodes and opening from four of them costs in each scheme.
fn schemes(criterion: &mut Criterion) {
    let body = body();
    let (threshold, nodes) = COMPARED;
    let parameters = Parameters::new(threshold, nodes).expect("k of n is valid");
    let mut group = criterion.benchmark_group(format!("1 MiB, schemes, k = {threshold}, n = {nodes}"));
    group
        .throughput(Throughput::Bytes(BODY_LENGTH as u64))
        .sample_size(10);
    for scheme in SCHEMES {
        group.bench_function(format!("{}: deal", scheme.name()), |bencher| {
            let key = || DataKey::new([7; 32]);
            bencher.iter(|| black_box(scheme.deal(&body, parameters, key()).expect("1 MiB can be dealt")));
        });
        let dealt = scheme
            .deal(&body, parameters, DataKey::new([7; 32]))
            .expect("1 MiB can be dealt");
        // Of the last slots, which hold parity where there is any.
        let shares: Vec<_> = (nodes - threshold..nodes)
            .filter_map(|slot| dealt.share(Slot::new(slot)))
            .collect();
        group.bench_function(format!("{}: open", scheme.name()), |bencher| {
            bencher.iter(|| {
                black_box(
                    scheme
                        .open(&dealt.announcement, &shares)
                        .expect("k honest shares"),
                )
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sealing, schemes);
criterion_main!(benches);
