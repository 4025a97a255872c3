use super::*;
use crate::disk::{Fault, MemoryDisk};
use crate::error::DoubleSign;
use crate::testing::{Numbers, key};
use expect_test::expect;
use proptest::prelude::*;
use std::collections::BTreeMap;

const PATH: &str = "/home/wal";

fn open(disk: &MemoryDisk) -> Result<(Wal, WalReport), StoreError> {
    Wal::open(disk, Path::new(PATH), &key())
}

fn digest(n: u8) -> Hash {
    Hash::of_content(&[n])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sign(wal: &mut Wal, height: u64, round: u32, step: SigningStep, n: u8) -> Result<(), StoreError> {
    wal.check_and_record(Height::new(height), Round::new(round), step, digest(n))
}

#[test]
fn a_batch_and_a_slot_have_these_bytes() {
    let salt = key().wal_salt();
    let entries = [
        Entry::Input(b"vote".to_vec()),
        Entry::Signed {
            round: Round::new(2),
            step: SigningStep::Precommit,
            digest: Hash::new([0xab; 32]),
        },
        Entry::Input(Vec::new()),
    ];
    let bytes = batch::encode(&batch::format(salt), Height::new(77), &entries).unwrap();
    expect!["534c57420000003d103d457f01000000000000004d0000000004766f7465010000000202abababababababababababababababababababababababababababababababab0000000000"].assert_eq(&hex(&bytes));
    assert_eq!(
        batch::decode(&bytes[crate::frame::HEAD..]),
        Some((Height::new(77), entries.to_vec()))
    );

    let step = (Height::new(77), Round::new(2), SigningStep::Precommit);
    let slot = signing::encode_slot(5, step, Hash::new([0xab; 32]), salt);
    assert_eq!(slot.len(), SLOT_LENGTH);
    expect!["534c534745bffe900000000000000005000000000000004d0000000202abababababababababababababababababababababababababababababababab"].assert_eq(&hex(&slot));
}

#[test]
fn what_was_flushed_comes_back_and_the_rest_does_not() {
    let disk = MemoryDisk::new();
    let (mut wal, report) = open(&disk).unwrap();
    assert!(report.is_new);
    wal.reset(Height::new(4)).unwrap();
    wal.append(b"one").unwrap();
    wal.append(b"two").unwrap();
    sign(&mut wal, 4, 0, SigningStep::Prevote, 1).unwrap();
    wal.flush().unwrap();
    wal.flush().unwrap();
    wal.append(b"three").unwrap();
    drop(wal);
    let (mut wal, report) = open(&disk).unwrap();
    assert_eq!(
        report,
        WalReport {
            is_new: false,
            torn_bytes: 0
        }
    );
    assert_eq!(
        (wal.height(), wal.entries()),
        (Height::new(4), &[b"one".to_vec(), b"two".to_vec()][..])
    );
    assert_eq!(
        wal.last_signed(),
        Some((Height::new(4), Round::ZERO, SigningStep::Prevote))
    );
    wal.append(b"four").unwrap();
    wal.flush().unwrap();
    wal.reset(Height::new(5)).unwrap();
    assert_eq!(wal.entries(), &[] as &[Vec<u8>]);
    wal.append(b"five").unwrap();
    wal.flush().unwrap();
    drop(wal);
    let (wal, _) = open(&disk).unwrap();
    assert_eq!(
        (wal.height(), wal.entries()),
        (Height::new(5), &[b"five".to_vec()][..])
    );
    assert_eq!(
        wal.last_signed(),
        Some((Height::new(4), Round::ZERO, SigningStep::Prevote)),
        "it outlives the entries"
    );
}

#[test]
fn a_flush_is_one_fsync() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open(&disk).unwrap();
    wal.reset(Height::new(1)).unwrap();
    for n in 0..9 {
        wal.append(&[n]).unwrap();
    }
    sign(&mut wal, 1, 0, SigningStep::Prevote, 1).unwrap();
    let before = disk.operations();
    wal.flush().unwrap();
    assert_eq!(disk.operations() - before, 3, "two writes and an fsync");
}

