use crate::inbox::Inbox;
use crate::log::{LogBody, LogEntry};
use crate::malachite::context::{Address, Context, CoreValidatorSet, proposer_of};
use crate::malachite::convert::{height_to_core, round_from_core};
use crate::malachite::host::Host;
use crate::{Config, Effect, Fault, Input, Step, evidence};
use arc_malachitebft_core_consensus::{
    Error as CoreError, Input as CoreInput, MisbehaviorEvidence, Params, State, ThresholdParams, process,
};
use arc_malachitebft_core_types::{ValuePayload, VoteExtensionPolicy};
use salus_types::{BlockId, Height, MemberId, Round, ValidatorSet};
use std::cmp::Ordering;
use std::fmt;

/// One validator's part in deciding one height after another; or, without a member number, a watcher's.
///
/// A plain state machine: no clock, no randomness, no I/O. See the crate's documentation for the order of things.
pub struct Consensus {
    /// The core of the started height.
    pub(crate) core: Option<State<Context>>,
    pub(crate) host: Host,
    pub(crate) inbox: Inbox,
    halted: bool,
}

impl fmt::Debug for Consensus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consensus")
            .field("member", &self.host.config.member)
            .field("height", &self.height())
            .field("round", &self.round())
            .field("step", &self.step())
            .field("halted", &self.halted)
            .finish_non_exhaustive()
    }
}

impl Consensus {
    /// A validator that has not started a height. Nothing is signed before the first `start_height`.
    pub fn new(config: Config) -> Self {
        Self {
            core: None,
            host: Host::new(config),
            inbox: Inbox::default(),
            halted: false,
        }
    }

    /// Starts a height later than any before. `log` holds the entries of the write-ahead log in their order; those
    /// of earlier heights are skipped. Timers, votes and blocks of the height before are left behind, decided or not.
    ///
    /// The shell resets the log to this height before it carries out the effects, unless the log is of it.
    ///
    /// # Errors
    ///
    /// [`Fault`]: halt. A log of a later height, a damaged log and a log that contradicts itself are faults.
    pub fn start_height(
        &mut self,
        height: Height,
        validators: ValidatorSet,
        log: &[Vec<u8>],
    ) -> Result<Vec<Effect>, Fault> {
        self.run(|this| this.begin(height, validators, log))
    }

    /// Takes one input.
    ///
    /// # Errors
    ///
    /// [`Fault`]: halt. No message causes one, unless somebody else signs with this member's key.
    pub fn handle(&mut self, input: Input) -> Result<Vec<Effect>, Fault> {
        self.run(|this| match input {
            Input::Message { from, message } => this.on_message(from, message),
            Input::Timeout(id) => this.on_timeout(id),
            Input::Built {
                height,
                round,
                header,
            } => this.on_built(height, round, header),
            Input::Judged { round, header, valid } => this.on_judged(round, header, valid),
        })
    }

    /// The started height; 0 before the first.
    pub fn height(&self) -> Height {
        self.host.height
    }

    /// The current round of that height.
    pub fn round(&self) -> Round {
        self.core
            .as_ref()
            .map_or(Round::ZERO, |core| round_from_core(core.round()))
    }

    /// Where this node stands in the round.
    pub fn step(&self) -> Step {
        let Some(core) = &self.core else {
            return Step::Idle;
        };
        if core.driver.step_is_commit() {
            Step::Commit
        } else if core.driver.step_is_precommit() {
            Step::Precommit
        } else if core.driver.step_is_prevote() {
            Step::Prevote
        } else {
            Step::Propose
        }
    }

    /// Whether the started height is decided and over.
    pub fn is_finalized(&self) -> bool {
        self.host.closed
    }

    /// Whether this node votes at the started height.
    pub fn is_validator(&self) -> bool {
        self.host.active
    }

    /// The validators of the started height; `None` before the first.
    pub fn validators(&self) -> Option<&ValidatorSet> {
        self.host.verifier.validators()
    }

    /// Whether a quorum of prevotes for a block is known, of any round of the started height.
    ///
    /// Each honest voter among them has judged the block good and holds its share durably: n - 2f of them at least.
    pub fn has_polka(&self, block: BlockId) -> bool {
        let polkas = self.core.iter().flat_map(|core| core.driver.polka_certificates());
        polkas.into_iter().any(|polka| polka.value_id == block)
    }

    /// Whose turn it is to propose in a round of a height, if the validators of the started height decide it.
    pub fn proposer(&self, height: Height, round: Round) -> Option<MemberId> {
        self.host.proposer(height, round)
    }

