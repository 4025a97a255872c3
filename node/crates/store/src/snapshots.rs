//! Snapshots that this member holds for others: the state at some heights, one file each, cut into parts.
//!
//! ```text
//! StateView --entries by key--> buckets by the first byte of H(key) --sorted--> parts --checked--> <height>.snap
//!                               (memory, then one spill file)
//!
//! snapshots/00000000000000004096.snap
//!   "SALUSSNP", version (4)
//!   frames SLSP, one a part
//!   frame  SLSX: the index       which part begins where
//!   offset of the index (8)
//! ```
//!
//! A snapshot is a copy: it can be made again, and losing one costs nothing but a newcomer's time. A file appears under its
//! name only once it is whole and every part led to the state root, so what is handed out is never wrong because of this disk.

mod buckets;
#[cfg(test)]
mod tests;

use crate::StoreError;
use crate::chain::StateView;
use crate::disk::{Attempt, Disk, File, read_up_to};
use crate::frame::{Format, Found, HEAD};
use buckets::{Buckets, SortedEntry};
use salus_types::codec;
use salus_types::snapshot::{
    CheckedPart, PART_BYTES_MAX, PART_LENGTH_MAX, Places, SnapshotOffer, SnapshotPart, SnapshotTarget,
};
use salus_types::state::{StateReader, tree_digit};
use salus_types::tree::{TreeNode, TreePrefix};
use salus_types::{Hash, Height};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const MAGIC: &[u8; 8] = b"SALUSSNP";
const VERSION: u32 = 1;
/// Entries of the state read in one go.
const READ_COUNT: usize = 256;
/// Snapshots kept whoever asks for them.
const KEPT: usize = 2;
/// Snapshots kept at most, while somebody still fetches an older one.
const KEPT_MAX: usize = 4;
/// How long after the last question an older snapshot is kept.
const ASKED_LATELY: Duration = Duration::from_secs(120);

const PART: Format = Format {
    magic: *b"SLSP",
    salt: 0,
    payload_max: PART_LENGTH_MAX,
};
const INDEX: Format = Format {
    magic: *b"SLSX",
    salt: 0,
    payload_max: 64 << 20,
};

/// The snapshots. Cheap to clone; clones share one folder.
#[derive(Clone, Debug)]
pub struct SnapshotFiles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    held: Mutex<BTreeMap<Height, Arc<Held>>>,
}

/// One snapshot.
#[derive(Debug)]
struct Held {
    offer: SnapshotOffer,
    file: Arc<dyn File>,
    /// Where the frame of each part begins.
    places: BTreeMap<TreePrefix, u64>,
    length: u64,
    /// When a part was asked for last, in milliseconds.
    asked_ms: AtomicU64,
}

/// The index of a file: which snapshot it is, bytes of its entries, and where each part begins.
type Index = (SnapshotTarget, u64, Vec<(TreePrefix, u64)>);

