mod compaction;

use super::*;
use crate::disk::Fault;
use crate::frame::HEAD;
use crate::testing::{CHAIN, Machine, commit, genesis, header, key, share};
use crate::{Store, StoreOptions};
use expect_test::expect;
use proptest::prelude::*;
use salus_types::Hash;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: Vec<&str> = (0..digits.len())
        .step_by(64)
        .map(|at| &digits[at..digits.len().min(at + 64)])
        .collect();
    lines.join("\n")
}

fn segment(number: u32) -> PathBuf {
    PathBuf::from(format!("{}/shares/{number:08}.seg", Machine::HOME))
}

/// Commits heights 1 to `count` with their shares; returns what was kept.
fn run(store: &Store, count: u64) -> Vec<(BlockId, Header, SealedShare)> {
    let mut parent = genesis(store).unwrap();
    (1..=count)
        .map(|height| {
            let header = header(height, 0, parent);
            let share = share(&header, 600);
            let id = header.id(&CHAIN);
            store.shares.append(&header, id, &share).unwrap();
            parent = commit(store, &header).unwrap();
            (id, header, share)
        })
        .collect()
}

#[test]
fn a_record_has_these_bytes() {
    let wrap = KeyWrap::new(&key()).unwrap();
    let header = header(5, 1, BlockId::new(Hash::new([0xaa; 32])));
    let share = share(&header, 20);
    let bytes = record::encode(&wrap, &header, &BlockId::new(Hash::new([0xbb; 32])), None, &share).unwrap();
    expect![[r#"
        534c5352000001cdfc0b5988010003bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
        bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb00f60501fd0000018bcfe5680501aaaaaa
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac12bd7
        eb2ffe9f00a70b57b0c84c04775f7858853cb27f2e64ac659123b7dd0b037a78
        cc758d3fd8bdd145121a0611672b7476a7932f3a789e72b522862583b7010208
        fb03e8fb03f8e0e38a74cd05c3afb9475c5be559b678563ce5310df606429515
        dc3e90ca578e588d72e1979de1540ebbbfd85780898160870fe9fb5e48ddb40a
        8e3aab347d7548b72fe0fdfba691734b4cedde164821b2dacc999bc1d0e54665
        5c4487e0a15fbe31a56dc77b8e4958b469cf37510c32a9c94eaba31c442d6568
        e417bc08b4ba4d032d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1
        510225d0f592e21348fc721fbbc172e0925fa27af1671de225ba927134802998
        b10a1568a188652bab13bedf42e84bae0f7c62c7dd6a8ada571e8829bed6ea55
        8217f0361b5e25d0f31d83ea0996b899b00cc504f76ef299d8c7e4df45676f43
        30af5e5e18a99c286f4f74f19940a75c3d55c6d85d9cd05ed84a36ff18a82893
        fda5467c325da7d7be53ff2bba92406880736bd61d4ab219eb"#]]
    .assert_eq(&hex(&bytes));
    let record = record::decode(&wrap, &bytes[HEAD..]).unwrap();
    assert_eq!((record.share, record.header), (share, header));
}

#[test]
fn the_folder_has_these_fixed_bytes() {
    let machine = Machine::default();
    run(&machine.open().unwrap(), 1);
    let home = PathBuf::from(Machine::HOME);
    expect!["fefd802abb1d8c0615f047e8d62dbf66564cf4d1b051f6d40cf353b78422926a"]
        .assert_eq(&hex(&machine.disk.read(&home.join("key.check")).unwrap()));
    expect!["53414c55535345470000000100000001"]
        .assert_eq(&hex(&machine.disk.read(&segment(1)).unwrap()[..16]));
}

#[test]
fn committed_and_recent_shares_are_found_also_after_a_restart() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 12);
    let next = [header(13, 0, kept[11].0), header(13, 1, kept[11].0)];
    for header in &next {
        let at = store
            .shares
            .append(header, header.id(&CHAIN), &share(header, 50))
            .unwrap();
        let again = store
            .shares
            .append(header, header.id(&CHAIN), &share(header, 50))
            .unwrap();
        assert_eq!(at, again, "a share is written once");
    }
    drop(store);
    let store = machine.open().unwrap();
    assert_eq!(store.report.shares.torn_bytes, 0);
    assert_eq!(store.report.shares.scanned, 3, "only the tail is scanned");
    for (id, header, share) in &kept {
        assert_eq!(store.shares.get(header.height).unwrap().as_ref(), Some(share));
        assert_eq!(store.shares.get_block(id).unwrap().as_ref(), Some(share));
        assert!(store.shares.contains(header.height).unwrap());
    }
    for header in &next {
        assert_eq!(
            store.shares.get_block(&header.id(&CHAIN)).unwrap(),
            Some(share(header, 50))
        );
        assert_eq!(store.shares.get(header.height).unwrap(), None, "not committed");
    }
    assert_eq!(store.shares.missing(10).unwrap(), []);
    assert!(store.shares.segments.bytes() > 12 * 600);
    assert!(machine.disk.read(&segment(2)).is_some(), "segments roll over");
}

