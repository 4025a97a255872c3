mod golden;
mod on_disk;

use super::table::Batch;
use super::*;
use crate::StoreOptions;
use crate::testing::{CHAIN, Machine, Numbers, header};
use proptest::prelude::*;
use salus_types::state::{StateChanges, TreeChanges};
use salus_types::{CommitSignature, ContractId, MemberId, Round, Signature};

/// What a test commits.
#[derive(Clone, Default)]
struct Content {
    state: StateChanges,
    tree: TreeChanges,
    transactions: Vec<TransactionId>,
    patients: Vec<PrincipalId>,
    certified: bool,
}

fn certificate(header: &Header) -> CommitCertificate {
    CommitCertificate {
        height: header.height,
        round: header.round,
        block: header.id(&CHAIN),
        signatures: vec![CommitSignature {
            member: MemberId::new(1),
            signature: Signature::new([5; 64]),
        }],
    }
}

fn put(chain: &ChainStore, header: &Header, content: &Content) -> Result<BlockId, StoreError> {
    let id = header.id(&CHAIN);
    let certificate = certificate(header);
    chain.commit(&CommitBatch {
        header,
        id,
        certificate: content.certified.then_some(&certificate),
        state: &content.state,
        tree: &content.tree,
        transactions: &content.transactions,
        patients: &content.patients,
        share: None,
        reseals: &[],
    })?;
    Ok(id)
}

fn start(chain: &ChainStore) -> BlockId {
    let header = header(0, 0, BlockId::new(Hash::ZERO));
    let id = header.id(&CHAIN);
    chain
        .init(&header, id, None, &StateChanges::new(), &TreeChanges::new())
        .unwrap();
    id
}

fn state_key(n: u8) -> StateKey {
    StateKey::new(ContractId::new(u32::from(n) % 3), &[n])
}

fn write(n: u8, value: &[u8]) -> Content {
    Content {
        state: [(state_key(n), Some(value.to_vec()))].into(),
        ..Content::default()
    }
}

fn memory() -> ChainStore {
    ChainStore::in_memory(&MemoryIndex::new()).unwrap()
}

#[test]
fn a_block_is_found_by_all_its_names() {
    let chain = memory();
    assert!(chain.tip().is_none());
    let parent = start(&chain);
    let header = header(1, 0, parent);
    let transactions = [
        TransactionId::new(Hash::of_content(b"a")),
        TransactionId::new(Hash::of_content(b"b")),
    ];
    let content = Content {
        tree: [(vec![1, 2], Some(b"node".to_vec()))].into(),
        transactions: transactions.to_vec(),
        patients: vec![PrincipalId::new(7)],
        certified: true,
        ..write(1, b"value")
    };
    let id = put(&chain, &header, &content).unwrap();
    assert_eq!(
        chain.tip(),
        Some(Tip {
            height: Height::new(1),
            id
        })
    );
    assert_eq!(chain.header(Height::new(1)).unwrap(), Some(header.clone()));
    assert_eq!(chain.headers(Height::ZERO, 9).unwrap().len(), 2);
    assert_eq!(chain.headers(Height::new(1), 1).unwrap(), [(id, header.clone())]);
    assert_eq!(chain.height_of(&id).unwrap(), Some(Height::new(1)));
    assert_eq!(
        chain.height_of(&BlockId::new(Hash::of_content(b"?"))).unwrap(),
        None
    );
    assert_eq!(
        chain.certificate(Height::new(1)).unwrap(),
        Some(certificate(&header))
    );
    assert_eq!(
        chain.certificate_from(Height::ZERO).unwrap(),
        Some(certificate(&header))
    );
    assert_eq!(
        chain.transaction_heights(&transactions[1], Height::ZERO).unwrap(),
        [Height::new(1)]
    );
    assert_eq!(
        chain
            .transaction_heights(&TransactionId::new(Hash::of_content(b"c")), Height::ZERO)
            .unwrap(),
        []
    );
    assert_eq!(
        chain
            .patient_heights(PrincipalId::new(7), Height::MAX, 9)
            .unwrap(),
        [Height::new(1)]
    );
    assert_eq!(
        chain
            .patient_heights(PrincipalId::new(7), Height::new(1), 9)
            .unwrap(),
        []
    );
    assert_eq!(
        StateReader::get(&chain, &state_key(1)).unwrap(),
        Some(b"value".to_vec())
    );
    assert_eq!(chain.tree_node(&[1, 2]).unwrap(), Some(b"node".to_vec()));
    chain.put_meta("note", b"free").unwrap();
    assert_eq!(chain.meta("note").unwrap(), Some(b"free".to_vec()));
    assert_eq!(chain.contents().unwrap()["transactions"].entries, 1);
}

