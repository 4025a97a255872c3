//! When to dial whom. Pure: time and seed are arguments, the swarm does the dialing.
//!
//! Of two members the one with the lower number dials at once, the other only after a grace: so they rarely dial
//! each other at the same time, and a member that can be reached from one side only is still reached. A failed
//! attempt doubles the pause, up to a limit; half of every pause is jitter. A link that broke soon after it came up
//! counts as failed, so that a peer that refuses us is not hammered.

use salus_types::{Hash, MemberId};
use std::collections::BTreeMap;
use std::time::Duration;

/// A link that lasted this long was good.
const STABLE: Duration = Duration::from_secs(10);
/// An attempt of which nothing was heard for this long is given up.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Dialer {
    seed: u64,
    pause_min: Duration,
    pause_max: Duration,
    grace: Duration,
    targets: BTreeMap<MemberId, Target>,
}

#[derive(Debug)]
struct Target {
    dials_first: bool,
    attempts: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Waiting { until: Duration },
    Dialing { since: Duration },
    Up { since: Duration },
}

impl Dialer {
    pub(crate) fn new(seed: u64, pause_min: Duration, pause_max: Duration, grace: Duration) -> Self {
        Self {
            seed,
            pause_min,
            pause_max,
            grace,
            targets: BTreeMap::new(),
        }
    }

    /// Starts to keep a link to a member; the first attempt is due at once for whoever dials first.
    pub(crate) fn add(&mut self, member: MemberId, dials_first: bool, now: Duration) {
        let until = if dials_first { now } else { now + self.grace };
        let target = Target {
            dials_first,
            attempts: 0,
            state: State::Waiting { until },
        };
        self.targets.insert(member, target);
    }

    /// Stops to keep a link.
    pub(crate) fn remove(&mut self, member: MemberId) {
        self.targets.remove(&member);
    }

    /// The member has new addresses: if there is no link, try them at once.
    pub(crate) fn moved(&mut self, member: MemberId, now: Duration) {
        if let Some(target) = self.targets.get_mut(&member)
            && !matches!(target.state, State::Up { .. })
        {
            target.attempts = 0;
            target.state = State::Waiting { until: now };
        }
    }

    /// The members to dial now. Each is taken to be dialed until [`Self::up`] or [`Self::down`] says what came of it.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<MemberId> {
        let mut due = Vec::new();
        for (member, target) in &mut self.targets {
            if target.state.wakes_at().is_some_and(|at| at <= now) {
                target.state = State::Dialing { since: now };
                due.push(*member);
            }
        }
        due
    }

    /// When [`Self::due`] has something to say next.
    pub(crate) fn wakes_at(&self) -> Option<Duration> {
        self.targets
            .values()
            .filter_map(|target| target.state.wakes_at())
            .min()
    }

    /// A link is up, whoever dialed.
    pub(crate) fn up(&mut self, member: MemberId, now: Duration) {
        if let Some(target) = self.targets.get_mut(&member)
            && !matches!(target.state, State::Up { .. })
        {
            target.state = State::Up { since: now };
        }
    }

    /// The last link broke, or an attempt failed. Returns how many attempts in a row have failed.
    pub(crate) fn down(&mut self, member: MemberId, now: Duration) -> u32 {
        let Some(target) = self.targets.get_mut(&member) else {
            return 0;
        };
        target.attempts = match target.state {
            State::Up { since } if now >= since + STABLE => 0,
            State::Waiting { .. } => return target.attempts,
            _ => target.attempts.saturating_add(1),
        };
        let pause = self
            .pause_min
            .saturating_mul(1 << target.attempts.min(16))
            .min(self.pause_max);
        let jitter = pause.mul_f64(0.5 * fraction(self.seed, member, target.attempts, now));
        let grace = if target.dials_first {
            Duration::ZERO
        } else {
            self.grace
        };
        target.state = State::Waiting {
            until: now + pause / 2 + jitter + grace,
        };
        target.attempts
    }
}

