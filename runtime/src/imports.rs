//! The imports of `salus0`: what each reads from the guest, costs, and answers.
//!
//! Every function first pays for itself and for the bytes it was told to handle, then looks at memory; so a guest cannot
//! make the host work for free, however wrong its arguments are.

use crate::gas::{self, HostCost};
use crate::run::{Frame, Run, Stop, place, run, stack_height};
use crate::{Context, EntryPoint, Failure, Host, HostFault, Invocation, TrapCode};
use ed25519_dalek::{Signature, VerifyingKey};
use salus_abi::host::{
    CALL_DEPTH_MAX, EVENT_LENGTH_MAX, EVENTS_MAX, IMPORT_MODULE, KEY_LENGTH_MAX, MESSAGE_LENGTH_MAX,
    READ_DECIDE, READ_QUERY, VALUE_LENGTH_MAX,
};
use salus_abi::registry::{Principal, Role, Status};
use salus_abi::{ContractId, MemberId, PrincipalId};
use std::ops::Range;
use wasmtime::{Caller, Engine, Linker, Result};

/// What a read answers when there is nothing.
const NOTHING: i32 = -1;

/// All imports. In a read-only one those that write end the run.
pub(crate) fn linker(engine: &Engine, read_only: bool) -> Result<Linker<Run>> {
    let mut linker = Linker::new(engine);
    link_state_reads(&mut linker)?;
    link_writes(&mut linker, read_only)?;
    link_context(&mut linker)?;
    link_registry(&mut linker)?;
    link_control(&mut linker)?;
    link_cryptography(&mut linker)?;
    Ok(linker)
}

fn link_state_reads(linker: &mut Linker<Run>) -> Result<()> {
    linker.func_wrap(
        IMPORT_MODULE,
        "state_get",
        |caller: Caller<'_, Run>, key: i32, key_length: i32, out: i32, cap: i32| -> Result<i32> {
            let mut call = Call::begin(caller, gas::STATE_GET, &[key_length])?;
            let key = call.key(key, key_length)?;
            let value = call.with_host(key, |host, id, key| host.get(id, key))?;
            call.answer(gas::STATE_GET, value.as_deref(), out, cap)
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "state_scan",
        |caller: Caller<'_, Run>,
         prefix: i32,
         prefix_length: i32,
         after: i32,
         after_length: i32,
         out: i32,
         cap: i32|
         -> Result<i32> {
            let mut call = Call::begin(caller, gas::STATE_SCAN, &[prefix_length, after_length])?;
            let prefix = call.bytes(prefix, prefix_length, KEY_LENGTH_MAX)?;
            let after = call.bytes(after, after_length, KEY_LENGTH_MAX)?;
            let after = call.memory()?.get(after).unwrap_or_default().to_vec();
            let found = call.with_host(prefix, |host, id, prefix| host.next(id, prefix, &after))?;
            let entry = found.map(|(key, value)| {
                let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
                [&length.to_be_bytes()[..], &key, &value].concat()
            });
            call.answer(gas::STATE_SCAN, entry.as_deref(), out, cap)
        },
    )?;
    Ok(())
}

fn link_writes(linker: &mut Linker<Run>, read_only: bool) -> Result<()> {
    linker.func_wrap(
        IMPORT_MODULE,
        "state_set",
        move |caller: Caller<'_, Run>,
              key: i32,
              key_length: i32,
              value: i32,
              value_length: i32|
              -> Result<()> {
            let mut call = Call::begin(caller, gas::STATE_SET, &[key_length, value_length])?;
            call.may_write(read_only)?;
            let key = call.key(key, key_length)?;
            let value = call.bytes(value, value_length, VALUE_LENGTH_MAX)?;
            let value = call.memory()?.get(value).unwrap_or_default().to_vec();
            call.with_host(key, |host, id, key| host.set(id, key, &value))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "state_del",
        move |caller: Caller<'_, Run>, key: i32, key_length: i32| -> Result<()> {
            let mut call = Call::begin(caller, gas::STATE_DEL, &[key_length])?;
            call.may_write(read_only)?;
            let key = call.key(key, key_length)?;
            call.with_host(key, |host, id, key| host.delete(id, key))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "event_emit",
        move |caller: Caller<'_, Run>, data: i32, length: i32| -> Result<()> {
            let mut call = Call::begin(caller, gas::EVENT_EMIT, &[length])?;
            call.may_write(read_only)?;
            let data = call.bytes(data, length, EVENT_LENGTH_MAX)?;
            let (memory, state) = call.parts()?;
            if state.events.len() >= EVENTS_MAX {
                return Err(Stop::from(TrapCode::BadArgument).into());
            }
            state.events.push(memory.get(data).unwrap_or_default().to_vec());
            Ok(())
        },
    )?;
    Ok(())
}

