//! Decisions, grants, standings and the access log.

use super::{base64, hex};
use salus_types::abi::access::{
    AccessEvent, Decision, Finding, Grant, GrantEntry, LogEntry, Obligations, OpenTicket, Purposes, Scope,
    Standing, reason,
};
use salus_types::codec;
use serde::Serialize;
use utoipa::ToSchema;

/// The contract's answer to a request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[schema(as = Decision)]
pub(crate) enum DecisionDto {
    /// A ticket was written.
    Permit {
        /// Why.
        reason: ReasonDto,
        /// How long the ticket lasts: block time, milliseconds since 1970, as a decimal string.
        until_ms: String,
        /// What comes with it: `notify-patient`, `review`.
        obligations: Vec<&'static str>,
    },
    /// No ticket.
    Deny {
        /// Why.
        reason: ReasonDto,
        /// Where the requester stands after this refusal.
        standing: StandingDto,
    },
}

/// Why a decision is what it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reason)]
pub(crate) struct ReasonDto {
    /// The code on the chain; from 256 on a rule's own.
    #[schema(example = 32)]
    pub(crate) code: u16,
    /// Its name; `rule` for a rule's own codes.
    #[schema(example = "no-grant")]
    pub(crate) name: &'static str,
    /// In plain words, as the middle of a sentence.
    pub(crate) text: String,
}

/// How a principal stands after its refusals.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
#[schema(as = Standing)]
pub(crate) enum StandingDto {
    /// Never refused since the last lift.
    Good,
    /// Refused; the third refusal brings a penalty.
    Warned {
        /// Refusals so far.
        refusals: u8,
    },
    /// Every request is refused until then.
    Penalised {
        /// Block time, milliseconds since 1970, as a decimal string.
        until_ms: String,
        /// How many penalties so far.
        level: u8,
    },
}

/// How far a grant reaches.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = Scope)]
pub(crate) enum ScopeDto {
    /// One record.
    Record {
        /// Its number.
        record: u32,
    },
    /// All records of a class, now and later.
    Class {
        /// `clinical`, `laboratory`, `imaging`, `medication`, `device`, `document` or `sensitive`.
        class: &'static str,
    },
    /// All records, now and later.
    All,
}

/// A patient's permission for one principal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantDto {
    /// Who may read.
    pub(crate) grantee: u32,
    /// The grant's number, for revoking.
    pub(crate) number: u32,
    /// What may be read.
    pub(crate) scope: ScopeDto,
    /// For what: HL7 v3 PurposeOfUse codes.
    #[schema(example = json!(["TREAT"]))]
    pub(crate) purposes: Vec<&'static str>,
    /// Until when: block time, milliseconds since 1970, as a decimal string.
    pub(crate) until_ms: String,
}

/// One attempt to read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogEntry)]
pub(crate) struct LogEntryDto {
    /// Whose log.
    pub(crate) patient: u32,
    /// Position in the log, from 0.
    pub(crate) index: u64,
    /// Which record was asked for.
    pub(crate) record: u32,
    /// Who asked.
    pub(crate) requester: u32,
    /// For what: an HL7 v3 PurposeOfUse code.
    #[schema(example = "TREAT")]
    pub(crate) purpose: &'static str,
    /// Whether the glass was broken.
    pub(crate) emergency: bool,
    /// The answer.
    pub(crate) decision: DecisionDto,
    /// Block height of the answer.
    pub(crate) height: u64,
    /// The entry's canonical bytes, base64: what the log's hash chain runs over.
    pub(crate) bytes: String,
}

/// Part of a patient's access log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Log)]
pub(crate) struct LogDto {
    /// Entries of the whole log.
    pub(crate) count: u64,
    /// Head of the log's hash chain, hexadecimal: it proves that a log read from 0 is complete.
    pub(crate) head: String,
    /// Ascending, without gaps.
    pub(crate) entries: Vec<LogEntryDto>,
    /// `from` of the next page, if there is one.
    pub(crate) next: Option<u64>,
}

