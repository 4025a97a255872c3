//! Requests for access: asked by doctors, answered by patients.

use crate::{caller, delegation, require_patient};
use alloc::vec::Vec;
use salus_sdk::abi::access::{self, Grant, GrantEntry, Standing};
use salus_sdk::abi::care::{
    AccessWish, AnswerRequest, AskAccess, CareEvent, REQUEST_MS, REQUESTS_MAX, REQUESTS_OF_ONE_MAX, error,
};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, ContractId, Ctx, Decode, Encode, Map, PrincipalId};

const REQUESTS: Map<PrincipalId, Requests> = Map::new(b'q');

/// A patient's requests, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "bincode")]
struct Requests {
    next: u32,
    open: Vec<AccessWish>,
}

impl Requests {
    /// Adds a request, if there is room without those whose time is over; its number.
    fn add(&mut self, requester: PrincipalId, wanted: Grant, now_ms: u64) -> Option<AccessWish> {
        self.open.retain(|wish| wish.open_until_ms > now_ms);
        let own = self
            .open
            .iter()
            .filter(|wish| wish.requester == requester)
            .count();
        if self.open.len() >= REQUESTS_MAX || own >= REQUESTS_OF_ONE_MAX {
            return None;
        }
        let wish = AccessWish {
            number: self.next,
            requester,
            wanted,
            open_until_ms: now_ms.saturating_add(REQUEST_MS).min(wanted.until_ms),
        };
        self.next = self.next.checked_add(1)?;
        self.open.push(wish);
        Some(wish)
    }

    /// Takes an open request out.
    fn take(&mut self, number: u32, now_ms: u64) -> Option<AccessWish> {
        let place = self
            .open
            .iter()
            .position(|wish| wish.number == number && wish.open_until_ms > now_ms)?;
        Some(self.open.remove(place))
    }
}

/// Whether a request makes sense: for something that exists, and until a time to come.
fn wish_valid(wanted: &Grant, now_ms: u64) -> bool {
    wanted.purposes.is_valid() && wanted.until_ms > now_ms
}

/// Whether a patient has granted a request exactly as it was asked.
fn granted(wish: &AccessWish, grants: &[GrantEntry]) -> bool {
    grants
        .iter()
        .any(|entry| entry.grantee == wish.requester && entry.grant == wish.wanted)
}

/// Who may answer how: the patient and who manages for it as they like, whoever asked may withdraw.
fn may_answer(acts_for_patient: bool, asked: bool, approve: bool) -> bool {
    acts_for_patient || (asked && !approve)
}

pub(crate) fn ask(cx: &mut Ctx, argument: AskAccess) -> Result<u32, Abort> {
    let requester = caller(cx)?;
    let AskAccess { patient, wanted } = argument;
    require_patient(cx, patient)?;
    let now_ms = cx.time_ms();
    if !cx.has_role(requester, Role::Doctor) || penalised(cx, requester, now_ms) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    if !wish_valid(&wanted, now_ms) {
        return Err(Abort(error::OUT_OF_RANGE));
    }
    let mut requests = REQUESTS.get(cx, &patient).unwrap_or_default();
    let wish = requests
        .add(requester, wanted, now_ms)
        .ok_or(Abort(error::TOO_MANY))?;
    REQUESTS.set(cx, &patient, &requests);
    cx.emit(&CareEvent::Asked { patient, wish });
    Ok(wish.number)
}

pub(crate) fn answer(cx: &mut Ctx, argument: AnswerRequest) -> Result<(), Abort> {
    let by = caller(cx)?;
    let AnswerRequest {
        patient,
        number,
        approve,
    } = argument;
    let mut requests = REQUESTS.get(cx, &patient).unwrap_or_default();
    let wish = requests.take(number, cx.time_ms()).ok_or(Abort(error::UNKNOWN))?;
    let acts =
        by == patient || delegation::standing(cx, patient, by).is_some_and(|delegation| delegation.manages);
    if !may_answer(acts, by == wish.requester, approve) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    if approve && !granted(&wish, &grants(cx, patient)) {
        return Err(Abort(error::NOT_GRANTED));
    }
    REQUESTS.set(cx, &patient, &requests);
    cx.emit(&CareEvent::Answered {
        patient,
        number,
        approved: approve,
        by,
    });
    Ok(())
}

pub(crate) fn requests(cx: &Ctx, patient: PrincipalId) -> Result<Vec<AccessWish>, Abort> {
    let now_ms = cx.time_ms();
    let mut open = REQUESTS.get(cx, &patient).unwrap_or_default().open;
    open.retain(|wish| wish.open_until_ms > now_ms);
    Ok(open)
}

/// Whether a principal is under a penalty. Whose standing can't be asked for is taken to be.
fn penalised(cx: &Ctx, principal: PrincipalId, now_ms: u64) -> bool {
    match cx.query(ContractId::ACCESS, access::query::STANDING, &principal) {
        Some(Standing::Penalised { until_ms, .. }) => until_ms > now_ms,
        Some(Standing::Good | Standing::Warned { .. }) => false,
        None => true,
    }
}