#[test]
fn signing_twice_and_signing_backwards_are_refused() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open(&disk).unwrap();
    wal.reset(Height::new(4)).unwrap();
    sign(&mut wal, 4, 1, SigningStep::Prevote, 1).unwrap();
    sign(&mut wal, 4, 1, SigningStep::Precommit, 2).unwrap();
    wal.flush().unwrap();
    for _ in 0..2 {
        sign(&mut wal, 4, 1, SigningStep::Prevote, 1).unwrap();
        sign(&mut wal, 4, 1, SigningStep::Precommit, 2).unwrap();
        let conflict = sign(&mut wal, 4, 1, SigningStep::Prevote, 9).unwrap_err();
        assert!(
            matches!(conflict, StoreError::DoubleSign(DoubleSign::Conflict { .. })),
            "{conflict}"
        );
        for (height, round) in [(4, 0), (3, 7)] {
            let error = sign(&mut wal, height, round, SigningStep::Precommit, 2).unwrap_err();
            assert!(
                matches!(error, StoreError::DoubleSign(DoubleSign::Backwards { .. })),
                "{error}"
            );
        }
        wal = open(&disk).unwrap().0;
    }
    // The entries of a finished height are dropped, what was signed in it is not.
    wal.reset(Height::new(5)).unwrap();
    wal.append(b"x").unwrap();
    wal.flush().unwrap();
    let (mut wal, _) = open(&disk).unwrap();
    assert!(sign(&mut wal, 4, 1, SigningStep::Precommit, 3).is_err());
    assert!(sign(&mut wal, 4, 1, SigningStep::Prevote, 3).is_err());
    sign(&mut wal, 4, 1, SigningStep::Precommit, 2).unwrap();
    sign(&mut wal, 5, 0, SigningStep::Proposal, 3).unwrap();
}

#[test]
fn damage_before_the_end_is_an_error_and_a_torn_end_is_not() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open(&disk).unwrap();
    wal.reset(Height::new(9)).unwrap();
    for n in 0..3 {
        wal.append(&[n; 100]).unwrap();
        wal.flush().unwrap();
    }
    drop(wal);
    let whole = disk.read(Path::new(PATH)).unwrap();
    let batch = (whole.len() - 8192) / 3;
    for at in 0..batch * 2 {
        let disk = MemoryDisk::new();
        disk.put(Path::new(PATH), &whole);
        disk.flip(Path::new(PATH), 8192 + at, 0x40);
        let error = open(&disk).unwrap_err();
        assert!(
            matches!(error, StoreError::WalDamaged { .. }),
            "byte {at}: {error}"
        );
    }
    for length in 0..=batch {
        let disk = MemoryDisk::new();
        disk.put(Path::new(PATH), &whole[..8192 + 2 * batch + length]);
        let (wal, report) = open(&disk).unwrap();
        assert_eq!(wal.entries().len(), if length == batch { 3 } else { 2 });
        assert_eq!(report.torn_bytes, if length == batch { 0 } else { length as u64 });
    }
}

#[test]
fn one_damaged_slot_is_survived_and_two_are_not() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open(&disk).unwrap();
    wal.reset(Height::new(1)).unwrap();
    for round in 0..2 {
        sign(&mut wal, 1, round, SigningStep::Prevote, 1).unwrap();
        wal.flush().unwrap();
    }
    drop(wal);
    for slot in SLOT_OFFSETS {
        let offset = usize::try_from(slot).unwrap() + 20;
        disk.flip(Path::new(PATH), offset, 1);
        let (mut wal, _) = open(&disk).unwrap();
        assert_eq!(
            wal.last_signed(),
            Some((Height::new(1), Round::new(1), SigningStep::Prevote)),
            "from the batches"
        );
        assert!(sign(&mut wal, 1, 0, SigningStep::Prevote, 5).is_err());
        disk.flip(Path::new(PATH), offset, 1);
    }
    disk.flip(Path::new(PATH), 20, 1);
    disk.flip(Path::new(PATH), 4096 + 20, 1);
    assert!(matches!(open(&disk), Err(StoreError::SigningStateDamaged(_))));
}

#[test]
fn failures_halt_and_sizes_are_bounded() {
    let disk = MemoryDisk::new();
    let (mut wal, _) = open(&disk).unwrap();
    wal.reset(Height::new(1)).unwrap();
    assert!(matches!(
        wal.append(&vec![0; ENTRY_BYTES_MAX + 1]),
        Err(StoreError::TooLong { .. })
    ));
    let entry = vec![0; ENTRY_BYTES_MAX];
    let full = (0..100).find_map(|_| wal.append(&entry).err());
    assert!(matches!(full, Some(StoreError::WalFull { .. })));
    wal.reset(Height::new(2)).unwrap();
    wal.append(b"x").unwrap();
    disk.fail_at(disk.operations() + 1, Fault::Error);
    assert!(matches!(wal.flush(), Err(StoreError::Io { .. })));
    assert!(matches!(wal.flush(), Err(StoreError::Halted { .. })));
    assert!(matches!(wal.append(b"y"), Err(StoreError::Halted { .. })));
    assert!(matches!(
        sign(&mut wal, 2, 0, SigningStep::Prevote, 1),
        Err(StoreError::Halted { .. })
    ));
    assert!(matches!(
        wal.reset(Height::new(3)),
        Err(StoreError::Halted { .. })
    ));
}