#[test]
fn a_share_of_another_height_and_a_repair_of_another_block_are_refused() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 2);
    let error = store
        .shares
        .append(&kept[0].1, kept[0].0, &kept[1].2)
        .unwrap_err();
    assert!(matches!(error, StoreError::ShareMismatch { .. }), "{error}");
    let error = store
        .shares
        .put_repaired(&kept[0].1, kept[1].0, None, &kept[0].2)
        .unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
}

#[test]
fn key_shares_are_not_on_the_disk_in_the_clear() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 3);
    let bytes = machine.disk.read(&segment(1)).unwrap();
    for (_, _, share) in &kept {
        assert!(!bytes.windows(16).any(|window| window == &share.key_share[1..17]));
        assert!(bytes.windows(16).any(|window| window == &share.fragment[..16]));
    }
    drop(store);
    // Another key reads nothing and is refused before it could take everything for torn.
    let other = StoreKey::new([8; 32]);
    assert_eq!(
        record::decode(&KeyWrap::new(&other).unwrap(), &bytes[16 + HEAD..]),
        None
    );
    let (home, options) = (Path::new(Machine::HOME), StoreOptions::default());
    let opened = Store::open_simulated(
        Arc::new(machine.disk.clone()),
        &machine.index,
        home,
        &other,
        &options,
    );
    assert!(matches!(opened, Err(StoreError::WrongKey(_))));
    assert_eq!(machine.disk.read(&segment(1)).unwrap(), bytes);
}

#[test]
fn a_wiped_log_reports_every_height_and_never_reuses_a_place() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 9);
    drop(store);
    machine.disk.wipe(&PathBuf::from(Machine::HOME).join("shares"));
    let store = machine.open().unwrap();
    let all = Height::new(1)..=Height::new(9);
    assert_eq!(store.shares.missing(10).unwrap(), [all]);
    for (_, header, _) in &kept {
        assert!(!store.shares.contains(header.height).unwrap());
    }
    let (id, header, share) = &kept[4];
    store.shares.put_repaired(header, *id, None, share).unwrap();
    assert_eq!(store.shares.get(header.height).unwrap().as_ref(), Some(share));
    let ranges = [Height::new(1)..=Height::new(4), Height::new(6)..=Height::new(9)];
    assert_eq!(store.shares.missing(10).unwrap(), ranges);
    assert_eq!(store.shares.missing(1).unwrap(), ranges[..1]);
    drop(store);
    let store = machine.open().unwrap();
    assert_eq!(store.shares.get(header.height).unwrap().as_ref(), Some(share));
    assert_eq!(store.shares.missing(10).unwrap(), ranges);
    let checks = [4, 5].map(|height| store.shares.scrub(Height::new(height)).unwrap());
    assert_eq!(checks, [ShareCheck::Damaged, ShareCheck::Sound(share.clone())]);
    assert_eq!(store.shares.scrub(Height::new(4)).unwrap(), ShareCheck::Absent);
    store.shares.condemn(header.height).unwrap();
    assert_eq!(store.shares.get(header.height).unwrap(), None);
}

