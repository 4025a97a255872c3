//! The members and the validator sets, as they stand in the chain's own state.
//!
//! A change that the block at height h makes is in force two heights later: the set that decides h + 1 is known to every
//! validator when h is committed, so h can't change it any more; header h + 1 then announces the new one for h + 2.
//! Validator sets are therefore kept by the first height that they decide, the latest [`SETS_KEPT`] of them.

use crate::overlay::Overlay;
use crate::system::{self, damaged, read};
use salus_types::codec::{self, Decode, Encode};
use salus_types::state::{StateChanges, StateFault, StateKey, StateReader};
use salus_types::{
    ChangeProposal, ContractId, FormerMember, Height, KeysProof, Member, MemberId, ProposalId, Timestamp,
    ValidatorSet,
};

/// Validator sets kept in the state, at most. Who was away for more changes than this resumes from a recent header.
pub const SETS_KEPT: usize = 256;
/// Entries of one kind read at once, at most: more members or open proposals than there can be.
const ENTRIES_MAX: usize = 1 << 10;

/// What must never be given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Counters {
    /// The number of the next member.
    pub next_member: u16,
    /// The slot of the next member: above every slot whose holder, present or former, has shares of some dealing in force.
    pub next_slot: u16,
    /// The number of the next proposal.
    pub next_proposal: ProposalId,
    /// No dealing in force has a larger k: so many holders must remain.
    pub threshold_max: u16,
    /// The number of the next contract.
    pub next_contract: ContractId,
}

/// The latest change of a member's keys: the proof binds the network identity to the consensus key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct KeysChange {
    /// The height of the block that made it.
    pub height: Height,
    /// The new keys' statement.
    pub proof: KeysProof,
}

fn numbered(kind: u8, member: MemberId) -> StateKey {
    let [a, b] = member.get().to_be_bytes();
    StateKey::new(ContractId::SYSTEM, &[kind, a, b])
}

/// Key of a member.
pub fn member_key(member: MemberId) -> StateKey {
    numbered(b'm', member)
}

/// Key of a member that was removed.
pub fn former_key(member: MemberId) -> StateKey {
    numbered(b'g', member)
}

/// Key of the latest change of a member's keys.
pub fn keys_change_key(member: MemberId) -> StateKey {
    numbered(b'b', member)
}

/// Key of a key's owner.
pub fn key_owner_key(key: &[u8; 32]) -> StateKey {
    let mut bytes = vec![b'x'];
    bytes.extend_from_slice(key);
    StateKey::new(ContractId::SYSTEM, &bytes)
}

/// Key of the validators that decide from this height on. The latest comes first among its kind.
pub fn validators_key(from: Height) -> StateKey {
    let mut bytes = vec![b'v'];
    bytes.extend_from_slice(&(!from.get()).to_be_bytes());
    StateKey::new(ContractId::SYSTEM, &bytes)
}

/// Key of an open proposal.
pub fn proposal_key(proposal: ProposalId) -> StateKey {
    let mut bytes = vec![b'o'];
    bytes.extend_from_slice(&proposal.get().to_be_bytes());
    StateKey::new(ContractId::SYSTEM, &bytes)
}

/// Key of the counters.
pub fn counters_key() -> StateKey {
    StateKey::new(ContractId::SYSTEM, b"n")
}

/// A member.
pub fn member(state: &dyn StateReader, id: MemberId) -> Result<Option<Member>, StateFault> {
    read(state, &member_key(id))
}

/// All members, in the order of their numbers; those that a committed block added, though not in force yet, too.
pub fn members(state: &dyn StateReader) -> Result<Vec<Member>, StateFault> {
    all(state, b'm')
}

/// A member that was removed.
pub fn former_member(state: &dyn StateReader, id: MemberId) -> Result<Option<FormerMember>, StateFault> {
    read(state, &former_key(id))
}

/// All members that were removed, in the order of their numbers.
pub fn former_members(state: &dyn StateReader) -> Result<Vec<FormerMember>, StateFault> {
    all(state, b'g')
}

/// Proposals that are open or passed and not enacted, in the order of their numbers. Some may have expired: nothing looks at them until the next proposal.
pub fn proposals(state: &dyn StateReader) -> Result<Vec<ChangeProposal>, StateFault> {
    all(state, b'o')
}

/// An open proposal.
pub fn proposal(state: &dyn StateReader, id: ProposalId) -> Result<Option<ChangeProposal>, StateFault> {
    read(state, &proposal_key(id))
}

/// Whose key it is, or was: consensus, network and release keys alike.
pub fn key_owner(state: &dyn StateReader, key: &[u8; 32]) -> Result<Option<MemberId>, StateFault> {
    read(state, &key_owner_key(key))
}

