//! Answers the core's effects: signs, verifies, and turns everything else into [`Effect`]s for the shell.

use super::context::{Context, CoreProposal, CoreVote, proposer_of};
use super::convert::{
    CoreSignedProposal, CoreSignedVote, commit_from_core, polka_from_core, proposal_from_core,
    round_certificate_from_core, round_from_core, signed_proposal_from_core, signed_proposal_to_core,
    signed_vote_from_core, signed_vote_to_core, vote_from_core,
};
use crate::blocks::Blocks;
use crate::evidence;
use crate::guard::SignGuard;
use crate::log::{LogBody, LogEntry};
use crate::timers::{Timers, round_of};
use crate::verify::Verifier;
use crate::{Config, Effect, Fault, Message, NilReason, Refusal};
use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect as CoreEffect, Input as CoreInput, LivenessMsg, Resumable, Resume,
    SignedConsensusMsg, VoteExtensionError,
};
use arc_malachitebft_core_types::{
    CertificateError, CommitCertificate as CoreCommit, SignedMessage, Timeout, TimeoutKind,
};
use salus_types::{
    BlockId, CommitCertificate, DoubleVote, Header, Height, MemberId, PublicKey, Round, SignedProposal,
    SignedVote, ValidatorSet, VoteKind,
};
use std::collections::BTreeSet;

type Verdict = Result<(), CertificateError<Context>>;

/// Everything of a height that is not the core's own state.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) public: PublicKey,
    pub(crate) verifier: Verifier,
    pub(crate) timers: Timers,
    /// What the shell must do, in order; handed out when the call ends without a fault.
    pub(crate) effects: Vec<Effect>,
    /// Set when an effect can't be carried out; the call ends with it.
    pub(crate) fault: Option<Fault>,
    /// Set when a certificate of the message at hand did not hold.
    pub(crate) refusal: Option<Refusal>,

    pub(crate) height: Height,
    /// This node is a validator of the height.
    pub(crate) active: bool,
    pub(crate) blocks: Blocks,
    pub(crate) guard: SignGuard,
    /// The log of an earlier run of this height is being replayed.
    pub(crate) recovering: bool,
    /// The round for which a block was asked and not yet answered.
    pub(crate) build: Option<(Round, Timeout)>,
    /// The propose or prevote timeout that is being handled, if it is one.
    pub(crate) elapsed: Option<TimeoutKind>,
    pub(crate) decided: Option<(CommitCertificate, Header)>,
    pub(crate) finalized: Option<Vec<DoubleVote>>,
    /// The height is decided and handed out: the core gets no more inputs.
    pub(crate) closed: bool,
    log_dirty: bool,
    /// Own votes and proposals that replay derived although the log lacks them: the crash came between signing
    /// and logging. Nothing of them was sent, and they are logged now.
    fresh: BTreeSet<(Round, Option<VoteKind>)>,
}

