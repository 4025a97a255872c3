//! Why the node refuses, as typed values. Each has a stable code, a message, and a hint that tells what to do.

use crate::ErrorCode;
use salus_types::codec::DecodeError;
use salus_types::{ChainId, Gas, Height, MemberId, Sequence, TRANSACTION_LENGTH_MAX, TransactionError};
use std::time::Duration;

/// Why a transaction is not taken into the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its bytes are not the canonical encoding of a transaction.
    #[error("not a transaction: {0}")]
    Malformed(DecodeError),
    /// It was made for another network.
    #[error("the transaction is for chain {given}, this is chain {here}")]
    WrongChain {
        /// The chain it names.
        given: ChainId,
        /// This chain.
        here: ChainId,
    },
    /// No such principal is registered.
    #[error("the sender is not registered on this chain")]
    UnknownSender,
    /// The sender was deleted by its hospital.
    #[error("the sender was deleted and may no longer act")]
    SenderDeleted,
    /// The signature does not verify strictly under the sender's current key.
    #[error("the signature does not verify under the sender's key on this chain")]
    BadSignature,
    /// The sequence number was used by an executed transaction.
    #[error("this sequence number has been used; the next is {next}")]
    Replay {
        /// The sequence number to use.
        next: Sequence,
    },
    /// Another transaction of the sender waits in the pool under this sequence number.
    #[error("another transaction with this sequence number is in the pool")]
    SequenceTaken,
    /// Too far ahead of the sender's sequence.
    #[error("the sequence number is too far ahead; the next is {next}")]
    OutOfOrder {
        /// The sequence number to use.
        next: Sequence,
    },
    /// Its last height has passed.
    #[error("the transaction expired; the chain is at height {height}")]
    Expired {
        /// The last committed height.
        height: Height,
    },
    /// It would be valid for too long.
    #[error("the expiry is too far ahead; at most height {latest} is allowed now")]
    ExpiryTooFar {
        /// The greatest expiry height allowed now.
        latest: Height,
    },
    /// It is longer than a transaction may be.
    #[error("{length} bytes where at most {limit} are allowed")]
    Oversized {
        /// Its bytes.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Its gas limit does not cover its own bytes, or is above what a transaction may use.
    #[error("the gas limit is not within {min} to {max}")]
    GasLimit {
        /// The least gas limit: what the transaction's own bytes cost.
        min: Gas,
        /// The greatest gas limit.
        max: Gas,
    },
    /// The sender, or its hospital, has used up its quota.
    #[error("the quota is used up")]
    OverQuota {
        /// When to try again.
        retry_after: Duration,
    },
    /// There is no room in the pool.
    #[error("the pool is full")]
    PoolFull,
    /// It calls a contract that does not exist.
    #[error("there is no such contract")]
    UnknownContract,
    /// The node is catching up, so it can't check transactions yet.
    #[error("this node is catching up with the chain")]
    NotReady,
}

/// Why blocks, receipts or logs can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadRefusal {
    /// The chain is not that long yet, or the thing does not exist.
    #[error("there is no such block")]
    NotFound,
    /// Too few members answered with a valid share.
    #[error("{have} of {need} shares could be gathered")]
    SharesMissing {
        /// Valid shares.
        have: u16,
        /// Shares needed.
        need: u16,
    },
    /// The network opens blocks only against a ticket.
    #[error("this network opens blocks only against a ticket on the chain")]
    Refused,
    /// Too many reconstructions at once.
    #[error("too many blocks are being reconstructed")]
    Busy,
    /// The shares opened, but not to what the header commits to.
    #[error("the shares do not open to what the header commits to")]
    Damaged,
    /// This node took over a snapshot and does not know yet what is in some of the blocks before it.
    #[error("this node has not read {blocks} older blocks yet, and what was asked for may be in them")]
    Unread {
        /// How many.
        blocks: u64,
    },
}

