use crate::admission::{AdmissionError, features, limit};
use crate::cache::CodeCache;
use crate::instrument::{EXPORT_STACK_HEIGHT, Instrumented, instrument};
use crate::run::{Frame, Run, run};
use crate::{EntryPoint, Host, Invocation, NodeFault, Outcome, gas, imports};
use salus_abi::host;
use std::fmt;
use std::sync::Arc;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, InstancePre, Linker, ModuleExport, OptLevel,
    PoolingAllocationConfig, Strategy, WasmFeatures,
};

/// How an engine is set up. None of it can change a contract's outcome or gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Instances that can exist at a time, over all threads: 1 to 1,000. A run takes one, and one more for each nested
    /// `call_read`; so 5 for each thread that runs contracts.
    pub instances: u32,
    /// How hard the compiler tries.
    pub effort: Effort,
}

/// How hard the compiler tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Quick to compile, slow to run: for tests.
    None,
    /// For validators.
    Speed,
}

impl Default for EngineConfig {
    /// 64 instances, compiled for speed.
    fn default() -> Self {
        Self {
            instances: 64,
            effort: Effort::Speed,
        }
    }
}

/// Compiles and runs contracts. Cheap to clone; clones share the pool of instances.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    full: Arc<Linker<Run>>,
    read_only: Arc<Linker<Run>>,
    cache: Option<Arc<CodeCache>>,
}

/// An admitted contract, compiled. Cheap to clone, and to be used with the engine that made it.
#[derive(Clone)]
pub struct Module(Arc<Compiled>);

pub(crate) struct Compiled {
    code_hash: [u8; 32],
    entry_points: Vec<(EntryPoint, ModuleExport)>,
    pub(crate) instantiation_gas: u64,
    pub(crate) full: InstancePre<Run>,
    pub(crate) read_only: InstancePre<Run>,
    pub(crate) memory: ModuleExport,
    pub(crate) alloc: ModuleExport,
    pub(crate) stack_height: ModuleExport,
}

impl Engine {
    /// Sets up an engine: reserves address space for its instances (4 GiB each, untouched until used).
    ///
    /// # Errors
    ///
    /// [`NodeFault::Setup`] when the operating system refuses that.
    pub fn new(config: &EngineConfig) -> Result<Self, NodeFault> {
        Self::from_wasmtime(&wasmtime_config(config))
    }

    /// The same, with compiled code kept between starts.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`]; a cache that doesn't work is none, and costs compiling.
    pub fn with_cache(config: &EngineConfig, cache: CodeCache) -> Result<Self, NodeFault> {
        let engine = Self::new(config)?;
        Ok(Self {
            cache: Some(Arc::new(cache)),
            ..engine
        })
    }

    pub(crate) fn from_wasmtime(config: &Config) -> Result<Self, NodeFault> {
        let setup = |error: wasmtime::Error| NodeFault::Setup(format!("{error:#}"));
        let wasmtime = wasmtime::Engine::new(config).map_err(setup)?;
        Ok(Self {
            full: Arc::new(imports::linker(&wasmtime, false).map_err(setup)?),
            read_only: Arc::new(imports::linker(&wasmtime, true).map_err(setup)?),
            wasmtime,
            cache: None,
        })
    }

    /// Checks a module against the interface and the limits, adds the counting of stack height, and compiles it.
    ///
    /// The answer depends on the bytes alone, never on the node. Compiling takes 5 to 40 ms for a real contract: keep the
    /// [`Module`] by its [`Module::code_hash`]. A cache spares the compiling, and never a check.
    ///
    /// # Errors
    ///
    /// What is wrong with the module, with a stable code.
    pub fn admit(&self, wasm: &[u8]) -> Result<Module, AdmissionError> {
        let Instrumented {
            wasm: instrumented,
            entry_points,
            segment_bytes,
        } = instrument(wasm)?;
        let refused = |error: wasmtime::Error| AdmissionError::Compiler {
            message: format!("{error:#}"),
        };
        let module = match &self.cache {
            Some(cache) => cache.compiled(&self.wasmtime, &instrumented),
            None => wasmtime::Module::new(&self.wasmtime, instrumented),
        };
        let module = module.map_err(refused)?;
        let export = |name: &'static str| {
            module
                .get_export_index(name)
                .ok_or(AdmissionError::MissingExport { name })
        };
        let entry_points: Result<_, AdmissionError> = entry_points
            .into_iter()
            .map(|entry| Ok((entry, export(entry.export())?)))
            .collect();
        Ok(Module(Arc::new(Compiled {
            code_hash: *blake3::hash(wasm).as_bytes(),
            entry_points: entry_points?,
            instantiation_gas: gas::INSTANTIATE.of(segment_bytes),
            memory: export(host::EXPORT_MEMORY)?,
            alloc: export(host::EXPORT_ALLOC)?,
            stack_height: export(EXPORT_STACK_HEIGHT)?,
            full: self.full.instantiate_pre(&module).map_err(refused)?,
            read_only: self.read_only.instantiate_pre(&module).map_err(refused)?,
        })))
    }

    /// Runs one entry point on the caller's thread, which needs 8 MiB of stack or more.
    ///
    /// The host's writes are to be kept if [`Outcome::result`] is `Ok`, and dropped otherwise.
    ///
    /// # Errors
    ///
    /// Only when this machine failed: nothing may be concluded about the contract.
    pub fn run(
        &self,
        module: &Module,
        invocation: Invocation,
        host: &mut dyn Host,
    ) -> Result<Outcome, NodeFault> {
        run(module, Frame::outermost(invocation), host)
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl Module {
    /// BLAKE3 of the bytes that were admitted.
    pub fn code_hash(&self) -> &[u8; 32] {
        &self.0.code_hash
    }

    /// Whether it has an entry point.
    pub fn has(&self, entry_point: EntryPoint) -> bool {
        self.entry_point(entry_point).is_some()
    }

    pub(crate) fn entry_point(&self, entry_point: EntryPoint) -> Option<&ModuleExport> {
        let found = self
            .0
            .entry_points
            .iter()
            .find(|(entry, _)| *entry == entry_point);
        found.map(|(_, export)| export)
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0.code_hash;
        write!(f, "Module({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}

/// An allow-list: every switch that could change an outcome is set here, whatever its default.
pub(crate) fn wasmtime_config(config: &EngineConfig) -> Config {
    let memory_bytes = 64 << 10 << limit::MEMORY_PAGES.ilog2();
    let instances = config.instances.clamp(1, 1_000);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(memory_bytes)
        .table_elements(limit::TABLE_ENTRIES)
        // What a small contract touches is zeroed by hand, which is cheaper than a system call a run.
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(8 * limit::TABLE_ENTRIES)
        .pagemap_scan(Enabled::No);

    let mut wasmtime = Config::new();
    // Off first, then the allow-list: `REFERENCE_TYPES` shares a bit with `CALL_INDIRECT_OVERLONG`.
    wasmtime
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(features(), true);
    wasmtime
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(match config.effort {
            Effort::None => OptLevel::None,
            Effort::Speed => OptLevel::Speed,
        })
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .operator_cost(gas::operator_cost())
        .epoch_interruption(false)
        .max_wasm_stack(NATIVE_STACK_BYTES)
        .async_stack_size(NATIVE_STACK_BYTES)
        .wasm_backtrace_max_frames(None)
        .memory_init_cow(true)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    wasmtime
}

/// Far above what [`limit::STACK_UNITS`] lets a contract use, so that the counted limit always trips first.
const NATIVE_STACK_BYTES: usize = 4 << 20;
