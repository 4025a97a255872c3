use salus_types::codec::DecodeError;
use salus_types::{Height, MemberId, Round};

/// A broken invariant: the node must halt. No effect of the failed call was handed out, so nothing of it has left
/// the node; every later call fails with [`Fault::Halted`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A call after a fault.
    #[error("consensus has halted after an earlier fault; restart the node once its cause is removed")]
    Halted,
    /// `start_height` for a height that is not later than the last one.
    #[error(
        "height {asked} was to be started, but {last} was started before: heights only grow within a process"
    )]
    NotLater {
        /// The height asked for.
        asked: Height,
        /// The last started height.
        last: Height,
    },
    /// A validator set without validators.
    #[error("the validator set of height {0} is empty: the chain state is damaged")]
    NoValidators(Height),
    /// The chain state names another consensus key for this member than the node holds.
    #[error(
        "the chain names another consensus key for member {member} than this node holds: \
         check the keystore and the member number in the configuration"
    )]
    WrongKey {
        /// This node's member.
        member: MemberId,
    },
    /// An entry of the write-ahead log can't be read.
    #[error(
        "entry {index} of the consensus log is damaged ({cause}): restore the log, or wait until the height is decided and sync past it"
    )]
    Log {
        /// Which entry, from 0.
        index: usize,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// The write-ahead log belongs to a later height than the chain.
    #[error(
        "the consensus log is of height {log}, but height {asked} was to be started: the chain state is older than \
         the log; sync to height {log} before voting again"
    )]
    LogAhead {
        /// The height of the log.
        log: Height,
        /// The height asked for.
        asked: Height,
    },
    /// The core wants to sign, or the log holds, two different votes or proposals for one height and round.
    #[error(
        "a second, different {what} at height {height}, round {round} was about to be signed or is in the log"
    )]
    DoubleSign {
        /// `prevote`, `precommit` or `proposal`.
        what: &'static str,
        /// The height.
        height: Height,
        /// The round.
        round: Round,
    },
    /// `Built` with a header that does not answer the question.
    #[error("the block built for height {height}, round {round} carries another height, round or proposer")]
    WrongBuild {
        /// The height asked for.
        height: Height,
        /// The round asked for.
        round: Round,
    },
    /// The core decided a block whose header was never handed in, or with a certificate that does not hold.
    #[error("height {0} was decided, but {1}")]
    BadDecision(Height, &'static str),
    /// The core failed, or replay derived something else than the log holds.
    #[error("the consensus core failed: {0}")]
    Core(String),
}

/// Why a message was refused. An honest peer never sends such a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is by someone who does not decide this height.
    #[error("{0} is not a validator of this height")]
    NotAValidator(MemberId),
    /// A signature does not verify.
    #[error("a signature of {0} does not verify")]
    BadSignature(MemberId),
    /// A proposal by a validator whose turn it is not.
    #[error("it was the turn of {expected} to propose, not of {proposer}")]
    NotTheProposer {
        /// Who proposed.
        proposer: MemberId,
        /// Whose turn it was.
        expected: MemberId,
    },
    /// A proposal that refers to its own or a later round, or whose header is of another height.
    #[error("a proposal that contradicts itself")]
    BadProposal,
    /// Signers of a certificate must be sorted and stand once each.
    #[error("the signers of a certificate are not sorted or stand twice")]
    NotSorted,
    /// A certificate with too few signatures, or with votes that do not belong in it.
    #[error("a certificate with {signers} of {needed} needed signatures")]
    NoQuorum {
        /// Signatures in it.
        signers: usize,
        /// Signatures needed.
        needed: usize,
    },
    /// A certificate of precommits that holds a prevote.
    #[error("a certificate of precommits holds a prevote of {0}")]
    NotAPrecommit(MemberId),
}
