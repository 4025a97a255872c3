//! Contracts in WebAssembly text on the real engine, over a host in memory.

mod admission;
mod cache;
mod calls;
mod edges;
mod gas;
mod golden;
mod hostile;

use crate::{
    AdmissionError, Context, Effort, Engine, EngineConfig, EntryPoint, Failure, Host, HostFault, Invocation,
    Module, NodeFault, Outcome,
};
use salus_abi::registry::{Principal, Role, Status};
use salus_abi::{ContractId, MemberId, PrincipalId};
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(super) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(&EngineConfig::default()).unwrap());

pub(super) static UNOPTIMISED: LazyLock<Engine> = LazyLock::new(|| {
    let config = EngineConfig {
        instances: 8,
        effort: Effort::None,
    };
    Engine::new(&config).unwrap()
});

/// The interpreter instead of compiled code: nothing of the processor's in it.
pub(super) static INTERPRETED: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = crate::engine::wasmtime_config(&EngineConfig {
        instances: 8,
        effort: Effort::Speed,
    });
    config.target("pulley64").unwrap();
    Engine::from_wasmtime(&config).unwrap()
});

pub(super) const SELF: ContractId = ContractId::new(7);
pub(super) const CALLER: PrincipalId = PrincipalId::new(42);

/// State, registry and contracts in maps.
#[derive(Default)]
pub(super) struct MemoryHost {
    pub(super) state: BTreeMap<(u32, Vec<u8>), Vec<u8>>,
    pub(super) principals: BTreeMap<u32, Principal>,
    pub(super) members: BTreeMap<u16, [u8; 32]>,
    pub(super) contracts: BTreeMap<u32, Module>,
    pub(super) debug: Vec<Vec<u8>>,
    pub(super) broken: bool,
}

impl Host for MemoryHost {
    fn get(&mut self, contract: ContractId, key: &[u8]) -> Result<Option<Vec<u8>>, HostFault> {
        if self.broken {
            return Err(HostFault("the disk is gone".to_owned()));
        }
        Ok(self.state.get(&(contract.get(), key.to_vec())).cloned())
    }

    fn set(&mut self, contract: ContractId, key: &[u8], value: &[u8]) -> Result<(), HostFault> {
        self.state.insert((contract.get(), key.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, contract: ContractId, key: &[u8]) -> Result<(), HostFault> {
        self.state.remove(&(contract.get(), key.to_vec()));
        Ok(())
    }

    fn next(
        &mut self,
        contract: ContractId,
        prefix: &[u8],
        after: &[u8],
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>, HostFault> {
        let found = self.state.iter().find(|((id, key), _)| {
            *id == contract.get() && key.starts_with(prefix) && key.as_slice() > after
        });
        Ok(found.map(|((_, key), value)| (key.clone(), value.clone())))
    }

    fn principal(&mut self, principal: PrincipalId) -> Result<Option<Principal>, HostFault> {
        Ok(self.principals.get(&principal.get()).cloned())
    }

    fn member_count(&mut self) -> Result<u32, HostFault> {
        Ok(u32::try_from(self.members.len()).unwrap())
    }

    fn member_key(&mut self, member: MemberId) -> Result<Option<[u8; 32]>, HostFault> {
        Ok(self.members.get(&member.get()).copied())
    }

    fn contract(&mut self, contract: ContractId) -> Result<Option<Module>, HostFault> {
        Ok(self.contracts.get(&contract.get()).cloned())
    }

    fn debug(&mut self, _: ContractId, line: &[u8]) {
        self.debug.push(line.to_vec());
    }
}

pub(super) fn principal(role: Role, organisation: u16, status: Status) -> Principal {
    Principal {
        signing_key: [1; 32],
        encryption_key: [2; 32],
        role,
        organisation: MemberId::new(organisation),
        status,
        address: None,
        attributes: vec![(3, b"cardiology".to_vec())],
    }
}

/// A contract of the given imports and other definitions, and the body of `salus_execute`, which has the locals
/// `$ptr` and `$len` and leaves the packed place of its output. All entry points do the same.
pub(super) fn contract(definitions: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            {definitions}
            (memory (export "memory") 1)
            (func (export "salus_abi_1"))
            (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
            (func $run (param $ptr i32) (param $len i32) (result i64) {body})
            (export "salus_instantiate" (func $run))
            (export "salus_execute" (func $run))
            (export "salus_query" (func $run))
            (export "salus_decide" (func $run))
        )"#
    );
    wat::parse_str(text).unwrap()
}

/// The import of the given name, under the same identifier.
pub(super) fn import(name: &str, ty: &str) -> String {
    format!(r#"(import "salus0" "{name}" (func ${name} {ty}))"#)
}

pub(super) fn invocation(entry_point: EntryPoint, input: &[u8], gas_limit: u64) -> Invocation {
    Invocation {
        entry_point,
        input: input.to_vec(),
        gas_limit,
        context: Context {
            chain_id: [9; 32],
            self_id: SELF,
            caller: Some(CALLER),
            height: 11,
            time_ms: 1_700_000_000_000,
        },
    }
}

pub(super) const GAS: u64 = 1_000_000;

pub(super) fn run(wasm: &[u8], input: &[u8], host: &mut dyn Host) -> Outcome {
    let module = ENGINE.admit(wasm).unwrap();
    ENGINE
        .run(&module, invocation(EntryPoint::Execute, input, GAS), host)
        .unwrap()
}

/// Runs a body that answers with its packed place, and expects an output.
pub(super) fn output(definitions: &str, body: &str, host: &mut dyn Host) -> Vec<u8> {
    run(&contract(definitions, body), &[], host).result.unwrap()
}

/// Runs a body that must fail.
pub(super) fn failure(definitions: &str, body: &str) -> (Failure, u64) {
    let outcome = run(&contract(definitions, body), &[], &mut MemoryHost::default());
    (outcome.result.unwrap_err(), outcome.gas_used)
}

pub(super) fn refusal(wasm: &[u8]) -> AdmissionError {
    ENGINE.admit(wasm).unwrap_err()
}

pub(super) fn refusal_of_text(text: &str) -> AdmissionError {
    refusal(&wat::parse_str(text).unwrap())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn engines_and_modules_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Engine>();
    shared::<Module>();
    shared::<NodeFault>();
}
