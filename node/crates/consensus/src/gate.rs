//! The door to the core: what comes from outside is checked here, before it costs memory or reaches the core.

use crate::malachite::context::{Address, Block, Context};
use crate::malachite::convert::{
    height_to_core, polka_to_core, round_certificate_to_core, round_to_core, signed_proposal_to_core,
    signed_vote_to_core,
};
use crate::{Consensus, Effect, Fault, Message, Refusal, Step, TimerId};
use arc_malachitebft_core_consensus::{
    Input as CoreInput, LocallyProposedValue, MAX_FUTURE_ROUND_LOOKAHEAD, ProposedValue,
};
use arc_malachitebft_core_types::{Round as CoreRound, Validity, ValueOrigin};
use salus_types::{BlockId, Header, Height, MemberId, Round, SignedProposal, SignedVote};
use std::cmp::Ordering;

impl Consensus {
    pub(crate) fn on_timeout(&mut self, id: TimerId) -> Result<(), Fault> {
        match self.host.timers.fired(id) {
            Some(timeout) => self.drive(CoreInput::TimeoutElapsed(timeout)),
            None => Ok(()),
        }
    }

    pub(crate) fn on_built(&mut self, height: Height, round: Round, header: Header) -> Result<(), Fault> {
        let asked = self.host.build.is_some_and(|(asked, _)| asked == round);
        if height != self.host.height || self.host.closed || !asked {
            return Ok(());
        }
        self.host.build = None;
        let own = Some(header.proposer) == self.host.config.member;
        if header.height != height || header.round != round || !own {
            return Err(Fault::WrongBuild { height, round });
        }
        if self.round() != round || self.step() != Step::Propose {
            return Ok(());
        }
        let block = Block::new(header.clone(), &self.host.config.chain);
        self.host.blocks.judge(block.block_id(), header, true);
        self.drive(CoreInput::Propose(LocallyProposedValue::new(
            height_to_core(height),
            round_to_core(round),
            block,
        )))
    }

    pub(crate) fn on_judged(&mut self, round: Round, header: Header, valid: bool) -> Result<(), Fault> {
        if header.height != self.host.height || self.host.closed || !self.is_by_its_proposer(&header) {
            return Ok(());
        }
        let id = header.id(&self.host.config.chain);
        match self.host.blocks.verdict(id) {
            Some(true) => return Ok(()),
            Some(known) if known == valid => return Ok(()),
            Some(_) => {}
            None if self.host.blocks.has_room_for(id, &header) => {}
            None => return Ok(()),
        }
        self.judge(id, round, header, valid)
    }

    /// Hands a verdict to the core, and remembers it if the core took it.
    fn judge(&mut self, id: BlockId, round: Round, header: Header, valid: bool) -> Result<(), Fault> {
        let height = height_to_core(self.host.height);
        let value = Block::new(header.clone(), &self.host.config.chain);
        self.host.blocks.judge(id, header.clone(), valid);
        self.feed(CoreInput::ProposedValue(
            ProposedValue {
                height,
                round: round_to_core(round),
                valid_round: CoreRound::Nil,
                proposer: Address(header.proposer),
                value,
                validity: Validity::from_bool(valid),
            },
            ValueOrigin::Consensus,
        ))?;
        let taken = self.core.as_ref().is_some_and(|core| {
            core.get_proposed_value_by_id(height, round_to_core(round), &id)
                .is_some()
        });
        if !taken {
            self.host.blocks.forget(id);
        }
        self.host.close();
        Ok(())
    }

    /// A header names the round it was built in; only that round's proposer may have built it.
    fn is_by_its_proposer(&self, header: &Header) -> bool {
        self.proposer(header.height, header.round) == Some(header.proposer)
    }

    pub(crate) fn on_message(&mut self, from: MemberId, message: Message) -> Result<(), Fault> {
        if self.core.is_none() {
            return Ok(());
        }
        let height = message.height();
        let over = self.host.closed;
        match height.cmp(&self.host.height) {
            Ordering::Equal if !over => self.on_current(from, message),
            Ordering::Greater => {
                self.on_later(from, message);
                Ok(())
            }
            Ordering::Less | Ordering::Equal => {
                if self.host.verifier.is_validator(from) && self.inbox.note_late(from) {
                    self.host
                        .effects
                        .push(Effect::PeerBehind { member: from, height });
                }
                Ok(())
            }
        }
    }

    /// Checks a message of a later height against the validators of this one: those of the next are not known yet,
    /// and rarely differ. A new member's first votes are dropped here; it sends them again.
    fn on_later(&mut self, from: MemberId, message: Message) {
        let (signer, checked) = match &message {
            Message::Vote(vote) => (vote.vote.member, self.host.verifier.vote(vote)),
            Message::Proposal(signed) => {
                let checked = self.host.verifier.proposal(signed);
                (signed.proposal.proposer, checked)
            }
            // The core takes certificates of its own height only, and those who make them send votes as well.
            Message::Polka(_) | Message::Round(_) => return,
        };
        match checked {
            Ok(()) => {}
            Err(why @ Refusal::BadSignature(_)) => return self.refuse(from, why),
            Err(_) => return,
        }
        let height = message.height();
        if self.inbox.note_ahead(signer, height) {
            let member = signer;
            self.host.effects.push(Effect::Behind { member, height });
        }
        if height == self.host.height.next() && self.host.verifier.is_validator(from) {
            self.inbox.keep(from, message);
        }
    }