#[test]
fn after_a_lost_index_the_log_gives_back_headers_and_shares() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 9);
    drop(store);
    machine.index.wipe();
    let store = machine.open().unwrap();
    let headers = store.shares.recent_headers(Height::new(1), 100).unwrap();
    let expected: Vec<_> = kept.iter().map(|(id, header, _)| (*id, header.clone())).collect();
    assert_eq!(headers, expected);
    for (id, header) in &expected {
        assert_eq!(store.shares.recent_header(id).unwrap().as_ref(), Some(header));
    }
    assert_eq!(
        store.shares.recent_header(&BlockId::new(Hash::ZERO)).unwrap(),
        None
    );
    let again = run(&store, 9);
    assert_eq!(again, kept);
    assert_eq!(store.shares.missing(10).unwrap(), []);
    let bytes = store.shares.bytes();
    assert!(bytes < 9 * 1200, "nothing was written twice: {bytes}");
}

#[test]
fn a_failed_fsync_halts_the_log() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 2);
    let next = header(3, 0, kept[1].0);
    // The next operation is the write, the one after it the fsync.
    machine.disk.fail_at(machine.disk.operations() + 1, Fault::Error);
    let error = store
        .shares
        .append(&next, next.id(&CHAIN), &share(&next, 10))
        .unwrap_err();
    assert!(
        matches!(error, StoreError::Io { .. }) && error.is_fatal(),
        "{error}"
    );
    let error = store
        .shares
        .append(&next, next.id(&CHAIN), &share(&next, 10))
        .unwrap_err();
    assert!(matches!(error, StoreError::Halted { .. }), "{error}");
    assert!(matches!(
        store.shares.get(Height::new(1)),
        Err(StoreError::Halted { .. })
    ));
}

/// A run that may be cut short at any operation; returns what was acknowledged.
fn run_until_crash(machine: &Machine) -> BTreeMap<BlockId, SealedShare> {
    let mut kept = BTreeMap::new();
    let mut steps = || -> Result<(), StoreError> {
        let store = machine.open()?;
        let mut parent = genesis(&store)?;
        for height in 1..=7 {
            for round in 0..2 {
                let header = header(height, round, parent);
                let share = share(&header, 300);
                store.shares.append(&header, header.id(&CHAIN), &share)?;
                kept.insert(header.id(&CHAIN), share);
            }
            parent = commit(&store, &header(height, 1, parent))?;
        }
        Ok(())
    };
    // An error is the crash itself.
    drop(steps());
    kept
}

fn assert_all_kept(machine: &Machine, kept: &BTreeMap<BlockId, SealedShare>, context: &str) {
    let store = machine
        .open()
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let tip = store.chain.tip().map_or(Height::ZERO, |tip| tip.height);
    for (id, share) in kept {
        let is_retired = share.height <= tip && store.chain.block_id(share.height).unwrap() != Some(*id);
        if !is_retired {
            assert_eq!(
                store.shares.get_block(id).unwrap().as_ref(),
                Some(share),
                "{context}"
            );
        }
    }
    assert_eq!(store.shares.missing(10).unwrap(), [], "{context}");
    assert_eq!(store.report.shares.damaged, [], "{context}: a crash is no damage");
}

#[test]
fn whatever_was_acknowledged_survives_a_crash_at_any_operation() {
    let whole = Machine::default();
    run_until_crash(&whole);
    for operation in 0..whole.disk.operations() {
        for seed in 0..6 {
            let machine = Machine::default();
            let fault = match seed % 3 {
                0 => Fault::PowerCut,
                1 => Fault::TornWrite(5),
                _ => Fault::TornWrite(400),
            };
            machine.disk.fail_at(operation, fault);
            let kept = run_until_crash(&machine);
            machine.crash(operation * 100 + seed);
            let context = format!("operation {operation}, seed {seed}");
            assert_all_kept(&machine, &kept, &context);
            // And the node goes on from there.
            let all = run_until_crash(&machine);
            assert_eq!(all.len(), 14, "{context}");
            assert_all_kept(&machine, &all, &context);
        }
    }
}

#[test]
fn a_flipped_bit_costs_one_share_at_most_and_never_gives_a_wrong_one() {
    let mut offset = 0;
    loop {
        for with_index in [true, false] {
            let machine = Machine::default();
            let kept = run(&machine.open().unwrap(), 4);
            if !machine.disk.flip(&segment(1), offset, 0x10) {
                return;
            }
            if !with_index {
                machine.index.wipe();
            }
            let store = machine.open().unwrap();
            let found = kept
                .iter()
                .filter(|(id, _, share)| match store.shares.get_block(id) {
                    Ok(found) => {
                        assert!(found.is_none() || found.as_ref() == Some(share));
                        found.is_some()
                    }
                    Err(error) => {
                        assert!(matches!(error, StoreError::ShareDamaged(_)), "{error}");
                        assert_eq!(store.shares.get_block(id).unwrap(), None, "told once");
                        false
                    }
                });
            assert!(found.count() >= 3, "offset {offset}, index {with_index}");
        }
        offset += 7;
    }
}

