//! `genesis.toml`, as people read and write it.

use crate::{Agreement, FoundingContract, GenesisError, OpenPolicy, Params};
use data_encoding::HEXLOWER;
use salus_types::abi::registry::{Principal, Role, Status};
use salus_types::{ContractParams, Gas, Member, MemberId, PublicKey, Slot, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    time_ms: u64,
    /// The contracts from number 1 on: registry, access, others.
    contracts: Vec<ContractEntry>,
    params: ParamsTable,
    members: Vec<MemberTable>,
    principals: Vec<PrincipalTable>,
}

/// A contract: the hash of its code, or that and an argument.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ContractEntry {
    Plain(String),
    With(ContractTable),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractTable {
    code: String,
    /// Canonical bytes, hexadecimal.
    argument: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParamsTable {
    /// Absent: follows the members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold: Option<u16>,
    slots: u16,
    body_bytes_max: u32,
    block_gas_max: u64,
    transaction_gas_max: u64,
    expiry_heights_max: u64,
    /// `members` (default) or `ticket`.
    #[serde(default)]
    open_policy: OpenPolicy,
    /// Hash of what instructions and host calls cost.
    gas_table: String,
    /// Absent: as usual.
    #[serde(default)]
    contracts: ContractParamsTable,
}

/// How contracts are changed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContractParamsTable {
    approvals: String,
    freeze_approvals: String,
    timelock_ms: u64,
    frozen_timelock_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberTable {
    number: u16,
    name: String,
    consensus_key: String,
    network_key: String,
    release_key: String,
    slot: u16,
    addresses: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrincipalTable {
    role: RoleName,
    organisation: u16,
    signing_key: String,
    encryption_key: String,
}

/// Roles that a genesis may give out: the staff that enrols everybody else.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    Admin,
    Manager,
    Operator,
    Auditor,
}

pub(crate) fn read(text: &str) -> Result<Agreement, GenesisError> {
    let document: Document = toml::from_str(text).map_err(|error| GenesisError::Toml(error.to_string()))?;
    Ok(Agreement {
        name: document.name,
        time: Timestamp::new(document.time_ms),
        params: document.params.read()?,
        members: document
            .members
            .into_iter()
            .map(MemberTable::read)
            .collect::<Result<_, _>>()?,
        principals: document
            .principals
            .into_iter()
            .map(PrincipalTable::read)
            .collect::<Result<_, _>>()?,
        contracts: document
            .contracts
            .into_iter()
            .map(ContractEntry::read)
            .collect::<Result<_, _>>()?,
    })
}

pub(crate) fn write(agreement: &Agreement) -> Result<String, GenesisError> {
    let document = Document {
        name: agreement.name.clone(),
        time_ms: agreement.time.get(),
        contracts: agreement.contracts.iter().map(ContractEntry::write).collect(),
        params: agreement.params.into(),
        members: agreement.members.iter().map(MemberTable::write).collect(),
        principals: agreement
            .principals
            .iter()
            .map(PrincipalTable::write)
            .collect::<Result<_, _>>()?,
    };
    toml::to_string(&document).map_err(|error| GenesisError::Toml(error.to_string()))
}

const HASHES: &str =
    "hashes of 64 hexadecimal digits, or tables of `code`, such a hash, and `argument`, hexadecimal";
const FRACTION: &str = "a fraction below one, such as \"2/3\"";
const KEY: &str = "a key of 64 hexadecimal digits";

fn key(field: &'static str, text: &str) -> Result<[u8; 32], GenesisError> {
    let bytes = HEXLOWER
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(GenesisError::Field { field, expected: KEY })
}

impl ContractEntry {
    fn read(self) -> Result<FoundingContract, GenesisError> {
        let refused = || GenesisError::Field {
            field: "contracts",
            expected: HASHES,
        };
        let (code, argument) = match self {
            Self::Plain(code) => (code, String::new()),
            Self::With(table) => (table.code, table.argument),
        };
        Ok(FoundingContract {
            code: code.parse().map_err(|_| refused())?,
            argument: HEXLOWER.decode(argument.as_bytes()).map_err(|_| refused())?,
        })
    }

    fn write(contract: &FoundingContract) -> Self {
        let code = contract.code.to_string();
        if contract.argument.is_empty() {
            return Self::Plain(code);
        }
        Self::With(ContractTable {
            code,
            argument: HEXLOWER.encode(&contract.argument),
        })
    }
}

impl Default for ContractParamsTable {
    fn default() -> Self {
        ContractParams::default().into()
    }
}

impl ContractParamsTable {
    fn read(&self) -> Result<ContractParams, GenesisError> {
        let fraction = |field, text: &str| {
            text.parse().map_err(|_| GenesisError::Field {
                field,
                expected: FRACTION,
            })
        };
        Ok(ContractParams {
            approvals: fraction("approvals", &self.approvals)?,
            freeze_approvals: fraction("freeze_approvals", &self.freeze_approvals)?,
            timelock_ms: self.timelock_ms,
            frozen_timelock_ms: self.frozen_timelock_ms,
        })
    }
}

impl From<ContractParams> for ContractParamsTable {
    fn from(params: ContractParams) -> Self {
        Self {
            approvals: params.approvals.to_string(),
            freeze_approvals: params.freeze_approvals.to_string(),
            timelock_ms: params.timelock_ms,
            frozen_timelock_ms: params.frozen_timelock_ms,
        }
    }
}

impl MemberTable {
    fn read(self) -> Result<Member, GenesisError> {
        Ok(Member {
            id: MemberId::new(self.number),
            name: self.name,
            consensus_key: PublicKey::new(key("consensus_key", &self.consensus_key)?),
            network_key: PublicKey::new(key("network_key", &self.network_key)?),
            release_key: key("release_key", &self.release_key)?,
            slot: Slot::new(self.slot),
            addresses: self.addresses,
        })
    }

    fn write(member: &Member) -> Self {
        Self {
            number: member.id.get(),
            name: member.name.clone(),
            consensus_key: member.consensus_key.to_string(),
            network_key: member.network_key.to_string(),
            release_key: HEXLOWER.encode(&member.release_key),
            slot: member.slot.get(),
            addresses: member.addresses.clone(),
        }
    }
}

impl PrincipalTable {
    fn read(self) -> Result<Principal, GenesisError> {
        Ok(Principal {
            signing_key: key("signing_key", &self.signing_key)?,
            encryption_key: key("encryption_key", &self.encryption_key)?,
            role: match self.role {
                RoleName::Admin => Role::Admin,
                RoleName::Manager => Role::Manager,
                RoleName::Operator => Role::Operator,
                RoleName::Auditor => Role::Auditor,
            },
            organisation: MemberId::new(self.organisation),
            status: Status::Active,
            address: None,
            attributes: Vec::new(),
        })
    }

    fn write(principal: &Principal) -> Result<Self, GenesisError> {
        let role = match principal.role {
            Role::Admin => RoleName::Admin,
            Role::Manager => RoleName::Manager,
            Role::Operator => RoleName::Operator,
            Role::Auditor => RoleName::Auditor,
            Role::Patient | Role::Doctor | Role::Device => {
                return Err(GenesisError::Field {
                    field: "role",
                    expected: "admin, manager, operator or auditor",
                });
            }
        };
        Ok(Self {
            role,
            organisation: principal.organisation.get(),
            signing_key: HEXLOWER.encode(&principal.signing_key),
            encryption_key: HEXLOWER.encode(&principal.encryption_key),
        })
    }
}

impl ParamsTable {
    fn read(&self) -> Result<Params, GenesisError> {
        let gas_table = self.gas_table.parse().map_err(|_| GenesisError::Field {
            field: "gas_table",
            expected: "a hash of 64 hexadecimal digits",
        })?;
        Ok(Params {
            threshold: self.threshold,
            slots: self.slots,
            body_bytes_max: self.body_bytes_max,
            block_gas_max: Gas::new(self.block_gas_max),
            transaction_gas_max: Gas::new(self.transaction_gas_max),
            expiry_heights_max: self.expiry_heights_max,
            open_policy: self.open_policy,
            gas_table,
            contracts: self.contracts.read()?,
        })
    }
}

impl From<Params> for ParamsTable {
    fn from(params: Params) -> Self {
        Self {
            threshold: params.threshold,
            slots: params.slots,
            body_bytes_max: params.body_bytes_max,
            block_gas_max: params.block_gas_max.get(),
            transaction_gas_max: params.transaction_gas_max.get(),
            expiry_heights_max: params.expiry_heights_max,
            open_policy: params.open_policy,
            gas_table: params.gas_table.to_string(),
            contracts: params.contracts.into(),
        }
    }
}
