//! Proposals, votes and changes of keys, over the registry contract that networks run.

use super::{CHAIN, EXECUTOR, Memory, Tx, env, key_of, principal, tx};
use crate::{GenesisContract, GenesisState, Params, members, system, tree};
use proptest::prelude::*;
use salus_types::abi::registry::{self, Principal, Role, Status as Standing};
use salus_types::{
    AdminKeys, Call, Change, ContractId, Height, Member, MemberCard, MemberChange, MemberId, MemberKeys,
    MembershipRefusal, OPEN_PROPOSALS_MAX, PassedChange, PrincipalId, ProposalId, ProposalOutcome,
    ROTATION_HEIGHTS_MIN, Receipt, SecretKey, Slot, Status, SystemCall, Timestamp, Transaction, ValidatorSet,
    codec,
};
use std::collections::{BTreeMap, BTreeSet};

mod marks;

const REGISTRY: &[u8] = include_bytes!("../../../../../contracts-wasm/artifacts/registry.wasm");

/// A hospital's keys, by a number.
struct Hospital {
    consensus: SecretKey,
    network: SecretKey,
    keys: MemberKeys,
    admin: AdminKeys,
    name: String,
}

fn hospital(number: u8) -> Hospital {
    let seed = |kind: u8| [[kind; 16], [number; 16]].concat().try_into().unwrap();
    let (consensus, network) = (SecretKey::from_seed(&seed(1)), SecretKey::from_seed(&seed(2)));
    Hospital {
        keys: MemberKeys {
            consensus: consensus.public(),
            network: network.public(),
            release: seed(3),
        },
        admin: AdminKeys {
            signing: SecretKey::from_seed(&seed(4)).public(),
            encryption: seed(5),
        },
        name: format!("Hospital {number}"),
        consensus,
        network,
    }
}

impl Hospital {
    fn card(&self) -> MemberCard {
        let secrets = (&self.consensus, &self.network);
        MemberCard {
            name: self.name.clone(),
            keys: self.keys,
            admin: self.admin,
            addresses: vec!["/ip4/192.0.2.9/tcp/8600".into()],
            proof: self.keys.prove(&self.name, Some(&self.admin), secrets, &CHAIN),
        }
    }

    fn member(&self, number: u16) -> Member {
        Member {
            id: MemberId::new(number),
            name: self.name.clone(),
            consensus_key: self.keys.consensus,
            network_key: self.keys.network,
            release_key: self.keys.release,
            slot: Slot::new(number),
            addresses: Vec::new(),
        }
    }

    /// New keys for an old name.
    fn rotation(&self, name: &str) -> SystemCall {
        let secrets = (&self.consensus, &self.network);
        SystemCall::RotateMemberKeys {
            keys: Box::new(self.keys),
            proof: Box::new(self.keys.prove(name, None, secrets, &CHAIN)),
        }
    }
}

/// A chain whose principals 0, 1, ... are the operators of the members of the same numbers; principal n is a doctor.
pub(super) struct Chain {
    pub(super) state: Memory,
    pub(super) height: u64,
    sequences: BTreeMap<u32, u64>,
}

fn chain(founders: u8, params: Params) -> Chain {
    found(founders, params, Vec::new())
}

/// The same with more contracts than the registry.
pub(super) fn found(founders: u8, params: Params, contracts: Vec<GenesisContract>) -> Chain {
    let operator = |number| {
        principal(
            u32::from(number),
            Role::Operator,
            u16::from(number),
            Standing::Active,
        )
    };
    let mut principals: Vec<Principal> = (0..founders).map(operator).collect();
    principals.push(principal(u32::from(founders), Role::Doctor, 0, Standing::Active));
    let registry = vec![GenesisContract {
        contract: ContractId::REGISTRY,
        code: REGISTRY.to_vec(),
        input: codec::encode(&registry::Instantiate { principals }),
    }];
    let genesis = GenesisState {
        members: (0..founders)
            .map(|number| hospital(number).member(u16::from(number)))
            .collect(),
        params,
        contracts: [registry, contracts].concat(),
    };
    let mut state = Memory::default();
    state.commit(&EXECUTOR.genesis(&genesis, Timestamp::new(1_000)).unwrap());
    Chain {
        state,
        height: 0,
        sequences: BTreeMap::new(),
    }
}