impl Host {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            public: config.key.public(),
            verifier: Verifier::new(config.chain),
            timers: Timers::default(),
            effects: Vec::new(),
            fault: None,
            refusal: None,
            height: Height::ZERO,
            active: false,
            blocks: Blocks::default(),
            guard: SignGuard::default(),
            recovering: false,
            build: None,
            elapsed: None,
            decided: None,
            finalized: None,
            closed: false,
            log_dirty: false,
            fresh: BTreeSet::new(),
            config,
        }
    }

    /// Leaves everything of the last height behind.
    pub(crate) fn enter(&mut self, height: Height, validators: ValidatorSet, active: bool) {
        self.verifier.enter(height, validators);
        self.timers.cancel_all();
        self.effects.push(Effect::CancelAllTimers);
        self.height = height;
        self.active = active;
        self.blocks = Blocks::default();
        self.guard = SignGuard::default();
        self.recovering = false;
        self.build = None;
        self.elapsed = None;
        self.refusal = None;
        self.decided = None;
        self.finalized = None;
        self.closed = false;
        self.log_dirty = false;
        self.fresh.clear();
    }

    /// Carries out one effect of the core. A fault is kept for the caller; the core then stops at once, because it
    /// does not get the answer it waits for.
    pub(crate) fn effect(&mut self, effect: CoreEffect<Context>) -> Result<Resume<Context>, Fault> {
        self.dispatch(effect)
            .inspect_err(|fault| self.fault = Some(fault.clone()))
    }

    fn dispatch(&mut self, effect: CoreEffect<Context>) -> Result<Resume<Context>, Fault> {
        use CoreEffect as E;
        Ok(match effect {
            E::SignVote(vote, resume) => resume.resume_with(self.sign_vote(&vote)?),
            E::SignProposal(proposal, resume) => resume.resume_with(self.sign_proposal(&proposal)?),
            E::VerifySignature(message, _, resume) => resume.resume_with(self.verify_signature(&message)),
            E::VerifyCommitCertificate(certificate, _, _, resume) => {
                resume.resume_with(self.verify_commit(&certificate))
            }
            E::VerifyPolkaCertificate(certificate, _, _, resume) => {
                let certificate = polka_from_core(&certificate);
                let checked = self.verifier.polka(&certificate);
                resume.resume_with(self.verdict(checked))
            }
            E::VerifyRoundCertificate(certificate, _, _, resume) => {
                let certificate = round_certificate_from_core(&certificate);
                let checked = self.verifier.round(&certificate);
                resume.resume_with(self.verdict(checked))
            }
            // Never asked: extensions are disabled, and the shell catches up outside the core.
            E::ExtendVote(.., resume) => resume.resume_with(None),
            E::VerifyVoteExtension(.., resume) => {
                resume.resume_with(Err(VoteExtensionError::InvalidVoteExtension))
            }
            E::VerifyExtendedCommitCertificate(.., resume) => {
                resume.resume_with(Err(CertificateError::VerificationError(None)))
            }
            order => {
                self.carry_out(order)?;
                Resume::Continue
            }
        })
    }

    /// Effects that the core wants no answer to.
    fn carry_out(&mut self, order: CoreEffect<Context>) -> Result<(), Fault> {
        use CoreEffect as E;
        match order {
            E::CancelAllTimeouts(_) => self.cancel_all_timers(),
            E::CancelTimeout(timeout, _) => self.cancel_timer(&timeout),
            E::ScheduleTimeout(timeout, _) => self.set_timer(timeout),
            E::StartRound(_, round, ..) => self.start_round(round_from_core(round)),
            E::PublishConsensusMsg(SignedConsensusMsg::Vote(vote), _) | E::RepublishVote(vote, _) => {
                self.broadcast(Message::Vote(signed_vote_from_core(&vote)));
            }
            E::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal), _) => {
                let proposal = signed_proposal_from_core(&proposal);
                self.broadcast(Message::Proposal(Box::new(proposal)));
            }
            E::PublishLivenessMsg(message, _) => self.broadcast(liveness_from_core(&message)),
            E::RepublishRoundCertificate(certificate, _) => {
                self.broadcast(Message::Round(round_certificate_from_core(&certificate)));
            }
            E::GetValue(_, round, timeout, _) => self.ask_for_block(round_from_core(round), timeout),
            E::RestreamProposal(_, round, _, _, block, _) => self.restream(round_from_core(round), block),
            E::Decide(certificate, ..) => self.decide(&certificate)?,
            E::Finalize(_, _, misbehavior, _) => self.finalized = Some(evidence::from_core(&misbehavior)),
            E::WalAppend(height, input, _) => self.log(height.0, &input)?,
            // The rest are answers to sync inputs, which this host never feeds, and questions, which `dispatch` answers.
            _ => {}
        }
        Ok(())
    }

    /// Whose turn it is to propose, by the validators of this height.
    pub(crate) fn proposer(&self, height: Height, round: Round) -> Option<MemberId> {
        proposer_of(self.verifier.validators()?, height, round.get())
    }

    /// Ends the height for the shell, once it is decided: everything durable, every timer gone, `Finalized` last.
    pub(crate) fn close(&mut self) {
        let Some((certificate, header)) = self.decided.take() else {
            return;
        };
        self.closed = true;
        self.flush();
        self.timers.cancel_all();
        self.effects.push(Effect::CancelAllTimers);
        self.effects.push(Effect::Decided { certificate, header });
        self.effects.push(Effect::Finalized {
            height: self.height,
            evidence: self.finalized.take().unwrap_or_default(),
        });
    }

    /// Ends the replay: what was held back while it lasted goes out now.
    pub(crate) fn recovered(&mut self) {
        self.recovering = false;
        self.fresh.clear();
        if self.decided.is_some() {
            return;
        }
        let timers: Vec<_> = self.timers.live().collect();
        for (id, timeout) in timers {
            let after = self.duration(&timeout);
            self.effects.push(Effect::SetTimer { id, after });
        }
        if let Some((round, timeout)) = self.build {
            self.push_build(round, &timeout);
        }
    }

    fn cancel_all_timers(&mut self) {
        let any = self.timers.live().next().is_some();
        self.timers.cancel_all();
        if any && !self.recovering {
            self.effects.push(Effect::CancelAllTimers);
        }
    }

    /// The core stops its rebroadcasts when a round certificate comes and takes them up again only with the next own
    /// vote. If just those votes are lost, nobody has a timer left. So this timer ends with its round only; in
    /// simulation that costs nothing measurable.
    fn cancel_timer(&mut self, timeout: &Timeout) {
        if timeout.kind == TimeoutKind::Rebroadcast {
            return;
        }
        if let Some(id) = self.timers.cancel(timeout)
            && !self.recovering
        {
            self.effects.push(Effect::CancelTimer(id));
        }
    }

    fn set_timer(&mut self, timeout: Timeout) {
        if self.decided.is_some() {
            return;
        }
        let (id, replaced) = self.timers.set(timeout);
        if self.recovering {
            return;
        }
        self.effects.extend(replaced.map(Effect::CancelTimer));
        let after = self.duration(&timeout);
        self.effects.push(Effect::SetTimer { id, after });
    }

    fn duration(&self, timeout: &Timeout) -> std::time::Duration {
        let timeouts = &self.config.timeouts;
        let base = match timeout.kind {
            TimeoutKind::Propose => timeouts.propose,
            TimeoutKind::Prevote => timeouts.prevote,
            TimeoutKind::Precommit => timeouts.precommit,
            TimeoutKind::Rebroadcast => timeouts.rebroadcast,
            TimeoutKind::FinalizeHeight(after) => return after,
        };
        timeouts.grown(base, round_of(timeout))
    }

    fn start_round(&mut self, round: Round) {
        self.flush();
        if self.build.is_some_and(|(asked, _)| asked != round) {
            self.build = None;
        }
    }

    fn flush(&mut self) {
        if std::mem::take(&mut self.log_dirty) {
            self.effects.push(Effect::WalFlush);
        }
    }

    /// Nothing leaves before what it rests on is durable. Certificates too: they may hold an own vote.
    fn broadcast(&mut self, message: Message) {
        self.flush();
        self.effects.push(Effect::Broadcast(message));
    }

    fn ask_for_block(&mut self, round: Round, timeout: Timeout) {
        self.build = Some((round, timeout));
        if !self.recovering {
            self.push_build(round, &timeout);
        }
    }

    fn push_build(&mut self, round: Round, timeout: &Timeout) {
        self.effects.push(Effect::Build {
            height: self.height,
            round,
            within: self.duration(timeout),
        });
    }

    /// Pointless in replay: the dealing was in memory only.
    fn restream(&mut self, round: Round, block: BlockId) {
        if !self.recovering {
            self.effects.push(Effect::Restream {
                height: self.height,
                round,
                block,
            });
        }
    }

    fn log(&mut self, height: Height, input: &CoreInput<Context>) -> Result<(), Fault> {
        if let CoreInput::Proposal(proposal) = input {
            self.note_proposal(proposal);
        }
        if !self.active || (self.recovering && !self.is_fresh(input)) {
            return Ok(());
        }
        let entry = LogEntry::from_core(height, input)
            .ok_or_else(|| Fault::Core("it wanted to log an input that has no place in the log".into()))?;
        // The share becomes durable before the block enters the log: so a node that replays a log without having
        // the dealing any more still holds the share of every block that replay can make it vote for.
        if let LogBody::Block(block) = &entry.body
            && block.valid
        {
            let id = block.header.id(&self.config.chain);
            if self.blocks.keep(id) {
                self.effects.push(Effect::KeepShare(id));
            }
        }
        self.effects.push(Effect::WalAppend(entry.encode()));
        self.log_dirty = true;
        Ok(())
    }

    fn note_proposal(&mut self, proposal: &CoreSignedProposal) {
        let CoreProposal {
            round,
            valid_round,
            block,
            address,
            ..
        } = &proposal.message;
        let round = round_from_core(*round);
        let again = valid_round.is_defined();
        self.blocks
            .propose(round, block.block_id(), block.header(), again);
        if Some(address.0) == self.config.member && self.build.is_some_and(|(asked, _)| asked == round) {
            self.build = None;
        }
    }

    fn is_fresh(&mut self, input: &CoreInput<Context>) -> bool {
        let (member, place) = match input {
            CoreInput::Vote(vote) => {
                let vote = vote_from_core(&vote.message);
                (vote.member, (vote.round, Some(vote.kind)))
            }
            CoreInput::Proposal(proposal) => {
                let proposal = &proposal.message;
                (proposal.address.0, (round_from_core(proposal.round), None))
            }
            _ => return false,
        };
        Some(member) == self.config.member && self.fresh.remove(&place)
    }

    fn signer(&self) -> Result<MemberId, Fault> {
        match self.config.member {
            Some(member) if self.active => Ok(member),
            _ => Err(Fault::Core(
                "it wanted a signature of a node that does not vote".into(),
            )),
        }
    }

    fn sign_vote(&mut self, vote: &CoreVote) -> Result<CoreSignedVote, Fault> {
        let me = self.signer()?;
        let vote = vote_from_core(vote);
        if vote.height != self.height || vote.member != me {
            return Err(Fault::Core(
                "it wanted to sign a vote of another height or member".into(),
            ));
        }
        if self.guard.vote(&vote)? && self.recovering {
            self.fresh.insert((vote.round, Some(vote.kind)));
        }
        if vote.block.is_none() {
            let why = self.why_nil(vote.kind, vote.round, me);
            self.effects.push(Effect::NilVote {
                height: vote.height,
                round: vote.round,
                kind: vote.kind,
                why,
            });
        }
        let signed = vote.sign(&self.config.key, &self.config.chain);
        self.verifier.trust_vote(&signed, &self.public);
        Ok(signed_vote_to_core(&signed))
    }

    fn why_nil(&self, kind: VoteKind, round: Round, me: MemberId) -> NilReason {
        match (kind, self.elapsed) {
            (VoteKind::Prevote, elapsed) => {
                let proposer = self.proposer(self.height, round);
                let timed_out = elapsed == Some(TimeoutKind::Propose);
                self.blocks.why_nil_prevote(round, timed_out, proposer, me)
            }
            (VoteKind::Precommit, Some(TimeoutKind::Prevote)) => NilReason::Split,
            (VoteKind::Precommit, _) => NilReason::QuorumNil,
        }
    }

    fn sign_proposal(&mut self, proposal: &CoreProposal) -> Result<CoreSignedProposal, Fault> {
        let me = self.signer()?;
        let id = proposal.block.block_id();
        let proposal = proposal_from_core(proposal);
        if proposal.height != self.height || proposal.proposer != me {
            return Err(Fault::Core(
                "it wanted to sign a proposal of another height or member".into(),
            ));
        }
        if self.guard.proposal(&proposal, id)? && self.recovering {
            self.fresh.insert((proposal.round, None));
        }
        let signed = proposal.sign(&self.config.key, &self.config.chain);
        self.verifier.trust_proposal(&signed, &self.public);
        Ok(signed_proposal_to_core(&signed, &self.config.chain))
    }

    /// By the key of the message's own author in the set of the height, which is the one the core names too.
    fn verify_signature(&mut self, message: &SignedMessage<Context, ConsensusMsg<Context>>) -> bool {
        let signature = message.signature;
        match &message.message {
            ConsensusMsg::Vote(vote) => {
                let vote = vote_from_core(vote);
                self.verifier.vote(&SignedVote { vote, signature }).is_ok()
            }
            ConsensusMsg::Proposal(proposal) => {
                let proposal = proposal_from_core(proposal);
                let signed = SignedProposal { proposal, signature };
                self.verifier.proposal(&signed).is_ok()
            }
        }
    }

    /// Asked only about the certificate of the own decision. The core panics if it does not hold, so a failure is
    /// kept as a fault, which ends the call, and the core is told to go on.
    fn verify_commit(&mut self, certificate: &CoreCommit<Context>) -> Verdict {
        let checked = self.verifier.commit(&commit_from_core(certificate));
        if checked.is_err() {
            self.fault = Some(Fault::BadDecision(self.height, "its certificate does not hold"));
        }
        Ok(())
    }

    fn verdict(&mut self, checked: Result<(), Refusal>) -> Verdict {
        checked.map_err(|why| {
            self.refusal = Some(why);
            CertificateError::VerificationError(None)
        })
    }

    fn decide(&mut self, certificate: &CoreCommit<Context>) -> Result<(), Fault> {
        let certificate = commit_from_core(certificate);
        let header = self
            .blocks
            .header(certificate.block)
            .cloned()
            .ok_or(Fault::BadDecision(self.height, "its header is not known"))?;
        // Held back until the core has finished: an own precommit that completed the quorum goes out first, since
        // others may wait for it while this node makes the block durable.
        self.decided = Some((certificate, header));
        Ok(())
    }
}

fn liveness_from_core(message: &LivenessMsg<Context>) -> Message {
    match message {
        LivenessMsg::Vote(vote) => Message::Vote(signed_vote_from_core(vote)),
        LivenessMsg::PolkaCertificate(certificate) => Message::Polka(polka_from_core(certificate)),
        LivenessMsg::SkipRoundCertificate(certificate) => {
            Message::Round(round_certificate_from_core(certificate))
        }
    }
}
