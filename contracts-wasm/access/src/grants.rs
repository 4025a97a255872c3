//! Grants: what a patient lets others read, until when, and its end before that.

use crate::{caller, calling_patient, decision, delegation, records, require_patient};
use alloc::vec::Vec;
use core::slice::Iter;
use salus_sdk::abi::access::{
    AccessEvent, Act, ActFor, Grant, GrantAccess, GrantEntry, RecordId, RevokeAccess, Scope, error,
};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, Decode, Encode, Map, PrincipalId};

const GRANTS: Map<(PrincipalId, PrincipalId), Grants> = Map::new(b'g');
const BOOKS: Map<PrincipalId, Book> = Map::new(b'c');

/// Grants of one patient to one principal, at most.
pub(crate) const PAIR_MAX: usize = 16;
/// Grants of one patient, at most.
const PATIENT_MAX: u16 = 256;

/// A patient's grants to one principal, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "bincode")]
pub(crate) struct Grants(Vec<(u32, Grant)>);

/// Numbers a patient's grants. A number is never given twice, so a ticket can name the grant that it rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "bincode")]
struct Book {
    next: u32,
    count: u16,
}

impl Grants {
    pub(crate) fn iter(&self) -> Iter<'_, (u32, Grant)> {
        self.0.iter()
    }

    /// Whether a grant stands, ended or not.
    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|(other, _)| *other == number)
    }

    /// Adds a grant; false if there is no room even without those that have ended.
    fn add(&mut self, number: u32, grant: Grant, now_ms: u64) -> bool {
        if self.0.len() >= PAIR_MAX {
            self.drop_ended(now_ms);
        }
        let room = self.0.len() < PAIR_MAX;
        if room {
            self.0.push((number, grant));
        }
        room
    }

    /// Removes one grant or all; false if there was none.
    fn revoke(&mut self, number: Option<u32>) -> bool {
        let before = self.0.len();
        self.0
            .retain(|(other, _)| number.is_some_and(|number| number != *other));
        self.0.len() < before
    }

    fn drop_ended(&mut self, now_ms: u64) {
        self.0.retain(|(_, grant)| grant.until_ms > now_ms);
    }

    fn count(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
impl Grants {
    pub(crate) fn of(grants: &[Grant]) -> Self {
        Self((0..).zip(grants.iter().copied()).collect())
    }
}

pub(crate) fn load(cx: &Ctx, patient: PrincipalId, grantee: PrincipalId) -> Grants {
    GRANTS.get(cx, &(patient, grantee)).unwrap_or_default()
}

fn save(cx: &mut Ctx, pair: (PrincipalId, PrincipalId), grants: &Grants) {
    if grants.0.is_empty() {
        GRANTS.remove(cx, &pair);
    } else {
        GRANTS.set(cx, &pair, grants);
    }
}

pub(crate) fn grant(cx: &mut Ctx, argument: GrantAccess) -> Result<u32, Abort> {
    let patient = calling_patient(cx)?;
    add(cx, patient, argument)
}

pub(crate) fn revoke(cx: &mut Ctx, argument: RevokeAccess) -> Result<(), Abort> {
    let patient = calling_patient(cx)?;
    end(cx, patient, argument)
}

/// A delegate acts in the patient's name. It grants nothing to itself, and nothing beyond its own delegation; it may end
/// any grant.
pub(crate) fn act_for(cx: &mut Ctx, argument: ActFor) -> Result<Option<u32>, Abort> {
    let delegate = caller(cx)?;
    let ActFor { patient, act } = argument;
    require_patient(cx, patient)?;
    let delegation = delegation(cx, patient, delegate)
        .filter(|delegation| delegation.manages)
        .ok_or(Abort(error::NOT_ALLOWED))?;
    let number = match act {
        Act::Grant(argument) => {
            let class = match argument.grant.scope {
                Scope::Record(record) => records::load(cx, RecordId { patient, record }),
                Scope::Class(_) | Scope::All => None,
            };
            let class = class.map(|record| record.class);
            if argument.grantee == delegate || !decision::within(&argument.grant, class, &delegation) {
                return Err(Abort(error::NOT_ALLOWED));
            }
            Some(add(cx, patient, argument)?)
        }
        Act::Revoke(argument) => {
            end(cx, patient, argument)?;
            None
        }
    };
    cx.emit(&AccessEvent::ActedFor { patient, delegate });
    Ok(number)
}

fn add(cx: &mut Ctx, patient: PrincipalId, argument: GrantAccess) -> Result<u32, Abort> {
    let GrantAccess { grantee, grant } = argument;
    if grantee == patient || !grant.purposes.is_valid() {
        return Err(Abort(error::BAD_INPUT));
    }
    // Doctors, and relatives or carers who are registered as patients. All others read no records by their role.
    if !cx.has_role(grantee, Role::Doctor) && !cx.has_role(grantee, Role::Patient) {
        return Err(Abort(error::UNKNOWN_PRINCIPAL));
    }
    let now_ms = cx.time_ms();
    if grant.until_ms <= now_ms {
        return Err(Abort(error::OUT_OF_RANGE));
    }
    let mut book = BOOKS.get(cx, &patient).unwrap_or_default();
    if book.count >= PATIENT_MAX {
        book.count = sweep(cx, patient, now_ms);
    }
    let mut grants = load(cx, patient, grantee);
    let others = book.count.saturating_sub(grants.count());
    let number = book.next;
    if book.count >= PATIENT_MAX || !grants.add(number, grant, now_ms) {
        return Err(Abort(error::TOO_MANY));
    }
    book.next = number.checked_add(1).ok_or(Abort(error::TOO_MANY))?;
    book.count = others.saturating_add(grants.count());
    save(cx, (patient, grantee), &grants);
    BOOKS.set(cx, &patient, &book);
    let entry = GrantEntry {
        grantee,
        number,
        grant,
    };
    cx.emit(&AccessEvent::Granted { patient, entry });
    Ok(number)
}

fn end(cx: &mut Ctx, patient: PrincipalId, argument: RevokeAccess) -> Result<(), Abort> {
    let RevokeAccess { grantee, number } = argument;
    let mut grants = load(cx, patient, grantee);
    let before = grants.count();
    if !grants.revoke(number) {
        return Err(Abort(error::UNKNOWN_GRANT));
    }
    let mut book = BOOKS.get(cx, &patient).unwrap_or_default();
    let gone = before.saturating_sub(grants.count());
    book.count = book.count.saturating_sub(gone);
    save(cx, (patient, grantee), &grants);
    BOOKS.set(cx, &patient, &book);
    cx.emit(&AccessEvent::Revoked {
        patient,
        grantee,
        number,
    });
    Ok(())
}

pub(crate) fn policy_list(cx: &Ctx, patient: PrincipalId) -> Result<Vec<GrantEntry>, Abort> {
    let mut list = Vec::new();
    for ((_, grantee), grants) in GRANTS.scan(cx, &patient).take(usize::from(PATIENT_MAX)) {
        list.extend(grants.iter().map(|&(number, grant)| GrantEntry {
            grantee,
            number,
            grant,
        }));
    }
    Ok(list)
}

/// Drops all grants of a patient that have ended; how many are left.
fn sweep(cx: &mut Ctx, patient: PrincipalId, now_ms: u64) -> u16 {
    let all: Vec<_> = GRANTS.scan(cx, &patient).take(usize::from(PATIENT_MAX)).collect();
    let mut left: u16 = 0;
    for (pair, mut grants) in all {
        let before = grants.count();
        grants.drop_ended(now_ms);
        if grants.count() < before {
            save(cx, pair, &grants);
        }
        left = left.saturating_add(grants.count());
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::abi::access::{Purpose, Purposes, RecordClass};
    use salus_sdk::abi::codec;

    fn until(until_ms: u64) -> Grant {
        Grant {
            scope: Scope::All,
            purposes: Purposes::of(&[Purpose::Treatment]),
            until_ms,
        }
    }

    #[test]
    fn ended_grants_make_room() {
        let mut grants = Grants::default();
        for number in 0..16 {
            assert!(grants.add(number, until(100 + u64::from(number)), 0));
        }
        assert!(!grants.add(16, until(200), 99), "all are live");
        assert!(grants.add(16, until(200), 100), "the first has ended");
        assert!(!grants.contains(0) && grants.contains(1) && grants.contains(16));
    }

    #[test]
    fn one_grant_or_all_are_revoked() {
        let mut grants = Grants::of(&[until(1), until(2), until(3)]);
        assert!(grants.revoke(Some(1)));
        assert!(!grants.revoke(Some(1)), "it is gone");
        assert_eq!(grants.count(), 2);
        assert!(grants.revoke(None));
        assert!(!grants.revoke(None), "none is left");
    }

    #[test]
    fn purposes_must_exist() {
        assert!(Purposes::of(&Purpose::ALL).is_valid());
        assert!(!Purposes::default().is_valid());
        let eighth: Purposes = codec::decode(&[0x81], 1).unwrap();
        assert!(!eighth.is_valid());
    }

    #[test]
    fn the_stored_forms_do_not_drift() {
        let grant = Grant {
            scope: Scope::Class(RecordClass::Imaging),
            purposes: Purposes::of(&[Purpose::Treatment, Purpose::Research]),
            until_ms: 0x0102_0304_0506,
        };
        let stored = codec::encode(&Grants(vec![(300, grant)]));
        assert_eq!(stored, [1, 251, 1, 44, 1, 2, 5, 253, 0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(codec::encode(&Book { next: 7, count: 3 }), [7, 3]);
    }
}
