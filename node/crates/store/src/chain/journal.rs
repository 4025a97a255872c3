//! The index's journal: the newest batches, one after another, in a file that only grows.
//!
//! A journal belongs to one generation of the database beneath, which its name says: its batches come on top of that one, in their
//! order. A batch is a frame (see [`crate::frame`]):
//!
//! ```text
//!  bytes  field
//!      4  magic "SLIJ"
//!      4  length of what follows the checksum
//!      4  CRC32C over length and all that follows
//!      1  version, 1
//!      8  generation
//!  then, for each write:
//!      2  length of the key,  the key
//!      4  length of the value,  the value; or ffffffff: the key is removed
//! ```

use super::table::Batch;
use crate::StoreError;
use crate::disk::{Attempt, Disk, File, read_up_to};
use crate::frame::{Fields, Format, Found};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a batch, at most; larger ones go to the database at once.
pub(super) const BATCH_BYTES_MAX: usize = 8 << 20;
/// Bytes of a journal that is read; it is emptied long before.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
const VERSION: u8 = 1;
const REMOVED: u32 = u32::MAX;
const NAME: &str = "journal-";
const FORMAT: Format = Format {
    magic: *b"SLIJ",
    salt: 0,
    payload_max: BATCH_BYTES_MAX,
};

/// The journal of one generation, open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    generation: u64,
    file: JournalFile,
    length: u64,
}

/// The file of a journal; clones are the same file.
#[derive(Clone, Debug)]
pub(super) struct JournalFile {
    file: Arc<dyn File>,
    path: PathBuf,
}

/// What stood in a journal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Replayed {
    /// Its batches, the oldest first.
    pub(super) batches: Vec<Batch>,
    /// Where bytes were cut off that are no sound batch: a torn write, or damage.
    pub(super) cut_at: Option<u64>,
}

impl Journal {
    /// Opens the journal of a generation, or makes it, and removes those of others: older ones stand in the database, and newer ones
    /// don't fit one that has lost its newest part.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        generation: u64,
    ) -> Result<(Self, Replayed), StoreError> {
        let path = folder.join(name(generation));
        for entry in disk.list(folder).attempt("list", folder)? {
            let Some(found) = generation_of(&entry.name).filter(|found| *found != generation) else {
                continue;
            };
            if found > generation {
                tracing::error!(
                    found,
                    generation,
                    "the index has lost its newest part: a journal that comes after it is dropped"
                );
            }
            let other = folder.join(&entry.name);
            disk.remove(&other).attempt("remove", &other)?;
        }
        let file = disk.open(&path, true).attempt("open", &path)?;
        disk.sync_folder(folder).attempt("sync", folder)?;
        let mut journal = Self {
            disk,
            folder: folder.to_path_buf(),
            generation,
            file: JournalFile { file, path },
            length: 0,
        };
        let replayed = journal.replay()?;
        Ok((journal, replayed))
    }

    fn replay(&mut self) -> Result<Replayed, StoreError> {
        let JournalFile { file, path } = &self.file;
        let length = file.length().attempt("read", path)?;
        if length > JOURNAL_BYTES_MAX {
            return Err(damaged("is too long"));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = read_up_to(&**file, 0, length).attempt("read", path)?;
        let mut replayed = Replayed::default();
        let (mut rest, mut sound) = (bytes.as_slice(), 0u64);
        while let Found::Frame { payload, length } = FORMAT.read(rest) {
            replayed.batches.push(decode(payload, self.generation)?);
            rest = rest.get(length..).unwrap_or_default();
            sound += length as u64;
        }
        if !rest.is_empty() {
            file.truncate(sound).attempt("cut", path)?;
            file.sync().attempt("sync", path)?;
            replayed.cut_at = Some(sound);
        }
        self.length = sound;
        Ok(replayed)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Bytes in the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes a batch of at most [`BATCH_BYTES_MAX`]; durable with [`JournalFile::sync`].
    pub(super) fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let bytes = encode(batch, self.generation)?;
        let JournalFile { file, path } = &self.file;
        file.write_all_at(&bytes, self.length).attempt("write", path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn file(&self) -> JournalFile {
        self.file.clone()
    }

    /// Goes on with an empty journal for the next generation, in which all that this one holds is durable already.
    pub(super) fn advance(&mut self) -> Result<(), StoreError> {
        let (next, _) = Self::open(Arc::clone(&self.disk), &self.folder, self.generation + 1)?;
        *self = next;
        Ok(())
    }
}

impl JournalFile {
    /// Makes everything that was appended durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync().attempt("sync", &self.path)
    }
}

/// Bytes that a batch takes in a journal, but for what every frame has.
pub(super) fn weight(batch: &Batch) -> usize {
    let write =
        |(key, value): &(Vec<u8>, Option<Vec<u8>>)| 6 + key.len() + value.as_ref().map_or(0, Vec::len);
    batch.iter().map(write).sum()
}

fn name(generation: u64) -> String {
    format!("{NAME}{generation:020}")
}

fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix(NAME)?.parse().ok()
}

fn encode(batch: &Batch, generation: u64) -> Result<Vec<u8>, StoreError> {
    let mut bytes = FORMAT.begin(9 + weight(batch));
    bytes.push(VERSION);
    bytes.extend_from_slice(&generation.to_be_bytes());
    for (key, value) in batch {
        let too_long = |length| StoreError::TooLong {
            what: "a key or a value",
            length,
            limit: usize::from(u16::MAX),
        };
        let length = u16::try_from(key.len()).map_err(|_| too_long(key.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(key);
        let Some(value) = value else {
            bytes.extend_from_slice(&REMOVED.to_be_bytes());
            continue;
        };
        let length = u32::try_from(value.len())
            .ok()
            .filter(|length| *length != REMOVED);
        let length = length.ok_or_else(|| too_long(value.len()))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(value);
    }
    FORMAT.finish(bytes)
}

fn decode(payload: &[u8], generation: u64) -> Result<Batch, StoreError> {
    let mut fields = Fields(payload);
    match fields.u8() {
        Some(VERSION) => {}
        _ => return Err(damaged("is of another version")),
    }
    if fields.u64() != Some(generation) {
        return Err(damaged("holds a batch of another generation"));
    }
    let mut batch = Batch::new();
    while !fields.0.is_empty() {
        batch.push(take_write(&mut fields).ok_or_else(|| damaged("holds a batch that cannot be read"))?);
    }
    Ok(batch)
}

fn take_write(fields: &mut Fields<'_>) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    let length = usize::from(fields.u16()?);
    let key = fields.take(length)?.to_vec();
    let value = match fields.u32()? {
        REMOVED => None,
        length => Some(fields.take(usize::try_from(length).ok()?)?.to_vec()),
    };
    Some((key, value))
}

fn damaged(what: &str) -> StoreError {
    StoreError::IndexDamaged(format!("its journal {what}"))
}
