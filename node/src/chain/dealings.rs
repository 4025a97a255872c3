//! Dealings on their way: handed out, asked for, judged; and opened from shares where a dealing is lost.
//!
//! A dealing is in memory only. When power fails while validators are locked on a block, they come back with the lock and
//! their shares, but without the dealing; those who never saw it could not vote for the block, nor the others for any other.
//! Whoever is locked has seen a quorum prevote the block, and each honest one of these keeps its share: k of them come back.
//! So a block that a quorum has prevoted is opened from shares when all were asked for its dealing in vain.

use super::blocks::{Candidate, Wanted};
use super::timers::Alarm;
use super::{Chain, Event, Halt};
use crate::archivist;
use crate::wire::{BodyAnswer, BodyAsk, DealtBlock};
use salus_consensus::Input;
use salus_net::Protocol;
use salus_seal::OpenedBlock;
use salus_types::{BlockId, Header, MemberId, Round, codec};
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for a pushed dealing before asking for it.
const PUSH_PATIENCE: Duration = Duration::from_millis(150);
/// How often a dealing is asked for before waiting for the round to end.
const PULLS_MAX: usize = 8;
const PULL_INTERVAL: Duration = Duration::from_millis(250);
/// How often to look whether a block must be opened from shares, and could not be.
const REOPEN_INTERVAL: Duration = Duration::from_secs(1);

impl Chain {
    /// Hands the dealing of a block out to every other validator.
    pub(super) fn push_dealing(&self, block: BlockId) {
        let Some(push) = self
            .blocks
            .get(&block)
            .and_then(|candidate| candidate.push.clone())
        else {
            return;
        };
        for validator in self
            .in_force
            .validators
            .iter()
            .filter(|validator| validator.member != self.view.me)
        {
            let to = validator.member;
            // Nobody waits for the acknowledgement: who misses the push pulls.
            if let Err(error) = self.courier.ask_then(to, Protocol::Bodies, push.clone(), |_| ()) {
                tracing::debug!(%to, %error, "could not push a dealing");
            }
        }
    }

    /// A member hands out a dealing, or asks for one.
    pub(super) fn on_body_asked(
        &mut self,
        from: MemberId,
        ask: BodyAsk,
        reply: salus_net::Reply,
    ) -> Result<(), Halt> {
        let (answer, pushed) = match ask {
            BodyAsk::Push(block) => (codec::encode(&BodyAnswer::Received), Some(block)),
            BodyAsk::Pull { block } => (self.pulled_bytes(&block), None),
        };
        if let Err(error) = self.courier.net().answer(reply, answer) {
            tracing::debug!(%from, %error, "could not answer");
        }
        match pushed {
            // Only the proposer pushes; what others claim of its block says nothing about it.
            Some(block) if block.header.proposer == from => self.on_dealing(from, *block),
            _ => Ok(()),
        }
    }

    fn pulled_bytes(&self, block: &BlockId) -> Vec<u8> {
        let push = self
            .blocks
            .get(block)
            .and_then(|candidate| candidate.push.as_ref());
        let ask = push.and_then(|push| codec::decode_trusted::<BodyAsk>(push).ok());
        codec::encode(&match ask {
            Some(BodyAsk::Push(block)) => BodyAnswer::Dealing(block),
            _ => BodyAnswer::Unknown,
        })
    }

    /// A proposal came whose dealing is not here.
    pub(super) fn want(&mut self, from: MemberId, header: Header, round: Round) {
        let block = header.id(&self.view.chain);
        let wanted = Wanted {
            header,
            round,
            from,
            pulls: 0,
            reopening: false,
        };
        if self.blocks.want(block, wanted) {
            self.timers.set(Alarm::Pull(block), self.now() + PUSH_PATIENCE);
        }
    }

    /// Asks for a dealing whose push did not come: the proposer first, then everybody in turn. When all were asked, opens the
    /// block from shares, if it is one that validators may be locked on.
    pub(super) fn pull(&mut self, block: BlockId) {
        let now = self.now();
        let others: Vec<MemberId> = self
            .in_force
            .validators
            .iter()
            .map(|validator| validator.member)
            .filter(|member| *member != self.view.me)
            .collect();
        let Some(wanted) = self.blocks.wanted(&block) else {
            return;
        };
        let all_asked = wanted.pulls >= others.len().min(PULLS_MAX);
        if all_asked && !wanted.reopening && self.consensus.has_polka(block) {
            let reopen = archivist::Event::Reopen(Box::new(wanted.header.clone()));
            wanted.reopening = self.archive.try_send(reopen).is_ok();
        }
        if wanted.pulls >= PULLS_MAX {
            self.timers.set(Alarm::Pull(block), now + REOPEN_INTERVAL);
            return;
        }
        let first = others
            .iter()
            .position(|member| *member == wanted.from)
            .unwrap_or(0);
        let turn = (first + wanted.pulls) % others.len().max(1);
        wanted.pulls += 1;
        self.timers.set(Alarm::Pull(block), now + PULL_INTERVAL);
        if let Some(from) = others.get(turn).copied() {
            self.pull_from(from, block);
        }
    }

