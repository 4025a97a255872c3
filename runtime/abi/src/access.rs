//! The access contract: who may read which record, why, and what became of every attempt.

mod changes;
mod reviews;

pub use changes::{Act, ActFor, ReplaceRecord, Shred};
pub use reviews::{CloseReview, Finding, OpenReview, REVIEW_MS, REVIEWS_LIST_MAX, ReviewEntry, ReviewsOf};

use crate::{ContractId, MemberId, PrincipalId, RecordNumber};
use alloc::vec::Vec;
use bincode::{Decode, Encode};
#[cfg(feature = "schema")]
use salus_sdk_macros::{AbiSchema as Schema, abi_codes};

/// Why someone wants to read; the codes of HL7 v3 PurposeOfUse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum Purpose {
    /// TREAT
    Treatment,
    /// ETREAT
    EmergencyTreatment,
    /// HRESCH
    Research,
    /// HPAYMT
    Payment,
    /// HOPERAT
    Operations,
    /// PATRQT
    PatientRequest,
    /// PUBHLTH
    PublicHealth,
}

crate::codec::encode_as_number!(Purpose, RecordClass);

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 7] = [
        Self::Treatment,
        Self::EmergencyTreatment,
        Self::Research,
        Self::Payment,
        Self::Operations,
        Self::PatientRequest,
        Self::PublicHealth,
    ];

    /// The HL7 v3 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Treatment => "TREAT",
            Self::EmergencyTreatment => "ETREAT",
            Self::Research => "HRESCH",
            Self::Payment => "HPAYMT",
            Self::Operations => "HOPERAT",
            Self::PatientRequest => "PATRQT",
            Self::PublicHealth => "PUBHLTH",
        }
    }

    /// The purpose of an HL7 v3 code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }
}

/// A set of purposes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Purposes(u8);

impl Purposes {
    /// The set of the given purposes.
    pub fn of(purposes: &[Purpose]) -> Self {
        Self(purposes.iter().fold(0, |set, purpose| set | 1 << *purpose as u8))
    }

    /// Whether the purpose is in the set.
    pub fn contains(self, purpose: Purpose) -> bool {
        self.0 & 1 << purpose as u8 != 0
    }

    /// Whether there is a purpose in the set, and none that does not exist.
    pub fn is_valid(self) -> bool {
        self.0 != 0 && self.0 < 1 << Purpose::ALL.len()
    }

    /// The purposes in the set, in their order.
    pub fn iter(self) -> impl Iterator<Item = Purpose> {
        Purpose::ALL
            .into_iter()
            .filter(move |purpose| self.contains(*purpose))
    }
}

/// What kind of record it is: coarse on purpose, since it stands in the clear on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum RecordClass {
    /// Encounters, conditions, whole bundles.
    Clinical,
    /// Laboratory results.
    Laboratory,
    /// Images.
    Imaging,
    /// Prescriptions and dispensations.
    Medication,
    /// Readings of a patient's own devices.
    Device,
    /// Letters and scanned documents.
    Document,
    /// Records under special protection.
    Sensitive,
}

impl RecordClass {
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::Clinical,
        Self::Laboratory,
        Self::Imaging,
        Self::Medication,
        Self::Device,
        Self::Document,
        Self::Sensitive,
    ];

    /// A lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clinical => "clinical",
            Self::Laboratory => "laboratory",
            Self::Imaging => "imaging",
            Self::Medication => "medication",
            Self::Device => "device",
            Self::Document => "document",
            Self::Sensitive => "sensitive",
        }
    }

    /// The class of a lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// How far a grant reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum Scope {
    /// One record.
    Record(RecordNumber),
    /// All records of a class, now and later.
    Class(RecordClass),
    /// All records, now and later.
    All,
}

/// A patient's permission for one principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Grant {
    /// What may be read.
    pub scope: Scope,
    /// For what.
    pub purposes: Purposes,
    /// Until when, as block time in milliseconds since 1970. Every grant ends.
    pub until_ms: u64,
}

