use crate::{Height, MemberId, ShareStatement, Signature, SignedVote};
use salus_abi::codec::{Decode, Encode};

/// Proof that a member did what no honest one does. It stands in a body, and whoever has the headers and the
/// validators can check it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Evidence {
    /// It voted twice.
    DoubleVote(DoubleVote),
    /// It handed out a wrong share under its signature.
    WrongShare(WrongShare),
}

/// Two votes of one validator that exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DoubleVote {
    /// The vote seen first.
    pub first: SignedVote,
    /// A vote of the same kind for the same height and round, but for something else.
    pub second: SignedVote,
}

/// A share that does not belong to the block it was handed out for: what its holder signed, without the share itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WrongShare {
    /// What the holder stated of the share.
    pub statement: ShareStatement,
    /// The holder's, over the statement under `Tag::SHARE_ANSWER`.
    pub signature: Signature,
}

/// What a member is guilty of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// [`Evidence::DoubleVote`].
    DoubleVote,
    /// [`Evidence::WrongShare`].
    WrongShare,
}

impl Evidence {
    /// Pieces of evidence in one body, at most.
    pub const COUNT_MAX: usize = 64;

    /// Whose fault it proves.
    pub const fn member(&self) -> MemberId {
        match self {
            Self::DoubleVote(votes) => votes.first.vote.member,
            Self::WrongShare(wrong) => wrong.statement.member,
        }
    }

    /// The height that the fault is about. Each member is charged once for a height and kind of fault.
    pub const fn height(&self) -> Height {
        match self {
            Self::DoubleVote(votes) => votes.first.vote.height,
            Self::WrongShare(wrong) => wrong.statement.height,
        }
    }

    /// What kind of fault it is.
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::DoubleVote(_) => FaultKind::DoubleVote,
            Self::WrongShare(_) => FaultKind::WrongShare,
        }
    }
}

impl FaultKind {
    /// A name for logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoubleVote => "double_vote",
            Self::WrongShare => "wrong_share",
        }
    }
}
