//! How principals stand: warnings, penalties that double, and their lifting.

use crate::caller;
use salus_sdk::abi::access::{AccessEvent, LiftPenalty, PENALTY_MS, REFUSALS_TO_PENALTY, Standing, error};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, Decode, Encode, Map, PrincipalId};

const CONDUCT: Map<PrincipalId, Conduct> = Map::new(b's');

/// A penalty doubles this often at most: the longest lasts 10 minutes times 2^12, 28 days.
const DOUBLINGS_MAX: u32 = 12;

/// What [`Standing`] is made from. Unlike it, this remembers the penalties behind a new warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "bincode")]
pub(crate) struct Conduct {
    /// Refusals since the last penalty, fewer than [`REFUSALS_TO_PENALTY`].
    refusals: u8,
    /// Penalties since the last lift.
    penalties: u8,
    /// When the last penalty ends: block time, milliseconds since 1970.
    until_ms: u64,
}

impl Conduct {
    /// Whether every request is refused now.
    pub(crate) fn penalised(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }

    /// The conduct after one more refusal.
    pub(crate) fn refused(mut self, now_ms: u64) -> Self {
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals >= REFUSALS_TO_PENALTY {
            let length = PENALTY_MS << u32::from(self.penalties).min(DOUBLINGS_MAX);
            self.refusals = 0;
            self.penalties = self.penalties.saturating_add(1);
            self.until_ms = now_ms.saturating_add(length);
        }
        self
    }

    /// As the world sees it. A penalty that has ended is shown until the next refusal, which is a warning again.
    pub(crate) fn standing(&self, now_ms: u64) -> Standing {
        if self.refusals > 0 && !self.penalised(now_ms) {
            Standing::Warned {
                refusals: self.refusals,
            }
        } else if self.penalties > 0 {
            Standing::Penalised {
                until_ms: self.until_ms,
                level: self.penalties,
            }
        } else {
            Standing::Good
        }
    }
}

pub(crate) fn load(cx: &Ctx, principal: PrincipalId) -> Conduct {
    CONDUCT.get(cx, &principal).unwrap_or_default()
}

/// Keeps a changed conduct, and tells the world of a penalty.
pub(crate) fn save(cx: &mut Ctx, principal: PrincipalId, before: Conduct, after: Conduct) {
    if after == before {
        return;
    }
    CONDUCT.set(cx, &principal, &after);
    if after.penalties != before.penalties {
        let standing = after.standing(cx.time_ms());
        cx.emit(&AccessEvent::Penalised { principal, standing });
    }
}

/// An admin forgives its own hospital's people: refusals and penalties start anew.
pub(crate) fn lift_penalty(cx: &mut Ctx, argument: LiftPenalty) -> Result<(), Abort> {
    let by = caller(cx)?;
    let principal = argument.principal;
    let organisation = cx
        .organisation_of(principal)
        .ok_or(Abort(error::UNKNOWN_PRINCIPAL))?;
    if !cx.has_role(by, Role::Admin) || cx.organisation_of(by) != Some(organisation) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    if load(cx, principal).penalties == 0 {
        return Err(Abort(error::NO_PENALTY));
    }
    CONDUCT.remove(cx, &principal);
    cx.emit(&AccessEvent::Lifted { principal, by });
    Ok(())
}

pub(crate) fn standing(cx: &Ctx, principal: PrincipalId) -> Result<Standing, Abort> {
    Ok(load(cx, principal).standing(cx.time_ms()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE_MS: u64 = 60_000;

    #[test]
    fn the_third_refusal_penalises_and_each_penalty_doubles() {
        let mut conduct = Conduct::default();
        let mut now = 1_000;
        assert_eq!(conduct.standing(now), Standing::Good);
        for (level, minutes) in [(1, 10), (2, 20), (3, 40)] {
            for refusals in 1..REFUSALS_TO_PENALTY {
                conduct = conduct.refused(now);
                assert_eq!(conduct.standing(now), Standing::Warned { refusals });
                assert!(!conduct.penalised(now));
            }
            conduct = conduct.refused(now);
            let until_ms = now + minutes * MINUTE_MS;
            assert_eq!(conduct.standing(now), Standing::Penalised { until_ms, level });
            assert!(conduct.penalised(until_ms - 1));
            assert!(!conduct.penalised(until_ms), "it ends at that very moment");
            assert_eq!(
                conduct.standing(until_ms),
                Standing::Penalised { until_ms, level }
            );
            now = until_ms;
        }
    }

    proptest! {
        #[test]
        fn penalties_stay_within_28_days(refusals in 0usize..2_000, now in 0u64..1 << 60) {
            let conduct = (0..refusals).fold(Conduct::default(), |conduct, _| conduct.refused(now));
            prop_assert!(conduct.until_ms.saturating_sub(now) <= PENALTY_MS << DOUBLINGS_MAX);
            prop_assert_eq!(conduct.penalised(now), refusals >= 3);
            prop_assert!(conduct.refusals < REFUSALS_TO_PENALTY);
        }
    }

    #[test]
    fn the_stored_form_does_not_drift() {
        let conduct = Conduct {
            refusals: 2,
            penalties: 1,
            until_ms: 0x0102_0304_0506,
        };
        let bytes = salus_sdk::abi::codec::encode(&conduct);
        assert_eq!(bytes, [2, 1, 253, 0, 0, 1, 2, 3, 4, 5, 6]);
    }
}
