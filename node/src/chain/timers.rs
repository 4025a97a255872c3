//! What the loop wakes up for.

use salus_consensus::TimerId;
use salus_types::BlockId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Something to do at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// A timer of the consensus core.
    Consensus(TimerId),
    /// Look whether the next height can start: the block interval or the heartbeat is over.
    Start,
    /// Build now even though there is no work.
    Build,
    /// Ask for a dealing whose push did not come.
    Pull(BlockId),
    /// Tell the others how far this node is.
    Tip,
    /// Look again for blocks to be dealt anew.
    Reseal,
}

/// Alarms by time: each at most once.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeMap<(Duration, Alarm), ()>,
    times: BTreeMap<Alarm, Duration>,
}

impl Timers {
    /// Sets an alarm, or moves it.
    pub(crate) fn set(&mut self, alarm: Alarm, at: Duration) {
        self.cancel(alarm);
        self.times.insert(alarm, at);
        self.by_time.insert((at, alarm), ());
    }

    /// Forgets an alarm.
    pub(crate) fn cancel(&mut self, alarm: Alarm) {
        if let Some(at) = self.times.remove(&alarm) {
            self.by_time.remove(&(at, alarm));
        }
    }

    /// Forgets the alarms of the consensus core.
    pub(crate) fn cancel_consensus(&mut self) {
        self.times
            .retain(|alarm, _| !matches!(alarm, Alarm::Consensus(_)));
        self.by_time
            .retain(|(_, alarm), ()| !matches!(alarm, Alarm::Consensus(_)));
    }

    /// When the next alarm is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.by_time.keys().next().map(|(at, _)| *at)
    }

    /// Takes an alarm that is due.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Alarm> {
        let (at, alarm) = *self.by_time.keys().next()?;
        if at > now {
            return None;
        }
        self.cancel(alarm);
        Some(alarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_come_in_their_order_and_once() {
        let ms = Duration::from_millis;
        let mut timers = Timers::default();
        timers.set(Alarm::Tip, ms(30));
        timers.set(Alarm::Start, ms(20));
        timers.set(Alarm::Build, ms(10));
        timers.set(Alarm::Start, ms(40));
        timers.cancel(Alarm::Build);
        assert_eq!(timers.next(), Some(ms(30)));
        assert_eq!(timers.due(ms(29)), None);
        assert_eq!(timers.due(ms(50)), Some(Alarm::Tip));
        assert_eq!(timers.due(ms(50)), Some(Alarm::Start));
        assert_eq!(timers.due(ms(50)), None);
    }
}