/// What the access contract emitted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[schema(as = AccessEvent)]
pub(crate) enum AccessEventDto {
    /// An attempt to read.
    Access(LogEntryDto),
    /// A record was added.
    RecordAdded {
        /// Whose.
        patient: u32,
        /// Its number.
        record: u32,
    },
    /// A patient allowed someone to read.
    Granted {
        /// Whose records.
        patient: u32,
        /// What, to whom.
        grant: GrantDto,
    },
    /// A patient ended a grant.
    Revoked {
        /// Whose records.
        patient: u32,
        /// Who could read.
        grantee: u32,
        /// Which grant; null for all to that principal.
        number: Option<u32>,
    },
    /// A principal was penalised.
    Penalised {
        /// Who.
        principal: u32,
        /// How it stands.
        standing: StandingDto,
    },
    /// A penalty was lifted.
    Lifted {
        /// Whose.
        principal: u32,
        /// By whom.
        by: u32,
    },
    /// A principal may have blocks opened for a while.
    OpenTicket {
        /// Who.
        principal: u32,
        /// Which blocks, for what, until when.
        ticket: OpenTicketDto,
    },
    /// The event before is a delegate's act in a patient's name.
    ActedFor {
        /// For whom.
        patient: u32,
        /// Who acted.
        delegate: u32,
    },
    /// A permit waits for its review.
    ReviewOpened {
        /// Whose hospital reviews.
        organisation: u16,
        /// Its number among the hospital's reviews.
        number: u32,
        /// When it is overdue: block time, milliseconds since 1970, as a decimal string.
        due_ms: String,
    },
    /// A permit was reviewed.
    Reviewed {
        /// By which hospital.
        organisation: u16,
        /// Which review.
        number: u32,
        /// Who had read.
        requester: u32,
        /// What was found: `justified`, `unjustified`.
        finding: &'static str,
        /// By whom.
        by: u32,
    },
    /// Another dealing took a record's place.
    RecordReplaced {
        /// Whose.
        patient: u32,
        /// Its number.
        record: u32,
        /// The root of the dealing that is no longer in force, hexadecimal.
        before: String,
    },
    /// A record is gone for good.
    RecordShredded {
        /// Whose.
        patient: u32,
        /// Its number.
        record: u32,
        /// The root of its last dealing, hexadecimal.
        root: String,
        /// By whom.
        by: u32,
    },
}

/// Permission to have blocks opened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenTicket)]
pub(crate) struct OpenTicketDto {
    /// The first height.
    pub(crate) from: u64,
    /// The last height.
    pub(crate) to: u64,
    /// For what: an HL7 v3 PurposeOfUse code.
    #[schema(example = "HOPERAT")]
    pub(crate) purpose: &'static str,
    /// Only blocks that extend its holder's own access log.
    pub(crate) own_log_only: bool,
    /// Until when: block time, milliseconds since 1970, as a decimal string.
    pub(crate) until_ms: String,
}

impl From<&Decision> for DecisionDto {
    fn from(decision: &Decision) -> Self {
        match *decision {
            Decision::Permit {
                reason,
                until_ms,
                obligations,
            } => Self::Permit {
                reason: ReasonDto::new(reason),
                until_ms: until_ms.to_string(),
                obligations: obligation_names(obligations),
            },
            Decision::Deny { reason, standing } => Self::Deny {
                reason: ReasonDto::new(reason),
                standing: StandingDto::from(standing),
            },
        }
    }
}

impl ReasonDto {
    fn new(code: u16) -> Self {
        Self {
            code,
            name: reason::name(code),
            text: salus_client::explain_reason(code),
        }
    }
}

fn obligation_names(obligations: Obligations) -> Vec<&'static str> {
    [
        (Obligations::NOTIFY_PATIENT, "notify-patient"),
        (Obligations::REVIEW, "review"),
    ]
    .into_iter()
    .filter(|(one, _)| obligations.contains(*one))
    .map(|(_, name)| name)
    .collect()
}

fn purpose_codes(purposes: Purposes) -> Vec<&'static str> {
    purposes.iter().map(|purpose| purpose.code()).collect()
}

impl From<Standing> for StandingDto {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Good => Self::Good,
            Standing::Warned { refusals } => Self::Warned { refusals },
            Standing::Penalised { until_ms, level } => Self::Penalised {
                until_ms: until_ms.to_string(),
                level,
            },
        }
    }
}

