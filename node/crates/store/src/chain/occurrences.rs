//! At which heights transactions and patients occur: an index that grows by a few bytes an occurrence.
//!
//! One key for each occurrence is what a database is made for, but measured with sled it cost about 400 bytes of disk an
//! occurrence, as each random key rewrites a page. So occurrences are kept in sorted runs instead:
//!
//! ```text
//! level 0   one run a block                             height 512, 513, 514 ...
//! level 1   one run for 256 heights, merged from level 0 when the last of them is committed
//! ```
//!
//! Blocks that a snapshot skipped come later, in any order: each gets its run on level 0, and the last of its 256 heights merges them
//! with what is there.
//!
//! A run is cut into rows of about 16 KiB, each under `kind || level (1) || first height (8) || first item (8)`. In a row
//! an entry is the difference to the item before it as a LEB128 number, and on level 1 one byte, height - first height. Items are
//! the first 5 bytes of a transaction's id, or a patient's number. A search costs one seek for each 256 heights.

use super::table::Batch;
use super::{ChainStore, keys};
use crate::StoreError;
use salus_types::Height;
use std::ops::{Bound, RangeInclusive};

/// Heights of one run on level 1.
const GROUP: u64 = 256;
/// Bytes of a row, about: a row is closed at the first new item past it.
const ROW_BYTES: usize = 16 << 10;
const BLOCKS: u8 = 0;
const GROUPS: u8 = 1;

/// An item and the height it occurs at, as the difference to the first height of its run.
type Occurrence = (u64, u8);

/// The rows of a run; `entries` are sorted.
fn rows(kind: u8, level: u8, first: Height, entries: &[Occurrence]) -> Batch {
    let mut rows = Batch::new();
    let mut row: Option<(u64, u64, Vec<u8>)> = None;
    for &(item, offset) in entries {
        if let Some((first_item, last, bytes)) =
            row.take_if(|(_, last, bytes)| bytes.len() >= ROW_BYTES && *last != item)
        {
            rows.push((row_key(kind, level, first, first_item), Some(bytes)));
            debug_assert!(last < item);
        }
        let (_, last, bytes) = row.get_or_insert_with(|| (item, item, Vec::new()));
        push_number(bytes, item - *last);
        if level == GROUPS {
            bytes.push(offset);
        }
        *last = item;
    }
    if let Some((first_item, _, bytes)) = row {
        rows.push((row_key(kind, level, first, first_item), Some(bytes)));
    }
    rows
}

fn row_key(kind: u8, level: u8, first: Height, item: u64) -> Vec<u8> {
    keys::key(kind, &[&[level], &first.get().to_be_bytes(), &item.to_be_bytes()])
}

/// First height and first item of a row.
fn parse_key(key: &[u8]) -> Option<(Height, u64)> {
    let (first, item) = key.get(2..)?.split_first_chunk::<8>()?;
    Some((
        Height::new(u64::from_be_bytes(*first)),
        u64::from_be_bytes(item.try_into().ok()?),
    ))
}

/// The entries of a row; `None` if it is damaged.
fn parse_row(level: u8, first_item: u64, mut bytes: &[u8]) -> Option<Vec<Occurrence>> {
    let mut entries = Vec::new();
    let mut item = first_item;
    while !bytes.is_empty() {
        item = item.checked_add(take_number(&mut bytes)?)?;
        let mut offset = 0;
        if level == GROUPS {
            (offset, bytes) = bytes.split_first().map(|(offset, rest)| (*offset, rest))?;
        }
        entries.push((item, offset));
    }
    Some(entries)
}

fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn damaged() -> StoreError {
    StoreError::IndexDamaged("a row of occurrences cannot be read".to_owned())
}

impl ChainStore {
    /// Adds what a block's items write: a run of its own, or the merged run if it completes a group.
    pub(super) fn occurrence_writes(
        &self,
        writes: &mut Batch,
        kind: u8,
        height: Height,
        mut items: Vec<u64>,
    ) -> Result<(), StoreError> {
        items.sort_unstable();
        items.dedup();
        let offset = height.get() % GROUP;
        if offset != GROUP - 1 {
            let entries: Vec<Occurrence> = items.into_iter().map(|item| (item, 0)).collect();
            writes.extend(rows(kind, BLOCKS, height, &entries));
            return Ok(());
        }
        let place = u8::try_from(offset).unwrap_or(u8::MAX);
        let mut entries: Vec<Occurrence> = items.into_iter().map(|item| (item, place)).collect();
        self.take_blocks(writes, kind, height.saturating_sub(offset), &mut entries)?;
        entries.sort_unstable();
        writes.extend(rows(kind, GROUPS, height.saturating_sub(offset), &entries));
        Ok(())
    }

    /// Takes the runs of a group's blocks out, and adds what they hold to `entries`.
    fn take_blocks(
        &self,
        writes: &mut Batch,
        kind: u8,
        first: Height,
        entries: &mut Vec<Occurrence>,
    ) -> Result<(), StoreError> {
        let place = |of: Height| u8::try_from(of.get() - first.get()).unwrap_or(u8::MAX);
        let (from, to) = (
            row_key(kind, BLOCKS, first, 0),
            row_key(kind, BLOCKS, first.saturating_add(GROUP - 1), u64::MAX),
        );
        let mut is_sound = true;
        self.walk(
            Bound::Included(&from),
            Bound::Included(&to),
            false,
            &mut |key, value| {
                let row = parse_key(key).and_then(|(of, item)| Some((of, parse_row(BLOCKS, item, value)?)));
                match row {
                    Some((of, row)) => entries.extend(row.into_iter().map(|(item, _)| (item, place(of)))),
                    None => is_sound = false,
                }
                writes.push((key.to_vec(), None));
                is_sound
            },
        )?;
        if is_sound { Ok(()) } else { Err(damaged()) }
    }