/// A validator that votes at random and may lose power at any operation. `published` is what left the node, over
/// all its lives: two digests for one step would be a double vote.
fn vote_until_crash(
    disk: &MemoryDisk,
    numbers: &mut Numbers,
    published: &mut BTreeMap<(Height, Round, SigningStep), Hash>,
    acknowledged: &mut (Height, Vec<Vec<u8>>),
) -> Result<(), StoreError> {
    let (mut wal, _) = open(disk)?;
    let found = (wal.height(), wal.entries().to_vec());
    if found.0 == acknowledged.0 {
        assert!(found.1.starts_with(&acknowledged.1), "a flushed entry is lost");
    } else {
        // A crash before the first flush of a height brings the height before it back.
        assert!(
            acknowledged.1.is_empty() || found.0 > acknowledged.0,
            "flushed entries are lost"
        );
    }
    let last = wal.last_signed();
    assert!(
        published.keys().next_back() <= last.as_ref(),
        "a vote that left is forgotten"
    );
    let mut height = found.0.max(acknowledged.0).next();
    for _ in 0..4 {
        wal.reset(height)?;
        *acknowledged = (height, Vec::new());
        for round in 0..2 {
            for step in [SigningStep::Prevote, SigningStep::Precommit] {
                let entry = vec![
                    u8::try_from(numbers.below(256)).unwrap();
                    1 + usize::try_from(numbers.below(700)).unwrap()
                ];
                let digest = Hash::of_content(&entry);
                wal.append(&entry)?;
                let round = Round::new(round);
                if wal.check_and_record(height, round, step, digest).is_ok() {
                    wal.flush()?;
                    let before = published.insert((height, round, step), digest);
                    assert!(before.is_none_or(|before| before == digest), "a double vote");
                    acknowledged.1.push(entry);
                } else {
                    wal.flush()?;
                    acknowledged.1.push(entry);
                }
            }
        }
        height = height.next();
    }
    Ok(())
}

#[test]
fn votes_and_entries_survive_a_crash_at_any_operation() {
    for seed in 0..400 {
        let disk = MemoryDisk::new();
        let mut numbers = Numbers(seed);
        let (mut published, mut acknowledged) = (BTreeMap::new(), (Height::ZERO, Vec::new()));
        for _ in 0..4 {
            let fault = match numbers.below(2) {
                0 => Fault::PowerCut,
                _ => Fault::TornWrite(usize::try_from(numbers.below(900)).unwrap()),
            };
            disk.fail_at(disk.operations() + numbers.below(60), fault);
            let outcome = vote_until_crash(&disk, &mut numbers, &mut published, &mut acknowledged);
            let (Ok(()) | Err(StoreError::Io { .. })) = outcome else {
                panic!("seed {seed}: {outcome:?}");
            };
            disk.crash(|limit| numbers.below(limit));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_open_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), slots in any::<bool>()) {
        let disk = MemoryDisk::new();
        let mut content = vec![0; if slots { 0 } else { 8192 }];
        content.extend(bytes);
        disk.put(Path::new(PATH), &content);
        if let Ok((wal, _)) = open(&disk) {
            prop_assert_eq!(wal.entries().len(), 0);
            prop_assert_eq!(wal.last_signed(), None);
        }
    }

    #[test]
    fn a_step_is_never_signed_for_two_things(
        steps in proptest::collection::vec((1u64..4, 0u32..3, 0u8..3, 0u8..3), 1..60),
    ) {
        let mut rule = LastSigned::default();
        let mut signed = BTreeMap::new();
        let mut highest = None;
        for (height, round, step, n) in steps {
            let step = SigningStep::from_number(step).unwrap();
            let at = (Height::new(height), Round::new(round), step);
            match rule.check(at.0, at.1, at.2, digest(n)) {
                Ok(again) => {
                    prop_assert_eq!(again, signed.contains_key(&at));
                    prop_assert!(again || Some(at) > highest);
                    rule.record(at.0, at.1, at.2, digest(n));
                    let before = signed.insert(at, digest(n));
                    prop_assert!(before.is_none_or(|before| before == digest(n)));
                    highest = highest.max(Some(at));
                }
                Err(DoubleSign::Conflict { .. }) => prop_assert_ne!(signed.get(&at), Some(&digest(n))),
                Err(DoubleSign::Backwards { .. }) => prop_assert!(Some(at) < highest),
            }
        }
    }
}