#[test]
fn damage_counts_as_lost_and_is_repaired() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 5);
    let at = store.shares.location(&kept[2].0).unwrap().unwrap();
    assert!(
        machine
            .disk
            .flip(&segment(at.segment()), at.offset() as usize + 400, 1)
    );
    assert!(
        matches!(store.shares.get(Height::new(3)), Err(StoreError::ShareDamaged(height)) if height == Height::new(3))
    );
    assert_eq!(store.shares.get(Height::new(3)).unwrap(), None);
    assert_eq!(
        store.shares.missing(10).unwrap(),
        [Height::new(3)..=Height::new(3)]
    );
    store
        .shares
        .put_repaired(&kept[2].1, kept[2].0, None, &kept[2].2)
        .unwrap();
    assert_eq!(
        store.shares.get(Height::new(3)).unwrap().as_ref(),
        Some(&kept[2].2)
    );
    drop(store);
    // The index entry of the repair may be lost in a crash; the scan finds the record again.
    machine.index.crash(0);
    let store = machine.open().unwrap();
    assert_eq!(
        store.shares.get(Height::new(3)).unwrap().as_ref(),
        Some(&kept[2].2)
    );
    assert_eq!(store.shares.missing(10).unwrap(), []);
}

#[test]
fn an_index_entry_that_names_another_share_gives_none() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 3);
    let other = store.shares.location(&kept[0].0).unwrap();
    store
        .chain
        .name_share(Height::new(2), None, other.unwrap())
        .unwrap();
    assert!(matches!(
        store.shares.get(Height::new(2)),
        Err(StoreError::ShareDamaged(_))
    ));
    assert_eq!(store.shares.get(Height::new(2)).unwrap(), None);
}

#[test]
fn a_repair_does_not_hide_the_share_of_a_running_height() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 3);
    let next = header(4, 0, kept[2].0);
    store
        .shares
        .append(&next, next.id(&CHAIN), &share(&next, 600))
        .unwrap();
    for _ in 0..8 {
        store
            .shares
            .put_repaired(&kept[0].1, kept[0].0, None, &kept[0].2)
            .unwrap();
    }
    drop(store);
    for _ in 0..2 {
        let store = machine.open().unwrap();
        assert_eq!(
            store.shares.get_block(&next.id(&CHAIN)).unwrap(),
            Some(share(&next, 600))
        );
        assert_eq!(store.shares.missing(10).unwrap(), []);
    }
    let store = machine.open().unwrap();
    commit(&store, &next).unwrap();
    let after = header(5, 0, next.id(&CHAIN));
    let at = store
        .shares
        .append(&after, after.id(&CHAIN), &share(&after, 600))
        .unwrap();
    assert!(at > store.shares.location(&kept[0].0).unwrap().unwrap());
    drop(store);
    let store = machine.open().unwrap();
    assert_eq!(
        store.report.shares.scanned, 2,
        "the scan starts at the last named share again"
    );
    assert_eq!(
        store.shares.get_block(&after.id(&CHAIN)).unwrap(),
        Some(share(&after, 600))
    );
}

#[test]
fn a_damaged_tip_is_not_written_over() {
    let machine = Machine::default();
    let store = machine.open().unwrap();
    let kept = run(&store, 3);
    let at = store.shares.location(&kept[2].0).unwrap().unwrap();
    drop(store);
    assert!(
        machine
            .disk
            .flip(&segment(at.segment()), at.offset() as usize + 400, 1)
    );
    let store = machine.open().unwrap();
    assert!(store.report.shares.torn_bytes > 0);
    assert_eq!(
        store.shares.missing(10).unwrap(),
        [Height::new(3)..=Height::new(3)]
    );
    let next = header(4, 0, kept[2].0);
    let place = store
        .shares
        .append(&next, next.id(&CHAIN), &share(&next, 600))
        .unwrap();
    assert!(place.segment() > at.segment());
    assert_eq!(
        store.shares.missing(10).unwrap(),
        [Height::new(3)..=Height::new(3)]
    );
}

