//! The care contract: what people arrange around a patient's records. Doctors ask, parents and carers act for the patient,
//! hospitals keep what the law wants kept.
//!
//! It never decides a read itself. The access contract asks it who acts for a patient, and before a record is shredded
//! what stands against that; where it does not answer, nobody acts for anyone and nothing is shredded.

use crate::PrincipalId;
use crate::access::{Grant, RecordId, Scope};
use alloc::vec::Vec;
use bincode::{Decode, Encode};
#[cfg(feature = "schema")]
use salus_sdk_macros::{AbiSchema as Schema, abi_codes};

/// The entries of `salus_execute`, by number.
pub mod entry {
    /// Argument [`super::AskAccess`], output `u32`: the request's number.
    pub const ASK: u8 = 0;
    /// Argument [`super::AnswerRequest`].
    pub const ANSWER: u8 = 1;
    /// Argument [`super::SetDelegate`].
    pub const SET_DELEGATE: u8 = 2;
    /// Argument [`super::Resign`].
    pub const RESIGN: u8 = 3;
    /// Argument [`super::Retain`].
    pub const RETAIN: u8 = 4;
    /// Argument [`super::SetHold`].
    pub const SET_HOLD: u8 = 5;
}

/// The entries of `salus_query`, by number.
pub mod query {
    /// Argument [`crate::PrincipalId`] (a patient), output `Vec<AccessWish>`: its open requests, at most
    /// [`super::REQUESTS_MAX`].
    pub const REQUESTS: u8 = 0;
    /// Argument `(patient, delegate)`, both [`crate::PrincipalId`], output `Option<Delegation>`: one that stands now.
    pub const DELEGATION: u8 = 1;
    /// Argument [`crate::PrincipalId`] (a patient), output `Vec<DelegateEntry>`, ended ones too, at most
    /// [`super::DELEGATES_MAX`].
    pub const DELEGATES: u8 = 2;
    /// Argument [`crate::access::RecordId`], output [`super::Custody`].
    pub const CUSTODY: u8 = 3;
    /// Argument [`crate::access::RecordId`], output `bool`: whether nothing keeps the record now.
    pub const MAY_SHRED: u8 = 4;
}

/// Open requests to one patient, at most.
pub const REQUESTS_MAX: usize = 32;
/// Open requests of one doctor to one patient, at most.
pub const REQUESTS_OF_ONE_MAX: usize = 4;
/// How long a request waits for its answer, in milliseconds: 14 days.
pub const REQUEST_MS: u64 = 14 * 24 * 60 * 60 * 1000;

/// Asks a patient for a grant. Callers: doctors who are under no penalty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct AskAccess {
    /// Whose records.
    pub patient: PrincipalId,
    /// What the caller wants to read, for what, until when.
    pub wanted: Grant,
}

/// Answers a request. Approving is granting: the patient, or a delegate who manages for it, first grants exactly what was
/// asked, and this closes the request. Callers: these two, and for a refusal also whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct AnswerRequest {
    /// Whose records.
    pub patient: PrincipalId,
    /// Which request.
    pub number: u32,
    /// It was granted as asked; otherwise it is refused, or withdrawn.
    pub approve: bool,
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct AccessWish {
    /// Its number among the patient's requests.
    pub number: u32,
    /// Who asks.
    pub requester: PrincipalId,
    /// What it wants to read, for what, until when.
    pub wanted: Grant,
    /// When the request is gone unanswered: block time, milliseconds since 1970.
    pub open_until_ms: u64,
}

/// Delegates of one patient, at most.
pub const DELEGATES_MAX: usize = 8;

/// What a delegate may do for a patient. It can't name delegates itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Delegation {
    /// What it may read, as the patient may; and how far its grants may reach.
    pub scope: Scope,
    /// Whether it also grants, revokes and answers requests.
    pub manages: bool,
    /// Until when: block time, milliseconds since 1970. Every delegation ends.
    pub until_ms: u64,
}

