//! The registry contract: who may act on the chain, with which keys and in which role.
//!
//! The messages, error codes and the place of a principal in the state are the interface
//! ([`salus_sdk::abi::registry`]); validators read senders' keys and roles straight from it.
//!
//! ```text
//! place  key               value           meaning
//! 'p'    principal         Principal       what is known of it; the interface's `principal_key`
//! 'k'    signing key       PrincipalId     whoever uses it now or used it once
//! 'a'    patient address   PrincipalId     the patient
//! 'n'                      PrincipalId     the number that the next principal gets
//! 'g'    principal         Guardians       who may give it new keys; none unless it named them
//! 'v'    principal, guardian   Recovery    the keys that a guardian wants for it, and who agreed
//! ```
//!
//! ## Invariants
//!
//! - Numbers count up from 0 and are never given twice; no entry is ever removed.
//! - A signing key belongs to one principal for ever: a key that was rotated away, or whose owner was deleted, comes
//!   back for nobody, so that an old signature can never speak for someone new.
//! - A patient address names one principal for ever.
//! - Nobody changes its own role, nobody deletes itself, and a manager never creates or deletes those who stand above
//!   it. Only patients change their hospital, and only they themselves.
//! - Keys change by the key that they replace, or by as many guardians as their owner wanted, after a time in which the
//!   live key can stop them.
//! - Every change tells the world what it was and who made it.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod guardians;
mod recovery;
mod rules;

use alloc::vec::Vec;
use rules::{attributes_valid, is_staff, may_administer, put_attribute};
use salus_sdk::abi::domain::{self, Tag};
use salus_sdk::abi::registry::{
    AddUser, ChangeHospital, DeleteUser, Instantiate, PatientAddress, Principal, RegistryEvent, Role,
    RotateKeys, SetAttribute, SetRole, Status, entry, error, query,
};
use salus_sdk::{Abort, Ctx, Item, Map, PrincipalId, contract};

const PRINCIPALS: Map<PrincipalId, Principal> = Map::new(b'p');
const KEYS: Map<[u8; 32], PrincipalId> = Map::new(b'k');
const PATIENTS: Map<PatientAddress, PrincipalId> = Map::new(b'a');
const NEXT: Item<PrincipalId> = Item::new(b'n');

/// The interface passes principals as `i32`, where negative numbers mean nobody.
const PRINCIPAL_MAX: u32 = i32::MAX.cast_unsigned();

contract! {
    instantiate: instantiate;
    execute {
        entry::ADD_USER => add_user,
        entry::DELETE_USER => delete_user,
        entry::ROTATE_KEYS => rotate_keys,
        entry::SET_ATTRIBUTE => set_attribute,
        entry::SET_ROLE => set_role,
        entry::CHANGE_HOSPITAL => change_hospital,
        entry::SET_GUARDIANS => guardians::set_guardians,
        entry::START_RECOVERY => guardians::start_recovery,
        entry::APPROVE_RECOVERY => guardians::approve_recovery,
        entry::VETO_RECOVERY => guardians::veto_recovery,
        entry::FINISH_RECOVERY => guardians::finish_recovery,
    }
    query {
        query::PRINCIPAL => principal,
        query::FIND_PATIENT => find_patient,
        query::NEXT_PRINCIPAL => next_principal,
        query::GUARDIANS => guardians::guardians,
        query::RECOVERIES => guardians::recoveries,
        query::OWNS_DEVICE => owns_device,
    }
}

fn instantiate(cx: &mut Ctx, argument: Instantiate) -> Result<(), Abort> {
    for principal in &argument.principals {
        if !attributes_valid(&principal.attributes) {
            return Err(Abort(error::BAD_INPUT));
        }
        enrol(cx, principal)?;
    }
    Ok(())
}

