use crate::modules::Modules;
use crate::overlay::Overlay;
use crate::{members, system};
use salus_runtime::{Host, HostFault, Module};
use salus_types::abi::registry::Principal;
use salus_types::state::{StateFault, StateKey, StateReader};
use salus_types::{ContractId, MemberId, PrincipalId};
use std::collections::BTreeMap;

/// Bytes of a contract's number at the front of a state key.
const CONTRACT_BYTES: usize = 4;

/// What contracts see of the chain while a block is executed or a query answered.
pub(crate) struct ChainHost<'a, 'b> {
    pub(crate) overlay: &'a mut Overlay<'b>,
    pub(crate) modules: &'a Modules,
    /// Consensus keys of the members, read when first asked for. Members don't change within a transaction.
    members: Option<BTreeMap<MemberId, [u8; 32]>>,
}

impl<'a, 'b> ChainHost<'a, 'b> {
    pub(crate) const fn new(overlay: &'a mut Overlay<'b>, modules: &'a Modules) -> Self {
        Self {
            overlay,
            modules,
            members: None,
        }
    }

    fn members(&mut self) -> Result<&BTreeMap<MemberId, [u8; 32]>, HostFault> {
        let members = match self.members.take() {
            Some(members) => members,
            None => members::members(self.overlay)
                .map_err(fault)?
                .iter()
                .map(|member| (member.id, *member.consensus_key.as_bytes()))
                .collect(),
        };
        Ok(self.members.insert(members))
    }
}

impl Host for ChainHost<'_, '_> {
    fn get(&mut self, contract: ContractId, key: &[u8]) -> Result<Option<Vec<u8>>, HostFault> {
        let value = self.overlay.get(&StateKey::new(contract, key));
        value.map_err(fault)
    }

    fn set(&mut self, contract: ContractId, key: &[u8], value: &[u8]) -> Result<(), HostFault> {
        self.overlay
            .write(StateKey::new(contract, key), Some(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, contract: ContractId, key: &[u8]) -> Result<(), HostFault> {
        self.overlay.write(StateKey::new(contract, key), None);
        Ok(())
    }

    fn next(
        &mut self,
        contract: ContractId,
        prefix: &[u8],
        after: &[u8],
    ) -> Result<Option<(Vec<u8>, Vec<u8>)>, HostFault> {
        let prefix = StateKey::new(contract, prefix);
        let after = if after.is_empty() {
            Vec::new()
        } else {
            StateKey::new(contract, after).as_bytes().to_vec()
        };
        let found = self.overlay.next(prefix.as_bytes(), &after);
        let found = found.map_err(fault)?;
        Ok(found.map(|(key, value)| {
            (
                key.as_bytes().get(CONTRACT_BYTES..).unwrap_or_default().to_vec(),
                value,
            )
        }))
    }

    fn principal(&mut self, principal: PrincipalId) -> Result<Option<Principal>, HostFault> {
        system::principal(self.overlay, principal).map_err(fault)
    }

    fn member_count(&mut self) -> Result<u32, HostFault> {
        Ok(u32::try_from(self.members()?.len()).unwrap_or(u32::MAX))
    }

    fn member_key(&mut self, member: MemberId) -> Result<Option<[u8; 32]>, HostFault> {
        Ok(self.members()?.get(&member).copied())
    }

    /// A frozen contract answers other contracts as little as if it were not there.
    fn contract(&mut self, contract: ContractId) -> Result<Option<Module>, HostFault> {
        let found = self.modules.load(self.overlay, contract).map_err(fault)?;
        Ok(found.and_then(|(info, module)| (!info.frozen).then_some(module)))
    }

    fn debug(&mut self, contract: ContractId, line: &[u8]) {
        tracing::trace!(%contract, bytes = line.len(), "a contract's debug line");
    }
}

fn fault(StateFault(message): StateFault) -> HostFault {
    HostFault(message)
}
