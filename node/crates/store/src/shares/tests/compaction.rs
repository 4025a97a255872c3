//! Reseals, and what compaction leaves of the shares that they replace.

use super::*;
use crate::testing::Numbers;
use crate::{CommitBatch, DecidedReseal};
use salus_types::state::{StateChanges, TreeChanges};

/// Blocks that are resealed two at a time, by the blocks after them.
const BLOCKS: u64 = 6;

fn resealing(header: &Header, decided_at: u64, attempt: u8) -> Resealing {
    let number = u8::try_from(header.height.get()).unwrap();
    Resealing {
        decided_at: Height::new(decided_at),
        share_root: Hash::of_content(&[number, attempt]),
        terms: vec![attempt; 90],
    }
}

/// The own share of a later dealing: other bytes in every part.
fn new_share(header: &Header, resealing: &Resealing) -> SealedShare {
    let seed = resealing.share_root.as_bytes()[0];
    let mut numbers = Numbers(header.height.get() << 16 | u64::from(seed));
    let mut share = share(header, 300);
    let mut byte = || u8::try_from(numbers.below(256)).unwrap();
    share.key_share[1..].fill_with(&mut byte);
    share.fragment.fill_with(&mut byte);
    share
}

fn commit_resealing(
    store: &Store,
    header: &Header,
    reseals: &[DecidedReseal],
) -> Result<BlockId, StoreError> {
    let id = header.id(&CHAIN);
    store.shares.append(header, id, &share(header, 300))?;
    store.chain.commit(&CommitBatch {
        header,
        id,
        certificate: None,
        state: &StateChanges::new(),
        tree: &TreeChanges::new(),
        transactions: &[],
        patients: &[],
        share: store.shares.location(&id)?,
        reseals,
    })?;
    Ok(id)
}

/// The chain of [`reseal_until_crash`]: as many blocks again as are resealed.
fn chain_of_headers() -> Vec<Header> {
    let mut headers = vec![header(0, 0, BlockId::new(Hash::ZERO))];
    for height in 1..=2 * BLOCKS {
        let parent = headers.last().unwrap().id(&CHAIN);
        headers.push(header(height, 0, parent));
    }
    headers
}

/// Commits all blocks; each of the second half reseals one of the first, at the second attempt. Drops what was replaced and
/// compacts, all as far as the machine lasts.
fn reseal_until_crash(machine: &Machine) -> Result<(), StoreError> {
    let store = machine.open()?;
    genesis(&store)?;
    let headers = chain_of_headers();
    for at in &headers[1..] {
        if store.chain.tip().is_some_and(|tip| tip.height >= at.height) {
            continue;
        }
        let mut reseals = Vec::new();
        if let Some(old) = at.height.get().checked_sub(BLOCKS).filter(|old| *old > 0) {
            let old = &headers[usize::try_from(old).unwrap()];
            let attempts = [0, 1].map(|attempt| resealing(old, at.height.get(), attempt));
            for attempt in &attempts {
                store.shares.append_resealed(&[ResealedShare {
                    header: old,
                    id: old.id(&CHAIN),
                    resealing: attempt,
                    share: &new_share(old, attempt),
                }])?;
            }
            let [_, decided] = attempts;
            reseals.push(DecidedReseal {
                height: old.height,
                share: store
                    .shares
                    .resealed_location(&old.id(&CHAIN), &decided.share_root),
                resealing: decided,
            });
        }
        commit_resealing(&store, at, &reseals)?;
        drop_and_compact(&store)?;
    }
    drop_and_compact(&store)
}

fn drop_and_compact(store: &Store) -> Result<(), StoreError> {
    let superseded = store.chain.superseded(100)?;
    let dropped: Vec<_> = superseded
        .iter()
        .map(|old| (old.height, old.decided_at))
        .collect();
    store.shares.drop_superseded(&dropped)?;
    compact_all(store)
}

fn compact_all(store: &Store) -> Result<(), StoreError> {
    while store.shares.compact(500, true)?.more {}
    Ok(())
}

/// Every committed height has the share of the dealing in force, whole and right.
fn assert_one_share_each(store: &Store, context: &str) {
    let headers = chain_of_headers();
    let tip = store.chain.tip().map_or(0, |tip| tip.height.get());
    for header in headers
        .iter()
        .filter(|header| (1..=tip).contains(&header.height.get()))
    {
        let expected = match store.chain.resealing(header.height).unwrap() {
            Some(resealing) => new_share(header, &resealing),
            None => share(header, 300),
        };
        let found = store.shares.get(header.height).unwrap();
        assert_eq!(
            found.as_ref(),
            Some(&expected),
            "{context}: height {}",
            header.height
        );
        let root = store.chain.resealing(header.height).unwrap();
        let root = root.map_or(header.share_root, |resealing| resealing.share_root);
        let by_root = store.shares.get_dealing(&header.id(&CHAIN), &root).unwrap();
        assert_eq!(by_root.as_ref(), Some(&expected), "{context}");
    }
    assert_eq!(store.shares.missing(9).unwrap(), [], "{context}");
}

