//! Finds the records of a segment again: at opening, and where a segment is walked for compaction or inspection.

use super::record::{self, RECORD, Record};
use super::resealing::DealingKey;
use super::segments::{Damage, SEGMENT_HEAD, ShareLocation, segment_head, segment_path};
use crate::StoreError;
use crate::disk::{Attempt, Disk, File, read_up_to};
use crate::frame::{Found, HEAD};
use crate::key::KeyWrap;
use salus_types::Height;
use std::io;
use std::path::Path;

/// What opening found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Records from the start of the scan on, in the order of their locations.
    pub(crate) records: Vec<ScannedRecord>,
    /// Bytes of a torn tail that were cut off.
    pub(crate) torn_bytes: u64,
    pub(crate) damaged: Vec<Damage>,
}

/// A sound record that the scan passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScannedRecord {
    pub(crate) at: ShareLocation,
    pub(crate) height: Height,
    /// Height of the block that decides, or decided, the dealing.
    pub(crate) decided_at: Height,
    pub(crate) dealing: DealingKey,
}

/// Scans segments at opening.
pub(super) struct Opening<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) folder: &'a Path,
    pub(super) wrap: &'a KeyWrap,
    pub(super) scan: Scan,
    /// Bytes of the segment scanned last, after its torn tail was cut off.
    pub(super) last_length: u64,
}

impl Opening<'_> {
    /// Collects the records of a segment from `start`. Of the last segment, cuts off a torn tail and returns where to
    /// append: 0 if the segment is to be made anew, `None` if it must not grow.
    pub(super) fn scan_segment(
        &mut self,
        number: u32,
        start: Option<u32>,
        is_last: bool,
    ) -> Result<Option<u32>, StoreError> {
        let path = segment_path(self.folder, number);
        let file = self.disk.open(&path, false).attempt("open", &path)?;
        let length = file.length().attempt("measure", &path)?;
        self.last_length = length;
        let head = read_up_to(&*file, 0, SEGMENT_HEAD as usize).attempt("read", &path)?;
        let head_is_sound = head == segment_head(number);
        let start = start.unwrap_or(SEGMENT_HEAD);
        let limit = u32::MAX as usize;
        let bytes = read_up_to(&*file, u64::from(start), limit).attempt("read", &path)?;
        let (sound, records) = self.scan_bytes(number, start, &bytes);
        if !head_is_sound && !records {
            // A segment whose making was cut short; or nothing in it can be read anyway.
            return Ok(is_last.then_some(0));
        }
        let end = u64::from(start).saturating_add(sound as u64).min(length);
        if end < length {
            if !is_last {
                self.scan.damaged.push(Damage {
                    segment: number,
                    from: end,
                    to: length,
                });
                return Ok(None);
            }
            self.scan.torn_bytes = length - end;
            file.truncate(end).attempt("truncate", &path)?;
            file.sync().attempt("sync", &path)?;
            self.last_length = end;
        }
        Ok(u32::try_from(end)
            .ok()
            .filter(|_| is_last && head_is_sound && end >= u64::from(SEGMENT_HEAD)))
    }

    /// Where the sound part ends, and whether there was any record.
    fn scan_bytes(&mut self, number: u32, start: u32, bytes: &[u8]) -> (usize, bool) {
        let (mut at, mut any) = (0, false);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let offset = |at: usize| u64::from(start).saturating_add(at as u64);
            if let Some((record, length)) = record_at(self.wrap, rest) {
                if let Ok(offset) = u32::try_from(offset(at)) {
                    self.scan.records.push(ScannedRecord {
                        at: ShareLocation::new(number, offset),
                        height: record.header.height,
                        decided_at: record.decided_at(),
                        dealing: record.dealing(),
                    });
                }
                any = true;
                at += length;
                continue;
            }
            let Some(next) = next_record(self.wrap, bytes, at + 1) else {
                break;
            };
            self.scan.damaged.push(Damage {
                segment: number,
                from: offset(at),
                to: offset(next),
            });
            at = next;
        }
        (at, any)
    }
}

/// What stands at a place of a segment.
pub(super) enum Walked {
    /// A sound record of this node, and its whole frame.
    Record { record: Box<Record>, frame: Vec<u8> },
    /// Bytes that are no sound record, up to there.
    Bad { to: u64 },
    /// The segment ends here.
    End,
}

/// Reads what stands at an offset of a segment.
pub(super) fn walk(wrap: &KeyWrap, file: &dyn File, offset: u64) -> io::Result<Walked> {
    let length = file.length()?;
    if offset >= length {
        return Ok(Walked::End);
    }
    let head = read_up_to(file, offset, HEAD)?;
    if let Some(frame_length) = RECORD.length_of(&head) {
        let frame = read_up_to(file, offset, frame_length)?;
        if let Some((record, _)) = record_at(wrap, &frame) {
            let record = Box::new(record);
            return Ok(Walked::Record { record, frame });
        }
    }
    let rest = read_up_to(file, offset, usize::MAX)?;
    let next = next_record(wrap, &rest, 1).map_or(length, |next| offset.saturating_add(next as u64));
    Ok(Walked::Bad { to: next })
}

/// The next place that holds a record of this node. A fragment may hold bytes that a hostile proposer made look
/// like a record; only this node's key opens a real one.
fn next_record(wrap: &KeyWrap, bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let candidate = RECORD.next_candidate(bytes, from)?;
        if record_at(wrap, bytes.get(candidate..)?).is_some() {
            return Some(candidate);
        }
        from = candidate + 1;
    }
}

/// Opens the key share before it checks the sum over the fragment: cheap refusals first, or a fragment full of
/// false heads would make recovery quadratic.
fn record_at(wrap: &KeyWrap, bytes: &[u8]) -> Option<(Record, usize)> {
    let length = RECORD.length_of(bytes)?;
    let record = record::decode(wrap, bytes.get(HEAD..length)?)?;
    matches!(RECORD.read(bytes), Found::Frame { .. }).then_some((record, length))
}
