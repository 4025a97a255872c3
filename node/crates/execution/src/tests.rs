//! Whole blocks over small contracts in WebAssembly text.

mod reseals;

use crate::{
    BlockEnv, ExecutedBlock, ExecutionError, Executor, GenesisContract, GenesisState, NotExecutable, Params,
    QueryError, ReadKind, system, tree,
};
use proptest::prelude::*;
use salus_runtime::{Engine, EngineConfig};
use salus_types::abi::registry::{self, Principal, Role, Status as Standing};
use salus_types::state::{StateFault, StateKey, StateReader};
use salus_types::{
    BlockId, Call, ChainId, ContractId, DoubleVote, Evidence, Gas, Hash, Height, Member, MemberId,
    PrincipalId, Round, SecretKey, Sequence, ShareStatement, Signature, SignedVote, Slot, Status, SystemCall,
    Timestamp, Transaction, TransactionPayload, Vote, VoteKind, WrongShare, codec,
};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::LazyLock;

mod contracts;
mod membership;

const COUNTER: ContractId = ContractId::new(3);
const CHAIN: ChainId = ChainId::new(Hash::new([7; 32]));

static EXECUTOR: LazyLock<Executor> =
    LazyLock::new(|| Executor::new(Engine::new(&EngineConfig::default()).unwrap(), CHAIN));

/// The committed state in maps.
#[derive(Clone, Default)]
struct Memory {
    entries: BTreeMap<StateKey, Vec<u8>>,
    nodes: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl StateReader for Memory {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.entries.get(key).cloned())
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let from = StateKey::from_bytes(prefix.max(after)).unwrap();
        let found = self
            .entries
            .range((Bound::Included(from), Bound::Unbounded))
            .find(|(key, _)| key.as_bytes() > after && key.as_bytes().starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.nodes.get(path).cloned())
    }
}

impl Memory {
    fn commit(&mut self, block: &ExecutedBlock) {
        for (key, value) in &block.state {
            match value {
                Some(value) => self.entries.insert(key.clone(), value.clone()),
                None => self.entries.remove(key),
            };
        }
        for (path, node) in &block.tree {
            match node {
                Some(node) => self.nodes.insert(path.clone(), node.clone()),
                None => self.nodes.remove(path),
            };
        }
        assert_eq!(tree::root(self).unwrap(), block.state_root);
    }
}

/// A stand-in for the registry: stores its input as the entries of principals, 300 bytes each.
/// The input is a sequence of `key length (1), key, value length (2 BE), value`.
const REGISTRY: &str = r#"(module
    (import "salus0" "state_set" (func $set (param i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (func (export "salus_abi_1"))
    (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
    (func $store (param $at i32) (param $len i32) (result i64)
        (local $end i32) (local $key i32) (local $value i32) (local $size i32)
        (local.set $end (i32.add (local.get $at) (local.get $len)))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $key (i32.load8_u (local.get $at)))
            (local.set $value (i32.add (i32.add (local.get $at) (local.get $key)) (i32.const 3)))
            (local.set $size (i32.or
                (i32.shl (i32.load8_u (i32.sub (local.get $value) (i32.const 2))) (i32.const 8))
                (i32.load8_u (i32.sub (local.get $value) (i32.const 1)))))
            (call $set (i32.add (local.get $at) (i32.const 1)) (local.get $key) (local.get $value) (local.get $size))
            (local.set $at (i32.add (local.get $value) (local.get $size)))
            (br $next)))
        (i64.const 0))
    (export "salus_instantiate" (func $store))
    (func (export "salus_execute") (param $at i32) (param $len i32) (result i64)
        (call $store (i32.add (local.get $at) (i32.const 1)) (i32.sub (local.get $len) (i32.const 1)))))"#;

