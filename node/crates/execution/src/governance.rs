//! How the network governs itself: proposals and votes by operators, and what comes of them.
//!
//! Each member has one voice, whichever of its operators speaks. A change passes with the vote that brings enough
//! approvals of present members together: more than two thirds of them for a change of the members, what the genesis says for
//! one of the contracts. It is checked when it is proposed, so that nobody votes in vain, and again when it passes or is
//! enacted, because the state may have changed meanwhile.
//!
//! ```text
//! propose -> open --votes--> passed --+--> in force                              members, freezing
//!                                     +--> waits for its timelock --enact-->     other changes of contracts
//!                                            | votes are taken back
//!                                            +--> open again
//! ```

mod code;
mod contracts;
mod membership;

pub(crate) use membership::addresses_bounded;

use crate::executor::BlockEnv;
use crate::host::ChainHost;
use crate::members;
use crate::transaction::{bare, call, context};
use crate::{ExecutionError, system};
use salus_runtime::{EntryPoint, Invocation};
use salus_types::abi::registry::{Principal, Role};
use salus_types::codec::{self, Encode};
use salus_types::state::{StateFault, StateKey, StateReader};
use salus_types::{
    ChainId, Change, ChangeProposal, ContractCall, ContractChange, ContractEvent, ContractId,
    ContractRefusal, ENACT_MS_MAX, Event, Gas, Height, KeysProof, Member, MemberId, MemberKeys,
    MembershipRefusal, OPEN_PROPOSALS_MAX, PassedChange, PrincipalId, ProposalId, ProposalOutcome, Receipt,
    Status,
};

/// The network, while one transaction changes it. The caller reverts what a refused one wrote.
pub(crate) struct Governance<'h, 'a, 'b> {
    host: &'h mut ChainHost<'a, 'b>,
    chain: &'h ChainId,
    env: &'h BlockEnv,
    gas_limit: Gas,
    gas_used: Gas,
    events: Vec<Event>,
}

/// Why a call ends early.
enum Stop {
    /// The chain refuses, with this code.
    Refused(u16),
    /// A contract did not do its part, or the gas did not suffice for it.
    Failed(Status),
    /// The contract in question refuses the change.
    ContractFailed(Status),
    /// This node fails.
    Fault(ExecutionError),
}

impl From<MembershipRefusal> for Stop {
    fn from(refusal: MembershipRefusal) -> Self {
        Self::Refused(refusal.code())
    }
}

impl From<ContractRefusal> for Stop {
    fn from(refusal: ContractRefusal) -> Self {
        Self::Refused(refusal.code())
    }
}

impl<E: Into<ExecutionError>> From<E> for Stop {
    fn from(fault: E) -> Self {
        Self::Fault(fault.into())
    }
}

/// How many of the present members must approve a change.
pub fn approvals_needed(
    state: &dyn StateReader,
    present: &[Member],
    change: &Change,
) -> Result<usize, StateFault> {
    let rules = system::params(state)?.contracts;
    Ok(match change {
        Change::Member(_) => members::validator_set(present).map_or(usize::MAX, |set| set.quorum()),
        Change::Contract(ContractChange::Freeze(_)) => rules.freeze_approvals.more_than(present.len()),
        Change::Contract(_) => rules.approvals.more_than(present.len()),
    })
}

impl<'h, 'a, 'b> Governance<'h, 'a, 'b> {
    pub(crate) const fn new(
        host: &'h mut ChainHost<'a, 'b>,
        chain: &'h ChainId,
        env: &'h BlockEnv,
        gas_limit: Gas,
    ) -> Self {
        Self {
            host,
            chain,
            env,
            gas_limit,
            gas_used: Gas::ZERO,
            events: Vec::new(),
        }
    }

    /// Opens a proposal that its proposer approves.
    pub(crate) fn propose(
        mut self,
        sender: PrincipalId,
        change: &Change,
        expires: Height,
    ) -> Result<Receipt, ExecutionError> {
        let outcome = self.open(sender, change, expires);
        self.receipt(outcome)
    }

    /// Counts the vote of the sender's member.
    pub(crate) fn vote(
        mut self,
        sender: PrincipalId,
        proposal: ProposalId,
        approve: bool,
    ) -> Result<Receipt, ExecutionError> {
        let outcome = self.count(sender, proposal, approve);
        self.receipt(outcome)
    }

