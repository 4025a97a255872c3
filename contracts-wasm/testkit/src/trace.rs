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
use std::collections::BTreeMap;
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
    /// Names of rules' own reasons.
    pub names: BTreeMap<u16, String>,
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
        names: BTreeMap::new(),
    })
}

impl Trace {
    /// With names for rules' own reasons.
    #[must_use]
    pub fn with_names(mut self, reasons: &BTreeMap<String, u16>) -> Self {
        self.names = reasons.iter().map(|(name, code)| (*code, name.clone())).collect();
        self
    }

    /// A reason in words.
    pub fn reason(&self, code: u16) -> String {
        self.names
            .get(&code)
            .map_or_else(|| reason_text(code), Clone::clone)
    }
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
            writeln!(f, "  rule      {}", self.rule_line(asked))?;
        }
        write!(f, "  decision  {}", self.decision_text())
    }
}

impl Trace {
    fn rule_line(&self, asked: &AskedRule) -> String {
        let scope = match asked.scope {
            RuleScope::Everywhere => "everyone".to_owned(),
            RuleScope::Class(class) => format!("class {}", class.name()),
            RuleScope::Organisation(member) => format!("hospital {}", member.get()),
        };
        let answer = self.rule_text(&asked.answer);
        format!("{} ({}, for {scope}): {answer}", asked.name, asked.rule)
    }

    /// A rule's answer in words.
    pub fn rule_text(&self, answer: &Result<RuleDecision, Refusal>) -> String {
        match answer {
            Ok(RuleDecision::Abstain) => "abstain".to_owned(),
            Ok(RuleDecision::Deny { reason }) => format!("deny: {}", self.reason(*reason)),
            Ok(RuleDecision::Oblige { obligations }) => format!("oblige: {}", obligations_text(*obligations)),
            Err(refusal) => format!("fails, which counts as a refusal: {refusal}"),
        }
    }

    /// The answer in words.
    pub fn decision_text(&self) -> String {
        match &self.decision {
            Decision::Permit {
                reason,
                until_ms,
                obligations,
            } => {
                let owed = match obligations_text(*obligations) {
                    none if none.is_empty() => String::new(),
                    some => format!("; owed: {some}"),
                };
                let reason = self.reason(*reason);
                format!("permit: {reason}, until {}{owed}", utc_text(*until_ms))
            }
            Decision::Deny { reason, standing } => {
                let standing = standing_text(*standing);
                format!("deny: {}; standing after it: {standing}", self.reason(*reason))
            }
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