impl State {
    fn wakes_at(self) -> Option<Duration> {
        match self {
            Self::Waiting { until } => Some(until),
            Self::Dialing { since } => Some(since + ATTEMPT_MAX),
            Self::Up { .. } => None,
        }
    }
}

/// A number from 0 up to 1 that depends on everything given.
fn fraction(seed: u64, member: MemberId, attempts: u32, now: Duration) -> f64 {
    let mut bytes = seed.to_be_bytes().to_vec();
    bytes.extend(member.get().to_be_bytes());
    bytes.extend(attempts.to_be_bytes());
    bytes.extend(now.as_nanos().to_be_bytes());
    let [a, b, c, d, ..] = *Hash::of_content(&bytes).as_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: MemberId = MemberId::new(1);
    const B: MemberId = MemberId::new(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn dialer(seed: u64) -> Dialer {
        Dialer::new(seed, ms(100), ms(1_000), ms(500))
    }

    #[test]
    fn the_lower_number_dials_at_once_and_the_other_after_a_grace() {
        let mut dialer = dialer(1);
        dialer.add(A, true, ms(0));
        dialer.add(B, false, ms(0));
        assert_eq!(dialer.due(ms(0)), [A]);
        assert_eq!(dialer.due(ms(499)), []);
        assert_eq!(dialer.due(ms(500)), [B]);
        assert_eq!(dialer.due(ms(501)), [], "none is dialed twice at a time");
    }

    #[test]
    fn pauses_double_up_to_the_limit_and_a_stable_link_resets_them() {
        let mut dialer = dialer(1);
        let mut now = ms(0);
        dialer.add(A, true, now);
        for most in [200, 400, 800, 1_000, 1_000, 1_000] {
            assert_eq!(dialer.due(now), [A]);
            dialer.down(A, now);
            let pause = dialer.wakes_at().unwrap() - now;
            assert!(ms(most / 2) <= pause && pause <= ms(most), "{pause:?} of {most}");
            now += pause;
        }
        assert_eq!(dialer.due(now), [A]);
        dialer.up(A, now);
        assert_eq!(dialer.wakes_at(), None);
        assert_eq!(dialer.down(A, now + STABLE), 0);
        assert!(dialer.wakes_at().unwrap() <= now + STABLE + ms(100));
    }

    #[test]
    fn a_link_that_breaks_at_once_is_a_failure() {
        let mut dialer = dialer(1);
        dialer.add(A, true, ms(0));
        for attempt in 1..5 {
            let now = dialer.wakes_at().unwrap();
            assert_eq!(dialer.due(now), [A]);
            dialer.up(A, now);
            assert_eq!(dialer.down(A, now + ms(1)), attempt);
        }
    }

    #[test]
    fn new_addresses_are_tried_at_once_unless_there_is_a_link() {
        let mut dialer = dialer(1);
        dialer.add(A, true, ms(0));
        assert_eq!(dialer.due(ms(0)), [A]);
        dialer.down(A, ms(1));
        dialer.moved(A, ms(2));
        assert_eq!(dialer.due(ms(2)), [A]);
        dialer.up(A, ms(3));
        dialer.moved(A, ms(4));
        assert_eq!(dialer.due(ms(5)), []);
        dialer.remove(A);
        assert_eq!(dialer.wakes_at(), None);
    }

    #[test]
    fn a_forgotten_attempt_is_given_up() {
        let mut dialer = dialer(1);
        dialer.add(A, true, ms(0));
        assert_eq!(dialer.due(ms(0)), [A]);
        assert_eq!(dialer.due(ATTEMPT_MAX), [A]);
    }

    proptest! {
        #[test]
        fn jitter_is_a_fraction_and_depends_on_the_seed_only(seed: u64, attempts: u32, at in 0u64..1_000_000) {
            let one = fraction(seed, A, attempts, ms(at));
            prop_assert!((0.0..1.0).contains(&one));
            prop_assert_eq!(one, fraction(seed, A, attempts, ms(at)));
            prop_assert_ne!(one, fraction(seed ^ 1, A, attempts, ms(at)));
        }
    }
}
