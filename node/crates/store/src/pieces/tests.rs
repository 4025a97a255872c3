use super::*;
use crate::disk::{Fault, MemoryDisk};
use crate::testing::Numbers;
use expect_test::expect;
use std::collections::BTreeMap;

const FOLDER: &str = "/home/pieces";

fn open(disk: &MemoryDisk) -> PieceStore {
    PieceStore::open(Arc::new(disk.clone()), Path::new(FOLDER)).unwrap()
}

#[test]
fn a_piece_is_kept_once_and_found_again() {
    let disk = MemoryDisk::new();
    let store = open(&disk);
    let digest = Hash::of_content(b"record");
    assert_eq!(store.get(&digest).unwrap(), None);
    assert!(!store.contains(&digest));
    store.put(&digest, b"piece").unwrap();
    store.put(&digest, b"piece").unwrap();
    let error = store.put(&digest, b"other").unwrap_err();
    assert!(matches!(error, StoreError::PieceConflict(_)), "{error}");
    let store = open(&disk);
    assert_eq!(store.get(&digest).unwrap(), Some(b"piece".to_vec()));
    assert!(store.contains(&digest));
    assert_eq!(store.bytes(), 12 + 5);
    let name = digest.to_string();
    let path = Path::new(FOLDER).join(&name[..2]).join(&name);
    let bytes: String = disk
        .read(&path)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    expect!["534c504300000005ef8b4f9d7069656365"].assert_eq(&bytes);
    store.remove(&digest).unwrap();
    store.remove(&digest).unwrap();
    assert_eq!((store.get(&digest).unwrap(), store.bytes()), (None, 0));
    let error = store.put(&digest, &vec![0; PIECE_BYTES_MAX + 1]).unwrap_err();
    assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
}

#[test]
fn a_damaged_piece_is_refused_and_can_be_put_again() {
    let disk = MemoryDisk::new();
    let store = open(&disk);
    let digest = Hash::of_content(b"record");
    store.put(&digest, b"piece").unwrap();
    let name = digest.to_string();
    let path = Path::new(FOLDER).join(&name[..2]).join(&name);
    for offset in 0..17 {
        assert!(disk.flip(&path, offset, 2));
        assert!(
            matches!(store.get(&digest), Err(StoreError::PieceDamaged(_))),
            "byte {offset}"
        );
        store.put(&digest, b"piece").unwrap();
        assert_eq!(store.get(&digest).unwrap(), Some(b"piece".to_vec()));
    }
    assert_eq!(store.bytes(), 17, "a healed piece is counted once");
}

#[test]
fn acknowledged_pieces_survive_a_crash_at_any_operation() {
    for seed in 0..300 {
        let disk = MemoryDisk::new();
        let mut numbers = Numbers(seed);
        let mut kept = BTreeMap::new();
        disk.fail_at(
            numbers.below(30),
            Fault::TornWrite(usize::try_from(numbers.below(40)).unwrap()),
        );
        let store = open(&disk);
        for n in 0..8u8 {
            let (digest, bytes) = (Hash::of_content(&[n]), vec![n; 30]);
            if store.put(&digest, &bytes).is_ok() {
                kept.insert(digest, bytes);
            }
        }
        disk.crash(|limit| numbers.below(limit));
        let store = open(&disk);
        for n in 0..8u8 {
            let digest = Hash::of_content(&[n]);
            let found = store
                .get(&digest)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            match kept.get(&digest) {
                Some(bytes) => assert_eq!(found.as_ref(), Some(bytes), "seed {seed}"),
                None => assert!(found.is_none() || found == Some(vec![n; 30]), "seed {seed}"),
            }
            store.put(&digest, &[n; 30]).unwrap();
        }
    }
}

#[test]
fn two_writers_agree_on_one_piece() {
    let disk = MemoryDisk::new();
    let store = open(&disk);
    let digest = Hash::of_content(b"record");
    let wins: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4u8)
            .map(|n| {
                let store = store.clone();
                scope.spawn(move || usize::from(store.put(&digest, &[n % 2; 100]).is_ok()))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    let found = store.get(&digest).unwrap().unwrap();
    assert_eq!((wins, found.len(), store.bytes()), (2, 100, 112));
}