#[test]
fn a_record_hidden_in_a_fragment_is_not_taken_for_one() {
    let header_one = header(1, 0, BlockId::new(Hash::ZERO));
    let foreign = KeyWrap::new(&StoreKey::new([1; 32])).unwrap();
    let forged = share(&header_one, 40);
    let forged_id = BlockId::new(Hash::new([0xee; 32]));
    let hidden = record::encode(&foreign, &header_one, &forged_id, None, &forged).unwrap();

    let machine = Machine::default();
    let store = machine.open().unwrap();
    let mut outer = share(&header_one, 0);
    outer.fragment = hidden;
    let at = store
        .shares
        .append(&header_one, header_one.id(&CHAIN), &outer)
        .unwrap();
    let behind = header(1, 1, BlockId::new(Hash::ZERO));
    store
        .shares
        .append(&behind, behind.id(&CHAIN), &share(&behind, 40))
        .unwrap();
    drop(store);
    assert!(machine.disk.flip(&segment(1), at.offset() as usize + 1, 0xff));
    let store = machine.open().unwrap();
    assert_eq!(store.shares.get_block(&forged_id).unwrap(), None);
    assert_eq!(store.shares.get_block(&header_one.id(&CHAIN)).unwrap(), None);
    assert_eq!(
        store.shares.get_block(&behind.id(&CHAIN)).unwrap(),
        Some(share(&behind, 40))
    );
    assert_eq!(store.report.shares.damaged.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_open_as_a_log(bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 0usize..3000) {
        let machine = Machine::default();
        let store = machine.open().unwrap();
        run(&store, 3);
        drop(store);
        let mut content = machine.disk.read(&segment(1)).unwrap();
        content.truncate(cut);
        content.extend(bytes);
        machine.disk.put(&segment(1), &content);
        let without_index = Machine::default();
        without_index.disk.put(&segment(1), &content);
        for machine in [machine, without_index] {
            let store = machine.open().unwrap();
            for height in 1..=3 {
                if let Ok(Some(found)) = store.shares.get(Height::new(height)) {
                    prop_assert_eq!(found.height, Height::new(height));
                    prop_assert_eq!(found.fragment.len(), 600);
                }
            }
            let _ = store.shares.missing(9).unwrap();
        }
    }

    #[test]
    fn a_record_of_any_shape_comes_back(
        slot in any::<u16>(),
        key_share in any::<[u8; 32]>(),
        siblings in 0u8..9,
        fragment in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let wrap = KeyWrap::new(&key()).unwrap();
        let header = header(3, 0, BlockId::new(Hash::ZERO));
        let mut share = share(&header, 0);
        share.slot = salus_types::Slot::new(slot);
        share.key_share[1..].copy_from_slice(&key_share);
        share.path = (0..siblings).map(|n| Hash::of_content(&[n])).collect();
        share.fragment = fragment;
        let id = header.id(&CHAIN);
        let bytes = record::encode(&wrap, &header, &id, None, &share).unwrap();
        let record = record::decode(&wrap, &bytes[HEAD..]).unwrap();
        prop_assert_eq!(record, record::Record { id, header, resealing: None, share });
    }
}

#[test]
fn small_blocks_have_small_records() {
    let header = header(1_000_000, 0, BlockId::new(Hash::new([1; 32])));
    let wrap = KeyWrap::new(&key()).unwrap();
    let bytes = record::encode(&wrap, &header, &header.id(&CHAIN), None, &share(&header, 0)).unwrap();
    // Of a 64 KiB block with k = 2 (32 KiB a node) this is 1.5 %.
    assert!(bytes.len() <= 500, "{} bytes beside the fragment", bytes.len());
    assert_eq!(StoreOptions::default().segment_bytes, 64 << 20);
}

/// What may befall a segment file.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    Truncated { keeps_percent: usize },
    Gone,
    Flipped { at_percent: usize, mask: u8 },
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        (0usize..100).prop_map(|keeps_percent| Mishap::Truncated { keeps_percent }),
        Just(Mishap::Gone),
        (0usize..100, 1u8..=255).prop_map(|(at_percent, mask)| Mishap::Flipped { at_percent, mask }),
    ]
}

