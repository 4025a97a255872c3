//! How fast a node that is behind comes forward: what it says about itself, and how long it will take.

use salus_api::{SyncPhase, SyncStatus};
use salus_archive::SyncProgress;
use std::collections::VecDeque;
use std::time::Duration;

/// How often the rate's window moves on.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// Samples in the window: the rate is that of about the last ten seconds.
const SAMPLES_MAX: usize = 10;

/// Watches one phase after the other.
#[derive(Debug, Default)]
pub(crate) struct SyncMeter {
    phase: SyncPhase,
    done: u64,
    total: u64,
    samples: VecDeque<(Duration, u64)>,
    now: Duration,
}

impl SyncMeter {
    /// Takes note of how far it is.
    pub(crate) fn observe(&mut self, now: Duration, progress: SyncProgress) {
        let phase = match progress.phase {
            salus_archive::SyncPhase::InStep => SyncPhase::InStep,
            salus_archive::SyncPhase::Headers => SyncPhase::Headers,
            salus_archive::SyncPhase::Snapshot => SyncPhase::Snapshot,
            salus_archive::SyncPhase::Blocks => SyncPhase::Blocks,
        };
        self.note(now, phase, progress.done, progress.total);
    }

    /// In step, but own shares are being rebuilt.
    pub(crate) fn observe_repair(&mut self, now: Duration, repaired: u64, missing: u64) {
        if matches!(self.phase, SyncPhase::InStep | SyncPhase::Repair) {
            let phase = match missing {
                0 => SyncPhase::InStep,
                _ => SyncPhase::Repair,
            };
            self.note(now, phase, repaired, repaired.saturating_add(missing));
        }
    }

    fn note(&mut self, now: Duration, phase: SyncPhase, done: u64, total: u64) {
        if phase != self.phase || done < self.done {
            self.samples.clear();
        }
        (self.phase, self.done, self.total, self.now) = (phase, done, total, now);
        let last = self.samples.back().map(|(at, _)| *at);
        if last.is_none_or(|last| now >= last.saturating_add(SAMPLE_INTERVAL)) {
            self.samples.push_back((now, done));
        }
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    /// Units a second over the window; 0 before there is one.
    fn rate(&self) -> f64 {
        match self.samples.front() {
            Some((since, done)) if self.now > *since => {
                let seconds = self.now.saturating_sub(*since).as_secs_f64();
                self.done.saturating_sub(*done) as f64 / seconds
            }
            _ => 0.0,
        }
    }

    /// What it says about itself.
    pub(crate) fn status(&self) -> SyncStatus {
        let per_second = self.rate();
        let left = self.total.saturating_sub(self.done) as f64;
        let seconds = (per_second > 0.0).then(|| left / per_second);
        SyncStatus {
            phase: self.phase,
            done: self.done,
            total: self.total,
            per_second,
            remaining: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(done: u64) -> SyncProgress {
        SyncProgress {
            phase: salus_archive::SyncPhase::Blocks,
            done,
            total: 1000,
        }
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds_of_one_phase() {
        let mut meter = SyncMeter::default();
        assert_eq!(meter.status().phase, SyncPhase::InStep);
        for second in 0..=30 {
            // 5 a second at first, then 20.
            let done = if second <= 10 {
                second * 5
            } else {
                50 + (second - 10) * 20
            };
            meter.observe(Duration::from_secs(second), blocks(done));
        }
        let status = meter.status();
        assert_eq!(
            (status.phase, status.done, status.total),
            (SyncPhase::Blocks, 450, 1000)
        );
        assert_eq!(status.per_second, 20.0);
        assert_eq!(status.remaining, Some(Duration::from_secs_f64(27.5)));

        meter.observe(Duration::from_secs(31), SyncProgress::default());
        assert_eq!(meter.status().remaining, None, "another phase, another rate");
        meter.observe_repair(Duration::from_secs(31), 0, 40);
        meter.observe_repair(Duration::from_secs(33), 10, 30);
        let status = meter.status();
        assert_eq!(
            (status.phase, status.done, status.total),
            (SyncPhase::Repair, 10, 40)
        );
        assert_eq!(status.per_second, 5.0);
        meter.observe_repair(Duration::from_secs(34), 40, 0);
        assert_eq!(meter.status().phase, SyncPhase::InStep);
    }
}