/// What the chain knows of a record: never its content.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Record {
    /// BLAKE3 of the ciphertext; the digest in its CIDv1.
    pub digest: [u8; 32],
    /// Merkle root over the members' pieces.
    pub root: [u8; 32],
    /// Pieces needed to open it.
    pub threshold: u8,
    /// Pieces dealt.
    pub pieces: u8,
    /// The padded plaintext is `2^(bucket / 4) * (1 + (bucket % 4) / 4)` bytes long.
    pub size_bucket: u8,
    /// What kind it is.
    pub class: RecordClass,
    /// Who wrote it.
    pub author: PrincipalId,
    /// When it was recorded: block time, milliseconds since 1970.
    pub time_ms: u64,
}

/// A member's signed statement that it durably holds its piece of an author's record of a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct StoredReceipt {
    /// Which member; its piece is the one of the same position in the dealing.
    pub member: MemberId,
    /// Signature with the member's consensus key over [`stored_receipt_payload`] under `Tag::RECORD_RECEIPT`.
    pub signature: [u8; 64],
}

/// Bytes of what [`stored_receipt_payload`] returns.
pub const STORED_RECEIPT_PAYLOAD_LENGTH: usize = 74;

/// What a [`StoredReceipt`] signs, to be put under `Tag::RECORD_RECEIPT` and the chain id. Every field has a fixed
/// width, so no two statements share their bytes:
///
/// ```text
/// member u16 BE | patient u32 BE | author u32 BE | digest 32 B | root 32 B
/// ```
///
/// A member takes `patient` and `author` from the piece that it holds, and the contract from the transaction that
/// records it. So receipts serve only the author that dealt the pieces, and only for the patient they were dealt for:
/// whoever copies them cannot put the record on the chain in another name.
pub fn stored_receipt_payload(
    member: MemberId,
    patient: PrincipalId,
    author: PrincipalId,
    digest: &[u8; 32],
    root: &[u8; 32],
) -> Vec<u8> {
    let mut payload = Vec::with_capacity(STORED_RECEIPT_PAYLOAD_LENGTH);
    payload.extend_from_slice(&member.get().to_be_bytes());
    payload.extend_from_slice(&patient.get().to_be_bytes());
    payload.extend_from_slice(&author.get().to_be_bytes());
    payload.extend_from_slice(digest);
    payload.extend_from_slice(root);
    payload
}

/// The entries of `salus_execute`, by number.
pub mod entry {
    /// Argument [`super::AddRecord`], output [`crate::RecordNumber`].
    pub const ADD_RECORD: u8 = 0;
    /// Argument [`super::GrantAccess`], output `u32`: the grant's number.
    pub const GRANT: u8 = 1;
    /// Argument [`super::RevokeAccess`].
    pub const REVOKE: u8 = 2;
    /// RetrieveEHRs: argument [`super::Retrieve`], output [`super::Decision`]. A refusal is an answer, not an error.
    pub const RETRIEVE: u8 = 3;
    /// Argument [`super::LiftPenalty`].
    pub const LIFT_PENALTY: u8 = 4;
    /// Argument [`super::RegisterRule`].
    pub const REGISTER_RULE: u8 = 5;
    /// Argument [`super::OpenBlocks`], output [`super::OpenTicket`].
    pub const OPEN_BLOCKS: u8 = 6;
    /// Argument [`super::ActFor`], output `Option<u32>`: a new grant's number.
    pub const ACT_FOR: u8 = 7;
    /// Argument [`super::CloseReview`].
    pub const CLOSE_REVIEW: u8 = 8;
    /// Argument [`super::ReplaceRecord`].
    pub const REPLACE_RECORD: u8 = 9;
    /// Argument [`super::Shred`].
    pub const SHRED: u8 = 10;
}