#[test]
fn commits_are_in_order_and_repeatable() {
    let chain = memory();
    let error = put(
        &chain,
        &header(1, 0, BlockId::new(Hash::ZERO)),
        &Content::default(),
    )
    .unwrap_err();
    assert!(matches!(error, StoreError::Initialisation(_)), "{error}");
    let parent = start(&chain);
    let one = header(1, 0, parent);
    let id = put(&chain, &one, &write(1, b"1")).unwrap();
    put(&chain, &one, &write(1, b"other")).unwrap();
    assert_eq!(
        StateReader::get(&chain, &state_key(1)).unwrap(),
        Some(b"1".to_vec()),
        "nothing is done twice"
    );
    let error = put(&chain, &header(1, 1, parent), &Content::default()).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    let error = put(&chain, &header(2, 0, parent), &Content::default()).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    let error = put(&chain, &header(3, 0, id), &Content::default()).unwrap_err();
    assert!(matches!(error, StoreError::Gap { .. }), "{error}");
    let error = put(
        &chain,
        &header(2, 0, id),
        &write(2, &vec![0; VALUE_BYTES_MAX + 1]),
    )
    .unwrap_err();
    assert!(
        matches!(error, StoreError::TooLong { .. }) && !error.is_fatal(),
        "{error}"
    );
    put(&chain, &header(2, 0, id), &write(2, &vec![0; VALUE_BYTES_MAX])).unwrap();
    start(&chain);
    let other = header(0, 9, parent);
    let error = chain
        .init(
            &other,
            other.id(&CHAIN),
            None,
            &StateChanges::new(),
            &TreeChanges::new(),
        )
        .unwrap_err();
    assert!(matches!(error, StoreError::Initialisation(_)), "{error}");
}

#[test]
fn an_unfinished_start_leaves_nothing_behind() {
    let index = MemoryIndex::new();
    index
        .apply(vec![
            (Side::First.state(b"....left over"), Some(vec![1])),
            (Side::First.tree(&[3]), Some(vec![1])),
        ])
        .unwrap();
    let chain = ChainStore::in_memory(&index).unwrap();
    let first = header(40, 0, BlockId::new(Hash::ZERO));
    let state: StateChanges = (0..u8::MAX).map(|n| (state_key(n), Some(vec![n]))).collect();
    chain
        .init(&first, first.id(&CHAIN), None, &state, &TreeChanges::new())
        .unwrap();
    assert_eq!(chain.tree_node(&[3]).unwrap(), None);
    assert_eq!(chain.contents().unwrap()["state"].entries, 255);
    assert_eq!(
        chain.first_height().unwrap(),
        Some(Height::new(40)),
        "a snapshot may start anywhere"
    );
    put(&chain, &header(41, 0, first.id(&CHAIN)), &Content::default()).unwrap();
}

#[test]
fn old_certificates_go_but_checkpoints_stay() {
    let chain = memory();
    let mut parent = start(&chain);
    let content = Content {
        certified: true,
        ..Content::default()
    };
    let last = CERTIFICATE_WINDOW + 1030;
    for height in 1..=last {
        let mut header = header(height, 0, parent);
        if height != 500 {
            header.next_validators = header.validators;
        }
        parent = put(&chain, &header, &content).unwrap();
    }
    let kept = |height| chain.certificate(Height::new(height)).unwrap().is_some();
    assert!(!kept(1) && !kept(1023) && kept(1024) && !kept(1025) && !kept(1030) && kept(1031) && kept(last));
    assert!(
        !kept(499) && kept(500) && !kept(501),
        "the last one of a validator set"
    );
    assert_eq!(
        chain.contents().unwrap()["certificates"].entries,
        CERTIFICATE_WINDOW + 2
    );
    let next = chain.certificate_from(Height::new(2)).unwrap().unwrap();
    assert_eq!(next.height, Height::new(500));
}

#[test]
fn a_view_expires_instead_of_showing_something_else() {
    let chain = memory();
    let mut parent = start(&chain);
    let view = chain.view();
    let most = view::UNDO_MAX as u64;
    for height in 1..=most + 6 {
        parent = put(&chain, &header(height, 0, parent), &write(1, &[1])).unwrap();
        let read = StateReader::get(&view, &state_key(1));
        assert_eq!(read.is_ok(), height <= most);
        assert!(read.is_err() || read == Ok(None));
    }
    drop(view);
    put(&chain, &header(most + 7, 0, parent), &write(1, &[2])).unwrap();
    assert_eq!(
        chain.shared().undo.count(),
        0,
        "nothing is remembered without views"
    );
}