fn assert_old_shares_are_gone(machine: &Machine, context: &str) {
    let headers = chain_of_headers();
    for header in &headers[1..=usize::try_from(BLOCKS).unwrap()] {
        let decided_at = header.height.get() + BLOCKS;
        let undecided = new_share(header, &resealing(header, decided_at, 0));
        for old in [share(header, 300), undecided] {
            let is_there = machine.disk.holds(&old.fragment[..64]);
            assert!(
                !is_there,
                "{context}: height {} of slot {}",
                header.height, old.slot
            );
        }
        let new = new_share(header, &resealing(header, decided_at, 1));
        assert!(machine.disk.holds(&new.fragment), "{context}");
    }
}

#[test]
fn a_record_of_a_resealed_block_has_these_bytes() {
    let wrap = KeyWrap::new(&key()).unwrap();
    let header = header(5, 1, BlockId::new(Hash::new([0xaa; 32])));
    let resealing = Resealing {
        decided_at: Height::new(700),
        share_root: Hash::new([0xcc; 32]),
        terms: vec![1, 2, 3],
    };
    let share = share(&header, 20);
    let id = BlockId::new(Hash::new([0xbb; 32]));
    let bytes = record::encode(&wrap, &header, &id, Some(&resealing), &share).unwrap();
    let start = 12 + 1 + 2 + 32 + 2;
    let resealing_at = start + codec_length(&header);
    expect![[r#"
        002b00000000000002bccccccccccccccccccccccccccccccccccccccccccccc
        cccccccccccccccccccc010203"#]]
    .assert_eq(&hex(&bytes[resealing_at..resealing_at + 2 + 43]));
    assert_eq!(bytes[12], 2, "the version");
    let whole = Hash::of_content(&bytes).to_string();
    expect!["7e1561ffec06229b2f57755e8c27af9c3ad4103331cb4135d1ae38ec4c8ea4b9"].assert_eq(&whole);
    let record = record::decode(&wrap, &bytes[HEAD..]).unwrap();
    assert_eq!((record.share, record.header), (share, header));
    assert_eq!(record.resealing, Some(resealing));
}

fn codec_length(header: &Header) -> usize {
    salus_types::codec::encode(header).len()
}

#[test]
fn a_reseal_keeps_both_shares_until_it_is_decided_and_the_old_one_until_it_is_dropped() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 3);
    let (id, old_header, old) = &kept[0];
    let new_dealing = resealing(old_header, 4, 7);
    let new = new_share(old_header, &new_dealing);
    let both = |store: &Store| {
        let shares = &store.shares;
        let old = shares.get_dealing(id, &old_header.share_root).unwrap();
        (old, shares.get_dealing(id, &new_dealing.share_root).unwrap())
    };
    store
        .shares
        .append_resealed(&[ResealedShare {
            header: old_header,
            id: *id,
            resealing: &new_dealing,
            share: &new,
        }])
        .unwrap();
    drop(store);
    let store = machine.open().unwrap();
    assert_eq!(store.shares.get(Height::new(1)).unwrap().as_ref(), Some(old));
    assert_eq!(both(&store), (Some(old.clone()), Some(new.clone())));

    let next = header(4, 0, kept[2].0);
    let reseal = DecidedReseal {
        height: Height::new(1),
        share: store.shares.resealed_location(id, &new_dealing.share_root),
        resealing: new_dealing.clone(),
    };
    assert!(reseal.share.is_some());
    let wrong = DecidedReseal {
        resealing: resealing(old_header, 9, 7),
        ..reseal.clone()
    };
    let refused = commit_resealing(&store, &next, &[wrong]).unwrap_err();
    assert!(matches!(refused, StoreError::ResealRefused { .. }), "{refused}");
    commit_resealing(&store, &next, &[reseal]).unwrap();
    assert_eq!(store.shares.get_block(id).unwrap().as_ref(), Some(&new));
    assert_eq!(both(&store), (Some(old.clone()), Some(new.clone())));
    let late = store.shares.put_repaired(old_header, *id, None, old).unwrap_err();
    assert!(
        matches!(late, StoreError::Resealed(_)) && !late.is_fatal(),
        "{late}"
    );

    drop_and_compact(&store).unwrap();
    assert_eq!(both(&store), (None, Some(new.clone())));
    assert!(!machine.disk.holds(&old.fragment));
    store
        .shares
        .put_repaired(old_header, *id, Some(&new_dealing), &new)
        .unwrap();
    drop(store);
    let store = machine.open().unwrap();
    assert_eq!(both(&store), (None, Some(new)));
    assert_eq!(store.shares.missing(9).unwrap(), []);
}

