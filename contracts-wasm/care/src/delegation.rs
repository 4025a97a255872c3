//! Delegation: who acts for a patient, and how far.

use crate::{caller, require_patient};
use alloc::vec::Vec;
use salus_sdk::abi::care::{CareEvent, DELEGATES_MAX, DelegateEntry, Delegation, Resign, SetDelegate, error};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, Map, PrincipalId};

const DELEGATIONS: Map<(PrincipalId, PrincipalId), Delegation> = Map::new(b'd');

pub(crate) fn set_delegate(cx: &mut Ctx, argument: SetDelegate) -> Result<(), Abort> {
    let patient = caller(cx)?;
    require_patient(cx, patient).map_err(|_| Abort(error::NOT_ALLOWED))?;
    let SetDelegate { delegate, delegation } = argument;
    match delegation {
        Some(delegation) => name(cx, patient, delegate, delegation),
        None => end(cx, patient, delegate),
    }
}

pub(crate) fn resign(cx: &mut Ctx, argument: Resign) -> Result<(), Abort> {
    let delegate = caller(cx)?;
    end(cx, argument.patient, delegate)
}

/// A delegation that stands now, of a delegate who may still act.
pub(crate) fn delegation(
    cx: &Ctx,
    (patient, delegate): (PrincipalId, PrincipalId),
) -> Result<Option<Delegation>, Abort> {
    Ok(standing(cx, patient, delegate))
}

/// As [`delegation`].
pub(crate) fn standing(cx: &Ctx, patient: PrincipalId, delegate: PrincipalId) -> Option<Delegation> {
    DELEGATIONS
        .get(cx, &(patient, delegate))
        .filter(|delegation| delegation.until_ms > cx.time_ms() && may_be_delegate(cx, delegate))
}

pub(crate) fn delegates(cx: &Ctx, patient: PrincipalId) -> Result<Vec<DelegateEntry>, Abort> {
    let all = DELEGATIONS.scan(cx, &patient).take(DELEGATES_MAX);
    Ok(all
        .map(|((_, delegate), delegation)| DelegateEntry { delegate, delegation })
        .collect())
}

fn name(
    cx: &mut Ctx,
    patient: PrincipalId,
    delegate: PrincipalId,
    delegation: Delegation,
) -> Result<(), Abort> {
    if delegate == patient || !may_be_delegate(cx, delegate) {
        return Err(Abort(error::UNKNOWN_PRINCIPAL));
    }
    let now_ms = cx.time_ms();
    if delegation.until_ms <= now_ms {
        return Err(Abort(error::OUT_OF_RANGE));
    }
    let entry = DelegateEntry { delegate, delegation };
    let all = delegates(cx, patient)?;
    let (ended, room) = make_room(&all, delegate, now_ms);
    if !room {
        return Err(Abort(error::TOO_MANY));
    }
    for delegate in ended {
        DELEGATIONS.remove(cx, &(patient, delegate));
    }
    DELEGATIONS.set(cx, &(patient, delegate), &delegation);
    cx.emit(&CareEvent::DelegateSet { patient, entry });
    Ok(())
}

fn end(cx: &mut Ctx, patient: PrincipalId, delegate: PrincipalId) -> Result<(), Abort> {
    let key = (patient, delegate);
    DELEGATIONS.get(cx, &key).ok_or(Abort(error::UNKNOWN))?;
    DELEGATIONS.remove(cx, &key);
    cx.emit(&CareEvent::DelegateEnded { patient, delegate });
    Ok(())
}

/// People act for others: relatives and carers who are patients themselves, and doctors. Gateways and staff don't.
fn may_be_delegate(cx: &Ctx, delegate: PrincipalId) -> bool {
    cx.has_role(delegate, Role::Patient) || cx.has_role(delegate, Role::Doctor)
}

/// Delegates whose time is over, to be forgotten, and whether there is room for `delegate` without them.
fn make_room(all: &[DelegateEntry], delegate: PrincipalId, now_ms: u64) -> (Vec<PrincipalId>, bool) {
    let others = all.iter().filter(|entry| entry.delegate != delegate);
    let (ended, live): (Vec<&DelegateEntry>, Vec<_>) =
        others.partition(|entry| entry.delegation.until_ms <= now_ms);
    let ended = ended.into_iter().map(|entry| entry.delegate).collect();
    (ended, live.len() < DELEGATES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::abi::access::Scope;

    fn entries(until_ms: &[u64]) -> Vec<DelegateEntry> {
        let entry = |(number, until_ms): (u32, &u64)| DelegateEntry {
            delegate: PrincipalId::new(number),
            delegation: Delegation {
                scope: Scope::All,
                manages: true,
                until_ms: *until_ms,
            },
        };
        (0..).zip(until_ms).map(entry).collect()
    }

    #[test]
    fn a_patient_has_eight_delegates_and_those_whose_time_is_over_make_room() {
        let new = PrincipalId::new(90);
        assert_eq!(make_room(&entries(&[]), new, 5), (vec![], true));
        assert_eq!(make_room(&entries(&[6; 7]), new, 5), (vec![], true));
        assert_eq!(make_room(&entries(&[6; 8]), new, 5), (vec![], false));
        let old = PrincipalId::new(3);
        assert_eq!(
            make_room(&entries(&[6; 8]), old, 5),
            (vec![], true),
            "a change of one"
        );
        let mixed = entries(&[6, 6, 6, 5, 6, 6, 6, 6]);
        assert_eq!(
            make_room(&mixed, new, 5),
            (vec![old], true),
            "it ended at that very moment"
        );
        assert_eq!(
            make_room(&mixed, old, 5),
            (vec![], true),
            "it is named again instead"
        );
    }
}
