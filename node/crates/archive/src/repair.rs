//! Repair: which own shares are missing, and when to fetch the next.

use crate::ranges::HeightRanges;
use crate::{Config, RepairProgress};
use salus_types::{Header, Height};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Blocks repaired at once.
pub(crate) const RUNNING_MAX: usize = 4;
/// Of these, at most so many that are urgent while others wait.
const URGENT_RUNNING_MAX: usize = RUNNING_MAX - 1;
/// How often the pause between passes doubles: up to 64 times as long.
const DOUBLINGS_MAX: u32 = 6;
/// The weight of the past in the average time from one repaired share to the next.
const AVERAGE_WEIGHT: u32 = 7;

/// What is to be repaired: what somebody waits for first, then the rest, each from the newest down.
///
/// No height that cannot be repaired now keeps another from its turn: a queue is worked off in passes that try each height
/// once, and urgent heights never take every place that there is.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    urgent: Queue,
    background: Queue,
    /// Begun and not finished.
    running: BTreeMap<Height, Urgency>,
    /// The pace: nothing is begun before.
    free_at: Duration,
    repaired: u64,
    speed: Speed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    Urgent,
    Background,
}

/// Heights that are tried in passes. A pass that repaired nothing makes the pause before the next longer.
#[derive(Debug, Default)]
struct Queue {
    /// To be tried in this pass.
    now: HeightRanges,
    /// Failed in this pass.
    later: HeightRanges,
    running: usize,
    /// The next pass does not begin before.
    pass_at: Duration,
    fruitless_passes: u32,
    fruitful: bool,
}

/// How fast it goes, while it goes.
#[derive(Debug, Default)]
struct Speed {
    /// From one repaired share to the next, a moving average.
    interval: Option<Duration>,
    /// When the last share was repaired, or work was taken up again.
    since: Duration,
}

impl Repair {
    /// Adds missing heights that nobody waits for. Those known already keep their turn, so announcing them again does not undo
    /// the pause.
    pub(crate) fn add(&mut self, ranges: &[RangeInclusive<Height>]) {
        for heights in ranges {
            self.background.now.insert(heights);
        }
        let Self {
            urgent, background, ..
        } = self;
        for known in [&background.later, &urgent.now, &urgent.later] {
            background.now.subtract(known);
        }
        for height in self.running.keys() {
            background.now.remove(*height);
        }
    }

    /// Adds a missing height that somebody waits for, or takes it from the background. One that is urgent already keeps its
    /// turn.
    pub(crate) fn urge(&mut self, height: Height) {
        let is_known = self.running.contains_key(&height)
            || self.urgent.now.contains(height)
            || self.urgent.later.contains(height);
        if !is_known {
            self.background.now.remove(height);
            self.background.later.remove(height);
            self.urgent.now.insert(&(height..=height));
        }
    }

    /// The next height whose header is needed.
    pub(crate) fn begin(&mut self, now: Duration) -> Option<Height> {
        if self.running.len() >= RUNNING_MAX || now < self.free_at {
            return None;
        }
        if self.running.is_empty() {
            self.speed.since = now;
        }
        let leaves_room = self.urgent.running < URGENT_RUNNING_MAX || !self.background.is_ready(now);
        let urgent = if leaves_room { self.urgent.take(now) } else { None };
        let (height, urgency) = match urgent {
            Some(height) => (height, Urgency::Urgent),
            None => (self.background.take(now)?, Urgency::Background),
        };
        self.running.insert(height, urgency);
        Some(height)
    }

    /// Whether this height was begun and is not finished.
    pub(crate) fn is_running(&self, height: Height) -> bool {
        self.running.contains_key(&height)
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
        let Some(urgency) = self.running.remove(&height) else {
            return;
        };
        if repaired {
            self.repaired = self.repaired.saturating_add(1);
            self.speed.note(now);
        }
        self.queue(urgency).finish(now, config, height, repaired);
    }

    /// A height whose share this node never had: it is not missing after all.
    pub(crate) fn drop(&mut self, height: Height) {
        if let Some(urgency) = self.running.remove(&height) {
            let queue = self.queue(urgency);
            queue.running = queue.running.saturating_sub(1);
        }
    }

    fn queue(&mut self, urgency: Urgency) -> &mut Queue {
        match urgency {
            Urgency::Urgent => &mut self.urgent,
            Urgency::Background => &mut self.background,
        }
    }

    pub(crate) fn progress(&self) -> RepairProgress {
        let (urgent, background) = (self.urgent.count(), self.background.count());
        let remaining = urgent.saturating_add(background);
        let is_busy =
            !self.running.is_empty() || !self.urgent.now.is_empty() || !self.background.now.is_empty();
        let interval = self.speed.interval.filter(|_| is_busy);
        RepairProgress {
            repaired: self.repaired,
            remaining,
            urgent,
            estimate: interval
                .map(|interval| interval.saturating_mul(u32::try_from(remaining).unwrap_or(u32::MAX))),
        }
    }

    /// When there is something to begin.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        if self.running.len() >= RUNNING_MAX {
            return None;
        }
        let queues = [&self.urgent, &self.background].into_iter();
        queues
            .filter_map(Queue::ready_at)
            .min()
            .map(|at| at.max(self.free_at))
    }
}

impl Queue {
    fn take(&mut self, now: Duration) -> Option<Height> {
        if self.now.is_empty() && self.running == 0 && now >= self.pass_at {
            std::mem::swap(&mut self.now, &mut self.later);
            self.fruitful = false;
        }
        let height = self.now.take_newest()?;
        self.running = self.running.saturating_add(1);
        Some(height)
    }

    fn finish(&mut self, now: Duration, config: &Config, height: Height, repaired: bool) {
        self.running = self.running.saturating_sub(1);
        if repaired {
            self.fruitful = true;
        } else {
            self.later.insert(&(height..=height));
        }
        if self.now.is_empty() && self.running == 0 {
            self.fruitless_passes = match self.fruitful {
                true => 0,
                false => self.fruitless_passes.saturating_add(1),
            };
            let doublings = self.fruitless_passes.saturating_sub(1).min(DOUBLINGS_MAX);
            let pause = config.repair_pause.saturating_mul(1 << doublings);
            self.pass_at = now.saturating_add(pause);
        }
    }

    fn is_ready(&self, now: Duration) -> bool {
        self.ready_at().is_some_and(|at| at <= now)
    }

    /// When [`Self::take`] gives something; zero for at once.
    fn ready_at(&self) -> Option<Duration> {
        if !self.now.is_empty() {
            return Some(Duration::ZERO);
        }
        (self.running == 0 && !self.later.is_empty()).then_some(self.pass_at)
    }

    fn count(&self) -> u64 {
        let running = u64::try_from(self.running).unwrap_or(u64::MAX);
        running
            .saturating_add(self.now.count())
            .saturating_add(self.later.count())
    }
}

impl Speed {
    fn note(&mut self, now: Duration) {
        let sample = now.saturating_sub(self.since);
        self.since = now;
        self.interval = Some(match self.interval {
            None => sample,
            Some(average) => average
                .saturating_mul(AVERAGE_WEIGHT)
                .saturating_add(sample)
                .checked_div(AVERAGE_WEIGHT + 1)
                .unwrap_or(sample),
        });
    }
}
