//! Keeps the share log sound and small: reads every share again in turn, and has room reclaimed.
//!
//! How far it is stands in the index, so that a restart goes on instead of beginning anew.

use crate::config;
use crate::view::View;
use salus_api::{ScrubPass, ScrubStatus};
use salus_seal::CheckedShare;
use salus_store::{ShareCheck, StoreError};
use salus_types::{Height, SealedShare, ShareCommitment, Timestamp, codec};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Replaced shares that are given up at once.
const DROP_BATCH: usize = 4_096;
/// How often a little is done.
const TICK: Duration = Duration::from_secs(1);
/// How often the place reached is written down while a pass goes on.
const SAVE_INTERVAL: Duration = Duration::from_secs(60);
/// What reading a share costs at least, whatever its length: a seek.
const READ_BYTES_MIN: u64 = 512;
/// Steps of compaction in a tick, at most; a survey of a segment is one.
const COMPACTION_STEPS_MAX: usize = 8;
/// Damaged heights that are remembered until they are repaired.
const FOUND_MAX: usize = 1_024;
/// The name of the record in the index.
const RECORD: &str = "scrub";
const RECORD_MAX: usize = 16 << 10;

/// What is kept across restarts; docs/FORMATS.md draws it.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
struct Record {
    version: u8,
    /// The height checked last in the pass under way.
    height: Height,
    current: Pass,
    last: Option<Pass>,
    /// Damaged in the current pass, or the last one if none is under way, and not repaired yet.
    found: Vec<Height>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
struct Pass {
    /// 0 if it has not begun.
    started: Timestamp,
    finished: Timestamp,
    checked: u64,
    damaged: u64,
    repaired: u64,
}

/// The share log's keeper.
pub(super) struct Upkeep {
    view: Arc<View>,
    scrub: config::Scrub,
    compaction: config::Compaction,
    tick_at: Duration,
    save_at: Duration,
    record: Record,
    found: BTreeSet<Height>,
    /// Damaged shares found since the start, by whomever.
    damaged: u64,
}

impl Upkeep {
    /// Goes on where the last run of the node stopped.
    pub(super) fn new(
        view: Arc<View>,
        scrub: config::Scrub,
        compaction: config::Compaction,
    ) -> Result<Self, StoreError> {
        let kept = view.index.meta(RECORD)?;
        let kept = kept.and_then(|bytes| codec::decode::<Record>(&bytes, RECORD_MAX).ok());
        let record = kept.filter(|record| record.version == 1).unwrap_or(Record {
            version: 1,
            ..Record::default()
        });
        let found = record.found.iter().copied().collect();
        let upkeep = Self {
            view,
            scrub,
            compaction,
            tick_at: TICK,
            save_at: SAVE_INTERVAL,
            record,
            found,
            damaged: 0,
        };
        upkeep.show();
        Ok(upkeep)
    }

    /// When [`Self::tick`] is to be called next.
    pub(super) const fn next_tick(&self) -> Duration {
        self.tick_at
    }

    /// Does what is due. Returns the heights whose shares turned out to be damaged.
    pub(super) fn tick(&mut self, now: Duration) -> Result<Vec<Height>, StoreError> {
        self.tick_at = now.saturating_add(TICK);
        let damaged = self.check_some()?;
        self.drop_superseded()?;
        self.compact_some()?;
        let is_due = now >= self.save_at && self.is_under_way();
        if is_due || !damaged.is_empty() {
            self.save(now)?;
        }
        self.show();
        Ok(damaged)
    }

    /// Somebody else met a damaged share.
    pub(super) fn met_damage(&mut self, height: Height) {
        self.damaged = self.damaged.saturating_add(1);
        metrics::counter!("salus_shares_damaged_total").increment(1);
        tracing::warn!(%height, "a kept share is damaged: it is repaired from other members");
        self.show();
    }

    /// A share is back.
    pub(super) fn repaired(&mut self, height: Height) {
        if !self.found.remove(&height) {
            return;
        }
        let pass = match self.is_under_way() {
            true => Some(&mut self.record.current),
            false => self.record.last.as_mut(),
        };
        if let Some(pass) = pass {
            pass.repaired = pass.repaired.saturating_add(1);
        }
        self.save_at = Duration::ZERO;
        self.show();
    }

    fn is_under_way(&self) -> bool {
        self.record.current.started > Timestamp::ZERO
    }

    /// Checks the next shares, about as many bytes as the rate allows for one tick.
    fn check_some(&mut self) -> Result<Vec<Height>, StoreError> {
        let mut damaged = Vec::new();
        let mut budget = self.scrub.bytes_per_second;
        if !self.is_under_way() && !self.begin_pass() {
            return Ok(damaged);
        }
        while budget > 0 {
            let height = self.record.height.next();
            if height > self.view.tip() {
                self.finish_pass()?;
                break;
            }
            self.record.height = height;
            let (found_damaged, bytes) = self.check(height)?;
            budget = budget.saturating_sub(bytes.max(READ_BYTES_MIN));
            if found_damaged {
                damaged.push(height);
            }
        }
        Ok(damaged)
    }

    /// Begins a pass if it is time; says whether it did.
    fn begin_pass(&mut self) -> bool {
        let now = self.view.clock.wall();
        let interval_ms = self.scrub.interval_s.saturating_mul(1_000);
        let since = self
            .record
            .last
            .and_then(|last| now.get().checked_sub(last.started.get()));
        // A clock that was set back does not put the next pass off.
        let is_early = self.record.last.is_some() && since.is_some_and(|since| since < interval_ms);
        if is_early || self.view.tip() == Height::ZERO {
            return false;
        }
        self.record.height = Height::ZERO;
        self.record.current = Pass {
            started: now,
            ..Pass::default()
        };
        self.found.clear();
        true
    }

