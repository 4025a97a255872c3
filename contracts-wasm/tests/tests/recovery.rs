//! The registry's artefact: guardians, roles, hospitals, and what is told of every change.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_abi::codec::{Decode, Encode};
use salus_abi::domain::Tag;
use salus_abi::registry::{
    AddUser, ApproveRecovery, ChangeHospital, DeleteUser, FinishRecovery, Guardians, Principal,
    RECOVERY_DELAY_MS_MIN, RecoveryEntry, RegistryEvent, Role, RotateKeys, SetAttribute, SetGuardians,
    SetRole, StartRecovery, entry, error, query,
};
use salus_abi::{ContractId, MemberId, PrincipalId};
use salus_contract_tests::who::{
    ADMIN, DEVICE, DOCTOR, MANAGER, NEIGHBOUR, NOBODY, OTHER_ADMIN, PATIENT, STRANGER,
};
use salus_contract_tests::{Answer, CHAIN, MONDAY_MORNING_MS, World, person_key};

const NOW: u64 = MONDAY_MORNING_MS;
const DELAY_MS: u64 = RECOVERY_DELAY_MS_MIN;
/// The numbers of the keys that are wanted for [`PATIENT`].
const NEW: u32 = 70;
const FALSE: u32 = 71;

fn registry<O: Encode + Decode<()>>(
    world: &mut World,
    caller: PrincipalId,
    entry: u8,
    argument: &impl Encode,
) -> Answer<O> {
    world.execute(caller, ContractId::REGISTRY, entry, argument)
}

fn principal(world: &World, id: PrincipalId) -> Principal {
    let found: Option<Principal> = world
        .query(ContractId::REGISTRY, query::PRINCIPAL, &id)
        .result
        .unwrap();
    found.unwrap()
}

fn name(world: &mut World, guardians: &[PrincipalId], needed: u8) -> Option<u16> {
    let guardians = Guardians {
        guardians: guardians.to_vec(),
        needed,
        delay_ms: DELAY_MS,
    };
    let argument = SetGuardians {
        guardians: Some(guardians),
    };
    registry::<()>(world, PATIENT, entry::SET_GUARDIANS, &argument).abort()
}

fn wanted(key: u32) -> StartRecovery {
    let new = person_key(key);
    let (signing_key, encryption_key) = (*new.public().as_bytes(), [8; 32]);
    let mut payload = PATIENT.get().to_be_bytes().to_vec();
    payload.extend_from_slice(&signing_key);
    payload.extend_from_slice(&encryption_key);
    StartRecovery {
        principal: PATIENT,
        signing_key,
        encryption_key,
        proof: *new.sign(Tag::KEY_PROOF, &CHAIN, &payload).as_bytes(),
    }
}

fn start(world: &mut World, by: PrincipalId, key: u32) -> Answer<()> {
    registry(world, by, entry::START_RECOVERY, &wanted(key))
}

fn approve(world: &mut World, by: PrincipalId, starter: PrincipalId, key: u32) -> Answer<()> {
    let argument = ApproveRecovery {
        principal: PATIENT,
        starter,
        signing_key: *person_key(key).public().as_bytes(),
    };
    registry(world, by, entry::APPROVE_RECOVERY, &argument)
}

fn finish(world: &mut World, by: PrincipalId, starter: PrincipalId) -> Answer<()> {
    let argument = FinishRecovery {
        principal: PATIENT,
        starter,
    };
    registry(world, by, entry::FINISH_RECOVERY, &argument)
}

fn recoveries(world: &World) -> Vec<RecoveryEntry> {
    world
        .query(ContractId::REGISTRY, query::RECOVERIES, &PATIENT)
        .result
        .unwrap()
}

/// Two of three guardians, one of which has started.
fn started() -> World {
    let mut world = World::new();
    assert_eq!(name(&mut world, &[DOCTOR, STRANGER, NEIGHBOUR], 2), None);
    start(&mut world, DOCTOR, NEW).result.unwrap();
    world
}

#[test]
fn two_of_three_guardians_and_a_day_bring_a_patient_back() {
    let mut world = started();
    assert_eq!(finish(&mut world, DOCTOR, DOCTOR).abort(), Some(error::NOT_READY));
    let approved = approve(&mut world, NEIGHBOUR, DOCTOR, NEW);
    let event = RegistryEvent::RecoveryApproved {
        principal: PATIENT,
        starter: DOCTOR,
        by: NEIGHBOUR,
        ready_ms: Some(NOW + DELAY_MS),
    };
    assert_eq!(approved.events_of::<RegistryEvent>(), [event]);
    assert_eq!(recoveries(&world)[0].recovery.approvals, [DOCTOR, NEIGHBOUR]);
    world.time_ms = NOW + DELAY_MS - 1;
    assert_eq!(
        finish(&mut world, STRANGER, DOCTOR).abort(),
        Some(error::NOT_READY)
    );
    world.time_ms += 1;
    assert_eq!(
        finish(&mut world, MANAGER, DOCTOR).abort(),
        Some(error::NOT_ALLOWED),
        "not a guardian"
    );
    let finished = finish(&mut world, STRANGER, DOCTOR);
    let event = RegistryEvent::Recovered {
        principal: PATIENT,
        starter: DOCTOR,
    };
    assert_eq!(finished.events_of::<RegistryEvent>(), [event]);
    let patient = principal(&world, PATIENT);
    assert_eq!(patient.signing_key, *person_key(NEW).public().as_bytes());
    assert_eq!(patient.encryption_key, [8; 32]);
    assert_eq!(recoveries(&world), []);
    assert_eq!(
        finish(&mut world, STRANGER, DOCTOR).abort(),
        Some(error::NO_RECOVERY)
    );
}

