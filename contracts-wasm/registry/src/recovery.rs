//! Guardians: how a principal that has lost its keys gets new ones, as functions of values.
//!
//! ```text
//! start (a guardian) --> approve (needed - 1 others) --> ready_ms = now + delay --> finish (a guardian)
//!        \____________________ the live key vetoes, rotates or names guardians anew: all is dropped
//! ```

use salus_sdk::PrincipalId;
use salus_sdk::abi::registry::{
    GUARDIANS_MAX, Guardians, RECOVERY_DELAY_MS_MAX, RECOVERY_DELAY_MS_MIN, Recovery, StartRecovery,
};

/// Whether a principal may name these guardians. That they are there to act is for the state to say.
pub(crate) fn guardians_valid(owner: PrincipalId, named: &Guardians) -> bool {
    let count = named.guardians.len();
    count <= GUARDIANS_MAX
        && (1..=count).contains(&usize::from(named.needed))
        && named.guardians.is_sorted_by(|one, other| one < other)
        && !named.guardians.contains(&owner)
        && (RECOVERY_DELAY_MS_MIN..=RECOVERY_DELAY_MS_MAX).contains(&named.delay_ms)
}

/// A recovery that nobody has approved yet.
pub(crate) fn begin(wanted: &StartRecovery) -> Recovery {
    Recovery {
        signing_key: wanted.signing_key,
        encryption_key: wanted.encryption_key,
        approvals: alloc::vec::Vec::new(),
        ready_ms: None,
    }
}

/// Adds an approval; false if `by` is no guardian or has approved already. The last that is needed starts the clock, and
/// later ones don't move it.
pub(crate) fn approve(recovery: &mut Recovery, by: PrincipalId, named: &Guardians, now_ms: u64) -> bool {
    if !named.guardians.contains(&by) || recovery.approvals.contains(&by) {
        return false;
    }
    recovery.approvals.push(by);
    if recovery.ready_ms.is_none() && recovery.approvals.len() >= usize::from(named.needed) {
        recovery.ready_ms = Some(now_ms.saturating_add(named.delay_ms));
    }
    true
}

/// Whether the new keys may be put in force: in time, and while enough of those who approved can still act.
pub(crate) fn may_finish(recovery: &Recovery, acting: usize, named: &Guardians, now_ms: u64) -> bool {
    acting >= usize::from(named.needed) && recovery.ready_ms.is_some_and(|ready| ready <= now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY_MS: u64 = RECOVERY_DELAY_MS_MIN;
    const OWNER: PrincipalId = PrincipalId::new(1);

    fn named(guardians: &[u32], needed: u8) -> Guardians {
        Guardians {
            guardians: guardians.iter().copied().map(PrincipalId::new).collect(),
            needed,
            delay_ms: DAY_MS,
        }
    }

    fn started() -> Recovery {
        begin(&StartRecovery {
            principal: OWNER,
            signing_key: [1; 32],
            encryption_key: [2; 32],
            proof: [3; 64],
        })
    }

    #[test]
    fn guardians_are_few_distinct_others_and_have_time() {
        assert!(guardians_valid(OWNER, &named(&[2], 1)));
        assert!(guardians_valid(OWNER, &named(&[2, 3, 4, 5, 6, 7, 8, 9], 8)));
        assert!(
            !guardians_valid(OWNER, &named(&[2, 3, 4, 5, 6, 7, 8, 9, 10], 8)),
            "nine"
        );
        assert!(!guardians_valid(OWNER, &named(&[], 0)), "nobody");
        assert!(
            !guardians_valid(OWNER, &named(&[2, 3], 0)),
            "nobody needs to agree"
        );
        assert!(!guardians_valid(OWNER, &named(&[2, 3], 3)), "more than there are");
        assert!(!guardians_valid(OWNER, &named(&[3, 2], 1)), "unsorted");
        assert!(!guardians_valid(OWNER, &named(&[2, 2], 1)), "twice the same");
        assert!(!guardians_valid(OWNER, &named(&[1, 2], 1)), "oneself");
        for (delay_ms, valid) in [
            (DAY_MS - 1, false),
            (DAY_MS, true),
            (90 * DAY_MS, true),
            (90 * DAY_MS + 1, false),
        ] {
            let named = Guardians {
                delay_ms,
                ..named(&[2], 1)
            };
            assert_eq!(guardians_valid(OWNER, &named), valid, "{delay_ms} ms");
        }
    }

    #[test]
    fn the_last_approval_needed_starts_the_clock() {
        let two = named(&[2, 3, 4], 2);
        let mut recovery = started();
        assert_eq!(
            (recovery.signing_key, recovery.encryption_key),
            ([1; 32], [2; 32])
        );
        assert!(approve(&mut recovery, PrincipalId::new(3), &two, 50));
        assert_eq!(recovery.ready_ms, None);
        assert!(
            !approve(&mut recovery, PrincipalId::new(3), &two, 51),
            "once each"
        );
        assert!(
            !approve(&mut recovery, PrincipalId::new(9), &two, 52),
            "not a guardian"
        );
        assert!(!may_finish(&recovery, 1, &two, u64::MAX));
        assert!(approve(&mut recovery, PrincipalId::new(2), &two, 60));
        assert_eq!(recovery.ready_ms, Some(60 + DAY_MS));
        assert!(approve(&mut recovery, PrincipalId::new(4), &two, 70));
        assert_eq!(
            recovery.ready_ms,
            Some(60 + DAY_MS),
            "a third does not put it off"
        );
        assert!(!may_finish(&recovery, 3, &two, 59 + DAY_MS));
        assert!(may_finish(&recovery, 3, &two, 60 + DAY_MS));
        assert!(may_finish(&recovery, 2, &two, 60 + DAY_MS));
        assert!(
            !may_finish(&recovery, 1, &two, 60 + DAY_MS),
            "two of them were deleted"
        );
    }

    proptest! {
        /// Whatever happens in whatever order: no keys without `needed` guardians and the whole delay after the last of them.
        #[test]
        fn keys_need_enough_guardians_and_the_delay(
            count in 1usize..9, needed in 1u8..9, steps in prop::collection::vec((0u32..12, 0u64..DAY_MS), 0..30),
        ) {
            let named = named(&(2..).take(count).collect::<Vec<_>>(), needed.min(u8::try_from(count).unwrap()));
            let (mut recovery, mut now, mut enough_at) = (started(), 0_u64, None::<u64>);
            for (by, passed) in steps {
                now = passed.saturating_add(now);
                approve(&mut recovery, PrincipalId::new(by), &named, now);
                let mut distinct = recovery.approvals.clone();
                distinct.sort_unstable();
                distinct.dedup();
                prop_assert_eq!(distinct.len(), recovery.approvals.len());
                prop_assert!(distinct.iter().all(|by| named.guardians.contains(by)));
                if distinct.len() >= usize::from(named.needed) {
                    enough_at.get_or_insert(now);
                }
                let allowed = enough_at.is_some_and(|at| DAY_MS.saturating_add(at) <= now);
                prop_assert_eq!(may_finish(&recovery, distinct.len(), &named, now), allowed);
            }
        }
    }
}
