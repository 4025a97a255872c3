//! Where the own shares stand in the share log, and what in it is no longer needed.
//!
//! ```text
//!  commit ------------> in force  --a later block reseals it-->  superseded  --dropped-->  garbage, to be erased
//!                           |                                                                  ^
//!                           +--damaged, and repaired elsewhere; removed------------------------+
//! ```
//!
//! Counts of garbage only tell compaction where to look; what it may leave behind it decides by the entries themselves.

use super::table::Batch;
use super::{ChainStore, SHARE_SCAN, SHARE_TAIL, damaged, keys};
use crate::StoreError;
use crate::shares::{Bounds, Recent, Resealing, Retired, ShareLocation};
use salus_types::{Hash, Height};
use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

/// What a committed block decides about the shares of an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidedReseal {
    /// Height of the older block.
    pub height: Height,
    /// Its new dealing; `decided_at` is the height of the deciding block.
    pub resealing: Resealing,
    /// Where the own share of it stands; `None` if this node keeps none yet: then it counts as missing.
    pub share: Option<ShareLocation>,
}

/// A kept share of a dealing that is no longer in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// Its block.
    pub height: Height,
    /// Height of the block that had decided its dealing: the own one if it is the header's.
    pub decided_at: Height,
    /// Root of its dealing.
    pub share_root: Hash,
    /// Where it stands.
    pub location: ShareLocation,
}

/// What is known of a height's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShareEntry {
    /// It stands there.
    At(ShareLocation),
    /// It was removed, and none is to be kept.
    Removed,
}

/// A record that compaction has written again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) height: Height,
    pub(crate) decided_at: Height,
    pub(crate) from: ShareLocation,
    pub(crate) to: ShareLocation,
}

/// Records of one segment that nobody needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Garbage {
    /// All of them.
    pub(crate) records: u32,
    /// Those whose bytes must go, however many others stand beside them.
    pub(crate) to_erase: u32,
}

/// Garbage that one batch makes, by segment.
#[derive(Debug, Default)]
pub(super) struct NewGarbage(BTreeMap<u32, Garbage>);

impl NewGarbage {
    pub(super) fn leave(&mut self, at: ShareLocation) {
        let garbage = self.0.entry(at.segment()).or_default();
        garbage.records = garbage.records.saturating_add(1);
    }

    pub(super) fn erase(&mut self, at: ShareLocation) {
        self.leave(at);
        let garbage = self.0.entry(at.segment()).or_default();
        garbage.to_erase = garbage.to_erase.saturating_add(1);
    }
}

impl Garbage {
    fn to_bytes(self) -> Vec<u8> {
        [self.records.to_be_bytes(), self.to_erase.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (records, to_erase) = bytes.split_first_chunk::<4>()?;
        Some(Self {
            records: u32::from_be_bytes(*records),
            to_erase: u32::from_be_bytes(to_erase.try_into().ok()?),
        })
    }
}

impl ShareEntry {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::Removed);
        }
        ShareLocation::from_bytes(bytes).map(Self::At)
    }

    pub(crate) fn location(self) -> Option<ShareLocation> {
        match self {
            Self::At(at) => Some(at),
            Self::Removed => None,
        }
    }
}

impl ChainStore {
    pub(crate) fn share_entry(&self, height: Height) -> Result<Option<ShareEntry>, StoreError> {
        let bytes = self.get(&keys::of_height(keys::SHARE, height))?;
        Ok(bytes.and_then(|bytes| ShareEntry::from_bytes(&bytes)))
    }

    /// Where the own share of a committed block stands in the share log.
    pub fn share_location(&self, height: Height) -> Result<Option<ShareLocation>, StoreError> {
        Ok(self.share_entry(height)?.and_then(ShareEntry::location))
    }

    /// The dealing in force of a committed block, if a later block has resealed it.
    pub fn resealing(&self, height: Height) -> Result<Option<Resealing>, StoreError> {
        let Some(bytes) = self.get(&keys::of_height(keys::RESEALING, height))? else {
            return Ok(None);
        };
        let resealing = Resealing::from_bytes(&bytes).ok_or_else(|| damaged("a resealing cannot be read"))?;
        Ok(Some(resealing))
    }

