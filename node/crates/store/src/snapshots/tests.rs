use super::*;
use crate::chain::{ChainStore, MemoryIndex};
use crate::disk::MemoryDisk;
use crate::testing::{CHAIN, Machine, Numbers, header};
use crate::{CommitBatch, Store, Tip};
use proptest::prelude::*;
use salus_types::snapshot::StagedPart;
use salus_types::state::{StateChanges, StateKey, TreeChanges};
use salus_types::tree::{HashedEntry, TreePlace, subtree};
use salus_types::{BlockId, CommitCertificate, ContractId, Header, Round};

type Entries = BTreeMap<StateKey, Vec<u8>>;

fn entries(numbers: &mut Numbers, count: u64, value_bytes_max: u64) -> Entries {
    let mut entry = || {
        let key = StateKey::new(ContractId::new(1), &numbers.below(u64::MAX).to_be_bytes());
        let length = usize::try_from(1 + numbers.below(value_bytes_max)).unwrap();
        (key, vec![u8::try_from(numbers.below(256)).unwrap(); length])
    };
    (0..count).map(|_| entry()).collect()
}

fn hashed(entries: &Entries) -> Vec<HashedEntry> {
    let hashed = entries
        .iter()
        .map(|(key, value)| (key.path(), Hash::of_content(value)));
    let mut hashed: Vec<HashedEntry> = hashed.collect();
    hashed.sort_unstable();
    hashed
}

/// The header of a height above `parent` whose state is this, with what a commit writes.
fn block(height: u64, parent: BlockId, state: &Entries) -> (Header, StateChanges, TreeChanges) {
    let (root, tree) = subtree(&TreePrefix::ROOT, &hashed(state));
    let header = Header {
        state_root: root.hash(),
        ..header(height, 0, parent)
    };
    let changes = state
        .iter()
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    (header, changes.collect(), tree)
}

/// A chain whose height 0 has this state.
fn founded(chain: &ChainStore, state: &Entries) -> (Header, BlockId) {
    let (header, changes, tree) = block(0, BlockId::new(Hash::ZERO), state);
    let id = header.id(&CHAIN);
    chain.init(&header, id, None, &changes, &tree).unwrap();
    (header, id)
}

fn files(disk: &MemoryDisk) -> SnapshotFiles {
    SnapshotFiles::open(Arc::new(disk.clone()), Path::new("/snapshots")).unwrap()
}

fn target(header: &Header) -> SnapshotTarget {
    SnapshotTarget {
        height: header.height,
        state_root: header.state_root,
    }
}

/// Everything that leads from the root to all entries, in the order of a walk.
fn fetch(files: &SnapshotFiles, target: SnapshotTarget) -> Vec<(TreePrefix, u64, CheckedPart)> {
    let mut parts = Vec::new();
    let mut wanted = vec![(TreePrefix::ROOT, target.state_root)];
    while let Some((prefix, hash)) = wanted.pop() {
        let part = files
            .part(target.height, &prefix, Duration::ZERO)
            .unwrap()
            .unwrap();
        let bytes = part.bytes() as u64;
        assert!(codec::encode(&part).len() <= PART_LENGTH_MAX);
        let checked = part.check(&prefix, &hash).unwrap();
        if let CheckedPart::Split(places) = &checked {
            let children = (0..).zip(places.iter()).filter(|(_, hash)| **hash != Hash::ZERO);
            wanted.extend(children.map(|(digit, hash)| (prefix.child(digit).unwrap(), *hash)));
        }
        parts.push((prefix, bytes, checked));
    }
    parts
}

