use crate::ResealError;
use salus_runtime::NodeFault;
use salus_types::state::StateFault;
use salus_types::{Gas, Height, Sequence, TransactionId};

/// Why a transaction cannot be executed now. It leaves no trace, and a block that holds it is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExecutable {
    /// Nobody of that number is registered.
    #[error("the sender is not registered")]
    UnknownSender,
    /// The sender may no longer act.
    #[error("the sender was deleted")]
    DeletedSender,
    /// The signature was made with a key that the sender has replaced.
    #[error("the sender has changed keys; sign again with the new key")]
    KeyChanged,
    /// This number was used: the transaction was executed, or another one was in its place.
    #[error("this sequence number was used; the next one is {next}")]
    SequenceUsed {
        /// The number that the sender's next transaction must carry.
        next: Sequence,
    },
    /// Transactions of this sender are missing before this one.
    #[error("transactions before this one are missing; the next sequence number is {next}")]
    SequenceAhead {
        /// The number that the sender's next transaction must carry.
        next: Sequence,
    },
    /// Its end has passed.
    #[error("it could be executed up to height {expires} only; sign again with a later one")]
    Expired {
        /// The last height at which it could be executed.
        expires: Height,
    },
    /// Its end is too far away.
    #[error("its expiry lies too far ahead; the latest is height {latest}")]
    ExpiryTooFar {
        /// The latest height allowed now.
        latest: Height,
    },
    /// Its gas limit does not cover its own bytes, or is more than allowed.
    #[error("the gas limit must be from {min} to {max}")]
    GasLimit {
        /// What its bytes cost before anything runs.
        min: Gas,
        /// The most a transaction may ask for.
        max: Gas,
    },
    /// The block has no gas or bytes left for it; a later one will.
    #[error("the block is full")]
    BlockFull,
}

impl NotExecutable {
    /// Whether it may become executable later without being signed again.
    pub const fn may_pass_later(&self) -> bool {
        matches!(
            self,
            Self::SequenceAhead { .. } | Self::BlockFull | Self::ExpiryTooFar { .. } | Self::UnknownSender
        )
    }
}

/// Why there is no executed block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// The proposer put a transaction into the block that cannot be executed: vote against the block.
    #[error("transaction {index} ({id}) cannot be executed: {reason}")]
    Invalid {
        /// Its position in the block.
        index: usize,
        /// Its id.
        id: TransactionId,
        /// Why.
        reason: NotExecutable,
    },
    /// The proposer reseals what it may not: vote against the block.
    #[error(transparent)]
    Reseals(#[from] ResealError),
    /// The proposer charges a fault again that was counted before: vote against the block.
    #[error("evidence {index} charges a fault that was counted before")]
    Recounted {
        /// Its position in the block.
        index: usize,
    },
    /// The genesis cannot be brought to life: correct it.
    #[error("the genesis is not valid: {0}")]
    Genesis(String),
    /// The state could not be read, or is damaged: halt.
    #[error(transparent)]
    State(#[from] StateFault),
    /// This machine failed to run a contract: halt.
    #[error(transparent)]
    Node(#[from] NodeFault),
}

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No such contract, or it has no such entry point.
    #[error("there is no such contract, or it answers no such questions")]
    UnknownContract,
    /// The members have frozen the contract.
    #[error("the members have frozen this contract: it answers nothing")]
    Frozen,
    /// The contract refuses, with an error code of its own.
    #[error("the contract refuses with code {0}")]
    Aborted(u16),
    /// The contract broke.
    #[error("the contract broke with trap code {0}")]
    Trapped(u8),
    /// The gas limit did not suffice.
    #[error("the answer costs more gas than was allowed")]
    OutOfGas,
    /// This machine could not answer.
    #[error(transparent)]
    Fault(#[from] ExecutionError),
}

impl From<StateFault> for QueryError {
    fn from(fault: StateFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<NodeFault> for QueryError {
    fn from(fault: NodeFault) -> Self {
        Self::Fault(fault.into())
    }
}

/// Why a question has no proven answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenQueryError {
    /// It has no answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// It reads more than is proven at once.
    #[error("the question reads more of the state than is proven at once")]
    TooManyReads,
}
