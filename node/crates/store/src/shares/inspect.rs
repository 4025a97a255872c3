//! Reads the segment files of a stopped validator, or of a copy, and changes nothing.

use super::record::{Parts, RECORD};
use super::resealing::Resealing;
use super::segments::{Damage, SEGMENT_HEAD, ShareLocation, segment_head, segment_number, segment_path};
use crate::StoreError;
use crate::disk::{Attempt, Disk, File, RealDisk, read_up_to};
use crate::frame::{Found, HEAD};
use crate::key::{KeyWrap, StoreKey};
use salus_types::{BlockId, Header, Height, SealedShare, Slot};
use std::path::Path;

/// Bytes searched at once for the next record behind damage.
const SEARCH_CHUNK: usize = 4 << 20;

/// Something that stands in a share log.
#[derive(Debug)]
pub enum ShareLogItem {
    /// A segment file; what it holds follows.
    Segment {
        /// Its number.
        number: u32,
        /// Its bytes.
        bytes: u64,
        /// Whether its first bytes are those of this segment.
        head_is_sound: bool,
    },
    /// A record whose checksum holds.
    Record(Box<InspectedRecord>),
    /// Bytes that are no record. At the end of the last segment it may be a write that was cut short.
    Damage(Damage),
}

/// A record whose checksum holds. Shows no byte of the share.
#[derive(Debug)]
pub struct InspectedRecord {
    /// Where it stands.
    pub location: ShareLocation,
    /// Its bytes, frame included.
    pub bytes: u64,
    /// The block's id, as the record has it.
    pub block: BlockId,
    /// The block's header, as the record has it.
    pub header: Header,
    /// The dealing it belongs to, if it is not the header's own.
    pub resealing: Option<Resealing>,
    /// The slot whose share it is.
    pub slot: Slot,
    /// Bytes of the fragment; everything else is overhead.
    pub fragment_bytes: u64,
    /// What the storage key says.
    pub key: KeyCheck,
}

/// What the storage key says of a record.
pub enum KeyCheck {
    /// It opens the key share; the share is yet to be checked against its root.
    Opens(SealedShare),
    /// It does not: another validator's, or not written by one.
    Refuses,
    /// No key was given.
    NoKey,
}

impl std::fmt::Debug for KeyCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opens(_) => "Opens(..)",
            Self::Refuses => "Refuses",
            Self::NoKey => "NoKey",
        })
    }
}

impl InspectedRecord {
    /// Height of the block that decides, or decided, the dealing: the own one if it is the header's.
    pub fn generation(&self) -> Height {
        self.resealing
            .as_ref()
            .map_or(self.header.height, |resealing| resealing.decided_at)
    }
}

/// Visits everything in the folder of a share log, segment by segment. Holds one record in memory at a time.
///
/// # Errors
/// What the operating system refuses. Damage is an item, not an error.
pub fn inspect_share_log(
    folder: &Path,
    key: Option<&StoreKey>,
    visit: &mut dyn FnMut(ShareLogItem),
) -> Result<(), StoreError> {
    let wrap = match key {
        None => None,
        Some(key) => {
            Some(KeyWrap::new(key).ok_or(StoreError::Initialisation("cannot use its key with AES-256-GCM"))?)
        }
    };
    for entry in RealDisk.list(folder).attempt("list", folder)? {
        if let Some(number) = segment_number(&entry.name) {
            inspect_segment(folder, number, wrap.as_ref(), visit)?;
        }
    }
    Ok(())
}

fn inspect_segment(
    folder: &Path,
    number: u32,
    wrap: Option<&KeyWrap>,
    visit: &mut dyn FnMut(ShareLogItem),
) -> Result<(), StoreError> {
    let path = segment_path(folder, number);
    let file = RealDisk.open_to_read(&path).attempt("open", &path)?;
    let bytes = file.length().attempt("measure", &path)?;
    let head = read_up_to(&*file, 0, SEGMENT_HEAD as usize).attempt("read", &path)?;
    visit(ShareLogItem::Segment {
        number,
        bytes,
        head_is_sound: head == segment_head(number),
    });
    let mut offset = u64::from(SEGMENT_HEAD);
    while offset < bytes {
        let (item, next) = match record_at(&*file, number, offset, wrap).attempt("read", &path)? {
            Some(record) => {
                let next = offset.saturating_add(record.bytes);
                (ShareLogItem::Record(Box::new(record)), next)
            }
            None => {
                let to = next_record(&*file, number, offset, wrap).attempt("read", &path)?;
                let from = offset;
                let segment = number;
                (ShareLogItem::Damage(Damage { segment, from, to }), to)
            }
        };
        visit(item);
        offset = next;
    }
    Ok(())
}

fn record_at(
    file: &dyn File,
    segment: u32,
    offset: u64,
    wrap: Option<&KeyWrap>,
) -> std::io::Result<Option<InspectedRecord>> {
    let head = read_up_to(file, offset, HEAD)?;
    let Some(length) = RECORD.length_of(&head) else {
        return Ok(None);
    };
    let frame = read_up_to(file, offset, length)?;
    let Found::Frame { payload, .. } = RECORD.read(&frame) else {
        return Ok(None);
    };
    let inspected = Parts::of(payload)
        .zip(u32::try_from(offset).ok())
        .map(|(parts, offset)| InspectedRecord {
            location: ShareLocation::new(segment, offset),
            bytes: length as u64,
            key: match wrap {
                None => KeyCheck::NoKey,
                Some(wrap) => parts.open(wrap).map_or(KeyCheck::Refuses, KeyCheck::Opens),
            },
            block: parts.id,
            fragment_bytes: parts.fragment.len() as u64,
            header: parts.header,
            resealing: parts.resealing,
            slot: parts.slot,
        });
    Ok(inspected)
}

/// Where the next record behind damage begins, or where the file ends. With the key, only a record of this validator counts:
/// a fragment may hold bytes that look like one.
fn next_record(file: &dyn File, segment: u32, damaged: u64, wrap: Option<&KeyWrap>) -> std::io::Result<u64> {
    let length = file.length()?;
    let mut start = damaged.saturating_add(1);
    while start < length {
        let chunk = read_up_to(file, start, SEARCH_CHUNK)?;
        let mut from = 0;
        while let Some(found) = RECORD.next_candidate(&chunk, from) {
            let candidate = start.saturating_add(found as u64);
            let record = record_at(file, segment, candidate, wrap)?;
            if record.is_some_and(|record| !matches!(record.key, KeyCheck::Refuses)) {
                return Ok(candidate);
            }
            from = found.saturating_add(1);
        }
        if chunk.len() < SEARCH_CHUNK {
            break;
        }
        // A magic may stand across the border.
        start = start.saturating_add((SEARCH_CHUNK - RECORD.magic.len() + 1) as u64);
    }
    Ok(length)
}