/// The latest change of a member's keys; `None` if they stand in the genesis, whose hash binds them.
pub fn keys_change(state: &dyn StateReader, id: MemberId) -> Result<Option<KeysChange>, StateFault> {
    read(state, &keys_change_key(id))
}

/// What must never be given out twice.
pub fn counters(state: &dyn StateReader) -> Result<Counters, StateFault> {
    read(state, &counters_key())?.ok_or(damaged("the entry of the counters"))
}

/// The validators that decide a height; `None` if they changed more than [`SETS_KEPT`] times since.
///
/// The state after height h knows the sets of every height up to h + 2.
pub fn validators_at(state: &dyn StateReader, height: Height) -> Result<Option<ValidatorSet>, StateFault> {
    let prefix = StateKey::new(ContractId::SYSTEM, b"v");
    // Strictly before the key of this height, so that the search begins with it.
    let after = validators_key(height.next());
    let found = state.next(prefix.as_bytes(), after.as_bytes())?;
    found.map(|(_, value)| decode(&value)).transpose()
}

/// The validators that decide a height, and all that decide later ones; `None` if they changed more than [`SETS_KEPT`] times since.
pub(crate) fn validators_since(
    state: &dyn StateReader,
    height: Height,
) -> Result<Option<Vec<ValidatorSet>>, StateFault> {
    let key = validators_key(height);
    let mut sets = Vec::new();
    for (from, value) in entries(state, b'v')? {
        sets.push(decode(&value)?);
        if from.as_bytes() >= key.as_bytes() {
            return Ok(Some(sets));
        }
    }
    Ok(None)
}

/// Lowers the marks to what dealings need that were made from a height on, now that there are no older ones in force.
///
/// A former member keeps its slot to itself while it still serves shares.
pub(crate) fn lower_marks(
    overlay: &mut Overlay<'_>,
    now: Timestamp,
    since: Height,
) -> Result<(), StateFault> {
    let Some(sets) = validators_since(overlay, since)? else {
        return Ok(());
    };
    let params = system::params(overlay)?;
    let former = former_members(overlay)?.into_iter();
    let serving = former.filter(|former| former.serves_until >= now);
    let slots = sets.iter().flat_map(ValidatorSet::iter);
    let last_slot = slots
        .map(|validator| validator.slot)
        .chain(serving.map(|former| former.member.slot))
        .max();
    let threshold = sets.iter().map(|set| params.threshold_of(set)).max();
    let mut counters = counters(overlay)?;
    if let Some((slot, threshold)) = last_slot.zip(threshold) {
        counters.next_slot = counters.next_slot.min(slot.get().saturating_add(1));
        counters.threshold_max = counters.threshold_max.min(threshold);
    }
    overlay.write(counters_key(), Some(codec::encode(&counters)));
    Ok(())
}

/// One validator of each member.
pub fn validator_set(members: &[Member]) -> Result<ValidatorSet, salus_types::ValidatorSetError> {
    ValidatorSet::new(members.iter().map(Member::validator).collect())
}

/// Whether a block changed who belongs to the network, or how a member is reached.
pub fn changed_by(state: &StateChanges) -> bool {
    let contract = ContractId::SYSTEM.get().to_be_bytes();
    let kind = |key: &StateKey| {
        key.as_bytes()
            .strip_prefix(&contract)
            .and_then(|own| own.first().copied())
    };
    state.keys().any(|key| matches!(kind(key), Some(b'm' | b'g')))
}

/// Keys of the validator sets that are older than the latest [`SETS_KEPT`].
pub(crate) fn old_validators(state: &dyn StateReader) -> Result<Vec<StateKey>, StateFault> {
    let keys = entries(state, b'v')?.into_iter().map(|(key, _)| key);
    Ok(keys.skip(SETS_KEPT).collect())
}

fn all<T: Decode<()>>(state: &dyn StateReader, kind: u8) -> Result<Vec<T>, StateFault> {
    let entries = entries(state, kind)?.into_iter();
    entries.map(|(_, value)| decode(&value)).collect()
}

fn entries(state: &dyn StateReader, kind: u8) -> Result<Vec<(StateKey, Vec<u8>)>, StateFault> {
    let prefix = StateKey::new(ContractId::SYSTEM, &[kind]);
    let mut entries = Vec::new();
    let mut after = Vec::new();
    while let Some((key, value)) = state.next(prefix.as_bytes(), &after)? {
        after = key.as_bytes().to_vec();
        entries.push((key, value));
        if entries.len() > ENTRIES_MAX {
            return Err(damaged("the number of members, proposals or validator sets"));
        }
    }
    Ok(entries)
}

fn decode<T: Decode<()>>(value: &[u8]) -> Result<T, StateFault> {
    codec::decode_trusted(value).map_err(|_| damaged("an entry of the chain's own state"))
}
