//! Takes segments apart that hold mostly garbage, or garbage that must be erased.
//!
//! ```text
//! survey: half of it garbage? --> copy what is needed to the end of the log, fsync --> name the new places, fsync
//!                                                          --> rename the segment, write zeroes over it, remove it
//! ```
//!
//! A crash leaves a needed record in one place or in two, never in none: the index names the old place until the new one is
//! durable, and the old segment goes only after the index is.

use super::scan::Walked;
use super::segments::{SEGMENT_HEAD, ShareLocation};
use super::{Record, ShareLog};
use crate::StoreError;
use crate::chain::{Garbage, Moved};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

/// Needed records are copied in batches of this many bytes, with one fsync each.
const COPY_BATCH: u64 = 4 << 20;

/// What one step of compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of needed records that were written again.
    pub copied_bytes: u64,
    /// Bytes of the segments that were removed.
    pub freed_bytes: u64,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// Where compaction is. Kept in memory only: after a restart it begins the segment anew, of which it has taken away part.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    current: Option<Cursor>,
    /// Segments that were found to be worth keeping, and how many garbage records were known then.
    kept: BTreeMap<u32, u32>,
    /// Segments that could not be read: not tried again before a restart.
    unreadable: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    segment: u32,
    offset: u64,
}

/// What a record is good for.
enum Use {
    /// The index names it.
    Needed,
    /// It belongs to a dealing that is not decided, or whose block is only about to get its entry. It has none that could name a
    /// new place, so its segment waits.
    Undecided,
    /// Nothing.
    Garbage,
}

/// What a segment holds.
#[derive(Debug, Default)]
struct Survey {
    needed_bytes: u64,
    garbage_records: u64,
}

impl ShareLog {
    /// Goes on with compaction: copies about `bytes_max` bytes of needed records at most, or surveys one segment. Call it again
    /// and again, at the pace that the disk may be kept busy with.
    ///
    /// Takes segments apart whose needed part is below half, and with `erase` also those that hold damage, or shares which were
    /// dropped or removed: leave it off while many are still to be dropped, or each would have its segment written again.
    ///
    /// # Errors
    /// A failed write halts the log for good. A segment that cannot be read is left as it is.
    pub fn compact(&self, bytes_max: u64, erase: bool) -> Result<Compacted, StoreError> {
        let mut compaction = self.compaction();
        if compaction.current.is_none() {
            let Some((segment, garbage)) = self.candidate(&compaction, erase)? else {
                return Ok(Compacted::default());
            };
            if !self.is_worth_it(segment, garbage, erase)? {
                compaction.kept.insert(segment, garbage.records);
                return Ok(Compacted {
                    more: true,
                    ..Compacted::default()
                });
            }
            self.segments.leave_segment(segment);
            let offset = u64::from(SEGMENT_HEAD);
            compaction.current = Some(Cursor { segment, offset });
        }
        self.take_apart(&mut compaction, bytes_max)
    }

    pub(super) fn compaction(&self) -> MutexGuard<'_, Compaction> {
        self.compaction.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lowest segment that may be worth the work.
    fn candidate(&self, compaction: &Compaction, erase: bool) -> Result<Option<(u32, Garbage)>, StoreError> {
        let lowest_recent = self.index.recent().lowest_place();
        for (segment, garbage) in self.index.garbage()? {
            if !self.segments.exists(segment) {
                self.index.forget_garbage(segment)?;
                continue;
            }
            let holds_recent = lowest_recent.is_some_and(|lowest| lowest.segment() <= segment);
            let must_go = erase && garbage.to_erase > 0;
            let known = compaction.kept.get(&segment).copied();
            let has_grown = known.is_none_or(|known| garbage.records >= known.saturating_mul(2).max(1));
            let may_be_read = !compaction.unreadable.contains(&segment);
            if may_be_read && !holds_recent && (must_go || has_grown) {
                return Ok(Some((segment, garbage)));
            }
        }
        Ok(None)
    }

    fn is_worth_it(&self, segment: u32, garbage: Garbage, erase: bool) -> Result<bool, StoreError> {
        if erase && garbage.to_erase > 0 {
            return Ok(true);
        }
        let survey = self.survey(segment)?;
        let length = self.segments.length(segment);
        Ok(survey.garbage_records > 0 && survey.needed_bytes < length / 2)
    }

    fn survey(&self, segment: u32) -> Result<Survey, StoreError> {
        let mut survey = Survey::default();
        let mut offset = u64::from(SEGMENT_HEAD);
        loop {
            match self.segments.walk(segment, offset) {
                Ok(Walked::Record { record, frame }) => {
                    let length = frame.len() as u64;
                    match self.use_of(&record, location(segment, offset))? {
                        Use::Garbage => survey.garbage_records = survey.garbage_records.saturating_add(1),
                        Use::Needed | Use::Undecided => {
                            survey.needed_bytes = survey.needed_bytes.saturating_add(length);
                        }
                    }
                    offset = offset.saturating_add(length);
                }
                Ok(Walked::Bad { to }) => {
                    survey.garbage_records = survey.garbage_records.saturating_add(1);
                    offset = to;
                }
                Ok(Walked::End) => return Ok(survey),
                Err(error) => {
                    tracing::warn!(segment, offset, %error, "a segment of the share log cannot be read: it is not compacted");
                    return Ok(Survey::default());
                }
            }
        }
    }

