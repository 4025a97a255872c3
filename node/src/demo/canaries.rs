//! Marks that must not be found at rest: pieces of the records' plaintext, and signatures that stand in block bodies only.

use crate::cli::CliError;
use memchr::memmem;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Bytes of a mark cut out of a record.
const MARK_LENGTH: usize = 32;
/// Marks cut out of one record.
const MARKS_PER_RECORD: usize = 8;
/// Different byte values that a mark has at least, so that it can't be found by chance.
const DISTINCT_MIN: usize = 12;

/// What is searched for.
#[derive(Debug, Default)]
pub(super) struct Canaries {
    marks: Vec<Vec<u8>>,
}

/// A mark that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) mark: usize,
}

impl Canaries {
    pub(super) fn add(&mut self, mark: impl Into<Vec<u8>>) {
        self.marks.push(mark.into());
    }

    /// Cuts marks out of a record, spread over its whole length.
    pub(super) fn add_from(&mut self, content: &[u8]) {
        let windows = content.len() / MARK_LENGTH;
        let telling = |window: &&[u8]| window.iter().collect::<BTreeSet<_>>().len() >= DISTINCT_MIN;
        let step = (windows / MARKS_PER_RECORD).max(1);
        let marks = content
            .chunks_exact(MARK_LENGTH)
            .step_by(step)
            .filter(telling)
            .take(MARKS_PER_RECORD);
        self.marks.extend(marks.map(<[u8]>::to_vec));
    }

    pub(super) fn count(&self) -> usize {
        self.marks.len()
    }

    /// Searches every file below a folder; returns what was found and how many bytes were read.
    pub(super) fn search(&self, folder: &Path) -> Result<(Vec<Found>, u64), CliError> {
        let finders: Vec<memmem::Finder<'_>> = self.marks.iter().map(memmem::Finder::new).collect();
        let (mut found, mut bytes) = (Vec::new(), 0);
        for file in files(folder)? {
            let content = std::fs::read(&file).map_err(|error| CliError::file(&file, error))?;
            bytes += content.len() as u64;
            for (mark, finder) in finders.iter().enumerate() {
                if finder.find(&content).is_some() {
                    found.push(Found {
                        file: file.clone(),
                        mark,
                    });
                }
            }
        }
        Ok((found, bytes))
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(|error| CliError::file(folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| CliError::file(folder, error))?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?)
        } else {
            files.push(path)
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_where_they_are_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let record: Vec<u8> = (0..4_096u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        let mut canaries = Canaries::default();
        canaries.add_from(&record);
        canaries.add(*b"a signature");
        assert_eq!(canaries.count(), MARKS_PER_RECORD + 1);
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/noise"), [0x5A; 10_000]).unwrap();
        assert!(canaries.search(folder.path()).unwrap().0.is_empty());
        std::fs::write(
            folder.path().join("deep/leak"),
            [b"xx".as_slice(), &record[..200], b"yy"].concat(),
        )
        .unwrap();
        let (found, bytes) = canaries.search(folder.path()).unwrap();
        assert_eq!((found.len(), found[0].mark), (1, 0));
        assert!(bytes > 10_000);
    }
}
