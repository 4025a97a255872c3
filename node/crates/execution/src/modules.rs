use crate::system;
use salus_runtime::{Engine, Module};
use salus_types::state::{StateFault, StateReader};
use salus_types::{ContractId, ContractInfo, Hash};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Compiled contracts, at most.
const MODULES_MAX: usize = 64;

/// Compiled contracts by the hash of their code; the least recently used one makes room.
pub(crate) struct Modules {
    engine: Engine,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    modules: BTreeMap<Hash, (Module, u64)>,
    uses: u64,
}

impl Modules {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            cache: Mutex::default(),
        }
    }

    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// A contract and its compiled code; `None` if there is no such contract.
    pub(crate) fn load(
        &self,
        state: &dyn StateReader,
        contract: ContractId,
    ) -> Result<Option<(ContractInfo, Module)>, StateFault> {
        let Some(info) = system::contract(state, contract)? else {
            return Ok(None);
        };
        Ok(Some((info, self.load_code(state, &info.code_hash)?)))
    }

    /// Admitted code, compiled.
    pub(crate) fn load_code(&self, state: &dyn StateReader, code_hash: &Hash) -> Result<Module, StateFault> {
        if let Some(module) = self.cached(code_hash) {
            return Ok(module);
        }
        // Compiled outside the lock: two threads may do it twice, but none waits for another's compiler.
        let code = system::code(state, code_hash)?;
        let module = self
            .engine
            .admit(&code)
            .map_err(|_| system::damaged("the code of a contract"))?;
        self.keep(*code_hash, module.clone());
        Ok(module)
    }

    fn cached(&self, code_hash: &Hash) -> Option<Module> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let Cache { modules, uses } = &mut *cache;
        let (module, used) = modules.get_mut(code_hash)?;
        *uses = uses.saturating_add(1);
        *used = *uses;
        Some(module.clone())
    }

    /// Puts compiled code into the cache.
    pub(crate) fn keep(&self, code_hash: Hash, module: Module) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let Cache { modules, uses } = &mut *cache;
        if modules.len() >= MODULES_MAX && !modules.contains_key(&code_hash) {
            let oldest = modules.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                modules.remove(&oldest);
            }
        }
        *uses = uses.saturating_add(1);
        modules.insert(code_hash, (module, *uses));
    }
}
