//! What a rule answers, in words.

use crate::Abort;
use salus_abi::access::{Obligations, RuleDecision};

/// A declared set of numbers with names: reasons of refusals, or errors. Derive it.
pub trait Codes: Copy + Into<Abort> {
    /// The number.
    fn code(self) -> u16;
}

/// Nothing against the request.
pub fn abstain() -> RuleDecision {
    RuleDecision::Abstain
}

/// The request is refused, whatever other rules say.
pub fn deny(reason: impl Codes) -> RuleDecision {
    RuleDecision::Deny {
        reason: reason.code(),
    }
}

/// Nothing against the request, if the reader meets the obligations.
pub fn oblige(obligations: Obligations) -> RuleDecision {
    RuleDecision::Oblige { obligations }
}
