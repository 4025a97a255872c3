//! Why a request to read is answered as it is: the grants it could rest on, the rules that were asked, the reason.
//!
//! Made by asking the contracts themselves, on the state as it stands: nothing here decides anything.

use crate::time::utc_text;
use crate::{Chain, ChainError, Refusal, who};
use salus_abi::access::{
    AccessRequest, Decision, GrantEntry, Obligations, Record, RecordId, RuleDecision, RuleScope, Scope,
    Standing, query, reason,
};
use salus_abi::codec::{Decode, Encode};
use salus_abi::{ContractId, PrincipalId};
use std::fmt;

/// What a decision came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The request.
    pub request: AccessRequest,
    /// Block time of the answer, in milliseconds since 1970.
    pub time_ms: u64,
    /// How the requester stood before.
    pub standing: Standing,
    /// Whether there is such a record, and what the chain knows of it.
    pub record: Option<Record>,
    /// The patient's grants to the requester, each with what it lacks for this request.
    pub grants: Vec<(GrantEntry, Option<u16>)>,
    /// The rules in whose scope the request falls, in the order in which they are asked.
    pub rules: Vec<AskedRule>,
    /// The answer.
    pub decision: Decision,
}

/// A rule that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedRule {
    /// Its name.
    pub name: String,
    /// Its number.
    pub rule: ContractId,
    /// Through which registration.
    pub scope: RuleScope,
    /// What it said.
    pub answer: Result<RuleDecision, Refusal>,
}

/// Traces a request on a chain as it stands.
pub fn trace(chain: &Chain, request: &AccessRequest) -> Result<Trace, ChainError> {
    let id = RecordId {
        patient: request.patient,
        record: request.record,
    };
    let record: Option<Record> = ask(chain, query::RECORD, &id)?;
    let request = AccessRequest {
        class: record.as_ref().map_or(request.class, |record| record.class),
        ..*request
    };
    let grants: Vec<GrantEntry> = ask(chain, query::POLICY_LIST, &request.patient)?;
    let grants = grants
        .into_iter()
        .filter(|entry| entry.grantee == request.requester)
        .map(|entry| (entry, lack(&entry, &request, chain.time_ms())))
        .collect();
    Ok(Trace {
        request,
        time_ms: chain.time_ms(),
        standing: ask(chain, query::STANDING, &request.requester)?,
        record,
        grants,
        rules: rules(chain, &request)?,
        decision: ask(chain, query::WOULD_DECIDE, &request)?,
    })
}

/// What a grant lacks for a request, as one of the reasons of a refusal.
fn lack(entry: &GrantEntry, request: &AccessRequest, now_ms: u64) -> Option<u16> {
    let in_scope = match entry.grant.scope {
        Scope::Record(record) => record == request.record,
        Scope::Class(class) => class == request.class,
        Scope::All => true,
    };
    if !in_scope {
        Some(reason::OUT_OF_SCOPE)
    } else if !entry.grant.purposes.contains(request.purpose) {
        Some(reason::WRONG_PURPOSE)
    } else if entry.grant.until_ms <= now_ms {
        Some(reason::GRANT_EXPIRED)
    } else {
        None
    }
}

fn rules(chain: &Chain, request: &AccessRequest) -> Result<Vec<AskedRule>, ChainError> {
    let organisation = who_organisation(chain, request.requester)?;
    let scopes = [
        Some(RuleScope::Everywhere),
        Some(RuleScope::Class(request.class)),
        organisation.map(RuleScope::Organisation),
    ];
    let mut asked = Vec::new();
    for scope in scopes.into_iter().flatten() {
        let rules: Vec<ContractId> = ask(chain, query::RULES, &scope)?;
        for rule in rules {
            let answer = chain.decide(Some(request.requester), rule, request)?;
            asked.push(AskedRule {
                name: chain.name(rule),
                rule,
                scope,
                answer: answer.result,
            });
        }
    }
    Ok(asked)
}

fn who_organisation(
    chain: &Chain,
    principal: PrincipalId,
) -> Result<Option<salus_abi::MemberId>, ChainError> {
    use salus_abi::registry::{Principal, query};
    let answer =
        chain.query::<Option<Principal>>(None, ContractId::REGISTRY, query::PRINCIPAL, &principal)?;
    Ok(answer.result.ok().flatten().map(|found| found.organisation))
}