impl Mishap {
    /// Befalls a segment of a stopped machine; returns the first byte that is not what it was, and the last.
    fn befall(self, machine: &Machine, number: u32) -> (u64, u64) {
        let mut bytes = machine.disk.read(&segment(number)).unwrap();
        let first = match self {
            Self::Gone => {
                machine.disk.wipe(&segment(number));
                return (0, u64::MAX);
            }
            Self::Truncated { keeps_percent } => {
                bytes.truncate(bytes.len() * keeps_percent / 100);
                (bytes.len() as u64, u64::MAX)
            }
            Self::Flipped { at_percent, mask } => {
                let at = bytes.len() * at_percent / 100;
                bytes[at] ^= mask;
                (at as u64, at as u64)
            }
        };
        machine.disk.put(&segment(number), &bytes);
        first
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Truncated, missing and damaged segments: every share that they don't touch is there and right, the rest is listed as
    /// missing once it was looked for, and after its repair nothing is.
    #[test]
    fn mishaps_cost_what_they_touch_and_the_rest_is_listed_for_repair(
        mishaps in proptest::collection::vec((1u32..6, mishap()), 1..4),
        keeps_index in any::<bool>(),
    ) {
        let machine = Machine::default();
        let store = machine.open().unwrap();
        let kept = run(&store, 20);
        let places: Vec<_> = kept.iter().map(|(id, ..)| store.shares.location(id).unwrap().unwrap()).collect();
        drop(store);
        let mut touched = BTreeMap::new();
        for (number, mishap) in &mishaps {
            if machine.disk.read(&segment(*number)).is_some() && !touched.contains_key(number) {
                touched.insert(*number, mishap.befall(&machine, *number));
            }
        }
        if !keeps_index {
            machine.index.wipe();
        }
        let store = machine.open().unwrap();
        if !keeps_index {
            // The chain is caught up with from peers; what the log still holds is not asked for again.
            let mut parent = genesis(&store).unwrap();
            for (_, header, _) in &kept {
                parent = commit(&store, header).unwrap();
            }
            prop_assert_eq!(parent, kept[19].0);
        }
        let mut missing = Vec::new();
        for ((_, header, share), at) in kept.iter().zip(&places) {
            let found = match store.shares.scrub(header.height).unwrap() {
                ShareCheck::Sound(found) => Some(found),
                ShareCheck::Damaged | ShareCheck::Absent => None,
            };
            // A record has some 460 bytes beside its fragment of 600.
            let is_untouched = touched.get(&at.segment()).is_none_or(|(first, last)| {
                let (from, to) = (u64::from(at.offset()), u64::from(at.offset()) + 1_150);
                to <= *first || from > *last
            });
            if is_untouched {
                prop_assert_eq!(found.as_ref(), Some(share));
            }
            match found {
                Some(found) => prop_assert_eq!(&found, share),
                None => missing.push(header.height),
            }
        }
        let listed: Vec<Height> = store
            .shares
            .missing(100)
            .unwrap()
            .iter()
            .flat_map(|range| range.start().get()..=range.end().get())
            .map(Height::new)
            .collect();
        prop_assert_eq!(&listed, &missing);
        for height in missing {
            prop_assert!(store.shares.is_missing(height).unwrap());
            let (id, header, share) = &kept[usize::try_from(height.get()).unwrap() - 1];
            store.shares.put_repaired(header, *id, None, share).unwrap();
        }
        drop(store);
        let store = machine.open().unwrap();
        for (_, header, share) in &kept {
            let found = store.shares.get(header.height).unwrap();
            prop_assert_eq!(found.as_ref(), Some(share));
        }
        prop_assert_eq!(store.shares.missing(100).unwrap(), []);
    }
}

#[test]
fn a_full_disk_halts_the_log_and_loses_nothing_acknowledged() {
    let whole = Machine::default();
    run_until_crash(&whole);
    for operation in 0..whole.disk.operations() {
        let machine = Machine::default();
        machine.disk.fail_at(operation, Fault::Full);
        let kept = run_until_crash(&machine);
        assert!(kept.len() <= 14);
        machine.crash(operation);
        assert_all_kept(&machine, &kept, &format!("operation {operation}"));
        assert_eq!(run_until_crash(&machine).len(), 14, "there is room again");
    }
}
