//! Blocks of the height that is being decided: built here, judged, or proposed without their dealing. They live in memory
//! only, for one height.

use super::resealing::Redealt;
use super::{Chain, Halt};
use crate::wire::{BodyAsk, DealtBlock};
use salus_execution::ExecutedBlock;
use salus_net::Bytes;
use salus_store::Deposit;
use salus_types::{BlockId, Body, Header, Height, MemberId, Round, SealedShare, TransactionId, codec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Good blocks held at once. A height rarely sees more than one; one that is dropped can still be decided, and is then
/// opened from shares.
const GOOD_MAX: usize = 8;
/// Bad blocks remembered, so that none is judged twice.
const BAD_MAX: usize = 64;
/// Proposed blocks without a dealing. Only the latest rounds' matter.
const WANTED_MAX: usize = 8;
/// Dealings of one round that are judged without a signed proposal for them: its proposer deals once if it is honest.
const UNPROPOSED_PER_ROUND_MAX: usize = 2;
/// How many rounds ahead a dealing may be that nobody has proposed yet; the core looks no further either.
const ROUNDS_AHEAD_MAX: u32 = 10;

/// Blocks of a height, and what was found in the good ones.
pub(super) struct Blocks<T = Candidate> {
    judged: BTreeMap<BlockId, Judged<T>>,
    wanted: BTreeMap<BlockId, Wanted>,
    /// The core waits for this block, which waits for work.
    build: Option<(Height, Round)>,
    /// The dealing of the height after the next, from a proposer that committed before this node did.
    early: Option<DealtBlock>,
}

struct Judged<T> {
    /// In which it was dealt.
    round: Round,
    /// `None` of a bad one.
    good: Option<T>,
}

/// A block that was built here, or judged good.
pub(super) struct Candidate {
    pub(super) header: Header,
    pub(super) body: Body,
    pub(super) ids: Vec<TransactionId>,
    pub(super) executed: ExecutedBlock,
    /// The own share; `None` if this member's slot was not dealt.
    pub(super) share: Option<SealedShare>,
    /// Older blocks that it deals anew, with the own shares; empty for a block that others decided.
    pub(super) redealt: Vec<Redealt>,
    /// What is kept for the others, until it is on disk; only where k > n - 2f.
    pub(super) deposit: Option<Deposit>,
    /// The dealing as it is sent: shared by all sends.
    pub(super) push: Option<Bytes>,
}

/// A proposed block whose dealing is not here.
pub(super) struct Wanted {
    pub(super) header: Header,
    /// Of the latest proposal.
    pub(super) round: Round,
    /// Who sent it.
    pub(super) from: MemberId,
    /// How often its dealing was asked for since then.
    pub(super) pulls: usize,
    /// The archive opens it from shares.
    pub(super) reopening: bool,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self {
            judged: BTreeMap::new(),
            wanted: BTreeMap::new(),
            build: None,
            early: None,
        }
    }
}

impl<T> Blocks<T> {
    /// Forgets the blocks of a height that is over.
    pub(super) fn clear(&mut self) {
        *self = Self {
            early: self.early.take(),
            ..Self::default()
        };
    }

    /// Keeps a dealing until its height begins.
    pub(super) fn keep_early(&mut self, block: DealtBlock) {
        self.early = Some(block);
    }

    /// The dealing that came before its height began, if it is of this height.
    pub(super) fn take_early(&mut self, height: Height) -> Option<DealtBlock> {
        self.early.take().filter(|block| block.header.height == height)
    }

    pub(super) fn ask_build(&mut self, height: Height, round: Round) {
        self.build = Some((height, round));
    }

    pub(super) fn take_build(&mut self) -> Option<(Height, Round)> {
        self.build.take()
    }

    pub(super) fn build_waits(&self) -> bool {
        self.build.is_some()
    }

    pub(super) fn take(&mut self, block: &BlockId) -> Option<T> {
        self.judged.remove(block)?.good
    }

    pub(super) fn get(&self, block: &BlockId) -> Option<&T> {
        self.judged.get(block)?.good.as_ref()
    }

    pub(super) fn get_mut(&mut self, block: &BlockId) -> Option<&mut T> {
        self.judged.get_mut(block)?.good.as_mut()
    }