    fn on_current(&mut self, from: MemberId, message: Message) -> Result<(), Fault> {
        let (votes, input): (Vec<SignedVote>, _) = match message {
            Message::Vote(vote) => return self.on_vote(from, &vote),
            Message::Proposal(proposal) => return self.on_proposal(from, &proposal),
            Message::Polka(certificate) => {
                let input = CoreInput::PolkaCertificate(polka_to_core(&certificate));
                (certificate.votes().collect(), input)
            }
            Message::Round(certificate) => {
                let input = CoreInput::RoundCertificate(round_certificate_to_core(&certificate));
                (certificate.votes().collect(), input)
            }
        };
        let members = votes.iter().map(|vote| vote.vote.member);
        if let Err(why) = self.host.verifier.signers(1, members) {
            self.refuse(from, why);
            return Ok(());
        }
        let own = votes
            .iter()
            .find(|vote| Some(vote.vote.member) == self.host.config.member);
        match own {
            Some(own) if !self.is_own_work(own) => Ok(()),
            _ => self.on_certificate(from, input),
        }
    }

    /// Whether a vote in this member's name may be let in: it is not another's, or was signed here, or at least does
    /// not contradict what was. One that this node does not remember means that its log was lost or that someone else
    /// has its key; the guard notes it, so that this node halts rather than sign the contrary.
    fn is_own_work(&mut self, signed: &SignedVote) -> bool {
        let vote = &signed.vote;
        if Some(vote.member) != self.host.config.member || self.host.guard.knows(vote) {
            return true;
        }
        if self.host.verifier.vote(signed).is_err() {
            return true; // not in this member's name after all; the core refuses it
        }
        self.host.effects.push(Effect::KeyInUse {
            height: vote.height,
            round: vote.round,
        });
        self.host.guard.vote(vote).is_ok()
    }

    /// The core verifies a certificate only if it tells something new; a repeated one costs nothing.
    fn on_certificate(&mut self, from: MemberId, input: CoreInput<Context>) -> Result<(), Fault> {
        self.host.refusal = None;
        self.drive(input)?;
        if let Some(why) = self.host.refusal.take() {
            self.refuse(from, why);
        }
        Ok(())
    }

    fn on_vote(&mut self, from: MemberId, vote: &SignedVote) -> Result<(), Fault> {
        let core_vote = signed_vote_to_core(vote);
        let known = self
            .core
            .as_ref()
            .is_some_and(|core| core.driver.votes().has_vote(&core_vote));
        if known || self.is_too_far(vote.vote.round) {
            return Ok(());
        }
        if let Err(why) = self.host.verifier.vote(vote) {
            self.refuse(from, why);
            return Ok(());
        }
        if !self.is_own_work(vote) {
            return Ok(());
        }
        self.drive(CoreInput::Vote(core_vote))
    }

    fn on_proposal(&mut self, from: MemberId, signed: &SignedProposal) -> Result<(), Fault> {
        let proposal = &signed.proposal;
        if self.is_too_far(proposal.round) {
            return Ok(());
        }
        if let Err(why) = self.check_proposal(signed) {
            self.refuse(from, why);
            return Ok(());
        }
        let id = proposal.header.id(&self.host.config.chain);
        let round = round_to_core(proposal.round);
        let height = height_to_core(proposal.height);
        let full = self
            .core
            .as_ref()
            .is_none_or(|core| core.exceeds_per_round_cap(height, round, &id));
        if full {
            return Ok(());
        }
        let known = self.host.blocks.proposed(proposal.round, id);
        if !known && Some(proposal.proposer) == self.host.config.member {
            self.host.effects.push(Effect::KeyInUse {
                height: proposal.height,
                round: proposal.round,
            });
            if self.host.guard.proposal(proposal, id).is_err() {
                return Ok(());
            }
        }
        self.drive(CoreInput::Proposal(signed_proposal_to_core(
            signed,
            &self.host.config.chain,
        )))?;
        if known || self.host.closed || self.host.blocks.verdict(id).is_some() {
            return Ok(());
        }
        if !self.is_by_its_proposer(&proposal.header) {
            return self.judge(id, proposal.round, proposal.header.clone(), false);
        }
        self.host.effects.push(Effect::WantBody {
            from,
            header: proposal.header.clone(),
            round: proposal.round,
        });
        Ok(())
    }

    fn check_proposal(&mut self, signed: &SignedProposal) -> Result<(), Refusal> {
        let proposal = &signed.proposal;
        let proposer = proposal.proposer;
        if !self.host.verifier.is_validator(proposer) {
            return Err(Refusal::NotAValidator(proposer));
        }
        match self.proposer(proposal.height, proposal.round) {
            Some(expected) if expected != proposer => {
                return Err(Refusal::NotTheProposer { proposer, expected });
            }
            _ => {}
        }
        let of_the_future = proposal.valid_round.is_some_and(|round| round >= proposal.round);
        if of_the_future || proposal.header.height != proposal.height {
            return Err(Refusal::BadProposal);
        }
        self.host.verifier.proposal(signed)
    }

    /// The core drops what is more than ten rounds ahead; a round certificate leads there.
    fn is_too_far(&self, round: Round) -> bool {
        round > self.round().saturating_add(MAX_FUTURE_ROUND_LOOKAHEAD)
    }

    fn refuse(&mut self, from: MemberId, why: Refusal) {
        self.host.effects.push(Effect::Refused { from, why });
    }
}
