//! Segment files: where records stand, how they get there, and how they are found again.

use super::record::{self, RECORD, Record};
use super::resealing::Resealing;
use super::scan::{self, Opening, Scan, Walked};
use crate::StoreError;
use crate::disk::{Attempt, Disk, File};
use crate::frame::{Found, HEAD};
use crate::halt::Halt;
use crate::key::KeyWrap;
use salus_types::{BlockId, Header, SealedShare};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a segment's own header: magic "SALUSSEG", version (4), number (4).
pub(super) const SEGMENT_HEAD: u32 = 16;
const SEGMENT_MAGIC: &[u8; 8] = b"SALUSSEG";
const SEGMENT_VERSION: u32 = 1;
/// Offsets are 32 bits, and one record may pass the limit.
const SEGMENT_BYTES_MAX: u32 = 1 << 30;
/// What the name of a segment ends in that is being removed.
const DOOMED: &str = "gone";
/// Bytes written over a doomed segment at once.
const ERASE_CHUNK: usize = 1 << 20;
/// File handles kept open for reading.
const HANDLES_MAX: usize = 64;

/// Where a record stands in the share log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShareLocation {
    segment: u32,
    offset: u32,
}

impl ShareLocation {
    pub(crate) const fn new(segment: u32, offset: u32) -> Self {
        Self { segment, offset }
    }

    /// Eight bytes: segment, offset, big-endian.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        ((u64::from(self.segment) << 32) | u64::from(self.offset)).to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = bytes.try_into().ok()?;
        Some(Self {
            segment: u32::from_be_bytes([a, b, c, d]),
            offset: u32::from_be_bytes([e, f, g, h]),
        })
    }

    /// The number of its segment file.
    pub const fn segment(self) -> u32 {
        self.segment
    }

    /// Where its frame starts in that file, in bytes.
    pub const fn offset(self) -> u32 {
        self.offset
    }
}

/// A part of a segment that holds no sound record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The number of the segment file.
    pub segment: u32,
    /// First bad byte.
    pub from: u64,
    /// The byte after the last bad one.
    pub to: u64,
}

/// What the index knows of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Where the scan at opening starts: every share before it that is still needed is in the index.
    pub(crate) scan_from: ShareLocation,
    /// The highest location that was ever named.
    pub(crate) tail: ShareLocation,
}

#[derive(Debug)]
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    segment_bytes: u32,
    wrap: KeyWrap,
    /// Held while a record is written and synced.
    writer: Mutex<Writer>,
    /// Never held across an fsync, so that readers do not wait for writers.
    files: Mutex<Files>,
    halt: Halt,
}

#[derive(Debug)]
struct Writer {
    /// The segment that grows, or will be made by the next append.
    segment: u32,
    /// `None` until it is made.
    file: Option<Arc<dyn File>>,
    end: u32,
}

impl Writer {
    fn leave_segment(&mut self) {
        self.segment = self.segment.saturating_add(1);
        self.file = None;
        self.end = 0;
    }
}

#[derive(Debug, Default)]
struct Files {
    /// Bytes of every segment there is, the growing one too.
    lengths: BTreeMap<u32, u64>,
    /// Segments open for reading.
    handles: BTreeMap<u32, Arc<dyn File>>,
}

