//! What a validator keeps on its own disk, and in which order it becomes durable.
//!
//! ```text
//!  a proposal's deposit ------> deposits file, fsync .............. before the own share, where k > n - 2f
//!  a proposal's own share ----> shares   append, fdatasync ........ before the precommit
//!  votes and proposals -------> wal      sign, append, fdatasync .. before they leave
//!  a decided block -----------> chain    one batch, fsync ......... before the next height starts
//!  a piece of a health record > pieces   file, fsync, rename ...... before the receipt
//!  the state, now and then ---> snapshots file, fsync, rename ..... before it is offered to others
//!
//!  home/ LOCK  key.check  shares/00000001.seg ...  wal  index/ (journal, sled)  pieces/ab/ab12...  snapshots/00...4096.snap
//!       deposits/...
//! ```
//!
//! - [`ShareLog`]: the own sealed share of every block, in append-only segments; [`inspect_share_log`] reads them from outside;
//! - [`Wal`]: the consensus log and the last-signed state;
//! - [`ChainStore`]: headers, certificates, indexes, contract state and its tree;
//! - [`PieceStore`]: this member's pieces of health records;
//! - [`SnapshotFiles`]: the state at some heights, for members that are far behind;
//! - [`DepositStore`]: what it keeps for others until enough members hold their shares.
//!
//! Terms: *committed* means decided and durable here; *lost* is a share that is missing or damaged and can be repaired from
//! peers.
//!
//! Invariants:
//! - What was acknowledged survives a crash at any point; a torn write is never returned as data.
//! - Bytes on disk are never trusted: a checksum or a key refuses what this node did not write.
//! - After a failed write or fsync a part is halted: every later call fails.
//! - Key shares are wrapped under the node's key; no body, no data key and no other member's share is ever written, but in
//!   envelopes that only that member opens.
//! - The share log suffices to open blocks: each record carries its header.
//! - The index can be lost: it is rebuilt from the share log and from peers.
//! - A share is replaced by naming another; the replaced one's bytes go with its segment, never by a change in place.
//! - One process a folder.
//!
//! Everything is synchronous. The node's chain thread writes; reads may come from any thread.
//!
//! ```
//! use salus_store::{Store, StoreKey};
//! # let home = tempfile::tempdir()?;
//! let store = Store::open(home.path(), &StoreKey::new([7; 32]))?;
//! assert!(store.report.wal.is_new);
//! assert_eq!(store.chain.tip(), None);
//! assert!(Store::open(home.path(), &StoreKey::new([7; 32])).is_err(), "one process a folder");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chain;
mod deposits;
pub mod disk;
mod error;
mod frame;
mod halt;
mod key;
mod pieces;
mod shares;
mod snapshots;
#[cfg(test)]
mod testing;
mod wal;

pub use chain::{
    CERTIFICATE_CHECKPOINT, CERTIFICATE_WINDOW, ChainStore, CommitBatch, DecidedReseal, KindUsage,
    MemoryIndex, StateView, Superseded, Tip, VALUE_BYTES_MAX,
};
pub use deposits::{Deposit, DepositStore, DepositUsage};
pub use error::{DoubleSign, StoreError};
pub use key::StoreKey;
pub use pieces::{PIECE_BYTES_MAX, PieceStore};
pub use shares::{
    Compacted, Damage, InspectedRecord, KeyCheck, RESEALING_TERMS_MAX, ResealedShare, Resealing, ShareCheck,
    ShareLocation, ShareLog, ShareLogItem, ShareReport, inspect_share_log,
};
pub use snapshots::SnapshotFiles;
pub use wal::{LastSigned, SigningStep, Wal, WalReport};

use disk::{Attempt, Disk, RealDisk, read_up_to};
use salus_types::Height;
use std::fs::{self, OpenOptions, TryLockError};
use std::ops::RangeInclusive;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sizes that an operator or a test may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Bytes after which a segment of the share log is full; at most 1 GiB.
    pub segment_bytes: u32,
    /// Bytes of memory that the index's database may use as a cache.
    pub cache_bytes: u64,
}

impl Default for StoreOptions {
    /// 64 MiB each.
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            cache_bytes: 64 << 20,
        }
    }
}

/// Everything a validator keeps. Take it apart and hand each part to its owner; keep [`StoreLock`] until all of them
/// are dropped.
#[derive(Debug)]
pub struct Store {
    /// Headers, indexes and state.
    pub chain: ChainStore,
    /// Own shares of blocks.
    pub shares: ShareLog,
    /// The consensus log.
    pub wal: Wal,
    /// Own pieces of health records.
    pub pieces: PieceStore,
    /// Snapshots for others.
    pub snapshots: SnapshotFiles,
    /// What is kept for others.
    pub deposits: DepositStore,
    /// What opening found: show it to the operator.
    pub report: StoreReport,
    /// Keeps other processes out of the folder.
    pub lock: StoreLock,
}

