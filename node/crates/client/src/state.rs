//! Entries of the chain's state, believed only with a proof.
//!
//! A node shows the entry's bytes (or says that there is none) beside the proof; each reader below knows where its
//! contract keeps the entry.

use crate::{LightError, TrustedHeader};
use salus_types::abi::access::{LogHead, Record, RecordId, log_head_key, record_key};
use salus_types::abi::host::VALUE_LENGTH_MAX;
use salus_types::abi::registry::{Principal, principal_key};
use salus_types::codec::{self, Decode, Encode};
use salus_types::state::{ReadSet, StateKey, StateProof};
use salus_types::{ContractId, ContractInfo, PrincipalId};

impl TrustedHeader {
    /// Checks that after this block the entry at `key` had `value`; with `None`, that there was no such entry.
    pub fn check_state(
        &self,
        key: &StateKey,
        value: Option<&[u8]>,
        proof: &StateProof,
    ) -> Result<(), LightError> {
        let header = self.header();
        proof
            .verify(&header.state_root, key, value)
            .map_err(|error| LightError::WrongState {
                height: header.height,
                error,
            })
    }

    /// Checks what a question to a contract read of the state after this block. See [`ReadSet`] for what that shows.
    pub fn check_reads(&self, reads: &ReadSet) -> Result<(), LightError> {
        let header = self.header();
        reads
            .check(&header.state_root)
            .map_err(|error| LightError::WrongState {
                height: header.height,
                error,
            })
    }

    /// A principal, as the registry had it after this block; `None` if it is proven that there was none.
    pub fn principal(
        &self,
        id: PrincipalId,
        value: Option<&[u8]>,
        proof: &StateProof,
    ) -> Result<Option<Principal>, LightError> {
        self.entry(ContractId::REGISTRY, &principal_key(id), value, proof)
    }

    /// A contract with the hash of its code, as the chain had it after this block; `None` if it is proven that there was none.
    pub fn contract(
        &self,
        id: ContractId,
        value: Option<&[u8]>,
        proof: &StateProof,
    ) -> Result<Option<ContractInfo>, LightError> {
        self.check_state(&ContractInfo::key(id), value, proof)?;
        value
            .map(|bytes| codec::decode(bytes, VALUE_LENGTH_MAX))
            .transpose()
            .map_err(LightError::UnknownEntry)
    }

    /// A record, as the access contract had it after this block; `None` if it is proven that there was none.
    pub fn record(
        &self,
        id: RecordId,
        value: Option<&[u8]>,
        proof: &StateProof,
    ) -> Result<Option<Record>, LightError> {
        self.entry(ContractId::ACCESS, &record_key(id), value, proof)
    }

    /// Where a patient's access log stood after this block: what [`verify_log`](crate::verify_log) compares with.
    pub fn log_head(
        &self,
        patient: PrincipalId,
        value: Option<&[u8]>,
        proof: &StateProof,
    ) -> Result<LogHead, LightError> {
        let empty = LogHead {
            count: 0,
            head: [0; 32],
        };
        self.entry(ContractId::ACCESS, &log_head_key(patient), value, proof)
            .map(|head| head.unwrap_or(empty))
    }

    fn entry<T: Encode + Decode<()>>(
        &self,
        contract: ContractId,
        key: &[u8],
        value: Option<&[u8]>,
        proof: &StateProof,
    ) -> Result<Option<T>, LightError> {
        self.check_state(&StateKey::new(contract, key), value, proof)?;
        value
            .map(|bytes| codec::decode(bytes, VALUE_LENGTH_MAX))
            .transpose()
            .map_err(LightError::UnknownEntry)
    }
}
