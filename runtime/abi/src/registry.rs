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
    /// Argument [`super::SetRole`].
    pub const SET_ROLE: u8 = 4;
    /// Argument [`super::ChangeHospital`]; the caller is a patient.
    pub const CHANGE_HOSPITAL: u8 = 5;
    /// Argument [`super::SetGuardians`]; the caller names its own.
    pub const SET_GUARDIANS: u8 = 6;
    /// Argument [`super::StartRecovery`]; the caller is a guardian.
    pub const START_RECOVERY: u8 = 7;
    /// Argument [`super::ApproveRecovery`]; the caller is a guardian.
    pub const APPROVE_RECOVERY: u8 = 8;
    /// No argument; the caller ends every recovery of its own keys.
    pub const VETO_RECOVERY: u8 = 9;
    /// Argument [`super::FinishRecovery`]; the caller is a guardian.
    pub const FINISH_RECOVERY: u8 = 10;
}

/// The entries of `salus_query`, by number.
pub mod query {
    /// Argument [`crate::PrincipalId`], output `Option<Principal>`.
    pub const PRINCIPAL: u8 = 0;
    /// Argument [`super::PatientAddress`], output `Option<PrincipalId>`.
    pub const FIND_PATIENT: u8 = 1;
    /// No argument, output [`crate::PrincipalId`]: the number the next principal will get.
    pub const NEXT_PRINCIPAL: u8 = 2;
    /// Argument [`crate::PrincipalId`], output `Option<Guardians>`.
    pub const GUARDIANS: u8 = 3;
    /// Argument [`crate::PrincipalId`], output `Vec<RecoveryEntry>`: the recoveries of its keys, at most one of each guardian.
    pub const RECOVERIES: u8 = 4;
    /// Argument `(device, patient)`, both [`crate::PrincipalId`], output `bool`: whether the device carries the patient's address.
    pub const OWNS_DEVICE: u8 = 5;
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

/// Gives a member of staff another role. Callers: an admin of the same organisation, for others than itself. Patients and
/// devices keep their role: it is tied to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct SetRole {
    /// Whose role.
    pub principal: PrincipalId,
    /// The new one; neither patient nor device.
    pub role: Role,
}

/// A patient goes to another hospital, which administers it from then on. Caller: the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct ChangeHospital {
    /// A present member.
    pub organisation: MemberId,
}

/// Guardians of one principal, at most.
pub const GUARDIANS_MAX: usize = 8;
/// The shortest time in which the live key can veto a recovery, in milliseconds: a day.
pub const RECOVERY_DELAY_MS_MIN: u64 = 24 * 60 * 60 * 1000;
/// The longest, in milliseconds: 90 days.
pub const RECOVERY_DELAY_MS_MAX: u64 = 90 * RECOVERY_DELAY_MS_MIN;

/// Who may give a principal new keys when it has lost its own: any `needed` of them together, after a delay in which the
/// live key can veto.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Guardians {
    /// Active principals when they were set, sorted, each once, at most [`GUARDIANS_MAX`].
    pub guardians: Vec<PrincipalId>,
    /// How many of them must approve, at least 1.
    pub needed: u8,
    /// Between the last approval that is needed and the end, in milliseconds: [`RECOVERY_DELAY_MS_MIN`] to [`RECOVERY_DELAY_MS_MAX`].
    pub delay_ms: u64,
}

/// Names the caller's guardians, or none. It ends every recovery under way: whoever calls has the live key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct SetGuardians {
    /// The new guardians; `None` leaves the caller without.
    pub guardians: Option<Guardians>,
}

/// A guardian asks for new keys for a principal, and approves them itself. Each guardian has one recovery at most under
/// way for a principal, and a new one takes its place: no guardian can stand in the others' way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct StartRecovery {
    /// Whose keys are lost.
    pub principal: PrincipalId,
    /// Its new signing key.
    pub signing_key: [u8; 32],
    /// Its new encryption key.
    pub encryption_key: [u8; 32],
    /// As in [`RotateKeys`]: the owner itself has the new key.
    pub proof: [u8; 64],
}

