//! How the members change: additions and removals that passed, and a member's change of its own keys.

use super::{Governance, Stop};
use crate::members::{self, Counters, KeysChange};
use crate::system;
use salus_runtime::EntryPoint;
use salus_types::abi::registry::{self, Principal, Role, Status as Standing};
use salus_types::codec;
use salus_types::{
    AdminKeys, ContractId, FormerMember, GRACE_MS, KeysProof, MEMBER_ADDRESS_LENGTH_MAX,
    MEMBER_ADDRESSES_MAX, MEMBER_NAME_LENGTH_MAX, Member, MemberCard, MemberChange, MemberId, MemberKeys,
    MembershipRefusal, PassedChange, PrincipalId, ROTATION_HEIGHTS_MIN, Slot, Status, ValidatorSet,
};

/// How many heights after the block that makes it a change is in force.
const IN_FORCE_AFTER: u64 = 2;

impl Governance<'_, '_, '_> {
    pub(super) fn check_member(&self, change: &MemberChange) -> Result<(), Stop> {
        match change {
            MemberChange::Add(card) => self.check_add(card),
            MemberChange::Remove(member) => self.check_remove(*member),
        }
    }

    /// Makes a change that was checked.
    pub(super) fn change_members(&mut self, change: &MemberChange) -> Result<PassedChange, Stop> {
        let passed = match change {
            MemberChange::Add(card) => self.add(card)?,
            MemberChange::Remove(member) => self.remove(*member)?,
        };
        self.write_validators()?;
        Ok(passed)
    }

    pub(super) fn replace_keys(
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
        self.delete(members::member_key(id));
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
        codec::decode_trusted(&next).map_err(|_| Stop::Failed(Status::UnknownContract))
    }

    fn ask_registry(&mut self, entry_point: EntryPoint, input: Vec<u8>) -> Result<Vec<u8>, Stop> {
        self.run(ContractId::REGISTRY, entry_point, None, input)
            .map_err(|stop| match stop {
                Stop::Failed(Status::Aborted { .. }) => MembershipRefusal::AdminKeyTaken.into(),
                other => other,
            })
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
            self.delete(old);
        }
        let mut counters = members::counters(self.host.overlay)?;
        counters.threshold_max = counters.threshold_max.max(threshold);
        self.write(members::counters_key(), &counters);
        Ok(())
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