impl From<&OpenTicket> for OpenTicketDto {
    fn from(ticket: &OpenTicket) -> Self {
        Self {
            from: ticket.from,
            to: ticket.to,
            purpose: ticket.purpose.code(),
            own_log_only: ticket.own_log_only,
            until_ms: ticket.until_ms.to_string(),
        }
    }
}

impl From<Scope> for ScopeDto {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Record(record) => Self::Record { record: record.get() },
            Scope::Class(class) => Self::Class { class: class.name() },
            Scope::All => Self::All,
        }
    }
}

impl From<&GrantEntry> for GrantDto {
    fn from(entry: &GrantEntry) -> Self {
        let Grant {
            scope,
            purposes,
            until_ms,
        } = entry.grant;
        Self {
            grantee: entry.grantee.get(),
            number: entry.number,
            scope: scope.into(),
            purposes: purpose_codes(purposes),
            until_ms: until_ms.to_string(),
        }
    }
}

impl From<&LogEntry> for LogEntryDto {
    fn from(entry: &LogEntry) -> Self {
        Self {
            patient: entry.patient.get(),
            index: entry.index,
            record: entry.record.get(),
            requester: entry.requester.get(),
            purpose: entry.purpose.code(),
            emergency: entry.emergency,
            decision: DecisionDto::from(&entry.decision),
            height: entry.height,
            bytes: base64(&codec::encode(entry)),
        }
    }
}

impl LogDto {
    pub(crate) fn new(from: u64, page: &crate::LogPage) -> Self {
        let read = from.saturating_add(u64::try_from(page.entries.len()).unwrap_or(u64::MAX));
        Self {
            count: page.head.count,
            head: hex(&page.head.head),
            entries: page.entries.iter().map(LogEntryDto::from).collect(),
            next: (!page.entries.is_empty() && read < page.head.count).then_some(read),
        }
    }
}

impl From<&AccessEvent> for AccessEventDto {
    fn from(event: &AccessEvent) -> Self {
        match event {
            AccessEvent::ActedFor { patient, delegate } => Self::ActedFor {
                patient: patient.get(),
                delegate: delegate.get(),
            },
            AccessEvent::ReviewOpened {
                organisation,
                number,
                due_ms,
            } => Self::ReviewOpened {
                organisation: organisation.get(),
                number: *number,
                due_ms: due_ms.to_string(),
            },
            AccessEvent::Reviewed {
                organisation,
                number,
                requester,
                finding,
                by,
            } => Self::Reviewed {
                organisation: organisation.get(),
                number: *number,
                requester: requester.get(),
                finding: match finding {
                    Finding::Justified => "justified",
                    Finding::Unjustified => "unjustified",
                },
                by: by.get(),
            },
            AccessEvent::RecordReplaced { record, before } => Self::RecordReplaced {
                patient: record.patient.get(),
                record: record.record.get(),
                before: hex(before),
            },
            AccessEvent::RecordShredded { record, root, by } => Self::RecordShredded {
                patient: record.patient.get(),
                record: record.record.get(),
                root: hex(root),
                by: by.get(),
            },
            AccessEvent::Access(entry) => Self::Access(entry.into()),
            AccessEvent::RecordAdded(id) => Self::RecordAdded {
                patient: id.patient.get(),
                record: id.record.get(),
            },
            AccessEvent::Granted { patient, entry } => Self::Granted {
                patient: patient.get(),
                grant: entry.into(),
            },
            AccessEvent::Revoked {
                patient,
                grantee,
                number,
            } => Self::Revoked {
                patient: patient.get(),
                grantee: grantee.get(),
                number: *number,
            },
            AccessEvent::Penalised { principal, standing } => Self::Penalised {
                principal: principal.get(),
                standing: (*standing).into(),
            },
            AccessEvent::OpenTicket { principal, ticket } => Self::OpenTicket {
                principal: principal.get(),
                ticket: ticket.into(),
            },
            AccessEvent::Lifted { principal, by } => Self::Lifted {
                principal: principal.get(),
                by: by.get(),
            },
        }
    }
}