impl SnapshotFiles {
    /// Opens the folder or makes it. What is unfinished or damaged is removed.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, StoreError> {
        disk.create_folder(folder).attempt("create", folder)?;
        let mut held = BTreeMap::new();
        for entry in disk.list(folder).attempt("list", folder)? {
            let path = folder.join(&entry.name);
            let found = match entry.name.ends_with(".snap") {
                true => Held::open(&*disk, &path)?,
                false => None,
            };
            match found {
                Some(snapshot) => drop(held.insert(snapshot.offer.height, Arc::new(snapshot))),
                None => disk.remove(&path).attempt("remove", &path)?,
            }
        }
        Ok(Self(Arc::new(Inner {
            disk,
            folder: folder.to_path_buf(),
            held: Mutex::new(held),
        })))
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Height, Arc<Held>>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, height: Height, extension: &str) -> PathBuf {
        self.0.folder.join(format!("{:020}.{extension}", height.get()))
    }

    /// What is held, the newest first.
    pub fn offers(&self) -> Vec<SnapshotOffer> {
        self.held().values().rev().map(|held| held.offer).collect()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.held().values().map(|held| held.length).sum()
    }

    /// A part of a snapshot; `None` if it is not held. `now` is the time since any fixed moment: what is asked for is kept a
    /// while longer.
    pub fn part(
        &self,
        height: Height,
        prefix: &TreePrefix,
        now: Duration,
    ) -> Result<Option<SnapshotPart>, StoreError> {
        let Some(held) = self.held().get(&height).cloned() else {
            return Ok(None);
        };
        held.asked_ms
            .store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Relaxed);
        let Some(at) = held.places.get(prefix) else {
            return Ok(None);
        };
        let path = self.path(height, "snap");
        let bytes = read_up_to(&*held.file, *at, HEAD + PART_LENGTH_MAX).attempt("read", &path)?;
        match PART.read(&bytes) {
            Found::Frame { payload, .. } => Ok(codec::decode(payload, PART_LENGTH_MAX).ok()),
            _ => {
                tracing::warn!(%height, "a snapshot is damaged: it is no longer offered");
                self.remove(height)?;
                Ok(None)
            }
        }
    }

    /// Removes old snapshots: all but the newest two, and those that somebody still fetches.
    pub fn prune(&self, now: Duration) -> Result<(), StoreError> {
        let old: Vec<Height> = {
            let held = self.held();
            let newest_first = held.iter().rev().enumerate();
            let wanted = |rank: usize, held: &Held| {
                let asked = Duration::from_millis(held.asked_ms.load(Relaxed));
                let lately = asked > Duration::ZERO && now < asked.saturating_add(ASKED_LATELY);
                rank < KEPT || (rank < KEPT_MAX && lately)
            };
            newest_first
                .filter(|(rank, (_, held))| !wanted(*rank, held))
                .map(|(_, (height, _))| *height)
                .collect()
        };
        old.into_iter().try_for_each(|height| self.remove(height))
    }

    fn remove(&self, height: Height) -> Result<(), StoreError> {
        self.held().remove(&height);
        let path = self.path(height, "snap");
        self.0.disk.remove(&path).attempt("remove", &path)
    }

    /// Writes the state that a view shows. Durable on return. Takes as long as reading the whole state does; blocks are
    /// committed meanwhile.
    ///
    /// # Errors
    /// [`StoreError::ViewExpired`] if blocks came faster than the store remembers; [`StoreError::IndexDamaged`] if the state is not
    /// what the root says. Nothing is offered then.
    pub fn export(&self, view: &StateView, target: SnapshotTarget) -> Result<SnapshotOffer, StoreError> {
        let (draft, spill) = (self.path(target.height, "new"), self.path(target.height, "spill"));
        let written = self.write(view, target, &draft, &spill);
        // Useless once it is over; should they stay, the next opening removes them.
        drop(self.0.disk.remove(&spill));
        if written.is_err() {
            drop(self.0.disk.remove(&draft));
        }
        let snapshot = written?;
        let path = self.path(target.height, "snap");
        self.0.disk.rename(&draft, &path).attempt("rename", &draft)?;
        self.0
            .disk
            .sync_folder(&self.0.folder)
            .attempt("sync", &self.0.folder)?;
        let offer = snapshot.offer;
        self.held().insert(target.height, Arc::new(snapshot));
        Ok(offer)
    }

    fn write(
        &self,
        view: &StateView,
        target: SnapshotTarget,
        draft: &Path,
        spill: &Path,
    ) -> Result<Held, StoreError> {
        let mut buckets = Buckets::new(&*self.0.disk, spill);
        let mut after = Some(Vec::new());
        while let Some(key) = after {
            let (entries, next) = view.entries(&key, READ_COUNT)?;
            for (key, value) in entries {
                buckets.add(key, value)?;
            }
            after = next;
        }
        let file = self.0.disk.open(draft, true).attempt("create", draft)?;
        file.truncate(0).attempt("truncate", draft)?;
        let mut writer = Writer {
            view,
            file,
            path: draft,
            length: 0,
            places: BTreeMap::new(),
            bytes: 0,
        };
        writer.append(&[&MAGIC[..], &VERSION.to_be_bytes()].concat())?;
        writer.upper(&TreePrefix::ROOT, &target.state_root, &mut buckets)?;
        writer.finish(target)
    }
}

impl Held {
    /// Reads the index of a file; `None` if it is damaged.
    fn open(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, StoreError> {
        let file = disk.open(path, false).attempt("open", path)?;
        let length = file.length().attempt("measure", path)?;
        let read = |offset, count| read_up_to(&*file, offset, count).attempt("read", path);
        let head = read(0, MAGIC.len() + 4)?;
        let tail = read(length.saturating_sub(8), 8)?;
        let Ok(tail) = <[u8; 8]>::try_from(tail) else {
            return Ok(None);
        };
        let bytes = read(u64::from_be_bytes(tail), HEAD + INDEX.payload_max)?;
        let index = match INDEX.read(&bytes) {
            Found::Frame { payload, .. } if head == [&MAGIC[..], &VERSION.to_be_bytes()].concat() => {
                codec::decode::<Index>(payload, INDEX.payload_max).ok()
            }
            _ => None,
        };
        Ok(index.map(|(target, bytes, places)| Self {
            offer: offer(target, bytes),
            file,
            places: places.into_iter().collect(),
            length,
            asked_ms: AtomicU64::new(0),
        }))
    }
}

const fn offer(target: SnapshotTarget, bytes: u64) -> SnapshotOffer {
    SnapshotOffer {
        height: target.height,
        state_root: target.state_root,
        bytes,
    }
}

/// Writes the parts of one snapshot.
struct Writer<'a> {
    view: &'a StateView,
    file: Arc<dyn File>,
    path: &'a Path,
    length: u64,
    places: BTreeMap<TreePrefix, u64>,
    /// Bytes of keys and values so far.
    bytes: u64,
}