#[test]
fn a_crash_at_any_operation_leaves_one_share_of_each_block_and_the_old_ones_go() {
    let whole = Machine::default();
    reseal_until_crash(&whole).unwrap();
    let operations = whole.disk.operations();
    assert_old_shares_are_gone(&whole, "without a crash");
    for operation in 0..operations {
        for seed in 0..3 {
            let machine = Machine::default();
            let fault = match seed {
                0 => Fault::PowerCut,
                1 => Fault::TornWrite(5),
                _ => Fault::TornWrite(700),
            };
            machine.disk.fail_at(operation, fault);
            // An error is the crash itself.
            drop(reseal_until_crash(&machine));
            machine.crash(operation * 100 + seed);
            let context = format!("operation {operation} of {operations}, seed {seed}");
            let store = machine
                .open()
                .unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(store.report.shares.damaged, [], "{context}: a crash is no damage");
            assert_one_share_each(&store, &context);
            drop(store);
            reseal_until_crash(&machine).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_one_share_each(&machine.open().unwrap(), &context);
            // Searching the whole disk takes longest.
            if (operation + seed) % 5 == 0 {
                assert_old_shares_are_gone(&machine, &context);
            }
        }
    }
}

#[test]
fn after_a_lost_index_the_same_blocks_bring_the_resealed_shares_back() {
    let machine = Machine::default();
    reseal_until_crash(&machine).unwrap();
    machine.index.wipe();
    reseal_until_crash(&machine).unwrap();
    let store = machine.open().unwrap();
    let lost = store.shares.missing(9).unwrap();
    assert_eq!(lost, [], "every share was in the log");
    assert_one_share_each(&store, "rebuilt");
    assert_old_shares_are_gone(&machine, "rebuilt");
}

#[test]
fn segments_that_are_mostly_garbage_are_compacted_and_others_are_left_alone() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 24);
    let before = store.shares.bytes();
    assert_eq!(
        store.shares.compact(1 << 20, false).unwrap(),
        Compacted::default()
    );
    // Repairs write anew what is there: of the first two segments one record in four is left, of the third three.
    let segment_of = |id| store.shares.location(id).unwrap().unwrap().segment();
    for (place, (id, header, share)) in kept.iter().enumerate() {
        let stays = match segment_of(id) {
            1 | 2 => place % 4 == 0,
            3 => place % 4 != 0,
            _ => true,
        };
        if !stays {
            store.shares.put_repaired(header, *id, None, share).unwrap();
        }
    }
    let grown = store.shares.bytes();
    let (mut freed, mut copied, mut steps) = (0, 0, 0);
    loop {
        let step = store.shares.compact(1, false).unwrap();
        freed += step.freed_bytes;
        copied += step.copied_bytes;
        assert!(step.copied_bytes < 1200, "one record a step");
        if !step.more {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 4, "{steps}");
    let new_heads = store.shares.bytes() - (grown - freed + copied);
    assert!([0, 16, 32].contains(&new_heads), "{new_heads}");
    assert!(store.shares.bytes() < before + before / 2);
    for number in 1..=2 {
        assert_eq!(machine.disk.read(&segment(number)), None, "segment {number}");
    }
    assert!(machine.disk.read(&segment(3)).is_some());
    drop(store);
    let store = machine.open().unwrap();
    for (_, header, share) in &kept {
        assert_eq!(store.shares.get(header.height).unwrap().as_ref(), Some(share));
    }
    assert_eq!(store.shares.missing(9).unwrap(), []);
    assert_eq!(store.report.shares.damaged, []);
}

#[test]
fn a_removed_share_is_not_missing_and_its_bytes_go() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 5);
    store.shares.remove(Height::new(3)).unwrap();
    assert_eq!(store.shares.get(Height::new(3)).unwrap(), None);
    assert_eq!(store.shares.missing(9).unwrap(), []);
    compact_all(&store).unwrap();
    assert!(!machine.disk.holds(&kept[2].2.fragment[..64]));
    machine.crash(3);
    let store = machine.open().unwrap();
    assert_eq!(store.shares.missing(9).unwrap(), []);
    for (place, (_, header, share)) in kept.iter().enumerate() {
        let expected = (place != 2).then_some(share);
        assert_eq!(store.shares.get(header.height).unwrap().as_ref(), expected);
    }
}

#[test]
fn a_share_that_is_not_decided_keeps_its_segment() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 3);
    let next = header(4, 0, kept[2].0);
    let waiting = share(&next, 600);
    store.shares.append(&next, next.id(&CHAIN), &waiting).unwrap();
    for height in 1..=3 {
        store.shares.remove(Height::new(height)).unwrap();
    }
    compact_all(&store).unwrap();
    let found = store.shares.get_block(&next.id(&CHAIN)).unwrap();
    assert_eq!(found.as_ref(), Some(&waiting));
    commit(&store, &next).unwrap();
    compact_all(&store).unwrap();
    assert_eq!(store.shares.get(Height::new(4)).unwrap(), Some(waiting));
}

#[test]
fn readers_find_their_share_while_segments_are_compacted() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 24);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut numbers = Numbers(5);
            for _ in 0..4000 {
                let (_, header, share) = &kept[usize::try_from(numbers.below(24)).unwrap()];
                assert_eq!(store.shares.get(header.height).unwrap().as_ref(), Some(share));
            }
        });
        for _ in 0..20 {
            for (id, header, share) in &kept {
                store.shares.put_repaired(header, *id, None, share).unwrap();
            }
            while store.shares.compact(2000, false).unwrap().more {}
        }
        reader.join().unwrap();
    });
    assert_eq!(store.shares.missing(9).unwrap(), []);
}