#[test]
fn occurrences_are_found_in_and_between_groups() {
    let chain = memory();
    let mut parent = start(&chain);
    let mut numbers = Numbers(3);
    let mut expected: BTreeMap<u32, Vec<Height>> = BTreeMap::new();
    let id = |n: u32| TransactionId::new(Hash::of_content(&n.to_be_bytes()));
    for height in 1..=800 {
        // Patients 0 to 99 at random, 500 in every block, 600 only in the middle of a group; some blocks are large.
        let count = if height % 97 == 0 { 3000 } else { numbers.below(6) };
        let mut touched: Vec<u32> = (0..count)
            .map(|_| u32::try_from(numbers.below(100)).unwrap())
            .collect();
        touched.push(500);
        if height == 300 {
            touched.extend(10_000..18_000);
            touched.push(600);
        }
        let content = Content {
            patients: touched.iter().map(|patient| PrincipalId::new(*patient)).collect(),
            transactions: touched.iter().map(|n| id(*n)).collect(),
            ..Content::default()
        };
        parent = put(&chain, &header(height, 0, parent), &content).unwrap();
        touched.sort_unstable();
        touched.dedup();
        for patient in touched {
            expected
                .entry(patient)
                .or_default()
                .insert(0, Height::new(height));
        }
    }
    for (patient, heights) in expected
        .iter()
        .filter(|(patient, _)| **patient < 9_999 || **patient % 571 == 0)
    {
        let patient = PrincipalId::new(*patient);
        assert_eq!(
            &chain.patient_heights(patient, Height::MAX, usize::MAX).unwrap(),
            heights,
            "{patient}"
        );
        assert_eq!(
            chain.patient_heights(patient, Height::MAX, 3).unwrap(),
            heights[..heights.len().min(3)]
        );
        for before in [1, 255, 256, 257, 300, 512, 700] {
            let before = Height::new(before);
            let older: Vec<Height> = heights
                .iter()
                .copied()
                .filter(|height| *height < before)
                .collect();
            assert_eq!(
                chain.patient_heights(patient, before, usize::MAX).unwrap(),
                older,
                "{patient} {before}"
            );
        }
        let found = chain
            .transaction_heights(&id(patient.get()), Height::new(300))
            .unwrap();
        let newer: Vec<Height> = heights
            .iter()
            .copied()
            .filter(|height| *height >= Height::new(300))
            .take(64)
            .collect();
        assert_eq!(found, newer);
    }
    assert_eq!(
        chain
            .patient_heights(PrincipalId::new(601), Height::MAX, 9)
            .unwrap(),
        []
    );
    let kinds = chain.contents().unwrap();
    let occurrences: u64 = expected.values().map(|heights| heights.len() as u64).sum();
    assert!(
        kinds["patients"].bytes <= occurrences * 4,
        "{:?} for {occurrences}",
        kinds["patients"]
    );
    assert!(
        kinds["transactions"].bytes <= occurrences * 8,
        "{:?}",
        kinds["transactions"]
    );
}

type Writes = Vec<(u8, Option<u8>)>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every view shows the state of its height: single entries and walks.
    #[test]
    fn views_stay_what_they_were(
        blocks in proptest::collection::vec(
            (proptest::collection::vec((0u8..12, proptest::option::of(any::<u8>())), 0..6), any::<bool>()),
            1..12,
        ),
    ) {
        let blocks: Vec<(Writes, bool)> = blocks;
        let chain = memory();
        let mut parent = start(&chain);
        let mut model = BTreeMap::new();
        let mut views = vec![(chain.view(), model.clone())];
        for (number, (writes, keep_view)) in blocks.iter().enumerate() {
            let mut content = Content::default();
            for (key, value) in writes {
                let value = value.map(|value| vec![value]);
                content.state.insert(state_key(*key), value.clone());
                content.tree.insert(vec![*key], value.clone());
                match value {
                    Some(value) => model.insert(state_key(*key), value),
                    None => model.remove(&state_key(*key)),
                };
            }
            parent = put(&chain, &header(number as u64 + 1, 0, parent), &content).unwrap();
            if *keep_view {
                views.push((chain.view(), model.clone()));
            } else if views.len() > 2 {
                views.remove(1);
            }
            for (view, model) in &views {
                for n in 0..12 {
                    let expected = model.get(&state_key(n)).cloned();
                    prop_assert_eq!(StateReader::get(view, &state_key(n)), Ok(expected.clone()));
                    prop_assert_eq!(view.tree_node(&[n]), Ok(expected));
                }
                for contract in 0..3u32 {
                    let prefix = contract.to_be_bytes();
                    let (mut after, mut found) = (Vec::new(), Vec::new());
                    while let Some((key, value)) = view.next(&prefix, &after).unwrap() {
                        after = key.as_bytes().to_vec();
                        found.push((key, value));
                    }
                    let expected: Vec<_> = model.iter().filter(|(key, _)| key.as_bytes().starts_with(&prefix))
                        .map(|(key, value)| (key.clone(), value.clone())).collect();
                    prop_assert_eq!(found, expected);
                }
            }
            prop_assert_eq!(StateReader::next(&chain, &[], &[]).unwrap(), model.clone().into_iter().next());
        }
    }
}