impl Segments {
    /// Opens the folder and scans it from where the index's knowledge ends; all of it without an index.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        segment_bytes: u32,
        wrap: KeyWrap,
        known: Option<Bounds>,
    ) -> Result<(Self, Scan), StoreError> {
        disk.create_folder(folder).attempt("create", folder)?;
        let mut lengths = BTreeMap::new();
        for entry in disk.list(folder).attempt("list", folder)? {
            if let Some(number) = segment_number(&entry.name) {
                lengths.insert(number, entry.length);
            } else if entry.name.ends_with(DOOMED) {
                erase(&*disk, folder, &folder.join(&entry.name))?;
            }
        }
        let mut opening = Opening {
            disk: &*disk,
            folder,
            wrap: &wrap,
            scan: Scan::default(),
            last_length: 0,
        };
        let last = lengths.keys().next_back().copied();
        let (scan_from, tail) = (known.map(|known| known.scan_from), known.map(|known| known.tail));
        let first_to_scan = scan_from.map_or(0, |from| from.segment);
        let mut resume = None;
        for (number, length) in lengths.range_mut(first_to_scan..) {
            let start = scan_from
                .filter(|from| from.segment == *number)
                .map(|from| from.offset);
            let end = opening.scan_segment(*number, start, Some(*number) == last)?;
            if Some(*number) == last {
                resume = end;
                *length = opening.last_length;
            }
        }
        let scan = opening.scan;
        // A new segment after any damage: a stale index entry must never point at somebody else's record.
        let tail_is_sound = tail.is_none_or(|tail| scan.records.iter().any(|record| record.at == tail));
        let is_whole = tail_is_sound && scan.damaged.is_empty();
        let resume = resume.filter(|end| is_whole && *end < segment_bytes);
        let highest = last.max(tail.map(|tail| tail.segment)).unwrap_or(0);
        let mut writer = Writer {
            segment: highest.saturating_add(1),
            file: None,
            end: 0,
        };
        if let (Some(end), Some(last)) = (resume, last.filter(|last| *last == highest)) {
            writer.segment = last;
            if end > 0 {
                let path = segment_path(folder, last);
                writer.file = Some(disk.open(&path, false).attempt("open", &path)?);
                writer.end = end;
            }
        }
        let segments = Self {
            disk,
            folder: folder.to_path_buf(),
            segment_bytes: segment_bytes.min(SEGMENT_BYTES_MAX),
            wrap,
            writer: Mutex::new(writer),
            files: Mutex::new(Files {
                lengths,
                handles: BTreeMap::new(),
            }),
            halt: Halt::new("share log"),
        };
        Ok((segments, scan))
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame of a record, ready for [`Self::append`]. Wraps the key share.
    pub(crate) fn encode(
        &self,
        header: &Header,
        id: &BlockId,
        resealing: Option<&Resealing>,
        share: &SealedShare,
    ) -> Result<Vec<u8>, StoreError> {
        record::encode(&self.wrap, header, id, resealing, share)
    }

    /// Writes a frame at the end and returns once it is durable.
    pub(crate) fn append(&self, frame: &[u8]) -> Result<ShareLocation, StoreError> {
        let places = self.append_all(&[frame])?;
        places.first().copied().ok_or(StoreError::Initialisation(
            "got no place for a share from its own log",
        ))
    }

    /// Writes frames at the end and returns once they are durable, all with one fsync unless a segment gets full.
    pub(crate) fn append_all(&self, frames: &[impl AsRef<[u8]>]) -> Result<Vec<ShareLocation>, StoreError> {
        let writer = &mut *self.writer();
        self.halt.check()?;
        self.halt.guard(self.append_to(writer, frames))
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_to(
        &self,
        writer: &mut Writer,
        frames: &[impl AsRef<[u8]>],
    ) -> Result<Vec<ShareLocation>, StoreError> {
        let mut places = Vec::with_capacity(frames.len());
        let mut written: Option<(Arc<dyn File>, PathBuf)> = None;
        for frame in frames.iter().map(AsRef::as_ref) {
            let length = frame_length(frame)?;
            let is_full = writer.end.saturating_add(length) > self.segment_bytes && writer.end > SEGMENT_HEAD;
            if writer.file.is_some() && is_full {
                // Only the last segment may end in a torn record.
                if let Some((file, path)) = written.take() {
                    file.sync().attempt("sync", &path)?;
                }
                writer.leave_segment();
            }
            let path = segment_path(&self.folder, writer.segment);
            let file = match &writer.file {
                Some(file) => Arc::clone(file),
                None => {
                    let file = self.create_segment(&path, writer.segment)?;
                    writer.end = SEGMENT_HEAD;
                    Arc::clone(writer.file.insert(file))
                }
            };
            let at = writer.end;
            file.write_all_at(frame, u64::from(at)).attempt("write", &path)?;
            writer.end = at.saturating_add(length);
            self.files().lengths.insert(writer.segment, u64::from(writer.end));
            places.push(ShareLocation::new(writer.segment, at));
            written = Some((file, path));
        }
        if let Some((file, path)) = written {
            file.sync().attempt("sync", &path)?;
        }
        Ok(places)
    }

    /// Lets the log go on in a new segment if it grows in this one, so that this one can be compacted.
    pub(crate) fn leave_segment(&self, number: u32) {
        let writer = &mut *self.writer();
        if writer.segment == number {
            writer.leave_segment();
        }
    }

    /// Whether there is such a segment.
    pub(crate) fn exists(&self, number: u32) -> bool {
        self.files().lengths.contains_key(&number)
    }

    /// Bytes of a segment; 0 if there is none.
    pub(crate) fn length(&self, number: u32) -> u64 {
        self.files().lengths.get(&number).copied().unwrap_or(0)
    }

    /// Reads what stands at an offset of a segment.
    pub(crate) fn walk(&self, number: u32, offset: u64) -> std::io::Result<Walked> {
        match self.handle(number) {
            Some(file) => scan::walk(&self.wrap, &*file, offset),
            None => Ok(Walked::End),
        }
    }

    /// Removes a segment that holds nothing needed, after writing over it.
    ///
    /// Renamed first, and finished at the next opening if the node stops meanwhile: a segment is there whole or not at
    /// all, and a half erased one is never taken for damage.
    pub(crate) fn remove(&self, number: u32) -> Result<(), StoreError> {
        self.halt.check()?;
        {
            let mut files = self.files();
            files.lengths.remove(&number);
            files.handles.remove(&number);
        }
        let path = segment_path(&self.folder, number);
        let doomed = path.with_extension(DOOMED);
        self.halt.guard(
            self.disk
                .rename(&path, &doomed)
                .attempt("rename", &path)
                .and_then(|()| self.disk.sync_folder(&self.folder).attempt("sync", &self.folder))
                .and_then(|()| erase(&*self.disk, &self.folder, &doomed)),
        )
    }

    /// Content first, then the name: a segment that can be seen is whole.
    fn create_segment(&self, path: &Path, number: u32) -> Result<Arc<dyn File>, StoreError> {
        let file = self.disk.open(path, true).attempt("create", path)?;
        file.truncate(0).attempt("truncate", path)?;
        file.write_all_at(&segment_head(number), 0)
            .attempt("write", path)?;
        file.sync().attempt("sync", path)?;
        self.disk
            .sync_folder(&self.folder)
            .attempt("sync", &self.folder)?;
        Ok(file)
    }

    /// The record at a location; `None` if there is no sound record of this node.
    pub(crate) fn read(&self, at: ShareLocation) -> Result<Option<Record>, StoreError> {
        self.halt.check()?;
        let Some(file) = self.handle(at.segment) else {
            return Ok(None);
        };
        let read = || -> std::io::Result<Option<Record>> {
            let mut head = [0; HEAD];
            file.read_exact_at(&mut head, u64::from(at.offset))?;
            let Some(length) = RECORD.length_of(&head) else {
                return Ok(None);
            };
            let mut frame = vec![0; length];
            file.read_exact_at(&mut frame, u64::from(at.offset))?;
            Ok(match RECORD.read(&frame) {
                Found::Frame { payload, .. } => record::decode(&self.wrap, payload),
                Found::End | Found::Bad => None,
            })
        };
        // A sector that cannot be read is as good as lost: the share is repaired from peers.
        Ok(read().unwrap_or_else(|error| {
            tracing::warn!(segment = at.segment, offset = at.offset, %error, "a kept share could not be read");
            None
        }))
    }

    fn handle(&self, number: u32) -> Option<Arc<dyn File>> {
        let files = &mut *self.files();
        if !files.lengths.contains_key(&number) {
            return None;
        }
        if let Some(file) = files.handles.get(&number) {
            return Some(Arc::clone(file));
        }
        let file = self.disk.open(&segment_path(&self.folder, number), false).ok()?;
        if files.handles.len() >= HANDLES_MAX {
            files.handles.clear();
        }
        files.handles.insert(number, Arc::clone(&file));
        Some(file)
    }

    /// Whether a record may stand there: the segment exists and is long enough.
    pub(crate) fn reaches(&self, at: ShareLocation) -> bool {
        let end = u64::from(at.offset).saturating_add(HEAD as u64);
        self.files()
            .lengths
            .get(&at.segment)
            .is_some_and(|length| end <= *length)
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.files().lengths.values().sum()
    }
}

fn frame_length(frame: &[u8]) -> Result<u32, StoreError> {
    u32::try_from(frame.len()).map_err(|_| StoreError::TooLong {
        what: "a share record",
        length: frame.len(),
        limit: RECORD.payload_max,
    })
}

/// Writes zeroes over a file and removes it, durably. On a disk that writes in place nothing of it is left.
fn erase(disk: &dyn Disk, folder: &Path, path: &Path) -> Result<(), StoreError> {
    let file = disk.open(path, false).attempt("open", path)?;
    let length = file.length().attempt("measure", path)?;
    let zeroes = vec![0; ERASE_CHUNK];
    let mut at = 0;
    while at < length {
        let count = usize::try_from(length - at).map_or(ERASE_CHUNK, |rest| rest.min(ERASE_CHUNK));
        let chunk = zeroes.get(..count).unwrap_or(&zeroes);
        file.write_all_at(chunk, at).attempt("write", path)?;
        at = at.saturating_add(count as u64);
    }
    file.sync().attempt("sync", path)?;
    disk.remove(path).attempt("remove", path)?;
    disk.sync_folder(folder).attempt("sync", folder)
}

pub(super) fn segment_head(number: u32) -> Vec<u8> {
    [
        &SEGMENT_MAGIC[..],
        &SEGMENT_VERSION.to_be_bytes(),
        &number.to_be_bytes(),
    ]
    .concat()
}

pub(super) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

pub(super) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    let number = digits.parse().ok()?;
    (segment_path(Path::new(""), number).to_str() == Some(name)).then_some(number)
}
