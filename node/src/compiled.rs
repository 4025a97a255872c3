//! Compiled contracts on this machine's disk, so that a start doesn't compile them again.
//!
//! Files are trusted for nothing: `salus_runtime` tags what it writes, and looks at the tag when it reads. Losing all of
//! them costs some seconds of compiling, so nothing here fails: what goes wrong is told to the operator.
#![expect(
    clippy::disallowed_methods,
    reason = "a file's age is the machine's: only which file makes room depends on it"
)]

use salus_runtime::{CODE_RECORD_BYTES_MAX, CodeName, CodeRefusal, CodeStore};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// Bytes of all files together; the one that was used least recently makes room.
pub(crate) const FOLDER_BYTES_MAX: u64 = 128 << 20;

/// What is being written; renamed when it is whole.
const DRAFT: &str = "draft";

/// A folder of records, one file each.
pub(crate) struct CompiledFiles {
    folder: PathBuf,
    bytes_max: u64,
    writing: Mutex<()>,
}

impl CompiledFiles {
    /// The folder, which need not be there yet, and how many bytes it may take.
    pub(crate) fn new(folder: PathBuf, bytes_max: u64) -> Self {
        Self {
            folder,
            bytes_max,
            writing: Mutex::default(),
        }
    }

    fn read(&self, name: &CodeName) -> io::Result<Vec<u8>> {
        let file = File::open(self.folder.join(name.to_string()))?;
        let mut record = Vec::new();
        let most = CODE_RECORD_BYTES_MAX as u64;
        (&file).take(most.saturating_add(1)).read_to_end(&mut record)?;
        // Its age is that of its last use. A disk that can't say so only chooses worse what to remove.
        let _ = file.set_modified(SystemTime::now());
        Ok(record)
    }

    fn write(&self, name: &CodeName, record: &[u8]) -> io::Result<()> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let draft = self.folder.join(DRAFT);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(record)?;
        file.sync_all()?;
        let path = self.folder.join(name.to_string());
        fs::rename(draft, &path)?;
        self.make_room(&path)
    }

    /// Removes the files that were used least recently, until the rest is small enough; never the one at `kept`.
    fn make_room(&self, kept: &Path) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            files.push((meta.modified()?, meta.len(), entry.path()));
        }
        files.sort();
        let mut total = files
            .iter()
            .fold(0u64, |sum, (_, bytes, _)| sum.saturating_add(*bytes));
        for (_, bytes, path) in files {
            if total <= self.bytes_max {
                break;
            }
            if path != kept {
                fs::remove_file(&path)?;
                total = total.saturating_sub(bytes);
            }
        }
        Ok(())
    }
}

impl CodeStore for CompiledFiles {
    fn load(&self, name: &CodeName) -> Option<Vec<u8>> {
        match self.read(name) {
            Ok(record) => Some(record),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, file = %name, "compiled code can't be read: compiling again");
                None
            }
        }
    }

    fn save(&self, name: &CodeName, record: &[u8]) {
        if let Err(error) = self.write(name, record) {
            tracing::warn!(%error, file = %name, "compiled code can't be kept: the next start compiles again");
        }
    }

    fn refused(&self, name: &CodeName, why: CodeRefusal) {
        tracing::warn!(%why, file = %name, "compiled code on the disk is not used: compiling again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_runtime::{CodeCache, Engine, EngineConfig};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// The files, and how often each thing happened.
    #[derive(Clone)]
    struct Counted(Arc<(CompiledFiles, [AtomicUsize; 2])>);

    impl Counted {
        fn new(folder: &Path, bytes_max: u64) -> Self {
            let files = CompiledFiles::new(folder.join("compiled"), bytes_max);
            Self(Arc::new((files, Default::default())))
        }

        fn engine(&self, secret: u8) -> Engine {
            let cache = CodeCache::new(&[secret; 32], Box::new(self.clone()));
            let config = EngineConfig {
                instances: 1,
                ..EngineConfig::default()
            };
            Engine::with_cache(&config, cache).unwrap()
        }

        /// How often code was saved, and refused.
        fn counts(&self) -> [usize; 2] {
            let [saved, refused] = &self.0.1;
            [saved, refused].map(|count| count.load(Ordering::Relaxed))
        }

        fn files(&self) -> Vec<PathBuf> {
            let entries = fs::read_dir(&self.0.0.folder).unwrap();
            let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths
        }
    }

    impl CodeStore for Counted {
        fn load(&self, name: &CodeName) -> Option<Vec<u8>> {
            self.0.0.load(name)
        }

        fn save(&self, name: &CodeName, record: &[u8]) {
            self.0.1[0].fetch_add(1, Ordering::Relaxed);
            self.0.0.save(name, record);
        }

        fn refused(&self, name: &CodeName, why: CodeRefusal) {
            self.0.1[1].fetch_add(1, Ordering::Relaxed);
            self.0.0.refused(name, why);
        }
    }

    #[test]
    fn a_second_start_compiles_nothing_and_a_damaged_file_is_compiled_anew() {
        let folder = tempfile::tempdir().unwrap();
        let files = Counted::new(folder.path(), FOLDER_BYTES_MAX);
        for contract in [salus_genesis::REGISTRY, salus_genesis::ACCESS] {
            files.engine(1).admit(contract).unwrap();
        }
        assert_eq!(files.counts(), [2, 0]);
        assert_eq!(files.files().len(), 2, "no draft is left");
        let again = files.engine(1);
        for contract in [salus_genesis::REGISTRY, salus_genesis::ACCESS] {
            again.admit(contract).unwrap();
        }
        assert_eq!(files.counts(), [2, 0]);

        for path in files.files() {
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
        files.engine(1).admit(salus_genesis::REGISTRY).unwrap();
        assert_eq!(files.counts(), [3, 1]);
        files.engine(1).admit(salus_genesis::REGISTRY).unwrap();
        assert_eq!(files.counts(), [3, 1], "the new file is sound");
        files.engine(2).admit(salus_genesis::REGISTRY).unwrap();
        assert_eq!(files.counts(), [4, 2], "another machine's key");
    }

    #[test]
    fn the_file_used_least_recently_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let files = Counted::new(folder.path(), 0);
        let old = SystemTime::now() - Duration::from_secs(60);
        files.engine(1).admit(salus_genesis::REGISTRY).unwrap();
        let first = files.files();
        File::open(&first[0]).unwrap().set_modified(old).unwrap();
        files.engine(1).admit(salus_genesis::ACCESS).unwrap();
        let second = files.files();
        assert_eq!((first.len(), second.len()), (1, 1));
        assert_ne!(first, second);
    }

    #[test]
    fn files_are_for_this_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let files = Counted::new(folder.path(), FOLDER_BYTES_MAX);
        files.engine(1).admit(salus_genesis::REGISTRY).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&files.0.0.folder), 0o700);
        assert_eq!(mode(&files.files()[0]), 0o600);
    }
}
