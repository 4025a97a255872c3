//! A chain in memory for the contracts' tests: the committed artefacts on the node's own engine and meter.
//!
//! ```text
//! World::new()                two hospitals, four validators, the people of [`who`], contracts 1 to 3 instantiated
//!   .execute(who, ...)        a transaction: its writes are kept, or dropped if it fails
//!   .query(...)               a question: nothing changes
//!   .time_ms += ...           the next block's time
//! ```
//!
//! Invariant: nothing is mocked. Roles, keys and addresses are those that the registry's artefact wrote, read from its
//! state as validators read them.

use salus_abi::access::{AccessEvent, AddRecord, RecordClass, StoredReceipt, stored_receipt_payload};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;
use salus_abi::registry::{Instantiate, PatientAddress, Principal, Role, Status, principal_key};
use salus_abi::{ContractId, MemberId, PrincipalId};
use salus_runtime::{
    Context, Engine, EngineConfig, EntryPoint, Failure, Host, HostFault, Invocation, Module, Outcome,
};
use salus_types::{ChainId, Hash, SecretKey};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The people of the tests.
pub mod who {
    use salus_abi::PrincipalId;

    /// Admin of hospital 0.
    pub const ADMIN: PrincipalId = PrincipalId::new(0);
    /// Manager of hospital 0.
    pub const MANAGER: PrincipalId = PrincipalId::new(1);
    /// Doctor of hospital 0.
    pub const DOCTOR: PrincipalId = PrincipalId::new(2);
    /// Doctor of hospital 1.
    pub const STRANGER: PrincipalId = PrincipalId::new(3);
    /// Patient of hospital 0.
    pub const PATIENT: PrincipalId = PrincipalId::new(4);
    /// Patient of hospital 1.
    pub const NEIGHBOUR: PrincipalId = PrincipalId::new(5);
    /// Gateway of [`PATIENT`].
    pub const DEVICE: PrincipalId = PrincipalId::new(6);
    /// Auditor of hospital 0.
    pub const AUDITOR: PrincipalId = PrincipalId::new(7);
    /// Admin of hospital 1.
    pub const OTHER_ADMIN: PrincipalId = PrincipalId::new(8);
    /// Nobody yet.
    pub const NOBODY: PrincipalId = PrincipalId::new(9);
}

/// 2026-01-05T09:00:00Z, a Monday.
pub const MONDAY_MORNING_MS: u64 = 1_767_603_600_000;
/// The chain that everything is signed for.
pub const CHAIN: ChainId = ChainId::new(Hash::new([0xc4; 32]));
/// Validators of the network; one may lie.
pub const MEMBERS: u16 = 4;
/// Gas of one call, at most.
const GAS_LIMIT: u64 = 50_000_000;

/// What an entry answered: the decoded output and the events, or how it failed; and the gas.
#[derive(Debug)]
pub struct Answer<O> {
    /// The output, or the failure.
    pub result: Result<O, Failure>,
    /// What it cost.
    pub gas_used: u64,
    /// Bytes of the output.
    pub output: Vec<u8>,
    /// The events, as they stand in the receipt.
    pub events: Vec<Vec<u8>>,
}

/// The state of the chain between two transactions.
#[derive(Clone, Debug)]
pub struct World {
    /// Block time.
    pub time_ms: u64,
    /// Block height.
    pub height: u64,
    /// Validators in the current set.
    pub members: u16,
    ledger: Ledger,
}

#[derive(Clone, Debug, Default)]
struct Ledger {
    entries: BTreeMap<(ContractId, Vec<u8>), Vec<u8>>,
    contracts: BTreeMap<ContractId, Module>,
    members: u16,
    writes: usize,
}

/// The artefacts that ship.
pub const NAMES: [&str; 8] = [
    "registry",
    "access",
    "care",
    "office_hours",
    "purpose_of_use",
    "minors",
    "research_cohort",
    "care_team",
];

/// The engine, one for all tests: it is the expensive part.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| or_fail(Engine::new(&EngineConfig::default())))
}

/// The artefact of a contract, admitted and compiled once.
pub fn artefact(name: &'static str) -> Module {
    static MODULES: OnceLock<BTreeMap<&'static str, Module>> = OnceLock::new();
    let modules = MODULES.get_or_init(|| {
        let names = NAMES;
        names
            .into_iter()
            .map(|name| (name, or_fail(engine().admit(&artefact_bytes(name)))))
            .collect()
    });
    or_fail(modules.get(name).cloned().ok_or("no such artefact"))
}

/// The bytes of an artefact.
pub fn artefact_bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/../artifacts/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    or_fail(std::fs::read(path))
}