    /// Shares of dealings that are no longer in force, by height, up to `count`. They are kept until
    /// [`crate::ShareLog::drop_superseded`].
    pub fn superseded(&self, count: usize) -> Result<Vec<Superseded>, StoreError> {
        self.superseded_under(&[keys::SUPERSEDED], count)
    }

    /// Shares of older dealings of one block, the oldest first.
    pub(crate) fn superseded_of(&self, height: Height) -> Result<Vec<Superseded>, StoreError> {
        self.superseded_under(&keys::of_height(keys::SUPERSEDED, height), usize::MAX)
    }

    fn superseded_under(&self, prefix: &[u8], count: usize) -> Result<Vec<Superseded>, StoreError> {
        let mut found = Vec::new();
        self.walk_prefix(prefix, &mut |key, value| {
            if found.len() < count {
                found.extend(decode_superseded(key, value));
            }
            found.len() < count
        })?;
        Ok(found)
    }

    /// Visits the share index in ascending order until `visit` returns false.
    pub(crate) fn for_each_share(
        &self,
        mut visit: impl FnMut(Height, ShareEntry) -> bool,
    ) -> Result<(), StoreError> {
        self.walk_prefix(&[keys::SHARE], &mut |key, value| match (
            keys::height_at_end(key),
            ShareEntry::from_bytes(value),
        ) {
            (Some(height), Some(entry)) => visit(height, entry),
            _ => true,
        })
    }

    /// Segments that hold garbage, the lowest first.
    pub(crate) fn garbage(&self) -> Result<BTreeMap<u32, Garbage>, StoreError> {
        let mut segments = BTreeMap::new();
        self.walk_prefix(&[keys::GARBAGE], &mut |key, value| {
            let segment = key.last_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
            segments.extend(segment.zip(Garbage::from_bytes(value)));
            true
        })?;
        Ok(segments)
    }

    fn meta_location(&self, name: &str) -> Result<Option<ShareLocation>, StoreError> {
        let bytes = self.get(&keys::meta(name))?;
        Ok(bytes.and_then(|bytes| ShareLocation::from_bytes(&bytes)))
    }

    /// What the index knows of the share log; `None` if it names no share.
    pub(crate) fn share_bounds(&self) -> Result<Option<Bounds>, StoreError> {
        let (tail, scan_from) = (self.meta_location(SHARE_TAIL)?, self.meta_location(SHARE_SCAN)?);
        Ok(tail
            .zip(scan_from)
            .map(|(tail, scan_from)| Bounds { scan_from, tail }))
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the place of a share of a committed block, if it belongs to the dealing with this root, which must be in
    /// force (`None`: the header's own). Says whether it did. Durable with the next commit.
    pub(crate) fn name_share(
        &self,
        height: Height,
        root: Option<Hash>,
        at: ShareLocation,
    ) -> Result<bool, StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        let in_force = self.resealing(height)?.map(|resealing| resealing.share_root);
        let (mut writes, mut garbage) = (Batch::new(), NewGarbage::default());
        if in_force == root {
            // Whatever was repaired there is damaged: the rest moves away from that place.
            if let Some(before) = self.share_location(height)?.filter(|before| *before != at) {
                garbage.erase(before);
            }
            writes.push(share_write(height, at));
            self.tail_write(&mut writes, [at])?;
        } else {
            garbage.erase(at);
        }
        self.garbage_writes(&mut writes, garbage)?;
        self.apply(writes)?;
        Ok(in_force == root)
    }

