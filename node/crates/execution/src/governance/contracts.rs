//! How contracts change: approval of code, instances, migrations, freezing, rules.

use super::{Governance, Stop};
use crate::{members, system};
use salus_runtime::EntryPoint;
use salus_types::abi::access::{self, RegisterRule, RuleScope};
use salus_types::abi::registry::Role;
use salus_types::codec;
use salus_types::{
    CONTRACT_ARGUMENT_BYTES_MAX, CONTRACTS_OF_MEMBER_MAX, Change, CodeHashes, CodeOrigin, ContractChange,
    ContractEvent, ContractId, ContractInfo, ContractRefusal, EnactedChange, Hash, MemberId, PassedChange,
    PrincipalId, ProposalId, Status, StoredCode,
};

impl Governance<'_, '_, '_> {
    pub(super) fn check_contract(&self, change: &ContractChange) -> Result<(), Stop> {
        match change {
            ContractChange::Approve(code) if self.stored_as(code)?.is_approved() => {
                Err(ContractRefusal::CodeKnown.into())
            }
            ContractChange::Approve(_) => Ok(()),
            ContractChange::Migrate {
                contract,
                code,
                state_version,
                argument,
            } => {
                check_argument(argument)?;
                let info = self.contract_info(*contract)?;
                if info.state_version.checked_add(1) != Some(*state_version) {
                    return Err(ContractRefusal::BadStateVersion.into());
                }
                self.stored_as(code)?;
                let module = self.host.modules.load_code(self.host.overlay, &code.wasm)?;
                require(module.has(EntryPoint::Migrate), ContractRefusal::NoEntryPoint)
            }
            ContractChange::Freeze(contract) => require(
                !self.contract_info(*contract)?.frozen,
                ContractRefusal::NothingToChange,
            ),
            ContractChange::Unfreeze(contract) => require(
                self.contract_info(*contract)?.frozen,
                ContractRefusal::NothingToChange,
            ),
            ContractChange::RegisterRule(RegisterRule {
                scope: RuleScope::Organisation(_),
                ..
            }) => Err(ContractRefusal::HospitalsOwn.into()),
            ContractChange::RegisterRule(register) if register.remove => Ok(()),
            ContractChange::RegisterRule(register) => self.contract_info(register.rule).map(drop),
        }
    }

    /// How long a change waits after it passed.
    pub(super) fn timelock_ms(&self, change: &ContractChange) -> Result<u64, Stop> {
        let rules = system::params(self.host.overlay)?.contracts;
        Ok(match change {
            ContractChange::Migrate { contract, .. } if self.contract_info(*contract)?.frozen => {
                rules.frozen_timelock_ms
            }
            _ => rules.timelock_ms,
        })
    }

    pub(super) fn set_frozen(&mut self, contract: ContractId, frozen: bool) -> Result<PassedChange, Stop> {
        let info = self.contract_info(contract)?;
        self.write(system::contract_key(contract), &ContractInfo { frozen, ..info });
        let (event, passed) = if frozen {
            (
                ContractEvent::Frozen { contract },
                PassedChange::Frozen { contract },
            )
        } else {
            (
                ContractEvent::Unfrozen { contract },
                PassedChange::Unfrozen { contract },
            )
        };
        self.tell(&event);
        Ok(passed)
    }

    /// Carries out a change that has passed and waited. A refusal leaves it as it was, to be tried again.
    pub(super) fn enact(&mut self, sender: PrincipalId, id: ProposalId) -> Result<EnactedChange, Stop> {
        self.operators_member(sender)?;
        let proposal = self.live(id)?;
        let ready = proposal.ready.ok_or(ContractRefusal::NotPassed)?;
        // Members may have left since.
        let (approvals, needed) = self.tally(&proposal)?;
        require(approvals >= needed, ContractRefusal::NotPassed)?;
        require(self.env.time >= ready, ContractRefusal::TooEarly)?;
        self.check(&proposal.change)?;
        self.delete(members::proposal_key(id));
        let change = match &proposal.change {
            Change::Contract(ContractChange::Approve(code)) => self.approve(code)?,
            Change::Contract(ContractChange::Migrate {
                contract,
                code,
                state_version,
                argument,
            }) => self.migrate(*contract, code, *state_version, argument)?,
            Change::Contract(ContractChange::RegisterRule(register)) => self.register_rule(*register)?,
            Change::Contract(ContractChange::Freeze(_) | ContractChange::Unfreeze(_)) | Change::Member(_) => {
                return Err(ContractRefusal::NotPassed.into());
            }
        };
        self.tell(&ContractEvent::Enacted { proposal: id, change });
        Ok(change)
    }

    fn approve(&mut self, code: &CodeHashes) -> Result<EnactedChange, Stop> {
        let stored = self.stored_as(code)?;
        if let CodeOrigin::Stored(member) = stored.origin {
            self.delete(system::upload_key(member, &code.wasm));
            let origin = CodeOrigin::Approved {
                height: self.env.height,
                manifest: code.manifest,
            };
            self.write(
                system::stored_code_key(&code.wasm),
                &StoredCode { origin, ..stored },
            );
        }
        Ok(EnactedChange::Approved { code_hash: code.wasm })
    }

    fn migrate(
        &mut self,
        contract: ContractId,
        code: &CodeHashes,
        state_version: u32,
        argument: &[u8],
    ) -> Result<EnactedChange, Stop> {
        self.approve(code)?;
        let info = ContractInfo {
            code_hash: code.wasm,
            code_length: self.stored_as(code)?.length,
            state_version,
            ..self.contract_info(contract)?
        };
        self.write(system::contract_key(contract), &info);
        self.run(contract, EntryPoint::Migrate, None, argument.to_vec())
            .map_err(contract_failed)?;
        Ok(EnactedChange::Migrated {
            contract,
            state_version,
        })
    }

    /// Tells the access contract on the chain's own word, as which it takes rules for more than one hospital.
    fn register_rule(&mut self, register: RegisterRule) -> Result<EnactedChange, Stop> {
        let message = [vec![access::entry::REGISTER_RULE], codec::encode(&register)].concat();
        self.run(ContractId::ACCESS, EntryPoint::Execute, None, message)
            .map_err(contract_failed)?;
        Ok(EnactedChange::RuleRegistered(register))
    }

    /// Makes a contract of approved code.
    pub(super) fn instantiate(
        &mut self,
        sender: PrincipalId,
        code_hash: &Hash,
        argument: &[u8],
    ) -> Result<ContractId, Stop> {
        let member = self.staffs_member(sender)?;
        check_argument(argument)?;
        let stored =
            system::stored_code(self.host.overlay, code_hash)?.ok_or(ContractRefusal::UnknownCode)?;
        require(stored.is_approved(), ContractRefusal::NotApproved)?;
        let contract = self.next_contract(member)?;
        let info = ContractInfo {
            code_hash: *code_hash,
            code_length: stored.length,
            state_version: 1,
            frozen: false,
            founder: Some(member),
        };
        self.write(system::contract_key(contract), &info);
        let module = self.host.modules.load_code(self.host.overlay, code_hash)?;
        if module.has(EntryPoint::Instantiate) {
            self.run(contract, EntryPoint::Instantiate, Some(sender), argument.to_vec())
                .map_err(contract_failed)?;
        } else {
            require(argument.is_empty(), ContractRefusal::NoEntryPoint)?;
        }
        self.tell(&ContractEvent::Instantiated {
            contract,
            code_hash: *code_hash,
            member,
        });
        Ok(contract)
    }

    /// Gives out a number for a contract of a member.
    fn next_contract(&mut self, member: MemberId) -> Result<ContractId, Stop> {
        let key = system::instantiated_key(member);
        let count: u16 = system::read(self.host.overlay, &key)?.unwrap_or_default();
        require(count < CONTRACTS_OF_MEMBER_MAX, ContractRefusal::TooManyContracts)?;
        self.write(key, &count.saturating_add(1));
        let mut counters = members::counters(self.host.overlay)?;
        let contract = counters.next_contract;
        counters.next_contract = ContractId::new(contract.get().saturating_add(1));
        self.write(members::counters_key(), &counters);
        Ok(contract)
    }

    /// Whose admin or operator the sender is.
    pub(super) fn staffs_member(&self, sender: PrincipalId) -> Result<MemberId, Stop> {
        let staff = system::principal(self.host.overlay, sender)?
            .filter(|sender| matches!(sender.role, Role::Admin | Role::Operator))
            .ok_or(ContractRefusal::NotAllowed)?;
        let member = members::member(self.host.overlay, staff.organisation)?;
        Ok(member.ok_or(ContractRefusal::NotAllowed)?.id)
    }

    fn contract_info(&self, contract: ContractId) -> Result<ContractInfo, Stop> {
        let info = system::contract(self.host.overlay, contract)?;
        Ok(info.ok_or(ContractRefusal::UnknownContract)?)
    }

    /// Stored code, if its schema is the one that is said.
    fn stored_as(&self, code: &CodeHashes) -> Result<StoredCode, Stop> {
        let stored =
            system::stored_code(self.host.overlay, &code.wasm)?.ok_or(ContractRefusal::UnknownCode)?;
        require(stored.schema == code.schema, ContractRefusal::BadSchema)?;
        Ok(stored)
    }
}

fn check_argument(argument: &[u8]) -> Result<(), Stop> {
    require(
        argument.len() <= CONTRACT_ARGUMENT_BYTES_MAX,
        ContractRefusal::LongArgument,
    )
}

pub(super) fn require(holds: bool, refusal: ContractRefusal) -> Result<(), Stop> {
    if holds { Ok(()) } else { Err(refusal.into()) }
}

/// The contract's own failure, except that missing gas is the sender's matter.
fn contract_failed(stop: Stop) -> Stop {
    match stop {
        Stop::Failed(Status::OutOfGas) => Stop::Failed(Status::OutOfGas),
        Stop::Failed(status) => Stop::ContractFailed(status),
        other => other,
    }
}
