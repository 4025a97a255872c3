use super::*;
use crate::disk::MemoryDisk;
use crate::testing::{CHAIN, Numbers, header, key};
use salus_types::Hash;

const FOLDER: &str = "/home/deposits";

fn open(disk: &MemoryDisk) -> DepositStore {
    DepositStore::open(Arc::new(disk.clone()), Path::new(FOLDER), &key()).unwrap()
}

fn deposit(height: u64, round: u32) -> (BlockId, Deposit) {
    let header = header(height, round, BlockId::new(Hash::ZERO));
    let id = header.id(&CHAIN);
    let mut numbers = Numbers(height * 7 + u64::from(round));
    let mut bytes = |count| {
        (0..count)
            .map(|_| u8::try_from(numbers.below(256)).unwrap())
            .collect()
    };
    let (envelopes, keyless) = (bytes(162), bytes(700));
    (
        id,
        Deposit {
            header,
            envelopes,
            keyless,
        },
    )
}

#[test]
fn deposits_are_kept_listed_and_removed() {
    let disk = MemoryDisk::new();
    let store = open(&disk);
    assert_eq!(store.usage(), DepositUsage::default());
    let blocks = [deposit(300, 0), deposit(9, 0), deposit(9, 1)];
    for (id, deposit) in &blocks {
        store.put(*id, deposit).unwrap();
        store.put(*id, deposit).unwrap();
    }
    let store = open(&disk);
    for (id, deposit) in &blocks {
        let height = deposit.header.height;
        assert_eq!(store.get(height, *id).unwrap().as_ref(), Some(deposit));
        assert_eq!(store.get(height.next(), *id).unwrap(), None);
        assert!(store.at(height).contains(id));
    }
    assert_eq!(store.list(9).len(), 3);
    assert!(store.list(2).iter().all(|(height, _)| height.get() == 9));
    assert_eq!(store.at(Height::new(9)).len(), 2);
    assert_eq!(store.at(Height::new(10)), []);
    let usage = store.usage();
    assert_eq!((usage.count, usage.oldest), (3, Some(Height::new(9))));
    for (id, deposit) in &blocks {
        store.remove(deposit.header.height, *id).unwrap();
        store.remove(deposit.header.height, *id).unwrap();
        assert_eq!(store.get(deposit.header.height, *id).unwrap(), None);
    }
    assert_eq!(store.usage(), DepositUsage::default());
    assert_eq!(open(&disk).usage(), DepositUsage::default());
}

#[test]
fn a_damaged_deposit_is_refused_and_can_be_put_again() {
    let disk = MemoryDisk::new();
    let store = open(&disk);
    let (id, deposit) = deposit(5, 0);
    let height = deposit.header.height;
    store.put(id, &deposit).unwrap();
    let path = store.path(height, id);
    for offset in 0..store.usage().bytes {
        assert!(disk.flip(&path, usize::try_from(offset).unwrap(), 2));
        let found = store.get(height, id);
        assert!(
            matches!(found, Err(StoreError::DepositDamaged(at)) if at == height),
            "byte {offset}"
        );
        store.put(id, &deposit).unwrap();
    }
    assert_eq!(store.get(height, id).unwrap(), Some(deposit));
}

#[test]
fn an_acknowledged_deposit_survives_a_crash_and_a_torn_one_is_damaged() {
    for seed in 0..200 {
        let disk = MemoryDisk::new();
        let store = open(&disk);
        let (first, second) = (deposit(1, 0), deposit(2, 0));
        store.put(first.0, &first.1).unwrap();
        let path = store.path(second.1.header.height, second.0);
        // The second is cut short before its first fsync.
        let file = disk.open(&path, true).unwrap();
        let frame = encode(&store.0.wrap, second.0, &second.1).unwrap();
        file.write_all_at(&frame, 0).unwrap();
        let mut numbers = Numbers(seed);
        disk.crash(|limit| numbers.below(limit));
        let store = open(&disk);
        assert_eq!(store.get(Height::new(1), first.0).unwrap(), Some(first.1));
        match store.get(Height::new(2), second.0) {
            Ok(None) | Err(StoreError::DepositDamaged(_)) => {}
            Ok(Some(found)) => assert_eq!(found, second.1),
            Err(error) => panic!("seed {seed}: {error}"),
        }
        store.put(second.0, &second.1).unwrap();
        assert_eq!(store.get(Height::new(2), second.0).unwrap(), Some(second.1));
    }
}

#[test]
fn envelopes_are_not_on_the_disk_and_another_key_opens_nothing() {
    let disk = MemoryDisk::new();
    let store = open(&disk);
    let (id, deposit) = deposit(5, 0);
    store.put(id, &deposit).unwrap();
    let bytes = disk.read(&store.path(Height::new(5), id)).unwrap();
    assert!(
        deposit
            .envelopes
            .chunks_exact(16)
            .all(|part| { !bytes.windows(16).any(|window| window == part) })
    );
    let other = StoreKey::new([8; 32]);
    let store = DepositStore::open(Arc::new(disk), Path::new(FOLDER), &other).unwrap();
    assert!(matches!(
        store.get(Height::new(5), id),
        Err(StoreError::DepositDamaged(_))
    ));
}

/// Golden vector: deposits outlive a version of the program.
#[test]
fn a_deposit_has_these_bytes() {
    let disk = MemoryDisk::new();
    let store = open(&disk);
    let (id, deposit) = deposit(5, 0);
    store.put(id, &deposit).unwrap();
    let path = store.path(Height::new(5), id);
    expect_test::expect![
        "/home/deposits/0000000000000005-571542254f2a085327b8958161bb6b6ffbae5ccd15c5ce77c5b52335018aef1c.dep"
    ]
    .assert_eq(&path.display().to_string());
    let bytes = disk.read(&path).unwrap();
    assert_eq!(bytes[..4], *b"SLDP");
    expect_test::expect!["cc5a85b89b55feb32b546bde0c13ad3f293bccab2a827c80b5c4e8b2dbdecde8"]
        .assert_eq(&Hash::of_content(&bytes).to_string());
}
