//! What changes grants and records besides the patient's and the author's first word: a delegate's act, another dealing, the
//! end of a record.

use super::{AddRecord, GrantAccess, RecordId, RevokeAccess};
use crate::{PrincipalId, RecordNumber};
use bincode::{Decode, Encode};
#[cfg(feature = "schema")]
use salus_sdk_macros::AbiSchema as Schema;

/// What a delegate does in a patient's name. Callers: delegates who manage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct ActFor {
    /// For whom.
    pub patient: PrincipalId,
    /// What.
    pub act: Act,
}

/// An act of a patient that a delegate may do for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum Act {
    /// Lets a principal read, within the delegate's own scope and time.
    Grant(GrantAccess),
    /// Ends a grant.
    Revoke(RevokeAccess),
}

/// Ends a record for good: members delete its key shares. Callers: the patient, and admins of its hospital. Refused while the
/// care contract knows a reason to keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Shred {
    /// Which record.
    pub record: RecordId,
}

/// Puts another dealing of a record in the place of the one in force: a new data key, digest and root. Grants and number stay, and
/// members release only the new pieces. Caller: the record's author.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct ReplaceRecord {
    /// Which of the patient's records.
    pub record: RecordNumber,
    /// The new dealing, of the same patient and class.
    pub dealing: AddRecord,
}
