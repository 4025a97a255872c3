//! Asks a rule about requests of every kind, and looks for answers that its author can't have meant.
//!
//! | code | found when |
//! | --- | --- |
//! | L001 | it refuses with a code that is no reason of a refusal: the access contract then says `rule-failed` |
//! | L002 | a request that it refuses goes through when the glass is broken, and it asks for no review |
//! | L005 | it breaks, or aborts, which counts as a refusal |
//!
//! What was found is so; what was not asked may be otherwise. Whether a rule has an emergency branch, or a reason for every
//! refusal, can't be read off its code.

use crate::founding::Contract;
use crate::time::MONDAY_MORNING_MS;
use crate::{Chain, ChainError, Refusal, TestChain, who};
use salus_abi::access::{AccessRequest, Obligations, Purpose, RecordClass, RuleDecision, reason};
use salus_abi::{PrincipalId, RecordNumber};
use std::collections::BTreeSet;
use std::fmt;

/// By day and by night, on a Monday and on a Sunday.
const TIMES: [u64; 4] = [
    MONDAY_MORNING_MS,
    MONDAY_MORNING_MS + 12 * HOUR_MS,
    MONDAY_MORNING_MS - 21 * HOUR_MS,
    MONDAY_MORNING_MS - 9 * HOUR_MS,
];
const HOUR_MS: u64 = 3_600_000;
/// One of each kind that reads, and the patient.
const REQUESTERS: [PrincipalId; 6] = [
    who::DOCTOR,
    who::OTHER_DOCTOR,
    who::MANAGER,
    who::AUDITOR,
    who::PATIENT,
    who::DEVICE,
];

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The rule can't be instantiated with this argument: why.
    NotInstantiated(String),
    /// It was asked.
    Asked {
        /// How many requests.
        requests: usize,
        /// What was found, each once.
        findings: Vec<Finding>,
    },
}

/// An answer that its author can't have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A refusal with this code, which is none.
    NoReason(u16),
    /// An emergency opens what is refused otherwise, and nobody looks at it.
    EmergencyWithoutReview,
    /// It aborts with this code.
    Aborts(u16),
    /// It breaks with this trap.
    Traps(u8),
    /// It takes more gas than a question may.
    OutOfGas,
}

impl Finding {
    /// A code that stays.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoReason(_) => "L001",
            Self::EmergencyWithoutReview => "L002",
            Self::Aborts(_) | Self::Traps(_) | Self::OutOfGas => "L005",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReason(code) => {
                write!(f, "it refuses with {code}, which is no reason of a refusal: its own begin at 256")
            }
            Self::EmergencyWithoutReview => f.write_str(
                "a broken glass opens what it refuses otherwise, and it asks for no review; the access contract asks \
                 for one in every emergency, but this rule doesn't say so",
            ),
            Self::Aborts(code) => write!(f, "it aborts with {code} on some request, which counts as a refusal"),
            Self::Traps(code) => write!(f, "it breaks with trap {code} on some request, which counts as a refusal"),
            Self::OutOfGas => f.write_str("it runs out of gas on some request, which counts as a refusal"),
        }
    }
}

/// Founds a chain with the rule and asks it.
///
/// # Errors
///
/// Only faults of this machine.
pub fn probe(wasm: &[u8], argument: &[u8]) -> Result<Probed, ChainError> {
    let rule = Contract {
        id: TestChain::SUBJECT,
        name: "rule".to_owned(),
        wasm: wasm.into(),
        argument: argument.to_vec(),
    };
    let mut chain = match Chain::found(&[rule], MONDAY_MORNING_MS) {
        Ok(chain) => chain,
        Err(ChainError::Founding(why)) => return Ok(Probed::NotInstantiated(why)),
        Err(other) => return Err(other),
    };
    let mut findings = BTreeSet::new();
    let mut requests = 0;
    for time_ms in TIMES {
        chain.set_time(time_ms);
        for calm in grid() {
            let urgent = AccessRequest {
                emergency: true,
                ..calm
            };
            let calm = ask(&chain, &calm, &mut findings)?;
            let urgent = ask(&chain, &urgent, &mut findings)?;
            if matches!(calm, Some(RuleDecision::Deny { .. })) && urgent.is_some_and(opens_unseen) {
                findings.insert(Finding::EmergencyWithoutReview);
            }
            requests += 2;
        }
    }
    Ok(Probed::Asked {
        requests,
        findings: findings.into_iter().collect(),
    })
}

/// One request of every kind, without an emergency.
fn grid() -> impl Iterator<Item = AccessRequest> {
    let of = |requester, purpose, class| AccessRequest {
        patient: who::PATIENT,
        record: RecordNumber::new(0),
        class,
        requester,
        purpose,
        emergency: false,
    };
    REQUESTERS.into_iter().flat_map(move |requester| {
        let purposes = Purpose::ALL.into_iter();
        purposes.flat_map(move |purpose| {
            RecordClass::ALL
                .into_iter()
                .map(move |class| of(requester, purpose, class))
        })
    })
}

fn ask(
    chain: &Chain,
    request: &AccessRequest,
    findings: &mut BTreeSet<Finding>,
) -> Result<Option<RuleDecision>, ChainError> {
    let answer = chain.decide(Some(request.requester), TestChain::SUBJECT, request)?;
    let finding = match answer.result {
        Ok(RuleDecision::Deny { reason }) if reason < reason::NO_GRANT => Finding::NoReason(reason),
        Ok(decision) => return Ok(Some(decision)),
        Err(Refusal::Aborted(code)) => Finding::Aborts(code),
        Err(Refusal::Trapped(code)) => Finding::Traps(code),
        Err(Refusal::OutOfGas | Refusal::UnknownContract | Refusal::NotAllowed | Refusal::Frozen) => {
            Finding::OutOfGas
        }
    };
    findings.insert(finding);
    Ok(None)
}

/// Whether a rule lets a request pass without asking for a review.
fn opens_unseen(decision: RuleDecision) -> bool {
    match decision {
        RuleDecision::Abstain => true,
        RuleDecision::Oblige { obligations } => !obligations.contains(Obligations::REVIEW),
        RuleDecision::Deny { .. } => false,
    }
}
