//! Principals, and what is asked of contracts about them.

use super::access::{GrantDto, StandingDto};
use super::{base64, hex};
use crate::PrincipalState;
use salus_types::PrincipalId;
use salus_types::abi::registry::{Role, Status};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An acting person or system.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Principal)]
pub(crate) struct PrincipalDto {
    /// Its number.
    pub(crate) number: u32,
    /// What it does.
    #[schema(example = "doctor")]
    pub(crate) role: &'static str,
    /// The member that registered it.
    pub(crate) organisation: u16,
    /// Verifies its transactions (ed25519), hexadecimal.
    pub(crate) signing_key: String,
    /// Receives what is sealed for it (X25519), hexadecimal.
    pub(crate) encryption_key: String,
    /// `active` or `deleted`.
    #[schema(example = "active")]
    pub(crate) status: &'static str,
    /// The patient's address as it is printed; for a device, its owner's.
    pub(crate) address: Option<String>,
    /// Numbered attributes.
    pub(crate) attributes: Vec<AttributeDto>,
    /// The sequence number its next transaction must carry.
    pub(crate) next_sequence: u64,
}

/// A numbered attribute of a principal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attribute)]
pub(crate) struct AttributeDto {
    /// Its number.
    pub(crate) number: u16,
    /// Its value, base64.
    pub(crate) value: String,
}

/// A patient's policy list: every grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Policies)]
pub(crate) struct PoliciesDto {
    /// On the state after which height.
    pub(crate) height: u64,
    /// The grants, at most 256.
    pub(crate) policies: Vec<GrantDto>,
}

/// How a principal stands after its refusals.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrincipalStanding)]
pub(crate) struct PrincipalStandingDto {
    /// Who.
    pub(crate) principal: u32,
    /// On the state after which height.
    pub(crate) height: u64,
    /// How it stands.
    pub(crate) standing: StandingDto,
}

/// A question to a contract.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Query)]
pub(crate) struct QueryDto {
    /// Which contract.
    pub(crate) contract: u32,
    /// Which entry of its `salus_query`.
    pub(crate) entry: u8,
    /// Canonical bytes of the entry's argument, base64; nothing for an entry without one.
    #[serde(default)]
    pub(crate) input: String,
    /// On whose behalf; nothing proves it.
    #[serde(default)]
    pub(crate) caller: Option<u32>,
    /// Whether to show and prove what the contract read. Then it sees the time of the last block, else the node's.
    #[serde(default)]
    pub(crate) proof: bool,
}

/// A contract's answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QueryAnswer)]
pub(crate) struct QueryAnswerDto {
    /// Canonical bytes of what the entry returned, base64.
    pub(crate) output: String,
    /// What it cost.
    pub(crate) gas_used: u64,
    /// On the state after which height.
    pub(crate) height: u64,
    /// What the contract read, with proofs against the state root in the header of that height: canonical bytes of a `ReadSet`, base64; if
    /// asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reads: Option<String>,
}

/// An entry of the chain's state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = State)]
pub(crate) struct StateDto {
    /// Its value, base64; null if there is no such entry.
    pub(crate) value: Option<String>,
    /// Canonical bytes of the proof, base64, if asked for.
    pub(crate) proof: Option<String>,
    /// The height whose header's state root the answer is for.
    pub(crate) height: u64,
}

impl PrincipalDto {
    pub(crate) fn new(number: PrincipalId, state: &PrincipalState) -> Self {
        let principal = &state.principal;
        Self {
            number: number.get(),
            role: role_name(principal.role),
            organisation: principal.organisation.get(),
            signing_key: hex(&principal.signing_key),
            encryption_key: hex(&principal.encryption_key),
            status: match principal.status {
                Status::Active => "active",
                Status::Deleted => "deleted",
            },
            address: principal.address.as_ref().map(salus_client::address_text),
            attributes: principal
                .attributes
                .iter()
                .map(|(number, value)| AttributeDto {
                    number: *number,
                    value: base64(value),
                })
                .collect(),
            next_sequence: state.next_sequence.get(),
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Patient => "patient",
        Role::Doctor => "doctor",
        Role::Manager => "manager",
        Role::Admin => "admin",
        Role::Operator => "operator",
        Role::Device => "device",
        Role::Auditor => "auditor",
    }
}