/// The nodes above the parts.
fn nodes_above(parts: &[(TreePrefix, u64, CheckedPart)]) -> TreeChanges {
    fn place(
        prefix: &TreePrefix,
        parts: &BTreeMap<TreePrefix, &CheckedPart>,
        nodes: &mut TreeChanges,
    ) -> TreePlace {
        match parts.get(prefix) {
            None => TreePlace::Empty,
            Some(CheckedPart::Entries { place, .. }) => *place,
            Some(CheckedPart::Split(_)) => {
                let below = std::array::from_fn(|digit| {
                    place(&prefix.child(u8::try_from(digit).unwrap()).unwrap(), parts, nodes)
                });
                let node = TreeNode::new(below);
                nodes.insert(prefix.as_path().to_vec(), Some(node.encode()));
                TreePlace::Node(node.hash())
            }
        }
    }
    let by_prefix = parts
        .iter()
        .map(|(prefix, _, part)| (prefix.clone(), part))
        .collect();
    let mut nodes = TreeChanges::new();
    place(&TreePrefix::ROOT, &by_prefix, &mut nodes);
    nodes
}

fn all_entries(chain: &ChainStore) -> Entries {
    let view = chain.view();
    let (entries, more) = view.entries(&[], usize::MAX).unwrap();
    assert_eq!(more, None);
    let typed = entries.into_iter();
    typed
        .map(|(key, value)| (StateKey::from_bytes(&key).unwrap(), value))
        .collect()
}

fn certificate(header: &Header) -> CommitCertificate {
    CommitCertificate {
        height: header.height,
        round: Round::ZERO,
        block: header.id(&CHAIN),
        signatures: Vec::new(),
    }
}

/// A chain that has only its genesis, and headers for `length` blocks, of which the last has a snapshot of `state`.
struct Newcomer {
    machine: Machine,
    genesis: Entries,
    headers: Vec<(BlockId, Header)>,
}

impl Newcomer {
    fn new(numbers: &mut Numbers, length: u64, state: &Entries) -> Self {
        let machine = Machine::default();
        let genesis = entries(numbers, 5, 20);
        let chain = ChainStore::in_memory(&machine.index).unwrap();
        let (_, mut parent) = founded(&chain, &genesis);
        let mut headers = Vec::new();
        for height in 1..=length {
            let (header, ..) = block(height, parent, state);
            parent = header.id(&CHAIN);
            headers.push((parent, header));
        }
        Self {
            machine,
            genesis,
            headers,
        }
    }

    fn chain(&self) -> ChainStore {
        ChainStore::in_memory(&self.machine.index).unwrap()
    }

