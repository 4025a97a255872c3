//! Changes that members vote on: who belongs to the network, and which contracts it runs.
//!
//! ```text
//! Change -> SystemCall::Propose -> Proposal -> SystemCall::Vote ... -> passed -> in force, or enacted after a timelock
//!             (an operator)      (in the state)   (other operators)
//! ```

use crate::{ContractChange, Height, MemberChange, Timestamp};
use salus_abi::codec::{Decode, Encode};
use salus_abi::{ContractId, MemberId, PrincipalId};
use std::fmt;

/// Proposals of one member that are open at the same time, at most.
pub const OPEN_PROPOSALS_MAX: usize = 6;

/// A change that members vote on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// Of the members.
    Member(MemberChange),
    /// Of the contracts.
    Contract(ContractChange),
}

/// Which proposal, from 0 in the order in which they were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct ProposalId(u32);

/// A change that waits for votes or for its timelock, as it stands in the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChangeProposal {
    /// Its number.
    pub id: ProposalId,
    /// Whose operator made it.
    pub proposer: MemberId,
    /// What is to change.
    pub change: Change,
    /// The last height at which it can be voted on.
    pub expires: Height,
    /// Members that approve, sorted; the proposer approves by proposing.
    pub approvals: Vec<MemberId>,
    /// From this block time on it can be enacted; `None` as long as it lacks votes.
    pub ready: Option<Timestamp>,
}

/// What a proposal or a vote came to; the output of the transaction's receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProposalOutcome {
    /// Which proposal.
    pub proposal: ProposalId,
    /// Present members that approve.
    pub approvals: u16,
    /// Approvals needed.
    pub needed: u16,
    /// What it did, if it passed.
    pub passed: Option<PassedChange>,
}

/// What the deciding vote did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PassedChange {
    /// A hospital joined. The validator set this makes is in force two heights later.
    Added {
        /// Its number.
        member: MemberId,
        /// Its first principal.
        admin: PrincipalId,
    },
    /// A member left. The validator set this makes is in force two heights later.
    Removed {
        /// Which.
        member: MemberId,
    },
    /// The change waits for its timelock and can then be enacted.
    Waits {
        /// From this block time on.
        from: Timestamp,
    },
    /// A contract answers nothing any more.
    Frozen {
        /// Which.
        contract: ContractId,
    },
    /// A frozen contract answers again.
    Unfrozen {
        /// Which.
        contract: ContractId,
    },
}

impl ProposalId {
    /// Wraps a bare number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The bare number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number after this one; stays at the largest, which no chain reaches.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ProposalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
