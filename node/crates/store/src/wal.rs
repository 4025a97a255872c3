//! The consensus log and the last-signed state: one file, so that one fdatasync makes both durable.
//!
//! ```text
//! byte 0      4096    8192
//!      slot A  slot B  batch  batch  batch ...
//! ```
//!
//! - A **batch** is a frame with everything that was appended between two flushes. A flush is one write, so after a
//!   crash at most the last batch is torn; anything sound behind a bad batch means damage, and the node refuses to
//!   guess what it voted.
//! - The **slots** hold the last step that was signed, alternately: a torn write spoils one of them only. They stay when the batches
//!   of a finished height are dropped, so the node never signs below what it signed, even if it forgets its chain.
//! - The votes of the running height stand in the batches too: a replay signs them again, and only them.
//!
//! Order: `sign` (checked and recorded here), `append`, `flush`, and only then the vote may leave.

mod batch;
mod signing;
#[cfg(test)]
mod tests;

pub use signing::{LastSigned, SigningStep};

use crate::StoreError;
use crate::disk::{Attempt, Disk, File, read_up_to};
use crate::frame::{Format, Found};
use crate::halt::Halt;
use crate::key::StoreKey;
use batch::Entry;
use salus_types::{Hash, Height, Round};
use signing::{SLOT_LENGTH, Slots};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the batches start.
const BATCHES_START: u64 = 8192;
const SLOT_OFFSETS: [u64; 2] = [0, 4096];
/// Bytes of all batches of one height, at most. Entries are votes and headers: this is tens of thousands of them.
const WAL_BYTES_MAX: u64 = 64 << 20;
/// Bytes of one entry, at most.
const ENTRY_BYTES_MAX: usize = 1 << 20;

/// The consensus log. Owned by the thread that runs consensus.
#[derive(Debug)]
pub struct Wal {
    path: PathBuf,
    file: Arc<dyn File>,
    format: Format,
    halt: Halt,
    height: Height,
    end: u64,
    /// Entries found at opening, of [`Self::height`].
    entries: Vec<Vec<u8>>,
    buffer: VecDeque<Entry>,
    buffered_bytes: u64,
    signed: LastSigned,
    slots: Slots,
}

/// What opening the consensus log found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalReport {
    /// The file was not there: a new node, or one that lost what it signed. In the latter case it must not vote before
    /// the network has left every height it may have voted in.
    pub is_new: bool,
    /// Bytes of a batch whose writing was cut short; they were cut off.
    pub torn_bytes: u64,
}