fn add_user(cx: &mut Ctx, argument: AddUser) -> Result<PrincipalId, Abort> {
    let (by, caller) = caller(cx)?;
    if !may_administer(caller.role, argument.role) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    let (role, organisation) = (argument.role, caller.organisation);
    let principal = Principal {
        signing_key: argument.signing_key,
        encryption_key: argument.encryption_key,
        role,
        organisation,
        status: Status::Active,
        address: argument.address,
        attributes: Vec::new(),
    };
    let principal = enrol(cx, &principal)?;
    cx.emit(&RegistryEvent::UserAdded {
        principal,
        role,
        organisation,
        by,
    });
    Ok(principal)
}

fn delete_user(cx: &mut Ctx, argument: DeleteUser) -> Result<(), Abort> {
    let (by, caller) = caller(cx)?;
    let mut principal = colleague(cx, by, &caller, argument.principal)?;
    if !may_administer(caller.role, principal.role) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    principal.status = Status::Deleted;
    PRINCIPALS.set(cx, &argument.principal, &principal);
    cx.emit(&RegistryEvent::UserDeleted {
        principal: argument.principal,
        by,
    });
    Ok(())
}

fn set_role(cx: &mut Ctx, argument: SetRole) -> Result<(), Abort> {
    let SetRole { principal: id, role } = argument;
    let (by, caller) = caller(cx)?;
    let mut principal = colleague(cx, by, &caller, id)?;
    if caller.role != Role::Admin || !is_staff(principal.role) || !is_staff(role) {
        return Err(Abort(error::NOT_ALLOWED));
    }
    principal.role = role;
    PRINCIPALS.set(cx, &id, &principal);
    cx.emit(&RegistryEvent::RoleSet {
        principal: id,
        role,
        by,
    });
    Ok(())
}

fn change_hospital(cx: &mut Ctx, argument: ChangeHospital) -> Result<(), Abort> {
    let organisation = argument.organisation;
    let (id, mut principal) = caller(cx)?;
    if principal.role != Role::Patient {
        return Err(Abort(error::NOT_ALLOWED));
    }
    if cx.member_key(organisation).is_none() {
        return Err(Abort(error::BAD_INPUT));
    }
    principal.organisation = organisation;
    PRINCIPALS.set(cx, &id, &principal);
    cx.emit(&RegistryEvent::HospitalChanged {
        principal: id,
        organisation,
    });
    Ok(())
}

fn rotate_keys(cx: &mut Ctx, argument: RotateKeys) -> Result<(), Abort> {
    let (id, mut principal) = caller(cx)?;
    prove_key(
        cx,
        id,
        &argument.signing_key,
        &argument.encryption_key,
        &argument.proof,
    )?;
    if argument.signing_key != principal.signing_key {
        take_key(cx, &argument.signing_key, id)?;
    }
    principal.signing_key = argument.signing_key;
    principal.encryption_key = argument.encryption_key;
    PRINCIPALS.set(cx, &id, &principal);
    guardians::drop_recoveries(cx, id);
    cx.emit(&RegistryEvent::KeysRotated { principal: id });
    Ok(())
}

fn set_attribute(cx: &mut Ctx, argument: SetAttribute) -> Result<(), Abort> {
    let (by, caller) = caller(cx)?;
    let mut principal = active(cx, argument.principal)?;
    if caller.role != Role::Admin || principal.organisation != caller.organisation {
        return Err(Abort(error::NOT_ALLOWED));
    }
    if !put_attribute(&mut principal.attributes, argument.number, argument.value) {
        return Err(Abort(error::BAD_INPUT));
    }
    PRINCIPALS.set(cx, &argument.principal, &principal);
    cx.emit(&RegistryEvent::AttributeSet {
        principal: argument.principal,
        number: argument.number,
        by,
    });
    Ok(())
}

fn principal(cx: &Ctx, id: PrincipalId) -> Result<Option<Principal>, Abort> {
    Ok(PRINCIPALS.get(cx, &id))
}

fn find_patient(cx: &Ctx, address: PatientAddress) -> Result<Option<PrincipalId>, Abort> {
    Ok(PATIENTS.get(cx, &address))
}