fn link_context(linker: &mut Linker<Run>) -> Result<()> {
    linker.func_wrap(
        IMPORT_MODULE,
        "caller",
        |caller: Caller<'_, Run>| -> Result<i32> {
            let call = Call::begin(caller, gas::CALLER, &[])?;
            Ok(call
                .context()
                .caller
                .map_or(NOTHING, |principal| principal.get().cast_signed()))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "calling_contract",
        |caller: Caller<'_, Run>| -> Result<i32> {
            let call = Call::begin(caller, gas::CALLING_CONTRACT, &[])?;
            let calling = call.caller.data().calling_contract;
            Ok(calling.map_or(NOTHING, |contract| contract.get().cast_signed()))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "self_id",
        |caller: Caller<'_, Run>| -> Result<i32> {
            let call = Call::begin(caller, gas::SELF_ID, &[])?;
            Ok(call.context().self_id.get().cast_signed())
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "chain_id",
        |caller: Caller<'_, Run>, out: i32| -> Result<()> {
            let mut call = Call::begin(caller, gas::CHAIN_ID, &[])?;
            let chain_id = call.context().chain_id;
            call.write(&chain_id, out)
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "height",
        |caller: Caller<'_, Run>| -> Result<i64> {
            let call = Call::begin(caller, gas::HEIGHT, &[])?;
            Ok(call.context().height.cast_signed())
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "time_ms",
        |caller: Caller<'_, Run>| -> Result<i64> {
            let call = Call::begin(caller, gas::TIME_MS, &[])?;
            Ok(call.context().time_ms.cast_signed())
        },
    )?;
    Ok(())
}

fn link_registry(linker: &mut Linker<Run>) -> Result<()> {
    linker.func_wrap(
        IMPORT_MODULE,
        "has_role",
        |caller: Caller<'_, Run>, principal: i32, role: i32| -> Result<i32> {
            let mut call = Call::begin(caller, gas::HAS_ROLE, &[])?;
            let asked = u8::try_from(role).ok().and_then(Role::from_number);
            let principal = call.active_principal(principal)?;
            Ok(i32::from(
                asked.is_some() && principal.map(|found| found.role) == asked,
            ))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "organisation_of",
        |caller: Caller<'_, Run>, principal: i32| -> Result<i32> {
            let mut call = Call::begin(caller, gas::ORGANISATION_OF, &[])?;
            let principal = call.active_principal(principal)?;
            Ok(principal.map_or(NOTHING, |found| i32::from(found.organisation.get())))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "attribute",
        |caller: Caller<'_, Run>, principal: i32, number: i32, out: i32, cap: i32| -> Result<i32> {
            let mut call = Call::begin(caller, gas::ATTRIBUTE, &[])?;
            let principal = call.active_principal(principal)?;
            let attributes = principal.map(|found| found.attributes).unwrap_or_default();
            let wanted = attributes.iter().find(|(at, _)| i32::from(*at) == number);
            call.answer(
                gas::ATTRIBUTE,
                wanted.map(|(_, value)| value.as_slice()),
                out,
                cap,
            )
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "member_count",
        |caller: Caller<'_, Run>| -> Result<i32> {
            let mut call = Call::begin(caller, gas::MEMBER_COUNT, &[])?;
            let count = call.host(|host| host.member_count())?;
            Ok(i32::try_from(count).unwrap_or(i32::MAX))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "member_key",
        |caller: Caller<'_, Run>, member: i32, out: i32| -> Result<i32> {
            let mut call = Call::begin(caller, gas::MEMBER_KEY, &[])?;
            let Ok(member) = u16::try_from(member) else {
                return Ok(NOTHING);
            };
            match call.host(|host| host.member_key(MemberId::new(member)))? {
                Some(key) => call.write(&key, out).map(|()| 0),
                None => Ok(NOTHING),
            }
        },
    )?;
    Ok(())
}

