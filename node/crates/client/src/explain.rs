//! Decisions and failures in plain words, for people who did not read the contracts.

use salus_types::abi::access::{self, Decision, Obligations, REFUSALS_TO_PENALTY, Standing, reason};
use salus_types::abi::{care, registry};
use salus_types::{ContractId, ContractRefusal, MembershipRefusal, ResealRefusal, Status, admission_code};

/// A decision in plain words: what was decided, why, and what follows.
pub fn explain(decision: &Decision) -> String {
    match *decision {
        Decision::Permit {
            reason,
            until_ms,
            obligations,
        } => {
            let mut text = format!(
                "Permitted: {}. The record can be fetched until {}.",
                explain_reason(reason),
                utc_text(until_ms)
            );
            if obligations.contains(Obligations::NOTIFY_PATIENT) {
                text.push_str(" The patient is told at once.");
            }
            if obligations.contains(Obligations::REVIEW) {
                text.push_str(" The patient's hospital will review this access.");
            }
            text
        }
        Decision::Deny { reason, standing } => {
            format!(
                "Refused: {}. {}",
                explain_reason(reason),
                explain_standing(standing)
            )
        }
    }
}

/// A reason code in plain words, as the middle of a sentence.
pub fn explain_reason(code: u16) -> String {
    let text = match code {
        reason::GRANTED => "the patient has granted this access",
        reason::OWN_RECORD => "patients may read their own records",
        reason::EMERGENCY => "emergency access without a grant (the glass was broken)",
        reason::DELEGATED => "the patient lets you act for it",
        reason::NO_GRANT => "the patient has not granted you any access; ask the patient for a grant",
        reason::OUT_OF_SCOPE => "the patient's grants to you do not cover this record",
        reason::WRONG_PURPOSE => "the patient's grant covers this record, but not for this purpose",
        reason::GRANT_EXPIRED => "the patient's grant to you has ended; ask for a new one",
        reason::PENALISED => "you are under a penalty after repeated refusals",
        reason::NO_SUCH_RECORD => "there is no such record, or it is not for you to know",
        reason::NOT_AN_EMERGENCY_ROLE => "only doctors may break the glass, and only for emergency treatment",
        reason::RULE_FAILED => "a rule that must be asked could not answer, so the answer is no",
        other => return format!("a rule of the network or of a hospital decided so (its code {other})"),
    };
    text.to_owned()
}

fn explain_standing(standing: Standing) -> String {
    match standing {
        Standing::Good => "This refusal does not count against you.".to_owned(),
        Standing::Warned { refusals } => format!(
            "This is a warning: refusal {refusals} of {REFUSALS_TO_PENALTY}, and the last one brings a penalty."
        ),
        Standing::Penalised { until_ms, level } => format!(
            "Penalty {level}: every request is refused until {}, unless an admin of your hospital lifts it.",
            utc_text(until_ms)
        ),
    }
}

/// How a transaction to a contract ended, in plain words, as the end of a sentence.
pub fn explain_status(contract: ContractId, status: Status) -> String {
    match status {
        Status::Success => "it succeeded".to_owned(),
        Status::Aborted { code } => match explain_abort(contract, code) {
            Some(text) => text,
            None => format!("the contract refused it with its code {code}"),
        },
        Status::Trapped { code } => format!("the contract broke (trap {code}); its author must look at it"),
        Status::OutOfGas => "the gas limit did not suffice; send it again with a higher one".to_owned(),
        Status::UnknownContract => "there is no such contract or entry".to_owned(),
        Status::NotAllowed => "you may not make this system call".to_owned(),
        Status::Frozen => "the members have frozen the contract, so it refuses everything".to_owned(),
    }
}

/// A refusal by the chain itself. The ranges of the codes are apart.
fn explain_refusal(code: u16) -> Option<String> {
    let members = MembershipRefusal::from_code(code).map(|refusal| refusal.to_string());
    let reseal = || ResealRefusal::from_code(code).map(|refusal| refusal.to_string());
    let contracts = || ContractRefusal::from_code(code).map(|refusal| refusal.to_string());
    let admission = || {
        let code = admission_code(code)?;
        Some(format!(
            "admission refuses the code with {code}: docs/contracts.md says what that is"
        ))
    };
    members.or_else(reseal).or_else(contracts).or_else(admission)
}

fn explain_abort(contract: ContractId, code: u16) -> Option<String> {
    let text = match contract {
        ContractId::SYSTEM => return explain_refusal(code),
        ContractId::REGISTRY => match code {
            registry::error::NOT_ALLOWED => "your role or hospital does not allow this",
            registry::error::UNKNOWN_PRINCIPAL => "there is no such principal",
            registry::error::BAD_ADDRESS => "the patient address is missing, taken, or not for this role",
            registry::error::BAD_INPUT => "the input is malformed",
            registry::error::BAD_PROOF => "the proof that you hold the new key does not verify",
            registry::error::KEY_TAKEN => "that signing key belongs to another principal",
            registry::error::BAD_GUARDIANS => {
                "guardians must be active, distinct, others than yourself and at most 8, and the delay 1 to 90 days"
            }
            registry::error::NO_RECOVERY => "there is no such recovery, or not for these keys",
            registry::error::NOT_READY => "approvals are missing, or the time for a veto has not passed",
            _ => return None,
        },
        ContractId::ACCESS => match code {
            access::error::NOT_ALLOWED => "your role does not allow this",
            access::error::UNKNOWN_PRINCIPAL => "there is no such principal, or not of the kind needed here",
            access::error::UNKNOWN_GRANT => "there is no such grant",
            access::error::BAD_INPUT => "the input is malformed",
            access::error::BAD_RECEIPTS => "too few members' receipts, or one that does not verify",
            access::error::TOO_MANY => "the number of grants or rules allowed here is reached",
            access::error::OUT_OF_RANGE => {
                "the threshold lets too few members open the record, or the ending time has passed"
            }
            access::error::DUPLICATE => "this record is on the chain already",
            access::error::NO_PENALTY => "that principal is under no penalty",
            access::error::UNKNOWN_RECORD => "there is no such record",
            access::error::UNKNOWN_REVIEW => "there is no such open review",
            access::error::HELD => "the record must be kept: it is retained by law, or held",
            _ => return None,
        },
        ContractId::CARE => match code {
            care::error::NOT_ALLOWED => "your role, or who you are, does not allow this",
            care::error::UNKNOWN_PRINCIPAL => "there is no such principal, or not of the kind needed here",
            care::error::BAD_INPUT => "the input is malformed",
            care::error::TOO_MANY => "the number of requests, delegates or holds allowed here is reached",
            care::error::OUT_OF_RANGE => "that time has passed, or is no later than before",
            care::error::DUPLICATE => "that hold stands already",
            care::error::UNKNOWN => "there is no such open request, delegation, record or hold",
            care::error::NOT_GRANTED => "grant first exactly what was asked, then approve",
            _ => return None,
        },
        _ => return None,
    };
    Some(text.to_owned())
}

/// Milliseconds since 1970 as `2026-11-22 15:09:30 UTC`.
pub fn utc_text(time_ms: u64) -> String {
    let seconds = time_ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days to a date of the Gregorian calendar, counted in 400-year eras from 0000-03-01, so that the leap day is a
    // year's last (Hinnant, "chrono-compatible low-level date algorithms").
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}
