//! Carrying out what the consensus core asks for, in its order.

use super::timers::Alarm;
use super::{Chain, Halt, Phase};
use crate::archivist;
use crate::wire::Direct;
use salus_consensus::{Effect, Input, Message};
use salus_store::SigningStep;
use salus_types::{Evidence, Hash, Height, MemberId, Round, VoteKind, codec};

/// Something that is about to leave under this member's signature.
struct Signed {
    height: Height,
    round: Round,
    step: SigningStep,
    digest: Hash,
}

impl Chain {
    /// A consensus message from a member's stream.
    pub(super) fn on_message(&mut self, from: MemberId, bytes: &[u8]) -> Result<(), Halt> {
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%from, %error, "malformed consensus message");
                return Ok(());
            }
        };
        let height = message.height();
        self.feed(Input::Message { from, message })?;
        // Compared with the tip as it is now: the message may have decided its own height.
        if height == self.tip.header.height.next() && self.phase == Phase::Idle {
            self.summoned = true;
            self.start_if_due()?;
        }
        Ok(())
    }

    /// Sets the alarm for the earliest time at which the next height may start; never now, since a node that is behind
    /// its peers may not start although it is time.
    pub(super) fn schedule_start(&mut self) {
        if self.phase == Phase::Idle {
            let interval = self.pace.block_interval();
            let pause = if self.has_work() {
                interval
            } else {
                self.reseal_pause().unwrap_or(self.pace.heartbeat())
            };
            let earliest = (self.committed_at + pause).max(self.now() + interval);
            self.timers.set(Alarm::Start, earliest);
        }
    }

    fn has_work(&self) -> bool {
        self.summoned || !self.evidence.is_empty() || self.view.pool().is_ready() || self.has_reseals()
    }

    /// Somebody put a transaction into the pool, or a peer began the next height.
    pub(super) fn on_work(&mut self) -> Result<(), Halt> {
        self.gossip_transactions();
        match self.phase {
            Phase::Idle => self.start_if_due(),
            Phase::Deciding if self.blocks.build_waits() => self.build_waiting(),
            Phase::Deciding | Phase::Gathering(_) => Ok(()),
        }
    }

    /// Starts the next height if there is work (or the heartbeat is due) and the block interval is over.
    pub(super) fn start_if_due(&mut self) -> Result<(), Halt> {
        if self.phase != Phase::Idle {
            return Ok(());
        }
        let since = self.now().saturating_sub(self.committed_at);
        let work = self.has_work() && (self.summoned || since >= self.pace.block_interval());
        let due = work || since >= self.pace.heartbeat();
        if due && !self.view.progress.is_behind(self.tip.header.height) {
            self.start_height()
        } else {
            self.schedule_start();
            Ok(())
        }
    }

    /// Starts the height after the tip, replaying the write-ahead log if it is of that height.
    pub(super) fn start_height(&mut self) -> Result<(), Halt> {
        self.end_probation_if_due();
        self.take_seat();
        let height = self.tip.header.height.next();
        let entries = if self.wal.height() == height {
            self.wal.entries().to_vec()
        } else {
            Vec::new()
        };
        if self.wal.height() != height {
            self.wal.reset(height)?;
        }
        self.summoned = false;
        self.phase = Phase::Deciding;
        self.timers.cancel(Alarm::Start);
        self.blocks.clear();
        let effects = self
            .consensus
            .start_height(height, self.in_force.validators.clone(), &entries)?;
        self.carry_out(effects)?;
        self.feed_waiting()?;
        match self.blocks.take_early(height) {
            Some(block) => self.on_dealing(block.header.proposer, block),
            None => Ok(()),
        }
    }

    /// Hands an input to the core, and then whatever its effects gave rise to.
    pub(super) fn feed(&mut self, input: Input) -> Result<(), Halt> {
        self.inputs.push_back(input);
        self.feed_waiting()
    }

    /// Hands what earlier effects gave rise to to the core.
    pub(super) fn feed_waiting(&mut self) -> Result<(), Halt> {
        while let Some(input) = self.inputs.pop_front() {
            let effects = self.consensus.handle(input)?;
            self.carry_out(effects)?;
        }
        Ok(())
    }

    /// Carries out effects in their order.
    ///
    /// The belt besides the core's own guard: whatever is about to leave signed is first recorded in the last-signed
    /// state, which becomes durable with the flush that comes before it leaves.
    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), Halt> {
        let mut signed: Vec<Signed> = effects
            .iter()
            .filter_map(|effect| self.signed_here(effect))
            .collect();
        // The core may publish a proposal after the prevote for it; what counts is the order of the steps.
        signed.sort_by_key(|signed| (signed.height, signed.round, signed.step));
        for Signed {
            height,
            round,
            step,
            digest,
        } in signed
        {
            self.wal.check_and_record(height, round, step, digest)?;
        }
        effects
            .into_iter()
            .try_for_each(|effect| self.carry_out_one(effect))
    }

    fn carry_out_one(&mut self, effect: Effect) -> Result<(), Halt> {
        match effect {
            Effect::WalAppend(bytes) => self.wal.append(&bytes)?,
            Effect::WalFlush => self.wal.flush()?,
            Effect::KeepShare(block) => self.keep_share(block)?,
            Effect::Broadcast(message) => self.broadcast(&message),
            Effect::SetTimer { id, after } => self.timers.set(Alarm::Consensus(id), self.now() + after),
            Effect::CancelTimer(id) => self.timers.cancel(Alarm::Consensus(id)),
            Effect::CancelAllTimers => self.timers.cancel_consensus(),
            Effect::Build {
                height,
                round,
                within,
            } => self.build(height, round, within)?,
            Effect::Restream { block, .. } => self.push_dealing(block),
            Effect::WantBody { from, header, round } => self.want(from, header, round),
            Effect::Decided { certificate, header } => self.on_decided(header, certificate)?,
            Effect::Finalized { evidence, .. } | Effect::Abandoned { evidence, .. } => {
                evidence
                    .into_iter()
                    .try_for_each(|votes| self.on_evidence(Evidence::DoubleVote(votes)))?;
            }
            Effect::NilVote {
                height,
                round,
                kind,
                why,
            } => {
                tracing::info!(%height, %round, ?kind, %why, "voted nil");
            }
            Effect::Behind { member, height } => self.on_behind(member, height),
            Effect::PeerBehind { member, .. } => self.tell_tip(Some(member)),
            Effect::KeyInUse { height, round } => {
                return Err(Halt::Part(format!(
                    "a vote of this validator for height {height}, round {round} came in that it did not cast: \
                     either its write-ahead log was lost, or another process runs with the same keys; stop it first"
                )));
            }
            Effect::Refused { from, why } => {
                metrics::counter!("salus_consensus_refused_total", "member" => from.get().to_string())
                    .increment(1);
                tracing::warn!(%from, %why, "refused a consensus message");
            }
        }
        Ok(())
    }

    /// What an effect sends out under this member's own signature, if it does.
    fn signed_here(&self, effect: &Effect) -> Option<Signed> {
        let Effect::Broadcast(message) = effect else {
            return None;
        };
        let (member, height, round, step, signed) = match message {
            Message::Vote(signed) => {
                let vote = &signed.vote;
                let step = match vote.kind {
                    VoteKind::Prevote => SigningStep::Prevote,
                    VoteKind::Precommit => SigningStep::Precommit,
                };
                (vote.member, vote.height, vote.round, step, vote.signed_bytes())
            }
            Message::Proposal(signed) => {
                let proposal = &signed.proposal;
                let bytes = proposal.signed_bytes(&self.view.chain);
                (
                    proposal.proposer,
                    proposal.height,
                    proposal.round,
                    SigningStep::Proposal,
                    bytes,
                )
            }
            Message::Polka(_) | Message::Round(_) => return None,
        };
        let digest = Hash::of_content(&signed);
        (member == self.view.me).then_some(Signed {
            height,
            round,
            step,
            digest,
        })
    }

    fn broadcast(&self, message: &Message) {
        let bytes = codec::encode(&Direct::Consensus(message.encode()));
        if let Err(error) = self.courier.net().broadcast(bytes) {
            tracing::warn!(%error, "could not broadcast a consensus message");
        }
    }

    /// A validator signed something of a later height: those before it are decided.
    fn on_behind(&mut self, member: MemberId, height: Height) {
        if height == self.tip.header.height.next() {
            self.summoned = true;
            return;
        }
        self.tell_archive(archivist::Event::Tip {
            member,
            height: height.saturating_sub(1),
        });
    }

    pub(super) fn tell_archive(&self, event: archivist::Event) {
        if self.archive.try_send(event).is_err() {
            tracing::warn!("the archive is busy and misses something; it will be told again");
        }
    }
}