fn link_control(linker: &mut Linker<Run>) -> Result<()> {
    linker.func_wrap(
        IMPORT_MODULE,
        "abort",
        |caller: Caller<'_, Run>, code: i32| -> Result<()> {
            Call::begin(caller, gas::ABORT, &[])?;
            let code = u16::try_from(code).map_err(|_| Stop::from(TrapCode::BadArgument))?;
            Err(Stop::Failure(Failure::Aborted(code)).into())
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "debug",
        |caller: Caller<'_, Run>, data: i32, length: i32| -> Result<()> {
            let mut call = Call::begin(caller, gas::DEBUG, &[length])?;
            let line = call.bytes(data, length, EVENT_LENGTH_MAX)?;
            call.with_host(line, |host, id, line| {
                host.debug(id, line);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "call_read",
        |caller: Caller<'_, Run>,
         contract: i32,
         kind: i32,
         input: i32,
         length: i32,
         out: i32,
         cap: i32|
         -> Result<i32> {
            let mut call = Call::begin(caller, gas::CALL_READ, &[length])?;
            let entry_point = match kind {
                READ_QUERY => EntryPoint::Query,
                READ_DECIDE => EntryPoint::Decide,
                _ => return Err(Stop::from(TrapCode::BadArgument).into()),
            };
            let input = call.bytes(input, length, MESSAGE_LENGTH_MAX)?;
            let input = call.memory()?.get(input).unwrap_or_default().to_vec();
            let contract = ContractId::new(contract.cast_unsigned());
            let output = call.read_contract(contract, entry_point, input)?;
            call.answer(gas::CALL_READ, output.as_deref(), out, cap)
        },
    )?;
    Ok(())
}

fn link_cryptography(linker: &mut Linker<Run>) -> Result<()> {
    linker.func_wrap(
        IMPORT_MODULE,
        "ed25519_verify",
        |caller: Caller<'_, Run>, key: i32, message: i32, length: i32, signature: i32| -> Result<i32> {
            let mut call = Call::begin(caller, gas::ED25519_VERIFY, &[length])?;
            let key = call.array::<32>(key)?;
            let signature = call.array::<64>(signature)?;
            let message = call.bytes(message, length, usize::MAX)?;
            let message = call.memory()?.get(message).unwrap_or_default();
            // The chain's one rule: canonical S, no small-order points. See `salus_types::PublicKey::verify`.
            let valid = VerifyingKey::from_bytes(&key)
                .and_then(|key| key.verify_strict(message, &Signature::from_bytes(&signature)));
            Ok(i32::from(valid.is_ok()))
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "blake3",
        |caller: Caller<'_, Run>, data: i32, length: i32, out: i32| -> Result<()> {
            let mut call = Call::begin(caller, gas::BLAKE3, &[length])?;
            let data = call.bytes(data, length, usize::MAX)?;
            let hash = blake3::hash(call.memory()?.get(data).unwrap_or_default());
            call.write(hash.as_bytes(), out)
        },
    )?;
    Ok(())
}

/// A host call that is paid for.
struct Call<'a> {
    caller: Caller<'a, Run>,
}

impl<'a> Call<'a> {
    /// Charges the base and every byte the guest announces.
    fn begin(caller: Caller<'a, Run>, cost: HostCost, lengths: &[i32]) -> Result<Self> {
        let bytes = lengths.iter().fold(0usize, |sum, length| {
            sum.saturating_add(length.cast_unsigned() as usize)
        });
        let mut call = Self { caller };
        call.charge(cost.of(bytes))?;
        Ok(call)
    }

    /// Nothing left is out of gas: the engine may have let the guest overspend by then.
    fn charge(&mut self, cost: u64) -> Result<()> {
        match self.caller.get_fuel()?.checked_sub(cost) {
            Some(left) if left > 0 => self.caller.set_fuel(left),
            _ => {
                self.caller.set_fuel(0)?;
                Err(Stop::Failure(Failure::OutOfGas).into())
            }
        }
    }

    fn context(&self) -> &Context {
        &self.caller.data().context
    }

    fn may_write(&self, read_only: bool) -> Result<()> {
        if read_only {
            return Err(Stop::from(TrapCode::ReadOnly).into());
        }
        Ok(())
    }

    fn parts(&mut self) -> Result<(&mut [u8], &mut Run)> {
        let Some(guest) = self.caller.data().guest else {
            return Err(Stop::from(TrapCode::BadPointer).into());
        };
        Ok(guest.memory.data_and_store_mut(&mut self.caller))
    }

