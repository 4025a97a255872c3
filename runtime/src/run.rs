//! One run of one module: instance, input, call, output, and what its ending means.

use crate::admission::limit;
use crate::engine::Compiled;
use crate::lent::Lent;
use crate::{Context, Failure, Host, HostFault, Invocation, Module, NodeFault, Outcome, TrapCode, gas};
use salus_abi::{ContractId, host};
use std::ops::Range;
use wasmtime::{
    AsContextMut, Extern, Func, Global, Instance, InstancePre, Memory, ModuleExport, ResourceLimiter, Store,
    Trap, Val,
};

/// One level of calls.
pub(crate) struct Frame {
    pub(crate) invocation: Invocation,
    /// Who made this `call_read`; `None` at the outermost level.
    pub(crate) calling_contract: Option<ContractId>,
    /// 0 at the outermost level.
    pub(crate) depth: usize,
    /// Units of stack that the callers hold.
    pub(crate) stack_height: u32,
}

impl Frame {
    pub(crate) const fn outermost(invocation: Invocation) -> Self {
        Self {
            invocation,
            calling_contract: None,
            depth: 0,
            stack_height: 0,
        }
    }
}

/// What the host functions of a run work on.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) host: Lent,
    pub(crate) context: Context,
    pub(crate) calling_contract: Option<ContractId>,
    pub(crate) depth: usize,
    pub(crate) events: Vec<Vec<u8>>,
    pub(crate) guest: Option<Guest>,
    growth: Growth,
}

/// Handles into the instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) memory: Memory,
    pub(crate) stack_height: Global,
}

/// How a host function ends a run.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("{0}")]
    Failure(Failure),
    #[error("{0}")]
    Fault(NodeFault),
}

impl From<TrapCode> for Stop {
    fn from(code: TrapCode) -> Self {
        Self::Failure(Failure::Trapped(code))
    }
}

impl From<HostFault> for Stop {
    fn from(HostFault(message): HostFault) -> Self {
        Self::Fault(NodeFault::Host(message))
    }
}

impl From<wasmtime::Error> for Stop {
    fn from(error: wasmtime::Error) -> Self {
        Self::Fault(NodeFault::Engine(format!("{error:#}")))
    }
}

/// Runs a module to its end.
pub(crate) fn run(module: &Module, frame: Frame, host: &mut dyn Host) -> Result<Outcome, NodeFault> {
    let limit = frame.invocation.gas_limit.min(gas::GAS_LIMIT_MAX);
    let refuse = |failure: Failure, gas_used: u64| Outcome {
        result: Err(failure),
        gas_used: gas_used.min(limit),
        events: Vec::new(),
    };
    if frame.invocation.input.len() > host::MESSAGE_LENGTH_MAX {
        return Ok(refuse(
            Failure::Trapped(TrapCode::InputTooLong),
            gas::INSTANTIATE.base,
        ));
    }
    if !module.has(frame.invocation.entry_point) {
        return Ok(refuse(
            Failure::Trapped(TrapCode::NoEntryPoint),
            gas::INSTANTIATE.base,
        ));
    }
    let fixed = module
        .compiled()
        .instantiation_gas
        .saturating_add(gas::MESSAGE.of(frame.invocation.input.len()));
    let Some(fuel) = limit.checked_sub(fixed).filter(|left| *left > 0) else {
        return Ok(refuse(Failure::OutOfGas, limit));
    };
    Lent::lend(host, |host| {
        let ready = Ready {
            module,
            frame,
            limit,
            fuel,
        };
        ready.run(host)
    })
}

/// A run whose fixed costs are paid.
struct Ready<'a> {
    module: &'a Module,
    frame: Frame,
    /// The gas limit.
    limit: u64,
    /// What is left of it for the guest; more than 0.
    fuel: u64,
}

