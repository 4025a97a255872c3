//! The registry contract: who may act on the chain, with which keys and in which role.
//!
//! Its storage layout for principals is part of the interface: validators read a sender's key, and contracts a
//! role, straight from the registry's state at [`principal_key`].

use crate::{MemberId, PrincipalId};
use alloc::vec::Vec;
use bincode::{Decode, Encode};
#[cfg(feature = "schema")]
use salus_sdk_macros::{AbiSchema as Schema, abi_codes};

/// What a principal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
#[repr(u8)]
pub enum Role {
    /// Owns records.
    Patient = 0,
    /// Reads and writes records of patients who allow it.
    Doctor = 1,
    /// The hospital's EHRs manager: enrols people, uploads records, never decrypts.
    Manager = 2,
    /// Administers a hospital's principals and lifts penalties.
    Admin = 3,
    /// Casts the hospital's votes on members, parameters and contracts.
    Operator = 4,
    /// A patient's gateway for wearables: may add records for its owner only.
    Device = 5,
    /// Reviews decisions; reads no records.
    Auditor = 6,
}

impl Role {
    /// Every role, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Patient,
        Self::Doctor,
        Self::Manager,
        Self::Admin,
        Self::Operator,
        Self::Device,
        Self::Auditor,
    ];

    /// The role of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// Whether a principal may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum Status {
    /// May act.
    Active,
    /// Deleted: its transactions are refused, its entry stays for the history.
    Deleted,
}

/// {AID, PID}: an area-based, pseudonymous address of a patient (Nguyen et al. 2019, section IV).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct PatientAddress {
    /// AID: a coarse area code, for routing.
    pub area: u16,
    /// PID: keyed BLAKE3 of the medical record number under the enrolling hospital's linkage key, cut to 16 bytes.
    pub pid: [u8; 16],
}

/// What the registry keeps of a principal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Principal {
    /// Verifies its transactions (ed25519).
    pub signing_key: [u8; 32],
    /// Receives what is sealed for it (X25519).
    pub encryption_key: [u8; 32],
    /// What it does.
    pub role: Role,
    /// The hospital that registered it.
    pub organisation: MemberId,
    /// Whether it may act.
    pub status: Status,
    /// The patient's address; for a device, its owner's.
    pub address: Option<PatientAddress>,
    /// Numbered attributes with values of at most 64 bytes, sorted by number, at most 8.
    pub attributes: Vec<(u16, Vec<u8>)>,
}

/// The entries of `salus_execute`, by number.
pub mod entry {
    /// Argument [`super::AddUser`], output [`crate::PrincipalId`].
    pub const ADD_USER: u8 = 0;
    /// Argument [`super::DeleteUser`].
    pub const DELETE_USER: u8 = 1;
    /// Argument [`super::RotateKeys`]; the caller changes its own keys.
    pub const ROTATE_KEYS: u8 = 2;
    /// Argument [`super::SetAttribute`].
    pub const SET_ATTRIBUTE: u8 = 3;
}

/// The entries of `salus_query`, by number.
pub mod query {
    /// Argument [`crate::PrincipalId`], output `Option<Principal>`.
    pub const PRINCIPAL: u8 = 0;
    /// Argument [`super::PatientAddress`], output `Option<PrincipalId>`.
    pub const FIND_PATIENT: u8 = 1;
    /// No argument, output [`crate::PrincipalId`]: the number the next principal will get.
    pub const NEXT_PRINCIPAL: u8 = 2;
}

/// What the chain passes to `salus_instantiate` of the registry at genesis.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Instantiate {
    /// The first principals, numbered from 0 in this order.
    pub principals: Vec<Principal>,
}

/// AddUser of the paper. Callers: an admin or manager of the same organisation; only an admin adds admins,
/// managers, operators and auditors.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct AddUser {
    /// Verifies the new principal's transactions.
    pub signing_key: [u8; 32],
    /// Receives what is sealed for it.
    pub encryption_key: [u8; 32],
    /// What it does.
    pub role: Role,
    /// Required for a patient (and not yet taken) and for a device (its owner's); refused for others.
    pub address: Option<PatientAddress>,
}

/// DeleteUser of the paper. Callers: an admin or manager of the same organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct DeleteUser {
    /// Who may no longer act.
    pub principal: PrincipalId,
}

/// New keys for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct RotateKeys {
    /// The new signing key.
    pub signing_key: [u8; 32],
    /// The new encryption key.
    pub encryption_key: [u8; 32],
    /// The new signing key's signature over `domain::message(Tag::KEY_PROOF, chain id, principal BE ++ both keys)`.
    pub proof: [u8; 64],
}

/// Sets or clears an attribute. Callers: an admin of the same organisation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct SetAttribute {
    /// Whose attribute.
    pub principal: PrincipalId,
    /// Which attribute.
    pub number: u16,
    /// Its value, at most 64 bytes; `None` clears it.
    pub value: Option<Vec<u8>>,
}

/// Where the registry keeps a principal.
pub fn principal_key(principal: PrincipalId) -> [u8; 5] {
    let [a, b, c, d] = principal.get().to_be_bytes();
    [b'p', a, b, c, d]
}

/// Error codes of the registry's `abort`.
#[cfg_attr(feature = "schema", abi_codes)]
pub mod error {
    /// The caller's role or organisation does not allow this.
    pub const NOT_ALLOWED: u16 = 1;
    /// No such principal.
    pub const UNKNOWN_PRINCIPAL: u16 = 2;
    /// The address is missing, not allowed for this role, or taken.
    pub const BAD_ADDRESS: u16 = 3;
    /// The argument is malformed.
    pub const BAD_INPUT: u16 = 4;
    /// The proof of possession does not verify.
    pub const BAD_PROOF: u16 = 5;
    /// A signing key is used by one principal only.
    pub const KEY_TAKEN: u16 = 6;
}
