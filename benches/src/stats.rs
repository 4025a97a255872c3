//! Percentiles.

use std::time::Duration;

/// Durations in ascending order.
#[derive(Clone, Debug, Default)]
pub struct Sorted(Vec<Duration>);

impl Sorted {
    /// Sorts them.
    pub fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest one that at least `percent` (0 to 100) percent of all do not exceed (nearest rank), in milliseconds; 0
    /// if there are none.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent.min(100)).div_ceil(100).max(1);
        self.0
            .get(rank - 1)
            .map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let sorted = |range: std::ops::RangeInclusive<u64>| {
            Sorted::new(range.rev().map(Duration::from_millis).collect())
        };
        let hundred = sorted(1..=100);
        assert_eq!(
            [0, 1, 50, 99, 100].map(|percent| hundred.percentile_ms(percent)),
            [1.0, 1.0, 50.0, 99.0, 100.0]
        );
        let three = sorted(1..=3);
        assert_eq!(
            [33, 34, 50, 67, 99].map(|percent| three.percentile_ms(percent)),
            [1.0, 2.0, 2.0, 3.0, 3.0]
        );
        assert_eq!(Sorted::default().percentile_ms(50), 0.0);
    }
}