impl Ready<'_> {
    fn run(self, host: Lent) -> Result<Outcome, NodeFault> {
        let compiled = self.module.compiled();
        let nested = self.frame.depth > 0;
        let pre = if nested || self.frame.invocation.entry_point.is_read_only() {
            &compiled.read_only
        } else {
            &compiled.full
        };
        let state = Run {
            host,
            context: self.frame.invocation.context,
            calling_contract: self.frame.calling_contract,
            depth: self.frame.depth,
            events: Vec::new(),
            guest: None,
            growth: Growth,
        };
        let mut store = Store::new(pre.module().engine(), state);
        store.limiter(|state| &mut state.growth);
        let result = match self.call(pre, &mut store) {
            Ok(output) => Ok(output),
            Err(error) => Err(classify(&error, &mut store)?),
        };
        let left = store.get_fuel().map_err(engine_fault)?;
        Ok(self.settle(result, left, std::mem::take(&mut store.data_mut().events)))
    }

    /// Everything that can trap.
    fn call(&self, pre: &InstancePre<Run>, store: &mut Store<Run>) -> wasmtime::Result<Vec<u8>> {
        let compiled = self.module.compiled();
        let Invocation {
            entry_point, input, ..
        } = &self.frame.invocation;
        store.set_fuel(self.fuel)?;
        // Segments were found to fit at admission, and there is no start function: only this machine can fail here.
        let instance = pre
            .instantiate(&mut *store)
            .map_err(|error| Stop::Fault(NodeFault::Memory(format!("{error:#}"))))?;
        let guest = guest(compiled, instance, store)?;
        if self.frame.stack_height > 0 {
            let height = Val::I32(self.frame.stack_height.cast_signed());
            guest.stack_height.set(&mut *store, height)?;
        }
        store.data_mut().guest = Some(guest);

        let length = i32::try_from(input.len())?;
        let alloc = function(instance, store, Some(&compiled.alloc))?.typed::<i32, i32>(&*store)?;
        let entry = function(instance, store, self.module.entry_point(*entry_point))?
            .typed::<(i32, i32), i64>(&*store)?;
        let start = alloc.call(&mut *store, length)?;
        let place =
            place(guest.memory.data(&*store), start, length).ok_or(Stop::from(TrapCode::BadResult))?;
        if let Some(room) = guest.memory.data_mut(&mut *store).get_mut(place) {
            room.copy_from_slice(input);
        }
        let packed = entry.call(&mut *store, (start, length))?.cast_unsigned();
        output(guest.memory, store, packed)
    }

    fn settle(&self, result: Result<Vec<u8>, Failure>, left: u64, events: Vec<Vec<u8>>) -> Outcome {
        let (result, whole) = match result {
            // The engine looks at fuel only at loops and calls: spending all of it is spending too much.
            Ok(_) if left == 0 => (Err(Failure::OutOfGas), true),
            Err(Failure::OutOfGas) => (result, true),
            Err(Failure::Trapped(code)) => (result, code.charges_whole_limit()),
            other => (other, false),
        };
        let events = if result.is_ok() { events } else { Vec::new() };
        let gas_used = if whole {
            self.limit
        } else {
            self.limit.saturating_sub(left)
        };
        Outcome {
            result,
            gas_used,
            events,
        }
    }
}

/// Takes the output from the place that the entry point's result names.
fn output(memory: Memory, store: &mut Store<Run>, packed: u64) -> wasmtime::Result<Vec<u8>> {
    let [start, length] =
        [packed >> 32, packed & u64::from(u32::MAX)].map(|half| usize::try_from(half).unwrap_or(usize::MAX));
    if length > host::MESSAGE_LENGTH_MAX {
        return Err(Stop::from(TrapCode::BadResult).into());
    }
    let left = store.get_fuel()?;
    store.set_fuel(left.saturating_sub(gas::MESSAGE.per_byte.saturating_mul(length as u64)))?;
    let end = start.saturating_add(length);
    match memory.data(&*store).get(start..end) {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Err(Stop::from(TrapCode::BadResult).into()),
    }
}

