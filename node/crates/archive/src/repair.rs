//! Repair: which own shares are missing, and when to fetch the next.

use crate::ranges::HeightRanges;
use crate::{Config, RepairProgress};
use salus_types::{Header, Height};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Blocks repaired at once.
pub(crate) const RUNNING_MAX: usize = 4;
/// How often the pause between passes doubles: up to 64 times as long.
const DOUBLINGS_MAX: u32 = 6;

/// What is to be repaired.
///
/// Works in passes: a missing height is tried once in a pass, so that none that cannot be repaired now keeps another
/// from its turn. A pass that repaired nothing makes the pause before the next longer.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    /// To be tried in this pass.
    now: HeightRanges,
    /// Failed in this pass.
    later: HeightRanges,
    /// Begun and not finished.
    running: BTreeSet<Height>,
    /// The pace: nothing is begun before.
    free_at: Duration,
    /// The next pass does not begin before.
    pass_at: Duration,
    fruitless_passes: u32,
    fruitful: bool,
    repaired: u64,
}

impl Repair {
    /// Adds missing heights. Those known already keep their turn, so announcing them again does not undo the pause.
    pub(crate) fn add(&mut self, ranges: &[RangeInclusive<Height>]) {
        for heights in ranges {
            self.now.insert(heights);
        }
        self.now.subtract(&self.later);
        for height in &self.running {
            self.now.remove(*height);
        }
    }

    /// The next height whose header is needed, the newest first.
    pub(crate) fn begin(&mut self, now: Duration) -> Option<Height> {
        if self.now.is_empty() && self.running.is_empty() && now >= self.pass_at {
            std::mem::swap(&mut self.now, &mut self.later);
            self.fruitful = false;
        }
        if self.running.len() >= RUNNING_MAX || now < self.free_at {
            return None;
        }
        let height = self.now.take_newest()?;
        self.running.insert(height);
        Some(height)
    }

    /// Whether this height was begun and is not finished.
    pub(crate) fn is_running(&self, height: Height) -> bool {
        self.running.contains(&height)
    }

    /// Counts what a gather will fetch against the pace: k fragments, which is the ciphertext.
    pub(crate) fn spend(&mut self, now: Duration, config: &Config, header: &Header) {
        let nanoseconds = u64::from(header.sealing.sealed_length)
            .saturating_mul(1_000_000_000)
            .checked_div(config.repair_bytes_per_second)
            .unwrap_or(u64::MAX);
        let cost = Duration::from_nanos(nanoseconds);
        self.free_at = self.free_at.max(now).saturating_add(cost);
    }

    /// A height is done for this pass: repaired, or put off to the next.
    pub(crate) fn finish(&mut self, now: Duration, config: &Config, height: Height, repaired: bool) {
        if !self.running.remove(&height) {
            return;
        }
        if repaired {
            self.repaired = self.repaired.saturating_add(1);
            self.fruitful = true;
        } else {
            self.later.insert(&(height..=height));
        }
        if self.now.is_empty() && self.running.is_empty() {
            self.fruitless_passes = match self.fruitful {
                true => 0,
                false => self.fruitless_passes.saturating_add(1),
            };
            let doublings = self.fruitless_passes.saturating_sub(1).min(DOUBLINGS_MAX);
            let pause = config.repair_pause.saturating_mul(1 << doublings);
            self.pass_at = now.saturating_add(pause);
        }
    }

    /// A height whose share this node never had: it is not missing after all.
    pub(crate) fn drop(&mut self, height: Height) {
        self.running.remove(&height);
    }

    pub(crate) fn progress(&self) -> RepairProgress {
        let running = u64::try_from(self.running.len()).unwrap_or(u64::MAX);
        RepairProgress {
            repaired: self.repaired,
            remaining: running
                .saturating_add(self.now.count())
                .saturating_add(self.later.count()),
        }
    }

    /// When there is something to begin.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        if self.running.len() >= RUNNING_MAX {
            return None;
        }
        if !self.now.is_empty() {
            return Some(self.free_at);
        }
        (self.running.is_empty() && !self.later.is_empty()).then_some(self.pass_at.max(self.free_at))
    }
}