    fn last(&self) -> &Header {
        &self.headers.last().unwrap().1
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_gives_the_same_state_and_tree(
        seed in any::<u64>(),
        (count, value_bytes_max) in prop_oneof![
            (1u64..300, 1u64..100), (100u64..2000, 1u64..2000), (40u64..400, Just(30_000u64)),
        ],
    ) {
        let mut numbers = Numbers(seed);
        let state = entries(&mut numbers, count, value_bytes_max);
        let source = ChainStore::in_memory(&MemoryIndex::new()).unwrap();
        let (header, _) = founded(&source, &state);
        let files = files(&MemoryDisk::default());
        let offer = files.export(&source.view(), target(&header)).unwrap();
        let bytes: usize = state.iter().map(|(key, value)| key.as_bytes().len() + value.len()).sum();
        prop_assert_eq!(offer.bytes, bytes as u64);
        prop_assert_eq!(files.offers(), [offer]);

        let newcomer = Newcomer::new(&mut numbers, 3, &state);
        let chain = newcomer.chain();
        chain.keep_headers(&newcomer.headers, &certificate(newcomer.last())).unwrap();
        let mut parts = fetch(&files, target(&header));
        let wanted = target(newcomer.last());
        chain.stage(&wanted).unwrap();
        while !parts.is_empty() && chain.staged().unwrap().unwrap().1.len() < parts.len() / 2 {
            let (prefix, bytes, part) = &parts[usize::try_from(numbers.below(parts.len() as u64)).unwrap()];
            chain.stage_part(prefix, *bytes, part).unwrap();
        }
        // A restart in between loses nothing.
        let chain = newcomer.chain();
        chain.stage(&wanted).unwrap();
        let there: Vec<StagedPart> = chain.staged().unwrap().unwrap().1;
        prop_assert_eq!(there.len(), parts.len() / 2);
        for (prefix, bytes, part) in &parts {
            if let Some(staged) = there.iter().find(|staged| staged.prefix == *prefix) {
                prop_assert_eq!((staged.bytes, staged.record.clone()), (*bytes, part.record()));
            } else {
                chain.stage_part(prefix, *bytes, part).unwrap();
            }
        }
        prop_assert_eq!(all_entries(&chain), newcomer.genesis.clone());
        let tip = chain.install(wanted.height, &nodes_above(&parts)).unwrap();
        prop_assert_eq!(tip, Tip { height: wanted.height, id: newcomer.headers[2].0 });
        chain.clear_unused().unwrap();
        parts.clear();

        let chain = newcomer.chain();
        prop_assert_eq!(chain.tip(), Some(tip));
        prop_assert_eq!(all_entries(&chain), state);
        let (theirs, ours) = (source.contents().unwrap(), chain.contents().unwrap());
        prop_assert_eq!(theirs["state"], ours["state"]);
        prop_assert_eq!(theirs["state tree"], ours["state tree"]);
        prop_assert!(!ours.contains_key("staged parts"));
        prop_assert_eq!(chain.header(Height::new(2)).unwrap(), Some(newcomer.headers[1].1.clone()));
        prop_assert_eq!(chain.gaps(9).unwrap(), [Height::new(1)..=Height::new(3)]);
    }

    #[test]
    fn a_crash_leaves_the_old_state_or_the_new_one(seed in any::<u64>(), kept in 0usize..40) {
        let mut numbers = Numbers(seed);
        let state = entries(&mut numbers, 300, 8_000);
        let source = ChainStore::in_memory(&MemoryIndex::new()).unwrap();
        let (header, _) = founded(&source, &state);
        let files = files(&MemoryDisk::default());
        files.export(&source.view(), target(&header)).unwrap();
        let newcomer = Newcomer::new(&mut numbers, 2, &state);
        let chain = newcomer.chain();
        chain.keep_headers(&newcomer.headers, &certificate(newcomer.last())).unwrap();
        let wanted = target(newcomer.last());
        let parts = fetch(&files, target(&header));
        chain.stage(&wanted).unwrap();
        for (prefix, bytes, part) in &parts {
            chain.stage_part(prefix, *bytes, part).unwrap();
        }
        if numbers.below(2) == 0 {
            chain.install(wanted.height, &nodes_above(&parts)).unwrap();
            chain.clear_unused().unwrap();
        }
        let was_installed = chain.tip().unwrap().height == wanted.height;
        newcomer.machine.index.crash(kept);

        let chain = newcomer.chain();
        let is_new = chain.tip().unwrap().height == wanted.height;
        prop_assert_eq!(is_new, was_installed, "an installed snapshot is durable, another one is not there");
        prop_assert_eq!(all_entries(&chain), if is_new { state } else { newcomer.genesis.clone() });
        if is_new {
            return Ok(());
        }
        // Whatever was left can be gone on with.
        chain.keep_headers(&newcomer.headers, &certificate(newcomer.last())).unwrap();
        chain.stage(&wanted).unwrap();
        for (prefix, bytes, part) in &parts {
            chain.stage_part(prefix, *bytes, part).unwrap();
        }
        chain.install(wanted.height, &nodes_above(&parts)).unwrap();
        prop_assert_eq!(all_entries(&chain), all_entries(&source));
    }
}

#[test]
fn a_snapshot_shows_its_height_while_blocks_go_on() {
    let mut numbers = Numbers(5);
    let mut state = entries(&mut numbers, 700, 3_000);
    let chain = ChainStore::in_memory(&MemoryIndex::new()).unwrap();
    let (genesis, mut parent) = founded(&chain, &state);
    let view = chain.view();
    let old = state.clone();
    for height in 1..=40 {
        // Some entries change, some go, some come.
        let mut changes: Entries = entries(&mut numbers, 20, 3_000);
        changes.extend(
            state
                .keys()
                .take(10)
                .map(|key| (key.clone(), b"changed".to_vec())),
        );
        let gone: Vec<StateKey> = state.keys().rev().take(7).cloned().collect();
        state.extend(changes.clone());
        gone.iter().for_each(|key| drop(state.remove(key)));
        let (header, _, tree) = block(height, parent, &state);
        let mut written: StateChanges = changes
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        written.extend(gone.into_iter().map(|key| (key, None)));
        parent = header.id(&CHAIN);
        let batch = CommitBatch {
            header: &header,
            id: parent,
            certificate: None,
            state: &written,
            tree: &tree,
            transactions: &[],
            patients: &[],
            share: None,
            reseals: &[],
        };
        chain.commit(&batch).unwrap();
    }
    let files = files(&MemoryDisk::default());
    files.export(&view, target(&genesis)).unwrap();
    let mut exported = Entries::new();
    for (.., part) in fetch(&files, target(&genesis)) {
        if let CheckedPart::Entries { entries, .. } = part {
            exported.extend(entries);
        }
    }
    assert_eq!(exported, old);
}

#[test]
fn a_state_that_is_not_its_root_is_not_offered() {
    let mut numbers = Numbers(6);
    for count in [3, 2_000] {
        let state = entries(&mut numbers, count, 1_000);
        let chain = ChainStore::in_memory(&MemoryIndex::new()).unwrap();
        let (header, _) = founded(&chain, &state);
        let disk = MemoryDisk::default();
        let files = files(&disk);
        let other = SnapshotTarget {
            height: header.height,
            state_root: Hash::of_content(b"another"),
        };
        let error = files.export(&chain.view(), other).unwrap_err();
        assert!(matches!(error, StoreError::IndexDamaged(_)), "{error}");
        assert!(files.offers().is_empty());
        assert!(disk.list(Path::new("/snapshots")).unwrap().is_empty());
    }
}

#[test]
fn damaged_and_unfinished_files_are_not_offered() {
    let mut numbers = Numbers(7);
    let state = entries(&mut numbers, 60, 100);
    let chain = ChainStore::in_memory(&MemoryIndex::new()).unwrap();
    let (header, _) = founded(&chain, &state);
    let disk = MemoryDisk::default();
    let wanted = target(&header);
    files(&disk).export(&chain.view(), wanted).unwrap();
    let path = PathBuf::from(format!("/snapshots/{:020}.snap", 0));
    disk.open(Path::new("/snapshots/00000000000000000009.new"), true)
        .unwrap();
    let opened = files(&disk);
    assert_eq!(opened.offers().len(), 1, "it survives a restart");
    assert_eq!(disk.list(Path::new("/snapshots")).unwrap().len(), 1);

    // A flipped bit in a part: it is found when the part is asked for.
    let file = disk.open(&path, false).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 100).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 100).unwrap();
    assert_eq!(
        opened
            .part(Height::ZERO, &TreePrefix::ROOT, Duration::ZERO)
            .unwrap(),
        None
    );
    assert!(opened.offers().is_empty());

    // In the index: when the file is opened.
    opened.export(&chain.view(), wanted).unwrap();
    let file = disk.open(&path, false).unwrap();
    let at = file.length().unwrap() - 12;
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    assert!(files(&disk).offers().is_empty());
    assert!(disk.list(Path::new("/snapshots")).unwrap().is_empty());
}

