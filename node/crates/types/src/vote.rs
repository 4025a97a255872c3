use crate::{
    BlockId, ChainId, Header, Height, MemberId, PublicKey, Round, SecretKey, Signature, SignatureError,
};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;

/// The two votes of Tendermint (Buchman, Kwon, Milosevic 2018).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum VoteKind {
    /// The proposal is acceptable.
    Prevote,
    /// A quorum finds it acceptable, and the own share of it is durable.
    Precommit,
}

/// A validator's vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Vote {
    /// Which of the two.
    pub kind: VoteKind,
    /// For which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// For which block; `None` for nil: not in this round.
    pub block: Option<BlockId>,
    /// By whom.
    pub member: MemberId,
}

/// A vote with a signature that may or may not be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedVote {
    /// The vote.
    pub vote: Vote,
    /// Over the vote under `Tag::VOTE`.
    pub signature: Signature,
}

/// A proposer's proposal. It carries the header; the dealing with the body travels beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Proposal {
    /// For which height.
    pub height: Height,
    /// In which round.
    pub round: Round,
    /// The last round in which a quorum prevoted it; `None` if new.
    pub valid_round: Option<Round>,
    /// What is proposed.
    pub header: Header,
    /// By whom.
    pub proposer: MemberId,
}

/// A proposal with a signature that may or may not be valid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// Over the proposal's signed bytes under `Tag::PROPOSAL`.
    pub signature: Signature,
}

impl Vote {
    /// The exact bytes that are signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Signs it.
    pub fn sign(self, key: &SecretKey, chain: &ChainId) -> SignedVote {
        SignedVote {
            vote: self,
            signature: key.sign(Tag::VOTE, chain, &self.signed_bytes()),
        }
    }
}

impl SignedVote {
    /// Checks the signature.
    pub fn verify(&self, key: &PublicKey, chain: &ChainId) -> Result<(), SignatureError> {
        key.verify(Tag::VOTE, chain, &self.vote.signed_bytes(), &self.signature)
    }
}

impl Proposal {
    /// The exact bytes that are signed: the block's id stands for its header.
    pub fn signed_bytes(&self, chain: &ChainId) -> Vec<u8> {
        codec::encode(&(
            self.height,
            self.round,
            self.valid_round,
            self.header.id(chain),
            self.proposer,
        ))
    }

    /// Signs it.
    pub fn sign(self, key: &SecretKey, chain: &ChainId) -> SignedProposal {
        let signature = key.sign(Tag::PROPOSAL, chain, &self.signed_bytes(chain));
        SignedProposal {
            proposal: self,
            signature,
        }
    }
}

impl SignedProposal {
    /// Checks the signature.
    pub fn verify(&self, key: &PublicKey, chain: &ChainId) -> Result<(), SignatureError> {
        key.verify(
            Tag::PROPOSAL,
            chain,
            &self.proposal.signed_bytes(chain),
            &self.signature,
        )
    }
}
