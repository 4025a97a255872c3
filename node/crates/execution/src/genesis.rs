use crate::executor::{BlockEnv, ExecutedBlock, Executor};
use crate::host::ChainHost;
use crate::members::{self, Counters};
use crate::overlay::Overlay;
use crate::transaction::{call, context};
use crate::{ExecutionError, Params, code, system, tree};
use salus_runtime::{EntryPoint, Invocation};
use salus_types::codec;
use salus_types::state::{StateFault, StateKey, StateReader};
use salus_types::{
    CodeOrigin, ContractId, ContractInfo, Gas, Hash, Height, Member, MemberId, MemberKeys, ProposalId,
    Timestamp,
};
use std::collections::BTreeSet;

/// What a network starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisState {
    /// Its members, at least one.
    pub members: Vec<Member>,
    /// Its settings.
    pub params: Params,
    /// Its contracts, instantiated in this order; the registry (1) and the access contract (2) among them.
    pub contracts: Vec<GenesisContract>,
}

/// A contract of the genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisContract {
    /// Its number, above 0.
    pub contract: ContractId,
    /// Its WebAssembly.
    pub code: Vec<u8>,
    /// What its `salus_instantiate` gets; at most 64 KiB. Nothing if it has none.
    pub input: Vec<u8>,
}

/// Gas for instantiating one contract of the genesis, which all members have agreed on: only a guard against mistakes.
const INSTANTIATE_GAS: u64 = 10_000_000_000;

impl Executor {
    /// Brings a genesis to life: the state at height 0, over nothing.
    ///
    /// The result has one receipt for each contract. Deterministic: every node computes the same root.
    ///
    /// # Errors
    ///
    /// [`ExecutionError::Genesis`] says what is wrong with it.
    pub fn genesis(&self, genesis: &GenesisState, time: Timestamp) -> Result<ExecutedBlock, ExecutionError> {
        validate(genesis)?;
        let mut overlay = Overlay::new(&Nothing);
        overlay.write(system::params_key(), Some(codec::encode(&genesis.params)));
        write_members(&mut overlay, genesis)?;
        let env = BlockEnv {
            height: Height::ZERO,
            time,
            proposer: MemberId::new(0),
        };
        let mut receipts = Vec::new();
        for contract in &genesis.contracts {
            self.store_code(&mut overlay, contract)?;
            let context = context(&self.chain, &env, contract.contract, None);
            receipts.extend(self.instantiate(&mut overlay, contract, context)?);
            overlay.keep();
        }
        let state = overlay.into_changes();
        let (state_root, tree) = tree::apply(&Nothing, &state)?;
        let gas = receipts
            .iter()
            .fold(Gas::ZERO, |sum: Gas, receipt: &salus_types::Receipt| {
                sum.saturating_add(receipt.gas_used.get())
            });
        Ok(ExecutedBlock {
            receipts,
            state,
            tree,
            state_root,
            gas_used: gas,
        })
    }

    /// Admits a contract's code and writes it, in chunks, with the contract's entry.
    fn store_code(
        &self,
        overlay: &mut Overlay<'_>,
        contract: &GenesisContract,
    ) -> Result<(), ExecutionError> {
        let module = self.modules.engine().admit(&contract.code).map_err(|error| {
            ExecutionError::Genesis(format!(
                "contract {}: {} {error}",
                contract.contract,
                error.code()
            ))
        })?;
        let code_hash = Hash::of_content(&contract.code);
        let stored = code::write(overlay, &code_hash, &contract.code, CodeOrigin::Genesis);
        let info = ContractInfo {
            code_hash,
            code_length: stored.length,
            state_version: 1,
            frozen: false,
            founder: None,
        };
        overlay.write(
            system::contract_key(contract.contract),
            Some(codec::encode(&info)),
        );
        self.modules.keep(code_hash, module);
        Ok(())
    }

