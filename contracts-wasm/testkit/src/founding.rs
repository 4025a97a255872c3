//! The genesis of a test chain: four hospitals, the people of [`who`](crate::who), and contracts.

use crate::chain::ChainError;
use crate::state::Memory;
use crate::who;
use salus_abi::registry::Instantiate;
use salus_abi::{ContractId, MemberId};
use salus_execution::{Executor, GenesisContract, GenesisState, Params};
use salus_runtime::{Engine, EngineConfig};
use salus_types::{ChainId, ContractParams, Hash, Member, SecretKey, Slot, Timestamp, codec};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// The chain that everything is signed for.
pub const CHAIN: ChainId = ChainId::new(Hash::new([0xc4; 32]));
/// Validators of the network; one may lie.
pub const MEMBERS: u16 = 4;
/// Founded chains that are kept, at most: one for each set-up of a test program.
const FOUNDED_MAX: usize = 64;

/// A contract that is there from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Its number: 1 and 2 replace the registry and the access contract, others are from 3 on.
    pub id: ContractId,
    /// What reports call it.
    pub name: String,
    /// Its artefact.
    pub wasm: Arc<[u8]>,
    /// What its `salus_instantiate` gets.
    pub argument: Vec<u8>,
}

/// One executor for all chains of a process: its compiled code is the expensive part.
pub(crate) static EXECUTOR: LazyLock<Result<Executor, String>> = LazyLock::new(|| {
    let engine = Engine::new(&EngineConfig::default()).map_err(|error| error.to_string())?;
    Ok(Executor::new(engine, CHAIN))
});

pub(crate) fn executor() -> Result<&'static Executor, ChainError> {
    EXECUTOR
        .as_ref()
        .map_err(|error| ChainError::Machine(error.clone()))
}

/// The consensus key of a validator.
pub fn member_key(member: MemberId) -> SecretKey {
    member_secret(0x5e, member)
}

fn member_secret(kind: u8, member: MemberId) -> SecretKey {
    let mut seed = [kind; 32];
    let (number, _) = seed.split_at_mut(2);
    number.copy_from_slice(&member.get().to_be_bytes());
    SecretKey::from_seed(&seed)
}

/// The state of a chain that was just founded. Kept, so that tests with the same set-up share the work.
pub(crate) fn found(contracts: &[Contract], time: Timestamp) -> Result<Memory, ChainError> {
    static FOUNDED: Mutex<BTreeMap<Hash, Memory>> = Mutex::new(BTreeMap::new());
    let contracts = with_standard(contracts);
    let key = founding_key(&contracts, time);
    let kept = || FOUNDED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(state) = kept().get(&key) {
        return Ok(state.clone());
    }
    let genesis = GenesisState {
        members: (0..MEMBERS).map(member).collect(),
        params: Params {
            slots: MEMBERS,
            contracts: ContractParams {
                timelock_ms: 0,
                frozen_timelock_ms: 0,
                ..ContractParams::default()
            },
            ..Params::default()
        },
        contracts,
    };
    let block = executor()?.genesis(&genesis, time)?;
    let mut state = Memory::default();
    state.commit(&block);
    let mut kept = kept();
    if kept.len() >= FOUNDED_MAX {
        kept.clear();
    }
    kept.insert(key, state.clone());
    Ok(state)
}

fn founding_key(contracts: &[GenesisContract], time: Timestamp) -> Hash {
    let mut bytes = time.get().to_be_bytes().to_vec();
    for contract in contracts {
        bytes.extend_from_slice(&contract.contract.get().to_be_bytes());
        bytes.extend_from_slice(Hash::of_content(&contract.code).as_bytes());
        bytes.extend_from_slice(Hash::of_content(&contract.input).as_bytes());
    }
    Hash::of_content(&bytes)
}

/// The contracts that ship, unless others take their numbers; then the given contracts.
fn with_standard(contracts: &[Contract]) -> Vec<GenesisContract> {
    let people = codec::encode(&Instantiate {
        principals: who::principals(),
    });
    let standard = [
        (ContractId::REGISTRY, salus_genesis::REGISTRY),
        (ContractId::ACCESS, salus_genesis::ACCESS),
        (ContractId::CARE, salus_genesis::CARE),
    ];
    let founded = |id: ContractId, code: Vec<u8>, argument: &[u8]| GenesisContract {
        contract: id,
        code,
        input: match id {
            ContractId::REGISTRY => people.clone(),
            _ => argument.to_vec(),
        },
    };
    let mut all: BTreeMap<ContractId, GenesisContract> = standard
        .into_iter()
        .map(|(id, code)| (id, founded(id, code.to_vec(), &[])))
        .collect();
    for contract in contracts {
        let founded = founded(contract.id, contract.wasm.to_vec(), &contract.argument);
        all.insert(contract.id, founded);
    }
    all.into_values().collect()
}

fn member(number: u16) -> Member {
    let id = MemberId::new(number);
    Member {
        id,
        name: format!("hospital-{number}"),
        consensus_key: member_key(id).public(),
        network_key: member_secret(0x6e, id).public(),
        release_key: *member_secret(0x7e, id).public().as_bytes(),
        slot: Slot::new(number),
        addresses: Vec::new(),
    }
}
