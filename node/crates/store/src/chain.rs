//! The chain store: headers, certificates, indexes, contract state and its tree, in one ordered table.
//!
//! One table, one batch a block: a block is committed whole or not at all. On a disk the newest batches stand in a journal, which
//! the database takes in now and then. Everything here can be rebuilt from the share log and from peers, so damage ends in an empty
//! index and a report, never in guesses.
//!
//! Readers on other threads take a [`StateView`]: it shows one height, also while the next block is committed.

mod commit;
mod journal;
mod journaled;
mod keys;
mod occurrences;
mod shares;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use commit::CommitBatch;
pub use shares::{DecidedReseal, Superseded};
pub(crate) use shares::{Garbage, Moved, ShareEntry};
pub use table::MemoryIndex;
pub use view::StateView;

use crate::StoreError;
use crate::disk::{Attempt, Disk, RealDisk};
use crate::halt::Halt;
use crate::shares::Recent;
use journaled::{JournalLimits, JournaledTable};
use keys::Side;
use salus_types::state::{StateFault, StateKey, StateReader};
use salus_types::{BlockId, CommitCertificate, Hash, Header, Height, PrincipalId, TransactionId, codec};
use std::collections::BTreeMap;
use std::ops::{Bound, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use table::{SledTable, Table, Walk};
use view::Undo;

/// Certificates of this many heights below the tip are kept, and then one of every
/// [`CERTIFICATE_CHECKPOINT`] heights.
pub const CERTIFICATE_WINDOW: u64 = 4096;
/// Certificates of heights that are multiples of this are kept for good, and so are those of blocks after which the
/// validators change.
pub const CERTIFICATE_CHECKPOINT: u64 = 1024;
/// Bytes of a value, at most; sled grows badly above.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

const TIP: &str = "tip";
const SHARE_TAIL: &str = "share tail";
const SHARE_SCAN: &str = "share scan";
const SIDE: &str = "side";
const RECORD_LIMIT: usize = VALUE_BYTES_MAX;

/// A key and its value.
type Entry = (Vec<u8>, Vec<u8>);

/// The highest committed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub id: BlockId,
}

/// Entries of one kind in the index; see [`ChainStore::contents`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindUsage {
    /// How many.
    pub entries: u64,
    /// Bytes of their keys and values, before the database's own overhead.
    pub bytes: u64,
}

/// The chain store. Cheap to clone; clones share one table. Reads may come from any thread.
#[derive(Clone, Debug)]
pub struct ChainStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    table: Box<dyn Table>,
    halt: Halt,
    /// One writer at a time.
    writing: Mutex<()>,
    shared: RwLock<Shared>,
    /// How many live views there are of each height.
    views: Mutex<BTreeMap<Height, usize>>,
    /// Shares of blocks above the tip, which only the share log knows. Here, because a commit says from where on the log must be
    /// scanned at the next opening.
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Shared {
    tip: Option<Tip>,
    /// Where the state at the tip stands.
    side: Side,
    undo: Undo,
}

impl ChainStore {
    /// Opens or makes the database in `home/index`. If it is damaged, the folder is moved to `index.damaged-<n>`, an empty one
    /// is made, and the new name of the damaged one is returned.
    pub(crate) fn open(home: &Path, cache_bytes: u64) -> Result<(Self, Option<PathBuf>), StoreError> {
        Self::open_with(home, cache_bytes, JournalLimits::default())
    }

    fn open_with(
        home: &Path,
        cache_bytes: u64,
        limits: JournalLimits,
    ) -> Result<(Self, Option<PathBuf>), StoreError> {
        let folder = home.join("index");
        let marker = damage_marker(&folder);
        let moved = if marker.exists() {
            tracing::error!("the index was found damaged while it was used: moved aside, to be rebuilt");
            let moved = move_aside(home, &folder)?;
            std::fs::remove_file(&marker).attempt("remove", &marker)?;
            moved
        } else {
            match Self::open_sound(&folder, &marker, cache_bytes, limits) {
                Ok(store) => return Ok((store, None)),
                Err(StoreError::IndexDamaged(reason)) => {
                    tracing::error!(reason, "the index is damaged: moved aside, to be rebuilt");
                    move_aside(home, &folder)?
                }
                Err(other) => return Err(other),
            }
        };
        Ok((Self::open_sound(&folder, &marker, cache_bytes, limits)?, moved))
    }

