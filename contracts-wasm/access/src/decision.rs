//! The decision, as a function of facts: nothing here looks at the state.

use crate::grants::Grants;
use crate::standing::Conduct;
use salus_sdk::abi::access::{
    Decision, EMERGENCY_TICKET_MS, Grant, Obligations, Purpose, RecordClass, Retrieve, RuleDecision, Scope,
    TICKET_MS, reason,
};

/// What a decision rests on besides the request itself.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Block time, in milliseconds since 1970.
    pub(crate) now_ms: u64,
    /// Whether the patient asks for its own record.
    pub(crate) own: bool,
    /// Whether the requester is a doctor. Only asked when the glass is broken.
    pub(crate) doctor: bool,
    /// The requester's past.
    pub(crate) conduct: Conduct,
    /// The patient's grants to the requester.
    pub(crate) grants: Grants,
    /// The record's class; `None` if there is no such record.
    pub(crate) class: Option<RecordClass>,
}

/// Why a request may be permitted, unless a rule refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Basis {
    /// One of [`reason`].
    pub(crate) reason: u16,
    /// How long the ticket lasts.
    pub(crate) until_ms: u64,
    /// What comes with it.
    pub(crate) obligations: Obligations,
    /// The number of the grant that it rests on.
    pub(crate) grant: Option<u32>,
}

/// Decides without rules: what a permit would rest on, or the reason of the refusal.
pub(crate) fn decide(request: &Retrieve, facts: &Facts) -> Result<Basis, u16> {
    if facts.conduct.penalised(facts.now_ms) {
        return Err(reason::PENALISED);
    }
    if request.emergency {
        return by_emergency(request, facts);
    }
    if facts.own {
        facts.class.ok_or(reason::NO_SUCH_RECORD)?;
        return Ok(Basis {
            reason: reason::OWN_RECORD,
            until_ms: facts.now_ms.saturating_add(TICKET_MS),
            obligations: Obligations::default(),
            grant: None,
        });
    }
    by_grant(request, facts)
}

fn by_emergency(request: &Retrieve, facts: &Facts) -> Result<Basis, u16> {
    if !facts.doctor || request.purpose != Purpose::EmergencyTreatment {
        return Err(reason::NOT_AN_EMERGENCY_ROLE);
    }
    if facts.class.is_none() {
        // Only a grant entitles to know that there is no such record.
        return by_grant(request, facts);
    }
    Ok(Basis {
        reason: reason::EMERGENCY,
        until_ms: facts.now_ms.saturating_add(EMERGENCY_TICKET_MS),
        obligations: Obligations::NOTIFY_PATIENT.and(Obligations::REVIEW),
        grant: None,
    })
}

/// The grant that permits the request and lasts longest, or how near the nearest one comes.
fn by_grant(request: &Retrieve, facts: &Facts) -> Result<Basis, u16> {
    let mut refusal = reason::NO_GRANT;
    let mut best: Option<(u32, Grant)> = None;
    for (number, grant) in facts.grants.iter() {
        match weigh(grant, request, facts) {
            Fit::Permits if best.is_none_or(|(_, other)| other.until_ms < grant.until_ms) => {
                best = Some((*number, *grant));
            }
            Fit::Permits => {}
            Fit::Misses(reason) => refusal = nearer(refusal, reason),
        }
    }
    let Some((number, grant)) = best else {
        return Err(refusal);
    };
    facts.class.ok_or(reason::NO_SUCH_RECORD)?;
    Ok(Basis {
        reason: reason::GRANTED,
        until_ms: facts.now_ms.saturating_add(TICKET_MS).min(grant.until_ms),
        obligations: Obligations::default(),
        grant: Some(number),
    })
}

enum Fit {
    Permits,
    Misses(u16),
}

/// How a grant fits a request.
///
/// The reason of a miss must not depend on whether the record exists or what its class is, or a refusal would tell.
/// So a grant for a class is taken to be about the record until it is found to be live and for the right purpose:
/// its holder may know whether the record is of that class.
fn weigh(grant: &Grant, request: &Retrieve, facts: &Facts) -> Fit {
    if matches!(grant.scope, Scope::Record(record) if record != request.record) {
        Fit::Misses(reason::OUT_OF_SCOPE)
    } else if !grant.purposes.contains(request.purpose) {
        Fit::Misses(reason::WRONG_PURPOSE)
    } else if grant.until_ms <= facts.now_ms {
        Fit::Misses(reason::GRANT_EXPIRED)
    } else if matches!(grant.scope, Scope::Class(class) if facts.class != Some(class)) {
        Fit::Misses(reason::OUT_OF_SCOPE)
    } else {
        Fit::Permits
    }
}

/// Of two refusals, the one that came nearer to a permit: it tells the requester most about what to do.
fn nearer(one: u16, other: u16) -> u16 {
    let rank = |code| match code {
        reason::GRANT_EXPIRED => 3,
        reason::WRONG_PURPOSE => 2,
        reason::OUT_OF_SCOPE => 1,
        _ => 0,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Lets rules speak, one after the other; the first refusal decides. `None` is a rule that could not be asked.
pub(crate) fn ask_rules(
    mut basis: Basis,
    answers: impl Iterator<Item = Option<RuleDecision>>,
) -> Result<Basis, u16> {
    for answer in answers {
        match answer {
            Some(RuleDecision::Abstain) => {}
            Some(RuleDecision::Oblige { obligations }) => {
                basis.obligations = basis.obligations.and(obligations)
            }
            // A refusal with the reason of a permit would be misread in every log.
            Some(RuleDecision::Deny { reason }) if reason >= reason::NO_GRANT => return Err(reason),
            Some(RuleDecision::Deny { .. }) | None => return Err(reason::RULE_FAILED),
        }
    }
    Ok(basis)
}

/// The answer to the requester, and its conduct after it.
pub(crate) fn settle(outcome: Result<Basis, u16>, conduct: Conduct, now_ms: u64) -> (Decision, Conduct) {
    match outcome {
        Ok(basis) => {
            let permit = Decision::Permit {
                reason: basis.reason,
                until_ms: basis.until_ms,
                obligations: basis.obligations,
            };
            (permit, conduct)
        }
        Err(reason) => {
            let after = if counts(reason) {
                conduct.refused(now_ms)
            } else {
                conduct
            };
            let standing = after.standing(now_ms);
            (Decision::Deny { reason, standing }, after)
        }
    }
}

/// Whether a refusal counts towards a penalty: not what the requester could not avoid, was entitled to ask, or is
/// penalised for already.
fn counts(reason: u16) -> bool {
    !matches!(
        reason,
        reason::PENALISED | reason::RULE_FAILED | reason::NO_SUCH_RECORD
    )
}

#[cfg(test)]
mod tests;
