//! The chain store over sled, on a real disk.

use super::*;
use crate::Store;
use crate::testing::key;
use std::{fs, io};

/// Commits after which the journal is taken in.
const SYNCS: u32 = 6;

fn open_index(home: &Path) -> (ChainStore, Option<PathBuf>) {
    let limits = JournalLimits {
        syncs: SYNCS,
        ..JournalLimits::default()
    };
    ChainStore::open_with(home, 16 << 20, limits).unwrap()
}

/// What a `kill -9` leaves: the files as they are while the database is open.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_committed_block_is_on_the_disk_when_commit_returns() {
    let home = tempfile::tempdir().unwrap();
    let (chain, moved) = open_index(home.path());
    assert_eq!(moved, None);
    let mut parent = start(&chain);
    for height in 1..=10 {
        let content = Content {
            certified: true,
            ..write(u8::try_from(height).unwrap(), &vec![7; 5000])
        };
        parent = put(&chain, &header(height, 0, parent), &content).unwrap();
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&home.path().join("index"), &copy.path().join("index"));
        // A crash while a snapshot was written.
        fs::write(
            copy.path().join("index/snap.00000000000000FF.generating"),
            b"torn",
        )
        .unwrap();
        let (copied, moved) = open_index(copy.path());
        assert_eq!(moved, None);
        assert_eq!(copied.tip(), chain.tip());
        for n in 1..=height {
            let key = state_key(u8::try_from(n).unwrap());
            assert_eq!(StateReader::get(&copied, &key).unwrap(), Some(vec![7; 5000]));
        }
    }
    drop(chain);
    assert_eq!(open_index(home.path()).0.tip().unwrap().id, parent);
}

#[test]
fn a_damaged_index_is_moved_aside_and_reported() {
    let home = tempfile::tempdir().unwrap();
    start(&Store::open(home.path(), &key()).unwrap().chain);
    let index = home.path().join("index");
    for (number, file) in [
        (1, index.join("snap.00000000000000FF")),
        (2, home.path().join("index.rebuild")),
    ] {
        fs::write(&file, b"damage").unwrap();
        let store = Store::open(home.path(), &key()).unwrap();
        let aside = home.path().join(format!("index.damaged-{number}"));
        assert_eq!(store.report.index_moved_to, Some(aside.clone()));
        assert!(aside.join("db").exists());
        assert_eq!(store.chain.tip(), None);
        start(&store.chain);
        drop(store);
        let store = Store::open(home.path(), &key()).unwrap();
        assert_eq!(store.report.index_moved_to, None);
        assert!(store.chain.tip().is_some());
    }
}

fn everything(chain: &ChainStore) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
    let mut entries = BTreeMap::new();
    chain.walk(Bound::Unbounded, Bound::Unbounded, false, &mut |key, value| {
        entries.insert(key.to_vec(), value.to_vec());
        true
    })?;
    Ok(entries)
}

/// What sled does about a flipped bit: it notices, or falls back to what it held some blocks ago, or does not use the byte. A
/// journal ends before the bit. Never may the two show a mixture.
#[test]
fn a_flipped_bit_in_the_index_never_shows_wrong_data() {
    const BLOCKS: u64 = 40;
    let low = |height: u64| u8::try_from(height).unwrap();
    let home = tempfile::tempdir().unwrap();
    let (chain, _) = open_index(home.path());
    let mut parent = start(&chain);
    let mut history = BTreeMap::from([
        (Some(Height::ZERO), everything(&chain).unwrap()),
        (None, BTreeMap::new()),
    ]);
    for height in 1..=BLOCKS {
        let content = (0..20u8).map(|n| {
            (
                state_key(n.wrapping_mul(low(height))),
                Some(vec![low(height); 300]),
            )
        });
        let content = Content {
            state: content.collect(),
            certified: true,
            ..Content::default()
        };
        parent = put(&chain, &header(height, 0, parent), &content).unwrap();
        history.insert(Some(Height::new(height)), everything(&chain).unwrap());
    }
    drop(chain);
    let used = |name: &str| {
        let bytes = fs::read(home.path().join("index").join(name)).unwrap();
        bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
    };
    let journal = format!("journal-{:020}", BLOCKS / u64::from(SYNCS));
    let files = [("db", used("db")), (&journal, used(&journal))];
    assert!(files.iter().all(|(_, used)| *used > 1_000), "{files:?}");
    let mut numbers = Numbers(11);
    for (name, used) in files.into_iter().cycle().take(80) {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&home.path().join("index"), &copy.path().join("index"));
        let file = copy.path().join("index").join(name);
        let mut bytes = fs::read(&file).unwrap();
        let at = usize::try_from(numbers.below(used as u64)).unwrap();
        bytes[at] ^= 1 << numbers.below(8);
        fs::write(&file, bytes).unwrap();
        let (chain, moved) = open_index(copy.path());
        let tip = chain.tip().map(|tip| tip.height);
        assert!(moved.is_none() || tip.is_none());
        match everything(&chain) {
            Ok(entries) => assert!(
                entries == history[&tip],
                "{name}, byte {at}: a mixture at {tip:?}"
            ),
            Err(error) => assert!(error.is_fatal(), "{name}, byte {at}: {error}"),
        }
    }
}