    /// Takes the merged run of a group out, if there is one, and adds what it holds to `entries`.
    fn take_group(
        &self,
        writes: &mut Batch,
        kind: u8,
        first: Height,
        entries: &mut Vec<Occurrence>,
    ) -> Result<(), StoreError> {
        let (from, to) = (
            row_key(kind, GROUPS, first, 0),
            row_key(kind, GROUPS, first, u64::MAX),
        );
        let mut is_sound = true;
        self.walk(
            Bound::Included(&from),
            Bound::Included(&to),
            false,
            &mut |key, value| {
                match parse_key(key).and_then(|(_, item)| parse_row(GROUPS, item, value)) {
                    Some(row) => entries.extend(row),
                    None => is_sound = false,
                }
                writes.push((key.to_vec(), None));
                is_sound
            },
        )?;
        if is_sound { Ok(()) } else { Err(damaged()) }
    }

    /// Adds what a skipped block's items write: a run of its own.
    pub(super) fn late_writes(writes: &mut Batch, kind: u8, height: Height, mut items: Vec<u64>) {
        items.sort_unstable();
        items.dedup();
        let entries: Vec<Occurrence> = items.into_iter().map(|item| (item, 0)).collect();
        writes.extend(rows(kind, BLOCKS, height, &entries));
    }

    /// Merges the runs of a height's group, once no block of it is missing any more.
    pub(super) fn merge_if_whole(&self, height: Height) -> Result<(), StoreError> {
        let first = height.saturating_sub(height.get() % GROUP);
        let last = first.saturating_add(GROUP - 1);
        if self.tip().is_none_or(|tip| tip.height < last) || self.has_gap(first..=last)? {
            return Ok(());
        }
        let mut writes = Batch::new();
        for kind in [keys::TRANSACTION, keys::PATIENT] {
            let mut entries = Vec::new();
            self.take_group(&mut writes, kind, first, &mut entries)?;
            self.take_blocks(&mut writes, kind, first, &mut entries)?;
            entries.sort_unstable();
            entries.dedup();
            writes.extend(rows(kind, GROUPS, first, &entries));
        }
        self.apply(writes)
    }

    /// Heights within a range at which an item occurs, newest first, up to `count`.
    pub(super) fn occurrences(
        &self,
        kind: u8,
        item: u64,
        within: RangeInclusive<Height>,
        count: usize,
    ) -> Result<Vec<Height>, StoreError> {
        let mut heights = Vec::new();
        let (from, to) = (
            row_key(kind, BLOCKS, *within.start(), 0),
            row_key(kind, BLOCKS, *within.end(), u64::MAX),
        );
        let mut is_sound = true;
        self.walk(
            Bound::Included(&from),
            Bound::Included(&to),
            true,
            &mut |key, value| {
                match parse_key(key) {
                    Some((_, first_item)) if first_item > item => {}
                    Some((height, first_item)) => match parse_row(BLOCKS, first_item, value) {
                        Some(row) if row.binary_search(&(item, 0)).is_ok() => heights.push(height),
                        Some(_) => {}
                        None => is_sound = false,
                    },
                    None => is_sound = false,
                }
                is_sound && heights.len() < count
            },
        )?;
        if !is_sound {
            return Err(damaged());
        }
        let mut merged = Vec::new();
        let mut next = Some(*within.end());
        while let Some(end) = next.filter(|end| end >= within.start() && merged.len() < count) {
            let Some((first, row)) = self.group_row(kind, item, end)? else {
                break;
            };
            let found = row.iter().rev().filter(|(of, _)| *of == item);
            let found = found.map(|(_, offset)| first.saturating_add(u64::from(*offset)));
            merged.extend(found.filter(|height| within.contains(height)));
            next = first.checked_sub(1);
        }
        // Runs of blocks may be older than merged ones: those of blocks that came late.
        heights.extend(merged);
        heights.sort_unstable_by(|a, b| b.cmp(a));
        heights.dedup();
        heights.truncate(count);
        Ok(heights)
    }

    /// Of the newest group that starts at or before `end` and has a row that may hold the item: its first height and
    /// that row.
    fn group_row(
        &self,
        kind: u8,
        item: u64,
        end: Height,
    ) -> Result<Option<(Height, Vec<Occurrence>)>, StoreError> {
        let lowest = row_key(kind, GROUPS, Height::ZERO, 0);
        let mut group = end.saturating_sub(end.get() % GROUP);
        loop {
            let seek = row_key(kind, GROUPS, group, item);
            let mut found = None;
            self.walk(
                Bound::Included(&lowest),
                Bound::Included(&seek),
                true,
                &mut |key, value| {
                    found = Some((parse_key(key), value.to_vec()));
                    false
                },
            )?;
            match found {
                None => return Ok(None),
                Some((Some((first, first_item)), row)) if first_item <= item => {
                    let row = parse_row(GROUPS, first_item, &row).ok_or_else(damaged)?;
                    return Ok(Some((first, row)));
                }
                // The last row of an earlier group: look for the item's row there.
                Some((Some((first, _)), _)) if first < group => group = first,
                Some(_) => return Err(damaged()),
            }
        }
    }
}