#[test]
fn old_snapshots_go_unless_somebody_fetches_them() {
    let machine = Machine::default();
    let store: Store = machine.open().unwrap();
    let mut numbers = Numbers(8);
    let state = entries(&mut numbers, 10, 10);
    let (genesis, _) = founded(&store.chain, &state);
    let root = genesis.state_root;
    let at = |height| SnapshotTarget {
        height: Height::new(height),
        state_root: root,
    };
    let held = || -> Vec<u64> {
        let offers = store.snapshots.offers();
        offers.iter().map(|offer| offer.height.get()).collect()
    };
    let seconds = Duration::from_secs;
    for height in 1..=3 {
        store.snapshots.export(&store.chain.view(), at(height)).unwrap();
    }
    let one = Height::new(1);
    store
        .snapshots
        .part(one, &TreePrefix::ROOT, seconds(10))
        .unwrap()
        .unwrap();
    store.snapshots.prune(seconds(60)).unwrap();
    assert_eq!(held(), [3, 2, 1], "the oldest was asked for lately");
    store.snapshots.prune(seconds(200)).unwrap();
    assert_eq!(held(), [3, 2]);
    assert!(store.snapshots.bytes() > 0);
    for height in 4..=9 {
        for fetched in held() {
            let part = store
                .snapshots
                .part(Height::new(fetched), &TreePrefix::ROOT, seconds(200));
            assert!(part.unwrap().is_some());
        }
        store.snapshots.export(&store.chain.view(), at(height)).unwrap();
        store.snapshots.prune(seconds(200)).unwrap();
    }
    assert_eq!(held(), [9, 8, 7, 6], "no more than four, whoever asks");
}