/// The entries of `salus_query`, by number.
pub mod query {
    /// Argument [`super::RecordId`], output `Option<Record>`.
    pub const RECORD: u8 = 0;
    /// Argument [`crate::PrincipalId`] (a patient), output `Vec<(RecordNumber, Record)>`, newest first, at most 64.
    pub const RECORDS: u8 = 1;
    /// PolicyList of the paper. Argument [`crate::PrincipalId`] (a patient), output `Vec<super::GrantEntry>`, at most 256.
    pub const POLICY_LIST: u8 = 2;
    /// Argument [`super::TicketId`], output `Option<Ticket>`: a ticket that releases now, by block time. `None` also
    /// when it has ended, when its grant was revoked and when its holder was deleted.
    pub const TICKET: u8 = 3;
    /// Argument [`crate::PrincipalId`], output [`super::Standing`].
    pub const STANDING: u8 = 4;
    /// Argument [`crate::PrincipalId`] (a patient), output [`super::LogHead`].
    pub const LOG_HEAD: u8 = 5;
    /// Argument [`super::AccessRequest`], output [`super::Decision`]: what `retrieve` would answer now; logs nothing.
    pub const WOULD_DECIDE: u8 = 6;
    /// Argument [`super::RuleScope`], output `Vec<ContractId>`: the rules that are asked about its requests, at most 8.
    pub const RULES: u8 = 7;
    /// Argument [`crate::PrincipalId`], output `Option<OpenTicket>`: the ticket with which it has blocks opened now. `None`
    /// also when it has ended and when its holder was deleted.
    pub const OPEN_TICKET: u8 = 8;
    /// Argument [`super::ReviewsOf`], output `Vec<ReviewEntry>`, oldest first, at most [`super::REVIEWS_LIST_MAX`].
    pub const REVIEWS: u8 = 9;
}

/// Where the access contract keeps a record's [`Record`], for proofs of the state.
pub fn record_key(id: RecordId) -> [u8; 9] {
    let [a, b, c, d] = id.patient.get().to_be_bytes();
    let [e, f, g, h] = id.record.get().to_be_bytes();
    [b'r', a, b, c, d, e, f, g, h]
}

/// Where the access contract keeps a patient's [`LogHead`], for proofs of the state; no entry while the log is empty.
pub fn log_head_key(patient: PrincipalId) -> [u8; 5] {
    let [a, b, c, d] = patient.get().to_be_bytes();
    [b'l', a, b, c, d]
}

/// A record of a patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct RecordId {
    /// Whose.
    pub patient: PrincipalId,
    /// Which.
    pub record: RecordNumber,
}

/// A ticket is found by what it releases to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct TicketId {
    /// Whose record.
    pub patient: PrincipalId,
    /// Which record.
    pub record: RecordNumber,
    /// Who may read it.
    pub requester: PrincipalId,
}

/// Permission to release one record to one principal for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Ticket {
    /// For what.
    pub purpose: Purpose,
    /// Until when, as block time in milliseconds since 1970.
    pub until_ms: u64,
}

/// Asks for a ticket to have blocks opened, under the open policy `ticket`. Callers: auditors and admins, for blocks that are
/// there, at most [`OPEN_HEIGHTS_MAX`] of them; patients, for those that extend their own access log. Not while penalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct OpenBlocks {
    /// The first height, at least 1.
    pub from: u64,
    /// The last height, at most the present one.
    pub to: u64,
    /// For what.
    pub purpose: Purpose,
}

/// Permission to have blocks opened for a while. A principal has one at most: a new one takes the place of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct OpenTicket {
    /// The first height.
    pub from: u64,
    /// The last height.
    pub to: u64,
    /// For what.
    pub purpose: Purpose,
    /// Only blocks that extend the holder's own access log, which each member looks up in its own index.
    pub own_log_only: bool,
    /// Until when, as block time in milliseconds since 1970.
    pub until_ms: u64,
}