fn next_principal(cx: &Ctx, (): ()) -> Result<PrincipalId, Abort> {
    Ok(NEXT.get(cx).unwrap_or(PrincipalId::new(0)))
}

/// Whether a device carries a patient's address, both active.
fn owns_device(cx: &Ctx, (device, patient): (PrincipalId, PrincipalId)) -> Result<bool, Abort> {
    let address = |id, role| match active(cx, id) {
        Ok(principal) if principal.role == role => principal.address,
        _ => None,
    };
    let owner = address(device, Role::Device);
    Ok(owner.is_some() && owner == address(patient, Role::Patient))
}

/// Who signed the transaction, and what is known of it. Only active principals get this far.
fn caller(cx: &Ctx) -> Result<(PrincipalId, Principal), Abort> {
    let id = cx.caller().ok_or(Abort(error::NOT_ALLOWED))?;
    let principal = active(cx, id).map_err(|_| Abort(error::NOT_ALLOWED))?;
    Ok((id, principal))
}

fn active(cx: &Ctx, id: PrincipalId) -> Result<Principal, Abort> {
    PRINCIPALS
        .get(cx, &id)
        .filter(|principal| principal.status == Status::Active)
        .ok_or(Abort(error::UNKNOWN_PRINCIPAL))
}

/// An active principal of the caller's hospital, other than the caller.
fn colleague(cx: &Ctx, by: PrincipalId, caller: &Principal, id: PrincipalId) -> Result<Principal, Abort> {
    let principal = active(cx, id)?;
    if id != by && principal.organisation == caller.organisation {
        Ok(principal)
    } else {
        Err(Abort(error::NOT_ALLOWED))
    }
}

/// Checks that the owner of new keys for `id` has them: that it signed them with the new signing key.
fn prove_key(
    cx: &Ctx,
    id: PrincipalId,
    signing_key: &[u8; 32],
    encryption_key: &[u8; 32],
    proof: &[u8; 64],
) -> Result<(), Abort> {
    let mut payload = id.get().to_be_bytes().to_vec();
    payload.extend_from_slice(signing_key);
    payload.extend_from_slice(encryption_key);
    let message = domain::message(Tag::KEY_PROOF, &cx.chain_id(), &payload);
    if cx.verify(signing_key, &message, proof) {
        Ok(())
    } else {
        Err(Abort(error::BAD_PROOF))
    }
}

/// Gives a principal the next number, and takes its key and its address.
fn enrol(cx: &mut Ctx, principal: &Principal) -> Result<PrincipalId, Abort> {
    let id = next_principal(cx, ())?;
    let next = id.next().filter(|next| next.get() <= PRINCIPAL_MAX);
    let next = next.ok_or(Abort(error::BAD_INPUT))?;
    take_key(cx, &principal.signing_key, id)?;
    match (principal.role, principal.address) {
        (Role::Patient, Some(address)) if PATIENTS.get(cx, &address).is_none() => {
            PATIENTS.set(cx, &address, &id);
        }
        (Role::Device, Some(address)) if is_active_patient(cx, &address) => {}
        (Role::Patient | Role::Device, _) | (_, Some(_)) => return Err(Abort(error::BAD_ADDRESS)),
        (_, None) => {}
    }
    PRINCIPALS.set(cx, &id, principal);
    NEXT.set(cx, &next);
    Ok(id)
}

fn is_active_patient(cx: &Ctx, address: &PatientAddress) -> bool {
    PATIENTS.get(cx, address).is_some_and(|id| active(cx, id).is_ok())
}

fn take_key(cx: &mut Ctx, key: &[u8; 32], id: PrincipalId) -> Result<(), Abort> {
    if KEYS.get(cx, key).is_some() {
        return Err(Abort(error::KEY_TAKEN));
    }
    KEYS.set(cx, key, &id);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_sdk::abi::registry::principal_key;

    #[test]
    fn principals_lie_where_the_interface_says() {
        let id = PrincipalId::new(0x0102_0304);
        assert_eq!(PRINCIPALS.state_key(&id), principal_key(id));
    }
}
