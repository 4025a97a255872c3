//! Pieces of health records that this member keeps: one file each, named by the digest of the record's ciphertext.
//!
//! ```text
//! pieces/ab/ab12...ef         magic "SLPC", length (4), CRC32C (4), the piece
//! pieces/ab/ab12...ef.<n>.new a piece being written; left over by a crash, removed when that digest is put again
//! ```
//!
//! Order of a put: content to a new file, fsync, rename, fsync of the folder. Only then may a receipt be signed.

#[cfg(test)]
mod tests;

use crate::StoreError;
use crate::disk::{Attempt, Disk};
use crate::frame::{Format, Found, HEAD};
use salus_types::Hash;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a piece, at most.
pub const PIECE_BYTES_MAX: usize = 64 << 20;

const PIECE: Format = Format {
    magic: *b"SLPC",
    salt: 0,
    payload_max: PIECE_BYTES_MAX,
};

/// The pieces. Cheap to clone; clones share one folder. Puts may come from any thread.
#[derive(Clone, Debug)]
pub struct PieceStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    bytes: AtomicU64,
    attempts: AtomicU64,
    /// Held while a finished file gets its name, so that two different pieces cannot both win.
    naming: Mutex<()>,
}

impl PieceStore {
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, StoreError> {
        disk.create_folder(folder).attempt("create", folder)?;
        let mut bytes = 0;
        for shelf in disk.list(folder).attempt("list", folder)? {
            let path = folder.join(&shelf.name);
            if !shelf.is_folder {
                continue;
            }
            for entry in disk.list(&path).attempt("list", &path)? {
                if entry.name.ends_with(".new") {
                    let path = path.join(&entry.name);
                    disk.remove(&path).attempt("remove", &path)?;
                } else {
                    bytes += entry.length;
                }
            }
        }
        Ok(Self(Arc::new(Inner {
            disk,
            folder: folder.to_path_buf(),
            bytes: AtomicU64::new(bytes),
            attempts: AtomicU64::new(0),
            naming: Mutex::new(()),
        })))
    }

    fn place(&self, digest: &Hash) -> (PathBuf, PathBuf) {
        let name = digest.to_string();
        let shelf = self.0.folder.join(name.get(..2).unwrap_or_default());
        let path = shelf.join(&name);
        (shelf, path)
    }

    /// Keeps a piece of at most 64 MiB. Durable on return. The same piece again does nothing.
    ///
    /// # Errors
    /// [`StoreError::PieceConflict`] if another piece is kept under the digest; [`StoreError::TooLong`].
    pub fn put(&self, digest: &Hash, bytes: &[u8]) -> Result<(), StoreError> {
        let (shelf, path) = self.place(digest);
        if self.is_kept(digest, bytes)? {
            return Ok(());
        }
        let disk = &*self.0.disk;
        let mut frame = PIECE.begin(bytes.len());
        frame.extend_from_slice(bytes);
        let frame = PIECE.finish(frame)?;

        disk.create_folder(&shelf).attempt("create", &shelf)?;
        let attempt = self.0.attempts.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{attempt}.new"));
        let written = self.write_draft(&draft, &frame);
        let named = written.and_then(|()| {
            let _naming = self.0.naming.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_kept(digest, bytes)? {
                return Ok(false);
            }
            let replaced = disk
                .open(&path, false)
                .and_then(|file| file.length())
                .unwrap_or(0);
            disk.rename(&draft, &path).attempt("rename", &draft)?;
            self.0.bytes.fetch_sub(replaced, Ordering::Relaxed);
            Ok(true)
        });
        match named {
            Ok(true) => {
                self.0.bytes.fetch_add(frame.len() as u64, Ordering::Relaxed);
            }
            // The draft is useless; should it stay, the next opening removes it.
            Ok(false) | Err(_) => drop(disk.remove(&draft)),
        }
        named?;
        disk.sync_folder(&shelf).attempt("sync", &shelf)
    }

    fn write_draft(&self, draft: &Path, frame: &[u8]) -> Result<(), StoreError> {
        let file = self.0.disk.open(draft, true).attempt("create", draft)?;
        file.truncate(0).attempt("truncate", draft)?;
        file.write_all_at(frame, 0).attempt("write", draft)?;
        file.sync().attempt("sync", draft)
    }

    /// Whether this very piece is kept. A damaged one counts as not kept: putting the piece again heals it.
    fn is_kept(&self, digest: &Hash, bytes: &[u8]) -> Result<bool, StoreError> {
        match self.get(digest) {
            Ok(Some(kept)) if kept == bytes => Ok(true),
            Ok(Some(_)) => Err(StoreError::PieceConflict(*digest)),
            Ok(None) | Err(StoreError::PieceDamaged(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The piece of a record; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::PieceDamaged`] if its checksum does not hold.
    pub fn get(&self, digest: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let (_, path) = self.place(digest);
        let file = match self.0.disk.open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).attempt("open", &path),
        };
        let bytes = crate::disk::read_up_to(&*file, 0, HEAD + PIECE_BYTES_MAX).attempt("read", &path)?;
        match PIECE.read(&bytes) {
            Found::Frame { payload, length } if length == bytes.len() => Ok(Some(payload.to_vec())),
            _ => Err(StoreError::PieceDamaged(*digest)),
        }
    }

    /// Whether there is a file for the digest; it is not read.
    pub fn contains(&self, digest: &Hash) -> bool {
        self.0.disk.open(&self.place(digest).1, false).is_ok()
    }

    /// Deletes the piece of a record, sound or not. Durable on return; no error if there is none.
    pub fn remove(&self, digest: &Hash) -> Result<(), StoreError> {
        let (shelf, path) = self.place(digest);
        let length = match self.0.disk.open(&path, false) {
            Ok(file) => file.length().attempt("measure", &path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).attempt("open", &path),
        };
        self.0.disk.remove(&path).attempt("remove", &path)?;
        self.0.bytes.fetch_sub(length, Ordering::Relaxed);
        self.0.disk.sync_folder(&shelf).attempt("sync", &shelf)
    }

    /// Bytes of all pieces.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }
}
