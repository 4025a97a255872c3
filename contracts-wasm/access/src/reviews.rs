//! Reviews: a broken glass is not forgotten until somebody of the patient's hospital has looked at it.

use crate::caller;
use alloc::vec::Vec;
use salus_sdk::abi::access::{
    AccessEvent, CloseReview, Decision, LogEntry, Obligations, OpenReview, REVIEW_MS, REVIEWS_LIST_MAX,
    RecordId, ReviewEntry, ReviewsOf, error,
};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, Map, MemberId};

/// By hospital and number, big-endian: a scan finds the oldest first.
const OPEN: Map<(MemberId, [u8; 4]), OpenReview> = Map::new(b'w');
const NEXT: Map<MemberId, u32> = Map::new(b'm');

/// Opens a review with the patient's hospital, if the logged answer obliges to one.
pub(crate) fn open(cx: &mut Ctx, entry: &LogEntry) -> Result<(), Abort> {
    let Some(review) = owed(entry, cx.time_ms()) else {
        return Ok(());
    };
    let organisation = cx
        .organisation_of(entry.patient)
        .ok_or(Abort(error::UNKNOWN_PRINCIPAL))?;
    let number = NEXT.get(cx, &organisation).unwrap_or(0);
    NEXT.set(
        cx,
        &organisation,
        &number.checked_add(1).ok_or(Abort(error::TOO_MANY))?,
    );
    OPEN.set(cx, &(organisation, number.to_be_bytes()), &review);
    cx.emit(&AccessEvent::ReviewOpened {
        organisation,
        number,
        due_ms: review.due_ms,
    });
    Ok(())
}

pub(crate) fn close(cx: &mut Ctx, argument: CloseReview) -> Result<(), Abort> {
    let by = caller(cx)?;
    let CloseReview {
        organisation,
        number,
        finding,
    } = argument;
    let reviewer = cx.has_role(by, Role::Auditor) || cx.has_role(by, Role::Admin);
    if !reviewer || cx.organisation_of(by) != Some(organisation) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    let key = (organisation, number.to_be_bytes());
    let review = OPEN.get(cx, &key).ok_or(Abort(error::UNKNOWN_REVIEW))?;
    let requester = review.requester;
    // Who was a doctor then may be an auditor now.
    if requester == by {
        return Err(Abort(error::NOT_ALLOWED));
    }
    OPEN.remove(cx, &key);
    cx.emit(&AccessEvent::Reviewed {
        organisation,
        number,
        requester,
        finding,
        by,
    });
    Ok(())
}

pub(crate) fn reviews(cx: &Ctx, argument: ReviewsOf) -> Result<Vec<ReviewEntry>, Abort> {
    let now_ms = cx.time_ms();
    let mut list = Vec::new();
    for ((_, number), review) in OPEN.scan(cx, &argument.organisation) {
        let number = u32::from_be_bytes(number);
        if list.len() >= REVIEWS_LIST_MAX {
            break;
        }
        if number >= argument.from {
            list.push(ReviewEntry {
                number,
                review,
                overdue: review.due_ms < now_ms,
            });
        }
    }
    Ok(list)
}

/// What is owed for an answer.
fn owed(entry: &LogEntry, now_ms: u64) -> Option<OpenReview> {
    match entry.decision {
        Decision::Permit { obligations, .. } if obligations.contains(Obligations::REVIEW) => {
            Some(OpenReview {
                record: RecordId {
                    patient: entry.patient,
                    record: entry.record,
                },
                requester: entry.requester,
                obligations,
                log_index: entry.index,
                due_ms: now_ms.saturating_add(REVIEW_MS),
            })
        }
        Decision::Permit { .. } | Decision::Deny { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::abi::access::{Purpose, Standing, reason};
    use salus_sdk::abi::codec;
    use salus_sdk::{PrincipalId, RecordNumber};

    fn entry(decision: Decision) -> LogEntry {
        LogEntry {
            patient: PrincipalId::new(4),
            index: 9,
            record: RecordNumber::new(2),
            requester: PrincipalId::new(3),
            purpose: Purpose::EmergencyTreatment,
            emergency: true,
            decision,
            height: 1,
        }
    }

    fn permit(obligations: Obligations) -> Decision {
        Decision::Permit {
            reason: reason::EMERGENCY,
            until_ms: 8,
            obligations,
        }
    }

    #[test]
    fn a_review_is_owed_for_permits_that_say_so() {
        let both = Obligations::REVIEW.and(Obligations::NOTIFY_PATIENT);
        let review = owed(&entry(permit(both)), 100).unwrap();
        assert_eq!(review.due_ms, 100 + REVIEW_MS);
        assert_eq!((review.requester.get(), review.log_index), (3, 9));
        assert_eq!((review.record.patient.get(), review.record.record.get()), (4, 2));
        assert_eq!(review.obligations, both);
        for decision in [
            permit(Obligations::NOTIFY_PATIENT),
            permit(Obligations::default()),
            Decision::Deny {
                reason: reason::NO_GRANT,
                standing: Standing::Good,
            },
        ] {
            assert_eq!(owed(&entry(decision), 100), None);
        }
    }

    #[test]
    fn the_stored_form_does_not_drift() {
        let review = owed(&entry(permit(Obligations::REVIEW)), 0).unwrap();
        let expected = [4, 2, 3, 2, 9, 252, 15, 115, 20, 0];
        assert_eq!(codec::encode(&review), expected);
    }
}