/// Counts under one key. Entry 0 adds one and emits an event, 1 writes and aborts, 2 writes and traps, 3 loops, 4
/// deletes. A query answers the count; decide answers it after asking itself by `call_read`.
const COUNTER_CODE: &str = r#"(module
    (import "salus0" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "salus0" "state_set" (func $set (param i32 i32 i32 i32)))
    (import "salus0" "state_del" (func $del (param i32 i32)))
    (import "salus0" "event_emit" (func $emit (param i32 i32)))
    (import "salus0" "abort" (func $abort (param i32)))
    (import "salus0" "call_read" (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "salus0" "has_role" (func $has_role (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "n")
    (func (export "salus_abi_1"))
    (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
    (func $load (drop (call $get (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 8))))
    (func $count
        (call $load)
        (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
        (call $set (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 8)))
    (func (export "salus_execute") (param $at i32) (param $len i32) (result i64)
        (local $entry i32)
        (local.set $entry (i32.load8_u (local.get $at)))
        (if (i32.eq (local.get $entry) (i32.const 4))
            (then (call $del (i32.const 0) (i32.const 1)) (return (i64.const 0))))
        (call $count)
        (call $emit (i32.const 8) (i32.const 1))
        (if (i32.eq (local.get $entry) (i32.const 1)) (then (call $abort (i32.const 77))))
        (if (i32.eq (local.get $entry) (i32.const 2)) (then (unreachable)))
        (if (i32.eq (local.get $entry) (i32.const 3)) (then (loop $again (br $again))))
        (i64.const 0x8_0000_0008))
    (func (export "salus_query") (param i32 i32) (result i64)
        (call $load)
        (i64.const 0x8_0000_0008))
    (func (export "salus_decide") (param i32 i32) (result i64)
        (if (i32.eqz (call $has_role (i32.const 0) (i32.const 4))) (then (unreachable)))
        (call $load)
        (i64.const 0x8_0000_0008)))"#;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn key_of(principal: u32) -> SecretKey {
    SecretKey::from_seed(&[u8::try_from(principal).unwrap() + 1; 32])
}

fn principal(number: u32, role: Role, organisation: u16, status: Standing) -> Principal {
    Principal {
        signing_key: *key_of(number).public().as_bytes(),
        encryption_key: [3; 32],
        role,
        organisation: MemberId::new(organisation),
        status,
        address: None,
        attributes: Vec::new(),
    }
}

/// What the stand-in registry stores.
fn registry_input(principals: &[(u32, Principal)]) -> Vec<u8> {
    let mut input = Vec::new();
    for (number, principal) in principals {
        let key = registry::principal_key(PrincipalId::new(*number));
        let value = codec::encode(principal);
        input.push(u8::try_from(key.len()).unwrap());
        input.extend(key);
        input.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        input.extend(value);
    }
    input
}

fn member(number: u16) -> Member {
    Member {
        id: MemberId::new(number),
        name: format!("hospital {number}"),
        consensus_key: SecretKey::from_seed(&[u8::try_from(number).unwrap() + 100; 32]).public(),
        network_key: SecretKey::from_seed(&[u8::try_from(number).unwrap() + 200; 32]).public(),
        release_key: [4; 32],
        slot: Slot::new(number),
        addresses: Vec::new(),
    }
}

/// Principals: 0 operator of member 0, 1 and 2 doctors, 3 deleted.
fn genesis_state() -> GenesisState {
    let principals = [
        (0, principal(0, Role::Operator, 0, Standing::Active)),
        (1, principal(1, Role::Doctor, 0, Standing::Active)),
        (2, principal(2, Role::Doctor, 1, Standing::Active)),
        (3, principal(3, Role::Doctor, 1, Standing::Deleted)),
    ];
    let contract = |number, text, input| GenesisContract {
        contract: ContractId::new(number),
        code: wasm(text),
        input,
    };
    GenesisState {
        members: (0..4).map(member).collect(),
        params: Params {
            block_gas_max: Gas::new(3_000_000),
            transaction_gas_max: Gas::new(1_000_000),
            ..Params::default()
        },
        contracts: vec![
            contract(1, REGISTRY, registry_input(&principals)),
            contract(COUNTER.get(), COUNTER_CODE, Vec::new()),
        ],
    }
}

fn genesis() -> Memory {
    let mut memory = Memory::default();
    let block = EXECUTOR.genesis(&genesis_state(), Timestamp::new(1_000)).unwrap();
    memory.commit(&block);
    memory
}

fn env(height: u64) -> BlockEnv {
    BlockEnv {
        height: Height::new(height),
        time: Timestamp::new(1_000 + height),
        proposer: MemberId::new(0),
    }
}

struct Tx {
    sender: u32,
    sequence: u64,
    call: Call,
    gas: u64,
    expires: u64,
    signer: SecretKey,
}

fn tx(sender: u32, sequence: u64, entry: u8) -> Tx {
    Tx {
        sender,
        sequence,
        call: Call::Contract {
            contract: COUNTER,
            entry,
            input: Vec::new(),
        },
        gas: 500_000,
        expires: 100,
        signer: key_of(sender),
    }
}

impl Tx {
    fn build(self) -> Transaction {
        let payload = TransactionPayload {
            sender: PrincipalId::new(self.sender),
            sequence: Sequence::new(self.sequence),
            expires: Height::new(self.expires),
            gas_limit: Gas::new(self.gas),
            call: self.call,
        };
        payload
            .sign(&self.signer, &CHAIN)
            .verify(&CHAIN, &self.signer.public())
            .unwrap()
    }
}

fn count(state: &dyn StateReader) -> u64 {
    let value = state.get(&StateKey::new(COUNTER, b"n")).unwrap();
    value.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
}

fn invalid(state: &Memory, transactions: &[Transaction]) -> (usize, NotExecutable) {
    match EXECUTOR.execute(state, &env(1), &[], &[], transactions) {
        Err(ExecutionError::Invalid { index, id, reason }) => {
            assert_eq!(id, transactions[index].id());
            (index, reason)
        }
        other => unreachable!("{other:?}"),
    }
}

fn only_invalid(state: &Memory, transaction: Transaction) -> NotExecutable {
    assert_eq!(
        EXECUTOR.check(state, Height::new(1), &transaction).unwrap(),
        Err(invalid(state, std::slice::from_ref(&transaction)).1),
        "the pool's check and execution agree"
    );
    invalid(state, &[transaction]).1
}

#[test]
fn a_genesis_comes_to_life_the_same_everywhere() {
    let state = genesis();
    let other = Executor::new(Engine::new(&EngineConfig::default()).unwrap(), CHAIN);
    let again = other.genesis(&genesis_state(), Timestamp::new(1_000)).unwrap();
    assert_eq!(again.state_root, tree::root(&state).unwrap());
    assert_eq!(again.receipts.len(), 1, "the counter has nothing to instantiate");

    assert_eq!(EXECUTOR.members(&state).unwrap(), genesis_state().members);
    for height in [1, 2] {
        let set = EXECUTOR.validators_at(&state, Height::new(height)).unwrap();
        assert_eq!(set.unwrap().count(), 4);
    }
    assert_eq!(EXECUTOR.params(&state).unwrap(), genesis_state().params);
    let sender = EXECUTOR.sender(&state, PrincipalId::new(1)).unwrap().unwrap();
    assert_eq!(sender, principal(1, Role::Doctor, 0, Standing::Active));
    assert_eq!(EXECUTOR.sender(&state, PrincipalId::new(9)).unwrap(), None);
    let info = system::contract(&state, COUNTER).unwrap().unwrap();
    assert_eq!(system::code(&state, &info.code_hash).unwrap(), wasm(COUNTER_CODE));
}

#[test]
fn a_genesis_that_cannot_live_says_why() {
    let refuse = |change: fn(&mut GenesisState)| {
        let mut state = genesis_state();
        change(&mut state);
        match EXECUTOR.genesis(&state, Timestamp::ZERO) {
            Err(ExecutionError::Genesis(reason)) => reason,
            other => unreachable!("{other:?}"),
        }
    };
    assert!(refuse(|state| state.members.clear()).contains("members"));
    assert!(refuse(|state| state.members[1].id = MemberId::new(0)).contains("members"));
    assert!(refuse(|state| state.members[1].slot = Slot::new(0)).contains("slot"));
    assert!(refuse(|state| state.contracts[1].contract = ContractId::REGISTRY).contains("number"));
    assert!(refuse(|state| state.contracts[1].contract = ContractId::SYSTEM).contains("number"));
    assert!(refuse(|state| state.contracts[1].code = vec![0]).contains("A001"));
    assert!(refuse(|state| state.contracts[0].input = vec![0, 0, 0]).contains("instantiated"));
    assert!(refuse(|state| state.contracts[1].input = vec![1]).contains("no argument"));
    assert!(refuse(|state| state.params.block_gas_max = Gas::new(1)).contains("gas"));
    assert!(refuse(|state| state.params.contracts.frozen_timelock_ms = u64::MAX).contains("timelocks"));
}

#[test]
fn long_code_is_stored_in_chunks_and_read_back() {
    let mut state = genesis_state();
    let padded = COUNTER_CODE.replace(
        r#"(data (i32.const 0) "n")"#,
        &format!(r#"(data (i32.const 0) "n") (data "{}")"#, "x".repeat(100_000)),
    );
    state.contracts[1].code = wasm(&padded);
    let mut memory = Memory::default();
    memory.commit(&EXECUTOR.genesis(&state, Timestamp::ZERO).unwrap());
    assert!(
        memory
            .entries
            .values()
            .all(|value| value.len() <= system::CODE_CHUNK_BYTES)
    );
    let info = system::contract(&memory, COUNTER).unwrap().unwrap();
    assert_eq!(
        system::code(&memory, &info.code_hash).unwrap().len(),
        info.code_length as usize
    );
    // A node that starts again compiles from the state.
    let fresh = Executor::new(Engine::new(&EngineConfig::default()).unwrap(), CHAIN);
    let block = fresh
        .execute(&memory, &env(1), &[], &[], &[tx(1, 0, 0).build()])
        .unwrap();
    assert!(block.receipts[0].succeeded());
}

#[test]
fn transactions_take_effect_in_order_and_leave_receipts() {
    let mut state = genesis();
    let block = EXECUTOR
        .execute(
            &state,
            &env(1),
            &[],
            &[],
            &[tx(1, 0, 0).build(), tx(2, 0, 0).build(), tx(1, 1, 0).build()],
        )
        .unwrap();
    let outputs: Vec<_> = block
        .receipts
        .iter()
        .map(|receipt| receipt.output.clone())
        .collect();
    assert_eq!(outputs, [1u64, 2, 3].map(|n| n.to_le_bytes().to_vec()));
    assert!(
        block
            .receipts
            .iter()
            .all(|receipt| receipt.events.len() == 1 && receipt.events[0].contract == COUNTER)
    );
    let gas: u64 = block.receipts.iter().map(|receipt| receipt.gas_used.get()).sum();
    assert_eq!(block.gas_used.get(), gas);
    state.commit(&block);
    assert_eq!(count(&state), 3);
    assert_eq!(
        EXECUTOR.next_sequence(&state, PrincipalId::new(1)).unwrap(),
        Sequence::new(2)
    );
}

#[test]
fn a_failed_call_leaves_its_sequence_number_and_its_receipt_only() {
    let failures = [
        (tx(1, 0, 1), Status::Aborted { code: 77 }),
        (tx(1, 0, 2), Status::Trapped { code: 1 }),
        (tx(1, 0, 3), Status::OutOfGas),
        (
            Tx {
                call: Call::Contract {
                    contract: ContractId::new(99),
                    entry: 0,
                    input: Vec::new(),
                },
                ..tx(1, 0, 0)
            },
            Status::UnknownContract,
        ),
    ];
    for (failing, status) in failures {
        let state = genesis();
        let transaction = failing.build();
        let limit = transaction.payload().gas_limit;
        let block = EXECUTOR
            .execute(&state, &env(1), &[], &[], &[transaction])
            .unwrap();
        let receipt = &block.receipts[0];
        assert_eq!(receipt.status, status);
        assert_eq!((receipt.output.len(), receipt.events.len()), (0, 0));
        assert_eq!(receipt.gas_used == limit, status == Status::OutOfGas);
        let written: Vec<_> = block.state.keys().cloned().collect();
        assert_eq!(written, [system::sequence_key(PrincipalId::new(1))]);
    }
}

#[test]
fn what_cannot_be_executed_makes_a_block_invalid() {
    let state = genesis();
    let next = Sequence::ZERO;
    let mut committed = genesis();
    committed.commit(
        &EXECUTOR
            .execute(&state, &env(1), &[], &[], &[tx(1, 0, 0).build()])
            .unwrap(),
    );

    let replay = only_invalid(&committed, tx(1, 0, 0).build());
    assert_eq!(
        replay,
        NotExecutable::SequenceUsed {
            next: Sequence::new(1)
        }
    );
    assert_eq!(
        only_invalid(&state, tx(1, 1, 0).build()),
        NotExecutable::SequenceAhead { next }
    );
    assert_eq!(
        only_invalid(&state, tx(9, 0, 0).build()),
        NotExecutable::UnknownSender
    );
    assert_eq!(
        only_invalid(&state, tx(3, 0, 0).build()),
        NotExecutable::DeletedSender
    );
    let other_key = Tx {
        signer: key_of(2),
        ..tx(1, 0, 0)
    };
    assert_eq!(only_invalid(&state, other_key.build()), NotExecutable::KeyChanged);
    let expired = Tx {
        expires: 0,
        ..tx(1, 0, 0)
    };
    assert_eq!(
        only_invalid(&state, expired.build()),
        NotExecutable::Expired {
            expires: Height::ZERO
        }
    );
    let eternal = Tx {
        expires: u64::MAX,
        ..tx(1, 0, 0)
    };
    let latest = Height::new(1 + Params::default().expiry_heights_max);
    assert_eq!(
        only_invalid(&state, eternal.build()),
        NotExecutable::ExpiryTooFar { latest }
    );
    for gas in [0, 50_000, 1_000_001, u64::MAX] {
        let reason = only_invalid(&state, Tx { gas, ..tx(1, 0, 0) }.build());
        assert!(matches!(reason, NotExecutable::GasLimit { .. }), "{gas}");
    }
    // The position is that of the culprit.
    assert_eq!(invalid(&state, &[tx(1, 0, 0).build(), tx(1, 0, 1).build()]).0, 1);
}

#[test]
fn the_block_is_full_when_its_promises_are() {
    let state = genesis();
    let big = |sequence| {
        Tx {
            gas: 1_000_000,
            ..tx(1, sequence, 3)
        }
        .build()
    };
    let block: Vec<_> = (0..4).map(big).collect();
    assert_eq!(invalid(&state, &block), (3, NotExecutable::BlockFull));
    let selection = EXECUTOR.select(&state, &env(1), &[], Vec::new(), block).unwrap();
    assert_eq!((selection.taken.len(), selection.deferred.len()), (3, 1));

    let mut small = genesis_state();
    small.params.block_bytes_max = 400;
    let mut state = Memory::default();
    state.commit(&EXECUTOR.genesis(&small, Timestamp::ZERO).unwrap());
    let many: Vec<_> = (0..10).map(|sequence| tx(1, sequence, 0).build()).collect();
    let selection = EXECUTOR.select(&state, &env(1), &[], Vec::new(), many).unwrap();
    let bytes: usize = selection.taken.iter().map(Transaction::encoded_length).sum();
    let receipts: usize = selection
        .block
        .receipts
        .iter()
        .map(|receipt| codec::encode(receipt).len())
        .sum();
    assert!(
        !selection.taken.is_empty() && bytes + receipts <= 400,
        "{bytes} {receipts}"
    );
    assert_eq!(selection.deferred.len() + selection.taken.len(), 10);
}

#[test]
fn a_sender_that_changes_keys_cannot_use_the_old_one_in_the_same_block() {
    let state = genesis();
    let mut rotated = principal(1, Role::Doctor, 0, Standing::Active);
    rotated.signing_key = *key_of(9).public().as_bytes();
    let rotate = Tx {
        call: Call::Contract {
            contract: ContractId::REGISTRY,
            entry: 0,
            input: registry_input(&[(1, rotated)]),
        },
        ..tx(1, 0, 0)
    };
    let block = [rotate.build(), tx(1, 1, 0).build()];
    assert_eq!(invalid(&state, &block), (1, NotExecutable::KeyChanged));
    let selection = EXECUTOR
        .select(&state, &env(1), &[], Vec::new(), block.to_vec())
        .unwrap();
    assert_eq!(selection.taken.len(), 1);
    assert_eq!(selection.dropped[0].1, NotExecutable::KeyChanged);
}

#[test]
fn operators_change_their_own_members_addresses() {
    let set = |sender, member, addresses: Vec<String>| {
        let call = Call::System(SystemCall::SetAddresses {
            member: MemberId::new(member),
            addresses,
        });
        Tx {
            call,
            ..tx(sender, 0, 0)
        }
        .build()
    };
    let good = vec!["/ip4/10.0.0.1/tcp/4001".to_owned()];
    let mut state = genesis();
    let block = EXECUTOR
        .execute(&state, &env(1), &[], &[], &[set(0, 0, good.clone())])
        .unwrap();
    assert!(block.receipts[0].succeeded());
    state.commit(&block);
    assert_eq!(EXECUTOR.members(&state).unwrap()[0].addresses, good);

    let state = genesis();
    for refused in [
        set(0, 1, good.clone()),
        set(1, 0, good.clone()),
        set(0, 0, vec![String::new(); 5]),
        set(0, 0, vec!["x".repeat(129)]),
    ] {
        let block = EXECUTOR.execute(&state, &env(1), &[], &[], &[refused]).unwrap();
        assert_eq!(block.receipts[0].status, Status::NotAllowed);
        assert_eq!(block.state.len(), 1);
    }
    let poor = Tx {
        gas: 60_000,
        ..tx(0, 0, 0)
    };
    let call = set(0, 0, good).payload().call.clone();
    let block = EXECUTOR
        .execute(&state, &env(1), &[], &[], &[Tx { call, ..poor }.build()])
        .unwrap();
    assert_eq!(block.receipts[0].status, Status::OutOfGas);
    assert_eq!(block.receipts[0].gas_used, Gas::new(60_000));
}

#[test]
fn queries_see_the_committed_state_and_change_nothing() {
    let mut state = genesis();
    state.commit(
        &EXECUTOR
            .execute(&state, &env(1), &[], &[], &[tx(1, 0, 0).build()])
            .unwrap(),
    );
    let ask =
        |contract, kind, gas| EXECUTOR.query(&state, &env(1), contract, kind, None, vec![0], Gas::new(gas));
    for kind in [ReadKind::Query, ReadKind::Decide] {
        let outcome = ask(COUNTER, kind, 100_000).unwrap();
        assert_eq!(outcome.output, 1u64.to_le_bytes());
        assert!(outcome.gas_used < Gas::new(30_000));
    }
    assert_eq!(
        ask(ContractId::new(99), ReadKind::Query, 100_000),
        Err(QueryError::UnknownContract)
    );
    assert_eq!(
        ask(ContractId::REGISTRY, ReadKind::Query, 100_000),
        Err(QueryError::UnknownContract)
    );
    assert_eq!(ask(COUNTER, ReadKind::Query, 1_000), Err(QueryError::OutOfGas));
}

#[test]
fn a_client_can_check_an_entry_against_the_state_root() {
    let mut state = genesis();
    let block = EXECUTOR
        .execute(&state, &env(1), &[], &[], &[tx(1, 0, 0).build()])
        .unwrap();
    state.commit(&block);
    let key = StateKey::new(COUNTER, b"n");
    let proof = EXECUTOR.prove(&state, &key).unwrap();
    assert_eq!(
        proof.verify(&block.state_root, &key, Some(&1u64.to_le_bytes())),
        Ok(())
    );
    assert!(
        proof
            .verify(&block.state_root, &key, Some(&2u64.to_le_bytes()))
            .is_err()
    );
    assert!(proof.verify(&block.state_root, &key, None).is_err());
}

#[test]
fn a_state_without_parameters_is_damaged_not_invalid() {
    let fault = EXECUTOR
        .execute(&Memory::default(), &env(1), &[], &[], &[])
        .unwrap_err();
    assert!(matches!(fault, ExecutionError::State(_)));
}

#[test]
fn an_empty_block_changes_nothing() {
    let state = genesis();
    let block = EXECUTOR.execute(&state, &env(1), &[], &[], &[]).unwrap();
    assert_eq!(block.state_root, tree::root(&state).unwrap());
    assert!(block.state.is_empty() && block.tree.is_empty());
}

/// The entries of the chain's own state keep their keys and bytes.
#[test]
fn system_entries_keep_their_bytes() {
    let block = EXECUTOR.genesis(&genesis_state(), Timestamp::new(1_000)).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let entry = |key: StateKey| {
        format!(
            "{} {}",
            hex(key.as_bytes()),
            hex(block.state[&key].as_ref().unwrap())
        )
    };
    let info = codec::decode::<salus_types::ContractInfo>(
        block.state[&system::contract_key(COUNTER)].as_ref().unwrap(),
        100,
    );
    assert_eq!(info.unwrap().state_version, 1);
    assert_eq!(
        entry(system::params_key()),
        "0000000070 fc002dc6c0fc000f4240fc00400000fb2710008002030103fc05265c00fc0036ee80"
    );
    assert_eq!(
        hex(system::sequence_key(PrincipalId::new(258)).as_bytes()),
        "000000007300000102"
    );
    assert_eq!(
        hex(system::faults_key(MemberId::new(258)).as_bytes()),
        "00000000660102"
    );
    assert_eq!(
        hex(system::contract_key(ContractId::new(258)).as_bytes()),
        "000000006300000102"
    );
    let code = system::code_key(&Hash::new([0xab; 32]), 258);
    assert_eq!(hex(code.as_bytes()), format!("0000000077{}0102", "ab".repeat(32)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a proposer has at hand, a validator accepts what it selects, with the same result.
    #[test]
    fn what_is_selected_is_valid(candidates in prop::collection::vec((0u32..5, 0u64..4, 0u8..5, 40_000u64..1_100_000, 0u64..4), 0..24)) {
        let state = genesis();
        let built: Vec<_> = candidates
            .into_iter()
            .map(|(sender, sequence, entry, gas, expires)| Tx { gas, expires, ..tx(sender, sequence, entry) }.build())
            .collect();
        let selection = EXECUTOR.select(&state, &env(2), &[], Vec::new(), built.clone()).unwrap();
        prop_assert_eq!(selection.taken.len() + selection.dropped.len() + selection.deferred.len(), built.len());
        let executed = EXECUTOR.execute(&state, &env(2), &[], &[], &selection.taken).unwrap();
        prop_assert_eq!(&executed, &selection.block);
        let mut committed = state.clone();
        committed.commit(&executed);
    }

    /// Reading through what a block wrote gives what a committed state would.
    #[test]
    fn an_overlay_reads_like_the_state_it_will_become(
        committed in prop::collection::btree_map(0u8..20, any::<u8>(), 0..12),
        block in prop::collection::btree_map(0u8..20, any::<Option<u8>>(), 0..12),
        transaction in prop::collection::btree_map(0u8..20, any::<Option<u8>>(), 0..12),
    ) {
        let key = |byte: u8| StateKey::new(COUNTER, &[byte / 5, byte]);
        let state = Memory {
            entries: committed.iter().map(|(k, v)| (key(*k), vec![*v])).collect(),
            ..Memory::default()
        };
        let mut overlay = crate::overlay::Overlay::new(&state);
        let mut model = state.clone();
        for (layer, keep) in [(&block, true), (&transaction, false)] {
            for (k, v) in layer {
                overlay.write(key(*k), v.map(|v| vec![v]));
                match v {
                    Some(v) => model.entries.insert(key(*k), vec![*v]),
                    None => model.entries.remove(&key(*k)),
                };
            }
            if keep {
                overlay.keep();
            }
        }
        for byte in 0..20 {
            prop_assert_eq!(overlay.get(&key(byte)), model.get(&key(byte)));
            for prefix in [StateKey::new(COUNTER, &[]), StateKey::new(COUNTER, &[byte / 5])] {
                for after in [&[][..], key(byte).as_bytes()] {
                    prop_assert_eq!(overlay.next(prefix.as_bytes(), after), model.next(prefix.as_bytes(), after));
                }
            }
        }
    }
}

fn wrong_share(member: u16, at: u64) -> Evidence {
    let statement = ShareStatement {
        height: Height::new(at),
        block: BlockId::new(Hash::ZERO),
        share_root: Hash::ZERO,
        member: MemberId::new(member),
        slot: Slot::new(member),
        fragment: Hash::ZERO,
        key_share: Hash::ZERO,
        path: Vec::new(),
    };
    Evidence::WrongShare(WrongShare {
        statement,
        signature: Signature::new([0; 64]),
    })
}

fn double_vote(member: u16, at: u64) -> Evidence {
    let vote = Vote {
        kind: VoteKind::Precommit,
        height: Height::new(at),
        round: Round::ZERO,
        block: None,
        member: MemberId::new(member),
    };
    let signed = SignedVote {
        vote,
        signature: Signature::new([0; 64]),
    };
    Evidence::DoubleVote(DoubleVote {
        first: signed,
        second: signed,
    })
}

#[test]
fn a_proven_fault_counts_once_for_each_member_height_and_kind() {
    let mut state = genesis();
    let evidence = vec![
        wrong_share(1, 5),
        wrong_share(1, 6),
        wrong_share(1, 5),
        double_vote(1, 5),
        wrong_share(2, 5),
    ];
    let repeated = EXECUTOR.execute(&state, &env(7), &[], &evidence, &[]);
    assert_eq!(repeated, Err(ExecutionError::Recounted { index: 2 }));

    let selection = EXECUTOR
        .select(&state, &env(7), &[], evidence.clone(), Vec::new())
        .unwrap();
    assert_eq!(selection.evidence.len(), 4, "what repeats is left out");
    let block = EXECUTOR
        .execute(&state, &env(7), &[], &selection.evidence, &[])
        .unwrap();
    assert_eq!(block, selection.block);
    state.commit(&block);
    let faults = |member| EXECUTOR.faults(&state, MemberId::new(member)).unwrap();
    assert_eq!(
        [
            faults(1).wrong_shares.count(),
            faults(1).double_votes.count(),
            faults(2).wrong_shares.count(),
            faults(3).wrong_shares.count(),
        ],
        [2, 1, 1, 0]
    );
    assert_eq!(faults(1).wrong_shares.latest(), Some(Height::new(6)));
    let later = EXECUTOR
        .select(&state, &env(8), &[], evidence, Vec::new())
        .unwrap();
    assert!(later.evidence.is_empty() && later.block.state.is_empty());
}