/// What opening a store found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreReport {
    /// Where a damaged index was moved; the present one is empty and to be rebuilt.
    pub index_moved_to: Option<PathBuf>,
    /// Blocks that this node had committed, as its consensus log shows, but that the index does not hold: the database lost
    /// its newest part, or all of it. They are fetched again; until then the node must not take part in consensus.
    pub blocks_forgotten: Option<RangeInclusive<Height>>,
    /// What the scan of the share log found.
    pub shares: ShareReport,
    /// What the consensus log holds.
    pub wal: WalReport,
}

/// Holds the folder's lock until it is dropped; empty for a store in memory.
#[derive(Debug)]
pub struct StoreLock {
    _file: Option<fs::File>,
}

impl Store {
    /// Opens the folder, or makes it, with default sizes.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process uses it; [`StoreError::WrongKey`]; [`StoreError::WalDamaged`] and
    /// [`StoreError::SigningStateDamaged`] if what was voted can't be known. A damaged index and damaged shares are no errors: see [`StoreReport`].
    pub fn open(home: &Path, key: &StoreKey) -> Result<Self, StoreError> {
        Self::open_with(home, key, &StoreOptions::default())
    }

    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(home: &Path, key: &StoreKey, options: &StoreOptions) -> Result<Self, StoreError> {
        RealDisk.create_folder(home).attempt("create", home)?;
        let lock = StoreLock::take(home)?;
        let (chain, index_moved_to) = ChainStore::open(home, options.cache_bytes)?;
        Self::assemble(
            Arc::new(RealDisk),
            home,
            key,
            options,
            chain,
            index_moved_to,
            lock,
        )
    }

    /// Opens a store on a simulated disk, with its index in memory.
    ///
    /// # Errors
    /// As [`Self::open`], but for the lock.
    pub fn open_simulated(
        disk: Arc<dyn Disk>,
        index: &MemoryIndex,
        home: &Path,
        key: &StoreKey,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        disk.create_folder(home).attempt("create", home)?;
        let chain = ChainStore::in_memory(index)?;
        Self::assemble(disk, home, key, options, chain, None, StoreLock { _file: None })
    }

    fn assemble(
        disk: Arc<dyn Disk>,
        home: &Path,
        key: &StoreKey,
        options: &StoreOptions,
        chain: ChainStore,
        index_moved_to: Option<PathBuf>,
        lock: StoreLock,
    ) -> Result<Self, StoreError> {
        check_key(&*disk, home, key)?;
        let (wal, wal_report) = Wal::open(&*disk, &home.join("wal"), key)?;
        let blocks_forgotten = blocks_forgotten(&chain, &wal);
        let folder = home.join("shares");
        let (shares, share_report) = ShareLog::open(Arc::clone(&disk), &folder, key, chain.clone(), options)?;
        let pieces = PieceStore::open(Arc::clone(&disk), &home.join("pieces"))?;
        let snapshots = SnapshotFiles::open(Arc::clone(&disk), &home.join("snapshots"))?;
        let deposits = DepositStore::open(disk, &home.join("deposits"), key)?;
        Ok(Self {
            chain,
            shares,
            wal,
            pieces,
            snapshots,
            deposits,
            report: StoreReport {
                index_moved_to,
                blocks_forgotten,
                shares: share_report,
                wal: wal_report,
            },
            lock,
        })
    }
}

/// Compares the key's fingerprint with the one in the folder, or leaves it there. Before anything else is read: what
/// another key wrote would be taken for damage.
fn check_key(disk: &dyn Disk, home: &Path, key: &StoreKey) -> Result<(), StoreError> {
    let path = home.join("key.check");
    let file = disk.open(&path, true).attempt("open", &path)?;
    let fingerprint = key.fingerprint();
    let found = read_up_to(&*file, 0, fingerprint.len()).attempt("read", &path)?;
    if found == fingerprint {
        return Ok(());
    }
    // Shorter, or not written yet: the making of the folder was cut short.
    if found.len() == fingerprint.len() && found.iter().any(|byte| *byte != 0) {
        return Err(StoreError::WrongKey(home.to_path_buf()));
    }
    file.write_all_at(&fingerprint, 0).attempt("write", &path)?;
    file.sync().attempt("sync", &path)?;
    disk.sync_folder(home).attempt("sync", home)
}

/// A node works on a height only once the block below it is durably committed.
fn blocks_forgotten(chain: &ChainStore, wal: &Wal) -> Option<RangeInclusive<Height>> {
    let signed = wal.last_signed().map_or(Height::ZERO, |(height, ..)| height);
    let committed = wal.height().max(signed).checked_sub(1)?;
    match chain.tip() {
        None => Some(Height::ZERO..=committed),
        Some(tip) if tip.height < committed => Some(tip.height.next()..=committed),
        Some(_) => None,
    }
}

impl StoreLock {
    /// Keeps validators out of a data folder while its files are read; `None` if no validator has ever used it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while one runs on it.
    pub fn of_stopped(home: &Path) -> Result<Option<Self>, StoreError> {
        let lock = home.join("LOCK");
        lock.exists().then(|| Self::take(home)).transpose()
    }

    fn take(home: &Path) -> Result<Self, StoreError> {
        let path = home.join("LOCK");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .attempt("open", &path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(home.to_path_buf())),
            Err(TryLockError::Error(error)) => Err(error).attempt("lock", &path),
        }
    }
}
