//! Custody: what keeps a record from being shredded.

use crate::caller;
use salus_sdk::abi::access::{self, Record, RecordId};
use salus_sdk::abi::care::{CareEvent, Custody, HOLDS_MAX, Hold, Retain, SetHold, error};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, ContractId, Ctx, Map, PrincipalId, RecordNumber};

const CUSTODY: Map<(PrincipalId, RecordNumber), Custody> = Map::new(b'k');

pub(crate) fn retain(cx: &mut Ctx, argument: Retain) -> Result<(), Abort> {
    let Retain { record, until_ms } = argument;
    let by = responsible(cx, record, [Role::Manager, Role::Admin])?;
    let mut custody = custody(cx, record)?;
    if !prolong(&mut custody, until_ms, cx.time_ms()) {
        return Err(Abort(error::OUT_OF_RANGE));
    }
    CUSTODY.set(cx, &(record.patient, record.record), &custody);
    cx.emit(&CareEvent::Retained { record, until_ms, by });
    Ok(())
}

pub(crate) fn set_hold(cx: &mut Ctx, argument: SetHold) -> Result<(), Abort> {
    let SetHold { record, reason, hold } = argument;
    let by = responsible(cx, record, [Role::Auditor, Role::Admin])?;
    let mut custody = custody(cx, record)?;
    if hold {
        add_hold(&mut custody, Hold { reason, by }).map_err(Abort)?;
    } else if !lift_hold(&mut custody, reason) {
        return Err(Abort(error::UNKNOWN));
    }
    CUSTODY.set(cx, &(record.patient, record.record), &custody);
    cx.emit(&CareEvent::Hold {
        record,
        reason,
        hold,
        by,
    });
    Ok(())
}

pub(crate) fn custody(cx: &Ctx, record: RecordId) -> Result<Custody, Abort> {
    Ok(CUSTODY
        .get(cx, &(record.patient, record.record))
        .unwrap_or_default())
}

/// Whether nothing keeps a record now.
pub(crate) fn shreddable(cx: &Ctx, record: RecordId) -> Result<bool, Abort> {
    Ok(may_shred(&custody(cx, record)?, cx.time_ms()))
}

/// The caller, if it has one of the roles at a hospital that answers for the record: its author's or its patient's.
fn responsible(cx: &Ctx, id: RecordId, roles: [Role; 2]) -> Result<PrincipalId, Abort> {
    let by = caller(cx)?;
    let found: Option<Option<Record>> = cx.query(ContractId::ACCESS, access::query::RECORD, &id);
    let record = found.flatten().ok_or(Abort(error::UNKNOWN))?;
    let own = cx.organisation_of(by);
    let answers = [record.author, id.patient]
        .iter()
        .any(|who| own.is_some() && cx.organisation_of(*who) == own);
    if answers && roles.iter().any(|role| cx.has_role(by, *role)) {
        Ok(by)
    } else {
        Err(Abort(error::NOT_ALLOWED))
    }
}

/// Whether neither the law's time nor a hold keeps a record.
fn may_shred(custody: &Custody, now_ms: u64) -> bool {
    custody.retain_until_ms <= now_ms && custody.holds.is_empty()
}

/// Prolongs a retention; false if the time is over or no later than before.
fn prolong(custody: &mut Custody, until_ms: u64, now_ms: u64) -> bool {
    let later = until_ms > custody.retain_until_ms && until_ms > now_ms;
    if later {
        custody.retain_until_ms = until_ms;
    }
    later
}

/// Adds a hold, or says why not.
fn add_hold(custody: &mut Custody, hold: Hold) -> Result<(), u16> {
    match custody
        .holds
        .binary_search_by_key(&hold.reason, |hold| hold.reason)
    {
        Ok(_) => Err(error::DUPLICATE),
        Err(_) if custody.holds.len() >= HOLDS_MAX => Err(error::TOO_MANY),
        Err(place) => {
            custody.holds.insert(place, hold);
            Ok(())
        }
    }
}

/// Lifts the hold of a reason; false if there is none.
fn lift_hold(custody: &mut Custody, reason: u16) -> bool {
    let before = custody.holds.len();
    custody.holds.retain(|hold| hold.reason != reason);
    custody.holds.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use salus_sdk::abi::codec;

    fn hold(reason: u16) -> Hold {
        let by = PrincipalId::new(7);
        Hold { reason, by }
    }

    #[test]
    fn a_retention_is_only_prolonged() {
        let mut custody = Custody::default();
        assert!(!prolong(&mut custody, 5, 5), "that moment is over");
        assert!(prolong(&mut custody, 9, 5));
        assert!(!prolong(&mut custody, 9, 5), "no later");
        assert!(!prolong(&mut custody, 8, 5), "earlier");
        assert_eq!(custody.retain_until_ms, 9);
        assert!(prolong(&mut custody, 10, 5));
        assert_eq!(custody.retain_until_ms, 10);
    }

    #[test]
    fn holds_are_few_and_each_reason_holds_once() {
        let mut custody = Custody::default();
        for reason in (1..=8).rev() {
            assert_eq!(add_hold(&mut custody, hold(reason)), Ok(()));
        }
        assert_eq!(add_hold(&mut custody, hold(3)), Err(error::DUPLICATE));
        assert_eq!(add_hold(&mut custody, hold(9)), Err(error::TOO_MANY));
        assert!(lift_hold(&mut custody, 3));
        assert!(!lift_hold(&mut custody, 3));
        assert_eq!(custody.holds.len(), 7);
        assert_eq!(add_hold(&mut custody, hold(9)), Ok(()));
    }

    #[test]
    fn a_record_is_shredded_when_nothing_keeps_it() {
        let hold = Hold {
            reason: 1,
            by: PrincipalId::new(2),
        };
        let custody = |retain_until_ms, holds: &[Hold]| Custody {
            retain_until_ms,
            holds: holds.to_vec(),
        };
        assert!(may_shred(&custody(0, &[]), 5));
        assert!(may_shred(&custody(5, &[]), 5), "the time is over");
        assert!(!may_shred(&custody(6, &[]), 5));
        assert!(!may_shred(&custody(5, &[hold]), 5));
    }

    #[test]
    fn the_stored_form_does_not_drift() {
        let custody = Custody {
            retain_until_ms: 0x0102_0304_0506,
            holds: vec![hold(0x0203)],
        };
        let expected = [253, 0, 0, 1, 2, 3, 4, 5, 6, 1, 251, 2, 3, 7];
        assert_eq!(codec::encode(&custody), expected);
    }

    proptest! {
        #[test]
        fn holds_stay_sorted_and_distinct(steps in prop::collection::vec((0u16..12, any::<bool>()), 0..60)) {
            let mut custody = Custody::default();
            for (reason, set) in steps {
                let there = custody.holds.iter().any(|hold| hold.reason == reason);
                if set {
                    let full = custody.holds.len() >= HOLDS_MAX;
                    prop_assert_eq!(add_hold(&mut custody, hold(reason)).is_ok(), !there && !full);
                } else {
                    prop_assert_eq!(lift_hold(&mut custody, reason), there);
                }
                prop_assert!(custody.holds.is_sorted_by(|one, other| one.reason < other.reason));
                prop_assert!(custody.holds.len() <= HOLDS_MAX);
            }
        }
    }
}
