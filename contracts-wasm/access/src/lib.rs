//! The access contract: who may read which record, why, and what became of every attempt.
//!
//! Nguyen et al. (IEEE Access 2019) call its entries PolicyList, RetrieveEHRs and Penalty. Unlike there, a read is a
//! transaction whose answer is logged either way, a grant ends and can be revoked, and only a refusal that the
//! requester could have avoided counts towards a penalty. Messages, reasons and error codes are the interface
//! ([`salus_sdk::abi::access`]).
//!
//! ```text
//! retrieve --> facts from the state --> decision::decide   penalty? emergency? own? a grant or a delegation that reaches it?
//!                                            | a basis, or a reason against
//!                                       decision::ask_rules     any rule may refuse (deny-overrides)
//!                                            |
//!                                       decision::settle   Permit: a ticket          Deny: the requester's standing
//!                                            |
//!                                       log: next entry, chained to the one before   -> event Access(LogEntry)
//!                                            |
//!                                       reviews: a permit that obliges to one waits until somebody closes it
//! ```
//!
//! State; places `r` and `l` are part of the interface, for proofs.
//!
//! ```text
//! place  key                              value          meaning
//! 'r'    patient, record                  Record         what is known of a record
//! 'n'    patient                          RecordNumber   the number that the patient's next record gets
//! 'd'    root                             RecordId       the record of a dealing
//! 'g'    patient, grantee                 Grants         at most 16, by number
//! 'c'    patient                          Book           numbers and counts the patient's grants, at most 256
//! 't'    patient, record, requester       Issued         the last ticket, and what it rests on
//! 's'    principal                        Conduct        refusals and penalties; none while there are none
//! 'l'    patient                          LogHead        count and head of the access log
//! 'u'    scope                            rules          at most 8
//! 'o'    principal                        OpenTicket     the last ticket to have blocks opened
//! 'w'    hospital, number                 OpenReview     a permit that waits for its review
//! 'm'    hospital                         u32            the number that the hospital's next review gets
//! ```
//!
//! ## Invariants
//!
//! - Default deny: without a grant, an emergency or ownership there is no ticket, whatever rules say.
//! - A refusal tells nothing of records that the requester can't read: whoever has no live grant reaching a record
//!   gets the same answer whether or not it exists.
//! - One dealing is recorded once. Its root commits to its author and its patient, and receipts name both: nobody
//!   releases another patient's pieces by recording them as its own. A ciphertext's digest commits to nobody, so
//!   knowing it early blocks nothing.
//! - A ticket never outlives its grant: it ends with it at the latest, and at once when the grant is revoked.
//! - Who acts for a patient, and what keeps a record from being shredded, the care contract says. Where it does not answer,
//!   nobody does and everything does.
//! - Every retrieve that is not aborted adds exactly one entry to the patient's log. It writes the log's head, a
//!   ticket if permitted, an open review if one is owed, and a standing only when it changes.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod decision;
mod grants;
mod log;
mod opening;
mod records;
mod retrieve;
mod reviews;
mod rules;
mod standing;

use salus_sdk::abi::access::{entry, error, query};
use salus_sdk::abi::care::{self, Delegation};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, ContractId, Ctx, PrincipalId, contract};

contract! {
    instantiate: instantiate;
    execute {
        entry::ADD_RECORD => records::add_record,
        entry::GRANT => grants::grant,
        entry::REVOKE => grants::revoke,
        entry::RETRIEVE => retrieve::retrieve,
        entry::LIFT_PENALTY => standing::lift_penalty,
        entry::REGISTER_RULE => rules::register,
        entry::OPEN_BLOCKS => opening::open_blocks,
        entry::ACT_FOR => grants::act_for,
        entry::CLOSE_REVIEW => reviews::close,
        entry::REPLACE_RECORD => records::replace,
        entry::SHRED => records::shred,
    }
    query {
        query::RECORD => records::record,
        query::RECORDS => records::records,
        query::POLICY_LIST => grants::policy_list,
        query::TICKET => retrieve::ticket,
        query::STANDING => standing::standing,
        query::LOG_HEAD => log::head,
        query::WOULD_DECIDE => retrieve::would_decide,
        query::RULES => rules::registered,
        query::OPEN_TICKET => opening::open_ticket,
        query::REVIEWS => reviews::reviews,
    }
}

/// The contract starts empty; the chain passes nothing.
fn instantiate(_: &mut Ctx, (): ()) -> Result<(), Abort> {
    Ok(())
}

/// Who signed the transaction.
fn caller(cx: &Ctx) -> Result<PrincipalId, Abort> {
    cx.caller().ok_or(Abort(error::NOT_ALLOWED))
}

/// Who signed the transaction, if it is a patient.
fn calling_patient(cx: &Ctx) -> Result<PrincipalId, Abort> {
    let caller = caller(cx)?;
    if cx.has_role(caller, Role::Patient) {
        Ok(caller)
    } else {
        Err(Abort(error::NOT_ALLOWED))
    }
}

/// Refuses what is not an active patient.
fn require_patient(cx: &Ctx, patient: PrincipalId) -> Result<(), Abort> {
    if cx.has_role(patient, Role::Patient) {
        Ok(())
    } else {
        Err(Abort(error::UNKNOWN_PRINCIPAL))
    }
}

/// What a principal may do now in a patient's name.
fn delegation(cx: &Ctx, patient: PrincipalId, delegate: PrincipalId) -> Option<Delegation> {
    cx.query(ContractId::CARE, care::query::DELEGATION, &(patient, delegate))?
}
