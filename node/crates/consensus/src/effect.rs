use crate::{Message, Refusal};
use salus_types::{BlockId, CommitCertificate, DoubleVote, Header, Height, MemberId, Round, VoteKind};
use std::fmt;
use std::time::Duration;

/// What happens to consensus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A message came from a member's authenticated stream. Nothing in it has been checked; it may be about other members.
    Message {
        /// Whose stream.
        from: MemberId,
        /// What came.
        message: Message,
    },
    /// A timer ran out. A timer that was cancelled or replaced meanwhile is ignored.
    Timeout(TimerId),
    /// The answer to [`Effect::Build`]. The shell keeps body and dealing and streams the dealing to all validators.
    /// Ignored if that round is over or was answered before.
    Built {
        /// The height that was asked for.
        height: Height,
        /// The round that was asked for.
        round: Round,
        /// The new block, by this member, of exactly that height and round.
        header: Header,
    },
    /// The dealing of a header was checked and the block executed, or is bad. May come before its proposal.
    Judged {
        /// The round of the proposal it was judged for (or of the header, if no proposal has come yet).
        round: Round,
        /// What was judged.
        header: Header,
        /// Whether every check held.
        valid: bool,
    },
}

/// What the shell must do. Effects are carried out in the order given, each finished before the next begins; a
/// failed [`KeepShare`](Self::KeepShare), [`WalAppend`](Self::WalAppend) or [`WalFlush`](Self::WalFlush) halts the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Append an entry to the write-ahead log of this height.
    WalAppend(Vec<u8>),
    /// Make every appended entry durable.
    WalFlush,
    /// Make the own share of this block durable. The block was just built or judged valid, so its dealing is at hand.
    /// Comes before the block enters the log, and so before any vote for it.
    KeepShare(BlockId),
    /// Send to all other validators of the height, over direct streams.
    Broadcast(Message),
    /// Hand [`Input::Timeout`] back after that time.
    SetTimer {
        /// Names the timer; never used twice by one process.
        id: TimerId,
        /// From now.
        after: Duration,
    },
    /// Forget a timer.
    CancelTimer(TimerId),
    /// Forget every timer.
    CancelAllTimers,
    /// It is this member's turn: build a block and answer with [`Input::Built`].
    Build {
        /// The height to build.
        height: Height,
        /// The round to build it in.
        round: Round,
        /// Later than this the answer is useless.
        within: Duration,
    },
    /// Stream the dealing of a block again: it is proposed once more, or validators seem to lack it.
    Restream {
        /// The height.
        height: Height,
        /// The round of the proposal that is about to be sent.
        round: Round,
        /// Which block.
        block: BlockId,
    },
    /// A proposal came whose block has not been judged: pull the dealing if the push does not come; answer with [`Input::Judged`].
    WantBody {
        /// Who sent the proposal.
        from: MemberId,
        /// The proposed header; its sender and the proposer's signature have been checked, nothing else.
        header: Header,
        /// The round of the proposal.
        round: Round,
    },
    /// A block is decided: persist it. May come again after a crash; must be idempotent. All own votes are durable.
    Decided {
        /// The proof.
        certificate: CommitCertificate,
        /// The block.
        header: Header,
    },
    /// The height is over, always last: the shell calls `start_height` when it wants the next one.
    Finalized {
        /// The decided height.
        height: Height,
        /// Double votes seen at this height, at most three a validator, both signatures checked.
        evidence: Vec<DoubleVote>,
    },
    /// A height was left before it was decided here, because the shell caught up past it.
    Abandoned {
        /// The height that was left.
        height: Height,
        /// Double votes seen at it, as in [`Finalized`](Self::Finalized).
        evidence: Vec<DoubleVote>,
    },
    /// This member voted for nil; for the log.
    NilVote {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// Prevote or precommit.
        kind: VoteKind,
        /// Why.
        why: NilReason,
    },
    /// A validator signed something of a later height: fetch what is missing. If the own height is finalized and this
    /// is the next, it is only the sign that others have begun it. At most once per member and height.
    Behind {
        /// Who is ahead.
        member: MemberId,
        /// At which height.
        height: Height,
    },
    /// A peer keeps sending messages of a height that is decided here: offer it the certificate and the block.
    PeerBehind {
        /// Who is behind.
        member: MemberId,
        /// At which height.
        height: Height,
    },
    /// A valid signature of this member came in that this process neither made nor found in its log: the log was lost,
    /// or another node runs with the same key. Tell the operator; this node halts rather than contradict it.
    KeyInUse {
        /// The height of what was signed.
        height: Height,
        /// The round of what was signed.
        round: Round,
    },
    /// A peer sent something that no honest validator sends: count it against the peer.
    Refused {
        /// Whose stream it came from.
        from: MemberId,
        /// What was wrong with it.
        why: Refusal,
    },
}

/// Names a timer. Each has a number of its own, so that an old one that still fires is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub(crate) u64);

impl fmt::Display for TimerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

/// Why a vote was for nil.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NilReason {
    /// The own block was not ready in time.
    #[error("the own block was not built in time")]
    NotBuilt,
    /// No proposal came in time.
    #[error("no proposal came from {proposer} in time")]
    NoProposal {
        /// Whose turn it was.
        proposer: MemberId,
    },
    /// The proposal came, but its dealing did not, or was not judged in time.
    #[error("block {0} was proposed, but its dealing was not checked in time")]
    NotJudged(BlockId),
    /// The dealing or the block is bad.
    #[error("block {0} was judged invalid")]
    Invalid(BlockId),
    /// The proposal refers to a quorum of prevotes of an earlier round that is not known here.
    #[error("block {0} was proposed again, but the quorum it refers to is not known here")]
    NoProofOfLock(BlockId),
    /// This member is locked on another block.
    #[error("locked on a block other than the proposed {0}")]
    Locked(BlockId),
    /// A quorum prevoted, but neither one block nor nil in time.
    #[error("a quorum prevoted, but not for one block in time")]
    Split,
    /// A quorum prevoted nil.
    #[error("a quorum prevoted nil")]
    QuorumNil,
}

/// Where a validator stands within a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// No height was started.
    Idle,
    /// Waiting for a proposal that can be prevoted.
    Propose,
    /// Prevoted.
    Prevote,
    /// Precommitted.
    Precommit,
    /// Decided.
    Commit,
}
