//! The ordered table under the chain store: sled on a disk (behind a journal, see [`super::journaled`]), or a map in memory for
//! simulation.

use crate::StoreError;
use crate::disk::{Attempt, Disk, RealDisk};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Writes that take effect together: key to new value, or `None` to delete.
pub(crate) type Batch = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Where a walk over keys starts, and which way it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a> {
    /// The first key that may be visited.
    pub(crate) from: Bound<&'a [u8]>,
    /// The last key that may be visited.
    pub(crate) to: Bound<&'a [u8]>,
    pub(crate) descending: bool,
}

/// An ordered map from bytes to bytes with atomic batches.
pub(crate) trait Table: Debug + Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Visits entries in order until `visit` returns false.
    fn walk(&self, walk: Walk<'_>, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError>;
    /// Applies all of a batch or, after a crash, none of it. Not durable before [`Self::sync`].
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;
    /// Makes everything applied durable.
    fn sync(&self) -> Result<(), StoreError>;
    /// Bytes on disk.
    fn bytes(&self) -> Result<u64, StoreError>;
}

/// sled 0.34.
///
/// Its `flush` writes and waits (`sync_file_range`) but does not flush the disk's own cache, so `sync` adds an
/// fdatasync of the file it writes.
#[derive(Debug)]
pub(crate) struct SledTable {
    database: sled::Db,
    file: fs::File,
    folder: PathBuf,
    /// Made when damage is met, so that the next opening moves the folder aside.
    marker: PathBuf,
}

impl SledTable {
    /// Opens or makes a database.
    ///
    /// # Errors
    /// [`StoreError::IndexDamaged`] if it cannot be read; [`StoreError::Io`] if the operating system refuses.
    pub(crate) fn open(folder: &Path, marker: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        RealDisk.create_folder(folder).attempt("create", folder)?;
        drop_unfinished_snapshots(folder)?;
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(cache_bytes)
            .use_compression(false)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(Some(500));
        // On some damage sled panics instead of returning an error. Nothing of it outlives the unwinding.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let database = match opened {
            Ok(Ok(database)) => database,
            Ok(Err(error)) => return Err(sled_error(error, "open", folder)),
            Err(_) => {
                return Err(StoreError::IndexDamaged(
                    "the database panicked while it was opened".into(),
                ));
            }
        };
        let path = folder.join("db");
        let file = fs::File::open(&path).attempt("open", &path)?;
        // sled does not sync the names of the files it makes.
        RealDisk.sync_folder(folder).attempt("sync", folder)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))
            .attempt("protect", &path)?;
        Ok(Self {
            database,
            file,
            folder: folder.to_path_buf(),
            marker: marker.to_path_buf(),
        })
    }

    /// Translates an error met while running.
    fn error(&self, error: sled::Error, action: &'static str) -> StoreError {
        let error = sled_error(error, action, &self.folder);
        if matches!(error, StoreError::IndexDamaged(_)) {
            // Best effort: without the marker the next opening still checks the database by itself.
            drop(fs::File::create(&self.marker));
        }
        error
    }
}

/// A crash while sled writes a snapshot leaves a file that makes the next opening fail.
fn drop_unfinished_snapshots(folder: &Path) -> Result<(), StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).attempt("list", folder),
    };
    for entry in entries {
        let path = entry.attempt("list", folder)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path).attempt("remove", &path)?;
        }
    }
    Ok(())
}

fn sled_error(error: sled::Error, action: &'static str, folder: &Path) -> StoreError {
    match error {
        // sled also wraps findings of its own into I/O errors; those carry no number of the operating system.
        sled::Error::Io(source) if source.raw_os_error().is_some() || source.to_string().contains("lock") => {
            StoreError::Io {
                action,
                path: folder.to_path_buf(),
                source,
            }
        }
        other => StoreError::IndexDamaged(other.to_string()),
    }
}

impl Table for SledTable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self
            .database
            .get(key)
            .map_err(|error| self.error(error, "read"))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn walk(&self, walk: Walk<'_>, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        let mut iterator = self.database.range::<&[u8], _>((walk.from, walk.to));
        while let Some(entry) = if walk.descending {
            iterator.next_back()
        } else {
            iterator.next()
        } {
            let (key, value) = entry.map_err(|error| self.error(error, "read"))?;
            if !visit(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let mut writes = sled::Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => writes.insert(key, value),
                None => writes.remove(key),
            }
        }
        self.database
            .apply_batch(writes)
            .map_err(|error| self.error(error, "write"))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.database
            .flush()
            .map_err(|error| self.error(error, "write"))?;
        self.file.sync_data().attempt("sync", &self.folder)
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        let mut total = 0;
        for entry in fs::read_dir(&self.folder).attempt("list", &self.folder)? {
            // A snapshot may be replaced while the folder is read.
            if let Ok(metadata) = entry.attempt("list", &self.folder)?.metadata() {
                total += if metadata.is_file() { metadata.len() } else { 0 };
            }
        }
        Ok(total)
    }
}

/// A map in memory that forgets unsynced batches on a crash. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryIndex(Arc<RwLock<MemoryEntries>>);

#[derive(Debug, Default)]
struct MemoryEntries {
    current: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What the unsynced batches replaced, one list a batch.
    undo: Vec<Batch>,
}

impl MemoryIndex {
    /// An empty index.
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, MemoryEntries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, MemoryEntries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back the unsynced batches but the first `kept`, as a power cut would.
    pub fn crash(&self, kept: usize) {
        let entries = &mut *self.write();
        while entries.undo.len() > kept {
            for (key, old) in entries.undo.pop().unwrap_or_default().into_iter().rev() {
                match old {
                    Some(old) => entries.current.insert(key, old),
                    None => entries.current.remove(&key),
                };
            }
        }
        entries.undo.clear();
    }

    /// Forgets everything: a lost index.
    pub fn wipe(&self) {
        *self.write() = MemoryEntries::default();
    }
}

impl Table for MemoryIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read().current.get(key).cloned())
    }

    fn walk(&self, walk: Walk<'_>, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        if is_empty(walk) {
            return Ok(());
        }
        let entries = self.read();
        let mut range = entries.current.range::<[u8], _>((walk.from, walk.to));
        while let Some((key, value)) = if walk.descending {
            range.next_back()
        } else {
            range.next()
        } {
            if !visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let entries = &mut *self.write();
        let mut undo = Batch::new();
        for (key, value) in batch {
            let old = match value {
                Some(value) => entries.current.insert(key.clone(), value),
                None => entries.current.remove(&key),
            };
            undo.push((key, old));
        }
        entries.undo.push(undo);
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.write().undo.clear();
        Ok(())
    }

    fn bytes(&self) -> Result<u64, StoreError> {
        let bytes: usize = self
            .read()
            .current
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        Ok(bytes as u64)
    }
}

/// Ranges that `BTreeMap::range` would panic on.
pub(super) fn is_empty(walk: Walk<'_>) -> bool {
    match (walk.from, walk.to) {
        (Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => {
            from > to
        }
        _ => false,
    }
}