impl Writer<'_> {
    /// Writes what lies below a prefix of at most two digits, which whole buckets hold.
    fn upper(
        &mut self,
        prefix: &TreePrefix,
        hash: &Hash,
        buckets: &mut Buckets<'_>,
    ) -> Result<(), StoreError> {
        let bytes = buckets.bytes(prefix);
        if bytes == 0 && prefix.length() > 0 {
            return Ok(());
        }
        if bytes <= PART_BYTES_MAX as u64 || prefix.length() == 2 {
            let entries = buckets.take(prefix)?;
            return self.lower(prefix, hash, &entries);
        }
        let places = self.split(prefix, hash)?;
        for (digit, hash) in (0..).zip(places.iter()) {
            if let Some(child) = prefix.child(digit) {
                self.upper(&child, hash, buckets)?;
            }
        }
        Ok(())
    }

    /// Writes sorted entries, in as many parts as they need.
    fn lower(&mut self, prefix: &TreePrefix, hash: &Hash, entries: &[SortedEntry]) -> Result<(), StoreError> {
        let bytes: usize = entries.iter().map(SortedEntry::bytes).sum();
        if bytes <= PART_BYTES_MAX {
            let entries = entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.clone()));
            return self.part(prefix, hash, SnapshotPart::Entries(entries.collect()));
        }
        let places = self.split(prefix, hash)?;
        let level = prefix.length();
        for group in entries.chunk_by(|a, b| tree_digit(&a.path, level) == tree_digit(&b.path, level)) {
            let Some(digit) = group.first().map(|entry| tree_digit(&entry.path, level)) else {
                continue;
            };
            if let (Some(child), Some(hash)) = (prefix.child(digit), places.get(usize::from(digit))) {
                self.lower(&child, hash, group)?;
            }
        }
        Ok(())
    }

    fn split(&mut self, prefix: &TreePrefix, hash: &Hash) -> Result<Places, StoreError> {
        let node = self.view.tree_node(prefix.as_path());
        let node = node.map_err(|fault| StoreError::IndexDamaged(fault.to_string()))?;
        let node = node.and_then(|bytes| TreeNode::decode(&bytes));
        let places = Box::new(node.ok_or_else(not_its_root)?.place_hashes());
        self.part(prefix, hash, SnapshotPart::Split(places.clone()))?;
        Ok(places)
    }

    fn part(&mut self, prefix: &TreePrefix, hash: &Hash, part: SnapshotPart) -> Result<(), StoreError> {
        let payload = codec::encode(&part);
        let bytes = part.bytes() as u64;
        match part.check(prefix, hash) {
            Ok(CheckedPart::Entries { .. }) => self.bytes += bytes,
            Ok(CheckedPart::Split(_)) => {}
            Err(_) => return Err(not_its_root()),
        }
        self.places.insert(prefix.clone(), self.length);
        let mut frame = PART.begin(payload.len());
        frame.extend(payload);
        self.append(&PART.finish(frame)?)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all_at(bytes, self.length)
            .attempt("write", self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self, target: SnapshotTarget) -> Result<Held, StoreError> {
        let at = self.length;
        let places = self.places.iter().map(|(prefix, at)| (prefix.clone(), *at));
        let index: Index = (target, self.bytes, places.collect());
        let payload = codec::encode(&index);
        let mut frame = INDEX.begin(payload.len());
        frame.extend(payload);
        self.append(&INDEX.finish(frame)?)?;
        self.append(&at.to_be_bytes())?;
        self.file.sync().attempt("sync", self.path)?;
        Ok(Held {
            offer: offer(target, self.bytes),
            file: self.file,
            places: self.places,
            length: self.length,
            asked_ms: AtomicU64::new(0),
        })
    }
}

fn not_its_root() -> StoreError {
    StoreError::IndexDamaged("the state is not what its root says".to_owned())
}
