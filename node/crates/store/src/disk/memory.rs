use super::{Disk, DiskEntry, File};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A disk in memory that can crash and fail, for simulation.
///
/// Clones share the disk. It remembers what was synced apart from what was only written; [`MemoryDisk::crash`]
/// throws away part of the latter, as a power cut would.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

/// What happens at a chosen operation that changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails; later ones work again.
    Error,
    /// The power goes: nothing of this operation is done, and all later ones fail until [`MemoryDisk::crash`].
    PowerCut,
    /// A write puts down this many bytes, then the power goes. Other operations: as [`Fault::PowerCut`].
    TornWrite(usize),
    /// The disk is full: a write puts down half its bytes and fails.
    Full,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    names_durable: BTreeMap<PathBuf, u64>,
    names_pending: Vec<NameChange>,
    folders: BTreeSet<PathBuf>,
    next_file: u64,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    dead: bool,
}

#[derive(Debug, Default)]
struct Content {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    number: u64,
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Truncate(length) => bytes.resize(*length, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(range) = bytes.get_mut(*offset..end) {
                    range.copy_from_slice(data);
                }
            }
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let path = match self {
            Self::Set(path, _) | Self::Rename(_, path) | Self::Remove(path) => path,
        };
        path.parent() == Some(folder)
    }
}

impl State {
    /// Counts an operation that changes the disk and says what befalls it.
    fn operation(&mut self) -> io::Result<Option<Fault>> {
        if self.dead {
            return Err(io::Error::other("the power is off"));
        }
        let number = self.operations;
        self.operations += 1;
        match self.faults.remove(&number) {
            Some(Fault::Error) => Err(io::Error::other("injected fault")),
            Some(Fault::PowerCut) => {
                self.dead = true;
                Err(io::Error::other("the power is off"))
            }
            other => Ok(other),
        }
    }

    fn plain_operation(&mut self) -> io::Result<()> {
        match self.operation()? {
            None => Ok(()),
            Some(Fault::TornWrite(_)) => {
                self.dead = true;
                Err(io::Error::other("the power is off"))
            }
            Some(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }

    fn content(&mut self, file: u64) -> &mut Content {
        self.files.entry(file).or_default()
    }
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations have changed the disk: the numbers that [`Self::fail_at`] takes.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Plans a fault at an operation, counted from the disk's creation.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.state().faults.insert(operation, fault);
    }

    /// Cuts the power and brings it back. `choose(n)` returns a number below `n` and decides what of the unsynced
    /// operations survives: for each file and for the names a prefix, the last write torn, single sectors lost.
    pub fn crash(&self, mut choose: impl FnMut(u64) -> u64) {
        let mut pick = |count: usize| usize::try_from(choose(count.max(1) as u64)).unwrap_or(0);
        let state = &mut *self.state();
        let kept = pick(state.names_pending.len() + 1);
        for change in state.names_pending.drain(..).take(kept) {
            change.apply(&mut state.names_durable);
        }
        state.names.clone_from(&state.names_durable);
        for content in state.files.values_mut() {
            let kept = pick(content.pending.len() + 1);
            for (index, change) in content.pending.drain(..).enumerate() {
                match change {
                    Change::Write(offset, data) if index <= kept => {
                        let torn = if index == kept {
                            pick(data.len() + 1)
                        } else {
                            data.len()
                        };
                        let mut at = 0;
                        while at < torn {
                            let end = torn.min(at + SECTOR - (offset + at) % SECTOR);
                            if pick(8) > 0 {
                                let part = data.get(at..end).unwrap_or_default().to_vec();
                                Change::Write(offset + at, part).apply(&mut content.durable);
                            }
                            at = end;
                        }
                    }
                    change if index < kept => change.apply(&mut content.durable),
                    _ => {}
                }
            }
            content.current.clone_from(&content.durable);
        }
        state.faults.clear();
        state.dead = false;
    }

    /// Flips bits of a stored byte, on the medium itself. Says whether there is such a byte.
    pub fn flip(&self, path: &Path, offset: usize, mask: u8) -> bool {
        let state = &mut *self.state();
        let Some(file) = state.names.get(path).copied() else {
            return false;
        };
        let content = state.content(file);
        if let Some(byte) = content.durable.get_mut(offset) {
            *byte ^= mask;
        }
        match content.current.get_mut(offset) {
            Some(byte) => {
                *byte ^= mask;
                true
            }
            None => false,
        }
    }

    /// Puts bytes under a name as if another program had written them, durably.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let state = &mut *self.state();
        let file = state.next_file;
        state.next_file += 1;
        *state.content(file) = Content {
            durable: bytes.to_vec(),
            current: bytes.to_vec(),
            pending: Vec::new(),
        };
        state.names.insert(path.to_path_buf(), file);
        state.names_durable.insert(path.to_path_buf(), file);
    }