/// A test's set-up has failed: there is nothing to go on with.
fn or_fail<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    #[allow(clippy::panic, reason = "this crate is only a test's set-up")]
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The consensus key of a validator.
pub fn member_key(member: u16) -> SecretKey {
    let mut seed = [0x5e; 32];
    seed[..2].copy_from_slice(&member.to_be_bytes());
    SecretKey::from_seed(&seed)
}

/// The signing key of the person with this number.
pub fn person_key(number: u32) -> SecretKey {
    let mut seed = [0x9a; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_seed(&seed)
}

/// The address of the patient with this number.
pub fn address(number: u8) -> PatientAddress {
    PatientAddress {
        area: 84,
        pid: [number; 16],
    }
}

/// A record as its author would put it on the chain, with the receipts that the given members gave that author.
pub fn record_of(
    author: PrincipalId,
    patient: PrincipalId,
    digest: u8,
    class: RecordClass,
    members: &[u16],
) -> AddRecord {
    dealing_of(
        author,
        patient,
        ([digest; 32], [digest ^ 0xff; 32]),
        class,
        members,
    )
}

/// [`record_of`] with a digest and a root of the caller's choice.
pub fn dealing_of(
    author: PrincipalId,
    patient: PrincipalId,
    (digest, root): ([u8; 32], [u8; 32]),
    class: RecordClass,
    members: &[u16],
) -> AddRecord {
    let receipt = |member: &u16| {
        let payload = stored_receipt_payload(MemberId::new(*member), patient, author, &digest, &root);
        let signature = member_key(*member).sign(Tag::RECORD_RECEIPT, &CHAIN, &payload);
        StoredReceipt {
            member: MemberId::new(*member),
            signature: *signature.as_bytes(),
        }
    };
    AddRecord {
        patient,
        digest,
        root,
        threshold: 2,
        pieces: 4,
        size_bucket: 56,
        class,
        receipts: members.iter().map(receipt).collect(),
    }
}

impl World {
    /// A network with the people of [`who`] and nothing else.
    pub fn new() -> Self {
        let mut world = Self {
            time_ms: MONDAY_MORNING_MS,
            height: 1,
            members: MEMBERS,
            ledger: Ledger {
                members: MEMBERS,
                ..Ledger::default()
            },
        };
        let people = [
            (Role::Admin, 0, None),
            (Role::Manager, 0, None),
            (Role::Doctor, 0, None),
            (Role::Doctor, 1, None),
            (Role::Patient, 0, Some(4)),
            (Role::Patient, 1, Some(5)),
            (Role::Device, 0, Some(4)),
            (Role::Auditor, 0, None),
            (Role::Admin, 1, None),
        ];
        let principals = (0..)
            .zip(people)
            .map(|(number, (role, organisation, of))| Principal {
                signing_key: *person_key(number).public().as_bytes(),
                encryption_key: [0; 32],
                role,
                organisation: MemberId::new(organisation),
                status: Status::Active,
                address: of.map(address),
                attributes: Vec::new(),
            })
            .collect();
        or_fail(
            world
                .deploy(ContractId::REGISTRY, "registry", &Instantiate { principals })
                .result,
        );
        or_fail(world.deploy(ContractId::ACCESS, "access", &()).result);
        or_fail(world.deploy(ContractId::CARE, "care", &()).result);
        world
    }

    /// Puts an artefact on the chain and instantiates it.
    pub fn deploy(&mut self, id: ContractId, name: &'static str, argument: &impl Encode) -> Answer<()> {
        self.ledger.contracts.insert(id, artefact(name));
        self.write(id, EntryPoint::Instantiate, None, codec::encode(argument))
    }

    /// Takes a contract's code away, as if it had never been there.
    pub fn remove_contract(&mut self, id: ContractId) {
        self.ledger.contracts.remove(&id);
    }

    /// Runs a transaction in a block of its own; without a caller, what the chain does on its own word.
    pub fn execute<O: Encode + Decode<()>>(
        &mut self,
        caller: impl Into<Option<PrincipalId>>,
        contract: ContractId,
        entry: u8,
        argument: &impl Encode,
    ) -> Answer<O> {
        self.height += 1;
        self.write(
            contract,
            EntryPoint::Execute,
            caller.into(),
            numbered(entry, argument),
        )
    }

    /// Asks a contract.
    pub fn query<O: Encode + Decode<()>>(
        &self,
        contract: ContractId,
        entry: u8,
        argument: &impl Encode,
    ) -> Answer<O> {
        let mut ledger = self.ledger.clone();
        let answer = self.run(
            &mut ledger,
            contract,
            EntryPoint::Query,
            None,
            numbered(entry, argument),
        );
        assert_eq!(ledger.writes, self.ledger.writes, "a query has written");
        answer
    }

    /// An entry of a contract's state.
    pub fn state(&self, contract: ContractId, key: &[u8]) -> Option<&[u8]> {
        self.ledger
            .entries
            .get(&(contract, key.to_vec()))
            .map(Vec::as_slice)
    }

    /// How many entries were written or deleted since the beginning.
    pub fn writes(&self) -> usize {
        self.ledger.writes
    }

    fn write<O: Encode + Decode<()>>(
        &mut self,
        contract: ContractId,
        entry_point: EntryPoint,
        caller: Option<PrincipalId>,
        input: Vec<u8>,
    ) -> Answer<O> {
        let mut ledger = Ledger {
            members: self.members,
            ..self.ledger.clone()
        };
        let answer = self.run(&mut ledger, contract, entry_point, caller, input);
        if answer.result.is_ok() {
            self.ledger = ledger;
        }
        answer
    }

    fn run<O: Encode + Decode<()>>(
        &self,
        ledger: &mut Ledger,
        contract: ContractId,
        entry_point: EntryPoint,
        caller: Option<PrincipalId>,
        input: Vec<u8>,
    ) -> Answer<O> {
        let module = or_fail(ledger.contracts.get(&contract).cloned().ok_or("no such contract"));
        let context = Context {
            chain_id: *CHAIN.as_bytes(),
            self_id: contract,
            caller,
            height: self.height,
            time_ms: self.time_ms,
        };
        let invocation = Invocation {
            entry_point,
            input,
            gas_limit: GAS_LIMIT,
            context,
        };
        let Outcome {
            result,
            gas_used,
            events,
        } = or_fail(engine().run(&module, invocation, ledger));
        let output = result.clone().unwrap_or_default();
        let result = result.map(|bytes| or_fail(codec::decode(&bytes, bytes.len())));
        Answer {
            result,
            gas_used,
            output,
            events,
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl<O> Answer<O> {
    /// The error code, if the contract refused.
    pub fn abort(&self) -> Option<u16> {
        match self.result {
            Err(Failure::Aborted(code)) => Some(code),
            _ => None,
        }
    }

    /// The access contract's events.
    pub fn access_events(&self) -> Vec<AccessEvent> {
        self.events_of()
    }

    /// The events of a contract that emits `E`.
    pub fn events_of<E: Encode + Decode<()>>(&self) -> Vec<E> {
        self.events
            .iter()
            .map(|event| or_fail(codec::decode(event, event.len())))
            .collect()
    }
}

fn numbered(entry: u8, argument: &impl Encode) -> Vec<u8> {
    let mut input = vec![entry];
    input.extend(codec::encode(argument));
    input
}

impl Host for Ledger {
    fn get(&mut self, contract: ContractId, key: &[u8]) -> Result<Option<Vec<u8>>, HostFault> {
        Ok(self.entries.get(&(contract, key.to_vec())).cloned())
    }

    fn set(&mut self, contract: ContractId, key: &[u8], value: &[u8]) -> Result<(), HostFault> {
        self.writes += 1;
        self.entries.insert((contract, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, contract: ContractId, key: &[u8]) -> Result<(), HostFault> {
        self.writes += 1;
        self.entries.remove(&(contract, key.to_vec()));
        Ok(())
    }

    fn next(
        &mut self,
        contract: ContractId,
        prefix: &[u8],
        after: &[u8],
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>, HostFault> {
        let start = (contract, prefix.max(after).to_vec());
        let mut entries = self.entries.range(start..);
        let found = entries
            .find(|((id, key), _)| *id != contract || !key.starts_with(prefix) || key.as_slice() > after);
        Ok(found
            .filter(|((id, key), _)| *id == contract && key.starts_with(prefix))
            .map(|((_, key), value)| (key.clone(), value.clone())))
    }

    fn principal(&mut self, principal: PrincipalId) -> Result<Option<Principal>, HostFault> {
        let bytes = self.get(ContractId::REGISTRY, &principal_key(principal))?;
        Ok(bytes.map(|bytes| or_fail(codec::decode(&bytes, bytes.len()))))
    }

    fn member_count(&mut self) -> Result<u32, HostFault> {
        Ok(self.members.into())
    }

    fn member_key(&mut self, member: MemberId) -> Result<Option<[u8; 32]>, HostFault> {
        Ok((member.get() < self.members).then(|| *member_key(member.get()).public().as_bytes()))
    }

    fn contract(&mut self, contract: ContractId) -> Result<Option<Module>, HostFault> {
        Ok(self.contracts.get(&contract).cloned())
    }
}
