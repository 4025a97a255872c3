//! A table whose newest batches stand in a journal and in memory, and reach the database beneath many at a time.
//!
//! ```text
//!  apply ----> journal (append) ----> recent (memory)        sync: one fdatasync of the journal
//!  read  <---- recent, then database
//!  every 256 syncs or 8 MiB: recent ----> database, one batch; fsync; the next, empty journal
//! ```
//!
//! What each block changes again (the tip, the upper nodes of the state tree) so reaches the database once for many blocks, and what
//! it adds comes in the order of the keys: a third of the bytes are written, and a young database doesn't begin with megabytes of what is
//! dead already.
//!
//! The database says under [`GENERATION`] how many journals it has taken in. A journal is used only on top of the generation that its
//! name says: after a crash between the two steps, and on a database that has lost its newest part, there is no mixture.

use super::journal::{self, BATCH_BYTES_MAX, Journal};
use super::table::{Batch, Table, Walk, is_empty};
use super::{damaged, keys};
use crate::StoreError;
use crate::disk::Disk;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The meta entry that counts the journals that the database has taken in (8 bytes; none: no journal yet).
const GENERATION: &str = "generation";
/// Entries that a walk looks at before it lets writers in.
const WALK_ENTRIES: usize = 1024;

/// How much a journal may hold before it is taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct JournalLimits {
    /// Bytes; twice as many between two syncs.
    pub(super) bytes: u64,
    /// Syncs.
    pub(super) syncs: u32,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            syncs: 256,
        }
    }
}

/// A table over another one.
#[derive(Debug)]
pub(super) struct JournaledTable {
    base: Box<dyn Table>,
    /// The newest value of every key that the journal holds; `None`: removed.
    recent: RwLock<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    /// One writer at a time.
    writer: Mutex<Writer>,
    limits: JournalLimits,
}

#[derive(Debug)]
struct Writer {
    journal: Journal,
    syncs: u32,
}

impl JournaledTable {
    /// Opens the journal in `folder` that belongs to the table, or makes it. What a crash has torn off its end is cut off.
    ///
    /// # Errors
    /// [`StoreError::IndexDamaged`] if a sound batch can't be understood.
    pub(super) fn open(
        base: Box<dyn Table>,
        disk: Arc<dyn Disk>,
        folder: &Path,
        limits: JournalLimits,
    ) -> Result<Self, StoreError> {
        let generation = match base.get(&keys::meta(GENERATION))? {
            None => 0,
            Some(bytes) => bytes
                .try_into()
                .map(u64::from_be_bytes)
                .map_err(|_| damaged("its generation cannot be read"))?,
        };
        let (journal, replayed) = Journal::open(disk, folder, generation)?;
        if let Some(offset) = replayed.cut_at {
            tracing::warn!(offset, "the end of the index's journal was torn: cut off");
        }
        Ok(Self {
            base,
            recent: RwLock::new(replayed.batches.into_iter().flatten().collect()),
            writer: Mutex::new(Writer { journal, syncs: 0 }),
            limits,
        })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, batch: Batch) {
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        recent.extend(batch);
    }

    /// Hands everything recent to the database, durably, and goes on with an empty journal.
    fn take_in(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let next = writer.journal.generation() + 1;
        let mut batch: Batch = {
            let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
            let entries = recent.iter().map(|(key, value)| (key.clone(), value.clone()));
            entries.collect()
        };
        batch.push((keys::meta(GENERATION), Some(next.to_be_bytes().to_vec())));
        self.base.apply(batch)?;
        self.base.sync()?;
        writer.journal.advance()?;
        writer.syncs = 0;
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        recent.clear();
        Ok(())
    }

    /// Visits some entries; gives the last key if the walk must go on behind it.
    fn walk_some(
        &self,
        walk: Walk<'_>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let range = recent.range::<[u8], _>((walk.from, walk.to));
        let mut newer = match walk.descending {
            false => Either::Up(range).peekable(),
            true => Either::Down(range.rev()).peekable(),
        };
        let (mut seen, mut stopped_at, mut goes_on) = (0, None, true);
        self.base.walk(walk, &mut |key, value| {
            let comes_first = |newer: &[u8]| match walk.descending {
                false => newer < key,
                true => newer > key,
            };
            while let Some((newer_key, newer_value)) = newer.next_if(|(newer, _)| comes_first(newer)) {
                goes_on = newer_value.as_ref().is_none_or(|value| visit(newer_key, value));
                if !goes_on {
                    return false;
                }
            }
            goes_on = match newer.next_if(|(newer, _)| newer.as_slice() == key) {
                Some((_, newer_value)) => newer_value.as_ref().is_none_or(|value| visit(key, value)),
                None => visit(key, value),
            };
            seen += 1;
            if goes_on && seen >= WALK_ENTRIES {
                stopped_at = Some(key.to_vec());
            }
            goes_on && stopped_at.is_none()
        })?;
        if !goes_on || stopped_at.is_some() {
            return Ok(stopped_at);
        }
        for (key, value) in newer {
            if value.as_ref().is_some_and(|value| !visit(key, value)) {
                break;
            }
        }
        Ok(None)
    }
}

/// A range of the map in one of two directions.
enum Either<U, D> {
    Up(U),
    Down(D),
}

impl<T, U: Iterator<Item = T>, D: Iterator<Item = T>> Iterator for Either<U, D> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::Up(up) => up.next(),
            Self::Down(down) => down.next(),
        }
    }
}

impl Table for JournaledTable {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = recent.get(key) {
            return Ok(value.clone());
        }
        // Still under the lock: between the two looks, what is recent could become what the database holds.
        self.base.get(key)
    }

    fn walk(&self, walk: Walk<'_>, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), StoreError> {
        if is_empty(walk) {
            return Ok(());
        }
        let mut stopped_at = self.walk_some(walk, visit)?;
        while let Some(last) = stopped_at {
            let behind = Bound::Excluded(last.as_slice());
            let rest = match walk.descending {
                false => Walk { from: behind, ..walk },
                true => Walk { to: behind, ..walk },
            };
            if is_empty(rest) {
                break;
            }
            stopped_at = self.walk_some(rest, visit)?;
        }
        Ok(())
    }

    /// A batch that is too large for a journal reaches the database at once, and is durable on return.
    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut writer = self.writer();
        if journal::weight(&batch) + 64 > BATCH_BYTES_MAX {
            self.remember(batch);
            return self.take_in(&mut writer);
        }
        writer.journal.append(&batch)?;
        self.remember(batch);
        if writer.journal.length() > self.limits.bytes.saturating_mul(2) {
            self.take_in(&mut writer)?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let file = {
            let mut writer = self.writer();
            writer.syncs = writer.syncs.saturating_add(1);
            let is_full = writer.journal.length() > self.limits.bytes || writer.syncs >= self.limits.syncs;
            if is_full {
                return self.take_in(&mut writer);
            }
            writer.journal.file()
        };
        // Without the lock: who applies meanwhile need not wait for the disk. If the journal is taken in meanwhile, all of it is
        // durable in the database.
        file.sync()
    }

    /// Of the folder, in which the journal stands.
    fn bytes(&self) -> Result<u64, StoreError> {
        self.base.bytes()
    }
}

#[cfg(test)]
mod tests;
