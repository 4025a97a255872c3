//! Code, proposals, timelocks, instances, migrations and freezing. A block's time is 1,000 ms and its height in ms.

use super::membership::{Chain, approve, found, withdraw};
use super::{EXECUTOR, env, wasm};
use crate::{GenesisContract, Params, QueryError, ReadKind, members, system, tree};
use proptest::prelude::*;
use salus_types::abi::access::{RecordClass, RegisterRule, RuleScope};
use salus_types::codec::Decode;
use salus_types::state::{StateKey, StateReader};
use salus_types::{
    CODE_PART_BYTES, CODE_UPLOADS_MAX, CODE_WAITS_MS, CONTRACT_ARGUMENT_BYTES_MAX, Call, Change,
    ChangeProposal, CodeHashes, CodeOrigin, CodePart, CodeUpload, ContractCall, ContractChange,
    ContractEvent, ContractId, ContractInfo, ContractParams, ContractRefusal, EnactedChange, Gas, Hash,
    Height, MemberId, PassedChange, ProposalId, Receipt, Status, SystemCall, codec,
};

const OPERATORS: [u32; 4] = [0, 1, 2, 3];
const DOCTOR: u32 = 4;
const TIMELOCK_MS: u64 = 20;
/// The first contract that is instantiated: the registry is 1, the stand-in for the access contract 2.
const NEW: ContractId = ContractId::new(3);