    /// Forgets the place of a damaged share, unless it stands elsewhere by now. Says whether it did.
    pub(crate) fn forget_share(&self, height: Height, at: ShareLocation) -> Result<bool, StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        if self.share_location(height)? != Some(at) {
            return Ok(false);
        }
        let mut writes = vec![(keys::of_height(keys::SHARE, height), None)];
        let mut garbage = NewGarbage::default();
        garbage.erase(at);
        self.garbage_writes(&mut writes, garbage)?;
        self.apply(writes)?;
        Ok(true)
    }

    /// Says that a committed block's share is not to be kept. Durable on return.
    pub(crate) fn remove_share(&self, height: Height) -> Result<(), StoreError> {
        {
            let _writing = self.writing();
            self.0.halt.check()?;
            let mut writes = vec![(keys::of_height(keys::SHARE, height), Some(Vec::new()))];
            let mut garbage = NewGarbage::default();
            if let Some(at) = self.share_location(height)? {
                garbage.erase(at);
            }
            self.garbage_writes(&mut writes, garbage)?;
            self.apply(writes)?;
        }
        self.sync()
    }

    /// Gives up superseded shares. Durable on return.
    pub(crate) fn drop_superseded(&self, dropped: &[(Height, Height)]) -> Result<(), StoreError> {
        {
            let _writing = self.writing();
            self.0.halt.check()?;
            let (mut writes, mut garbage) = (Batch::new(), NewGarbage::default());
            for (height, decided_at) in dropped {
                let key = keys::superseded(*height, *decided_at);
                let Some(found) = self.get(&key)?.and_then(|value| decode_superseded(&key, &value)) else {
                    continue;
                };
                garbage.erase(found.location);
                writes.push((key, None));
            }
            self.garbage_writes(&mut writes, garbage)?;
            self.apply(writes)?;
        }
        self.sync()
    }

    /// Names the new places of records. What was given up while it was copied is garbage in its new place.
    pub(crate) fn relocate(&self, moved: &[Moved]) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        let (mut writes, mut garbage) = (Batch::new(), NewGarbage::default());
        for one in moved {
            let key = keys::superseded(one.height, one.decided_at);
            let old = self.get(&key)?.and_then(|value| decode_superseded(&key, &value));
            if self.share_location(one.height)? == Some(one.from) {
                writes.push(share_write(one.height, one.to));
            } else if let Some(old) = old.filter(|old| old.location == one.from) {
                writes.push((key, Some(superseded_value(one.to, &old.share_root))));
            } else {
                garbage.erase(one.to);
            }
        }
        self.tail_write(&mut writes, moved.iter().map(|one| one.to))?;
        self.garbage_writes(&mut writes, garbage)?;
        self.apply(writes)
    }

    /// Says that a record must be erased that no entry names.
    pub(crate) fn disown(&self, at: ShareLocation) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        let (mut writes, mut garbage) = (Batch::new(), NewGarbage::default());
        garbage.erase(at);
        self.garbage_writes(&mut writes, garbage)?;
        self.apply(writes)
    }

    /// Forgets what is known of a segment that is gone, or that holds nothing to erase.
    pub(crate) fn forget_garbage(&self, segment: u32) -> Result<(), StoreError> {
        let _writing = self.writing();
        self.0.halt.check()?;
        self.apply(vec![(keys::garbage(segment), None)])
    }

    /// Makes what this module has written durable.
    pub(crate) fn sync_shares(&self) -> Result<(), StoreError> {
        self.sync()
    }

    /// What a committed block's own share, and the reseals that it decides, write.
    pub(super) fn decided_writes(
        &self,
        writes: &mut Batch,
        height: Height,
        share: Option<ShareLocation>,
        reseals: &[DecidedReseal],
    ) -> Result<(), StoreError> {
        let mut garbage = NewGarbage::default();
        writes.extend(share.map(|at| share_write(height, at)));
        for reseal in reseals {
            self.reseal_writes(writes, height, reseal)?;
        }
        let named: Vec<ShareLocation> = share
            .into_iter()
            .chain(reseals.iter().filter_map(|reseal| reseal.share))
            .collect();
        self.tail_write(writes, named.iter().copied())?;
        self.scan_write(writes, height, &named, &mut garbage)?;
        self.garbage_writes(writes, garbage)
    }

    /// Puts dealings in force that blocks decided which this node did not execute, because it took over a snapshot of a later state.
    /// Those in force already are passed over. Durable on return.
    ///
    /// # Errors
    /// [`StoreError::ResealRefused`]: nothing was written. A failed write halts the store for good.
    pub fn adopt_reseals(&self, reseals: &[DecidedReseal]) -> Result<(), StoreError> {
        {
            let _writing = self.writing();
            self.0.halt.check()?;
            let mut writes = Batch::new();
            for reseal in reseals {
                let known = self.resealing(reseal.height)?;
                let decided_at = reseal.resealing.decided_at;
                if known.is_none_or(|known| known.decided_at < decided_at) {
                    self.reseal_writes(&mut writes, decided_at, reseal)?;
                }
            }
            self.tail_write(&mut writes, reseals.iter().filter_map(|reseal| reseal.share))?;
            self.apply(writes)?;
        }
        self.sync()
    }

    /// The new dealing takes the place of the one in force, whose share is kept on as superseded.
    fn reseal_writes(
        &self,
        writes: &mut Batch,
        decided_at: Height,
        reseal: &DecidedReseal,
    ) -> Result<(), StoreError> {
        let height = reseal.height;
        let refused = |reason| StoreError::ResealRefused { height, reason };
        if reseal.resealing.decided_at != decided_at || height >= decided_at {
            return Err(refused("it names another deciding block"));
        }
        let header = self
            .header(height)?
            .ok_or_else(|| refused("its header is not here"))?;
        let before = self.resealing(height)?;
        let (before_at, before_root) = before.map_or((height, header.share_root), |resealing| {
            (resealing.decided_at, resealing.share_root)
        });
        if let Some(at) = self.share_location(height)? {
            writes.push((
                keys::superseded(height, before_at),
                Some(superseded_value(at, &before_root)),
            ));
        }
        writes.push((
            keys::of_height(keys::RESEALING, height),
            Some(reseal.resealing.to_bytes()?),
        ));
        writes.push(match reseal.share {
            Some(at) => share_write(height, at),
            None => (keys::of_height(keys::SHARE, height), None),
        });
        Ok(())
    }

    /// Says from where on the share log must be scanned at the next opening: from the first share of a dealing that is
    /// not decided by the block that is being committed, or from the last location that is named.
    ///
    /// Only a commit moves it. A repair runs beside the thread that appends shares, and could otherwise move it past one
    /// that is written but not yet counted.
    fn scan_write(
        &self,
        writes: &mut Batch,
        height: Height,
        named: &[ShareLocation],
        garbage: &mut NewGarbage,
    ) -> Result<(), StoreError> {
        let mut recent = self.recent();
        for Retired { at, to_erase } in recent.retire(height) {
            match (named.contains(&at), to_erase) {
                (true, _) => {}
                (false, true) => garbage.erase(at),
                (false, false) => garbage.leave(at),
            }
        }
        let tail = self.meta_location(SHARE_TAIL)?.max(named.iter().max().copied());
        let from = [recent.lowest_place(), tail].into_iter().flatten().min();
        if let Some(from) = from {
            writes.push((keys::meta(SHARE_SCAN), Some(from.to_bytes().to_vec())));
        }
        Ok(())
    }

    fn tail_write(
        &self,
        writes: &mut Batch,
        named: impl IntoIterator<Item = ShareLocation>,
    ) -> Result<(), StoreError> {
        let tail = self.meta_location(SHARE_TAIL)?;
        if let Some(at) = named.into_iter().max()
            && tail.is_none_or(|tail| tail < at)
        {
            writes.push((keys::meta(SHARE_TAIL), Some(at.to_bytes().to_vec())));
        }
        Ok(())
    }

    fn garbage_writes(&self, writes: &mut Batch, garbage: NewGarbage) -> Result<(), StoreError> {
        for (segment, more) in garbage.0 {
            let key = keys::garbage(segment);
            let known = self.get(&key)?.and_then(|value| Garbage::from_bytes(&value));
            let known = known.unwrap_or_default();
            let sum = Garbage {
                records: known.records.saturating_add(more.records),
                to_erase: known.to_erase.saturating_add(more.to_erase),
            };
            writes.push((key, Some(sum.to_bytes())));
        }
        Ok(())
    }
}

fn share_write(height: Height, at: ShareLocation) -> (Vec<u8>, Option<Vec<u8>>) {
    (keys::of_height(keys::SHARE, height), Some(at.to_bytes().to_vec()))
}

fn superseded_value(at: ShareLocation, share_root: &Hash) -> Vec<u8> {
    [&at.to_bytes()[..], share_root.as_bytes()].concat()
}

fn decode_superseded(key: &[u8], value: &[u8]) -> Option<Superseded> {
    let decided_at = keys::height_at_end(key)?;
    let height = keys::height_at_end(key.get(..key.len().checked_sub(8)?)?)?;
    let (location, share_root) = value.split_at_checked(8)?;
    Some(Superseded {
        height,
        decided_at,
        share_root: Hash::new(share_root.try_into().ok()?),
        location: ShareLocation::from_bytes(location)?,
    })
}
