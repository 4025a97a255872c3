//! The registry's artefact: who may enrol, delete and change whom.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_abi::ContractId;
use salus_abi::PrincipalId;
use salus_abi::codec::{Decode, Encode};
use salus_abi::domain::Tag;
use salus_abi::registry::{
    AddUser, DeleteUser, PatientAddress, Principal, Role, RotateKeys, SetAttribute, Status, entry, error,
    query,
};
use salus_contract_tests::who::{ADMIN, DEVICE, DOCTOR, MANAGER, NOBODY, OTHER_ADMIN, PATIENT, STRANGER};
use salus_contract_tests::{Answer, CHAIN, World, address, person_key};

fn registry<O: Encode + Decode<()>>(
    world: &mut World,
    caller: PrincipalId,
    entry: u8,
    argument: &impl Encode,
) -> Answer<O> {
    world.execute(caller, ContractId::REGISTRY, entry, argument)
}

fn user(key: u32, role: Role, address: Option<PatientAddress>) -> AddUser {
    AddUser {
        signing_key: *person_key(key).public().as_bytes(),
        encryption_key: [7; 32],
        role,
        address,
    }
}

fn principal(world: &World, id: PrincipalId) -> Option<Principal> {
    world
        .query(ContractId::REGISTRY, query::PRINCIPAL, &id)
        .result
        .unwrap()
}

#[test]
fn principals_are_numbered_and_belong_to_the_hospital_that_enrols_them() {
    let mut world = World::new();
    let next: PrincipalId = world
        .query(ContractId::REGISTRY, query::NEXT_PRINCIPAL, &())
        .result
        .unwrap();
    assert_eq!(next, NOBODY);
    let added = registry(
        &mut world,
        OTHER_ADMIN,
        entry::ADD_USER,
        &user(50, Role::Doctor, None),
    );
    assert_eq!(added.result, Ok(NOBODY));
    let doctor = principal(&world, NOBODY).unwrap();
    assert_eq!(
        doctor.organisation,
        principal(&world, OTHER_ADMIN).unwrap().organisation
    );
    assert_eq!((doctor.role, doctor.status), (Role::Doctor, Status::Active));
    let again = registry::<PrincipalId>(
        &mut world,
        MANAGER,
        entry::ADD_USER,
        &user(51, Role::Doctor, None),
    );
    assert_eq!(again.result, Ok(PrincipalId::new(10)));
}

#[test]
fn only_admins_and_managers_enrol_and_managers_not_everyone() {
    let mut world = World::new();
    for (caller, role, allowed) in [
        (MANAGER, Role::Doctor, true),
        (MANAGER, Role::Operator, false),
        (MANAGER, Role::Admin, false),
        (ADMIN, Role::Admin, true),
        (ADMIN, Role::Operator, true),
        (DOCTOR, Role::Doctor, false),
        (PATIENT, Role::Doctor, false),
        (NOBODY, Role::Doctor, false),
    ] {
        let mut copy = world.clone();
        let answer = registry::<PrincipalId>(&mut copy, caller, entry::ADD_USER, &user(60, role, None));
        let expected = (!allowed).then_some(error::NOT_ALLOWED);
        assert_eq!(answer.abort(), expected, "{caller} enrols {role:?}");
    }
    let unknown = world.execute::<()>(ADMIN, ContractId::REGISTRY, 99, &());
    assert_eq!(unknown.abort(), Some(0xff00), "no such entry");
}

#[test]
fn keys_and_addresses_are_taken_for_ever() {
    let mut world = World::new();
    let add = |world: &mut World, user: &AddUser| -> Option<u16> {
        registry::<PrincipalId>(world, ADMIN, entry::ADD_USER, user).abort()
    };
    assert_eq!(
        add(&mut world, &user(DOCTOR.get(), Role::Doctor, None)),
        Some(error::KEY_TAKEN)
    );
    assert_eq!(
        add(&mut world, &user(50, Role::Patient, Some(address(4)))),
        Some(error::BAD_ADDRESS),
        "taken"
    );
    assert_eq!(
        add(&mut world, &user(50, Role::Patient, None)),
        Some(error::BAD_ADDRESS),
        "missing"
    );
    assert_eq!(
        add(&mut world, &user(50, Role::Doctor, Some(address(9)))),
        Some(error::BAD_ADDRESS),
        "needless"
    );
    assert_eq!(
        add(&mut world, &user(50, Role::Device, Some(address(9)))),
        Some(error::BAD_ADDRESS),
        "no owner"
    );
    assert_eq!(add(&mut world, &user(50, Role::Device, Some(address(4)))), None);
    assert_eq!(add(&mut world, &user(51, Role::Patient, Some(address(9)))), None);
    let found: Option<PrincipalId> = world
        .query(ContractId::REGISTRY, query::FIND_PATIENT, &address(9))
        .result
        .unwrap();
    assert_eq!(
        found,
        Some(PrincipalId::new(10)),
        "failed attempts took no number"
    );

    let gone = DeleteUser {
        principal: PrincipalId::new(10),
    };
    assert_eq!(
        registry::<()>(&mut world, ADMIN, entry::DELETE_USER, &gone).result,
        Ok(())
    );
    assert_eq!(
        add(&mut world, &user(51, Role::Doctor, None)),
        Some(error::KEY_TAKEN),
        "its owner is deleted"
    );
    assert_eq!(
        add(&mut world, &user(52, Role::Patient, Some(address(9)))),
        Some(error::BAD_ADDRESS)
    );
    assert_eq!(
        add(&mut world, &user(53, Role::Device, Some(address(9)))),
        Some(error::BAD_ADDRESS)
    );
}

