use super::*;
use crate::chain::table::MemoryIndex;
use crate::disk::{Fault, MemoryDisk};
use crate::testing::Numbers;
use expect_test::expect;
use proptest::prelude::*;

const FOLDER: &str = "/index";
/// Few enough for a journal to be taken in every few steps.
const LIMITS: JournalLimits = JournalLimits { bytes: 600, syncs: 5 };

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A disk and a database that outlive what is open on them.
#[derive(Clone, Default)]
struct Machine {
    disk: MemoryDisk,
    base: MemoryIndex,
}

impl Machine {
    fn open(&self) -> Result<JournaledTable, StoreError> {
        JournaledTable::open(
            Box::new(self.base.clone()),
            Arc::new(self.disk.clone()),
            Path::new(FOLDER),
            LIMITS,
        )
    }

    fn journals(&self) -> Vec<String> {
        let entries = self.disk.list(Path::new(FOLDER)).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

fn set(key: u8, value: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    (vec![b'e', key], Some(value.to_vec()))
}

fn model_apply(model: &mut Entries, batch: &Batch) {
    for (key, value) in batch {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

fn range(table: &JournaledTable, from: Bound<&[u8]>, to: Bound<&[u8]>, descending: bool) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        keys.push(key.to_vec());
        true
    };
    table.walk(Walk { from, to, descending }, &mut visit).unwrap();
    keys
}

/// What stands under `e`: all that batches write here.
fn entries(table: &JournaledTable) -> Entries {
    let mut entries = Entries::new();
    let walk = Walk {
        from: Bound::Included(b"e"),
        to: Bound::Excluded(b"f"),
        descending: false,
    };
    let mut visit = |key: &[u8], value: &[u8]| {
        assert_eq!(entries.insert(key.to_vec(), value.to_vec()), None, "seen twice");
        true
    };
    table.walk(walk, &mut visit).unwrap();
    for (key, value) in &entries {
        assert_eq!(table.get(key).unwrap().as_ref(), Some(value));
    }
    entries
}

fn batches() -> impl Strategy<Value = Vec<(Batch, bool)>> {
    let write = (
        0u8..12,
        prop::option::of(prop::collection::vec(any::<u8>(), 0..60)),
    );
    let write = write.prop_map(|(key, value)| (vec![b'e', key], value));
    prop::collection::vec((prop::collection::vec(write, 0..6), any::<bool>()), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// It holds what a map would, whatever stands in the journal and whatever below, also after being opened again.
    #[test]
    fn a_journaled_table_is_a_table(steps in batches()) {
        let machine = Machine::default();
        let mut table = machine.open().unwrap();
        let mut model = Entries::new();
        for (number, (batch, sync)) in steps.into_iter().enumerate() {
            model_apply(&mut model, &batch);
            table.apply(batch).unwrap();
            if sync {
                table.sync().unwrap();
            }
            if number % 7 == 6 {
                table = machine.open().unwrap();
            }
            prop_assert_eq!(&entries(&table), &model);
        }
        for descending in [false, true] {
            for (from, to) in [
                (Bound::Included(&[b'e', 3][..]), Bound::Excluded(&[b'e', 9][..])),
                (Bound::Excluded(&[b'e', 3][..]), Bound::Included(&[b'e', 9][..])),
                (Bound::Excluded(&[b'e', 5][..]), Bound::Excluded(&[b'e', 5][..])),
            ] {
                let mut expected: Vec<Vec<u8>> = match (from, to) {
                    (Bound::Excluded(a), Bound::Excluded(b)) if a == b => Vec::new(),
                    bounds => model.range::<[u8], _>(bounds).map(|(key, _)| key.clone()).collect(),
                };
                if descending {
                    expected.reverse();
                }
                prop_assert_eq!(range(&table, from, to, descending), expected);
            }
        }
        prop_assert_eq!(machine.journals().len(), 1, "journals that were taken in are removed");
    }
}

/// Runs until the disk fails: what the model held after each batch, and how many batches were synced.
fn run(table: &JournaledTable, seed: u64) -> (Vec<Entries>, usize) {
    let (mut numbers, mut history, mut synced) = (Numbers(seed), vec![Entries::new()], 0);
    for _ in 0..30 {
        let write = |numbers: &mut Numbers| {
            let key = u8::try_from(numbers.below(12)).unwrap();
            let length = usize::try_from(numbers.below(60)).unwrap();
            match numbers.below(4) {
                0 => (vec![b'e', key], None),
                _ => set(key, &vec![u8::try_from(numbers.below(256)).unwrap(); length]),
            }
        };
        let batch: Batch = (0..1 + numbers.below(4)).map(|_| write(&mut numbers)).collect();
        let mut next = history.last().unwrap().clone();
        model_apply(&mut next, &batch);
        // It may be there whole, also if writing it failed.
        history.push(next);
        if table.apply(batch).is_err() {
            break;
        }
        if numbers.below(3) > 0 {
            if table.sync().is_err() {
                break;
            }
            synced = history.len() - 1;
        }
    }
    (history, synced)
}

/// Cut at every one of its operations on the disk, three ways each: what was synced is there, and nothing but whole batches in their order.
#[test]
fn a_crash_at_any_point_leaves_a_prefix() {
    let whole = Machine::default();
    run(&whole.open().unwrap(), 5);
    let operations = whole.disk.operations();
    assert!(operations > 50, "{operations}");
    for operation in 0..operations {
        for (way, fault) in [Fault::PowerCut, Fault::TornWrite(7), Fault::TornWrite(40)]
            .into_iter()
            .enumerate()
        {
            let machine = Machine::default();
            machine.disk.fail_at(operation, fault);
            let (history, synced) = match machine.open() {
                Ok(table) => run(&table, 5),
                Err(_) => (vec![Entries::new()], 0),
            };
            let mut numbers = Numbers(operation * 3 + way as u64);
            machine.disk.crash(|limit| numbers.below(limit));
            machine.base.crash(usize::try_from(numbers.below(2)).unwrap());
            let found = entries(&machine.open().unwrap());
            let is_there = history.iter().skip(synced).any(|entries| *entries == found);
            assert!(
                is_there,
                "operation {operation}, {fault:?}: not a prefix from {synced} on"
            );
        }
    }
}

/// A database that fell back behind a journal must not be mixed with it.
#[test]
fn a_journal_is_not_used_on_another_generation() {
    let machine = Machine::default();
    let table = machine.open().unwrap();
    table.apply(vec![set(1, b"old")]).unwrap();
    for _ in 0..LIMITS.syncs {
        table.sync().unwrap();
    }
    table.apply(vec![set(2, b"new")]).unwrap();
    table.sync().unwrap();
    assert_eq!(machine.journals(), ["journal-00000000000000000001"]);
    let fallen_back = Machine {
        disk: machine.disk.clone(),
        base: MemoryIndex::new(),
    };
    assert_eq!(entries(&fallen_back.open().unwrap()), Entries::new());
    assert_eq!(fallen_back.journals(), ["journal-00000000000000000000"]);
    let ahead = Machine::default();
    ahead.disk.put(
        &Path::new(FOLDER).join("journal-00000000000000000000"),
        b"taken in",
    );
    ahead
        .base
        .apply(vec![(keys::meta(GENERATION), Some(1u64.to_be_bytes().to_vec()))])
        .unwrap();
    assert_eq!(entries(&ahead.open().unwrap()), Entries::new());
    assert_eq!(ahead.journals(), ["journal-00000000000000000001"]);
}

#[test]
fn a_flipped_bit_ends_the_journal_before_its_batch() {
    let machine = Machine::default();
    let table = machine.open().unwrap();
    for n in 0..3 {
        table.apply(vec![set(n, &[n; 20])]).unwrap();
    }
    table.sync().unwrap();
    let path = Path::new(FOLDER).join("journal-00000000000000000000");
    let length = machine.disk.read(&path).unwrap().len();
    machine.disk.flip(&path, length / 2, 0x10);
    let table = machine.open().unwrap();
    assert_eq!(entries(&table), Entries::from([(vec![b'e', 0], vec![0; 20])]));
    assert_eq!(machine.disk.read(&path).unwrap().len(), length / 3);
    table.apply(vec![set(9, b"on")]).unwrap();
    assert_eq!(entries(&machine.open().unwrap()).len(), 2);
}

#[test]
fn large_batches_and_long_journals_are_taken_in() {
    let machine = Machine::default();
    let table = machine.open().unwrap();
    let large: Batch = (0..200)
        .map(|n| (vec![b'e', 0, n], Some(vec![n; 64 << 10])))
        .collect();
    table.apply(large).unwrap();
    assert_eq!(machine.journals(), ["journal-00000000000000000001"]);
    assert_eq!(
        machine.disk.read(&Path::new(FOLDER).join(&machine.journals()[0])),
        Some(Vec::new())
    );
    assert_eq!(machine.base.get(&[b'e', 0, 7]).unwrap(), Some(vec![7; 64 << 10]));
    table.apply(vec![set(1, &[0; 1_300])]).unwrap();
    assert_eq!(
        machine.journals(),
        ["journal-00000000000000000002"],
        "without any sync"
    );
    let error = table.apply(vec![(vec![0; 70_000], None)]).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
}

/// Walks let writers in now and then, and go on where they were.
#[test]
fn long_walks_see_everything_once() {
    let machine = Machine::default();
    let key = |n: u16| [&b"e"[..], &n.to_be_bytes()].concat();
    machine
        .base
        .apply((0..5_000).map(|n| (key(n), Some(vec![1]))).collect())
        .unwrap();
    let table = machine.open().unwrap();
    table
        .apply((0..5_000).step_by(5).map(|n| (key(n), None)).collect())
        .unwrap();
    table
        .apply((5_000..5_100).map(|n| (key(n), Some(vec![2]))).collect())
        .unwrap();
    let expected: Vec<Vec<u8>> = (0..5_100u16)
        .filter(|n| *n >= 5_000 || n % 5 > 0)
        .map(key)
        .collect();
    assert_eq!(entries(&table).into_keys().collect::<Vec<_>>(), expected);
    let mut down = range(&table, Bound::Included(b"e"), Bound::Excluded(b"f"), true);
    down.reverse();
    assert_eq!(down, expected);
}

#[test]
fn a_journal_has_these_bytes() {
    let machine = Machine::default();
    let table = machine.open().unwrap();
    table
        .apply(vec![set(1, b"value"), (vec![b'e', 2], None)])
        .unwrap();
    let path = Path::new(FOLDER).join("journal-00000000000000000000");
    let bytes = machine.disk.read(&path).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    expect!["534c494a0000001e7c2131a6010000000000000000000265010000000576616c756500026502ffffffff"]
        .assert_eq(&hex);
    let mut other = bytes.clone();
    other[12] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&other[4..8]), &other[12..]);
    other[8..12].copy_from_slice(&crc.to_be_bytes());
    machine.disk.put(&path, &other);
    let error = machine.open().unwrap_err();
    assert!(
        error.to_string().contains("its journal is of another version"),
        "{error}"
    );
}
