use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::{
    BlockId, CommitSignature, Height, MemberId, Round, Signature, SignedProposal, SignedVote, Vote, VoteKind,
};

/// What validators of a height send one another. Nothing about a received one has been checked.
///
/// Drawn in bytes: one byte for the variant (0 vote, 1 proposal, 2 polka, 3 round certificate), then the fields in
/// the order in which they are declared, all in the canonical encoding of [`salus_types::codec`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// A prevote or precommit.
    Vote(SignedVote),
    /// A proposal with its header; the dealing travels beside it.
    Proposal(Box<SignedProposal>),
    /// A quorum of prevotes for one block: lets a validator unlock or accept a proposal made again.
    Polka(PolkaCertificate),
    /// Votes that justify entering a round: brings a validator that missed them into it.
    Round(RoundCertificate),
}

/// Proof that a quorum prevoted a block in a round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PolkaCertificate {
    /// The height of the prevotes.
    pub height: Height,
    /// The round of the prevotes.
    pub round: Round,
    /// What was prevoted.
    pub block: BlockId,
    /// Signatures of those prevotes, sorted by member, each once.
    pub signatures: Vec<CommitSignature>,
}

/// Proof that a round may be entered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RoundCertificate {
    /// The height of the votes.
    pub height: Height,
    /// The round of the votes.
    pub round: Round,
    /// What the votes prove.
    pub kind: RoundCertificateKind,
    /// The votes, sorted by member, each member once.
    pub signatures: Vec<RoundSignature>,
}

/// What a [`RoundCertificate`] proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RoundCertificateKind {
    /// More than a third voted in this round, so at least one honest validator is in it: enter it.
    Skip,
    /// More than two thirds precommitted something in this round: the next one may follow.
    Precommit,
}

/// One vote within a [`RoundCertificate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct RoundSignature {
    /// Who voted.
    pub member: MemberId,
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// For which block; `None` for nil.
    pub block: Option<BlockId>,
    /// The signature of that vote.
    pub signature: Signature,
}

impl Message {
    /// Bytes of an encoded message, at most. The largest, a round certificate of 127 validators, takes 13 KiB.
    pub const LENGTH_MAX: usize = 64 << 10;

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads a message from its canonical bytes, of which there may be at most [`Self::LENGTH_MAX`].
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if there are too many bytes, if they are no message, or not in canonical form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, Self::LENGTH_MAX)
    }

    /// The height it is about.
    pub fn height(&self) -> Height {
        match self {
            Self::Vote(vote) => vote.vote.height,
            Self::Proposal(proposal) => proposal.proposal.height,
            Self::Polka(certificate) => certificate.height,
            Self::Round(certificate) => certificate.height,
        }
    }

    /// The round it is about.
    pub fn round(&self) -> Round {
        match self {
            Self::Vote(vote) => vote.vote.round,
            Self::Proposal(proposal) => proposal.proposal.round,
            Self::Polka(certificate) => certificate.round,
            Self::Round(certificate) => certificate.round,
        }
    }
}

impl PolkaCertificate {
    /// The prevotes it is folded from.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.signatures.iter().map(|one| SignedVote {
            vote: Vote {
                kind: VoteKind::Prevote,
                height: self.height,
                round: self.round,
                block: Some(self.block),
                member: one.member,
            },
            signature: one.signature,
        })
    }
}

impl RoundCertificate {
    /// The votes it is folded from.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.signatures.iter().map(|one| SignedVote {
            vote: Vote {
                kind: one.kind,
                height: self.height,
                round: self.round,
                block: one.block,
                member: one.member,
            },
            signature: one.signature,
        })
    }
}