fn ask<O: Encode + Decode<()>>(chain: &Chain, entry: u8, argument: &impl Encode) -> Result<O, ChainError> {
    let answer = chain.query(None, ContractId::ACCESS, entry, argument)?;
    answer.result.map_err(|refusal| {
        ChainError::Machine(format!(
            "the access contract doesn't answer query {entry}: {refusal}"
        ))
    })
}

/// A reason as a name, or a rule's own code as a number.
pub fn reason_text(code: u16) -> String {
    match reason::name(code) {
        "rule" => format!("code {code} of a rule's own"),
        name => name.to_owned(),
    }
}

/// The names of obligations, with commas.
pub fn obligations_text(obligations: Obligations) -> String {
    let names: Vec<&str> = OBLIGATIONS
        .into_iter()
        .filter(|(_, one)| obligations.contains(*one))
        .map(|(name, _)| name)
        .collect();
    names.join(", ")
}

/// Every obligation, with the name that cases use.
pub const OBLIGATIONS: [(&str, Obligations); 2] = [
    ("notify-patient", Obligations::NOTIFY_PATIENT),
    ("review", Obligations::REVIEW),
];

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        writeln!(
            f,
            "{} asks for record {} of {} ({}) for {}{} at {}",
            who::name_of(request.requester),
            request.record.get(),
            who::name_of(request.patient),
            request.class.name(),
            request.purpose.code(),
            if request.emergency {
                ", breaking the glass"
            } else {
                ""
            },
            utc_text(self.time_ms)
        )?;
        writeln!(f, "  standing  {}", standing_text(self.standing))?;
        if self.record.is_none() {
            writeln!(f, "  record    there is none")?;
        }
        if self.grants.is_empty() {
            writeln!(f, "  grants    none to this requester")?;
        }
        for (entry, lack) in &self.grants {
            let fits = lack.map_or_else(|| "covers the request".to_owned(), reason_text);
            let until = utc_text(entry.grant.until_ms);
            writeln!(f, "  grant {:<3} until {until}: {fits}", entry.number)?;
        }
        for asked in &self.rules {
            writeln!(f, "  rule      {asked}")?;
        }
        write!(f, "  decision  {}", decision_text(&self.decision))
    }
}

impl fmt::Display for AskedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = match self.scope {
            RuleScope::Everywhere => "everywhere".to_owned(),
            RuleScope::Class(class) => format!("class {}", class.name()),
            RuleScope::Organisation(member) => format!("hospital {}", member.get()),
        };
        let answer = match &self.answer {
            Ok(decision) => rule_text(decision),
            Err(refusal) => format!("fails, which counts as a refusal: {refusal}"),
        };
        write!(f, "{} ({}, for {scope}): {answer}", self.name, self.rule)
    }
}

/// A rule's answer in words.
pub fn rule_text(decision: &RuleDecision) -> String {
    match decision {
        RuleDecision::Abstain => "abstain".to_owned(),
        RuleDecision::Deny { reason } => format!("deny: {}", reason_text(*reason)),
        RuleDecision::Oblige { obligations } => format!("oblige: {}", obligations_text(*obligations)),
    }
}

/// An answer of the access contract in words.
pub fn decision_text(decision: &Decision) -> String {
    match decision {
        Decision::Permit {
            reason,
            until_ms,
            obligations,
        } => {
            let owed = match obligations_text(*obligations) {
                none if none.is_empty() => String::new(),
                some => format!("; owed: {some}"),
            };
            let reason = reason_text(*reason);
            format!("permit: {reason}, until {}{owed}", utc_text(*until_ms))
        }
        Decision::Deny { reason, standing } => {
            format!(
                "deny: {}; standing after it: {}",
                reason_text(*reason),
                standing_text(*standing)
            )
        }
    }
}

fn standing_text(standing: Standing) -> String {
    match standing {
        Standing::Good => "good".to_owned(),
        Standing::Warned { refusals } => format!("warned, {refusals} refusals"),
        Standing::Penalised { until_ms, level } => {
            format!("penalty {level} until {}", utc_text(until_ms))
        }
    }
}
