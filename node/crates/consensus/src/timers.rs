//! The timers of a height. The core's timeouts name a kind and a round but no height, so each timer gets a number of
//! its own: one that fires although it was cancelled, or that belongs to an earlier height, is recognised and ignored.

use crate::TimerId;
use arc_malachitebft_core_types::{Timeout, TimeoutKind};
use salus_types::Round;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Timers {
    next: u64,
    /// By kind and round; the core cancels all when a round starts, so only a handful live.
    live: BTreeMap<(u8, u32), (TimerId, Timeout)>,
}

fn place(timeout: &Timeout) -> (u8, u32) {
    let kind = match timeout.kind {
        TimeoutKind::Propose => 0,
        TimeoutKind::Prevote => 1,
        TimeoutKind::Precommit => 2,
        TimeoutKind::Rebroadcast => 3,
        TimeoutKind::FinalizeHeight(_) => 4,
    };
    (kind, timeout.round.as_u32().unwrap_or(0))
}

impl Timers {
    /// Starts a timer; hands back the one that it replaces, if any.
    pub(crate) fn set(&mut self, timeout: Timeout) -> (TimerId, Option<TimerId>) {
        let id = TimerId(self.next);
        self.next = self.next.wrapping_add(1);
        let replaced = self.live.insert(place(&timeout), (id, timeout));
        (id, replaced.map(|(id, _)| id))
    }

    pub(crate) fn cancel(&mut self, timeout: &Timeout) -> Option<TimerId> {
        self.live.remove(&place(timeout)).map(|(id, _)| id)
    }

    pub(crate) fn cancel_all(&mut self) {
        self.live.clear();
    }

    /// Takes the timeout of a timer that fired; `None` if it is stale.
    pub(crate) fn fired(&mut self, id: TimerId) -> Option<Timeout> {
        let place = self
            .live
            .iter()
            .find(|(_, (live, _))| *live == id)
            .map(|(place, _)| *place)?;
        self.live.remove(&place).map(|(_, timeout)| timeout)
    }

    /// The timers that run, for a node that has just replayed its log.
    pub(crate) fn live(&self) -> impl Iterator<Item = (TimerId, Timeout)> + '_ {
        self.live.values().copied()
    }
}

/// The round of a timeout; the core sets none before a height has started.
pub(crate) fn round_of(timeout: &Timeout) -> Round {
    Round::new(timeout.round.as_u32().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arc_malachitebft_core_types::Round as CoreRound;

    #[test]
    fn a_timer_fires_once_and_only_while_it_lives() {
        let mut timers = Timers::default();
        let propose = Timeout::propose(CoreRound::new(1));
        let (first, replaced) = timers.set(propose);
        assert_eq!(replaced, None);
        let (second, replaced) = timers.set(propose);
        assert_eq!(replaced, Some(first));
        assert_eq!(timers.fired(first), None);
        assert_eq!(timers.fired(second), Some(propose));
        assert_eq!(timers.fired(second), None);

        let (third, _) = timers.set(propose);
        assert_eq!(timers.cancel(&propose), Some(third));
        let (fourth, _) = timers.set(propose);
        timers.cancel_all();
        assert_eq!(timers.fired(fourth), None);
        assert_eq!(round_of(&propose), Round::new(1));
    }
}
