//! How the members change: proposals and votes by operators, and a member's change of its own keys.
//!
//! Each member has one voice, whichever of its operators speaks. A change passes with the vote that brings the approvals
//! of more than two thirds of the present members together, so it is checked twice: when it is proposed, so that nobody
//! votes in vain, and when it passes, because the members may have changed meanwhile.

use crate::executor::BlockEnv;
use crate::host::ChainHost;
use crate::members::{self, Counters, KeysChange};
use crate::transaction::{bare, call, context};
use crate::{ExecutionError, system};
use salus_runtime::{EntryPoint, Invocation};
use salus_types::abi::registry::{self, Principal, Role, Status as Standing};
use salus_types::codec::{self, Encode};
use salus_types::state::StateKey;
use salus_types::{
    AdminKeys, ChainId, ContractId, FormerMember, GRACE_MS, Gas, Height, KeysProof,
    MEMBER_ADDRESS_LENGTH_MAX, MEMBER_ADDRESSES_MAX, MEMBER_NAME_LENGTH_MAX, Member, MemberCard,
    MemberChange, MemberId, MemberKeys, MemberProposal, MembershipRefusal, OPEN_PROPOSALS_MAX, PassedChange,
    PrincipalId, ProposalId, ProposalOutcome, ROTATION_HEIGHTS_MIN, Receipt, Slot, Status, ValidatorSet,
};

/// How many heights after the block that makes it a change is in force.
const IN_FORCE_AFTER: u64 = 2;

/// The members, while one transaction changes them. The caller reverts what a refused one wrote.
pub(crate) struct Governance<'h, 'a, 'b> {
    host: &'h mut ChainHost<'a, 'b>,
    chain: &'h ChainId,
    env: &'h BlockEnv,
    gas_limit: Gas,
    gas_used: Gas,
}

/// Why a call ends early.
enum Stop {
    /// The chain refuses.
    Refused(MembershipRefusal),
    /// The registry did not take the newcomer's admin, or the gas did not suffice for it.
    Registry(Status),
    /// This node fails.
    Fault(ExecutionError),
}

impl From<MembershipRefusal> for Stop {
    fn from(refusal: MembershipRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<ExecutionError>> From<E> for Stop {
    fn from(fault: E) -> Self {
        Self::Fault(fault.into())
    }
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
        }
    }