/// Keeps what it was instantiated or migrated with; refuses nothing at all with code 9. A query answers it.
fn keeper(extra: &str) -> Vec<u8> {
    wasm(&format!(
        r#"(module
        (import "salus0" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
        (import "salus0" "state_set" (func $set (param i32 i32 i32 i32)))
        (import "salus0" "abort" (func $abort (param i32)))
        (memory (export "memory") 2)
        (data (i32.const 0) "v")
        (func (export "salus_abi_1"))
        (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
        (func $keep (param $at i32) (param $len i32) (result i64)
            (call $set (i32.const 0) (i32.const 1) (local.get $at) (local.get $len))
            (if (i32.eqz (local.get $len)) (then (call $abort (i32.const 9))))
            (i64.const 0))
        (export "salus_instantiate" (func $keep))
        (func (export "salus_execute") (param i32 i32) (result i64) (i64.const 0))
        (func (export "salus_query") (param i32 i32) (result i64)
            (i64.or (i64.const 0x800_0000_0000) (i64.extend_i32_u
                (call $get (i32.const 0) (i32.const 1) (i32.const 2048) (i32.const 64)))))
        {extra})"#
    ))
}

const MIGRATES: &str = r#"(export "salus_migrate" (func $keep)) (@custom "salus_schema" "the second")"#;
/// So much that the code takes three parts.
const LONG: &str = r#"(@custom "ballast" "#;

/// Takes rules from nobody but the chain itself, and keeps the last message.
const ACCESS: &str = r#"(module
    (import "salus0" "caller" (func $caller (result i32)))
    (import "salus0" "abort" (func $abort (param i32)))
    (import "salus0" "state_set" (func $set (param i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "r")
    (func (export "salus_abi_1"))
    (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "salus_execute") (param $at i32) (param $len i32) (result i64)
        (if (i32.ne (call $caller) (i32.const -1)) (then (call $abort (i32.const 1))))
        (call $set (i32.const 0) (i32.const 1) (local.get $at) (local.get $len))
        (i64.const 0)))"#;

/// Its query answers what `call_read` of contract 3 gives, in one byte.
const ASKER: &str = r#"(module
    (import "salus0" "call_read" (func $read (param i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "salus_abi_1"))
    (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
    (func (export "salus_query") (param i32 i32) (result i64)
        (i32.store8 (i32.const 8)
            (call $read (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 8)))
        (i64.const 0x8_0000_0001)))"#;

fn params() -> Params {
    Params {
        contracts: ContractParams {
            timelock_ms: TIMELOCK_MS,
            frozen_timelock_ms: 2,
            ..ContractParams::default()
        },
        ..Params::default()
    }
}

fn chain() -> Chain {
    let access = GenesisContract {
        contract: ContractId::ACCESS,
        code: wasm(ACCESS),
        input: Vec::new(),
    };
    found(4, params(), vec![access])
}

fn hashes(code: &[u8]) -> CodeHashes {
    CodeHashes {
        wasm: Hash::of_content(code),
        schema: salus_runtime::custom_section(code, "salus_schema").map(Hash::of_content),
        manifest: Hash::of_content(b"manifest"),
    }
}

fn part(code: &[u8], part: usize) -> SystemCall {
    let bytes = code
        .chunks(CODE_PART_BYTES)
        .nth(part)
        .unwrap_or_default()
        .to_vec();
    SystemCall::Contract(ContractCall::StoreCode(CodePart {
        code_hash: Hash::of_content(code),
        length: u32::try_from(code.len()).unwrap(),
        part: u8::try_from(part).unwrap(),
        bytes,
    }))
}

fn instantiate(code: &[u8], argument: &[u8]) -> SystemCall {
    SystemCall::Contract(ContractCall::Instantiate {
        code_hash: Hash::of_content(code),
        argument: argument.to_vec(),
    })
}

fn enact(proposal: ProposalId) -> SystemCall {
    SystemCall::Contract(ContractCall::Enact { proposal })
}

fn migrate(contract: ContractId, code: &[u8], state_version: u32, argument: &[u8]) -> ContractChange {
    ContractChange::Migrate {
        contract,
        code: hashes(code),
        state_version,
        argument: argument.to_vec(),
    }
}

fn rule(scope: RuleScope) -> ContractChange {
    ContractChange::RegisterRule(RegisterRule {
        scope,
        rule: NEW,
        remove: false,
    })
}

fn output<T: Decode<()>>(receipt: &Receipt) -> T {
    assert_eq!(receipt.status, Status::Success);
    codec::decode_trusted(&receipt.output).unwrap()
}

fn events(receipt: &Receipt) -> Vec<ContractEvent> {
    let own = receipt
        .events
        .iter()
        .filter(|event| event.contract == ContractId::SYSTEM);
    own.map(|event| codec::decode(&event.data, 1 << 10).unwrap())
        .collect()
}

fn refusal(receipt: &Receipt) -> Option<ContractRefusal> {
    match receipt.status {
        Status::Aborted { code } => ContractRefusal::from_code(code),
        _ => None,
    }
}

impl Chain {
    fn refuses(&mut self, sender: u32, call: SystemCall) -> Option<ContractRefusal> {
        refusal(&self.one(sender, call))
    }

    fn store(&mut self, sender: u32, code: &[u8]) {
        for number in 0..code.len().div_ceil(CODE_PART_BYTES) {
            let upload: CodeUpload = output(&self.one(sender, part(code, number)));
            assert_eq!(
                upload.received as usize,
                code.len().min((number + 1) * CODE_PART_BYTES)
            );
        }
    }

    fn proposal(&self, change: ContractChange) -> SystemCall {
        SystemCall::Propose {
            change: Change::Contract(change),
            expires: Height::new(self.height + 1_000),
        }
    }

    /// Proposes by operator 0 and approves by 1 and 2.
    fn vote(&mut self, change: ContractChange) -> (ProposalId, PassedChange) {
        let call = self.proposal(change);
        let mut outcome = self.outcome(0, call);
        for voter in [1, 2] {
            if outcome.passed.is_none() {
                outcome = self.outcome(voter, approve(outcome.proposal));
            }
        }
        (outcome.proposal, outcome.passed.unwrap())
    }

    fn wait(&mut self) {
        self.height += TIMELOCK_MS;
    }

    fn vote_and_enact(&mut self, change: ContractChange) -> EnactedChange {
        let (proposal, _) = self.vote(change);
        self.wait();
        output(&self.one(3, enact(proposal)))
    }

    /// Stores, approves and instantiates.
    fn deploy(&mut self, code: &[u8], argument: &[u8]) -> ContractId {
        self.store(0, code);
        self.vote_and_enact(ContractChange::Approve(hashes(code)));
        output(&self.one(0, instantiate(code, argument)))
    }

    fn ask(&self, contract: ContractId) -> Result<Vec<u8>, QueryError> {
        let gas = Gas::new(20_000_000);
        EXECUTOR
            .query(
                &self.state,
                &env(self.height),
                contract,
                ReadKind::Query,
                None,
                vec![0],
                gas,
            )
            .map(|outcome| outcome.output)
    }

    fn root_without_sequences(&self) -> Vec<(StateKey, Vec<u8>)> {
        let entries = self
            .state
            .entries
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        entries
            .filter(|(key, _)| key.as_bytes().get(..5) != Some(&[0, 0, 0, 0, b's']))
            .collect()
    }

    fn open(&self) -> Vec<ChangeProposal> {
        members::proposals(&self.state).unwrap()
    }
}

fn long_keeper() -> Vec<u8> {
    keeper(&format!("{LONG} \"{}\")", "x".repeat(2 * CODE_PART_BYTES)))
}

#[test]
fn code_is_stored_approved_and_instantiated() {
    let mut chain = chain();
    let code = long_keeper();
    let (code_hash, member) = (Hash::of_content(&code), MemberId::new(0));
    chain.one(0, part(&code, 0));
    chain.one(0, part(&code, 1));
    let last = chain.one(0, part(&code, 2));
    assert_eq!(events(&last), [ContractEvent::CodeStored { code_hash, member }]);
    assert_eq!(system::code(&chain.state, &code_hash).unwrap(), code);
    assert_eq!(
        chain.refuses(0, instantiate(&code, b"1")),
        Some(ContractRefusal::NotApproved)
    );

    let (proposal, passed) = chain.vote(ContractChange::Approve(hashes(&code)));
    let from = env(chain.height + TIMELOCK_MS).time;
    assert_eq!(passed, PassedChange::Waits { from });
    assert_eq!(chain.refuses(0, enact(proposal)), Some(ContractRefusal::TooEarly));
    chain.height += TIMELOCK_MS - 2;
    let change = EnactedChange::Approved { code_hash };
    let enacted = chain.one(1, enact(proposal));
    assert_eq!(output::<EnactedChange>(&enacted), change);
    assert_eq!(events(&enacted), [ContractEvent::Enacted { proposal, change }]);
    let stored = system::stored_code(&chain.state, &code_hash).unwrap().unwrap();
    let origin = CodeOrigin::Approved {
        height: Height::new(chain.height),
        manifest: Hash::of_content(b"manifest"),
    };
    assert_eq!((stored.origin, stored.length as usize), (origin, code.len()));
    assert_eq!(system::upload(&chain.state, member, &code_hash).unwrap(), None);
    assert!(chain.open().is_empty());

    for (number, argument) in [(NEW, b"one"), (ContractId::new(4), b"two")] {
        let receipt = chain.one(2, instantiate(&code, argument));
        assert_eq!(output::<ContractId>(&receipt), number);
        let member = MemberId::new(2);
        let event = ContractEvent::Instantiated {
            contract: number,
            code_hash,
            member,
        };
        assert_eq!(events(&receipt), [event]);
        assert_eq!(chain.ask(number).unwrap(), argument);
        let info = system::contract(&chain.state, number).unwrap().unwrap();
        assert_eq!(
            (info.code_hash, info.state_version, info.frozen),
            (code_hash, 1, false)
        );
        assert_eq!(info.founder, Some(member));
    }
    let listed = system::contracts(&chain.state, ContractId::REGISTRY, 2).unwrap();
    assert_eq!(
        listed.iter().map(|(number, _)| number.get()).collect::<Vec<_>>(),
        [2, 3]
    );
}

#[test]
fn uploads_are_refused_for_a_reason() {
    use ContractRefusal as R;
    let mut chain = chain();
    let code = long_keeper();
    assert_eq!(chain.refuses(DOCTOR, part(&code, 0)), Some(R::NotAllowed));
    assert_eq!(chain.refuses(0, part(&code, 1)), Some(R::BadPart), "no beginning");
    chain.one(0, part(&code, 0));
    assert_eq!(chain.refuses(0, part(&code, 2)), Some(R::BadPart), "a gap");
    assert_eq!(
        chain.refuses(1, part(&code, 1)),
        Some(R::BadPart),
        "another member's upload"
    );
    let SystemCall::Contract(ContractCall::StoreCode(good)) = part(&code, 1) else {
        unreachable!("a part")
    };
    let store = |part| SystemCall::Contract(ContractCall::StoreCode(part));
    for bad in [
        CodePart {
            length: good.length + 1,
            ..good.clone()
        },
        CodePart {
            bytes: good.bytes[1..].to_vec(),
            ..good.clone()
        },
    ] {
        assert_eq!(chain.refuses(0, store(bad)), Some(R::BadPart));
    }
    for length in [0, 257 << 10] {
        let bad = CodePart {
            part: 0,
            length,
            ..good.clone()
        };
        assert_eq!(chain.refuses(0, store(bad)), Some(R::BadPart));
    }
    let wrong = CodePart {
        bytes: vec![7; good.bytes.len()],
        ..good
    };
    chain.one(0, store(wrong));
    assert_eq!(chain.refuses(0, part(&code, 2)), Some(R::BadHash));
    chain.store(0, &code);
    assert_eq!(chain.refuses(1, part(&code, 0)), Some(R::CodeKnown));
    let known = part(&wasm(ACCESS), 0);
    assert_eq!(chain.refuses(1, known), Some(R::CodeKnown), "of the genesis");
}

#[test]
fn what_admission_refuses_is_refused_with_its_code_and_leaves_nothing() {
    let mut chain = chain();
    for (text, code) in [("(module)", 320), ("(module (func (param f32)))", 302)] {
        let code_bytes = wasm(text);
        let receipt = chain.one(0, part(&code_bytes, 0));
        assert_eq!(receipt.status, Status::Aborted { code }, "{text}");
        let hash = Hash::of_content(&code_bytes);
        assert_eq!(
            system::upload(&chain.state, MemberId::new(0), &hash).unwrap(),
            None
        );
    }
    assert_eq!(
        chain.one(0, part(b"no module", 0)).status,
        Status::Aborted { code: 301 }
    );
}

#[test]
fn code_that_waits_is_bounded_for_each_member_and_forgotten() {
    let mut chain = chain();
    let numbered = |number: usize| keeper(&format!("(@custom \"number\" \"{number}\")"));
    for number in 0..CODE_UPLOADS_MAX {
        chain.store(0, &numbered(number));
    }
    let next = numbered(CODE_UPLOADS_MAX);
    assert_eq!(
        chain.refuses(0, part(&next, 0)),
        Some(ContractRefusal::TooMuchCode)
    );
    let big = long_keeper();
    chain.one(1, part(&big, 0));
    let entries = chain.state.entries.len();
    chain.height += CODE_WAITS_MS + 100;
    assert_eq!(
        chain.refuses(1, part(&big, 1)),
        Some(ContractRefusal::BadPart),
        "too late"
    );
    chain.store(0, &next);
    let kept = (0..CODE_UPLOADS_MAX).filter(|number| {
        let hash = Hash::of_content(&numbered(*number));
        let entry = system::stored_code(&chain.state, &hash).unwrap();
        let chunk = chain.state.get(&system::code_key(&hash, 0)).unwrap();
        assert_eq!(entry.is_some(), chunk.is_some());
        entry.is_some()
    });
    assert_eq!(
        kept.count(),
        CODE_UPLOADS_MAX - 4,
        "what has ended is swept, a few at a time"
    );
    for member in [1, 2] {
        chain.store(member, &keeper(&format!("(@custom \"of\" \"{member}\")")));
    }
    assert!(chain.state.entries.len() < entries);
    let first = system::upload_chunk_key(MemberId::new(1), &Hash::of_content(&big), 0);
    assert_eq!(chain.state.get(&first).unwrap(), None);

    let mut bytes = 0;
    let mut chain = self::chain();
    loop {
        let code = keeper(&format!("(@custom \"{bytes}\" \"{}\")", "x".repeat(255 << 10)));
        match chain.refuses(0, part(&code, 0)) {
            None => bytes += code.len(),
            refused => break assert_eq!(refused, Some(ContractRefusal::TooMuchCode)),
        }
    }
    assert!((768 << 10..=1 << 20).contains(&bytes));
}

#[test]
fn an_instance_that_fails_leaves_nothing() {
    let mut chain = chain();
    let code = keeper("");
    chain.store(0, &code);
    chain.vote_and_enact(ContractChange::Approve(hashes(&code)));
    let before = chain.root_without_sequences();
    let receipt = chain.one(0, instantiate(&code, b""));
    assert_eq!(refusal(&receipt), Some(ContractRefusal::ContractFailed));
    let own: Status = codec::decode(&receipt.output, 16).unwrap();
    assert_eq!(own, Status::Aborted { code: 9 });
    let long = vec![0; CONTRACT_ARGUMENT_BYTES_MAX + 1];
    assert_eq!(
        chain.refuses(0, instantiate(&code, &long)),
        Some(ContractRefusal::LongArgument)
    );
    assert_eq!(
        chain.refuses(DOCTOR, instantiate(&code, b"1")),
        Some(ContractRefusal::NotAllowed)
    );
    let unknown = instantiate(b"unknown", b"1");
    assert_eq!(chain.refuses(0, unknown), Some(ContractRefusal::UnknownCode));
    let without = instantiate(&wasm(ACCESS), b"1");
    assert_eq!(chain.refuses(0, without), Some(ContractRefusal::NoEntryPoint));
    assert_eq!(chain.root_without_sequences(), before);
    let first: ContractId = output(&chain.one(0, instantiate(&code, b"1")));
    assert_eq!(first, NEW, "no number was lost");
}

#[test]
fn a_migration_takes_the_state_over_or_changes_nothing() {
    use ContractRefusal as R;
    let mut chain = chain();
    chain.deploy(&keeper(""), b"old");
    let code = keeper(MIGRATES);
    let call = chain.proposal(migrate(NEW, &code, 2, b"new"));
    assert_eq!(chain.refuses(0, call), Some(R::UnknownCode));
    chain.store(1, &code);
    for (change, refusal) in [
        (migrate(NEW, &code, 1, b"new"), R::BadStateVersion),
        (migrate(NEW, &code, 3, b"new"), R::BadStateVersion),
        (migrate(ContractId::new(9), &code, 2, b"new"), R::UnknownContract),
        (migrate(NEW, &keeper(""), 2, b"new"), R::NoEntryPoint),
    ] {
        let call = chain.proposal(change);
        assert_eq!(chain.refuses(0, call), Some(refusal));
    }
    let mut lies = hashes(&code);
    lies.schema = None;
    let call = chain.proposal(ContractChange::Approve(lies));
    assert_eq!(chain.refuses(0, call), Some(R::BadSchema));

    let (failing, _) = chain.vote(migrate(NEW, &code, 2, b""));
    chain.wait();
    let before = chain.root_without_sequences();
    assert_eq!(chain.refuses(0, enact(failing)), Some(R::ContractFailed));
    assert_eq!(chain.root_without_sequences(), before);
    assert_eq!(chain.ask(NEW).unwrap(), b"old");

    let contract = NEW;
    let state_version = 2;
    let enacted = chain.vote_and_enact(migrate(NEW, &code, 2, b"new"));
    assert_eq!(
        enacted,
        EnactedChange::Migrated {
            contract,
            state_version
        }
    );
    assert_eq!(chain.ask(NEW).unwrap(), b"new");
    let info = system::contract(&chain.state, NEW).unwrap().unwrap();
    assert_eq!((info.code_hash, info.state_version), (Hash::of_content(&code), 2));
    assert!(
        system::stored_code(&chain.state, &info.code_hash)
            .unwrap()
            .unwrap()
            .is_approved()
    );
    assert_eq!(
        chain.refuses(0, enact(failing)),
        Some(R::BadStateVersion),
        "another one came first"
    );
}

#[test]
fn a_frozen_contract_answers_nothing_until_it_is_unfrozen() {
    let mut chain = chain();
    chain.deploy(&keeper(""), b"value");
    let asker = chain.deploy(&wasm(ASKER), b"");
    assert_eq!(chain.ask(asker).unwrap(), [5]);
    let call = |sender| {
        let (contract, entry, input) = (NEW, 0, Vec::new());
        vec![(
            sender,
            Call::Contract {
                contract,
                entry,
                input,
            },
        )]
    };
    assert_eq!(chain.commit(call(DOCTOR))[0].status, Status::Success);

    let freeze = chain.proposal(ContractChange::Freeze(NEW));
    let proposed = chain.outcome(2, freeze.clone());
    assert_eq!((proposed.approvals, proposed.needed), (1, 2));
    let receipt = chain.one(3, approve(proposed.proposal));
    assert_eq!(events(&receipt), [ContractEvent::Frozen { contract: NEW }]);
    assert_eq!(chain.refuses(0, freeze), Some(ContractRefusal::NothingToChange));

    assert_eq!(chain.commit(call(DOCTOR))[0].status, Status::Frozen);
    assert_eq!(chain.ask(NEW), Err(QueryError::Frozen));
    assert_eq!(
        chain.ask(asker).unwrap(),
        [0xff],
        "other contracts get no answer either"
    );
    let code = keeper(MIGRATES);
    chain.store(0, &code);
    let before = chain.height;
    let (_, waits) = chain.vote(migrate(NEW, &code, 2, b"mended"));
    let from = env(before + 3 + 2).time;
    assert_eq!(
        waits,
        PassedChange::Waits { from },
        "a shorter timelock while it is frozen"
    );
    let (_, passed) = chain.vote(ContractChange::Unfreeze(NEW));
    assert_eq!(passed, PassedChange::Unfrozen { contract: NEW });
    assert_eq!(chain.ask(NEW).unwrap(), b"value");
}

#[test]
fn votes_taken_back_stop_a_change_until_they_are_given_again() {
    let mut chain = chain();
    let code = keeper("");
    chain.store(0, &code);
    let (proposal, _) = chain.vote(ContractChange::Approve(hashes(&code)));
    let receipt = chain.one(1, withdraw(proposal));
    assert_eq!(events(&receipt), [ContractEvent::Withdrawn { proposal }]);
    chain.wait();
    assert_eq!(
        chain.refuses(0, enact(proposal)),
        Some(ContractRefusal::NotPassed)
    );
    let again = chain.outcome(3, approve(proposal));
    let from = env(chain.height + TIMELOCK_MS).time;
    assert_eq!(
        again.passed,
        Some(PassedChange::Waits { from }),
        "the timelock begins anew"
    );
    chain.wait();
    assert_eq!(
        refusal(&chain.one(DOCTOR, enact(proposal))),
        None,
        "not for doctors"
    );
    assert_eq!(chain.open().len(), 1);
    assert_eq!(
        output::<EnactedChange>(&chain.one(0, enact(proposal))),
        EnactedChange::Approved {
            code_hash: Hash::of_content(&code)
        }
    );
}

#[test]
fn rules_for_many_hospitals_are_registered_by_vote_on_the_chains_word() {
    let mut chain = chain();
    let mut call = chain.proposal(rule(RuleScope::Everywhere));
    assert_eq!(chain.refuses(0, call), Some(ContractRefusal::UnknownContract));
    chain.deploy(&keeper(""), b"value");
    call = chain.proposal(rule(RuleScope::Organisation(MemberId::new(0))));
    assert_eq!(chain.refuses(0, call), Some(ContractRefusal::HospitalsOwn));
    for scope in [RuleScope::Everywhere, RuleScope::Class(RecordClass::Imaging)] {
        let register = RegisterRule {
            scope,
            rule: NEW,
            remove: false,
        };
        assert_eq!(
            chain.vote_and_enact(rule(scope)),
            EnactedChange::RuleRegistered(register)
        );
        let message = [vec![5], codec::encode(&register)].concat();
        let kept = chain.state.get(&StateKey::new(ContractId::ACCESS, b"r")).unwrap();
        assert_eq!(kept, Some(message));
    }
}

#[test]
fn gas_that_does_not_suffice_leaves_an_upload_as_it_was() {
    let mut chain = chain();
    let code = long_keeper();
    chain.one(0, part(&code, 0));
    chain.one(0, part(&code, 1));
    let root = tree::root(&chain.state).unwrap();
    let short = super::Tx {
        call: Call::System(part(&code, 2)),
        gas: 200_000,
        expires: chain.height + 1,
        ..super::tx(0, 2, 0)
    };
    let block = EXECUTOR
        .execute(&chain.state, &env(chain.height + 1), &[], &[], &[short.build()])
        .unwrap();
    assert_eq!(block.receipts[0].status, Status::OutOfGas);
    assert_eq!(block.receipts[0].gas_used, Gas::new(200_000));
    assert_ne!(block.state_root, root, "its sequence number is used");
    assert!(block.state.len() == 1);
}

#[test]
fn an_answer_is_proven_by_what_it_read_and_can_be_computed_again() {
    let mut chain = chain();
    let (code, asking) = (keeper(""), wasm(ASKER));
    chain.deploy(&code, b"value");
    let asker = chain.deploy(&asking, b"");
    let question = crate::Question {
        env: env(chain.height),
        contract: asker,
        kind: ReadKind::Query,
        caller: None,
        input: vec![0],
        gas_limit: Gas::new(20_000_000),
    };
    let root = tree::root(&chain.state).unwrap();
    let (outcome, reads) = EXECUTOR.query_proven(&chain.state, question.clone()).unwrap();
    assert_eq!(outcome.output, [5]);
    assert_eq!(reads.check(&root), Ok(()));
    let read: Vec<&StateKey> = reads.entries.iter().map(|entry| &entry.key).collect();
    let value = StateKey::new(NEW, b"v");
    let expected = [ContractInfo::key(NEW), ContractInfo::key(asker), value.clone()];
    assert_eq!(
        read,
        expected.iter().collect::<Vec<_>>(),
        "both contracts and the one entry"
    );

    let fresh = crate::Executor::new(
        salus_runtime::Engine::new(&salus_runtime::EngineConfig::default()).unwrap(),
        super::CHAIN,
    );
    let codes = [code, asking].map(|code| (Hash::of_content(&code), code)).into();
    assert_eq!(fresh.replay(&reads, &codes, question.clone()), Ok(outcome));
    let mut less = reads.clone();
    less.entries.retain(|entry| entry.key != value);
    let unknown = fresh.replay(&less, &codes, question);
    assert!(matches!(unknown, Err(QueryError::Fault(_))), "{unknown:?}");

    for entry in 0..reads.entries.len() {
        let mut forged = reads.clone();
        forged.entries[entry].value = Some(vec![1]);
        assert!(forged.check(&root).is_err());
        forged.entries[entry].value = None;
        assert!(forged.check(&root).is_err());
    }
    let mut forged = reads;
    forged.scans.push(salus_types::state::ScanStep {
        prefix: value.as_bytes().to_vec(),
        after: value.as_bytes().to_vec(),
        found: Some(value),
    });
    assert!(
        forged.check(&root).is_err(),
        "a step that found what it started from"
    );
}

/// What operators do between a proposal and its enactment.
#[derive(Clone, Copy, Debug)]
enum Step {
    Vote(usize, bool),
    Wait(u64),
    Enact,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_usize, any::<bool>()).prop_map(|(voter, approve)| Step::Vote(voter, approve)),
        1 => (1..TIMELOCK_MS).prop_map(Step::Wait),
        2 => Just(Step::Enact),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Code is approved exactly when three of four members have approved without a break for the whole timelock.
    #[test]
    fn only_lasting_votes_enact_a_change(steps in steps()) {
        let mut chain = chain();
        let code = keeper("");
        chain.store(0, &code);
        let call = chain.proposal(ContractChange::Approve(hashes(&code)));
        let proposal = chain.outcome(0, call).proposal;
        let mut voices = [true, false, false, false];
        let mut since = None;
        for step in steps {
            match step {
                Step::Wait(heights) => chain.height += heights,
                Step::Vote(voter, approves) => {
                    let call = if approves { approve(proposal) } else { withdraw(proposal) };
                    let outcome = chain.outcome(OPERATORS[voter], call);
                    voices[voter] = approves;
                    let count = voices.iter().filter(|voice| **voice).count();
                    prop_assert_eq!(usize::from(outcome.approvals), count);
                    since = (count >= 3).then(|| since.unwrap_or(chain.height));
                    prop_assert_eq!(outcome.passed.is_some(), since.is_some());
                }
                Step::Enact => {
                    let receipt = chain.one(1, enact(proposal));
                    let expected = match since {
                        None => Some(ContractRefusal::NotPassed),
                        Some(since) if chain.height < since + TIMELOCK_MS => Some(ContractRefusal::TooEarly),
                        Some(_) => None,
                    };
                    prop_assert_eq!(refusal(&receipt), expected);
                    let stored = system::stored_code(&chain.state, &Hash::of_content(&code)).unwrap();
                    prop_assert_eq!(stored.unwrap().is_approved(), expected.is_none());
                    if expected.is_none() {
                        break;
                    }
                }
            }
        }
    }
}
