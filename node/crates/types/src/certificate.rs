use crate::{BlockId, ChainId, Height, MemberId, Round, Signature, SignedVote, ValidatorSet, Vote, VoteKind};
use salus_abi::codec::{Decode, Encode};

/// Proof that a quorum decided a block: their precommits, folded together.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CommitCertificate {
    /// The decided height.
    pub height: Height,
    /// The round in which it was decided.
    pub round: Round,
    /// The decided block.
    pub block: BlockId,
    /// Sorted by member, each once.
    pub signatures: Vec<CommitSignature>,
}

/// One validator's precommit within a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct CommitSignature {
    /// Who precommitted.
    pub member: MemberId,
    /// The signature of that precommit.
    pub signature: Signature,
}

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Signers must be sorted and stand once each.
    #[error("signers are not sorted or stand twice")]
    NotSorted,
    /// A signer that does not decide this height.
    #[error("{0} is not a validator of this height")]
    NotAValidator(MemberId),
    /// A signature that does not verify.
    #[error("the signature of {0} does not verify")]
    BadSignature(MemberId),
    /// Not more than two thirds.
    #[error("{signers} of {quorum} needed signatures")]
    NoQuorum {
        /// Valid signatures.
        signers: usize,
        /// Signatures needed.
        quorum: usize,
    },
}

impl CommitCertificate {
    /// Checks it against the validators of its height.
    pub fn verify(&self, validators: &ValidatorSet, chain: &ChainId) -> Result<(), CertificateError> {
        if !self.signatures.is_sorted_by(|a, b| a.member < b.member) {
            return Err(CertificateError::NotSorted);
        }
        let (signers, quorum) = (self.signatures.len(), validators.quorum());
        if signers < quorum {
            return Err(CertificateError::NoQuorum { signers, quorum });
        }
        for vote in self.votes() {
            let member = vote.vote.member;
            let validator = validators
                .get(member)
                .ok_or(CertificateError::NotAValidator(member))?;
            vote.verify(&validator.key, chain)
                .map_err(|_| CertificateError::BadSignature(member))?;
        }
        Ok(())
    }

    /// The precommits it is folded from.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.signatures
            .iter()
            .map(|CommitSignature { member, signature }| SignedVote {
                vote: Vote {
                    kind: VoteKind::Precommit,
                    height: self.height,
                    round: self.round,
                    block: Some(self.block),
                    member: *member,
                },
                signature: *signature,
            })
    }
}