    fn open_sound(
        folder: &Path,
        marker: &Path,
        cache_bytes: u64,
        limits: JournalLimits,
    ) -> Result<Self, StoreError> {
        let database = Box::new(SledTable::open(folder, marker, cache_bytes)?);
        let table = JournaledTable::open(database, Arc::new(RealDisk), folder, limits)?;
        Self::over(Box::new(table))
    }

    /// A store over an index in memory, for simulation.
    pub fn in_memory(index: &MemoryIndex) -> Result<Self, StoreError> {
        Self::over(Box::new(index.clone()))
    }

    fn over(table: Box<dyn Table>) -> Result<Self, StoreError> {
        let store = Self(Arc::new(Inner {
            table,
            halt: Halt::new("chain store"),
            writing: Mutex::new(()),
            shared: RwLock::default(),
            views: Mutex::default(),
            recent: Mutex::default(),
        }));
        if let Some(bytes) = store.get(&keys::meta(TIP))? {
            let tip = decode_tip(&bytes).ok_or_else(|| damaged("its tip cannot be read"))?;
            if store.header_entry(tip.height)?.is_none_or(|(id, _)| id != tip.id) {
                return Err(damaged("the header of its tip is missing"));
            }
            store.shared_mut().tip = Some(tip);
        }
        if let Some(bytes) = store.get(&keys::meta(SIDE))? {
            let side = bytes.first().copied().and_then(Side::from_byte);
            store.shared_mut().side = side.ok_or_else(|| damaged("it cannot tell where its state stands"))?;
        }
        Ok(store)
    }

