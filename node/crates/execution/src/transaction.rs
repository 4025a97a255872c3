//! One transaction: whether it can be executed, and what it does.

use crate::error::NotExecutable;
use crate::executor::BlockEnv;
use crate::governance::{Governance, addresses_bounded};
use crate::host::ChainHost;
use crate::{ExecutionError, Params, members, reseal, system};
use salus_runtime::{Context, EntryPoint, Failure, Invocation, Outcome};
use salus_types::abi::registry::{Role, Status as Standing};
use salus_types::codec;
use salus_types::state::{StateFault, StateReader};
use salus_types::{
    Call, ChainId, ContractCall, ContractId, Event, Gas, Height, MemberId, PrincipalId, PublicKey, Receipt,
    Status, SystemCall, Transaction,
};

/// Gas of any transaction before anything runs: its signature, its sender's record and sequence number.
pub const TRANSACTION_GAS: u64 = 50_000;
/// Gas of each byte of an encoded transaction.
pub const TRANSACTION_GAS_PER_BYTE: u64 = 10;
/// Gas of a system call that reads and writes an entry or two.
const SYSTEM_CALL_GAS: u64 = 25_000;
/// Gas of proposing, voting, enacting, instantiating and changing keys: signatures, every member's entry, a whole validator set.
const GOVERNANCE_CALL_GAS: u64 = 500_000;

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
        Call::System(call) => system_call(host, (chain, env), payload.sender, call, gas_limit)?,
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

/// Runs a contract's entry point and says how it ended. A frozen contract obeys only the chain itself, which calls as nobody.
pub(crate) fn call(host: &mut ChainHost<'_, '_>, invocation: Invocation) -> Result<Receipt, ExecutionError> {
    let contract = invocation.context.self_id;
    let modules = host.modules;
    let module = match modules.load(host.overlay, contract)? {
        Some((info, _)) if info.frozen && invocation.context.caller.is_some() => {
            return Ok(bare(Status::Frozen, Gas::ZERO));
        }
        Some((_, module)) if module.has(invocation.entry_point) => module,
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

fn system_call(
    host: &mut ChainHost<'_, '_>,
    (chain, env): (&ChainId, &BlockEnv),
    sender: PrincipalId,
    call: &SystemCall,
    gas_limit: Gas,
) -> Result<Receipt, ExecutionError> {
    let cost = match call {
        SystemCall::SetAddresses { .. }
        | SystemCall::StartReseal { .. }
        | SystemCall::StopReseal
        | SystemCall::Contract(ContractCall::StoreCode(_)) => Gas::new(SYSTEM_CALL_GAS),
        SystemCall::Propose { .. }
        | SystemCall::Vote { .. }
        | SystemCall::RotateMemberKeys { .. }
        | SystemCall::Contract(ContractCall::Instantiate { .. } | ContractCall::Enact { .. }) => {
            Gas::new(GOVERNANCE_CALL_GAS)
        }
    };
    let Some(rest) = gas_limit.checked_sub(cost.get()) else {
        return Ok(bare(Status::OutOfGas, gas_limit));
    };
    let governance = |host| Governance::new(host, chain, env, rest);
    let mut receipt = match call {
        SystemCall::SetAddresses { member, addresses } => {
            bare(set_addresses(host, sender, *member, addresses)?, Gas::ZERO)
        }
        SystemCall::StartReseal { from, to } => {
            bare(reseal::start(host.overlay, env, sender, (*from, *to))?, Gas::ZERO)
        }
        SystemCall::StopReseal => bare(reseal::stop(host.overlay, sender)?, Gas::ZERO),
        SystemCall::Propose { change, expires } => governance(host).propose(sender, change, *expires)?,
        SystemCall::Vote { proposal, approve } => governance(host).vote(sender, *proposal, *approve)?,
        SystemCall::RotateMemberKeys { keys, proof } => governance(host).rotate(sender, keys, proof)?,
        SystemCall::Contract(call) => governance(host).contract(sender, call)?,
    };
    receipt.gas_used = receipt.gas_used.saturating_add(cost.get());
    Ok(receipt)
}

/// A receipt of a status and a cost, with nothing else in it.
pub(crate) const fn bare(status: Status, gas_used: Gas) -> Receipt {
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
    let found = members::member(host.overlay, member)?;
    let Some(mut found) = found.filter(|_| operator && addresses_bounded(addresses)) else {
        return Ok(Status::NotAllowed);
    };
    found.addresses = addresses.to_vec();
    host.overlay
        .write(members::member_key(member), Some(codec::encode(&found)));
    Ok(Status::Success)
}
