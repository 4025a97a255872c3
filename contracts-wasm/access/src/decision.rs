//! The decision, as a function of facts: nothing here looks at the state.

use crate::grants::Grants;
use crate::standing::Conduct;
use salus_sdk::abi::access::{
    Decision, EMERGENCY_TICKET_MS, Grant, Obligations, Purpose, Purposes, RecordClass, Retrieve,
    RuleDecision, Scope, TICKET_MS, reason,
};
use salus_sdk::abi::care::Delegation;
use salus_sdk::{Decode, Encode};

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
    /// What the requester may do in the patient's name. Only asked when nothing else permits.
    pub(crate) delegation: Option<Delegation>,
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
    /// What must go on standing for the ticket to be good.
    pub(crate) rests_on: RestsOn,
}

/// What a ticket ends with, if that ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "bincode")]
pub(crate) enum RestsOn {
    /// Nothing that could be taken back.
    Itself,
    /// A grant, by its number.
    Grant(u32),
    /// The requester's delegation.
    Delegation,
}

/// What a delegate may read for: what the patient itself would want a record for.
const DELEGATE_PURPOSES: [Purpose; 3] = [
    Purpose::Treatment,
    Purpose::EmergencyTreatment,
    Purpose::PatientRequest,
];

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
            rests_on: RestsOn::Itself,
        });
    }
    match by_grant(request, facts) {
        Err(refusal) if refusal != reason::NO_SUCH_RECORD => by_delegation(request, facts, refusal),
        outcome => outcome,
    }
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
        rests_on: RestsOn::Itself,
    })
}

/// A delegate reads as if the patient had granted it what it may read for the patient. Where that does not reach, the answer
/// is that of the grants.
fn by_delegation(request: &Retrieve, facts: &Facts, refusal: u16) -> Result<Basis, u16> {
    let delegation = facts.delegation.ok_or(refusal)?;
    let grant = Grant {
        scope: delegation.scope,
        purposes: Purposes::of(&DELEGATE_PURPOSES),
        until_ms: delegation.until_ms,
    };
    match weigh(&grant, request, facts) {
        Fit::Permits => granted(facts, &grant, reason::DELEGATED, RestsOn::Delegation),
        Fit::Misses(_) => Err(refusal),
    }
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
    granted(facts, &grant, reason::GRANTED, RestsOn::Grant(number))
}

/// A permit under a grant that reaches the record, if there is one.
fn granted(facts: &Facts, grant: &Grant, reason: u16, rests_on: RestsOn) -> Result<Basis, u16> {
    facts.class.ok_or(reason::NO_SUCH_RECORD)?;
    Ok(Basis {
        reason,
        until_ms: facts.now_ms.saturating_add(TICKET_MS).min(grant.until_ms),
        obligations: Obligations::default(),
        rests_on,
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

/// Whether a delegation could turn a refusal into a permit, so that it is worth asking for.
pub(crate) fn delegation_matters(request: &Retrieve, facts: &Facts, refusal: u16) -> bool {
    let by_grants = (reason::NO_GRANT..=reason::GRANT_EXPIRED).contains(&refusal);
    by_grants && !request.emergency && !facts.own
}

/// Whether what a delegate does in a patient's name stays within what it may do: a grant is no wider and lasts no longer
/// than the delegation. `class` is that of the record that is granted.
pub(crate) fn within(grant: &Grant, class: Option<RecordClass>, delegation: &Delegation) -> bool {
    let reaches = match (delegation.scope, grant.scope) {
        (Scope::All, _) => true,
        (Scope::Class(own), Scope::Record(_)) => class == Some(own),
        (own, granted) => own == granted,
    };
    reaches && grant.until_ms <= delegation.until_ms
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