/// Puts a stored record on the chain. Callers: doctors and managers, the patient, and the patient's devices.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct AddRecord {
    /// Whose.
    pub patient: PrincipalId,
    /// BLAKE3 of the ciphertext.
    pub digest: [u8; 32],
    /// Merkle root over the pieces.
    pub root: [u8; 32],
    /// Pieces needed to open it: more than the members that may lie, `(members - 1) / 3`.
    pub threshold: u8,
    /// Pieces dealt.
    pub pieces: u8,
    /// Size bucket of the padded plaintext.
    pub size_bucket: u8,
    /// What kind it is.
    pub class: RecordClass,
    /// Receipts of at least `n - f` members, sorted by member, each once, for this patient and with the caller as author.
    pub receipts: Vec<StoredReceipt>,
}

/// Lets a principal read. Caller: the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct GrantAccess {
    /// Who may read.
    pub grantee: PrincipalId,
    /// What, for what, until when.
    pub grant: Grant,
}

/// Ends a grant. Caller: the patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct RevokeAccess {
    /// Who could read.
    pub grantee: PrincipalId,
    /// The grant's number; `None` ends all grants to that principal.
    pub number: Option<u32>,
}

/// Asks for a record. Callers: anyone registered; the answer is logged either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Retrieve {
    /// Whose.
    pub patient: PrincipalId,
    /// Which.
    pub record: RecordNumber,
    /// For what.
    pub purpose: Purpose,
    /// Breaks the glass: a doctor reads without a grant, the patient is told, and the act is reviewed.
    pub emergency: bool,
}

/// Lifts a penalty. Callers: an admin of the penalised principal's hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct LiftPenalty {
    /// Whose penalty.
    pub principal: PrincipalId,
}

/// Whose requests a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum RuleScope {
    /// Requests by principals of a hospital.
    Organisation(MemberId),
    /// Requests for records of a class.
    Class(RecordClass),
    /// Every request.
    Everywhere,
}

/// Adds a rule contract, or removes it. Callers: for a hospital's own scope its admins; for every other scope nobody but the chain itself, once the
/// members have voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct RegisterRule {
    /// Which requests it looks at.
    pub scope: RuleScope,
    /// The contract whose `salus_decide` is asked.
    pub rule: ContractId,
    /// Removes it instead.
    pub remove: bool,
}

/// What a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct AccessRequest {
    /// Whose record.
    pub patient: PrincipalId,
    /// Which record.
    pub record: RecordNumber,
    /// Its class.
    pub class: RecordClass,
    /// Who asks.
    pub requester: PrincipalId,
    /// For what.
    pub purpose: Purpose,
    /// Whether the glass is broken.
    pub emergency: bool,
}

/// What a rule answers. Rules combine with deny-overrides; a grant or an emergency is needed besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum RuleDecision {
    /// Nothing against it.
    Abstain,
    /// Refused.
    Deny {
        /// Why: one of [`reason`], or a code of the rule's own from 256.
        reason: u16,
    },
    /// Nothing against it, if these obligations are met.
    Oblige {
        /// What the reader owes.
        obligations: Obligations,
    },
}

/// What comes with a permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct Obligations(pub u8);

impl Obligations {
    /// The patient is told at once.
    pub const NOTIFY_PATIENT: Self = Self(1);
    /// The patient's hospital reviews the act; it waits in [`query::REVIEWS`] until somebody has.
    pub const REVIEW: Self = Self(2);

    /// Both sets together.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in the set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The contract's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum Decision {
    /// A ticket was written.
    Permit {
        /// Why: one of [`reason`].
        reason: u16,
        /// How long the ticket lasts: block time, milliseconds since 1970.
        until_ms: u64,
        /// What comes with it.
        obligations: Obligations,
    },
    /// No ticket.
    Deny {
        /// Why: one of [`reason`], or a rule's own code from 256.
        reason: u16,
        /// Where the requester stands after this refusal.
        standing: Standing,
    },
}