#[test]
fn a_snapshot_file_has_these_bytes() {
    let state: Entries = [(StateKey::new(ContractId::new(2), b"k"), b"value".to_vec())].into();
    let chain = ChainStore::in_memory(&MemoryIndex::new()).unwrap();
    let (header, _) = founded(&chain, &state);
    let disk = MemoryDisk::default();
    files(&disk).export(&chain.view(), target(&header)).unwrap();
    let file = disk
        .open(&PathBuf::from(format!("/snapshots/{:020}.snap", 0)), false)
        .unwrap();
    let mut bytes = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let shown: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    expect_test::expect!["53414c5553534e5000000001534c53500000000ee524f0a1010105000000026b0576616c7565534c5358000000253f87a80d005cad974fc28fe175fd5ea467f7f4190bb965e5bce13ded5755a816328e5cbf790a01000c0000000000000026"].assert_eq(&shown);
}

/// The height `number` with one entry of its own.
fn small_block(store: &Store, number: u64, parent: BlockId) -> BlockId {
    let header = header(number, 0, parent);
    let key = StateKey::new(ContractId::new(2), &number.to_be_bytes());
    let batch = CommitBatch {
        header: &header,
        id: header.id(&CHAIN),
        certificate: None,
        state: &[(key, Some(vec![1; 100]))].into(),
        tree: &TreeChanges::new(),
        transactions: &[],
        patients: &[],
        share: None,
        reseals: &[],
    };
    store.chain.commit(&batch).unwrap();
    header.id(&CHAIN)
}

/// What writing a snapshot of a large state costs, and what blocks cost meanwhile:
/// `ENTRIES=1000000 cargo test -p salus-store --lib -- --ignored --nocapture a_large_state`.
#[test]
#[ignore = "a measurement of about a minute"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn a_large_state_is_written_while_blocks_go_on() {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(home.path(), &crate::testing::key()).unwrap();
    let count = std::env::var("ENTRIES").map_or(200_000, |count| count.parse().unwrap());
    let (genesis, mut parent) = founded(&store.chain, &entries(&mut Numbers(10), count, 200));
    let view = store.chain.view();
    let mut height = 0;
    let mut commit = || {
        height += 1;
        let begun = std::time::Instant::now();
        parent = small_block(&store, height, parent);
        begun.elapsed()
    };
    let mut alone: Vec<Duration> = (0..200).map(|_| commit()).collect();
    let files = store.snapshots.clone();
    let exported = std::thread::spawn(move || {
        let begun = std::time::Instant::now();
        (files.export(&view, target(&genesis)).unwrap(), begun.elapsed())
    });
    let mut beside = Vec::new();
    while !exported.is_finished() {
        beside.push(commit());
        std::thread::sleep(Duration::from_millis(20)); // no network is faster
    }
    let (offer, took) = exported.join().unwrap();
    for (name, times) in [("alone", &mut alone), ("beside", &mut beside)] {
        times.sort_unstable();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        eprintln!(
            "{} commits {name}: median {median:?}, longest {longest:?}",
            times.len()
        );
    }
    let (index, file) = (store.chain.bytes().unwrap(), store.snapshots.bytes());
    let state = offer.bytes;
    eprintln!("{count} entries, {state} B of state, {index} B of index: {file} B written in {took:?}");
}