    fn pull_from(&self, from: MemberId, block: BlockId) {
        let inbox = self.inbox_sender.clone();
        let question = codec::encode(&BodyAsk::Pull { block });
        let asked = self
            .courier
            .ask_then(from, Protocol::Bodies, question, move |answer| {
                let answer = answer
                    .ok()
                    .and_then(|bytes| codec::decode(&bytes, crate::wire::LARGE_MAX).ok());
                let _ = inbox.try_send(Event::Pulled { from, block, answer }); // asked again if lost
            });
        if let Err(error) = asked {
            tracing::debug!(%from, %error, "could not ask for a dealing");
        }
    }

    pub(super) fn on_pulled(
        &mut self,
        from: MemberId,
        block: BlockId,
        answer: Option<BodyAnswer>,
    ) -> Result<(), Halt> {
        match answer {
            Some(BodyAnswer::Dealing(dealt)) if dealt.header.id(&self.view.chain) == block => {
                self.on_dealing(from, *dealt)
            }
            _ => Ok(()),
        }
    }

    /// Judges a dealing and tells the core.
    pub(super) fn on_dealing(&mut self, from: MemberId, dealt: DealtBlock) -> Result<(), Halt> {
        let header = dealt.header.clone();
        let block = header.id(&self.view.chain);
        if header.height == self.tip.header.height.saturating_add(2) && from == header.proposer {
            self.blocks.keep_early(dealt);
            return Ok(());
        }
        if header.height != self.tip.header.height.next() {
            return Ok(());
        }
        if self.consensus.height() != header.height {
            // Its proposer has begun the height: begin it as well, so that the core takes the verdict.
            self.summoned = true;
            self.start_if_due()?;
        }
        let began = self.consensus.height() == header.height;
        let current = if began {
            self.consensus.round()
        } else {
            Round::ZERO
        };
        if !self.blocks.admits(&block, header.round, current) {
            return Ok(());
        }
        match self.judge(dealt)? {
            Ok(candidate) => self.accept(block, candidate),
            Err(reason) if from == header.proposer => {
                tracing::warn!(%from, height = %header.height, reason, "a proposed block is bad");
                let round = self.round_to_judge(&block, &header);
                self.blocks.add_bad(block, header.round);
                self.feed(Input::Judged {
                    round,
                    header,
                    valid: false,
                })
            }
            Err(reason) => {
                tracing::warn!(%from, height = %header.height, reason, "a pulled dealing is bad; asking another member");
                Ok(())
            }
        }
    }

    /// The archive opened a block whose dealing is lost, or could not; then it is tried again.
    pub(super) fn on_reopened(
        &mut self,
        header: &Header,
        opened: Option<Arc<OpenedBlock>>,
    ) -> Result<(), Halt> {
        let block = header.id(&self.view.chain);
        let Some(wanted) = self.blocks.wanted(&block) else {
            return Ok(()); // judged or decided meanwhile
        };
        let Some(opened) = opened else {
            wanted.reopening = false;
            return Ok(());
        };
        match self.judge_opened(header, &opened)? {
            Ok(candidate) => {
                tracing::info!(height = %header.height, "a proposed block was opened from shares: its dealing is lost");
                self.accept(block, candidate)
            }
            Err(reason) => {
                // Honest validators have prevoted it, so more are faulty than may be. It is not tried again.
                tracing::error!(height = %header.height, reason, "a block that a quorum prevoted is bad");
                Ok(())
            }
        }
    }

    /// Keeps a block that was judged good, and tells the core.
    fn accept(&mut self, block: BlockId, candidate: Candidate) -> Result<(), Halt> {
        let header = candidate.header.clone();
        let round = self.round_to_judge(&block, &header);
        self.add_good(block, candidate);
        self.feed(Input::Judged {
            round,
            header,
            valid: true,
        })
    }

    /// The round for which a verdict counts: the latest in which the block was proposed, or that in which it was dealt.
    fn round_to_judge(&mut self, block: &BlockId, header: &Header) -> Round {
        let wanted = self.blocks.wanted(block);
        wanted.map_or(header.round, |wanted| wanted.round)
    }
}