impl Chain {
    /// Commits a block with these calls and returns their receipts.
    fn block(&mut self, calls: Vec<(u32, SystemCall)>) -> Vec<Receipt> {
        let system = |(sender, call)| (sender, Call::System(call));
        self.commit(calls.into_iter().map(system).collect())
    }

    /// Commits a block with any calls.
    pub(super) fn commit(&mut self, calls: Vec<(u32, Call)>) -> Vec<Receipt> {
        self.height += 1;
        let transactions: Vec<Transaction> = calls
            .into_iter()
            .map(|(sender, call)| {
                let sequence = self.sequences.entry(sender).or_default();
                *sequence += 1;
                let base = tx(sender, *sequence - 1, 0);
                Tx {
                    call,
                    gas: 20_000_000,
                    expires: self.height,
                    ..base
                }
                .build()
            })
            .collect();
        let block = EXECUTOR
            .execute(&self.state, &env(self.height), &[], &[], &transactions)
            .unwrap();
        self.state.commit(&block);
        block.receipts
    }

    pub(super) fn one(&mut self, sender: u32, call: SystemCall) -> Receipt {
        self.block(vec![(sender, call)]).remove(0)
    }

    pub(super) fn outcome(&mut self, sender: u32, call: SystemCall) -> ProposalOutcome {
        let receipt = self.one(sender, call);
        assert_eq!(receipt.status, Status::Success);
        codec::decode(&receipt.output, 64).unwrap()
    }

    fn refusal(&mut self, sender: u32, call: SystemCall) -> Option<MembershipRefusal> {
        let before = tree::root(&self.state).unwrap();
        match self.one(sender, call).status {
            Status::Aborted { code } => {
                assert_ne!(
                    tree::root(&self.state).unwrap(),
                    before,
                    "the sequence number is used"
                );
                MembershipRefusal::from_code(code)
            }
            _ => None,
        }
    }

    fn propose(&self, change: MemberChange) -> SystemCall {
        SystemCall::Propose {
            change: Change::Member(change),
            expires: Height::new(self.height + 50),
        }
    }

    fn add(&self, number: u8) -> SystemCall {
        self.propose(MemberChange::Add(Box::new(hospital(number).card())))
    }

    fn set_at(&self, height: u64) -> ValidatorSet {
        members::validators_at(&self.state, Height::new(height))
            .unwrap()
            .unwrap()
    }

    fn numbers_at(&self, height: u64) -> Vec<u16> {
        let set = self.set_at(height);
        set.iter().map(|validator| validator.member.get()).collect()
    }

    /// Proposes by operator 0 and lets the operators of these members approve, in one block each.
    fn pass(&mut self, change: MemberChange, voters: impl IntoIterator<Item = u32>) -> PassedChange {
        let call = self.propose(change);
        let mut outcome = self.outcome(0, call);
        for voter in voters {
            if outcome.passed.is_none() {
                outcome = self.outcome(voter, approve(outcome.proposal));
            }
        }
        outcome.passed.unwrap()
    }
}

pub(super) fn approve(proposal: ProposalId) -> SystemCall {
    SystemCall::Vote {
        proposal,
        approve: true,
    }
}

pub(super) fn withdraw(proposal: ProposalId) -> SystemCall {
    SystemCall::Vote {
        proposal,
        approve: false,
    }
}

fn remove(member: u16) -> MemberChange {
    MemberChange::Remove(MemberId::new(member))
}