    /// Whether a dealing that came in is worth judging while the core is in a round. Nobody fills memory, or keeps this node
    /// busy, with dealings that no proposal names.
    pub(super) fn admits(&self, block: &BlockId, dealt_in: Round, current: Round) -> bool {
        if self.judged.contains_key(block) {
            return false;
        }
        let near = current <= dealt_in && dealt_in <= current.saturating_add(ROUNDS_AHEAD_MAX);
        let same_round = self.judged.values().filter(|judged| judged.round == dealt_in);
        self.wanted.contains_key(block) || (near && same_round.count() < UNPROPOSED_PER_ROUND_MAX)
    }

    /// Adds a good block. Where there are too many, the one dealt first makes room, of those that are not `precious` if there
    /// are such.
    pub(super) fn add_good(
        &mut self,
        block: BlockId,
        round: Round,
        good: T,
        precious: impl Fn(BlockId) -> bool,
    ) {
        let others = self.judged.iter().filter(|(_, judged)| judged.good.is_some());
        let others: Vec<_> = others
            .map(|(id, judged)| (precious(*id), judged.round, *id))
            .collect();
        if others.len() >= GOOD_MAX
            && let Some((_, _, least)) = others.into_iter().min()
        {
            self.judged.remove(&least);
        }
        self.add(block, round, Some(good));
    }

    /// Remembers a bad block.
    pub(super) fn add_bad(&mut self, block: BlockId, round: Round) {
        let others = self.judged.iter().filter(|(_, judged)| judged.good.is_none());
        let others: Vec<_> = others.map(|(id, judged)| (judged.round, *id)).collect();
        if others.len() >= BAD_MAX
            && let Some((_, oldest)) = others.into_iter().min()
        {
            self.judged.remove(&oldest);
        }
        self.add(block, round, None);
    }

    fn add(&mut self, block: BlockId, round: Round, good: Option<T>) {
        self.wanted.remove(&block);
        self.judged.insert(block, Judged { round, good });
    }

    /// Notes that a proposal's dealing is missing; whether it still is.
    pub(super) fn want(&mut self, block: BlockId, proposal: Wanted) -> bool {
        if self.judged.contains_key(&block) {
            return false;
        }
        let before = self.wanted.remove(&block);
        if self.wanted.len() >= WANTED_MAX
            && let Some((_, oldest)) = self.wanted.iter().map(|(id, one)| (one.round, *id)).min()
        {
            self.wanted.remove(&oldest);
        }
        let reopening = before.is_some_and(|before| before.reopening);
        self.wanted.insert(
            block,
            Wanted {
                reopening,
                ..proposal
            },
        );
        true
    }

    pub(super) fn wanted(&mut self, block: &BlockId) -> Option<&mut Wanted> {
        self.wanted.get_mut(block)
    }
}

impl Chain {
    /// Keeps a block that was built or judged good. One that a quorum has prevoted is not dropped for others.
    pub(super) fn add_good(&mut self, block: BlockId, candidate: Candidate) {
        let consensus = &self.consensus;
        let round = candidate.header.round;
        self.blocks
            .add_good(block, round, candidate, |id| consensus.has_polka(id));
    }

    /// Makes the own share of a block durable, and those of the blocks that it deals anew: before the vote for it. Where there
    /// is a deposit, that comes first: who finds the own share after a crash knows that the deposit was durable too.
    pub(super) fn keep_share(&mut self, block: BlockId) -> Result<(), Halt> {
        let deposit = self.blocks.get_mut(&block);
        if let Some(deposit) = deposit.and_then(|candidate| candidate.deposit.take()) {
            self.view.deposits.put(block, &deposit)?;
        }
        let Some(candidate) = self.blocks.get(&block) else {
            // After a restart the dealing is gone, but the share was kept before the vote that is replayed.
            return match self.view.shares.location(&block)? {
                Some(_) => Ok(()),
                None => Err(Halt::Part(format!(
                    "no share of block {block} was kept, yet it is voted for"
                ))),
            };
        };
        if let Some(share) = &candidate.share {
            self.view.shares.append(&candidate.header, block, share)?;
        }
        self.keep_redealt(&candidate.redealt)
    }
}

/// A block as it is handed out.
pub(super) fn push_bytes(block: DealtBlock) -> Bytes {
    Bytes::from(codec::encode(&BodyAsk::Push(Box::new(block))))
}