    fn finish_pass(&mut self) -> Result<(), StoreError> {
        let pass = Pass {
            finished: self.view.clock.wall(),
            ..self.record.current
        };
        let Pass { checked, damaged, .. } = pass;
        tracing::info!(checked, damaged, "all kept shares were read and checked");
        metrics::gauge!("salus_scrub_last_pass_seconds").set(pass.finished.get() as f64 / 1_000.0);
        metrics::gauge!("salus_scrub_last_pass_damaged").set(damaged as f64);
        self.record.last = Some(pass);
        self.record.current = Pass::default();
        self.save(self.view.clock.elapsed())
    }

    /// Whether a share was found damaged, and how many bytes were read.
    fn check(&mut self, height: Height) -> Result<(bool, u64), StoreError> {
        // Before the share: a block that is committed in between may put another dealing in force.
        let dealing = self.view.kept_dealing(height)?;
        let (is_sound, bytes) = match self.view.shares.scrub(height)? {
            ShareCheck::Absent => return Ok((false, 0)),
            ShareCheck::Damaged => (false, 0),
            ShareCheck::Sound(share) => {
                let bytes = share.fragment.len() as u64;
                (self.is_of_dealing(height, dealing, share)?, bytes)
            }
        };
        let pass = &mut self.record.current;
        pass.checked = pass.checked.saturating_add(1);
        metrics::counter!("salus_shares_checked_total").increment(1);
        if !is_sound {
            pass.damaged = pass.damaged.saturating_add(1);
            if self.found.len() < FOUND_MAX {
                self.found.insert(height);
            }
            self.met_damage(height);
        }
        Ok((!is_sound, bytes))
    }

    /// A share whose checksum holds may still be another one than the block's: bad memory, a bad repair.
    fn is_of_dealing(
        &self,
        height: Height,
        dealing: Option<ShareCommitment>,
        share: SealedShare,
    ) -> Result<bool, StoreError> {
        let Some(dealing) = dealing else {
            return Ok(true);
        };
        let is_sound = CheckedShare::check(share, dealing).is_ok();
        if is_sound || self.view.kept_dealing(height)? != Some(dealing) {
            return Ok(true); // or it was dealt anew meanwhile: the next pass looks again
        }
        self.view.shares.condemn(height)?;
        Ok(false)
    }

    /// Gives up shares that a reseal has replaced: the quorum that decided it holds the new ones. In the midst of a job only
    /// many at once, since whatever shares a segment of the log with them is written again.
    fn drop_superseded(&self) -> Result<(), StoreError> {
        let job = self.view.executor.reseal_job(&self.view.index);
        let job = job.map_err(|fault| StoreError::IndexDamaged(fault.0))?;
        let is_open = job.is_some_and(|job| job.is_open());
        loop {
            let old = self.view.index.superseded(DROP_BATCH)?;
            if old.is_empty() || is_open && old.len() < DROP_BATCH {
                return Ok(());
            }
            let old: Vec<_> = old.iter().map(|old| (old.height, old.decided_at)).collect();
            self.view.shares.drop_superseded(&old)?;
        }
    }

    /// Lets the share log reclaim room, within the rate.
    fn compact_some(&self) -> Result<(), StoreError> {
        let erase = self.view.index.superseded(1)?.is_empty();
        let mut budget = self.compaction.bytes_per_second;
        for _ in 0..COMPACTION_STEPS_MAX {
            let step = self.view.shares.compact(budget, erase)?;
            metrics::counter!("salus_share_log_freed_bytes_total").increment(step.freed_bytes);
            metrics::counter!("salus_share_log_copied_bytes_total").increment(step.copied_bytes);
            budget = budget.saturating_sub(step.copied_bytes);
            if !step.more || budget == 0 {
                break;
            }
        }
        Ok(())
    }

    fn save(&mut self, now: Duration) -> Result<(), StoreError> {
        self.save_at = now.saturating_add(SAVE_INTERVAL);
        self.record.found = self.found.iter().copied().collect();
        self.view.index.put_meta(RECORD, &codec::encode(&self.record))
    }

    fn show(&self) {
        self.view.progress.set_scrub(ScrubStatus {
            bytes_per_second: self.scrub.bytes_per_second,
            current: self.record.current.shown(),
            height: self.record.height,
            last: self.record.last.map(Pass::shown),
            damaged: self.damaged,
        });
    }
}

impl Pass {
    fn shown(self) -> ScrubPass {
        let Self {
            started,
            finished,
            checked,
            damaged,
            repaired,
        } = self;
        ScrubPass {
            started,
            finished,
            checked,
            damaged,
            repaired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_record_has_these_bytes() {
        let pass = Pass {
            started: Timestamp::new(1_700_000_000_000),
            finished: Timestamp::new(1_700_000_000_900),
            checked: 300,
            damaged: 2,
            repaired: 1,
        };
        let record = Record {
            version: 1,
            height: Height::new(77),
            current: Pass::default(),
            last: Some(pass),
            found: vec![Height::new(5)],
        };
        let bytes = codec::encode(&record);
        expect!["014d000000000001fd0000018bcfe56800fd0000018bcfe56b84fb012c02010105"]
            .assert_eq(&data_encoding::HEXLOWER.encode(&bytes));
        assert_eq!(codec::decode::<Record>(&bytes, RECORD_MAX), Ok(record));
    }

    #[test]
    fn a_full_record_fits() {
        let record = Record {
            found: (0..FOUND_MAX as u64).map(|n| Height::new(u64::MAX - n)).collect(),
            ..Record::default()
        };
        assert!(codec::encode(&record).len() <= RECORD_MAX);
    }
}