#[test]
fn an_addition_passes_with_more_than_two_thirds_and_is_in_force_two_heights_later() {
    let mut chain = chain(4, Params::default());
    let call = chain.add(9);
    let proposed = chain.outcome(1, call);
    let id = proposed.proposal;
    assert_eq!(
        (proposed.approvals, proposed.needed, proposed.passed),
        (1, 3, None)
    );
    assert_eq!(chain.outcome(1, approve(id)).approvals, 1, "a voice counts once");
    assert_eq!(chain.outcome(2, approve(id)).approvals, 2);
    assert_eq!(chain.outcome(2, withdraw(id)).approvals, 1);
    assert_eq!(chain.outcome(3, approve(id)).approvals, 2);
    assert_eq!(members::proposals(&chain.state).unwrap().len(), 1);
    let passed = chain.outcome(0, approve(id)).passed;
    let (member, admin) = (MemberId::new(4), PrincipalId::new(5));
    assert_eq!(passed, Some(PassedChange::Added { member, admin }));

    let at = chain.height;
    assert_eq!(chain.numbers_at(at), [0, 1, 2, 3]);
    assert_eq!(chain.numbers_at(at + 1), [0, 1, 2, 3]);
    assert_eq!(chain.numbers_at(at + 2), [0, 1, 2, 3, 4]);
    assert_eq!(chain.set_at(at + 2).get(member).unwrap().slot, Slot::new(4));
    let added = members::member(&chain.state, member).unwrap().unwrap();
    assert_eq!((added.name.as_str(), added.addresses.len()), ("Hospital 9", 1));
    let change = members::keys_change(&chain.state, member).unwrap().unwrap();
    let card = hospital(9).card();
    assert_eq!(
        card.keys
            .check(&card.name, Some(&card.admin), &change.proof, &CHAIN),
        Ok(())
    );
    let registered = system::principal(&chain.state, admin).unwrap().unwrap();
    assert_eq!((registered.role, registered.organisation), (Role::Admin, member));
    assert_eq!(registered.signing_key, *card.admin.signing.as_bytes());
    assert_eq!(
        chain.refusal(2, approve(id)),
        Some(MembershipRefusal::UnknownProposal)
    );
}