/// Reason codes of decisions.
#[cfg_attr(feature = "schema", abi_codes)]
pub mod reason {
    /// A grant of the patient covers the request.
    pub const GRANTED: u16 = 1;
    /// Patients read their own records.
    pub const OWN_RECORD: u16 = 2;
    /// The glass was broken.
    pub const EMERGENCY: u16 = 3;
    /// The patient let the requester act for it.
    pub const DELEGATED: u16 = 4;
    /// No grant of the patient to the requester.
    pub const NO_GRANT: u16 = 32;
    /// There are grants, but none for this record.
    pub const OUT_OF_SCOPE: u16 = 33;
    /// There are grants for this record, but not for this purpose.
    pub const WRONG_PURPOSE: u16 = 34;
    /// The grant has ended.
    pub const GRANT_EXPIRED: u16 = 35;
    /// The requester is under a penalty.
    pub const PENALISED: u16 = 36;
    /// No such record, or not for this requester to know.
    pub const NO_SUCH_RECORD: u16 = 37;
    /// Only doctors break the glass, and only for emergency treatment.
    pub const NOT_AN_EMERGENCY_ROLE: u16 = 38;
    /// A rule could not be asked, so the answer is no.
    pub const RULE_FAILED: u16 = 39;

    /// A short name for a code: `granted`, `no-grant`, ...; `rule` for a rule's own codes.
    pub fn name(code: u16) -> &'static str {
        match code {
            GRANTED => "granted",
            OWN_RECORD => "own-record",
            EMERGENCY => "emergency",
            DELEGATED => "delegated",
            NO_GRANT => "no-grant",
            OUT_OF_SCOPE => "out-of-scope",
            WRONG_PURPOSE => "wrong-purpose",
            GRANT_EXPIRED => "grant-expired",
            PENALISED => "penalised",
            NO_SUCH_RECORD => "no-such-record",
            NOT_AN_EMERGENCY_ROLE => "not-an-emergency-role",
            RULE_FAILED => "rule-failed",
            _ => "rule",
        }
    }
}

/// How a principal stands after its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum Standing {
    /// Never refused since the last lift.
    Good,
    /// Refused; [`REFUSALS_TO_PENALTY`] refusals bring a penalty.
    Warned {
        /// Refusals so far.
        refusals: u8,
    },
    /// Every request is refused until then.
    Penalised {
        /// Block time, milliseconds since 1970.
        until_ms: u64,
        /// How many penalties so far; each doubles the time.
        level: u8,
    },
}

/// The refusal that turns a warning into a penalty.
pub const REFUSALS_TO_PENALTY: u8 = 3;
/// How long the first penalty lasts, in milliseconds.
pub const PENALTY_MS: u64 = 10 * 60 * 1000;
/// How long a ticket lasts, in milliseconds.
pub const TICKET_MS: u64 = 10 * 60 * 1000;
/// How many blocks one ticket of an auditor or admin opens.
pub const OPEN_HEIGHTS_MAX: u64 = 1_024;
/// How long a ticket of a broken glass lasts, in milliseconds.
pub const EMERGENCY_TICKET_MS: u64 = 2 * 60 * 1000;

/// Where a patient's access log stands: the state proves that a log shown is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct LogHead {
    /// Entries so far.
    pub count: u64,
    /// `BLAKE3(message(Tag::ACCESS_LOG, chain id, previous head ++ encoded entry))`; zeroes when empty.
    pub head: [u8; 32],
}

/// One attempt to read, as it stands in a patient's access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct LogEntry {
    /// Whose log.
    pub patient: PrincipalId,
    /// Position in the log, from 0.
    pub index: u64,
    /// Which record was asked for.
    pub record: RecordNumber,
    /// Who asked.
    pub requester: PrincipalId,
    /// For what.
    pub purpose: Purpose,
    /// Whether the glass was broken.
    pub emergency: bool,
    /// The answer.
    pub decision: Decision,
    /// Block height of the answer.
    pub height: u64,
}

