//! The agreement a network starts from: its members, its first principals, its parameters, its contracts.
//!
//! `genesis.toml` is written once, by all founding hospitals together, and never changes. Its hash is the
//! chain id, which stands in everything that is signed, so two networks can't mix even by accident.
//!
//! ```
//! # fn main() -> Result<(), salus_genesis::GenesisError> {
//! let text = include_str!("../networks/example.toml");
//! let genesis = salus_genesis::Genesis::from_toml(text)?;
//! assert_eq!(genesis.members().len(), 4);
//! assert_eq!(genesis.validators().threshold(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! Invariant: a [`Genesis`] is valid; there is no way to hold one that was not checked.
mod artifacts;
mod document;
mod error;

pub use artifacts::{ACCESS, CARE, REGISTRY, builtin_code};
pub use error::GenesisError;

use salus_types::abi::registry::{self, Principal, Role};
use salus_types::codec::{self, Decode, Encode};
use salus_types::{
    CONTRACT_ARGUMENT_BYTES_MAX, ChainId, ContractId, ContractParams, Gas, Hash, Member, MemberId, Timestamp,
    ValidatorSet, abi::domain::Tag,
};
use serde::{Deserialize, Serialize};

/// A checked genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    agreement: Agreement,
    validators: ValidatorSet,
}

/// What a network agrees on at its start.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Agreement {
    /// A name for people: 1 to 32 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// Time of block 0.
    pub time: Timestamp,
    /// What everyone computes with.
    pub params: Params,
    /// The founding hospitals, numbered from 0 in this order.
    pub members: Vec<Member>,
    /// The first principals, numbered from 0 in this order; at least one admin for every member.
    pub principals: Vec<Principal>,
    /// The contracts, in the order of their numbers from 1: registry, access, care, others.
    pub contracts: Vec<FoundingContract>,
}

/// A contract that the network starts with.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FoundingContract {
    /// BLAKE3 of its WebAssembly.
    pub code: Hash,
    /// What its `salus_instantiate` gets; nothing if it has none, and for the registry, which gets the principals.
    pub argument: Vec<u8>,
}

impl FoundingContract {
    /// A contract that takes no argument.
    pub const fn new(code: Hash) -> Self {
        Self {
            code,
            argument: Vec::new(),
        }
    }
}

/// Numbers that all validators must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Params {
    /// k: shares needed to open a block. More than f, at most n - f - ceil(f/2). Beyond n - 2f a validator keeps
    /// deposits for the others until k + f of them have signed that they hold their shares. `None` follows the members:
    /// n - 2f of those that decide the block.
    pub threshold: Option<u16>,
    /// S: shares dealt of every block; the spare ones are for members that join.
    pub slots: u16,
    /// Bytes of a block's encoded body, at most.
    pub body_bytes_max: u32,
    /// Gas of one block, at most.
    pub block_gas_max: Gas,
    /// Gas limit of one transaction, at most.
    pub transaction_gas_max: Gas,
    /// How many heights ahead a transaction may expire, at most.
    pub expiry_heights_max: u64,
    /// Who may have blocks opened.
    pub open_policy: OpenPolicy,
    /// Hash of the table of what instructions and host calls cost (`salus_runtime::gas_table_hash`).
    pub gas_table: Hash,
    /// How contracts are changed.
    pub contracts: ContractParams,
}

/// Who may have blocks opened, that is, for whom members hand out their shares of a block's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenPolicy {
    /// Every member, and whoever reaches its interface.
    #[default]
    Members,
    /// Whoever has a ticket of the access contract; a member by itself only to catch up and to repair its shares.
    Ticket,
}

impl Params {
    /// The usual parameters of a network of `n` members (at least one): k follows the members, S is the power of two of
    /// at least 2n. `gas_table` is the hash of the founding program's table.
    pub fn usual(n: usize, gas_table: Hash) -> Self {
        let small = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
        Self {
            threshold: None,
            slots: small(n.saturating_mul(2).next_power_of_two()).min(Self::SLOTS_MAX),
            body_bytes_max: 2 << 20,
            block_gas_max: Gas::new(400_000_000),
            transaction_gas_max: Gas::new(20_000_000),
            expiry_heights_max: 100_000,
            open_policy: OpenPolicy::Members,
            gas_table,
            contracts: ContractParams::default(),
        }
    }

    /// Shares of a dealing, at most: what Reed-Solomon over GF(2^8) and the share index allow.
    pub const SLOTS_MAX: u16 = 128;
}

impl Genesis {
    /// Reads and checks `genesis.toml`.
    pub fn from_toml(text: &str) -> Result<Self, GenesisError> {
        Self::new(document::read(text)?)
    }

    /// Checks an agreement.
    pub fn new(agreement: Agreement) -> Result<Self, GenesisError> {
        check_name(&agreement.name)?;
        let validators = check_members(&agreement.members)?;
        check_params(&agreement.params, &validators)?;
        check_principals(&agreement)?;
        check_contracts(&agreement)?;
        Ok(Self {
            agreement,
            validators,
        })
    }

