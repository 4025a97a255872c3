//! The care contract: what people arrange around a patient's records, apart from the decision about a read.
//!
//! ```text
//! doctor   -- ask ------------------> request   -- patient grants (access contract), then answers; or refuses
//! patient  -- set_delegate ---------> delegation   parent, carer: reads, and if it manages, grants for the patient
//! hospital -- retain, set_hold -----> custody   what keeps a record from being shredded
//! ```
//!
//! The access contract asks for delegations and custody; this one asks it for records, grants and standings. Neither writes
//! in the other. Messages, events and error codes are the interface ([`salus_sdk::abi::care`]).
//!
//! ```text
//! place  key                   value        meaning
//! 'q'    patient               Requests     open requests, at most 32, and the next number
//! 'd'    patient, delegate     Delegation   at most 8 of one patient
//! 'k'    patient, record       Custody      none while nothing keeps the record
//! ```
//!
//! ## Invariants
//!
//! - Nobody but the patient names a delegate; a delegate can't.
//! - A request never becomes a grant here: an answer says what the access contract shows.
//! - A retention is only ever prolonged; a hold is lifted only by who may set it, and everyone can see who did.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod custody;
mod delegation;
mod requests;

use salus_sdk::abi::care::{entry, error, query};
use salus_sdk::abi::registry::Role;
use salus_sdk::{Abort, Ctx, PrincipalId, contract};

contract! {
    instantiate: instantiate;
    execute {
        entry::ASK => requests::ask,
        entry::ANSWER => requests::answer,
        entry::SET_DELEGATE => delegation::set_delegate,
        entry::RESIGN => delegation::resign,
        entry::RETAIN => custody::retain,
        entry::SET_HOLD => custody::set_hold,
    }
    query {
        query::REQUESTS => requests::requests,
        query::DELEGATION => delegation::delegation,
        query::DELEGATES => delegation::delegates,
        query::CUSTODY => custody::custody,
        query::MAY_SHRED => custody::shreddable,
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

/// Refuses what is not an active patient.
fn require_patient(cx: &Ctx, patient: PrincipalId) -> Result<(), Abort> {
    if cx.has_role(patient, Role::Patient) {
        Ok(())
    } else {
        Err(Abort(error::UNKNOWN_PRINCIPAL))
    }
}
