//! RetrieveEHRs: an attempt to read, decided and logged.

use crate::decision::{self, Basis, Facts};
use crate::{caller, grants, log, records, require_patient, rules, standing};
use salus_sdk::abi::access::{AccessRequest, Decision, LogEntry, RecordId, Retrieve, Ticket, TicketId};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, Decode, Encode, Map, PrincipalId, RecordNumber};

const TICKETS: Map<(PrincipalId, RecordNumber, PrincipalId), Issued> = Map::new(b't');

/// A ticket, and the grant that it rests on: when that is revoked, so is the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "bincode")]
struct Issued {
    ticket: Ticket,
    grant: Option<u32>,
}

pub(crate) fn retrieve(cx: &mut Ctx, request: Retrieve) -> Result<Decision, Abort> {
    let requester = caller(cx)?;
    let (outcome, facts) = evaluate(cx, requester, &request)?;
    let (decision, conduct) = decision::settle(outcome, facts.conduct, facts.now_ms);
    if let Ok(basis) = outcome {
        let issued = Issued {
            ticket: Ticket {
                purpose: request.purpose,
                until_ms: basis.until_ms,
            },
            grant: basis.grant,
        };
        TICKETS.set(cx, &(request.patient, request.record, requester), &issued);
    }
    let entry = LogEntry {
        patient: request.patient,
        index: 0,
        record: request.record,
        requester,
        purpose: request.purpose,
        emergency: request.emergency,
        decision,
        height: cx.height(),
    };
    log::append(cx, entry)?;
    standing::save(cx, requester, facts.conduct, conduct);
    Ok(decision)
}

/// What [`retrieve`] would answer. The record's class is looked up, not taken from the request.
pub(crate) fn would_decide(cx: &Ctx, request: AccessRequest) -> Result<Decision, Abort> {
    let retrieve = Retrieve {
        patient: request.patient,
        record: request.record,
        purpose: request.purpose,
        emergency: request.emergency,
    };
    let (outcome, facts) = evaluate(cx, request.requester, &retrieve)?;
    Ok(decision::settle(outcome, facts.conduct, facts.now_ms).0)
}

/// A ticket that releases now.
pub(crate) fn ticket(cx: &Ctx, id: TicketId) -> Result<Option<Ticket>, Abort> {
    let Some(issued) = TICKETS.get(cx, &(id.patient, id.record, id.requester)) else {
        return Ok(None);
    };
    let stands = issued.ticket.until_ms > cx.time_ms()
        && cx.organisation_of(id.requester).is_some()
        && issued
            .grant
            .is_none_or(|number| grants::load(cx, id.patient, id.requester).contains(number));
    Ok(stands.then_some(issued.ticket))
}

/// Gathers the facts and decides, rules included.
fn evaluate(
    cx: &Ctx,
    requester: PrincipalId,
    request: &Retrieve,
) -> Result<(Result<Basis, u16>, Facts), Abort> {
    require_patient(cx, request.patient)?;
    let id = RecordId {
        patient: request.patient,
        record: request.record,
    };
    let facts = Facts {
        now_ms: cx.time_ms(),
        own: requester == request.patient,
        doctor: request.emergency && cx.has_role(requester, Role::Doctor),
        conduct: standing::load(cx, requester),
        grants: grants::load(cx, request.patient, requester),
        class: records::load(cx, id).map(|record| record.class),
    };
    let mut outcome = decision::decide(request, &facts);
    if let (Ok(basis), Some(class)) = (outcome, facts.class) {
        let request = AccessRequest {
            patient: request.patient,
            record: request.record,
            class,
            requester,
            purpose: request.purpose,
            emergency: request.emergency,
        };
        outcome = decision::ask_rules(basis, rules::ask(cx, &request));
    }
    Ok((outcome, facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::abi::access::Purpose;
    use salus_sdk::abi::codec;

    #[test]
    fn the_stored_form_does_not_drift() {
        let issued = Issued {
            ticket: Ticket {
                purpose: Purpose::Research,
                until_ms: 0x0102_0304_0506,
            },
            grant: Some(7),
        };
        assert_eq!(codec::encode(&issued), [2, 253, 0, 0, 1, 2, 3, 4, 5, 6, 1, 7]);
    }
}