    /// Checks that a program counts gas as this network does.
    ///
    /// # Errors
    ///
    /// [`GenesisError::GasTable`] if its table has another hash: its blocks would have other receipts than everyone else's.
    pub fn check_gas_table(&self, own: &Hash) -> Result<(), GenesisError> {
        let agreed = self.agreement.params.gas_table;
        if agreed == *own {
            return Ok(());
        }
        Err(GenesisError::GasTable { agreed, own: *own })
    }

    /// The text of `genesis.toml`; reading it back gives the same genesis.
    pub fn to_toml(&self) -> Result<String, GenesisError> {
        document::write(&self.agreement)
    }

    /// The network's id: the hash of the whole agreement.
    pub fn chain_id(&self) -> ChainId {
        let nowhere = ChainId::new(Hash::ZERO);
        ChainId::new(Hash::of(Tag::GENESIS, &nowhere, &codec::encode(&self.agreement)))
    }

    /// Everything that was agreed.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The founding hospitals.
    pub fn members(&self) -> &[Member] {
        &self.agreement.members
    }

    /// The member with a number.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.agreement.members.iter().find(|member| member.id == id)
    }

    /// The validators of the first blocks.
    pub fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// k of the first blocks.
    pub fn threshold(&self) -> u16 {
        let usual = u16::try_from(self.validators.threshold()).unwrap_or(u16::MAX);
        self.agreement.params.threshold.unwrap_or(usual)
    }

    /// The hash of each contract's code, with its number and what it is instantiated with.
    pub fn contracts(&self) -> impl Iterator<Item = (ContractId, Hash, Vec<u8>)> + '_ {
        let numbered = (1..).map(ContractId::new).zip(&self.agreement.contracts);
        numbered.map(|(number, contract)| {
            let input = match number {
                ContractId::REGISTRY => codec::encode(&registry::Instantiate {
                    principals: self.agreement.principals.clone(),
                }),
                _ => contract.argument.clone(),
            };
            (number, contract.code, input)
        })
    }
}

fn check_name(name: &str) -> Result<(), GenesisError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=32).contains(&name.len()) && name.chars().all(plain) {
        Ok(())
    } else {
        Err(GenesisError::Name)
    }
}

fn check_members(members: &[Member]) -> Result<ValidatorSet, GenesisError> {
    for (number, member) in members.iter().enumerate() {
        if usize::from(member.id.get()) != number {
            return Err(GenesisError::MemberNumber {
                found: member.id,
                expected: number,
            });
        }
        if member.name.is_empty() || member.name.len() > 64 {
            return Err(GenesisError::MemberName(member.id));
        }
        let network_key_taken =
            |other: &Member| other.network_key == member.network_key && other.id != member.id;
        if members.iter().any(network_key_taken) || member.network_key == member.consensus_key {
            return Err(GenesisError::SharedKey(member.id));
        }
    }
    Ok(ValidatorSet::new(
        members.iter().map(Member::validator).collect(),
    )?)
}

fn check_params(params: &Params, validators: &ValidatorSet) -> Result<(), GenesisError> {
    let slots = usize::from(params.slots);
    if let Some(threshold) = params.threshold.filter(|k| !validators.allows_threshold(*k)) {
        return Err(GenesisError::Threshold {
            threshold: usize::from(threshold),
            least: validators.faulty_max() + 1,
            most: validators.threshold_max(),
            usual: validators.threshold(),
        });
    }
    if slots < validators.count() || params.slots > Params::SLOTS_MAX {
        return Err(GenesisError::Slots {
            slots,
            members: validators.count(),
        });
    }
    if let Some(outside) = validators
        .iter()
        .find(|validator| validator.slot.get() >= params.slots)
    {
        return Err(GenesisError::SlotOutside(outside.member));
    }
    let body_bytes = 256 << 10..=8 << 20;
    if !body_bytes.contains(&params.body_bytes_max) || params.transaction_gas_max > params.block_gas_max {
        return Err(GenesisError::Limits);
    }
    Ok(())
}

fn check_contracts(agreement: &Agreement) -> Result<(), GenesisError> {
    let [registry, _, ..] = agreement.contracts.as_slice() else {
        return Err(GenesisError::MissingContracts);
    };
    let long = |contract: &FoundingContract| contract.argument.len() > CONTRACT_ARGUMENT_BYTES_MAX;
    if !registry.argument.is_empty() || agreement.contracts.iter().any(long) {
        return Err(GenesisError::Argument);
    }
    if agreement.params.contracts.are_sound() {
        Ok(())
    } else {
        Err(GenesisError::ContractParams)
    }
}

fn check_principals(agreement: &Agreement) -> Result<(), GenesisError> {
    for member in &agreement.members {
        let admin = |one: &&Principal| one.role == Role::Admin && one.organisation == member.id;
        if agreement.principals.iter().find(admin).is_none() {
            return Err(GenesisError::NoAdmin(member.id));
        }
    }
    for (index, principal) in agreement.principals.iter().enumerate() {
        let same_key = |other: &Principal| other.signing_key == principal.signing_key;
        if agreement.principals.iter().take(index).any(same_key) {
            return Err(GenesisError::PrincipalKey(index));
        }
        if usize::from(principal.organisation.get()) >= agreement.members.len() {
            return Err(GenesisError::PrincipalOrganisation(index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
