//! The share log: the own sealed share of every block, in append-only segment files.
//!
//! ```text
//! append (durable) --> vote --> ChainStore::commit names the location --> get
//!                                        |  the index is lost: a scan of the log finds every record again
//!                                        v
//!                a later block reseals it: superseded --> dropped --> compact writes the rest elsewhere, erases the segment
//! ```
//!
//! Nothing is ever changed in place. Which record of a block counts is said by the index alone, so that there is no moment at
//! which neither the old nor the new one does.

mod compaction;
mod inspect;
mod recent;
mod record;
mod resealing;
mod scan;
mod segments;
#[cfg(test)]
mod tests;

pub use compaction::Compacted;
pub use inspect::{InspectedRecord, KeyCheck, ShareLogItem, inspect_share_log};
pub(crate) use recent::{Recent, Retired};
pub use resealing::{RESEALING_TERMS_MAX, ResealedShare, Resealing};
pub(crate) use segments::Bounds;
pub use segments::{Damage, ShareLocation};

use crate::chain::{ChainStore, ShareEntry};
use crate::disk::Disk;
use crate::key::{KeyWrap, StoreKey};
use crate::{StoreError, StoreOptions};
use compaction::Compaction;
use record::Record;
use resealing::DealingKey;
use salus_types::{BlockId, Hash, Header, Height, SealedShare};
use scan::ScannedRecord;
use segments::Segments;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The own shares of all blocks. Cheap to clone; clones share one log.
#[derive(Clone, Debug)]
pub struct ShareLog {
    segments: Arc<Segments>,
    index: ChainStore,
    compaction: Arc<Mutex<Compaction>>,
}

/// What opening the share log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareReport {
    /// Sound records that were scanned: those after the last one the index knew.
    pub scanned: usize,
    /// Bytes of a record whose writing was cut short; they were cut off.
    pub torn_bytes: u64,
    /// Damage between sound records. The heights it costs are among [`ShareLog::missing`].
    pub damaged: Vec<Damage>,
}

/// What became of a kept share; see [`ShareLog::scrub`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareCheck {
    /// Its checksum and key hold; the caller checks it against the header's share root.
    Sound(SealedShare),
    /// It was there and is damaged: found now, for the first time.
    Damaged,
    /// There is none: removed, or known to be missing.
    Absent,
}