#[test]
fn several_changes_of_one_block_come_into_force_together() {
    let mut chain = chain(4, Params::default());
    let calls = [chain.add(8), chain.add(9)];
    let first = chain.outcome(0, calls[0].clone()).proposal;
    let second = chain.outcome(0, calls[1].clone()).proposal;
    let votes = [1, 2, 3].map(|voter| [(voter, approve(first)), (voter, approve(second))]);
    let receipts = chain.block(votes.concat());
    // With five members four must approve.
    let passed: Vec<bool> = receipts
        .iter()
        .map(|receipt| {
            codec::decode::<ProposalOutcome>(&receipt.output, 64)
                .is_ok_and(|outcome| outcome.passed.is_some())
        })
        .collect();
    assert_eq!(passed, [false, false, true, false, false, true]);
    assert_eq!(
        receipts[4].status,
        Status::Aborted {
            code: MembershipRefusal::UnknownProposal.code()
        }
    );
    assert_eq!(chain.numbers_at(chain.height + 1), [0, 1, 2, 3]);
    assert_eq!(chain.numbers_at(chain.height + 2), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_removed_member_keeps_its_number_keys_and_slot_for_ever() {
    let mut chain = chain(5, Params::default());
    let passed = chain.pass(remove(4), [1, 2, 3]);
    assert_eq!(
        passed,
        PassedChange::Removed {
            member: MemberId::new(4)
        }
    );
    assert_eq!(chain.numbers_at(chain.height + 2), [0, 1, 2, 3]);
    let former = members::former_member(&chain.state, MemberId::new(4))
        .unwrap()
        .unwrap();
    assert_eq!(
        (former.removed.get(), former.member.slot),
        (chain.height, Slot::new(4))
    );
    assert_eq!(
        former.serves_until,
        Timestamp::new(1_000 + chain.height + 86_400_000)
    );

    let call = chain.add(4);
    assert_eq!(chain.refusal(0, call), Some(MembershipRefusal::KeyTaken));
    let call = chain.propose(remove(4));
    assert_eq!(chain.refusal(0, call), Some(MembershipRefusal::UnknownMember));
    let call = chain.propose(remove(3));
    assert_eq!(
        chain.refusal(4, call),
        Some(MembershipRefusal::NotAnOperator),
        "it has no voice"
    );
    let passed = chain.pass(MemberChange::Add(Box::new(hospital(9).card())), [1, 2]);
    assert!(matches!(passed, PassedChange::Added { member, .. } if member.get() == 5));
    assert_eq!(
        chain.set_at(chain.height + 2).get(MemberId::new(5)).unwrap().slot,
        Slot::new(5)
    );
}

#[test]
fn a_vote_of_a_removed_member_counts_no_more() {
    let mut chain = chain(
        4,
        Params {
            threshold: Some(2),
            ..Params::default()
        },
    );
    let call = chain.add(9);
    let id = chain.outcome(3, call).proposal;
    chain.pass(remove(3), [1, 2]);
    assert_eq!(chain.outcome(0, approve(id)).approvals, 1);
    let call = chain.add(8);
    chain.outcome(0, call);
    assert_eq!(
        chain.refusal(1, approve(id)),
        Some(MembershipRefusal::UnknownProposal),
        "swept: its proposer left"
    );
}

#[test]
fn who_and_what_may_not_is_refused_with_its_reason() {
    use MembershipRefusal as R;
    let params = Params {
        slots: 5,
        expiry_heights_max: 100,
        ..Params::default()
    };
    let mut chain = chain(4, params);
    let card = |change: fn(&mut MemberCard)| {
        let mut card = hospital(9).card();
        change(&mut card);
        MemberChange::Add(Box::new(card))
    };
    let changes = [
        (card(|card| card.name = "Hospital 1".into()), R::NameTaken),
        (card(|card| card.name.clear()), R::BadDescription),
        (card(|card| card.name = "x".repeat(65)), R::BadDescription),
        (card(|card| card.name = "a\nb".into()), R::BadDescription),
        (
            card(|card| card.addresses = vec![String::new(); 5]),
            R::BadDescription,
        ),
        (card(|card| card.name = "Another".into()), R::BadProof),
        (card(|card| card.admin.encryption = [0; 32]), R::BadProof),
        (card(|card| card.keys.network = card.keys.consensus), R::KeyTaken),
        (
            card(|card| card.keys.release = hospital(2).keys.release),
            R::KeyTaken,
        ),
        (
            MemberChange::Add(Box::new(MemberCard {
                name: "Twin".into(),
                ..hospital(1).card()
            })),
            R::KeyTaken,
        ),
        (remove(7), R::UnknownMember),
    ];
    for (change, reason) in changes {
        let call = chain.propose(change);
        assert_eq!(chain.refusal(0, call), Some(reason));
    }
    let call = chain.add(9);
    assert_eq!(chain.refusal(4, call), Some(R::NotAnOperator), "a doctor");
    for expires in [chain.height, chain.height + 500] {
        let call = SystemCall::Propose {
            change: Change::Member(remove(1)),
            expires: Height::new(expires),
        };
        assert_eq!(chain.refusal(0, call), Some(R::BadExpiry));
    }
    assert_eq!(
        chain.refusal(0, approve(ProposalId::new(7))),
        Some(R::UnknownProposal)
    );
    chain.pass(MemberChange::Add(Box::new(hospital(9).card())), [1, 2]);
    let call = chain.add(8);
    assert_eq!(chain.refusal(0, call), Some(R::NoFreeSlot));
}

#[test]
fn old_blocks_keep_as_many_holders_as_they_need() {
    let mut chain = chain(6, Params::default()); // k = 4
    for member in [5, 4] {
        chain.pass(remove(member), 1..member.into());
    }
    let call = chain.propose(remove(3));
    assert_eq!(chain.refusal(0, call), Some(MembershipRefusal::TooFewHolders));

    let mut alone = self::chain(1, Params::default());
    let call = alone.propose(remove(0));
    assert_eq!(alone.refusal(0, call), Some(MembershipRefusal::LastMember));
    let call = alone.add(9);
    assert!(
        alone.outcome(0, call).passed.is_some(),
        "one member decides alone"
    );
}

#[test]
fn a_fixed_threshold_must_fit_every_set() {
    let params = Params {
        threshold: Some(2),
        ..Params::default()
    };
    let mut chain = chain(4, params);
    assert_eq!(params.threshold_of(&chain.set_at(1)), 2);
    for number in 8..10 {
        chain.pass(MemberChange::Add(Box::new(hospital(number).card())), [1, 2, 3]);
    }
    // With seven members f is 2, and two of them must not be able to read.
    let call = chain.add(10);
    assert_eq!(chain.refusal(0, call), Some(MembershipRefusal::BadThreshold));
    let usual = Params::default();
    assert_eq!(
        [3, 4, 5, 6, 7].map(|n| usual.threshold_of(&first(n))),
        [3, 2, 3, 4, 3]
    );
}

fn first(count: u8) -> ValidatorSet {
    let founders: Vec<Member> = (0..count)
        .map(|number| hospital(number).member(u16::from(number)))
        .collect();
    members::validator_set(&founders).unwrap()
}

#[test]
fn a_member_changes_its_own_keys_and_nobody_elses() {
    use MembershipRefusal as R;
    let mut chain = chain(4, Params::default());
    let fresh = hospital(20);
    assert_eq!(
        chain.refusal(4, fresh.rotation("Hospital 1")),
        Some(R::NotAnOperator)
    );
    assert_eq!(
        chain.refusal(0, fresh.rotation("Hospital 1")),
        Some(R::BadProof),
        "made for another"
    );
    assert_eq!(
        chain.refusal(1, hospital(0).rotation("Hospital 1")),
        Some(R::KeyTaken)
    );
    let receipt = chain.one(1, fresh.rotation("Hospital 1"));
    assert_eq!(receipt.status, Status::Success);
    let at = chain.height;
    let key = |height| chain.set_at(height).get(MemberId::new(1)).unwrap().key;
    assert_eq!(key(at + 1), hospital(1).keys.consensus);
    assert_eq!(key(at + 2), fresh.keys.consensus);
    let member = members::member(&chain.state, MemberId::new(1)).unwrap().unwrap();
    assert_eq!((MemberKeys::of(&member), member.slot), (fresh.keys, Slot::new(1)));
    assert_eq!(
        chain.refusal(1, hospital(21).rotation("Hospital 1")),
        Some(R::RotatedLately)
    );
    while chain.height < at + ROTATION_HEIGHTS_MIN {
        chain.block(Vec::new());
    }
    assert_eq!(
        chain.refusal(1, hospital(1).rotation("Hospital 1")),
        Some(R::KeyTaken),
        "an old key stays used"
    );
    assert_eq!(
        chain.one(1, hospital(21).rotation("Hospital 1")).status,
        Status::Success
    );
}

#[test]
fn open_proposals_are_bounded_for_each_member_and_expire() {
    let mut chain = chain(4, Params::default());
    for number in 0..OPEN_PROPOSALS_MAX {
        let call = chain.add(10 + u8::try_from(number).unwrap());
        chain.outcome(1, call);
    }
    let call = chain.add(30);
    assert_eq!(chain.refusal(1, call), Some(MembershipRefusal::TooManyProposals));
    let call = chain.add(30);
    assert_eq!(
        chain.outcome(2, call).proposal,
        ProposalId::new(u32::try_from(OPEN_PROPOSALS_MAX).unwrap()),
        "others still may"
    );
    while chain.height < 60 {
        chain.block(Vec::new());
    }
    assert_eq!(
        chain.refusal(0, approve(ProposalId::new(0))),
        Some(MembershipRefusal::UnknownProposal)
    );
    let call = chain.add(30);
    chain.outcome(1, call);
    assert_eq!(
        members::proposals(&chain.state).unwrap().len(),
        1,
        "expired ones are swept"
    );
}

#[test]
fn the_newcomers_admin_must_be_new_and_its_registration_is_paid_for() {
    let mut chain = chain(1, Params::default());
    let mut taken = hospital(9);
    taken.admin.signing = key_of(0).public();
    let call = chain.propose(MemberChange::Add(Box::new(taken.card())));
    assert_eq!(chain.refusal(0, call), Some(MembershipRefusal::AdminKeyTaken));
    let poor = Tx {
        call: Call::System(chain.add(9)),
        gas: 570_000,
        expires: 10,
        ..tx(0, 1, 0)
    };
    let block = EXECUTOR
        .execute(&chain.state, &env(9), &[], &[], &[poor.build()])
        .unwrap();
    assert_eq!(block.receipts[0].status, Status::OutOfGas);
    assert_eq!(block.state.len(), 1, "only the sequence number");
}

#[test]
fn validator_sets_are_found_by_height_and_old_ones_forgotten() {
    let mut chain = chain(4, Params::default());
    let mut sets = Vec::new();
    for number in 10..12 {
        chain.pass(MemberChange::Add(Box::new(hospital(number).card())), [1, 2, 3]);
        sets.push((chain.height + 2, chain.set_at(chain.height + 2)));
        chain.block(Vec::new());
    }
    for (height, set) in &sets {
        assert_eq!(chain.set_at(*height), *set);
        assert_ne!(chain.set_at(height - 1), *set);
    }
    assert_eq!(
        members::validators_at(&chain.state, Height::ZERO)
            .unwrap()
            .unwrap()
            .count(),
        4
    );
    for height in 0..members::SETS_KEPT as u64 + 10 {
        let key = members::validators_key(Height::new(1_000 + height));
        chain.state.entries.insert(key, codec::encode(&first(4)));
    }
    assert_eq!(
        members::old_validators(&chain.state).unwrap().len(),
        10 + 1 + sets.len()
    );
}

/// The entries about members keep their keys and bytes.
#[test]
fn entries_about_members_keep_their_bytes() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let member = MemberId::new(258);
    assert_eq!(hex(members::member_key(member).as_bytes()), "000000006d0102");
    assert_eq!(hex(members::former_key(member).as_bytes()), "00000000670102");
    assert_eq!(hex(members::keys_change_key(member).as_bytes()), "00000000620102");
    assert_eq!(
        hex(members::validators_key(Height::new(258)).as_bytes()),
        "0000000076fffffffffffffefd"
    );
    assert_eq!(
        hex(members::proposal_key(ProposalId::new(258)).as_bytes()),
        "000000006f00000102"
    );
    assert_eq!(
        hex(members::key_owner_key(&[0xab; 32]).as_bytes()),
        format!("0000000078{}", "ab".repeat(32))
    );
    let state = chain(4, Params::default()).state;
    let entry = |key| hex(&state.entries[&key]);
    assert_eq!(entry(members::counters_key()), "0404000202");
    assert_eq!(entry(members::key_owner_key(&hospital(3).keys.release)), "03");
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Add {
        operator: u32,
        hospital: u8,
    },
    Remove {
        operator: u32,
        member: u16,
    },
    Vote {
        operator: u32,
        proposal: u32,
        approve: bool,
    },
    Rotate {
        operator: u32,
        hospital: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let operator = 0u32..4;
    prop_oneof![
        (operator.clone(), 10u8..20).prop_map(|(operator, hospital)| Step::Add { operator, hospital }),
        (operator.clone(), 0u16..8).prop_map(|(operator, member)| Step::Remove { operator, member }),
        (operator.clone(), 0u32..6, prop::bool::weighted(0.9)).prop_map(|(operator, proposal, approve)| {
            Step::Vote {
                operator,
                proposal,
                approve,
            }
        }),
        (operator.clone(), 0u32..6, prop::bool::weighted(0.9)).prop_map(|(operator, proposal, approve)| {
            Step::Vote {
                operator,
                proposal,
                approve,
            }
        }),
        (operator, 20u8..30).prop_map(|(operator, hospital)| Step::Rotate { operator, hospital }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever operators ask for: every set is sound, heights that are announced do not change any more, slots, numbers
    /// and keys are never given twice, and as many members stay as old blocks need.
    #[test]
    fn no_history_of_votes_breaks_the_members(steps in prop::collection::vec(prop::collection::vec(step(), 0..6), 1..20)) {
        let mut chain = chain(4, Params { slots: 9, ..Params::default() });
        let mut slots: BTreeMap<MemberId, Slot> = BTreeMap::new();
        let mut keys: BTreeMap<[u8; 32], MemberId> = BTreeMap::new();
        for block in steps {
            let announced = (chain.set_at(chain.height + 1), chain.set_at(chain.height + 2));
            let calls = block.into_iter().map(|step| match step {
                Step::Add { operator, hospital } => (operator, chain.add(hospital)),
                Step::Remove { operator, member } => (operator, chain.propose(remove(member))),
                Step::Vote { operator, proposal, approve } => {
                    (operator, SystemCall::Vote { proposal: ProposalId::new(proposal), approve })
                }
                Step::Rotate { operator, hospital: number } => {
                    (operator, hospital(number).rotation(&format!("Hospital {operator}")))
                }
            });
            let calls = calls.collect();
            chain.block(calls);
            prop_assert_eq!(&announced.0, &chain.set_at(chain.height), "decided already");
            prop_assert_eq!(&announced.1, &chain.set_at(chain.height + 1), "announced already");
            let present = members::members(&chain.state).unwrap();
            let next = chain.set_at(chain.height + 2);
            prop_assert_eq!(&members::validator_set(&present).unwrap(), &next);
            let counters = members::counters(&chain.state).unwrap();
            prop_assert!(present.len() >= usize::from(counters.threshold_max).min(4));
            prop_assert!(next.threshold() <= usize::from(counters.threshold_max));
            let names: BTreeSet<&str> = present.iter().map(|member| member.name.as_str()).collect();
            prop_assert_eq!(names.len(), present.len());
            for member in &present {
                prop_assert!(member.slot.get() < 9);
                prop_assert_eq!(*slots.entry(member.id).or_insert(member.slot), member.slot);
                for key in MemberKeys::of(member).bytes() {
                    prop_assert_eq!(*keys.entry(*key).or_insert(member.id), member.id);
                }
            }
            let distinct: BTreeSet<Slot> = slots.values().copied().collect();
            prop_assert_eq!(distinct.len(), slots.len());
        }
    }
}

/// What a proposer selects with membership calls in it, a validator accepts.
#[test]
fn selection_and_execution_agree_on_changes() {
    let chain = chain(1, Params::default());
    let calls = [chain.add(8), chain.add(9)];
    let transactions: Vec<Transaction> = (0u64..)
        .zip(calls)
        .map(|(sequence, call)| {
            Tx {
                call: Call::System(call),
                gas: 5_000_000,
                ..tx(0, sequence, 0)
            }
            .build()
        })
        .collect();
    let selected = EXECUTOR
        .select(&chain.state, &env(1), &[], Vec::new(), transactions)
        .unwrap();
    let executed = EXECUTOR
        .execute(&chain.state, &env(1), &[], &[], &selected.taken)
        .unwrap();
    assert_eq!(executed, selected.block);
    assert!(members::changed_by(&executed.state));
    let quiet = EXECUTOR.execute(&chain.state, &env(1), &[], &[], &[]).unwrap();
    assert!(!members::changed_by(&quiet.state));
}