#[test]
fn the_live_key_stops_every_recovery() {
    let ready = {
        let mut world = started();
        approve(&mut world, STRANGER, DOCTOR, NEW).result.unwrap();
        world.time_ms = NOW + DELAY_MS;
        world
    };
    let stopped = |mut world: World| {
        assert_eq!(recoveries(&world), []);
        let code = finish(&mut world, DOCTOR, DOCTOR).abort();
        assert!(matches!(code, Some(error::NO_RECOVERY | error::NOT_ALLOWED)));
    };
    let mut vetoed = ready.clone();
    let answer = registry::<()>(&mut vetoed, PATIENT, entry::VETO_RECOVERY, &());
    let event = RegistryEvent::RecoveryVetoed { principal: PATIENT };
    assert_eq!(answer.events_of::<RegistryEvent>(), [event]);
    let again = registry::<()>(&mut vetoed, PATIENT, entry::VETO_RECOVERY, &());
    assert_eq!(again.abort(), Some(error::NO_RECOVERY));
    stopped(vetoed);

    let mut changed = ready.clone();
    assert_eq!(name(&mut changed, &[STRANGER], 1), None);
    stopped(changed);

    let mut alone = ready.clone();
    let none = SetGuardians { guardians: None };
    registry::<()>(&mut alone, PATIENT, entry::SET_GUARDIANS, &none)
        .result
        .unwrap();
    stopped(alone);

    let mut rotated = ready;
    let StartRecovery {
        signing_key,
        encryption_key,
        proof,
        ..
    } = wanted(FALSE);
    let rotation = RotateKeys {
        signing_key,
        encryption_key,
        proof,
    };
    registry::<()>(&mut rotated, PATIENT, entry::ROTATE_KEYS, &rotation)
        .result
        .unwrap();
    stopped(rotated);
}

#[test]
fn a_false_guardian_neither_wins_nor_stands_in_the_way() {
    let mut world = started();
    start(&mut world, STRANGER, FALSE).result.unwrap();
    assert_eq!(recoveries(&world).len(), 2);
    assert_eq!(
        approve(&mut world, NEIGHBOUR, DOCTOR, FALSE).abort(),
        Some(error::NO_RECOVERY),
        "an approval is for the keys that one knows"
    );
    assert_eq!(
        approve(&mut world, DOCTOR, DOCTOR, NEW).abort(),
        Some(error::NOT_ALLOWED),
        "twice"
    );
    for by in [MANAGER, ADMIN, PATIENT, OTHER_ADMIN] {
        assert_eq!(
            start(&mut world, by, NEW).abort(),
            Some(error::NOT_ALLOWED),
            "{by}"
        );
        assert_eq!(
            approve(&mut world, by, DOCTOR, NEW).abort(),
            Some(error::NOT_ALLOWED)
        );
    }
    let mut stolen = wanted(NEW);
    stolen.encryption_key = [9; 32];
    let unproven = registry::<()>(&mut world, DOCTOR, entry::START_RECOVERY, &stolen);
    assert_eq!(unproven.abort(), Some(error::BAD_PROOF));
    approve(&mut world, NEIGHBOUR, DOCTOR, NEW).result.unwrap();
    let mut restarted = world.clone();
    start(&mut restarted, DOCTOR, NEW).result.unwrap();
    let own = recoveries(&restarted);
    let own = own.iter().find(|entry| entry.starter == DOCTOR).unwrap();
    assert_eq!(own.recovery.approvals, [DOCTOR], "it begins anew");
    assert_eq!(own.recovery.ready_ms, None);
    let gone = DeleteUser { principal: DOCTOR };
    registry::<()>(&mut world, ADMIN, entry::DELETE_USER, &gone)
        .result
        .unwrap();
    world.time_ms = NOW + DELAY_MS;
    assert_eq!(
        finish(&mut world, NEIGHBOUR, DOCTOR).abort(),
        Some(error::NOT_READY),
        "one of those who approved may no longer act"
    );
}