    fn shared(&self) -> RwLockReadGuard<'_, Shared> {
        self.0.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared_mut(&self) -> RwLockWriteGuard<'_, Shared> {
        self.0.shared.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.halt.check()?;
        self.0.table.get(key)
    }

    fn walk_prefix(
        &self,
        prefix: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let end = keys::after_prefix(prefix);
        self.walk(
            Bound::Included(prefix),
            end.as_deref().map_or(Bound::Unbounded, Bound::Excluded),
            false,
            visit,
        )
    }

    fn walk(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        descending: bool,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.0.halt.check()?;
        self.0.table.walk(Walk { from, to, descending }, visit)
    }

    /// The highest committed block; `None` before [`Self::init`].
    ///
    /// While [`Self::commit`] runs, the new tip may be seen some milliseconds before it is durable here; it is decided by then.
    pub fn tip(&self) -> Option<Tip> {
        self.shared().tip
    }

    fn side(&self) -> Side {
        self.shared().side
    }

    fn header_entry(&self, height: Height) -> Result<Option<(BlockId, Header)>, StoreError> {
        let Some(bytes) = self.get(&keys::of_height(keys::HEADER, height))? else {
            return Ok(None);
        };
        decode_header(&bytes).map(Some)
    }

    /// Whether there is a committed block of this height. Headers above the tip may be known ahead of their blocks.
    fn is_reached(&self, height: Height) -> bool {
        self.tip().is_some_and(|tip| height <= tip.height)
    }

    /// The header of a committed block.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        if !self.is_reached(height) {
            return Ok(None);
        }
        Ok(self.header_entry(height)?.map(|(_, header)| header))
    }

    /// The id of the committed block at a height.
    pub fn block_id(&self, height: Height) -> Result<Option<BlockId>, StoreError> {
        if !self.is_reached(height) {
            return Ok(None);
        }
        let bytes = self.get(&keys::of_height(keys::HEADER, height))?;
        let id = |bytes: Vec<u8>| Some(BlockId::new(Hash::new(*bytes.first_chunk::<32>()?)));
        Ok(bytes.and_then(id))
    }

    /// Committed headers from a height on, up to `count`, ascending.
    pub fn headers(&self, from: Height, count: usize) -> Result<Vec<(BlockId, Header)>, StoreError> {
        match self.tip() {
            Some(tip) => self.headers_within(from..=tip.height, count),
            None => Ok(Vec::new()),
        }
    }

    fn headers_within(
        &self,
        heights: RangeInclusive<Height>,
        count: usize,
    ) -> Result<Vec<(BlockId, Header)>, StoreError> {
        if heights.is_empty() {
            return Ok(Vec::new());
        }
        let from = keys::of_height(keys::HEADER, *heights.start());
        let to = keys::of_height(keys::HEADER, *heights.end());
        let mut headers = Vec::new();
        self.walk(
            Bound::Included(&from),
            Bound::Included(&to),
            false,
            &mut |_, value| {
                if headers.len() < count {
                    headers.push(decode_header(value));
                }
                headers.len() < count
            },
        )?;
        headers.into_iter().collect()
    }

    /// The height of the first header that is kept: 0, or where a snapshot started.
    pub fn first_height(&self) -> Result<Option<Height>, StoreError> {
        let mut first = None;
        self.walk_prefix(&[keys::HEADER], &mut |key, _| {
            first = keys::height_at_end(key);
            false
        })?;
        Ok(first)
    }

    /// The height of a committed block.
    pub fn height_of(&self, id: &BlockId) -> Result<Option<Height>, StoreError> {
        for height in self.heights_under(&keys::block_id_prefix(id))? {
            if self.block_id(height)? == Some(*id) {
                return Ok(Some(height));
            }
        }
        Ok(None)
    }

    fn heights_under(&self, prefix: &[u8]) -> Result<Vec<Height>, StoreError> {
        let mut heights = Vec::new();
        self.walk_prefix(prefix, &mut |key, _| {
            heights.extend(keys::height_at_end(key));
            true
        })?;
        Ok(heights)
    }

    /// The certificate of a height, if it is within the last [`CERTIFICATE_WINDOW`] heights, a checkpoint, or the last that a
    /// validator set decided.
    pub fn certificate(&self, height: Height) -> Result<Option<CommitCertificate>, StoreError> {
        if !self.is_reached(height) {
            return Ok(None);
        }
        let Some(bytes) = self.get(&keys::of_height(keys::CERTIFICATE, height))? else {
            return Ok(None);
        };
        let certificate =
            codec::decode(&bytes, RECORD_LIMIT).map_err(|_| damaged("a certificate cannot be read"))?;
        Ok(Some(certificate))
    }

    /// The first height from `from` on whose certificate is kept, and the certificate.
    pub fn certificate_from(&self, from: Height) -> Result<Option<CommitCertificate>, StoreError> {
        let Some(tip) = self.tip().filter(|tip| from <= tip.height) else {
            return Ok(None);
        };
        let from = keys::of_height(keys::CERTIFICATE, from);
        let to = keys::of_height(keys::CERTIFICATE, tip.height);
        let mut found = None;
        self.walk(
            Bound::Included(&from),
            Bound::Included(&to),
            false,
            &mut |_, value| {
                found = Some(codec::decode(value, RECORD_LIMIT));
                false
            },
        )?;
        found
            .transpose()
            .map_err(|_| damaged("a certificate cannot be read"))
    }

    /// Heights from `since` on whose block may hold the transaction, newest first, at most 64. The index keeps 5 bytes of an
    /// id, so the caller compares the whole id in the opened body. Empty: not committed there.
    ///
    /// Costs a seek for each 256 heights: a few milliseconds for a million. A `since` near the tip is cheap.
    pub fn transaction_heights(&self, id: &TransactionId, since: Height) -> Result<Vec<Height>, StoreError> {
        self.occurrences(
            keys::TRANSACTION,
            keys::transaction_item(id),
            since..=Height::MAX,
            64,
        )
    }

    /// Heights below `before` whose block touches a patient, newest first, up to `count`.
    pub fn patient_heights(
        &self,
        patient: PrincipalId,
        before: Height,
        count: usize,
    ) -> Result<Vec<Height>, StoreError> {
        match before.checked_sub(1) {
            Some(last) => self.occurrences(
                keys::PATIENT,
                u64::from(patient.get()),
                Height::ZERO..=last,
                count,
            ),
            None => Ok(Vec::new()),
        }
    }

    /// A free entry.
    pub fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(&keys::meta(&format!("free {name}")))
    }

    /// The state at the tip, for readers on other threads: it stays the same while later blocks are committed.
    pub fn view(&self) -> StateView {
        StateView::new(self.clone())
    }

    /// Bytes of the index on disk.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        self.0.table.bytes()
    }

    /// What the index holds, by kind. Reads everything: for benchmarks and inspection.
    pub fn contents(&self) -> Result<BTreeMap<&'static str, KindUsage>, StoreError> {
        let mut kinds = BTreeMap::new();
        self.walk(Bound::Unbounded, Bound::Unbounded, false, &mut |key, value| {
            let kind: &mut KindUsage = kinds.entry(keys::kind_name(key)).or_default();
            kind.entries += 1;
            kind.bytes += (key.len() + value.len()) as u64;
            true
        })?;
        Ok(kinds)
    }
}