    fn memory(&mut self) -> Result<&mut [u8]> {
        self.parts().map(|(memory, _)| memory)
    }

    /// A place of at most `max` bytes.
    fn bytes(&mut self, start: i32, length: i32, max: usize) -> Result<Range<usize>> {
        if length.cast_unsigned() as usize > max {
            return Err(Stop::from(TrapCode::BadArgument).into());
        }
        let found = place(self.memory()?, start, length);
        Ok(found.ok_or(Stop::from(TrapCode::BadPointer))?)
    }

    /// The place of a state key. An empty one could not be told from "from the start" in a scan.
    fn key(&mut self, start: i32, length: i32) -> Result<Range<usize>> {
        if length == 0 {
            return Err(Stop::from(TrapCode::BadArgument).into());
        }
        self.bytes(start, length, KEY_LENGTH_MAX)
    }

    fn array<const N: usize>(&mut self, start: i32) -> Result<[u8; N]> {
        let from = start.cast_unsigned() as usize;
        let bytes = self
            .memory()?
            .get(from..)
            .and_then(|rest| rest.first_chunk::<N>());
        Ok(*bytes.ok_or(Stop::from(TrapCode::BadPointer))?)
    }

    /// Copies `bytes` to `out`, all of them.
    fn write(&mut self, bytes: &[u8], out: i32) -> Result<()> {
        let start = out.cast_unsigned() as usize;
        let end = start.saturating_add(bytes.len());
        let room = self.memory()?.get_mut(start..end);
        room.ok_or(Stop::from(TrapCode::BadPointer))?
            .copy_from_slice(bytes);
        Ok(())
    }

    /// Copies at most `cap` bytes to `out` and answers the full length; -1 when there is nothing.
    fn answer(&mut self, cost: HostCost, bytes: Option<&[u8]>, out: i32, cap: i32) -> Result<i32> {
        let Some(bytes) = bytes else {
            return Ok(NOTHING);
        };
        self.charge(cost.per_byte.saturating_mul(bytes.len() as u64))?;
        let copied = bytes.len().min(cap.cast_unsigned() as usize);
        self.write(bytes.get(..copied).unwrap_or_default(), out)?;
        Ok(i32::try_from(bytes.len()).unwrap_or(i32::MAX))
    }

    fn host<R>(&mut self, ask: impl FnOnce(&mut dyn Host) -> Result<R, HostFault>) -> Result<R> {
        Ok(self.caller.data_mut().host.with(ask).map_err(Stop::from)?)
    }

    /// Asks the host about this contract, with some of the guest's bytes.
    fn with_host<R>(
        &mut self,
        place: Range<usize>,
        ask: impl FnOnce(&mut dyn Host, ContractId, &[u8]) -> Result<R, HostFault>,
    ) -> Result<R> {
        let (memory, state) = self.parts()?;
        let (id, bytes) = (state.context.self_id, memory.get(place).unwrap_or_default());
        let answer = state.host.with(|host| ask(host, id, bytes));
        Ok(answer.map_err(Stop::from)?)
    }

    fn active_principal(&mut self, principal: i32) -> Result<Option<Principal>> {
        let id = PrincipalId::new(principal.cast_unsigned());
        let found = self.host(|host| host.principal(id))?;
        Ok(found.filter(|principal| principal.status == Status::Active))
    }

    /// Runs another contract on at most half of the gas that is left, so that this one can answer for its failure.
    fn read_contract(
        &mut self,
        contract: ContractId,
        entry_point: EntryPoint,
        input: Vec<u8>,
    ) -> Result<Option<Vec<u8>>> {
        let state = self.caller.data();
        let (context, depth, guest) = (state.context, state.depth, state.guest);
        if depth >= CALL_DEPTH_MAX {
            return Ok(None);
        }
        let Some(module) = self.host(|host| host.contract(contract))? else {
            return Ok(None);
        };
        let frame = Frame {
            invocation: Invocation {
                entry_point,
                input,
                gas_limit: self.caller.get_fuel()? / 2,
                context: Context {
                    self_id: contract,
                    ..context
                },
            },
            calling_contract: Some(context.self_id),
            depth: depth.saturating_add(1),
            stack_height: stack_height(guest, &mut self.caller),
        };
        let outcome = self.host(|host| Ok(run(&module, frame, host)))?;
        let outcome = outcome.map_err(Stop::Fault)?;
        self.charge(outcome.gas_used)?;
        Ok(outcome.result.ok())
    }
}