/// Names a delegate, or changes what it may do. Caller: the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct SetDelegate {
    /// Who acts for the caller: another patient, such as a parent, or a doctor.
    pub delegate: PrincipalId,
    /// What it may do; `None` ends it.
    pub delegation: Option<Delegation>,
}

/// A delegate with what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct DelegateEntry {
    /// Who.
    pub delegate: PrincipalId,
    /// What, until when.
    pub delegation: Delegation,
}

/// Stops acting for a patient. Caller: the delegate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Resign {
    /// For whom.
    pub patient: PrincipalId,
}

/// Legal holds on one record, at most.
pub const HOLDS_MAX: usize = 8;

/// What keeps a record from being shredded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Custody {
    /// Kept until then by law: block time, milliseconds since 1970; 0 for no such duty.
    pub retain_until_ms: u64,
    /// Legal holds, sorted by reason, each reason once.
    pub holds: Vec<Hold>,
}

/// A legal hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Hold {
    /// A reason code of the hospitals' own; never a text.
    pub reason: u16,
    /// Who set it.
    pub by: PrincipalId,
}

/// Prolongs the time for which a record is kept. Callers: managers and admins of the hospital of the
/// record's author or of its patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Retain {
    /// Which record.
    pub record: RecordId,
    /// Until when: later than before. Block time, milliseconds since 1970.
    pub until_ms: u64,
}

/// Sets or lifts a legal hold. Callers: auditors and admins of the hospital of the record's author or of its patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct SetHold {
    /// Which record.
    pub record: RecordId,
    /// Why.
    pub reason: u16,
    /// Sets it; otherwise lifts it.
    pub hold: bool,
}

/// What the care contract emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum CareEvent {
    /// Somebody asks a patient for access.
    Asked {
        /// Whom.
        patient: PrincipalId,
        /// For what.
        wish: AccessWish,
    },
    /// A request was answered.
    Answered {
        /// Whose records.
        patient: PrincipalId,
        /// Which request.
        number: u32,
        /// Whether it was granted.
        approved: bool,
        /// Who answered.
        by: PrincipalId,
    },
    /// A patient named a delegate, or changed what it may do.
    DelegateSet {
        /// Whose.
        patient: PrincipalId,
        /// Who, and what.
        entry: DelegateEntry,
    },
    /// A delegate acts for a patient no longer.
    DelegateEnded {
        /// Whose.
        patient: PrincipalId,
        /// Who.
        delegate: PrincipalId,
    },
    /// A record is kept for longer.
    Retained {
        /// Which.
        record: RecordId,
        /// Until when: block time, milliseconds since 1970.
        until_ms: u64,
        /// By whom.
        by: PrincipalId,
    },
    /// A legal hold was set or lifted.
    Hold {
        /// Which record.
        record: RecordId,
        /// Why.
        reason: u16,
        /// Whether it holds now.
        hold: bool,
        /// By whom.
        by: PrincipalId,
    },
}

/// Error codes of the care contract's `abort`.
#[cfg_attr(feature = "schema", abi_codes)]
pub mod error {
    /// The caller's role, or who it is, does not allow this.
    pub const NOT_ALLOWED: u16 = 1;
    /// No such principal, or not of the kind that is needed here.
    pub const UNKNOWN_PRINCIPAL: u16 = 2;
    /// The argument is malformed.
    pub const BAD_INPUT: u16 = 4;
    /// A bound is reached: open requests, delegates, holds.
    pub const TOO_MANY: u16 = 6;
    /// The time has passed, or is not later than before.
    pub const OUT_OF_RANGE: u16 = 7;
    /// No such request, delegation, record or hold.
    pub const UNKNOWN: u16 = 3;
    /// The same hold stands already.
    pub const DUPLICATE: u16 = 8;
    /// There is no grant of exactly what was asked: grant first.
    pub const NOT_GRANTED: u16 = 5;
}
