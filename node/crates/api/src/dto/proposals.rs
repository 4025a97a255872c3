//! Changes that members vote on.

use super::{base64, hex};
use crate::{Membership, OpenProposal};
use salus_types::abi::access::RuleScope;
use salus_types::{Change, CodeHashes, ContractChange, Hash, MemberCard, MemberChange};
use serde::Serialize;
use utoipa::ToSchema;

/// Changes that can be voted on or enacted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Proposals)]
pub(crate) struct ProposalsDto {
    /// In the order in which they were made.
    pub(crate) proposals: Vec<ProposalDto>,
}

/// A change that can be voted on or enacted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Proposal)]
pub(crate) struct ProposalDto {
    /// Its number, for voting.
    pub(crate) id: u32,
    /// Whose operator made it.
    pub(crate) proposer: u16,
    /// The last height at which it can be voted on, until it has passed.
    pub(crate) expires: u64,
    /// Members that approve.
    pub(crate) approvals: Vec<u16>,
    /// Approvals of present members that it needs.
    pub(crate) needed: u16,
    /// If it has passed: from this block time on, milliseconds since 1970, it can be enacted.
    pub(crate) ready_ms: Option<u64>,
    /// The hospital that is to join; null if it is something else.
    pub(crate) add: Option<CardDto>,
    /// The member that is to leave; null if it is something else.
    pub(crate) remove: Option<u16>,
    /// The change of a contract; null if it is something else.
    pub(crate) contract: Option<ContractChangeDto>,
}

/// A change of contracts. Fields that its kind does not have are null.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ContractChange)]
pub(crate) struct ContractChangeDto {
    /// `approve`, `migrate`, `freeze`, `unfreeze` or `register_rule`.
    pub(crate) kind: &'static str,
    /// Which contract is migrated, frozen or unfrozen, or is the rule.
    pub(crate) contract: Option<u32>,
    /// BLAKE3 of the code, hexadecimal.
    pub(crate) code_hash: Option<String>,
    /// BLAKE3 of its schema, hexadecimal; null also if it has none.
    pub(crate) schema_hash: Option<String>,
    /// BLAKE3 of its build manifest, hexadecimal.
    pub(crate) manifest_hash: Option<String>,
    /// The version of the contract's state after the migration.
    pub(crate) state_version: Option<u32>,
    /// What the migration gets: canonical bytes, base64.
    pub(crate) argument: Option<String>,
    /// What the rule looks at: `everywhere`, or the name of a class of records.
    pub(crate) scope: Option<String>,
    /// Whether the rule is removed.
    pub(crate) remove: Option<bool>,
}

/// What a hospital that wants to join says of itself. The chain has checked the keys' proof.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MemberCard)]
pub(crate) struct CardDto {
    /// Its name.
    pub(crate) name: String,
    /// Signs its votes and receipts (ed25519), hexadecimal.
    pub(crate) consensus_key: String,
    /// Identifies its validator on the network (ed25519), hexadecimal.
    pub(crate) network_key: String,
    /// Receives the key shares of health records (X25519), hexadecimal.
    pub(crate) release_key: String,
    /// The signing key of its first admin (ed25519), hexadecimal.
    pub(crate) admin_key: String,
    /// Multiaddresses of its validator.
    pub(crate) addresses: Vec<String>,
}

impl ProposalsDto {
    pub(crate) fn new(membership: Membership) -> Self {
        Self {
            proposals: membership.proposals.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<OpenProposal> for ProposalDto {
    fn from(OpenProposal { proposal, needed }: OpenProposal) -> Self {
        let (add, remove, contract) = match proposal.change {
            Change::Member(MemberChange::Add(card)) => (Some(CardDto::from(*card)), None, None),
            Change::Member(MemberChange::Remove(member)) => (None, Some(member.get()), None),
            Change::Contract(change) => (None, None, Some(ContractChangeDto::from(change))),
        };
        Self {
            id: proposal.id.get(),
            proposer: proposal.proposer.get(),
            expires: proposal.expires.get(),
            approvals: proposal.approvals.iter().map(|member| member.get()).collect(),
            needed,
            ready_ms: proposal.ready.map(salus_types::Timestamp::get),
            add,
            remove,
            contract,
        }
    }
}

impl From<CodeHashes> for ContractChangeDto {
    fn from(code: CodeHashes) -> Self {
        let text = |hash: Hash| hash.to_string();
        Self {
            code_hash: Some(text(code.wasm)),
            schema_hash: code.schema.map(text),
            manifest_hash: Some(text(code.manifest)),
            ..Self::default()
        }
    }
}

impl From<ContractChange> for ContractChangeDto {
    fn from(change: ContractChange) -> Self {
        match change {
            ContractChange::Approve(code) => Self {
                kind: "approve",
                ..code.into()
            },
            ContractChange::Migrate {
                contract,
                code,
                state_version,
                argument,
            } => Self {
                kind: "migrate",
                contract: Some(contract.get()),
                state_version: Some(state_version),
                argument: Some(base64(&argument)),
                ..code.into()
            },
            ContractChange::Freeze(contract) => Self {
                kind: "freeze",
                contract: Some(contract.get()),
                ..Self::default()
            },
            ContractChange::Unfreeze(contract) => Self {
                kind: "unfreeze",
                contract: Some(contract.get()),
                ..Self::default()
            },
            ContractChange::RegisterRule(register) => Self {
                kind: "register_rule",
                contract: Some(register.rule.get()),
                scope: Some(scope_text(register.scope)),
                remove: Some(register.remove),
                ..Self::default()
            },
        }
    }
}

fn scope_text(scope: RuleScope) -> String {
    match scope {
        RuleScope::Everywhere => "everywhere".into(),
        RuleScope::Class(class) => class.name().to_owned(),
        RuleScope::Organisation(member) => format!("member {}", member.get()),
    }
}

impl From<MemberCard> for CardDto {
    fn from(card: MemberCard) -> Self {
        Self {
            name: card.name,
            consensus_key: hex(card.keys.consensus.as_bytes()),
            network_key: hex(card.keys.network.as_bytes()),
            release_key: hex(&card.keys.release),
            admin_key: hex(card.admin.signing.as_bytes()),
            addresses: card.addresses,
        }
    }
}