    /// Replaces the keys of the sender's member.
    pub(crate) fn rotate(
        mut self,
        sender: PrincipalId,
        keys: &MemberKeys,
        proof: &KeysProof,
    ) -> Result<Receipt, ExecutionError> {
        let outcome = self.replace_keys(sender, keys, proof);
        self.receipt(outcome)
    }

    /// Stores code, instantiates it, or enacts a change.
    pub(crate) fn contract(
        mut self,
        sender: PrincipalId,
        call: &ContractCall,
    ) -> Result<Receipt, ExecutionError> {
        match call {
            ContractCall::StoreCode(part) => {
                let outcome = self.store_part(sender, part);
                self.receipt(outcome)
            }
            ContractCall::Instantiate { code_hash, argument } => {
                let outcome = self.instantiate(sender, code_hash, argument);
                self.receipt(outcome)
            }
            ContractCall::Enact { proposal } => {
                let outcome = self.enact(sender, *proposal);
                self.receipt(outcome)
            }
        }
    }

    fn receipt<T: Encode>(self, outcome: Result<T, Stop>) -> Result<Receipt, ExecutionError> {
        let refused = |code, output| Receipt {
            output,
            ..bare(Status::Aborted { code }, self.gas_used)
        };
        match outcome {
            Ok(output) => Ok(Receipt {
                status: Status::Success,
                gas_used: self.gas_used,
                output: codec::encode(&output),
                events: self.events,
            }),
            Err(Stop::Refused(code)) => Ok(refused(code, Vec::new())),
            Err(Stop::ContractFailed(own)) => {
                let code = ContractRefusal::ContractFailed.code();
                Ok(refused(code, codec::encode(&own)))
            }
            Err(Stop::Failed(status)) => Ok(bare(status, self.gas_used)),
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    fn open(
        &mut self,
        sender: PrincipalId,
        change: &Change,
        expires: Height,
    ) -> Result<ProposalOutcome, Stop> {
        let proposer = self.operators_member(sender)?.id;
        let latest = system::params(self.host.overlay)?.expiry_heights_max;
        let latest = self.env.height.saturating_add(latest);
        if expires < self.env.height || expires > latest {
            return Err(MembershipRefusal::BadExpiry.into());
        }
        if self.sweep(proposer)? >= OPEN_PROPOSALS_MAX {
            return Err(MembershipRefusal::TooManyProposals.into());
        }
        self.check(change)?;
        let mut counters = members::counters(self.host.overlay)?;
        let id = counters.next_proposal;
        counters.next_proposal = id.next();
        self.write(members::counters_key(), &counters);
        self.tell(&ContractEvent::Proposed {
            proposal: id,
            member: proposer,
        });
        self.settle(ChangeProposal {
            id,
            proposer,
            change: change.clone(),
            expires,
            approvals: vec![proposer],
            ready: None,
        })
    }

    fn count(&mut self, sender: PrincipalId, id: ProposalId, approve: bool) -> Result<ProposalOutcome, Stop> {
        let voter = self.operators_member(sender)?.id;
        let mut proposal = self.live(id)?;
        match (proposal.approvals.binary_search(&voter), approve) {
            (Err(place), true) => proposal.approvals.insert(place, voter),
            (Ok(place), false) => drop(proposal.approvals.remove(place)),
            (Ok(_), true) | (Err(_), false) => {}
        }
        self.settle(proposal)
    }

    /// A proposal that can be voted on or enacted.
    fn live(&self, id: ProposalId) -> Result<ChangeProposal, Stop> {
        let open = members::proposal(self.host.overlay, id)?;
        let live = open.filter(|proposal| self.is_live(proposal));
        Ok(live.ok_or(MembershipRefusal::UnknownProposal)?)
    }

    /// Open ones end with their height, passed ones some time after their timelock.
    fn is_live(&self, proposal: &ChangeProposal) -> bool {
        match proposal.ready {
            Some(ready) => self.env.time <= ready.saturating_add(ENACT_MS_MAX),
            None => proposal.expires >= self.env.height,
        }
    }

    fn operator(&self, sender: PrincipalId) -> Result<Option<Principal>, Stop> {
        let sender = system::principal(self.host.overlay, sender)?;
        Ok(sender.filter(|sender| sender.role == Role::Operator))
    }

    /// Whose operator the sender is.
    fn operators_member(&self, sender: PrincipalId) -> Result<Member, Stop> {
        let operator = self.operator(sender)?.ok_or(MembershipRefusal::NotAnOperator)?;
        let member = members::member(self.host.overlay, operator.organisation)?;
        Ok(member.ok_or(MembershipRefusal::NotAnOperator)?)
    }

    /// Forgets proposals that have ended or whose proposer has left; counts those of a member that stay.
    fn sweep(&mut self, proposer: MemberId) -> Result<usize, Stop> {
        let mut own: usize = 0;
        for proposal in members::proposals(self.host.overlay)? {
            let stays =
                self.is_live(&proposal) && members::member(self.host.overlay, proposal.proposer)?.is_some();
            if !stays {
                self.delete(members::proposal_key(proposal.id));
            } else if proposal.proposer == proposer {
                own = own.saturating_add(1);
            }
        }
        Ok(own)
    }

    /// How many present members approve, and how many must.
    fn tally(&self, proposal: &ChangeProposal) -> Result<(usize, usize), Stop> {
        let present = members::members(self.host.overlay)?;
        let approves = |member: &&Member| proposal.approvals.binary_search(&member.id).is_ok();
        let approvals = present.iter().filter(approves).count();
        let needed = approvals_needed(self.host.overlay, &present, &proposal.change)?;
        Ok((approvals, needed))
    }

    /// Lets a change pass if enough of the present members approve, else keeps it open.
    fn settle(&mut self, mut proposal: ChangeProposal) -> Result<ProposalOutcome, Stop> {
        let (approvals, needed) = self.tally(&proposal)?;
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let id = proposal.id;
        let passed = if approvals >= needed {
            Some(self.pass(proposal)?)
        } else {
            if proposal.ready.take().is_some() {
                self.tell(&ContractEvent::Withdrawn { proposal: id });
            }
            self.write(members::proposal_key(id), &proposal);
            None
        };
        Ok(ProposalOutcome {
            proposal: id,
            approvals: small(approvals),
            needed: small(needed),
            passed,
        })
    }

    /// Puts a change into force, or lets it wait for its timelock.
    fn pass(&mut self, proposal: ChangeProposal) -> Result<PassedChange, Stop> {
        if let Some(from) = proposal.ready {
            self.write(members::proposal_key(proposal.id), &proposal);
            return Ok(PassedChange::Waits { from });
        }
        self.check(&proposal.change)?;
        self.delete(members::proposal_key(proposal.id));
        match &proposal.change {
            Change::Member(change) => self.change_members(change),
            Change::Contract(ContractChange::Freeze(contract)) => self.set_frozen(*contract, true),
            Change::Contract(ContractChange::Unfreeze(contract)) => self.set_frozen(*contract, false),
            Change::Contract(change) => {
                let from = self.env.time.saturating_add(self.timelock_ms(change)?);
                self.tell(&ContractEvent::Passed {
                    proposal: proposal.id,
                    from,
                });
                let waiting = ChangeProposal {
                    ready: Some(from),
                    ..proposal
                };
                self.write(members::proposal_key(waiting.id), &waiting);
                Ok(PassedChange::Waits { from })
            }
        }
    }

    fn check(&self, change: &Change) -> Result<(), Stop> {
        match change {
            Change::Member(change) => self.check_member(change),
            Change::Contract(change) => self.check_contract(change),
        }
    }

    /// Runs a contract's entry point for as much gas as is left, and keeps its events.
    fn run(
        &mut self,
        contract: ContractId,
        entry_point: EntryPoint,
        caller: Option<PrincipalId>,
        input: Vec<u8>,
    ) -> Result<Vec<u8>, Stop> {
        let invocation = Invocation {
            entry_point,
            input,
            gas_limit: self.gas_limit.saturating_sub(self.gas_used.get()).get(),
            context: context(self.chain, self.env, contract, caller),
        };
        let receipt = call(self.host, invocation)?;
        self.gas_used = self.gas_used.saturating_add(receipt.gas_used.get());
        match receipt.status {
            Status::Success => {
                self.events.extend(receipt.events);
                Ok(receipt.output)
            }
            status => Err(Stop::Failed(status)),
        }
    }

    /// Adds an event of the chain's own.
    fn tell(&mut self, event: &ContractEvent) {
        self.events.push(Event {
            contract: ContractId::SYSTEM,
            data: codec::encode(event),
        });
    }

    fn write(&mut self, key: StateKey, value: &impl Encode) {
        self.host.overlay.write(key, Some(codec::encode(value)));
    }

    fn delete(&mut self, key: StateKey) {
        self.host.overlay.write(key, None);
    }
}