#[test]
fn blocks_that_the_index_forgot_are_reported() {
    let machine = Machine::default();
    let mut store = machine.open().unwrap();
    assert_eq!(store.report.blocks_forgotten, None);
    let mut parent = crate::testing::genesis(&store).unwrap();
    for height in 1..=4 {
        store.wal.reset(Height::new(height)).unwrap();
        store.wal.append(b"vote").unwrap();
        store.wal.flush().unwrap();
        parent = crate::testing::commit(&store, &header(height, 0, parent)).unwrap();
    }
    drop(store);
    let store = machine.open().unwrap();
    assert_eq!(store.report.blocks_forgotten, None);
    drop(store);
    machine.index.wipe();
    let store = machine.open().unwrap();
    assert_eq!(store.report.blocks_forgotten, Some(Height::ZERO..=Height::new(3)));
}

#[test]
fn a_missing_tip_is_damage() {
    let index = MemoryIndex::new();
    start(&ChainStore::in_memory(&index).unwrap());
    index
        .apply(vec![(keys::of_height(keys::HEADER, Height::ZERO), None)])
        .unwrap();
    let error = ChainStore::in_memory(&index).unwrap_err();
    assert!(matches!(error, StoreError::IndexDamaged(_)), "{error}");
}

#[test]
fn the_whole_store_survives_crashes_and_goes_on() {
    for seed in 0..150 {
        let machine = Machine::default();
        let mut numbers = Numbers(seed);
        let mut committed: BTreeMap<Height, BlockId> = BTreeMap::new();
        for _ in 0..3 {
            let at = machine.disk.operations() + numbers.below(50);
            machine.disk.fail_at(
                at,
                crate::disk::Fault::TornWrite(usize::try_from(numbers.below(700)).unwrap()),
            );
            let mut life = || -> Result<(), StoreError> {
                let mut store = machine.open()?;
                let mut parent = match store.chain.tip() {
                    Some(tip) => tip.id,
                    None => crate::testing::genesis(&store)?,
                };
                for (height, id) in &committed {
                    assert_eq!(
                        store.chain.block_id(*height)?,
                        Some(*id),
                        "seed {seed}: a committed block is lost"
                    );
                    assert!(
                        store.shares.get(*height)?.is_some(),
                        "seed {seed}: its share is lost"
                    );
                }
                for _ in 0..5 {
                    let height = store.chain.tip().map_or(Height::ZERO, |tip| tip.height).next();
                    store.wal.reset(height)?;
                    let header = header(height.get(), 0, parent);
                    let id = header.id(&CHAIN);
                    store
                        .shares
                        .append(&header, id, &crate::testing::share(&header, 300))?;
                    store.wal.append(b"precommit")?;
                    store.wal.check_and_record(
                        height,
                        Round::ZERO,
                        crate::SigningStep::Precommit,
                        *id.hash(),
                    )?;
                    store.wal.flush()?;
                    parent = crate::testing::commit(&store, &header)?;
                    committed.insert(height, id);
                }
                Ok(())
            };
            let outcome = life();
            assert!(
                matches!(outcome, Ok(()) | Err(StoreError::Io { .. })),
                "seed {seed}: {outcome:?}"
            );
            machine.crash(seed * 7 + 1);
        }
    }
    assert_eq!(StoreOptions::default().cache_bytes, 64 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Blocks that a snapshot skipped are filled in in any order, beside new blocks.
    #[test]
    fn skipped_blocks_are_found_once_they_are_filled_in(
        seed in any::<u64>(),
        skipped in 1u64..700,
        more in 0u64..300,
    ) {
        let mut numbers = Numbers(seed);
        let chain = memory();
        let mut parent = start(&chain);
        // As an installed snapshot leaves it.
        let mut batch = Batch::new();
        for height in 1..=skipped {
            let header = header(height, 0, parent);
            parent = header.id(&CHAIN);
            commit::header_writes(&mut batch, &header, parent, None);
        }
        let tip = Tip { height: Height::new(skipped), id: parent };
        batch.push((keys::meta(TIP), Some(commit::encode_tip(tip))));
        batch.push((keys::of_height(keys::GAP, Height::new(1)), Some(skipped.to_be_bytes().to_vec())));
        chain.apply(batch).unwrap();
        chain.shared_mut().tip = Some(tip);

        let touched = |height: u64| -> Vec<PrincipalId> {
            let mut own = Numbers(height ^ seed);
            (0..own.below(5)).map(|_| PrincipalId::new(u32::try_from(own.below(9)).unwrap())).collect()
        };
        let mut todo: Vec<u64> = (1..=skipped).collect();
        let mut known: BTreeMap<u64, Vec<PrincipalId>> = BTreeMap::new();
        for height in skipped + 1..=skipped + more {
            let content = Content { patients: touched(height), ..Content::default() };
            parent = put(&chain, &header(height, 0, parent), &content).unwrap();
            known.insert(height, content.patients);
            for _ in 0..numbers.below(4).min(todo.len() as u64) {
                let late = todo.swap_remove(usize::try_from(numbers.below(todo.len() as u64)).unwrap());
                chain.fill_gap(Height::new(late), &[], &touched(late)).unwrap();
                known.insert(late, touched(late));
            }
        }
        let check = |known: &BTreeMap<u64, Vec<PrincipalId>>| {
            for patient in 0..9 {
                let patient = PrincipalId::new(patient);
                let expected: Vec<Height> = known
                    .iter()
                    .rev()
                    .filter(|(_, patients)| patients.contains(&patient))
                    .map(|(height, _)| Height::new(*height))
                    .collect();
                let found = chain.patient_heights(patient, Height::MAX, 10_000).unwrap();
                assert_eq!(found, expected);
                let newest = chain.patient_heights(patient, Height::MAX, 3).unwrap();
                assert_eq!(newest, expected[..expected.len().min(3)]);
            }
        };
        check(&known);
        let open: u64 = chain.gaps(usize::MAX).unwrap().iter()
            .map(|gap| gap.end().get() - gap.start().get() + 1).sum();
        prop_assert_eq!(open, todo.len() as u64);
        // Filling in twice changes nothing.
        for late in todo.into_iter().rev() {
            chain.fill_gap(Height::new(late), &[], &touched(late)).unwrap();
            chain.fill_gap(Height::new(late), &[], &[PrincipalId::new(8)]).unwrap();
            known.insert(late, touched(late));
        }
        check(&known);
        prop_assert!(chain.gaps(9).unwrap().is_empty());
    }
}

#[test]
fn headers_ahead_of_their_blocks_are_shown_to_nobody() {
    let chain = memory();
    let mut parent = start(&chain);
    let headers: Vec<(BlockId, Header)> = (1..=5)
        .map(|height| {
            let header = header(height, 0, parent);
            parent = header.id(&CHAIN);
            (parent, header)
        })
        .collect();
    let last = &headers[4].1;
    chain.keep_headers(&headers, &certificate(last)).unwrap();
    assert_eq!(chain.header(Height::new(1)).unwrap(), None);
    assert_eq!(chain.block_id(Height::new(5)).unwrap(), None);
    assert_eq!(chain.height_of(&headers[2].0).unwrap(), None);
    assert_eq!(chain.certificate(last.height).unwrap(), None);
    assert_eq!(chain.certificate_from(Height::ZERO).unwrap(), None);
    assert_eq!(chain.headers(Height::ZERO, 9).unwrap().len(), 1);
    assert_eq!(chain.headers_ahead(Height::ZERO, 9).unwrap(), headers);
    put(&chain, &headers[0].1, &Content::default()).unwrap();
    assert_eq!(
        chain.header(Height::new(1)).unwrap().as_ref(),
        Some(&headers[0].1)
    );
    assert_eq!(chain.headers_ahead(Height::ZERO, 2).unwrap(), headers[1..3]);
    // Nothing was staged.
    assert!(matches!(
        chain.install(Height::new(5), &TreeChanges::new()),
        Err(StoreError::Initialisation(_))
    ));
    assert_eq!(chain.tip().map(|tip| tip.height), Some(Height::new(1)));
}
