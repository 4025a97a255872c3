//! A limit on how often something happens (the generic cell rate algorithm: one number of state).

use std::time::Duration;

/// Allows `burst` events at once and `per_second` in the long run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    interval: Duration,
    tolerance: Duration,
    next: Duration,
}

impl Rate {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            tolerance: interval * burst.saturating_sub(1),
            next: Duration::ZERO,
        }
    }

    /// Whether one more event is allowed at `now`, which never goes back.
    pub(crate) fn allow(&mut self, now: Duration) -> bool {
        if self.next > now + self.tolerance {
            return false;
        }
        self.next = self.next.max(now) + self.interval;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let mut rate = Rate::new(10, 5);
        let at = Duration::from_secs(7);
        assert_eq!((0..20).filter(|_| rate.allow(at)).count(), 5);
        assert!(!rate.allow(at + Duration::from_millis(99)));
        assert!(rate.allow(at + Duration::from_millis(100)));
        assert!(!rate.allow(at + Duration::from_millis(101)));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(steps in proptest::collection::vec(0u64..50, 1..400), per_second in 1u32..100, burst in 1u32..50) {
            let mut rate = Rate::new(per_second, burst);
            let (mut now, mut allowed) = (Duration::ZERO, 0u64);
            for step in steps {
                now += Duration::from_millis(step);
                allowed += u64::from(rate.allow(now));
                let most = f64::from(burst) + now.as_secs_f64() * f64::from(per_second) + 1.0;
                prop_assert!(allowed as f64 <= most);
            }
        }
    }
}