#[test]
fn deletion_stays_within_the_hospital_and_the_entry_stays() {
    let mut world = World::new();
    let delete = |world: &mut World, caller, principal| -> Option<u16> {
        registry::<()>(world, caller, entry::DELETE_USER, &DeleteUser { principal }).abort()
    };
    assert_eq!(
        delete(&mut world, OTHER_ADMIN, DOCTOR),
        Some(error::NOT_ALLOWED),
        "another hospital's"
    );
    assert_eq!(
        delete(&mut world, MANAGER, ADMIN),
        Some(error::NOT_ALLOWED),
        "stands above"
    );
    assert_eq!(
        delete(&mut world, ADMIN, ADMIN),
        Some(error::NOT_ALLOWED),
        "itself"
    );
    assert_eq!(delete(&mut world, DOCTOR, PATIENT), Some(error::NOT_ALLOWED));
    assert_eq!(delete(&mut world, ADMIN, NOBODY), Some(error::UNKNOWN_PRINCIPAL));
    assert_eq!(delete(&mut world, MANAGER, DOCTOR), None);
    assert_eq!(principal(&world, DOCTOR).unwrap().status, Status::Deleted);
    assert_eq!(
        delete(&mut world, MANAGER, DOCTOR),
        Some(error::UNKNOWN_PRINCIPAL),
        "twice"
    );
    assert_eq!(
        delete(&mut world, DOCTOR, PATIENT),
        Some(error::NOT_ALLOWED),
        "by a deleted one"
    );
}

fn rotation(new: u32, signed_for: PrincipalId) -> RotateKeys {
    rotation_under(Tag::KEY_PROOF, new, signed_for)
}

fn rotation_under(tag: Tag, new: u32, signed_for: PrincipalId) -> RotateKeys {
    let key = person_key(new);
    let (signing_key, encryption_key) = (*key.public().as_bytes(), [8; 32]);
    let mut payload = signed_for.get().to_be_bytes().to_vec();
    payload.extend_from_slice(&signing_key);
    payload.extend_from_slice(&encryption_key);
    RotateKeys {
        signing_key,
        encryption_key,
        proof: *key.sign(tag, &CHAIN, &payload).as_bytes(),
    }
}

#[test]
fn keys_are_rotated_with_a_proof_and_old_ones_never_come_back() {
    let mut world = World::new();
    let rotate = |world: &mut World, caller, rotation: &RotateKeys| -> Option<u16> {
        registry::<()>(world, caller, entry::ROTATE_KEYS, rotation).abort()
    };
    let stolen = rotation(70, STRANGER);
    assert_eq!(
        rotate(&mut world, DOCTOR, &stolen),
        Some(error::BAD_PROOF),
        "a proof for someone else"
    );
    let transaction = rotation_under(Tag::TRANSACTION, 70, DOCTOR);
    assert_eq!(
        rotate(&mut world, DOCTOR, &transaction),
        Some(error::BAD_PROOF),
        "signed as a transaction"
    );
    let mut swapped = rotation(70, DOCTOR);
    swapped.encryption_key = [9; 32];
    assert_eq!(
        rotate(&mut world, DOCTOR, &swapped),
        Some(error::BAD_PROOF),
        "the other key was swapped"
    );
    let taken = rotation(STRANGER.get(), DOCTOR);
    assert_eq!(rotate(&mut world, DOCTOR, &taken), Some(error::KEY_TAKEN));

    assert_eq!(rotate(&mut world, DOCTOR, &rotation(70, DOCTOR)), None);
    let doctor = principal(&world, DOCTOR).unwrap();
    assert_eq!(doctor.signing_key, *person_key(70).public().as_bytes());
    assert_eq!(doctor.encryption_key, [8; 32]);
    assert_eq!(
        rotate(&mut world, DOCTOR, &rotation(70, DOCTOR)),
        None,
        "only the encryption key"
    );
    let back = rotation(DOCTOR.get(), DOCTOR);
    assert_eq!(
        rotate(&mut world, DOCTOR, &back),
        Some(error::KEY_TAKEN),
        "the old key"
    );
}

#[test]
fn admins_set_attributes_of_their_own_people() {
    let mut world = World::new();
    let set = |world: &mut World, caller, number, value: Option<Vec<u8>>| -> Option<u16> {
        let argument = SetAttribute {
            principal: DOCTOR,
            number,
            value,
        };
        registry::<()>(world, caller, entry::SET_ATTRIBUTE, &argument).abort()
    };
    assert_eq!(
        set(&mut world, MANAGER, 1, Some(vec![1])),
        Some(error::NOT_ALLOWED)
    );
    assert_eq!(
        set(&mut world, OTHER_ADMIN, 1, Some(vec![1])),
        Some(error::NOT_ALLOWED)
    );
    assert_eq!(
        set(&mut world, ADMIN, 1, Some(vec![0; 65])),
        Some(error::BAD_INPUT)
    );
    assert_eq!(set(&mut world, ADMIN, 2, Some(vec![2])), None);
    assert_eq!(set(&mut world, ADMIN, 1, Some(vec![1])), None);
    assert_eq!(
        principal(&world, DOCTOR).unwrap().attributes,
        [(1, vec![1]), (2, vec![2])]
    );
    assert_eq!(set(&mut world, ADMIN, 2, None), None);
    assert_eq!(principal(&world, DOCTOR).unwrap().attributes, [(1, vec![1])]);
}

#[test]
fn malformed_arguments_are_refused() {
    let mut world = World::new();
    let short = world.execute::<()>(ADMIN, ContractId::REGISTRY, entry::DELETE_USER, &());
    assert_eq!(short.abort(), Some(error::BAD_INPUT));
    let long = world.execute::<()>(ADMIN, ContractId::REGISTRY, entry::DELETE_USER, &(DEVICE, 0u8));
    assert_eq!(long.abort(), Some(error::BAD_INPUT));
}
