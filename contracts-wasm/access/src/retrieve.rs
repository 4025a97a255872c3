//! RetrieveEHRs: an attempt to read, decided and logged.

use crate::decision::{self, Basis, Facts, RestsOn};
use crate::{caller, delegation, grants, log, records, require_patient, reviews, rules, standing};
use salus_sdk::abi::access::{AccessRequest, Decision, LogEntry, RecordId, Retrieve, Ticket, TicketId};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, Decode, Encode, Map, PrincipalId, RecordNumber};

const TICKETS: Map<(PrincipalId, RecordNumber, PrincipalId), Issued> = Map::new(b't');

/// A ticket, and what it rests on: when that ends, so does the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "bincode")]
struct Issued {
    ticket: Ticket,
    rests_on: RestsOn,
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
            rests_on: basis.rests_on,
        };
        TICKETS.set(cx, &(request.patient, request.record, requester), &issued);
    }
    let mut entry = LogEntry {
        patient: request.patient,
        index: 0,
        record: request.record,
        requester,
        purpose: request.purpose,
        emergency: request.emergency,
        decision,
        height: cx.height(),
    };
    log::append(cx, &mut entry)?;
    reviews::open(cx, &entry)?;
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
    let (patient, requester) = (id.patient, id.requester);
    let rests = || match issued.rests_on {
        RestsOn::Itself => true,
        RestsOn::Grant(number) => grants::load(cx, patient, requester).contains(number),
        RestsOn::Delegation => delegation(cx, patient, requester).is_some(),
    };
    let stands = issued.ticket.until_ms > cx.time_ms() && cx.organisation_of(requester).is_some() && rests();
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
    let mut facts = Facts {
        now_ms: cx.time_ms(),
        own: requester == request.patient,
        doctor: request.emergency && cx.has_role(requester, Role::Doctor),
        conduct: standing::load(cx, requester),
        grants: grants::load(cx, request.patient, requester),
        delegation: None,
        class: records::load(cx, id).map(|record| record.class),
    };
    let mut outcome = decision::decide(request, &facts);
    if let Err(refusal) = outcome
        && decision::delegation_matters(request, &facts, refusal)
    {
        facts.delegation = delegation(cx, request.patient, requester);
        outcome = decision::decide(request, &facts);
    }
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
        let issued = |rests_on| Issued {
            ticket: Ticket {
                purpose: Purpose::Research,
                until_ms: 0x0102_0304_0506,
            },
            rests_on,
        };
        let ticket = [2, 253, 0, 0, 1, 2, 3, 4, 5, 6];
        for (rests_on, bytes) in [
            (RestsOn::Itself, &[0][..]),
            (RestsOn::Grant(7), &[1, 7]),
            (RestsOn::Delegation, &[2]),
        ] {
            assert_eq!(codec::encode(&issued(rests_on)), [&ticket, bytes].concat());
        }
    }
}