/// Why a query has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryRefusal {
    /// No such contract, or it has no `salus_query`.
    #[error("there is no such contract, or it answers no queries")]
    UnknownContract,
    /// The members have frozen the contract.
    #[error("the members have frozen this contract: it answers nothing")]
    Frozen,
    /// The contract refused with an error code of its own.
    #[error("the contract refused with code {code}")]
    Aborted {
        /// The contract's error code.
        code: u16,
    },
    /// The contract broke.
    #[error("the contract trapped with code {code}")]
    Trapped {
        /// The runtime's trap code.
        code: u8,
    },
    /// The query reads more than is proven at once.
    #[error("the query reads more of the state than is proven at once")]
    TooManyReads,
    /// The query costs more than a query may.
    #[error("the query ran out of gas")]
    OutOfGas,
    /// The node is catching up, so its state is old.
    #[error("this node is catching up with the chain")]
    NotReady,
}

/// Why a record's piece was not stored or not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PieceRefusal {
    /// No such member.
    #[error("there is no member {0}")]
    UnknownMember(MemberId),
    /// The member did not answer.
    #[error("the member did not answer")]
    Unreachable,
    /// The piece fails its check, or is not the one of that member.
    #[error("the piece does not belong to its record's root at this member's position")]
    BadPiece,
    /// The read request is malformed, badly signed or too old.
    #[error("the read request is malformed, badly signed or too old")]
    BadRequest,
    /// No ticket on the chain releases this record to this requester now.
    #[error("no valid ticket releases this record to this requester")]
    NoTicket,
    /// The member holds no such piece.
    #[error("the member holds no such piece")]
    NotHeld,
    /// The member has no room, or its quota for the sender is used up.
    #[error("the member has no room for the piece")]
    Full,
}

impl From<TransactionError> for Rejection {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Malformed(DecodeError::TooLong { length, limit }) => {
                Self::Oversized { length, limit }
            }
            TransactionError::Malformed(error) => Self::Malformed(error),
            TransactionError::BadSignature => Self::BadSignature,
        }
    }
}

impl Rejection {
    /// Its stable code; see [`ErrorCode::status`] for the HTTP status.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(DecodeError::NotCanonical) => ErrorCode::NotCanonical,
            Self::Malformed(_) => ErrorCode::Malformed,
            Self::WrongChain { .. } => ErrorCode::WrongChain,
            Self::UnknownSender => ErrorCode::UnknownSender,
            Self::SenderDeleted => ErrorCode::SenderDeleted,
            Self::BadSignature => ErrorCode::BadSignature,
            Self::Replay { .. } => ErrorCode::Replay,
            Self::SequenceTaken => ErrorCode::SequenceTaken,
            Self::OutOfOrder { .. } => ErrorCode::OutOfOrder,
            Self::Expired { .. } => ErrorCode::Expired,
            Self::ExpiryTooFar { .. } => ErrorCode::ExpiryTooFar,
            Self::Oversized { .. } => ErrorCode::Oversized,
            Self::GasLimit { .. } => ErrorCode::GasLimit,
            Self::OverQuota { .. } => ErrorCode::OverQuota,
            Self::PoolFull => ErrorCode::PoolFull,
            Self::UnknownContract => ErrorCode::UnknownContract,
            Self::NotReady => ErrorCode::NotReady,
        }
    }

    /// What the sender can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Malformed(DecodeError::NotCanonical) => {
                "encode with the shortest integers and nothing after the signature".into()
            }
            Self::Malformed(_) => "send the canonical encoding of a signed transaction".into(),
            Self::WrongChain { .. } => {
                "read the chain id from GET /v1/status, and sign for that chain".into()
            }
            Self::UnknownSender => {
                "ask an admin or manager of your hospital to register you, and use the number given".into()
            }
            Self::SenderDeleted => "ask an admin of your hospital; a deleted principal stays deleted".into(),
            Self::BadSignature => {
                "sign the exact bytes with the sender's current key; if the keys were rotated, use the new one".into()
            }
            Self::Replay { next } => format!(
                "if it was sent before, look it up by its id; otherwise sign again with sequence {next}"
            ),
            Self::SequenceTaken => {
                "wait until the other one is committed, or sign again with the number after your last one".into()
            }
            Self::OutOfOrder { next } => format!("send the transactions before it first, from sequence {next}"),
            Self::Expired { .. } => "sign again with a later expiry height".into(),
            Self::ExpiryTooFar { latest } => format!("sign again with an expiry of at most {latest}"),
            Self::Oversized { .. } => {
                format!("a transaction has at most {TRANSACTION_LENGTH_MAX} bytes; records go to /v1/records, not here")
            }
            Self::GasLimit { min, max } => format!("sign again with a gas limit of {min} to {max}"),
            Self::OverQuota { .. } => "wait as long as Retry-After says".into(),
            Self::PoolFull => "try again in a moment, or send to another member's node".into(),
            Self::UnknownContract => "check the contract's number: the registry is 1, the access contract 2".into(),
            Self::NotReady => "wait until GET /readyz answers 200, or send to another member's node".into(),
        }
    }

    /// The sequence number the sender should use, where that is the matter.
    pub const fn next_sequence(&self) -> Option<Sequence> {
        match self {
            Self::Replay { next } | Self::OutOfOrder { next } => Some(*next),
            _ => None,
        }
    }

    /// When to try the same again, where time helps.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::OverQuota { retry_after } => Some(*retry_after),
            Self::PoolFull => Some(Duration::from_secs(1)),
            Self::NotReady => Some(Duration::from_secs(5)),
            _ => None,
        }
    }
}