impl Wal {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// [`StoreError::WalDamaged`] and [`StoreError::SigningStateDamaged`]: what was voted can't be known, so the node must not vote.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        key: &StoreKey,
    ) -> Result<(Self, WalReport), StoreError> {
        let format = batch::format(key.wal_salt());
        let folder = path.parent().unwrap_or(Path::new(""));
        let file = disk.open(path, true).attempt("open", path)?;
        let length = file.length().attempt("measure", path)?;
        if length < BATCHES_START {
            file.truncate(BATCHES_START).attempt("extend", path)?;
            file.sync().attempt("sync", path)?;
        }
        disk.sync_folder(folder).attempt("sync", folder)?;
        let mut wal = Self {
            path: path.to_path_buf(),
            file,
            format,
            halt: Halt::new("consensus log"),
            height: Height::ZERO,
            end: BATCHES_START,
            entries: Vec::new(),
            buffer: VecDeque::new(),
            buffered_bytes: 0,
            signed: LastSigned::default(),
            slots: Slots::default(),
        };
        let damaged_slots = wal.read_slots()?;
        let torn_bytes = wal.read_batches()?;
        // One spoilt slot is a torn write of a step that never left the node; the batches know all steps that did.
        if damaged_slots == SLOT_OFFSETS.len() {
            return Err(StoreError::SigningStateDamaged(path.to_path_buf()));
        }
        let is_new = length == 0;
        Ok((wal, WalReport { is_new, torn_bytes }))
    }

    /// Reads both slots and returns how many are neither sound nor unwritten.
    fn read_slots(&mut self) -> Result<usize, StoreError> {
        let mut damaged = 0;
        for (index, offset) in SLOT_OFFSETS.into_iter().enumerate() {
            let bytes = read_up_to(&*self.file, offset, SLOT_LENGTH).attempt("read", &self.path)?;
            if !self.slots.load(index, &bytes, self.format.salt) {
                damaged += 1;
            }
        }
        if let Some(last) = self.slots.newest() {
            self.signed.restore(last);
        }
        Ok(damaged)
    }

    /// Reads the batches and cuts off a torn tail; returns its bytes.
    fn read_batches(&mut self) -> Result<u64, StoreError> {
        let limit = usize::try_from(WAL_BYTES_MAX * 2).unwrap_or(usize::MAX);
        let bytes = read_up_to(&*self.file, BATCHES_START, limit).attempt("read", &self.path)?;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..) {
            match self.format.read(rest) {
                Found::End => break,
                Found::Frame { payload, length } => {
                    let Some((height, entries)) = batch::decode(payload) else {
                        return Err(self.damaged(at));
                    };
                    self.load_batch(height, entries);
                    at += length;
                }
                Found::Bad if self.sound_batch_after(&bytes, at + 1) => return Err(self.damaged(at)),
                Found::Bad => break,
            }
        }
        let torn = bytes.len().saturating_sub(at) as u64;
        self.end = BATCHES_START + at as u64;
        if torn > 0 {
            self.file.truncate(self.end).attempt("truncate", &self.path)?;
            self.file.sync().attempt("sync", &self.path)?;
        }
        Ok(torn)
    }

    fn sound_batch_after(&self, bytes: &[u8], mut from: usize) -> bool {
        while let Some(candidate) = self.format.next_candidate(bytes, from) {
            if matches!(
                bytes.get(candidate..).map(|rest| self.format.read(rest)),
                Some(Found::Frame { .. })
            ) {
                return true;
            }
            from = candidate + 1;
        }
        false
    }

    fn damaged(&self, at: usize) -> StoreError {
        StoreError::WalDamaged {
            path: self.path.clone(),
            offset: BATCHES_START + at as u64,
            height: self
                .signed
                .last()
                .map_or(self.height, |(height, ..)| height.max(self.height)),
        }
    }

    fn load_batch(&mut self, height: Height, entries: Vec<Entry>) {
        if height != self.height {
            self.height = height;
            self.entries.clear();
        }
        for entry in entries {
            match entry {
                Entry::Input(bytes) => self.entries.push(bytes),
                Entry::Signed { round, step, digest } => self.signed.reload(height, round, step, digest),
            }
        }
    }

    /// The height that the log is of; zero if it is empty.
    pub fn height(&self) -> Height {
        self.height
    }

    /// What was flushed for [`Self::height`] before the node stopped, in order. Empty after [`Self::reset`].
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }

    /// The last step that was signed, if any.
    pub fn last_signed(&self) -> Option<(Height, Round, SigningStep)> {
        self.signed.last()
    }

    /// Starts the log of a height: drops all entries. Call it once the block below is durably committed.
    ///
    /// Not synced by itself: until the first flush of the new height a crash may bring back the old entries, which
    /// are recognised by [`Self::height`]. The last-signed state stays.
    pub fn reset(&mut self, height: Height) -> Result<(), StoreError> {
        self.halt.check()?;
        self.height = height;
        self.entries.clear();
        self.buffer.clear();
        self.buffered_bytes = 0;
        self.signed.start_height(height);
        if self.end > BATCHES_START {
            let outcome = self.file.truncate(BATCHES_START).attempt("truncate", &self.path);
            self.halt.guard(outcome)?;
            self.end = BATCHES_START;
        }
        Ok(())
    }

    /// Buffers an entry of at most 1 MiB. It lasts once [`Self::flush`] has returned.
    ///
    /// # Errors
    /// [`StoreError::WalFull`] after 64 MiB for one height.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.halt.check()?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(StoreError::TooLong {
                what: "a consensus log entry",
                length: bytes.len(),
                limit: ENTRY_BYTES_MAX,
            });
        }
        self.push(Entry::Input(bytes.to_vec()))
    }

    fn push(&mut self, entry: Entry) -> Result<(), StoreError> {
        let length = batch::encoded_length(&entry) as u64;
        if self.end + self.buffered_bytes + length > BATCHES_START + WAL_BYTES_MAX - 64 {
            return Err(StoreError::WalFull { limit: WAL_BYTES_MAX });
        }
        self.buffered_bytes += length;
        self.buffer.push_back(entry);
        Ok(())
    }

    /// Asks whether a step may be signed, and records that it is. The signature may leave the node only after the
    /// next [`Self::flush`].
    ///
    /// `digest` stands for the exact bytes that are signed. The same step with the same digest is allowed again: a replay
    /// after a crash signs what it signed before.
    ///
    /// # Errors
    /// [`StoreError::DoubleSign`] for something else at the same step, or for a step before one that was signed.
    pub fn check_and_record(
        &mut self,
        height: Height,
        round: Round,
        step: SigningStep,
        digest: Hash,
    ) -> Result<(), StoreError> {
        self.halt.check()?;
        if self.signed.check(height, round, step, digest)? {
            return Ok(());
        }
        if height == self.height {
            self.push(Entry::Signed { round, step, digest })?;
        }
        self.signed.record(height, round, step, digest);
        self.slots.dirty = true;
        Ok(())
    }

    /// Makes everything buffered durable: at most two writes and one fdatasync; none if there is nothing new.
    ///
    /// # Errors
    /// A failed write or fsync halts the log for good: the node must stop and must not send what it signed.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.halt.check()?;
        if self.buffer.is_empty() && !self.slots.dirty {
            return Ok(());
        }
        let outcome = self.write_buffered();
        self.halt.guard(outcome)
    }

    fn write_buffered(&mut self) -> Result<(), StoreError> {
        if !self.buffer.is_empty() {
            let frame = batch::encode(&self.format, self.height, self.buffer.make_contiguous())?;
            self.file
                .write_all_at(&frame, self.end)
                .attempt("write", &self.path)?;
            self.end += frame.len() as u64;
        }
        if let Some(last) = self.signed.last_with_digest().filter(|_| self.slots.dirty) {
            let (index, bytes) = self.slots.next(last, self.format.salt);
            let offset = SLOT_OFFSETS.get(index).copied().unwrap_or_default();
            self.file
                .write_all_at(&bytes, offset)
                .attempt("write", &self.path)?;
        }
        self.file.sync().attempt("sync", &self.path)?;
        self.slots.dirty = false;
        self.buffer.clear();
        self.buffered_bytes = 0;
        Ok(())
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.end
    }
}