#[test]
fn readers_never_see_half_a_block() {
    const KEYS: u8 = 40;
    let home = tempfile::tempdir().unwrap();
    let (chain, _) = open_index(home.path());
    let mut parent = start(&chain);
    let block = |n: u8| Content {
        state: (0..KEYS).map(|key| (state_key(key), Some(vec![n]))).collect(),
        ..Content::default()
    };
    parent = put(&chain, &header(1, 0, parent), &block(1)).unwrap();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let chain = chain.clone();
                scope.spawn(move || {
                    let mut last = 0;
                    while last < 60 {
                        let view = chain.view();
                        let shown = view.height().unwrap().get();
                        assert!(shown >= last);
                        last = shown;
                        for key in 0..KEYS {
                            let value = StateReader::get(&view, &state_key(key)).unwrap();
                            assert_eq!(value, Some(vec![u8::try_from(shown).unwrap()]));
                        }
                    }
                })
            })
            .collect();
        for height in 2..=60 {
            parent = put(
                &chain,
                &header(height, 0, parent),
                &block(u8::try_from(height).unwrap()),
            )
            .unwrap();
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn a_second_process_is_kept_out_and_files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let home = home.path().join("node");
    let store = Store::open(&home, &key()).unwrap();
    let error = Store::open(&home, &key()).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    start(&store.chain);
    let one = header(1, 0, store.chain.tip().unwrap().id);
    store
        .shares
        .append(&one, one.id(&CHAIN), &crate::testing::share(&one, 10))
        .unwrap();
    store.pieces.put(&Hash::of_content(b"x"), b"x").unwrap();
    let mode = |path: &str| fs::metadata(home.join(path)).unwrap().permissions().mode() & 0o777;
    for folder in ["", "shares", "pieces", "index"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    for file in ["LOCK", "wal", "shares/00000001.seg", "index/db"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    drop(store);
    Store::open(&home, &key()).unwrap();
}

/// A genesis whose state holds two contracts' code, as real ones do, next to what every block changes.
fn start_with_code(chain: &ChainStore) -> BlockId {
    let first = header(0, 0, BlockId::new(Hash::ZERO));
    let code = |n: u8| (state_key(n), Some(vec![n; 45_000]));
    let id = first.id(&CHAIN);
    let state = [code(4), code(5)].into();
    chain.init(&first, id, None, &state, &TreeChanges::new()).unwrap();
    id
}

/// A block with one transaction, as a validator commits it: what it adds, and what every block writes anew.
fn like_a_real_block(height: u64, numbers: &mut Numbers) -> Content {
    let mut bytes = |length: usize| -> Vec<u8> {
        let byte = |_| u8::try_from(numbers.below(256)).unwrap();
        (0..length).map(byte).collect()
    };
    let id = TransactionId::new(Hash::of_content(&height.to_be_bytes()));
    Content {
        state: (0..4u8).map(|n| (state_key(n), Some(bytes(40)))).collect(),
        tree: [(vec![], Some(bytes(514))), (vec![1], Some(bytes(200)))].into(),
        transactions: vec![id],
        patients: vec![PrincipalId::new(u32::try_from(height % 64).unwrap())],
        certified: true,
    }
}

/// What sled's file grows to, against what it holds, by how many blocks reach it together (1: as without a journal), and how
/// long commits take: `BLOCKS=6400 cargo test --release -p salus-store --lib -- --ignored --nocapture what_the_index_takes`.
#[test]
#[ignore = "a measurement of about a minute"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn what_the_index_takes_on_a_disk() {
    let blocks = std::env::var("BLOCKS").map_or(1_600, |blocks| blocks.parse().unwrap());
    for syncs in [1, 4, 16, 64, 256, 1_024] {
        let home = tempfile::tempdir().unwrap();
        let limits = JournalLimits {
            syncs,
            ..JournalLimits::default()
        };
        let (chain, _) = ChainStore::open_with(home.path(), 64 << 20, limits).unwrap();
        let (mut numbers, mut parent) = (Numbers(7), start_with_code(&chain));
        let (mut times, mut written, before) = (Vec::new(), 0, bytes_written());
        for height in 1..=blocks {
            let content = like_a_real_block(height, &mut numbers);
            let begun = std::time::Instant::now();
            parent = put(&chain, &header(height, 0, parent), &content).unwrap();
            times.push(begun.elapsed());
            written = bytes_written() - before;
        }
        let held: u64 = chain.contents().unwrap().values().map(|kind| kind.bytes).sum();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let journal = fs::read_dir(home.path().join("index")).unwrap().map(name);
        let journal = journal.filter(|name| name.starts_with("journal-"));
        let journal = journal.map(|name| fs::metadata(home.path().join("index").join(name)).unwrap().len());
        times.sort_unstable();
        eprintln!(
            "{syncs} at a time: holds {} B a block, {} on disk (journal {}), {} written; commits: median {:?}, longest {:?}, all {:?}",
            held / blocks,
            chain.bytes().unwrap() / blocks,
            journal.sum::<u64>() / blocks,
            written / blocks,
            times[times.len() / 2],
            times[times.len() - 1],
            times.iter().sum::<std::time::Duration>(),
        );
    }
}

/// Bytes that this process has handed to files.
fn bytes_written() -> u64 {
    let counters = fs::read_to_string("/proc/self/io").unwrap();
    let line = counters.lines().find(|line| line.starts_with("wchar:")).unwrap();
    line[6..].trim().parse().unwrap()
}
