use crate::Module;
use salus_abi::registry::Principal;
use salus_abi::{ContractId, MemberId, PrincipalId};

/// The host could not answer, because this machine failed (a disk read, say). It becomes a [`NodeFault`](crate::NodeFault).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostFault(pub String);

/// A key of a contract's state, and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// What a contract sees of the chain's state. Implemented by block execution, and by the test kit for authors.
///
/// The runtime has checked every argument: keys are 1 to 128 bytes (a prefix or an `after` may be empty), values at most
/// 32 KiB. Writes come only from the outermost contract of an `Instantiate`, `Execute` or `Migrate`; when the run
/// fails, the host must drop them.
pub trait Host {
    /// An entry of a contract's state.
    fn get(&mut self, contract: ContractId, key: &[u8]) -> Result<Option<Vec<u8>>, HostFault>;

    /// Writes an entry.
    fn set(&mut self, contract: ContractId, key: &[u8], value: &[u8]) -> Result<(), HostFault>;

    /// Deletes an entry, which need not exist.
    fn delete(&mut self, contract: ContractId, key: &[u8]) -> Result<(), HostFault>;

    /// The first entry of a contract whose key starts with `prefix` and is greater than `after` (empty: from the start).
    fn next(&mut self, contract: ContractId, prefix: &[u8], after: &[u8])
    -> Result<Option<Entry>, HostFault>;

    /// A principal of the registry, whatever its status.
    fn principal(&mut self, principal: PrincipalId) -> Result<Option<Principal>, HostFault>;

    /// How many members have a validator in the current set.
    fn member_count(&mut self) -> Result<u32, HostFault>;

    /// The consensus key of a member whose validator is in the current set.
    fn member_key(&mut self, member: MemberId) -> Result<Option<[u8; 32]>, HostFault>;

    /// The code of another contract, for `call_read`.
    fn contract(&mut self, contract: ContractId) -> Result<Option<Module>, HostFault>;

    /// A line for the author's tools. Validators ignore it.
    fn debug(&mut self, contract: ContractId, line: &[u8]) {
        let _ = (contract, line);
    }
}