fn grants(cx: &Ctx, patient: PrincipalId) -> Vec<GrantEntry> {
    cx.query(ContractId::ACCESS, access::query::POLICY_LIST, &patient)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use salus_sdk::abi::access::{Purpose, Purposes, RecordClass, Scope};
    use salus_sdk::abi::codec;

    const NOW: u64 = 1_000;

    fn wanted(until_ms: u64) -> Grant {
        Grant {
            scope: Scope::Class(RecordClass::Imaging),
            purposes: Purposes::of(&[Purpose::Treatment]),
            until_ms,
        }
    }

    fn doctor(number: u32) -> PrincipalId {
        PrincipalId::new(number)
    }

    #[test]
    fn a_request_waits_two_weeks_at_most_and_never_longer_than_what_it_asks_for() {
        let mut requests = Requests::default();
        let long = requests.add(doctor(1), wanted(u64::MAX), NOW).unwrap();
        assert_eq!((long.number, long.open_until_ms), (0, NOW + REQUEST_MS));
        let short = requests.add(doctor(1), wanted(NOW + 5), NOW).unwrap();
        assert_eq!((short.number, short.open_until_ms), (1, NOW + 5));
        assert_eq!(requests.clone().take(1, NOW + 5), None, "its time is over");
        assert_eq!(requests.take(1, NOW + 4), Some(short));
        assert_eq!(requests.take(1, NOW), None, "taken");
        assert_eq!(requests.take(7, NOW), None);
        assert_eq!(requests.open, [long]);
    }

    #[test]
    fn requests_are_bounded_for_each_doctor_and_each_patient() {
        let mut requests = Requests::default();
        for asker in 0..8 {
            for _ in 0..REQUESTS_OF_ONE_MAX {
                assert!(requests.add(doctor(asker), wanted(NOW + 5), NOW).is_some());
            }
            assert_eq!(requests.add(doctor(asker), wanted(NOW + 5), NOW), None, "a fifth");
        }
        assert_eq!(requests.open.len(), REQUESTS_MAX);
        assert_eq!(requests.add(doctor(9), wanted(NOW + 5), NOW), None);
        let later = requests.add(doctor(9), wanted(NOW + 9), NOW + 5).unwrap();
        assert_eq!(
            (later.number, requests.open.len()),
            (32, 1),
            "the others' time is over"
        );
    }

    #[test]
    fn senseless_wishes_are_refused() {
        assert!(wish_valid(&wanted(NOW + 1), NOW));
        assert!(!wish_valid(&wanted(NOW), NOW));
        let idle = Grant {
            purposes: Purposes::default(),
            ..wanted(NOW + 1)
        };
        assert!(!wish_valid(&idle, NOW));
        let unknown: Purposes = codec::decode(&[0x81], 1).unwrap();
        let unknown = Grant {
            purposes: unknown,
            ..wanted(NOW + 1)
        };
        assert!(!wish_valid(&unknown, NOW));
    }

    #[test]
    fn granted_means_exactly_as_asked() {
        let wish = Requests::default().add(doctor(1), wanted(NOW + 5), NOW).unwrap();
        let entry = |grantee, grant| GrantEntry {
            grantee: doctor(grantee),
            number: 0,
            grant,
        };
        let wide = Grant {
            scope: Scope::All,
            ..wanted(NOW + 5)
        };
        assert!(!granted(&wish, &[]));
        assert!(!granted(
            &wish,
            &[
                entry(2, wanted(NOW + 5)),
                entry(1, wide),
                entry(1, wanted(NOW + 4))
            ]
        ));
        assert!(granted(&wish, &[entry(1, wide), entry(1, wanted(NOW + 5))]));
    }

    #[test]
    fn whoever_asked_may_only_withdraw() {
        for (acts, asked, approve, may) in [
            (true, false, true, true),
            (true, false, false, true),
            (true, true, true, true),
            (false, true, false, true),
            (false, true, true, false),
            (false, false, false, false),
            (false, false, true, false),
        ] {
            assert_eq!(may_answer(acts, asked, approve), may);
        }
    }

    proptest! {
        /// Numbers are never given twice, and no list outgrows its bound.
        #[test]
        fn numbers_count_up(steps in prop::collection::vec((0u32..6, 0u64..100, any::<bool>()), 0..200)) {
            let (mut requests, mut now, mut last) = (Requests::default(), NOW, None::<u32>);
            for (asker, passed, answers) in steps {
                now = passed.saturating_add(now);
                if answers {
                    let oldest = requests.open.first().map(|wish| wish.number);
                    oldest.map(|number| requests.take(number, now));
                } else if let Some(wish) = requests.add(doctor(asker), wanted(now.saturating_add(60)), now) {
                    prop_assert!(last.is_none_or(|last| wish.number > last));
                    last = Some(wish.number);
                }
                prop_assert!(requests.open.len() <= REQUESTS_MAX);
                for asker in 0..6 {
                    let own = requests.open.iter().filter(|wish| wish.requester == doctor(asker)).count();
                    prop_assert!(own <= REQUESTS_OF_ONE_MAX);
                }
            }
        }
    }
}