    fn instantiate(
        &self,
        overlay: &mut Overlay<'_>,
        contract: &GenesisContract,
        context: salus_runtime::Context,
    ) -> Result<Option<salus_types::Receipt>, ExecutionError> {
        let mut host = ChainHost::new(overlay, &self.modules);
        let found = self.modules.load(host.overlay, contract.contract)?;
        if !found.is_some_and(|(_, module)| module.has(EntryPoint::Instantiate)) {
            return match contract.input.as_slice() {
                [] => Ok(None),
                _ => Err(ExecutionError::Genesis(format!(
                    "contract {} takes no argument, but is given one",
                    contract.contract
                ))),
            };
        }
        let invocation = Invocation {
            entry_point: EntryPoint::Instantiate,
            input: contract.input.clone(),
            gas_limit: INSTANTIATE_GAS,
            context,
        };
        let receipt = call(&mut host, invocation)?;
        if receipt.succeeded() {
            return Ok(Some(receipt));
        }
        Err(ExecutionError::Genesis(format!(
            "contract {} refuses to be instantiated: {:?}",
            contract.contract, receipt.status
        )))
    }
}

/// Writes the founding members, and the set that they make and that decides the first blocks.
fn write_members(overlay: &mut Overlay<'_>, genesis: &GenesisState) -> Result<(), ExecutionError> {
    let set = members::validator_set(&genesis.members)
        .map_err(|error| ExecutionError::Genesis(error.to_string()))?;
    let last = genesis
        .contracts
        .iter()
        .map(|contract| contract.contract.get())
        .max();
    let mut counters = Counters {
        threshold_max: genesis.params.threshold_of(&set),
        next_contract: ContractId::new(last.unwrap_or_default().saturating_add(1)),
        next_member: 0,
        next_slot: 0,
        next_proposal: ProposalId::default(),
    };
    for member in &genesis.members {
        overlay.write(members::member_key(member.id), Some(codec::encode(member)));
        for key in MemberKeys::of(member).bytes() {
            overlay.write(members::key_owner_key(key), Some(codec::encode(&member.id)));
        }
        counters.next_member = counters.next_member.max(member.id.get().saturating_add(1));
        counters.next_slot = counters.next_slot.max(member.slot.get().saturating_add(1));
    }
    overlay.write(members::validators_key(Height::ZERO), Some(codec::encode(&set)));
    overlay.write(members::counters_key(), Some(codec::encode(&counters)));
    overlay.keep();
    Ok(())
}

fn invalid(message: &str) -> ExecutionError {
    ExecutionError::Genesis(message.to_owned())
}

fn validate(genesis: &GenesisState) -> Result<(), ExecutionError> {
    let members: BTreeSet<MemberId> = genesis.members.iter().map(|member| member.id).collect();
    if members.is_empty() || members.len() != genesis.members.len() {
        return Err(invalid("there must be members, each with its own number"));
    }
    let slots = genesis.params.slots;
    if genesis.members.iter().any(|member| member.slot.get() >= slots) {
        return Err(invalid("a member's slot is not among those that are dealt"));
    }
    let contracts: BTreeSet<ContractId> = genesis
        .contracts
        .iter()
        .map(|contract| contract.contract)
        .collect();
    if contracts.len() != genesis.contracts.len() || contracts.contains(&ContractId::SYSTEM) {
        return Err(invalid("each contract needs its own number, above 0"));
    }
    let Params {
        block_gas_max,
        transaction_gas_max,
        ..
    } = genesis.params;
    if !genesis.params.contracts.are_sound() {
        return Err(invalid(
            "the quorums and timelocks of contracts do not keep what they are for",
        ));
    }
    if transaction_gas_max > block_gas_max {
        return Err(invalid("a transaction may not ask for more gas than a block has"));
    }
    Ok(())
}

/// The state before genesis.
struct Nothing;

impl StateReader for Nothing {
    fn get(&self, _: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(None)
    }

    fn next(&self, _: &[u8], _: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        Ok(None)
    }

    fn tree_node(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(None)
    }
}