    fn run(&mut self, run: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<Vec<Effect>, Fault> {
        if self.halted {
            return Err(Fault::Halted);
        }
        let result = run(self);
        let effects = std::mem::take(&mut self.host.effects);
        match result {
            Ok(()) => Ok(effects),
            Err(fault) => {
                self.halted = true;
                Err(fault)
            }
        }
    }

    fn begin(&mut self, height: Height, validators: ValidatorSet, log: &[Vec<u8>]) -> Result<(), Fault> {
        let last = self.host.height;
        if height <= last {
            return Err(Fault::NotLater { asked: height, last });
        }
        let set = CoreValidatorSet::new(&validators).ok_or(Fault::NoValidators(height))?;
        let active = self.decides(&validators)?;
        let entries = if active {
            read_log(height, log)?
        } else {
            Vec::new()
        };

        self.abandon();
        self.host.enter(height, validators, active);
        self.core = Some(State::new(
            Context,
            height_to_core(height),
            set.clone(),
            Params {
                address: self.host.config.member.map_or(Address::OBSERVER, Address),
                threshold_params: ThresholdParams::default(),
                value_payload: ValuePayload::ProposalAndParts,
                enabled: active,
            },
            1,
            1,
        ));
        for entry in &entries {
            self.preload(entry)?;
        }
        self.host.recovering = !entries.is_empty();
        self.feed(CoreInput::StartHeight(
            height_to_core(height),
            set,
            false,
            None,
            VoteExtensionPolicy::Disabled,
        ))?;
        if !entries.is_empty() {
            self.replay(&entries)?;
        }
        self.host.close();
        for (from, message) in self.inbox.open() {
            self.on_message(from, message)?;
        }
        Ok(())
    }

    /// Whether this node is among the validators, with the key it holds.
    fn decides(&self, validators: &ValidatorSet) -> Result<bool, Fault> {
        let Some(member) = self.host.config.member else {
            return Ok(false);
        };
        match validators.get(member) {
            None => Ok(false),
            Some(validator) if validator.key == self.host.public => Ok(true),
            Some(_) => Err(Fault::WrongKey { member }),
        }
    }

    /// Saves the evidence of a height that is left undecided.
    fn abandon(&mut self) {
        if let Some(mut core) = self.core.take()
            && !self.host.closed
        {
            let misbehavior = MisbehaviorEvidence {
                proposals: core.driver.take_proposal_evidence(),
                votes: core.driver.take_vote_evidence(),
            };
            self.host.effects.push(Effect::Abandoned {
                height: self.host.height,
                evidence: evidence::from_core(&misbehavior),
            });
        }
    }

    /// Tells the guard what this member signed before, and the host which blocks it knew.
    fn preload(&mut self, entry: &LogEntry) -> Result<(), Fault> {
        let chain = self.host.config.chain;
        let me = self.host.config.member;
        match &entry.body {
            LogBody::Vote(signed) if Some(signed.vote.member) == me => {
                self.host.guard.vote(&signed.vote)?;
            }
            LogBody::Proposal(signed) if Some(signed.proposal.proposer) == me => {
                let id = signed.proposal.header.id(&chain);
                self.host.guard.proposal(&signed.proposal, id)?;
            }
            LogBody::Block(block) => {
                let id = block.header.id(&chain);
                // A later verdict may lift an earlier one, never lower it; so the core does it too.
                let valid = block.valid || self.host.blocks.verdict(id) == Some(true);
                self.host.blocks.judge(id, block.header.clone(), valid);
                if valid {
                    self.host.blocks.keep(id);
                }
            }
            LogBody::Vote(_) | LogBody::Proposal(_) | LogBody::Polka(_) | LogBody::Timeout(_) => {}
        }
        Ok(())
    }

    /// Brings the core back to where the log ends. Only then do timers, messages and built blocks count again.
    fn replay(&mut self, entries: &[LogEntry]) -> Result<(), Fault> {
        let chain = self.host.config.chain;
        let inputs: Vec<CoreInput<Context>> = entries.iter().map(|entry| entry.to_core(&chain)).collect();
        if let Some(core) = &mut self.core {
            core.record_recovered_own_precommit_extensions(&inputs);
            core.index_wal_entries(&inputs);
        }
        for input in inputs {
            if self.host.decided.is_some() {
                break;
            }
            if let CoreInput::TimeoutElapsed(timeout) = &input {
                self.host.timers.cancel(timeout);
            }
            self.feed(input)?;
        }
        if let Some(core) = &mut self.core {
            core.reset_entries_index();
        }
        self.host.recovered();
        if self.host.decided.is_none() {
            self.want_bodies();
        }
        Ok(())
    }

    /// Asks for the dealings of proposals that the log holds but that nobody has judged. Of earlier rounds too: a
    /// quorum may have precommitted them.
    fn want_bodies(&mut self) {
        for (round, header) in self.host.blocks.unjudged() {
            if let Some(from) = self.host.proposer(header.height, round) {
                self.host.effects.push(Effect::WantBody { from, header, round });
            }
        }
    }

    /// Runs the core on one input. Its effects end up with the host.
    pub(crate) fn feed(&mut self, input: CoreInput<Context>) -> Result<(), Fault> {
        let Some(core) = &mut self.core else {
            return Ok(());
        };
        self.host.elapsed = match &input {
            CoreInput::TimeoutElapsed(timeout) => Some(timeout.kind),
            _ => None,
        };
        let host = &mut self.host;
        let result: Result<(), CoreError<Context>> =
            process!(input: input, state: core, metrics: &(), with: effect => host.effect(effect));
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        result.map_err(|error| Fault::Core(error.to_string()))
    }

    /// Runs the core on an input of a running height, and ends the height if that decided it.
    pub(crate) fn drive(&mut self, input: CoreInput<Context>) -> Result<(), Fault> {
        self.feed(input)?;
        self.host.close();
        Ok(())
    }
}

/// Whose turn it is to propose: the members take turns by `height + round`. `None` only if the set is empty.
pub fn proposer(validators: &ValidatorSet, height: Height, round: Round) -> Option<MemberId> {
    proposer_of(validators, height, round.get())
}

/// Reads the entries of a height. Those of earlier heights are skipped: the log was not reset yet.
fn read_log(height: Height, log: &[Vec<u8>]) -> Result<Vec<LogEntry>, Fault> {
    let mut entries = Vec::new();
    for (index, bytes) in log.iter().enumerate() {
        let entry = LogEntry::decode(bytes).map_err(|cause| Fault::Log { index, cause })?;
        match entry.height.cmp(&height) {
            Ordering::Less => {}
            Ordering::Equal => entries.push(entry),
            Ordering::Greater => {
                return Err(Fault::LogAhead {
                    log: entry.height,
                    asked: height,
                });
            }
        }
    }
    Ok(entries)
}