#[test]
fn guardians_are_checked() {
    let mut world = World::new();
    for (guardians, needed) in [
        (&[][..], 0),
        (&[DOCTOR], 0),
        (&[DOCTOR], 2),
        (&[PATIENT], 1),
        (&[NOBODY], 1),
        (&[STRANGER, DOCTOR], 1),
    ] {
        assert_eq!(
            name(&mut world, guardians, needed),
            Some(error::BAD_GUARDIANS),
            "{guardians:?}"
        );
    }
    assert_eq!(start(&mut world, DOCTOR, NEW).abort(), Some(error::NOT_ALLOWED));
    assert_eq!(name(&mut world, &[DOCTOR], 1), None);
    let named: Option<Guardians> = world
        .query(ContractId::REGISTRY, query::GUARDIANS, &PATIENT)
        .result
        .unwrap();
    assert_eq!(named.unwrap().guardians, [DOCTOR]);
    start(&mut world, DOCTOR, STRANGER.get()).result.unwrap();
    world.time_ms = NOW + DELAY_MS;
    assert_eq!(
        finish(&mut world, DOCTOR, DOCTOR).abort(),
        Some(error::KEY_TAKEN),
        "somebody else's key"
    );
}

#[test]
fn admins_change_the_roles_of_their_own_staff() {
    let mut world = World::new();
    let set = |world: &mut World, by, principal, role| {
        registry::<()>(world, by, entry::SET_ROLE, &SetRole { principal, role })
    };
    for (by, principal, role) in [
        (MANAGER, DOCTOR, Role::Auditor),
        (OTHER_ADMIN, DOCTOR, Role::Auditor),
        (ADMIN, ADMIN, Role::Operator),
        (ADMIN, PATIENT, Role::Doctor),
        (ADMIN, DEVICE, Role::Doctor),
        (ADMIN, DOCTOR, Role::Patient),
        (ADMIN, DOCTOR, Role::Device),
    ] {
        assert_eq!(
            set(&mut world, by, principal, role).abort(),
            Some(error::NOT_ALLOWED),
            "{by} makes {principal} {role:?}"
        );
    }
    let answer = set(&mut world, ADMIN, DOCTOR, Role::Auditor);
    let event = RegistryEvent::RoleSet {
        principal: DOCTOR,
        role: Role::Auditor,
        by: ADMIN,
    };
    assert_eq!(answer.events_of::<RegistryEvent>(), [event]);
    assert_eq!(principal(&world, DOCTOR).role, Role::Auditor);
}

#[test]
fn patients_choose_their_hospital_among_the_members() {
    let mut world = World::new();
    let change = |world: &mut World, by, organisation| {
        let organisation = MemberId::new(organisation);
        registry::<()>(
            world,
            by,
            entry::CHANGE_HOSPITAL,
            &ChangeHospital { organisation },
        )
    };
    for by in [DOCTOR, ADMIN, DEVICE] {
        assert_eq!(change(&mut world, by, 1).abort(), Some(error::NOT_ALLOWED));
    }
    assert_eq!(
        change(&mut world, PATIENT, 9).abort(),
        Some(error::BAD_INPUT),
        "no member"
    );
    let answer = change(&mut world, PATIENT, 1);
    let event = RegistryEvent::HospitalChanged {
        principal: PATIENT,
        organisation: MemberId::new(1),
    };
    assert_eq!(answer.events_of::<RegistryEvent>(), [event]);
    assert_eq!(principal(&world, PATIENT).organisation, MemberId::new(1));
}

#[test]
fn every_change_is_told() {
    let mut world = World::new();
    let user = AddUser {
        signing_key: *person_key(50).public().as_bytes(),
        encryption_key: [7; 32],
        role: Role::Doctor,
        address: None,
    };
    let added = registry::<PrincipalId>(&mut world, ADMIN, entry::ADD_USER, &user);
    let event = RegistryEvent::UserAdded {
        principal: NOBODY,
        role: Role::Doctor,
        organisation: MemberId::new(0),
        by: ADMIN,
    };
    assert_eq!(added.events_of::<RegistryEvent>(), [event]);
    let attribute = SetAttribute {
        principal: DOCTOR,
        number: 3,
        value: Some(vec![1]),
    };
    let set = registry::<()>(&mut world, ADMIN, entry::SET_ATTRIBUTE, &attribute);
    let event = RegistryEvent::AttributeSet {
        principal: DOCTOR,
        number: 3,
        by: ADMIN,
    };
    assert_eq!(set.events_of::<RegistryEvent>(), [event]);
    let gone = DeleteUser { principal: NOBODY };
    let deleted = registry::<()>(&mut world, MANAGER, entry::DELETE_USER, &gone);
    let event = RegistryEvent::UserDeleted {
        principal: NOBODY,
        by: MANAGER,
    };
    assert_eq!(deleted.events_of::<RegistryEvent>(), [event]);
    let owns: bool = world
        .query(ContractId::REGISTRY, query::OWNS_DEVICE, &(DEVICE, PATIENT))
        .result
        .unwrap();
    let others: bool = world
        .query(ContractId::REGISTRY, query::OWNS_DEVICE, &(DEVICE, NEIGHBOUR))
        .result
        .unwrap();
    assert!(owns && !others);
}
