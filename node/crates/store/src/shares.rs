//! The share log: the own sealed share of every block, in append-only segment files.
//!
//! ```text
//! append (durable) --> vote --> ChainStore::commit names the location --> get
//!                                        |  the index is lost: a scan of the log finds every record again
//! ```

mod recent;
mod record;
mod segments;
#[cfg(test)]
mod tests;

pub(crate) use recent::Recent;
pub(crate) use segments::Bounds;
pub use segments::{Damage, ShareLocation};

use crate::chain::ChainStore;
use crate::disk::Disk;
use crate::key::{KeyWrap, StoreKey};
use crate::{StoreError, StoreOptions};
use salus_types::{BlockId, Header, Height, SealedShare};
use segments::{ScannedRecord, Segments};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

/// The own shares of all blocks. Cheap to clone; clones share one log.
#[derive(Clone, Debug)]
pub struct ShareLog {
    segments: Arc<Segments>,
    index: ChainStore,
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
    /// There is none, or it is damaged: to be repaired.
    Lost,
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
        };
        log.place(scan.records)?;
        Ok((log, report))
    }

    /// Gives scanned records their place: in the index if their block is committed, else among the recent ones.
    /// Of several records of one block the last counts: it is the repaired one.
    fn place(&self, records: Vec<ScannedRecord>) -> Result<(), StoreError> {
        let tip = self.index.tip().map_or(Height::ZERO, |tip| tip.height);
        for ScannedRecord { at, height, id } in records {
            if height > tip || self.index.tip().is_none() {
                self.index.recent().insert(height, id, at);
            } else if self.index.block_id(height)? == Some(id)
                && self.index.share_location(height)? != Some(at)
            {
                self.index.set_share(height, Some(at))?;
            }
        }
        Ok(())
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
        let at = self.segments.append(&self.segments.encode(header, &id, share)?)?;
        self.index.recent().insert(header.height, id, at);
        Ok(at)
    }

    fn recorded(&self, id: &BlockId) -> Result<Option<(SealedShare, ShareLocation)>, StoreError> {
        let Some(at) = self.location(id)? else {
            return Ok(None);
        };
        let record = self.segments.read(at)?.filter(|record| record.id == *id);
        Ok(record.map(|record| (record.share, at)))
    }

    /// Where the share of a block stands, committed or recent.
    pub fn location(&self, id: &BlockId) -> Result<Option<ShareLocation>, StoreError> {
        if let Some(at) = self.index.recent().get(id) {
            return Ok(Some(at));
        }
        match self.index.height_of(id)? {
            Some(height) => self.index.share_location(height),
            None => Ok(None),
        }
    }

    /// The own share of a committed block; `None` if it is lost or was never kept.
    ///
    /// # Errors
    /// [`StoreError::ShareDamaged`] when the damage is met for the first time; from then on the share counts as lost.
    pub fn get(&self, height: Height) -> Result<Option<SealedShare>, StoreError> {
        let Some(at) = self.index.share_location(height)? else {
            return Ok(None);
        };
        let id = self.index.block_id(height)?;
        let record = self.segments.read(at)?;
        match record.filter(|record| Some(record.id) == id && record.share.height == height) {
            Some(record) => Ok(Some(record.share)),
            None => {
                tracing::warn!(%height, segment = at.segment(), offset = at.offset(), "a kept share is damaged");
                self.index.set_share(height, None)?;
                Err(StoreError::ShareDamaged(height))
            }
        }
    }

    /// The own share of a block by its id, committed or recent; `None` if there is no sound one.
    pub fn get_block(&self, id: &BlockId) -> Result<Option<SealedShare>, StoreError> {
        Ok(self.recorded(id)?.map(|(share, _)| share))
    }

    /// Whether the share of a committed block is kept, as far as can be told without reading it.
    pub fn contains(&self, height: Height) -> Result<bool, StoreError> {
        let at = self.index.share_location(height)?;
        Ok(at.is_some_and(|at| self.segments.reaches(at)))
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
        self.index.for_each_share(|height, at| {
            if ranges.len() >= ranges_max {
                return false;
            }
            if height >= expected && self.segments.reaches(at) {
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
    /// # Errors
    /// [`StoreError::Conflict`] if `id` is not the committed block of that height; otherwise as [`Self::append`].
    pub fn put_repaired(&self, header: &Header, id: BlockId, share: &SealedShare) -> Result<(), StoreError> {
        let height = header.height;
        if self.index.block_id(height)? != Some(id) {
            return Err(StoreError::Conflict { height, id });
        }
        let at = self.segments.append(&self.segments.encode(header, &id, share)?)?;
        // Not synced: a record whose index entry was lost is found again by the scan at opening.
        self.index.set_share(height, Some(at))
    }

    /// Reads the kept shares of up to `count` committed heights from `from` on: the rolling check against bit rot.
    /// What is damaged counts as lost from then on.
    pub fn scrub(&self, from: Height, count: usize) -> Result<Vec<(Height, ShareCheck)>, StoreError> {
        let tip = self.index.tip().map_or(Height::ZERO, |tip| tip.height);
        let mut checks = Vec::new();
        let mut height = from.max(Height::new(1));
        while height <= tip && checks.len() < count {
            let check = match self.get(height) {
                Ok(Some(share)) => ShareCheck::Sound(share),
                Ok(None) | Err(StoreError::ShareDamaged(_)) => ShareCheck::Lost,
                Err(error) => return Err(error),
            };
            checks.push((height, check));
            height = height.next();
        }
        Ok(checks)
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
