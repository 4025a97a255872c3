//! The only place that reads a clock. Everything else takes time as an argument.
#![expect(clippy::disallowed_methods, reason = "this is the clock")]

use salus_types::Timestamp;
use std::time::{Duration, Instant, SystemTime};

/// Reads the machine's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time starts now.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Time since the start; never jumps.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Wall-clock time; may jump when the machine's clock is set.
    pub(crate) fn wall(&self) -> Timestamp {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Timestamp::new(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }
}