fn guest(compiled: &Compiled, instance: Instance, store: &mut Store<Run>) -> wasmtime::Result<Guest> {
    let memory = instance.get_module_export(&mut *store, &compiled.memory);
    let height = instance.get_module_export(&mut *store, &compiled.stack_height);
    match (
        memory.and_then(Extern::into_memory),
        height.and_then(Extern::into_global),
    ) {
        (Some(memory), Some(stack_height)) => Ok(Guest { memory, stack_height }),
        _ => Err(missing()),
    }
}

fn function(
    instance: Instance,
    store: &mut Store<Run>,
    export: Option<&ModuleExport>,
) -> wasmtime::Result<Func> {
    export
        .and_then(|export| instance.get_module_export(store, export))
        .and_then(Extern::into_func)
        .ok_or_else(missing)
}

/// Admission has checked that the export is there.
fn missing() -> wasmtime::Error {
    Stop::Fault(NodeFault::Engine("an admitted module lost an export".to_owned())).into()
}

/// `length` bytes from `start`, if they lie within memory.
pub(crate) fn place(memory: &[u8], start: i32, length: i32) -> Option<Range<usize>> {
    let start = start.cast_unsigned() as usize;
    let end = start.checked_add(length.cast_unsigned() as usize)?;
    (end <= memory.len()).then_some(start..end)
}

/// The units of stack in use, as the guest counts them.
pub(crate) fn stack_height(guest: Option<Guest>, store: impl AsContextMut) -> u32 {
    guest
        .and_then(|guest| guest.stack_height.get(store).i32())
        .map_or(0, i32::cast_unsigned)
}

/// What an error of the engine means.
fn classify(error: &wasmtime::Error, store: &mut Store<Run>) -> Result<Failure, NodeFault> {
    match error.downcast_ref::<Stop>() {
        Some(Stop::Failure(failure)) => return Ok(*failure),
        Some(Stop::Fault(fault)) => return Err(fault.clone()),
        None => {}
    }
    let code = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return Ok(Failure::OutOfGas),
        Some(Trap::UnreachableCodeReached) => {
            if stack_height(store.data().guest, &mut *store) > limit::STACK_UNITS {
                TrapCode::StackExhausted
            } else {
                TrapCode::Unreachable
            }
        }
        Some(Trap::MemoryOutOfBounds) => TrapCode::MemoryOutOfBounds,
        Some(Trap::TableOutOfBounds) => TrapCode::TableOutOfBounds,
        Some(Trap::IndirectCallToNull | Trap::BadSignature) => TrapCode::BadIndirectCall,
        Some(Trap::IntegerOverflow) => TrapCode::IntegerOverflow,
        Some(Trap::IntegerDivisionByZero) => TrapCode::DivisionByZero,
        // Among these is an overflow of the native stack: it must not happen before the counted limit trips, and where
        // it would happen differs from node to node. So it is no result.
        _ => return Err(NodeFault::Engine(format!("{error:#}"))),
    };
    Ok(Failure::Trapped(code))
}

#[expect(clippy::needless_pass_by_value, reason = "shaped for map_err")]
fn engine_fault(error: wasmtime::Error) -> NodeFault {
    NodeFault::Engine(format!("{error:#}"))
}

/// wasmtime's message when a guest asks for more than a 32-bit memory can have: an answer, not a failure.
const BEYOND_ADDRESS_SPACE: &str = "memory growth exceeds memory type's limits";

/// Watches memory grow.
#[derive(Debug)]
struct Growth;

impl ResourceLimiter for Growth {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(maximum.is_some_and(|maximum| desired <= maximum))
    }

    /// `memory.grow` would answer -1; but what this machine cannot give must not be something the contract can see.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        let message = error.to_string();
        if message == BEYOND_ADDRESS_SPACE {
            return Ok(());
        }
        Err(Stop::Fault(NodeFault::Memory(message)).into())
    }

    /// Asked for the initial size only: no admitted instruction grows a table.
    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= limit::TABLE_ENTRIES)
    }
}