    /// The content of a file as programs see it.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let file = state.names.get(path)?;
        state.files.get(file).map(|content| content.current.clone())
    }

    /// Whether these bytes stand in any file, also one whose name is gone.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let state = self.state();
        let holds = |content: &[u8]| content.windows(bytes.len()).any(|window| window == bytes);
        state
            .files
            .values()
            .any(|content| holds(&content.current) || holds(&content.durable))
    }

    /// Removes all files below a folder, durably: a wiped disk.
    pub fn wipe(&self, folder: &Path) {
        let state = &mut *self.state();
        state.names.retain(|path, _| !path.starts_with(folder));
        state.names_durable.retain(|path, _| !path.starts_with(folder));
        state.names_pending.clear();
    }
}

impl Disk for MemoryDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let mut path = Some(path);
        while let Some(folder) = path {
            state.folders.insert(folder.to_path_buf());
            path = folder.parent();
        }
        Ok(())
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        let number = match state.names.get(path) {
            Some(file) => *file,
            None if !create => return Err(io::Error::from(io::ErrorKind::NotFound)),
            None => {
                state.plain_operation()?;
                let file = state.next_file;
                state.next_file += 1;
                state.files.insert(file, Content::default());
                state.names.insert(path.to_path_buf(), file);
                state
                    .names_pending
                    .push(NameChange::Set(path.to_path_buf(), file));
                file
            }
        };
        Ok(Arc::new(MemoryFile {
            disk: self.clone(),
            number,
        }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<DiskEntry>> {
        let state = self.state();
        let name_of = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let files = state
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder));
        let mut entries: Vec<DiskEntry> = files
            .filter_map(|(path, file)| {
                Some(DiskEntry {
                    name: name_of(path)?,
                    length: state.files.get(file)?.current.len() as u64,
                    is_folder: false,
                })
            })
            .collect();
        let folders = state.folders.iter().filter(|path| path.parent() == Some(folder));
        entries.extend(folders.filter_map(|path| {
            Some(DiskEntry {
                name: name_of(path)?,
                length: 0,
                is_folder: true,
            })
        }));
        entries.sort();
        Ok(entries)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(from) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        state.plain_operation()?;
        let change = NameChange::Rename(from.to_path_buf(), to.to_path_buf());
        change.apply(&mut state.names);
        state.names_pending.push(change);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        state.plain_operation()?;
        let change = NameChange::Remove(path.to_path_buf());
        change.apply(&mut state.names);
        state.names_pending.push(change);
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let state = &mut *self.state();
        state.plain_operation()?;
        let (synced, rest) = state
            .names_pending
            .drain(..)
            .partition::<Vec<_>, _>(|change| change.is_in(folder));
        state.names_pending = rest;
        for change in synced {
            change.apply(&mut state.names_durable);
        }
        Ok(())
    }
}

impl File for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().content(self.number).current.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(buffer.len());
        match state.content(self.number).current.get(start..end) {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let fault = state.operation()?;
        let written = match fault {
            Some(Fault::TornWrite(count)) => bytes.get(..count).unwrap_or(bytes),
            Some(_) => bytes.get(..bytes.len() / 2).unwrap_or_default(),
            None => bytes,
        };
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let change = Change::Write(offset, written.to_vec());
        let content = state.content(self.number);
        change.apply(&mut content.current);
        content.pending.push(change);
        match fault {
            None => Ok(()),
            Some(Fault::Full) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(_) => {
                state.dead = true;
                Err(io::Error::other("the power is off"))
            }
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.plain_operation()?;
        let change = Change::Truncate(usize::try_from(length).map_err(io::Error::other)?);
        let content = state.content(self.number);
        change.apply(&mut content.current);
        content.pending.push(change);
        Ok(())
    }

    /// A failed sync loses what was pending, as Linux does: the pages count as clean afterwards.
    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let outcome = state.plain_operation();
        let dead = state.dead;
        let content = state.content(self.number);
        match outcome {
            Ok(()) => {
                content.durable.clone_from(&content.current);
                content.pending.clear();
                Ok(())
            }
            Err(error) => {
                if !dead {
                    content.pending.clear();
                }
                Err(error)
            }
        }
    }
}