/// A guardian agrees to the keys that another one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct ApproveRecovery {
    /// Whose keys are lost.
    pub principal: PrincipalId,
    /// Which guardian started it.
    pub starter: PrincipalId,
    /// The new signing key, as the caller knows it from the owner: an approval is for no other.
    pub signing_key: [u8; 32],
}

/// Puts the new keys in force: enough guardians approved, and nobody vetoed in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct FinishRecovery {
    /// Whose keys are lost.
    pub principal: PrincipalId,
    /// Which guardian started it.
    pub starter: PrincipalId,
}

/// New keys that guardians want for a principal.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Recovery {
    /// The new signing key.
    pub signing_key: [u8; 32],
    /// The new encryption key.
    pub encryption_key: [u8; 32],
    /// Guardians that approved, in the order in which they did; the starter first.
    pub approvals: Vec<PrincipalId>,
    /// When it may be finished, as block time in milliseconds since 1970; `None` while approvals are missing.
    pub ready_ms: Option<u64>,
}

/// A recovery with the guardian that started it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct RecoveryEntry {
    /// Which guardian.
    pub starter: PrincipalId,
    /// What it wants, and who agreed.
    pub recovery: Recovery,
}

/// What the registry emits. The principals of the genesis are told by no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum RegistryEvent {
    /// AddUser.
    UserAdded {
        /// The new principal.
        principal: PrincipalId,
        /// What it does.
        role: Role,
        /// Its hospital.
        organisation: MemberId,
        /// By whom.
        by: PrincipalId,
    },
    /// DeleteUser.
    UserDeleted {
        /// Who may no longer act.
        principal: PrincipalId,
        /// By whom.
        by: PrincipalId,
    },
    /// A principal changed its keys.
    KeysRotated {
        /// Whose.
        principal: PrincipalId,
    },
    /// An attribute was set or cleared; its value is in the state.
    AttributeSet {
        /// Whose.
        principal: PrincipalId,
        /// Which.
        number: u16,
        /// By whom.
        by: PrincipalId,
    },
    /// A member of staff has another role.
    RoleSet {
        /// Who.
        principal: PrincipalId,
        /// The new role.
        role: Role,
        /// By whom.
        by: PrincipalId,
    },
    /// A patient has another hospital.
    HospitalChanged {
        /// Who.
        principal: PrincipalId,
        /// The new hospital.
        organisation: MemberId,
    },
    /// A principal named its guardians. Who they are stands in the state.
    GuardiansSet {
        /// Whose.
        principal: PrincipalId,
        /// How many there are; 0 for none.
        guardians: u8,
        /// How many must approve.
        needed: u8,
    },
    /// A guardian approved new keys; the first to do so started the recovery.
    RecoveryApproved {
        /// Whose keys.
        principal: PrincipalId,
        /// Which guardian started it.
        starter: PrincipalId,
        /// Who approved.
        by: PrincipalId,
        /// When it may be finished; `None` while approvals are missing.
        ready_ms: Option<u64>,
    },
    /// The live key ended every recovery.
    RecoveryVetoed {
        /// Whose keys.
        principal: PrincipalId,
    },
    /// A principal has the keys that its guardians approved.
    Recovered {
        /// Who.
        principal: PrincipalId,
        /// Which guardian started it.
        starter: PrincipalId,
    },
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
    /// Guardians that are unsorted, too many, unknown or the caller itself, or a number or delay outside its range.
    pub const BAD_GUARDIANS: u16 = 7;
    /// No such recovery, or not for these keys.
    pub const NO_RECOVERY: u16 = 8;
    /// Approvals are missing, or the time to veto has not passed.
    pub const NOT_READY: u16 = 9;
}