impl ReadRefusal {
    /// Its stable code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::SharesMissing { .. } => ErrorCode::SharesMissing,
            Self::Refused => ErrorCode::ReadRefused,
            Self::Busy => ErrorCode::Busy,
            Self::Damaged => ErrorCode::Damaged,
            Self::Unread { .. } => ErrorCode::NotReady,
        }
    }

    /// What the reader can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotFound => "GET /v1/status tells the last height",
            Self::SharesMissing { .. } => {
                "wait until more members are up; GET /v1/blocks/{height}/shares tells who holds a share"
            }
            Self::Refused => {
                "get a ticket with an open_blocks transaction, and send a signed open request for this member in the header Salus-Open"
            }
            Self::Busy => "try again in a moment",
            Self::Damaged => "tell the operator: this must never happen",
            Self::Unread { .. } => {
                "ask another validator, or this one later: GET /v1/status tells how far it is"
            }
        }
    }
}

impl QueryRefusal {
    /// Its stable code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownContract => ErrorCode::UnknownContract,
            Self::Frozen => ErrorCode::Frozen,
            Self::Aborted { .. } => ErrorCode::ContractRefused,
            Self::Trapped { .. } => ErrorCode::Trap,
            Self::OutOfGas => ErrorCode::OutOfGas,
            Self::TooManyReads => ErrorCode::Oversized,
            Self::NotReady => ErrorCode::NotReady,
        }
    }

    /// What the asker can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::UnknownContract => "check the contract's number: the registry is 1, the access contract 2",
            Self::Frozen => "ask an operator why it was frozen; GET /v1/proposals shows what is proposed",
            Self::Aborted { .. } => "look the code up in the contract's documentation",
            Self::Trapped { .. } => {
                "check that the entry exists and that the input is its canonical argument"
            }
            Self::OutOfGas => "ask for less at once",
            Self::TooManyReads => "ask for less at once, or without proof",
            Self::NotReady => "wait until GET /readyz answers 200, or ask another member's node",
        }
    }
}

impl PieceRefusal {
    /// Its stable code.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownMember(_) => ErrorCode::UnknownMember,
            Self::Unreachable => ErrorCode::MemberUnreachable,
            Self::BadPiece => ErrorCode::BadPiece,
            Self::BadRequest => ErrorCode::BadReadRequest,
            Self::NoTicket => ErrorCode::NoTicket,
            Self::NotHeld => ErrorCode::NotFound,
            Self::Full => ErrorCode::StorageFull,
        }
    }

    /// What the client can do.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::UnknownMember(_) => "GET /v1/members lists the members",
            Self::Unreachable => "go on with the other members: not all are needed",
            Self::BadPiece => {
                "seal the record again for the present members, and send each member its own piece"
            }
            Self::BadRequest => "sign a new read request with the requester's current key",
            Self::NoTicket => "send a retrieve transaction first; a permit writes the ticket",
            Self::NotHeld => "go on with the other members: not all are needed",
            Self::Full => "tell the member's operator; go on with the other members",
        }
    }
}
