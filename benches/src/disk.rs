//! Bytes of a validator's files, by what they are for.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes of one thing on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// As long as the files say they are.
    pub length: u64,
    /// What the file system has set aside for them.
    pub allocated: u64,
}

/// What a validator's data folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataFolder {
    /// The share log.
    pub shares: Bytes,
    /// sled's files: headers, indexes, state.
    pub index: Bytes,
    /// The consensus log.
    pub wal: Bytes,
    /// Pieces of health records.
    pub pieces: Bytes,
    /// Everything else.
    pub rest: Bytes,
}

impl Bytes {
    fn add(&mut self, other: Self) {
        self.length += other.length;
        self.allocated += other.allocated;
    }

    /// The larger one: files may have holes, and may end within what was set aside.
    pub fn most(self) -> u64 {
        self.length.max(self.allocated)
    }
}

impl DataFolder {
    /// Counts every file below a folder.
    ///
    /// # Errors
    ///
    /// When it can't be read.
    pub fn count(home: &Path) -> io::Result<Self> {
        let mut counted = Self::default();
        for entry in fs::read_dir(home)? {
            let entry = entry?;
            let name = entry.file_name();
            let place = match name.to_str() {
                Some("shares") => &mut counted.shares,
                Some("index") => &mut counted.index,
                Some("wal") => &mut counted.wal,
                Some("pieces") => &mut counted.pieces,
                _ => &mut counted.rest,
            };
            place.add(below(&entry.path())?);
        }
        Ok(counted)
    }

    /// Everything.
    pub fn total(&self) -> Bytes {
        let mut total = Bytes::default();
        [self.shares, self.index, self.wal, self.pieces, self.rest]
            .into_iter()
            .for_each(|part| total.add(part));
        total
    }
}

fn below(path: &Path) -> io::Result<Bytes> {
    // A file may be replaced while its folder is read.
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(Bytes::default());
    };
    if !metadata.is_dir() {
        return Ok(Bytes {
            length: metadata.len(),
            allocated: metadata.blocks() * 512,
        });
    }
    let mut total = Bytes::default();
    for entry in fs::read_dir(path)? {
        total.add(below(&entry?.path())?);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_counted_where_it_belongs() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, length: usize| {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![1; length]).unwrap();
        };
        write("shares/00000001.seg", 10_000);
        write("index/db", 700);
        write("index/blobs/1", 30);
        write("wal", 5);
        write("pieces/ab/abcd", 6);
        write("key.check", 32);
        let counted = DataFolder::count(home.path()).unwrap();
        assert_eq!((counted.shares.length, counted.index.length), (10_000, 730));
        assert_eq!(
            (counted.wal.length, counted.pieces.length, counted.rest.length),
            (5, 6, 32)
        );
        assert_eq!(counted.total().length, 10_773);
        assert!(counted.shares.most() >= 10_000 && counted.total().allocated > 0);
    }
}
