//! Contracts and their code.

use super::{base64, hex};
use crate::StateAnswer;
use salus_types::{CodeOrigin, ContractId, ContractInfo, Hash, StoredCode};
use serde::Serialize;
use utoipa::ToSchema;

/// A contract.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contract)]
pub(crate) struct ContractDto {
    /// Its number.
    pub(crate) contract: u32,
    /// BLAKE3 of its WebAssembly, hexadecimal.
    pub(crate) code_hash: String,
    /// Bytes of its WebAssembly.
    pub(crate) code_length: u32,
    /// Version of its state's layout: 1 at first, one more with each migration.
    pub(crate) state_version: u32,
    /// Whether the members have frozen it, so that it answers nothing.
    pub(crate) frozen: bool,
    /// The member whose staff instantiated it; null if it stands in the genesis.
    pub(crate) founder: Option<u16>,
}

/// Contracts, in the order of their numbers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contracts)]
pub(crate) struct ContractsDto {
    /// The contracts.
    pub(crate) contracts: Vec<ContractDto>,
}

/// A contract, proven.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProvenContract)]
pub(crate) struct ProvenContractDto {
    /// The contract.
    #[serde(flatten)]
    pub(crate) contract: ContractDto,
    /// Canonical bytes of its entry in the chain's state, base64.
    pub(crate) value: String,
    /// Canonical bytes of the entry's proof, base64.
    pub(crate) proof: Option<String>,
    /// The height whose header's state root the proof is for.
    pub(crate) height: u64,
}

/// Code that was admitted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Code)]
pub(crate) struct CodeDto {
    /// BLAKE3 of the WebAssembly, hexadecimal.
    pub(crate) code_hash: String,
    /// Bytes of the WebAssembly.
    pub(crate) length: u32,
    /// BLAKE3 of its schema, hexadecimal; null if it has none.
    pub(crate) schema_hash: Option<String>,
    /// `genesis`, `stored` (waits for approval) or `approved`.
    pub(crate) status: &'static str,
    /// Whose staff stored it, while it waits.
    pub(crate) member: Option<u16>,
    /// BLAKE3 of the build manifest that was approved with it, hexadecimal.
    pub(crate) manifest_hash: Option<String>,
    /// The height at which it was approved.
    pub(crate) approved: Option<u64>,
}

impl ContractDto {
    pub(crate) fn new(contract: ContractId, info: &ContractInfo) -> Self {
        Self {
            contract: contract.get(),
            code_hash: info.code_hash.to_string(),
            code_length: info.code_length,
            state_version: info.state_version,
            frozen: info.frozen,
            founder: info.founder.map(salus_types::MemberId::get),
        }
    }
}

impl ProvenContractDto {
    /// `value` is what `info` was read from.
    pub(crate) fn new(contract: ContractId, info: &ContractInfo, value: &[u8], answer: &StateAnswer) -> Self {
        Self {
            contract: ContractDto::new(contract, info),
            value: base64(value),
            proof: answer.proof.as_deref().map(base64),
            height: answer.height.get(),
        }
    }
}

impl CodeDto {
    pub(crate) fn new(code_hash: &Hash, code: &StoredCode) -> Self {
        let (status, member, manifest, approved) = match code.origin {
            CodeOrigin::Genesis => ("genesis", None, None, None),
            CodeOrigin::Stored(member) => ("stored", Some(member.get()), None, None),
            CodeOrigin::Approved { height, manifest } => {
                ("approved", None, Some(manifest), Some(height.get()))
            }
        };
        Self {
            code_hash: code_hash.to_string(),
            length: code.length,
            schema_hash: code.schema.map(|hash| hex(hash.as_bytes())),
            status,
            member,
            manifest_hash: manifest.map(|hash| hex(hash.as_bytes())),
            approved,
        }
    }
}