/// A grant with the principal it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub struct GrantEntry {
    /// Who may read.
    pub grantee: PrincipalId,
    /// The grant's number, for revoking.
    pub number: u32,
    /// What, for what, until when.
    pub grant: Grant,
}

/// What the access contract emits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cfg_attr(feature = "schema", derive(Schema))]
pub enum AccessEvent {
    /// An attempt to read.
    Access(LogEntry),
    /// A record was added.
    RecordAdded(RecordId),
    /// A patient allowed someone to read.
    Granted {
        /// Whose records.
        patient: PrincipalId,
        /// To whom, and what.
        entry: GrantEntry,
    },
    /// A patient ended one grant, or all to a principal.
    Revoked {
        /// Whose records.
        patient: PrincipalId,
        /// Who could read.
        grantee: PrincipalId,
        /// Which grant; `None` for all.
        number: Option<u32>,
    },
    /// A principal was penalised.
    Penalised {
        /// Who.
        principal: PrincipalId,
        /// How it stands.
        standing: Standing,
    },
    /// A penalty was lifted.
    Lifted {
        /// Whose.
        principal: PrincipalId,
        /// By whom.
        by: PrincipalId,
    },
    /// A principal may have blocks opened.
    OpenTicket {
        /// Who.
        principal: PrincipalId,
        /// Which blocks, for what, until when.
        ticket: OpenTicket,
    },
    /// The event before this one is a delegate's act in the patient's name.
    ActedFor {
        /// For whom.
        patient: PrincipalId,
        /// Who acted.
        delegate: PrincipalId,
    },
    /// A permit waits for its review.
    ReviewOpened {
        /// Whose hospital reviews.
        organisation: MemberId,
        /// Its number among the hospital's reviews.
        number: u32,
        /// When it is overdue: block time, milliseconds since 1970.
        due_ms: u64,
    },
    /// A permit was reviewed.
    Reviewed {
        /// By which hospital.
        organisation: MemberId,
        /// Which review.
        number: u32,
        /// Who had read.
        requester: PrincipalId,
        /// What was found.
        finding: Finding,
        /// By whom.
        by: PrincipalId,
    },
    /// Another dealing took a record's place.
    RecordReplaced {
        /// Which record.
        record: RecordId,
        /// The root of the dealing that is no longer in force.
        before: [u8; 32],
    },
    /// A record is gone for good: members delete their key shares of it.
    RecordShredded {
        /// Which record.
        record: RecordId,
        /// The root of its last dealing.
        root: [u8; 32],
        /// By whom.
        by: PrincipalId,
    },
}

/// Error codes of the access contract's `abort`.
#[cfg_attr(feature = "schema", abi_codes)]
pub mod error {
    /// The caller's role does not allow this.
    pub const NOT_ALLOWED: u16 = 1;
    /// No such principal, or not of the kind that is needed here.
    pub const UNKNOWN_PRINCIPAL: u16 = 2;
    /// No such grant.
    pub const UNKNOWN_GRANT: u16 = 3;
    /// The argument is malformed.
    pub const BAD_INPUT: u16 = 4;
    /// Too few, repeated, unsorted or invalid receipts; receipts for another patient or another author are invalid.
    pub const BAD_RECEIPTS: u16 = 5;
    /// A bound is reached: grants to one principal, rules of one scope.
    pub const TOO_MANY: u16 = 6;
    /// The threshold would let too few members open the record, the ending time has passed, or blocks are asked for that
    /// are not there or too many.
    pub const OUT_OF_RANGE: u16 = 7;
    /// A record with this root is on the chain already, or this rule registered for the scope already.
    pub const DUPLICATE: u16 = 8;
    /// The principal is under no penalty.
    pub const NO_PENALTY: u16 = 9;
    /// No such record.
    pub const UNKNOWN_RECORD: u16 = 10;
    /// No such open review.
    pub const UNKNOWN_REVIEW: u16 = 11;
    /// The record is retained or held, or the care contract does not answer.
    pub const HELD: u16 = 12;
}