    /// What the index says of this very record.
    fn use_of(&self, record: &Record, at: ShareLocation) -> Result<Use, StoreError> {
        let (height, tip) = (record.header.height, self.index.tip());
        let is_recent = self.index.recent().get(&record.dealing()) == Some(at);
        if is_recent || tip.is_none_or(|tip| tip.height < record.decided_at()) {
            return Ok(Use::Undecided);
        }
        if self.index.share_location(height)? == Some(at) {
            return Ok(Use::Needed);
        }
        let superseded = self.index.superseded_of(height)?;
        Ok(match superseded.iter().any(|old| old.location == at) {
            true => Use::Needed,
            false => Use::Garbage,
        })
    }

    /// Copies the next needed records; once there are none, removes the segment.
    fn take_apart(&self, compaction: &mut Compaction, bytes_max: u64) -> Result<Compacted, StoreError> {
        let Some(Cursor { segment, mut offset }) = compaction.current else {
            return Ok(Compacted::default());
        };
        let mut compacted = Compacted {
            more: true,
            ..Compacted::default()
        };
        loop {
            let batch_max = COPY_BATCH.min(bytes_max.saturating_sub(compacted.copied_bytes));
            let batch = match self.next_batch(segment, offset, batch_max)? {
                Next::Copy(batch) => batch,
                Next::Wait => {
                    compaction.current = None;
                    compacted.more = false;
                    return Ok(compacted);
                }
                Next::Unreadable => {
                    compaction.current = None;
                    compaction.unreadable.insert(segment);
                    return Ok(compacted);
                }
            };
            self.copy(&batch)?;
            compacted.copied_bytes = compacted.copied_bytes.saturating_add(batch.bytes);
            offset = batch.next_offset;
            if batch.is_last {
                break;
            }
            compaction.current = Some(Cursor { segment, offset });
            if compacted.copied_bytes >= bytes_max {
                return Ok(compacted);
            }
        }
        self.index.sync_shares()?;
        compacted.freed_bytes = self.segments.length(segment);
        self.segments.remove(segment)?;
        self.index.forget_garbage(segment)?;
        compaction.current = None;
        compaction.kept.remove(&segment);
        tracing::info!(
            segment,
            bytes = compacted.freed_bytes,
            "compacted a segment of the share log"
        );
        Ok(compacted)
    }

    fn copy(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.frames.is_empty() {
            return Ok(());
        }
        let places = self.segments.append_all(&batch.frames)?;
        let mut moved = batch.moved.clone();
        for (one, to) in moved.iter_mut().zip(places) {
            one.to = to;
        }
        self.index.relocate(&moved)
    }

    /// The needed records from an offset on, about `bytes_max` bytes.
    fn next_batch(&self, segment: u32, offset: u64, bytes_max: u64) -> Result<Next, StoreError> {
        let mut batch = Batch {
            next_offset: offset,
            ..Batch::default()
        };
        while batch.frames.is_empty() || batch.bytes < bytes_max {
            match self.segments.walk(segment, batch.next_offset) {
                Ok(Walked::Record { record, frame }) => {
                    let from = location(segment, batch.next_offset);
                    batch.next_offset = batch.next_offset.saturating_add(frame.len() as u64);
                    match self.use_of(&record, from)? {
                        Use::Needed => batch.add(&record, from, frame),
                        Use::Undecided => return Ok(Next::Wait),
                        Use::Garbage => {}
                    }
                }
                // What the index names there is damaged: it counts as lost once the segment is gone.
                Ok(Walked::Bad { to }) => batch.next_offset = to,
                Ok(Walked::End) => {
                    batch.is_last = true;
                    break;
                }
                Err(error) => {
                    tracing::warn!(segment, offset, %error, "a segment of the share log cannot be read: it is not compacted");
                    return Ok(Next::Unreadable);
                }
            }
        }
        Ok(Next::Copy(batch))
    }
}

/// What comes next in a segment that is taken apart.
enum Next {
    Copy(Batch),
    /// It holds a share that is not decided: later.
    Wait,
    Unreadable,
}

/// Needed records that are copied together.
#[derive(Debug, Default)]
struct Batch {
    frames: Vec<Vec<u8>>,
    /// One for each frame; its new place is not known yet.
    moved: Vec<Moved>,
    bytes: u64,
    next_offset: u64,
    is_last: bool,
}

impl Batch {
    fn add(&mut self, record: &Record, from: ShareLocation, frame: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(frame.len() as u64);
        self.moved.push(Moved {
            height: record.header.height,
            decided_at: record.decided_at(),
            from,
            to: from,
        });
        self.frames.push(frame);
    }
}

/// Segments are shorter than 2 GiB, so an offset within one always fits.
fn location(segment: u32, offset: u64) -> ShareLocation {
    ShareLocation::new(segment, u32::try_from(offset).unwrap_or(u32::MAX))
}