    /// Opens a proposal that its proposer approves.
    pub(crate) fn propose(
        mut self,
        sender: PrincipalId,
        change: &MemberChange,
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

    fn receipt<T: Encode>(&self, outcome: Result<T, Stop>) -> Result<Receipt, ExecutionError> {
        let status = match outcome {
            Ok(output) => {
                return Ok(Receipt {
                    output: codec::encode(&output),
                    ..bare(Status::Success, self.gas_used)
                });
            }
            Err(Stop::Refused(refusal)) => Status::Aborted { code: refusal.code() },
            Err(Stop::Registry(status)) => status,
            Err(Stop::Fault(fault)) => return Err(fault),
        };
        Ok(bare(status, self.gas_used))
    }

    fn open(
        &mut self,
        sender: PrincipalId,
        change: &MemberChange,
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
        self.settle(MemberProposal {
            id,
            proposer,
            change: change.clone(),
            expires,
            approvals: vec![proposer],
        })
    }

    fn count(&mut self, sender: PrincipalId, id: ProposalId, approve: bool) -> Result<ProposalOutcome, Stop> {
        let voter = self.operators_member(sender)?.id;
        let open = members::proposal(self.host.overlay, id)?;
        let mut proposal = open
            .filter(|proposal| proposal.expires >= self.env.height)
            .ok_or(MembershipRefusal::UnknownProposal)?;
        match (proposal.approvals.binary_search(&voter), approve) {
            (Err(place), true) => proposal.approvals.insert(place, voter),
            (Ok(place), false) => drop(proposal.approvals.remove(place)),
            (Ok(_), true) | (Err(_), false) => {}
        }
        self.settle(proposal)
    }

    fn replace_keys(
        &mut self,
        sender: PrincipalId,
        keys: &MemberKeys,
        proof: &KeysProof,
    ) -> Result<MemberId, Stop> {
        let mut member = self.operators_member(sender)?;
        let height = self.env.height;
        let soon = |last: KeysChange| height < last.height.saturating_add(ROTATION_HEIGHTS_MIN);
        if members::keys_change(self.host.overlay, member.id)?.is_some_and(soon) {
            return Err(MembershipRefusal::RotatedLately.into());
        }
        self.check_keys(keys, Some(&MemberKeys::of(&member)))?;
        if keys.check(&member.name, None, proof, self.chain).is_err() {
            return Err(MembershipRefusal::BadProof.into());
        }
        member.consensus_key = keys.consensus;
        member.network_key = keys.network;
        member.release_key = keys.release;
        let id = member.id;
        self.write_member(&member, *proof);
        self.write_validators()?;
        Ok(id)
    }

    /// Whose operator the sender is.
    fn operators_member(&self, sender: PrincipalId) -> Result<Member, Stop> {
        let operator = system::principal(self.host.overlay, sender)?
            .filter(|sender| sender.role == Role::Operator)
            .ok_or(MembershipRefusal::NotAnOperator)?;
        let member = members::member(self.host.overlay, operator.organisation)?;
        Ok(member.ok_or(MembershipRefusal::NotAnOperator)?)
    }

    /// Forgets proposals that have expired or whose proposer has left; counts those of a member that stay.
    fn sweep(&mut self, proposer: MemberId) -> Result<usize, Stop> {
        let mut own: usize = 0;
        for proposal in members::proposals(self.host.overlay)? {
            let stays = proposal.expires >= self.env.height
                && members::member(self.host.overlay, proposal.proposer)?.is_some();
            if !stays {
                self.host.overlay.write(members::proposal_key(proposal.id), None);
            } else if proposal.proposer == proposer {
                own = own.saturating_add(1);
            }
        }
        Ok(own)
    }

    /// Lets a change pass if enough of the present members approve, else keeps it open.
    fn settle(&mut self, proposal: MemberProposal) -> Result<ProposalOutcome, Stop> {
        let present = members::members(self.host.overlay)?;
        let needed = members::validator_set(&present).map_or(usize::MAX, |set| set.quorum());
        let approves = |member: &&Member| proposal.approvals.binary_search(&member.id).is_ok();
        let approvals = present.iter().filter(approves).count();
        let small = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let outcome = |passed| ProposalOutcome {
            proposal: proposal.id,
            approvals: small(approvals),
            needed: small(needed),
            passed,
        };
        if approvals < needed {
            self.write(members::proposal_key(proposal.id), &proposal);
            return Ok(outcome(None));
        }
        self.check(&proposal.change)?;
        self.host.overlay.write(members::proposal_key(proposal.id), None);
        let passed = match &proposal.change {
            MemberChange::Add(card) => self.add(card)?,
            MemberChange::Remove(member) => self.remove(*member)?,
        };
        self.write_validators()?;
        Ok(outcome(Some(passed)))
    }

    fn check(&self, change: &MemberChange) -> Result<(), Stop> {
        match change {
            MemberChange::Add(card) => self.check_add(card),
            MemberChange::Remove(member) => self.check_remove(*member),
        }
    }

    fn check_add(&self, card: &MemberCard) -> Result<(), Stop> {
        if !name_sound(&card.name) || !addresses_bounded(&card.addresses) {
            return Err(MembershipRefusal::BadDescription.into());
        }
        let mut members = members::members(self.host.overlay)?;
        if members.iter().any(|member| member.name == card.name) {
            return Err(MembershipRefusal::NameTaken.into());
        }
        let counters = members::counters(self.host.overlay)?;
        let params = system::params(self.host.overlay)?;
        if counters.next_slot >= params.slots {
            return Err(MembershipRefusal::NoFreeSlot.into());
        }
        if members.len() >= ValidatorSet::COUNT_MAX || counters.next_member == u16::MAX {
            return Err(MembershipRefusal::TooManyMembers.into());
        }
        self.check_keys(&card.keys, None)?;
        if card.check(self.chain).is_err() {
            return Err(MembershipRefusal::BadProof.into());
        }
        members.push(newcomer(card, &counters));
        self.check_threshold(&members).map(drop)
    }

    fn check_remove(&self, id: MemberId) -> Result<(), Stop> {
        let mut members = members::members(self.host.overlay)?;
        if !members.iter().any(|member| member.id == id) {
            return Err(MembershipRefusal::UnknownMember.into());
        }
        members.retain(|member| member.id != id);
        if members.is_empty() {
            return Err(MembershipRefusal::LastMember.into());
        }
        let counters = members::counters(self.host.overlay)?;
        if members.len() < usize::from(counters.threshold_max) {
            return Err(MembershipRefusal::TooFewHolders.into());
        }
        self.check_threshold(&members).map(drop)
    }

    /// That keys are different, and new unless `own` has them for the same use.
    fn check_keys(&self, keys: &MemberKeys, own: Option<&MemberKeys>) -> Result<(), Stop> {
        let [consensus, network, release] = keys.bytes();
        if consensus == network || consensus == release || network == release {
            return Err(MembershipRefusal::KeyTaken.into());
        }
        for (place, key) in keys.bytes().into_iter().enumerate() {
            let kept = own.and_then(|own| own.bytes().get(place).copied()) == Some(key);
            if !kept && members::key_owner(self.host.overlay, key)?.is_some() {
                return Err(MembershipRefusal::KeyTaken.into());
            }
        }
        Ok(())
    }

    /// The validators that these members make, and k; refused if the network has fixed a k that does not fit them.
    fn check_threshold(&self, members: &[Member]) -> Result<(ValidatorSet, u16), Stop> {
        let set = members::validator_set(members).map_err(|_| MembershipRefusal::KeyTaken)?;
        let params = system::params(self.host.overlay)?;
        let threshold = params.threshold_of(&set);
        if set.allows_threshold(threshold) {
            Ok((set, threshold))
        } else {
            Err(MembershipRefusal::BadThreshold.into())
        }
    }

    fn add(&mut self, card: &MemberCard) -> Result<PassedChange, Stop> {
        let mut counters = members::counters(self.host.overlay)?;
        let member = newcomer(card, &counters);
        let admin = self.enrol(&card.admin, member.id)?;
        counters.next_member = counters.next_member.saturating_add(1);
        counters.next_slot = counters.next_slot.saturating_add(1);
        self.write(members::counters_key(), &counters);
        self.write_member(&member, card.proof);
        Ok(PassedChange::Added {
            member: member.id,
            admin,
        })
    }

    fn remove(&mut self, id: MemberId) -> Result<PassedChange, Stop> {
        let member = members::member(self.host.overlay, id)?.ok_or(MembershipRefusal::UnknownMember)?;
        let former = FormerMember {
            member,
            removed: self.env.height,
            serves_until: self.env.time.saturating_add(GRACE_MS),
        };
        self.host.overlay.write(members::member_key(id), None);
        self.write(members::former_key(id), &former);
        Ok(PassedChange::Removed { member: id })
    }

    /// Registers a newcomer's first admin, as the registry enrolled those of the genesis: on the chain's own word.
    fn enrol(&mut self, keys: &AdminKeys, organisation: MemberId) -> Result<PrincipalId, Stop> {
        let ask = registry::query::NEXT_PRINCIPAL;
        let next = self.ask_registry(EntryPoint::Query, [vec![ask], codec::encode(&())].concat())?;
        let admin = Principal {
            signing_key: *keys.signing.as_bytes(),
            encryption_key: keys.encryption,
            role: Role::Admin,
            organisation,
            status: Standing::Active,
            address: None,
            attributes: Vec::new(),
        };
        let enrolment = registry::Instantiate {
            principals: vec![admin],
        };
        self.ask_registry(EntryPoint::Instantiate, codec::encode(&enrolment))?;
        codec::decode_trusted(&next).map_err(|_| Stop::Registry(Status::UnknownContract))
    }

    fn ask_registry(&mut self, entry_point: EntryPoint, input: Vec<u8>) -> Result<Vec<u8>, Stop> {
        let invocation = Invocation {
            entry_point,
            input,
            gas_limit: self.gas_limit.saturating_sub(self.gas_used.get()).get(),
            context: context(self.chain, self.env, ContractId::REGISTRY, None),
        };
        let receipt = call(self.host, invocation)?;
        self.gas_used = self.gas_used.saturating_add(receipt.gas_used.get());
        match receipt.status {
            Status::Success => Ok(receipt.output),
            Status::Aborted { .. } => Err(MembershipRefusal::AdminKeyTaken.into()),
            status => Err(Stop::Registry(status)),
        }
    }

    fn write_member(&mut self, member: &Member, proof: KeysProof) {
        self.write(members::member_key(member.id), member);
        for key in MemberKeys::of(member).bytes() {
            self.write(members::key_owner_key(key), &member.id);
        }
        let height = self.env.height;
        self.write(members::keys_change_key(member.id), &KeysChange { height, proof });
    }

    /// Writes the validators that the present members make, for the height at which they come into force.
    fn write_validators(&mut self) -> Result<(), Stop> {
        let members = members::members(self.host.overlay)?;
        let (set, threshold) = self.check_threshold(&members)?;
        let from = self.env.height.saturating_add(IN_FORCE_AFTER);
        self.write(members::validators_key(from), &set);
        for old in members::old_validators(self.host.overlay)? {
            self.host.overlay.write(old, None);
        }
        let mut counters = members::counters(self.host.overlay)?;
        counters.threshold_max = counters.threshold_max.max(threshold);
        self.write(members::counters_key(), &counters);
        Ok(())
    }

    fn write(&mut self, key: StateKey, value: &impl Encode) {
        self.host.overlay.write(key, Some(codec::encode(value)));
    }
}

/// The member that a card makes: with a number and a slot that nobody ever had.
fn newcomer(card: &MemberCard, counters: &Counters) -> Member {
    Member {
        id: MemberId::new(counters.next_member),
        name: card.name.clone(),
        consensus_key: card.keys.consensus,
        network_key: card.keys.network,
        release_key: card.keys.release,
        slot: Slot::new(counters.next_slot),
        addresses: card.addresses.clone(),
    }
}

fn name_sound(name: &str) -> bool {
    (1..=MEMBER_NAME_LENGTH_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a member's addresses are few and short enough.
pub(crate) fn addresses_bounded(addresses: &[String]) -> bool {
    addresses.len() <= MEMBER_ADDRESSES_MAX
        && addresses
            .iter()
            .all(|address| address.len() <= MEMBER_ADDRESS_LENGTH_MAX)
}