/// The parts of a candidate that outlive it: shared by readers.
pub(super) fn shared(candidate: Candidate) -> (Arc<crate::recent::CommittedBlock>, ExecutedBlock) {
    let Candidate {
        header,
        body,
        ids,
        executed,
        ..
    } = candidate;
    (
        Arc::new(crate::recent::CommittedBlock { header, ids, body }),
        executed,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_types::Hash;

    fn block(number: u32) -> BlockId {
        BlockId::new(Hash::of_content(&number.to_be_bytes()))
    }

    fn round(number: u32) -> Round {
        Round::new(number)
    }

    fn no_polka(_: BlockId) -> bool {
        false
    }

    #[test]
    fn good_blocks_make_room_for_newer_ones_but_for_those_that_a_quorum_prevoted() {
        let mut blocks = Blocks::default();
        let precious = block(1);
        for number in 0..40 {
            assert!(blocks.admits(&block(number), round(number), round(number)));
            blocks.add_good(block(number), round(number), number, |id| id == precious);
            let held = blocks.judged.values().filter(|judged| judged.good.is_some());
            assert!(held.count() <= GOOD_MAX);
            assert_eq!(blocks.get(&block(number)), Some(&number), "the newest stays");
        }
        assert_eq!(blocks.get(&precious), Some(&1));
        assert!(blocks.get(&block(32)).is_none() && blocks.get(&block(33)).is_some());
        assert_eq!(blocks.take(&precious), Some(1));
    }

    #[test]
    fn dealings_that_nobody_proposed_never_keep_others_out() {
        let mut blocks = Blocks::<u32>::default();
        // A faulty validator deals without end, in all of its turns.
        for number in 0..1_000 {
            let dealt_in = round(number % 40);
            if blocks.admits(&block(number), dealt_in, round(5)) {
                assert!((5..=15).contains(&dealt_in.get()));
                blocks.add_bad(block(number), dealt_in);
            }
        }
        assert_eq!(blocks.judged.len(), 11 * UNPROPOSED_PER_ROUND_MAX);
        assert!(!blocks.admits(&block(2_000), round(6), round(5)));
        assert!(blocks.admits(&block(2_000), round(16), round(6)));
        // What is signed for is judged whatever else came, in whichever round.
        assert!(blocks.want(block(2_000), wanted(6)));
        assert!(blocks.admits(&block(2_000), round(3), round(6)));
        blocks.add_good(block(2_000), round(3), 7, no_polka);
        assert!(!blocks.admits(&block(2_000), round(3), round(6)));
        assert!(!blocks.want(block(2_000), wanted(7)));
    }

    #[test]
    fn bad_blocks_are_remembered_up_to_a_bound() {
        let mut blocks = Blocks::<u32>::default();
        for number in 0..200 {
            blocks.add_bad(block(number), round(number));
        }
        assert_eq!(blocks.judged.len(), BAD_MAX);
        assert!(!blocks.admits(&block(199), round(199), round(199)));
        assert!(blocks.get(&block(199)).is_none());
    }

    #[test]
    fn the_latest_proposals_without_a_dealing_are_wanted() {
        let mut blocks = Blocks::<u32>::default();
        for number in 0..20 {
            assert!(blocks.want(block(number), wanted(number)));
        }
        assert_eq!(blocks.wanted.len(), WANTED_MAX);
        assert!(blocks.wanted(&block(11)).is_none());
        let earlier = blocks.wanted(&block(12)).unwrap();
        (earlier.pulls, earlier.reopening) = (5, true);
        // Proposed once more: it is asked for again, and still being opened.
        assert!(blocks.want(block(12), wanted(30)));
        let again = blocks.wanted(&block(12)).unwrap();
        assert_eq!((again.round.get(), again.pulls, again.reopening), (30, 0, true));
    }

    fn wanted(number: u32) -> Wanted {
        let zero = Hash::ZERO;
        Wanted {
            header: Header {
                height: Height::new(1),
                round: Round::ZERO,
                time: salus_types::Timestamp::ZERO,
                proposer: MemberId::new(0),
                parent: BlockId::new(zero),
                validators: zero,
                next_validators: zero,
                sealing: salus_types::Sealing {
                    suite: 1,
                    threshold: 1,
                    slots: 1,
                    body_length: 0,
                    sealed_length: 0,
                },
                body_commitment: zero,
                share_root: zero,
                receipts_root: zero,
                state_root: zero,
                gas_used: salus_types::Gas::ZERO,
            },
            round: round(number),
            from: MemberId::new(0),
            pulls: 0,
            reopening: false,
        }
    }
}
