//! The blocks of a height that this node knows: judged or built ones, and which proposals named them.

use crate::NilReason;
use salus_types::{BlockId, Header, MemberId, Round};
use std::collections::{BTreeMap, BTreeSet};

/// Blocks judged per round in which they were built, at most, unless a signed proposal names them. Dealings may come
/// before their proposals, and only that round's proposer can deal; an honest one deals once.
const UNPROPOSED_PER_ROUND_MAX: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Blocks {
    judged: BTreeMap<BlockId, Judged>,
    /// By round of the proposal; the core keeps two a round, and one more if a quorum prevoted it.
    proposals: BTreeMap<Round, Vec<Proposed>>,
    kept: BTreeSet<BlockId>,
}

#[derive(Debug)]
struct Judged {
    header: Header,
    valid: bool,
}

#[derive(Debug)]
struct Proposed {
    id: BlockId,
    header: Header,
    /// Whether it refers to an earlier quorum of prevotes.
    again: bool,
}

impl Blocks {
    /// Whether a block was judged, and how.
    pub(crate) fn verdict(&self, id: BlockId) -> Option<bool> {
        self.judged.get(&id).map(|judged| judged.valid)
    }

    pub(crate) fn header(&self, id: BlockId) -> Option<&Header> {
        self.judged.get(&id).map(|judged| &judged.header)
    }

    /// Whether there is room for a judgement that no proposal asked for.
    pub(crate) fn has_room_for(&self, id: BlockId, header: &Header) -> bool {
        let named = self.proposals.values().flatten().any(|one| one.id == id);
        let same_round = self
            .judged
            .values()
            .filter(|one| one.header.round == header.round);
        named || same_round.count() < UNPROPOSED_PER_ROUND_MAX
    }

    pub(crate) fn judge(&mut self, id: BlockId, header: Header, valid: bool) {
        self.judged.insert(id, Judged { header, valid });
    }

    pub(crate) fn forget(&mut self, id: BlockId) {
        self.judged.remove(&id);
    }

    pub(crate) fn propose(&mut self, round: Round, id: BlockId, header: &Header, again: bool) {
        let proposals = self.proposals.entry(round).or_default();
        if proposals.iter().all(|one| one.id != id) {
            proposals.push(Proposed {
                id,
                header: header.clone(),
                again,
            });
        }
    }

    /// Whether a signed proposal of that round named the block.
    pub(crate) fn proposed(&self, round: Round, id: BlockId) -> bool {
        let proposals = self.proposals.get(&round);
        proposals.is_some_and(|all| all.iter().any(|one| one.id == id))
    }

    /// Proposals whose blocks wait for a judgement, with their rounds.
    pub(crate) fn unjudged(&self) -> Vec<(Round, Header)> {
        let all = self
            .proposals
            .iter()
            .flat_map(|(round, all)| all.iter().map(move |one| (*round, one)));
        all.filter(|(_, one)| !self.judged.contains_key(&one.id))
            .map(|(round, one)| (round, one.header.clone()))
            .collect()
    }

    /// Notes that the own share of a block is to be kept; false if it was noted before.
    pub(crate) fn keep(&mut self, id: BlockId) -> bool {
        self.kept.insert(id)
    }

    /// Why a prevote in a round is for nil.
    pub(crate) fn why_nil_prevote(
        &self,
        round: Round,
        timed_out: bool,
        proposer: Option<MemberId>,
        me: MemberId,
    ) -> NilReason {
        let proposed = self.proposals.get(&round).and_then(|all| all.last());
        let Some(Proposed { id, again, .. }) = proposed else {
            return match proposer {
                Some(proposer) if proposer != me => NilReason::NoProposal { proposer },
                _ => NilReason::NotBuilt,
            };
        };
        match self.verdict(*id) {
            None => NilReason::NotJudged(*id),
            Some(false) => NilReason::Invalid(*id),
            Some(true) if timed_out && *again => NilReason::NoProofOfLock(*id),
            Some(true) => NilReason::Locked(*id),
        }
    }
}
