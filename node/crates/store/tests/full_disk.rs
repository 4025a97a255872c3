//! A disk that is really full: a small file system in memory, where one may be mounted.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

use salus_store::{Store, StoreError, StoreKey};
use salus_types::{
    BlockId, Gas, Hash, Header, Height, MemberId, Round, SealedShare, Sealing, Slot, Timestamp,
};
use std::path::Path;
use std::process::Command;

const FRAGMENT_BYTES: usize = 64 << 10;

/// A mounted file system, unmounted when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new(megabytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .status();
        status
            .is_ok_and(|status| status.success())
            .then_some(Self(folder))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

fn header(height: u64) -> Header {
    Header {
        height: Height::new(height),
        round: Round::ZERO,
        time: Timestamp::new(height),
        proposer: MemberId::new(1),
        parent: BlockId::new(Hash::ZERO),
        validators: Hash::ZERO,
        next_validators: Hash::ZERO,
        sealing: Sealing {
            suite: 1,
            threshold: 2,
            slots: 8,
            body_length: 1,
            sealed_length: 17,
        },
        body_commitment: Hash::ZERO,
        share_root: Hash::of_content(&height.to_be_bytes()),
        receipts_root: Hash::ZERO,
        state_root: Hash::ZERO,
        gas_used: Gas::ZERO,
    }
}

fn share(height: u64) -> SealedShare {
    SealedShare {
        height: Height::new(height),
        slot: Slot::new(3),
        key_share: [4; 33],
        path: Vec::new(),
        fragment: vec![u8::try_from(height % 251).unwrap(); FRAGMENT_BYTES],
    }
}

fn id(height: u64) -> BlockId {
    BlockId::new(Hash::of_content(&height.to_le_bytes()))
}

fn open(home: &Path) -> Store {
    Store::open(home, &StoreKey::new([7; 32])).unwrap()
}

#[test]
fn a_full_disk_halts_the_share_log_and_with_room_again_everything_acknowledged_is_there() {
    let Some(disk) = Mounted::new(4) else {
        eprintln!("SKIPPED: no file system can be mounted here, so no disk could be filled (try as root)");
        return;
    };
    let home = disk.0.path().join("data");
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let store = open(&home);
    let mut kept = 0;
    let error = loop {
        let next = kept + 1;
        match store.shares.append(&header(next), id(next), &share(next)) {
            Ok(_) => kept = next,
            Err(error) => break error,
        }
    };
    assert!((5..64).contains(&kept), "{kept} shares in 3 MiB");
    match &error {
        StoreError::Io { source, .. } => assert_eq!(source.kind(), std::io::ErrorKind::StorageFull),
        other => panic!("{other}"),
    }
    assert!(
        error.is_fatal() && error.to_string().contains("free space"),
        "{error}"
    );
    std::fs::remove_file(&ballast).unwrap();
    let again = store.shares.append(&header(99), id(99), &share(99)).unwrap_err();
    assert!(
        matches!(again, StoreError::Halted { .. }),
        "room alone does not undo it: {again}"
    );
    drop(store);

    let store = open(&home);
    assert_eq!(store.report.shares.scanned, usize::try_from(kept).unwrap());
    assert_eq!(store.report.shares.damaged, []);
    for height in 1..=kept {
        assert_eq!(store.shares.get_block(&id(height)).unwrap(), Some(share(height)));
    }
    let next = kept + 1;
    store
        .shares
        .append(&header(next), id(next), &share(next))
        .unwrap();
}
