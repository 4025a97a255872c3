//! One transaction: whether it can be executed, and what it does.

use crate::error::NotExecutable;
use crate::executor::BlockEnv;
use crate::host::ChainHost;
use crate::{ExecutionError, Params, reseal, system};
use salus_runtime::{Context, EntryPoint, Failure, Invocation, Outcome};
use salus_types::abi::registry::{Role, Status as Standing};
use salus_types::codec;
use salus_types::state::{StateFault, StateReader};
use salus_types::{
    Call, ChainId, ContractId, Event, Gas, Height, MemberId, PrincipalId, PublicKey, Receipt, Status,
    SystemCall, Transaction,
};

/// Gas of any transaction before anything runs: its signature, its sender's record and sequence number.
pub const TRANSACTION_GAS: u64 = 50_000;
/// Gas of each byte of an encoded transaction.
pub const TRANSACTION_GAS_PER_BYTE: u64 = 10;
/// Gas of a system call.
const SYSTEM_CALL_GAS: u64 = 25_000;
/// Addresses of a member, at most.
const ADDRESSES_MAX: usize = 4;
/// Bytes of an address, at most.
const ADDRESS_BYTES_MAX: usize = 128;

/// What a transaction of so many bytes costs before anything runs.
pub(crate) const fn intrinsic_gas(encoded_length: usize) -> Gas {
    let bytes = TRANSACTION_GAS_PER_BYTE.saturating_mul(encoded_length as u64);
    Gas::new(TRANSACTION_GAS.saturating_add(bytes))
}

/// Whether a transaction can be executed on a state. The checks that never change their answer come first.
pub(crate) fn check(
    state: &dyn StateReader,
    params: &Params,
    height: Height,
    transaction: &Transaction,
) -> Result<Result<(), NotExecutable>, StateFault> {
    let payload = transaction.payload();
    let (min, max) = (
        intrinsic_gas(transaction.encoded_length()),
        params.transaction_gas_max,
    );
    if payload.gas_limit < min || payload.gas_limit > max {
        return Ok(Err(NotExecutable::GasLimit { min, max }));
    }
    if payload.expires < height {
        let expires = payload.expires;
        return Ok(Err(NotExecutable::Expired { expires }));
    }
    let latest = height.saturating_add(params.expiry_heights_max);
    if payload.expires > latest {
        return Ok(Err(NotExecutable::ExpiryTooFar { latest }));
    }
    let Some(sender) = system::principal(state, payload.sender)? else {
        return Ok(Err(NotExecutable::UnknownSender));
    };
    if sender.status != Standing::Active {
        return Ok(Err(NotExecutable::DeletedSender));
    }
    if PublicKey::new(sender.signing_key) != *transaction.key() {
        return Ok(Err(NotExecutable::KeyChanged));
    }
    let next = system::sequence(state, payload.sender)?;
    Ok(match payload.sequence {
        used if used < next => Err(NotExecutable::SequenceUsed { next }),
        ahead if ahead > next => Err(NotExecutable::SequenceAhead { next }),
        _ => Ok(()),
    })
}

/// Runs a transaction that passed [`check`]. The caller keeps or reverts what it wrote.
pub(crate) fn run(
    host: &mut ChainHost<'_, '_>,
    chain: &ChainId,
    env: &BlockEnv,
    transaction: &Transaction,
) -> Result<Receipt, ExecutionError> {
    let payload = transaction.payload();
    let intrinsic = intrinsic_gas(transaction.encoded_length());
    let gas_limit = payload.gas_limit.saturating_sub(intrinsic.get());
    let mut receipt = match &payload.call {
        Call::Contract {
            contract,
            entry,
            input,
        } => {
            let mut message = Vec::with_capacity(input.len().saturating_add(1));
            message.push(*entry);
            message.extend_from_slice(input);
            let invocation = Invocation {
                entry_point: EntryPoint::Execute,
                input: message,
                gas_limit: gas_limit.get(),
                context: context(chain, env, *contract, Some(payload.sender)),
            };
            call(host, invocation)?
        }
        Call::System(_) if gas_limit < Gas::new(SYSTEM_CALL_GAS) => bare(Status::OutOfGas, gas_limit),
        Call::System(SystemCall::SetAddresses { member, addresses }) => {
            let status = set_addresses(host, payload.sender, *member, addresses)?;
            bare(status, Gas::new(SYSTEM_CALL_GAS))
        }
        Call::System(SystemCall::StartReseal { from, to }) => {
            let status = reseal::start(host.overlay, env, payload.sender, (*from, *to))?;
            bare(status, Gas::new(SYSTEM_CALL_GAS))
        }
        Call::System(SystemCall::StopReseal) => bare(
            reseal::stop(host.overlay, payload.sender)?,
            Gas::new(SYSTEM_CALL_GAS),
        ),
    };
    receipt.gas_used = receipt.gas_used.saturating_add(intrinsic.get());
    Ok(receipt)
}

pub(crate) const fn context(
    chain: &ChainId,
    env: &BlockEnv,
    contract: ContractId,
    caller: Option<PrincipalId>,
) -> Context {
    Context {
        chain_id: *chain.as_bytes(),
        self_id: contract,
        caller,
        height: env.height.get(),
        time_ms: env.time.get(),
    }
}

/// Runs a contract's entry point and says how it ended.
pub(crate) fn call(host: &mut ChainHost<'_, '_>, invocation: Invocation) -> Result<Receipt, ExecutionError> {
    let contract = invocation.context.self_id;
    let modules = host.modules;
    let module = match modules.load(host.overlay, contract)? {
        Some(module) if module.has(invocation.entry_point) => module,
        _ => return Ok(bare(Status::UnknownContract, Gas::ZERO)),
    };
    let Outcome {
        result,
        gas_used,
        events,
    } = modules.engine().run(&module, invocation, host)?;
    let (status, output) = match result {
        Ok(output) => (Status::Success, output),
        Err(Failure::Aborted(code)) => (Status::Aborted { code }, Vec::new()),
        Err(Failure::Trapped(code)) => (Status::Trapped { code: code.number() }, Vec::new()),
        Err(Failure::OutOfGas) => (Status::OutOfGas, Vec::new()),
    };
    Ok(Receipt {
        status,
        gas_used: Gas::new(gas_used),
        output,
        events: events.into_iter().map(|data| Event { contract, data }).collect(),
    })
}

/// A receipt of a status and a cost, with nothing else in it.
const fn bare(status: Status, gas_used: Gas) -> Receipt {
    Receipt {
        status,
        gas_used,
        output: Vec::new(),
        events: Vec::new(),
    }
}

/// Callers: operators of the member.
fn set_addresses(
    host: &mut ChainHost<'_, '_>,
    sender: PrincipalId,
    member: MemberId,
    addresses: &[String],
) -> Result<Status, StateFault> {
    let operator = system::principal(host.overlay, sender)?
        .is_some_and(|sender| sender.role == Role::Operator && sender.organisation == member);
    let bounded = addresses.len() <= ADDRESSES_MAX
        && addresses.iter().all(|address| address.len() <= ADDRESS_BYTES_MAX);
    let found = system::member(host.overlay, member)?;
    let Some(mut found) = found.filter(|_| operator && bounded) else {
        return Ok(Status::NotAllowed);
    };
    found.addresses = addresses.to_vec();
    host.overlay
        .write(system::member_key(member), Some(codec::encode(&found)));
    Ok(Status::Success)
}
