//! The belt against double signing: remembers what this member signed at a height and refuses anything else.
//!
//! The core never asks for a second vote of a kind in a round, and its replay compares what it derives with the log.
//! This guard shares no code with either, so that a fault of one of them ends in a halt and not in a double vote.

use crate::Fault;
use salus_types::{BlockId, Height, Proposal, Round, Vote, VoteKind};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

#[derive(Debug, Default)]
pub(crate) struct SignGuard {
    votes: BTreeMap<(Round, VoteKind), Option<BlockId>>,
    proposals: BTreeMap<Round, (BlockId, Option<Round>)>,
}

impl SignGuard {
    /// Whether exactly this vote was noted.
    pub(crate) fn knows(&self, vote: &Vote) -> bool {
        self.votes.get(&(vote.round, vote.kind)) == Some(&vote.block)
    }

    /// Notes a vote of this member. `Ok(true)` if it is new, `Ok(false)` if the same was noted before.
    pub(crate) fn vote(&mut self, vote: &Vote) -> Result<bool, Fault> {
        match self.votes.entry((vote.round, vote.kind)) {
            Entry::Vacant(entry) => {
                entry.insert(vote.block);
                Ok(true)
            }
            Entry::Occupied(entry) if *entry.get() == vote.block => Ok(false),
            Entry::Occupied(_) => Err(double(
                match vote.kind {
                    VoteKind::Prevote => "prevote",
                    VoteKind::Precommit => "precommit",
                },
                vote.height,
                vote.round,
            )),
        }
    }

    /// Notes a proposal of this member, as [`Self::vote`] does.
    pub(crate) fn proposal(&mut self, proposal: &Proposal, id: BlockId) -> Result<bool, Fault> {
        let what = (id, proposal.valid_round);
        match self.proposals.entry(proposal.round) {
            Entry::Vacant(entry) => {
                entry.insert(what);
                Ok(true)
            }
            Entry::Occupied(entry) if *entry.get() == what => Ok(false),
            Entry::Occupied(_) => Err(double("proposal", proposal.height, proposal.round)),
        }
    }
}

fn double(what: &'static str, height: Height, round: Round) -> Fault {
    Fault::DoubleSign { what, height, round }
}
