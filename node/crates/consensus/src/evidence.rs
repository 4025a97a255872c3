use crate::malachite::context::Context;
use crate::malachite::convert::signed_vote_from_core;
use arc_malachitebft_core_consensus::MisbehaviorEvidence;
use salus_types::{ChainId, DoubleVote, MemberId, ValidatorSet};

/// Double votes kept of one validator at one height, at most. One proves the guilt; more only cost room.
pub const EVIDENCE_PER_VALIDATOR_MAX: usize = 3;

/// Why evidence proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Two votes of one member, kind, height and round are needed.
    #[error("the votes differ in member, kind, height or round: both may be honest")]
    NotComparable,
    /// Twice the same vote.
    #[error("both votes are for the same: that is allowed")]
    SameVote,
    /// Not a validator of the height of the votes.
    #[error("{0} was not a validator of that height")]
    NotAValidator(MemberId),
    /// A signature that does not verify.
    #[error("a signature of {0} does not verify")]
    BadSignature(MemberId),
}

/// Checks that evidence proves a double vote, given the validators of the height of the votes.
///
/// # Errors
///
/// [`EvidenceError`] says what is missing for a proof.
pub fn verify_double_vote(
    evidence: &DoubleVote,
    validators: &ValidatorSet,
    chain: &ChainId,
) -> Result<(), EvidenceError> {
    let (first, second) = (&evidence.first.vote, &evidence.second.vote);
    let member = first.member;
    if (member, first.kind, first.height, first.round)
        != (second.member, second.kind, second.height, second.round)
    {
        return Err(EvidenceError::NotComparable);
    }
    if first.block == second.block {
        return Err(EvidenceError::SameVote);
    }
    let validator = validators
        .get(member)
        .ok_or(EvidenceError::NotAValidator(member))?;
    for vote in [&evidence.first, &evidence.second] {
        vote.verify(&validator.key, chain)
            .map_err(|_| EvidenceError::BadSignature(member))?;
    }
    Ok(())
}

/// The double votes of what the core collected, by member. Double proposals are left out: the chain knows no penalty
/// for them, and a validator that signs two proposals gains nothing but a lost round.
pub(crate) fn from_core(misbehavior: &MisbehaviorEvidence<Context>) -> Vec<DoubleVote> {
    misbehavior
        .votes
        .iter()
        .flat_map(|(_, pairs)| pairs.iter().take(EVIDENCE_PER_VALIDATOR_MAX))
        .map(|(first, second)| DoubleVote {
            first: signed_vote_from_core(first),
            second: signed_vote_from_core(second),
        })
        .collect()
}