impl ShareLog {
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        key: &StoreKey,
        index: ChainStore,
        options: &StoreOptions,
    ) -> Result<(Self, ShareReport), StoreError> {
        let wrap =
            KeyWrap::new(key).ok_or(StoreError::Initialisation("cannot use its key with AES-256-GCM"))?;
        let known = index.share_bounds()?;
        let (segments, scan) = Segments::open(disk, folder, options.segment_bytes, wrap, known)?;
        let report = ShareReport {
            scanned: scan.records.len(),
            torn_bytes: scan.torn_bytes,
            damaged: scan.damaged,
        };
        let log = Self {
            segments: Arc::new(segments),
            index,
            compaction: Arc::default(),
        };
        log.place(scan.records)?;
        Ok((log, report))
    }

    /// Gives scanned records their place: in the index if their dealing is in force, among the recent ones if it is not
    /// decided. Of several records of one dealing the last counts: it is the repaired one.
    fn place(&self, records: Vec<ScannedRecord>) -> Result<(), StoreError> {
        let tip = self.index.tip().map(|tip| tip.height);
        for record in records {
            let ScannedRecord {
                decided_at,
                dealing,
                at,
                ..
            } = record;
            if tip.is_none_or(|tip| decided_at > tip) {
                self.index.recent().insert(decided_at, dealing, at);
            } else if self.index.block_id(record.height)? == Some(dealing.block) {
                self.place_decided(&record)?;
            }
        }
        Ok(())
    }

    fn place_decided(&self, record: &ScannedRecord) -> Result<(), StoreError> {
        let ScannedRecord { at, height, .. } = *record;
        let entry = self.index.share_entry(height)?;
        if entry == Some(ShareEntry::At(at)) {
            return Ok(());
        }
        let is_in_force = self.root_in_force(height)? == record.dealing.root;
        if is_in_force && entry != Some(ShareEntry::Removed) {
            return self.index.name_share(height, record.dealing.root, at).map(drop);
        }
        let superseded = self.index.superseded_of(height)?;
        match superseded.iter().any(|old| old.location == at) {
            true => Ok(()),
            // A copy that compaction had made when the node stopped, or one that was given up.
            false => self.index.disown(at),
        }
    }

    fn root_in_force(&self, height: Height) -> Result<Option<Hash>, StoreError> {
        Ok(self
            .index
            .resealing(height)?
            .map(|resealing| resealing.share_root))
    }

    /// Keeps the own share of a proposed block. When this returns, the share is durable: only then may the node
    /// precommit the block. A share that is kept already is not written again.
    ///
    /// The caller has checked the share against the header's share root, and that `id` is the header's.
    ///
    /// # Errors
    /// [`StoreError::ShareMismatch`], [`StoreError::TooLong`]; a failed write halts the log for good.
    pub fn append(
        &self,
        header: &Header,
        id: BlockId,
        share: &SealedShare,
    ) -> Result<ShareLocation, StoreError> {
        if let Some((record, at)) = self.recorded(&id)?
            && record == *share
        {
            return Ok(at);
        }
        let at = self
            .segments
            .append(&self.segments.encode(header, &id, None, share)?)?;
        self.index
            .recent()
            .insert(header.height, DealingKey::first(id), at);
        Ok(at)
    }

    /// Keeps own shares of older blocks that a proposed block reseals. When this returns, they are durable, with one fsync for
    /// all: only then may the node vote for that block. The shares in force stay what they are until it is committed.
    ///
    /// The caller has checked each share against its resealing's share root. A share that is kept already is written again.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_resealed(&self, shares: &[ResealedShare<'_>]) -> Result<Vec<ShareLocation>, StoreError> {
        let frames = shares
            .iter()
            .map(|one| {
                self.segments
                    .encode(one.header, &one.id, Some(one.resealing), one.share)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let places = self.segments.append_all(&frames)?;
        let mut recent = self.index.recent();
        for (one, at) in shares.iter().zip(&places) {
            let dealing = DealingKey {
                block: one.id,
                root: Some(one.resealing.share_root),
            };
            recent.insert(one.resealing.decided_at, dealing, *at);
        }
        Ok(places)
    }

    /// Names the places of shares whose blocks became committed without being committed one by one: a snapshot skipped
    /// them, and this log held their shares already.
    pub fn adopt(&self) -> Result<(), StoreError> {
        let Some(tip) = self.index.tip() else {
            return Ok(());
        };
        let known = self.index.recent().up_to(tip.height);
        for (height, dealing, at) in known {
            let is_own = dealing.root.is_none() && self.index.block_id(height)? == Some(dealing.block);
            if is_own && self.index.name_share(height, None, at)? {
                self.index.recent().forget(&dealing);
            }
        }
        Ok(())
    }

    fn recorded(&self, id: &BlockId) -> Result<Option<(SealedShare, ShareLocation)>, StoreError> {
        let Some(at) = self.location(id)? else {
            return Ok(None);
        };
        let record = self.segments.read(at)?.filter(|record| record.id == *id);
        Ok(record.map(|record| (record.share, at)))
    }

    /// Where the share of a block stands: of the dealing in force if it is committed, else of the header's own.
    pub fn location(&self, id: &BlockId) -> Result<Option<ShareLocation>, StoreError> {
        if let Some(at) = self.index.recent().get(&DealingKey::first(*id)) {
            return Ok(Some(at));
        }
        match self.index.height_of(id)? {
            Some(height) => self.index.share_location(height),
            None => Ok(None),
        }
    }

    /// Where the share of a dealing stands that a block to be committed decides: for [`crate::DecidedReseal::share`].
    pub fn resealed_location(&self, id: &BlockId, share_root: &Hash) -> Option<ShareLocation> {
        let dealing = DealingKey {
            block: *id,
            root: Some(*share_root),
        };
        self.index.recent().get(&dealing)
    }

    /// The own share of a committed block, of the dealing in force; `None` if it is lost or was never kept.
    ///
    /// # Errors
    /// [`StoreError::ShareDamaged`] when the damage is met for the first time; from then on the share counts as lost.
    pub fn get(&self, height: Height) -> Result<Option<SealedShare>, StoreError> {
        let id = self.index.block_id(height)?;
        while let Some(at) = self.index.share_location(height)? {
            let record = self.segments.read(at)?;
            let root = self.root_in_force(height)?;
            let is_own = |record: &Record| Some(record.id) == id && record.dealing().root == root;
            if let Some(record) = record.filter(is_own) {
                return Ok(Some(record.share));
            }
            // Unless compaction, a repair or a reseal has put it elsewhere since the index was asked.
            if self.index.forget_share(height, at)? {
                tracing::warn!(%height, segment = at.segment(), offset = at.offset(), "a kept share is damaged");
                return Err(StoreError::ShareDamaged(height));
            }
        }
        Ok(None)
    }

    /// The own share of a block by its id, committed or recent; `None` if there is no sound one.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn get_block(&self, id: &BlockId) -> Result<Option<SealedShare>, StoreError> {
        if let Some((share, _)) = self.recorded(id)? {
            return Ok(Some(share));
        }
        match self.index.height_of(id)? {
            Some(height) => self.get(height),
            None => Ok(None),
        }
    }

    /// The own share of one dealing of a block, whether it is in force, not decided yet, or superseded and not dropped yet.
    ///
    /// `share_root` is the header's for the first dealing.
    pub fn get_dealing(&self, id: &BlockId, share_root: &Hash) -> Result<Option<SealedShare>, StoreError> {
        for at in self.places_of(id)? {
            let record = self.segments.read(at)?.filter(|record| {
                let first = record.header.share_root;
                let root = record.dealing().root.unwrap_or(first);
                record.id == *id && root == *share_root
            });
            if let Some(record) = record {
                return Ok(Some(record.share));
            }
        }
        Ok(None)
    }

    /// Every place at which a share of the block may stand.
    fn places_of(&self, id: &BlockId) -> Result<Vec<ShareLocation>, StoreError> {
        let mut places = self.index.recent().of_block(id);
        if let Some(height) = self.index.height_of(id)? {
            places.extend(self.index.share_location(height)?);
            let superseded = self.index.superseded_of(height)?;
            places.extend(superseded.iter().map(|old| old.location));
        }
        Ok(places)
    }

    /// Gives up shares of dealings that are no longer in force, by height and [`crate::Superseded::decided_at`]: enough others hold
    /// new ones. Durable on return; [`Self::compact`] then erases their bytes. Those given up already are passed over.
    pub fn drop_superseded(&self, dropped: &[(Height, Height)]) -> Result<(), StoreError> {
        self.index.drop_superseded(dropped)
    }

    /// Gives up the share of a committed block for which this node is to keep none. It is not missing from then on. Durable on
    /// return; [`Self::compact`] then erases its bytes. If the index is lost before that, the share is back.
    pub fn remove(&self, height: Height) -> Result<(), StoreError> {
        self.index.remove_share(height)
    }

    /// Whether the share of a committed block is kept, as far as can be told without reading it.
    pub fn contains(&self, height: Height) -> Result<bool, StoreError> {
        let at = self.index.share_location(height)?;
        Ok(at.is_some_and(|at| self.segments.reaches(at)))
    }

    /// Whether the share of a committed block should be kept and is not there.
    pub fn is_missing(&self, height: Height) -> Result<bool, StoreError> {
        let tip = self.index.tip().map_or(Height::ZERO, |tip| tip.height);
        if !(Height::new(1)..=tip).contains(&height) || self.index.block_id(height)?.is_none() {
            return Ok(false);
        }
        Ok(match self.index.share_entry(height)? {
            None => true,
            Some(ShareEntry::Removed) => false,
            Some(ShareEntry::At(at)) => !self.segments.reaches(at),
        })
    }

    /// Committed heights whose own share is not there, in ascending ranges, up to `ranges_max` of them.
    ///
    /// Looks at the index and at the segments' lengths; [`Self::scrub`] reads the shares themselves.
    pub fn missing(&self, ranges_max: usize) -> Result<Vec<RangeInclusive<Height>>, StoreError> {
        let Some(tip) = self.index.tip() else {
            return Ok(Vec::new());
        };
        let first = self
            .index
            .first_height()?
            .unwrap_or(Height::ZERO)
            .max(Height::new(1));
        let mut ranges = Vec::new();
        let mut expected = first;
        self.index.for_each_share(|height, entry| {
            if ranges.len() >= ranges_max {
                return false;
            }
            let is_there = entry.location().is_none_or(|at| self.segments.reaches(at));
            if height >= expected && is_there {
                if height > expected {
                    ranges.push(expected..=height.saturating_sub(1));
                }
                expected = height.next();
            }
            true
        })?;
        if ranges.len() < ranges_max && expected <= tip.height {
            ranges.push(expected..=tip.height);
        }
        Ok(ranges)
    }

    /// Keeps a share that was rebuilt from peers, for a committed block. Durable on return.
    ///
    /// `resealing` is the dealing that the share belongs to, if it is not the header's own.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if `id` is not the committed block of that height; [`StoreError::Resealed`] if another dealing is
    /// in force by now; otherwise as [`Self::append`].
    pub fn put_repaired(
        &self,
        header: &Header,
        id: BlockId,
        resealing: Option<&Resealing>,
        share: &SealedShare,
    ) -> Result<(), StoreError> {
        let height = header.height;
        if self.index.block_id(height)? != Some(id) {
            return Err(StoreError::Conflict { height, id });
        }
        let root = resealing.map(|resealing| resealing.share_root);
        // Compaction must not meet the record before the index names it.
        let _resting = self.compaction();
        if self.root_in_force(height)? != root {
            return Err(StoreError::Resealed(height));
        }
        let at = self
            .segments
            .append(&self.segments.encode(header, &id, resealing, share)?)?;
        // Not synced: a record whose index entry was lost is found again by the scan at opening.
        if self.index.name_share(height, root, at)? {
            Ok(())
        } else {
            Err(StoreError::Resealed(height))
        }
    }

    /// Reads the kept share of a committed height: the rolling check against bit rot asks for one after the other.
    /// What is damaged counts as lost from then on.
    pub fn scrub(&self, height: Height) -> Result<ShareCheck, StoreError> {
        match self.get(height) {
            Ok(Some(share)) => Ok(ShareCheck::Sound(share)),
            Ok(None) => Ok(ShareCheck::Absent),
            Err(StoreError::ShareDamaged(_)) => Ok(ShareCheck::Damaged),
            Err(error) => Err(error),
        }
    }

    /// Counts the share of a committed block as lost: its checksum holds, but it is not the block's.
    pub fn condemn(&self, height: Height) -> Result<(), StoreError> {
        match self.index.share_location(height)? {
            Some(at) => self.index.forget_share(height, at).map(drop),
            None => Ok(()),
        }
    }

    /// The header of a block above the tip whose own share is kept.
    pub fn recent_header(&self, id: &BlockId) -> Result<Option<Header>, StoreError> {
        let Some(at) = self.index.recent().get(&DealingKey::first(*id)) else {
            return Ok(None);
        };
        let record = self.segments.read(at)?.filter(|record| record.id == *id);
        Ok(record.map(|record| record.header))
    }

    /// Blocks above the tip whose share is kept, lowest first: after the index was lost, what can be committed again
    /// without asking peers for shares. Up to `count`, from `from` on.
    pub fn recent_headers(&self, from: Height, count: usize) -> Result<Vec<(BlockId, Header)>, StoreError> {
        let places = self.index.recent().places_from(from, count);
        let mut headers = Vec::with_capacity(places.len());
        for at in places {
            if let Some(record) = self.segments.read(at)? {
                headers.push((record.id, record.header));
            }
        }
        Ok(headers)
    }

    /// Bytes of all segment files.
    pub fn bytes(&self) -> u64 {
        self.segments.bytes()
    }
}
