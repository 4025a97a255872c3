//! The disk: one seam under everything but the index, so that crashes and faults can be simulated.

mod memory;
mod real;

pub use memory::{Fault, MemoryDisk};
pub use real::RealDisk;

use crate::StoreError;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder's entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskEntry {
    /// Its name within the folder.
    pub name: String,
    /// Bytes of a file; 0 for a folder.
    pub length: u64,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Files in folders. Nothing is durable before [`File::sync`] (content) and [`Disk::sync_folder`] (names).
///
/// What implementations guarantee after a crash: synced content and names are there; of later operations any
/// prefix may be, the last of them torn; a file's truncation is never reordered behind a later write to it.
pub trait Disk: Debug + Send + Sync {
    /// Creates a folder with mode 0700, and its parents; no error if it exists.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Opens a file for reading and writing; `create`: makes it, with mode 0600, if it is not there.
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn File>>;
    /// The entries of a folder, sorted by name.
    fn list(&self, folder: &Path) -> io::Result<Vec<DiskEntry>>;
    /// Renames a file over whatever stands under the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names of a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}

/// An open file. Reads and writes carry their offset, so that one handle serves many threads.
pub trait File: Debug + Send + Sync {
    /// Bytes in the file.
    fn length(&self) -> io::Result<u64>;
    /// Fills the buffer from `offset`; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all bytes at `offset`; the file grows as needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file, or extends it with zeroes.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes the content durable (fdatasync).
    fn sync(&self) -> io::Result<()>;
}

/// Adds what was attempted on which path to an error of the operating system.
pub(crate) trait Attempt<T> {
    fn attempt(self, action: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> Attempt<T> for io::Result<T> {
    fn attempt(self, action: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Io {
            action,
            path: PathBuf::from(path),
            source,
        })
    }
}

/// Reads `length` bytes at `offset`, or fewer where the file ends.
pub(crate) fn read_up_to(file: &dyn File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let available = file.length()?.saturating_sub(offset);
    let mut bytes = vec![0; length.min(usize::try_from(available).unwrap_or(usize::MAX))];
    if !bytes.is_empty() {
        file.read_exact_at(&mut bytes, offset)?;
    }
    Ok(bytes)
}
