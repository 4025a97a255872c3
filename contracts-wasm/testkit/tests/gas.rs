//! Gas in a test is gas on the node: the same transaction, once through the kit, once as a proposer and a validator
//! execute it.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_abi::access::{
    Decision, Grant, GrantAccess, Purpose, Purposes, RecordClass, Retrieve, Scope, entry,
};
use salus_abi::codec::{self, Encode};
use salus_abi::registry::{Instantiate, Principal, Role, Status};
use salus_abi::{ContractId, MemberId, PrincipalId, RecordNumber};
use salus_execution::{BlockEnv, ExecutedBlock, Executor, GenesisContract, GenesisState, Params};
use salus_runtime::{Effort, Engine, EngineConfig};
use salus_testkit::time::MONDAY_MORNING_MS;
use salus_testkit::{CHAIN, TestChain, member_key, who};
use salus_types::state::{StateFault, StateKey, StateReader};
use salus_types::{Call, Gas, Height, Member, SecretKey, Slot, Timestamp, TransactionPayload};
use std::collections::BTreeMap;

/// A state of the test's own, so that nothing of the kit's stands on both sides.
#[derive(Default)]
struct State(BTreeMap<StateKey, Vec<u8>>, BTreeMap<Vec<u8>, Vec<u8>>);

impl State {
    fn commit(&mut self, block: &ExecutedBlock) {
        for (key, value) in &block.state {
            match value {
                Some(value) => self.0.insert(key.clone(), value.clone()),
                None => self.0.remove(key),
            };
        }
        for (path, node) in &block.tree {
            match node {
                Some(node) => self.1.insert(path.clone(), node.clone()),
                None => self.1.remove(path),
            };
        }
    }
}

impl StateReader for State {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.0.get(key).cloned())
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let found = self
            .0
            .iter()
            .find(|(key, _)| key.as_bytes() > after && key.as_bytes().starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.1.get(path).cloned())
    }
}

/// The people that the test needs, with their numbers of `who`.
fn people() -> Vec<Principal> {
    let roles = [
        (Role::Admin, 0, None),
        (Role::Manager, 0, None),
        (Role::Doctor, 0, None),
        (Role::Doctor, 1, None),
        (Role::Patient, 0, Some(who::PATIENT)),
    ];
    (0..)
        .map(PrincipalId::new)
        .zip(roles)
        .map(|(number, (role, organisation, patient))| Principal {
            signing_key: *who::key(number).public().as_bytes(),
            encryption_key: [0; 32],
            role,
            organisation: MemberId::new(organisation),
            status: Status::Active,
            address: patient.map(who::address),
            attributes: Vec::new(),
        })
        .collect()
}

fn genesis() -> GenesisState {
    let member = |number: u16| Member {
        id: MemberId::new(number),
        name: format!("m{number}"),
        consensus_key: member_key(MemberId::new(number)).public(),
        network_key: SecretKey::from_seed(&[u8::try_from(number).unwrap() + 1; 32]).public(),
        release_key: [u8::try_from(number).unwrap() + 1; 32],
        slot: Slot::new(number),
        addresses: Vec::new(),
    };
    let contract = |contract, code: &[u8], input| GenesisContract {
        contract,
        code: code.to_vec(),
        input,
    };
    let people = codec::encode(&Instantiate { principals: people() });
    GenesisState {
        members: (0..4).map(member).collect(),
        params: Params {
            slots: 4,
            ..Params::default()
        },
        contracts: vec![
            contract(ContractId::REGISTRY, salus_genesis::REGISTRY, people),
            contract(ContractId::ACCESS, salus_genesis::ACCESS, Vec::new()),
            contract(ContractId::CARE, salus_genesis::CARE, Vec::new()),
        ],
    }
}

fn env(height: u64) -> BlockEnv {
    BlockEnv {
        height: Height::new(height),
        time: Timestamp::new(MONDAY_MORNING_MS),
        proposer: MemberId::new(0),
    }
}

/// What a validator charges: selected by a proposer, executed by another validator, each with an engine of its own.
fn charged(
    nodes: &[Executor; 2],
    state: &mut State,
    height: u64,
    (sender, sequence): (PrincipalId, u64),
    entry: u8,
    argument: &impl Encode,
) -> u64 {
    let key = who::key(sender);
    let payload = TransactionPayload {
        sender,
        sequence: salus_types::Sequence::new(sequence),
        expires: Height::new(height + 100),
        gas_limit: Gas::new(20_000_000),
        call: Call::Contract {
            contract: ContractId::ACCESS,
            entry,
            input: codec::encode(argument),
        },
    };
    let transaction = payload.sign(&key, &CHAIN).verify(&CHAIN, &key.public()).unwrap();
    let [proposer, validator] = nodes;
    let selection = proposer
        .select(state, &env(height), &[], Vec::new(), vec![transaction])
        .unwrap();
    let block = validator
        .execute(state, &env(height), &[], &[], &selection.taken)
        .unwrap();
    assert_eq!(block, selection.block);
    state.commit(&block);
    block.receipts[0].gas_used.get()
}

#[test]
fn a_test_charges_what_validators_charge() {
    let effort = |effort| {
        let config = EngineConfig { instances: 8, effort };
        Executor::new(Engine::new(&config).unwrap(), CHAIN)
    };
    let nodes = [effort(Effort::Speed), effort(Effort::None)];
    let mut state = State::default();
    state.commit(
        &nodes[0]
            .genesis(&genesis(), Timestamp::new(MONDAY_MORNING_MS))
            .unwrap(),
    );
    let grant = GrantAccess {
        grantee: who::DOCTOR,
        grant: Grant {
            scope: Scope::Class(RecordClass::Clinical),
            purposes: Purposes::of(&[Purpose::Treatment]),
            until_ms: MONDAY_MORNING_MS + 1,
        },
    };
    let retrieve = Retrieve {
        patient: who::PATIENT,
        record: RecordNumber::new(0),
        purpose: Purpose::Treatment,
        emergency: false,
    };

    let mut chain = TestChain::standard().deploy();
    let by = (who::PATIENT, 0);
    let node = charged(&nodes, &mut state, 1, by, entry::GRANT, &grant);
    let answer = chain
        .by(who::PATIENT)
        .execute::<u32>(ContractId::ACCESS, entry::GRANT, &grant);
    assert_eq!((answer.result, answer.gas), (Ok(0), node));

    let by = (who::DOCTOR, 0);
    let node = charged(&nodes, &mut state, 2, by, entry::RETRIEVE, &retrieve);
    let answer = chain
        .by(who::DOCTOR)
        .execute::<Decision>(ContractId::ACCESS, entry::RETRIEVE, &retrieve);
    assert!(
        answer.result.is_ok(),
        "there is no such record, which is an answer"
    );
    assert_eq!((answer.gas, chain.last()), (node, node));
}