/// Reads the latest state. Single reads only: between two of them a block may be committed. On the thread that commits
/// this is the state at the tip; other threads use [`ChainStore::view`].
impl StateReader for ChainStore {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        ChainStore::get(self, &self.side().state(key.as_bytes())).map_err(fault)
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let found = self.next_state(self.side(), prefix, after).map_err(fault)?;
        Ok(found.and_then(|(key, value)| Some((StateKey::from_bytes(&key)?, value))))
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        ChainStore::get(self, &self.side().tree(path)).map_err(fault)
    }
}

impl ChainStore {
    /// The first state entry with the prefix behind `after`; its state key and value.
    fn next_state(&self, side: Side, prefix: &[u8], after: &[u8]) -> Result<Option<Entry>, StoreError> {
        let (from_prefix, from_after) = (side.state(prefix), side.state(after));
        let from = if after < prefix {
            Bound::Included(from_prefix.as_slice())
        } else if after.is_empty() {
            Bound::Included(from_after.as_slice())
        } else {
            Bound::Excluded(from_after.as_slice())
        };
        let end = keys::after_prefix(&from_prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = None;
        self.walk(from, to, false, &mut |key, value| {
            found = Some((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()));
            false
        })?;
        Ok(found)
    }
}

fn fault(error: StoreError) -> StateFault {
    StateFault(error.to_string())
}

fn damaged(what: &str) -> StoreError {
    StoreError::IndexDamaged(what.to_owned())
}

fn decode_tip(bytes: &[u8]) -> Option<Tip> {
    let (height, id) = bytes.split_first_chunk::<8>()?;
    Some(Tip {
        height: Height::new(u64::from_be_bytes(*height)),
        id: BlockId::new(Hash::new(id.try_into().ok()?)),
    })
}

fn decode_header(bytes: &[u8]) -> Result<(BlockId, Header), StoreError> {
    let decode = || {
        let (id, header) = bytes.split_first_chunk::<32>()?;
        Some((BlockId::new(Hash::new(*id)), codec::decode_trusted(header).ok()?))
    };
    decode().ok_or_else(|| damaged("a header cannot be read"))
}

/// The file that says that the index was found damaged while it was used.
fn damage_marker(folder: &Path) -> PathBuf {
    folder.with_extension("rebuild")
}

/// Renames the index folder to the first free `index.damaged-<n>`.
fn move_aside(home: &Path, folder: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !folder.exists() {
        return Ok(None);
    }
    let free = (1..=u32::MAX)
        .map(|n| home.join(format!("index.damaged-{n}")))
        .find(|path| !path.exists());
    let target = free.unwrap_or_else(|| home.join("index.damaged"));
    std::fs::rename(folder, &target).attempt("rename", folder)?;
    RealDisk.sync_folder(home).attempt("sync", home)?;
    Ok(Some(target))
}
