//! The rules that ship besides office-hours, as artefacts on the node's engine.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod common;

use common::{Steps, enrol_doctors, grant_all, request};
use salus_abi::access::{
    Decision, Grant, GrantAccess, Purpose, Purposes, RecordClass, Retrieve, RuleScope, Scope, reason,
};
use salus_abi::care::{self, Delegation, SetDelegate};
use salus_abi::codec::Encode;
use salus_abi::registry::{self, AddUser, Role, SetAttribute};
use salus_abi::{ContractId, PrincipalId};
use salus_contract_tests::who::{ADMIN, DOCTOR, NEIGHBOUR, PATIENT, STRANGER};
use salus_contract_tests::{MONDAY_MORNING_MS, World, address, person_key, record_of};

const NOW: u64 = MONDAY_MORNING_MS;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const RULE: ContractId = ContractId::new(4);
/// The attribute that the rules of these tests look at.
const ATTRIBUTE: u16 = 9;
/// Every purpose there is.
const ALL: [Purpose; 7] = Purpose::ALL;

/// Records 0 (clinical) and 1 (sensitive) of [`PATIENT`], which two doctors may read for everything, and a rule for everyone.
fn world(rule: &'static str, argument: &impl Encode) -> World {
    let mut world = World::new();
    for (digest, class) in [(1, RecordClass::Clinical), (2, RecordClass::Sensitive)] {
        let record = record_of(DOCTOR, PATIENT, digest, class, &[0, 1, 2]);
        world.add(DOCTOR, &record).result.unwrap();
    }
    for grantee in [DOCTOR, STRANGER] {
        let grant = Grant {
            purposes: Purposes::of(&ALL),
            ..grant_all(grantee, NOW + 365 * DAY_MS).grant
        };
        world
            .grant(PATIENT, &GrantAccess { grantee, grant })
            .result
            .unwrap();
    }
    world.deploy(RULE, rule, argument).result.unwrap();
    world
        .voted_rule(RuleScope::Everywhere, RULE, false)
        .result
        .unwrap();
    world
}

fn reason_of(world: &World, requester: PrincipalId, request: Retrieve) -> u16 {
    match world.clone().retrieve(requester, &request).result.unwrap() {
        Decision::Permit { reason, .. } | Decision::Deny { reason, .. } => reason,
    }
}

fn reads(world: &World, requester: PrincipalId, record: u32, purpose: Purpose) -> u16 {
    reason_of(world, requester, request(PATIENT, record, purpose))
}

fn glass(world: &World, requester: PrincipalId) -> u16 {
    let request = Retrieve {
        emergency: true,
        ..request(PATIENT, 1, Purpose::EmergencyTreatment)
    };
    reason_of(world, requester, request)
}

fn set(world: &mut World, principal: PrincipalId, value: &[u8]) {
    let argument = SetAttribute {
        principal,
        number: ATTRIBUTE,
        value: Some(value.to_vec()),
    };
    world
        .execute::<()>(
            ADMIN,
            ContractId::REGISTRY,
            registry::entry::SET_ATTRIBUTE,
            &argument,
        )
        .result
        .unwrap();
}

#[test]
fn purposes_are_those_that_the_hospital_gave() {
    const NOT_YOURS: u16 = 257;
    let mut world = world("purpose_of_use", &(ATTRIBUTE, 0b11_u8));
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Treatment), reason::GRANTED);
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Research), NOT_YOURS);
    set(&mut world, DOCTOR, &[0b100]);
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Research), reason::GRANTED);
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Treatment), NOT_YOURS);
    assert_eq!(reads(&world, STRANGER, 0, Purpose::Treatment), reason::GRANTED);
    assert_eq!(glass(&world, DOCTOR), reason::EMERGENCY);
    assert_eq!(
        reads(&world, PATIENT, 0, Purpose::PatientRequest),
        reason::OWN_RECORD
    );
    let senseless = world.deploy(ContractId::new(5), "purpose_of_use", &(ATTRIBUTE, 0x80_u8));
    assert_eq!(senseless.abort(), Some(4), "a purpose that does not exist");
}

#[test]
fn minors_are_protected_until_they_are_of_age_and_from_relatives_after_that() {
    let (not_for_minors, confidential, of_age) = (258, 259, 260);
    let mut world = world("minors", &ATTRIBUTE);
    let argument = SetDelegate {
        delegate: NEIGHBOUR,
        delegation: Some(Delegation {
            scope: Scope::All,
            manages: false,
            until_ms: NOW + 365 * DAY_MS,
        }),
    };
    world
        .execute::<()>(PATIENT, ContractId::CARE, care::entry::SET_DELEGATE, &argument)
        .result
        .unwrap();
    let parent = |world: &World, record| reads(world, NEIGHBOUR, record, Purpose::PatientRequest);
    assert_eq!(
        parent(&world, 1),
        reason::DELEGATED,
        "nothing is known of its age"
    );

    let tomorrow = u32::try_from(NOW / DAY_MS + 1).unwrap();
    set(&mut world, PATIENT, &tomorrow.to_be_bytes());
    assert_eq!(parent(&world, 0), reason::DELEGATED);
    assert_eq!(parent(&world, 1), confidential);
    assert_eq!(reads(&world, DOCTOR, 1, Purpose::Treatment), reason::GRANTED);
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Research), not_for_minors);
    assert_eq!(glass(&world, DOCTOR), reason::EMERGENCY);
    world.time_ms = u64::from(tomorrow) * DAY_MS;
    assert_eq!(parent(&world, 0), of_age);
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Research), reason::GRANTED);
    assert_eq!(
        reads(&world, PATIENT, 1, Purpose::PatientRequest),
        reason::OWN_RECORD
    );
}

/// Enrols patients of hospital 0.
fn enrol_patients(world: &mut World, count: u8) -> Vec<PrincipalId> {
    (0..count)
        .map(|number| {
            let user = AddUser {
                signing_key: *person_key(2_000 + u32::from(number)).public().as_bytes(),
                encryption_key: [0; 32],
                role: Role::Patient,
                address: Some(address(100 + number)),
            };
            world
                .execute(ADMIN, ContractId::REGISTRY, registry::entry::ADD_USER, &user)
                .result
                .unwrap()
        })
        .collect()
}

#[test]
fn research_reads_only_where_there_are_enough_to_hide_in() {
    let (in_no_cohort, too_small) = (261, 262);
    let mut world = world("research_cohort", &5_u32);
    let research = |world: &World| reads(world, DOCTOR, 0, Purpose::Research);
    assert_eq!(research(&world), in_no_cohort);
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Treatment), reason::GRANTED);
    let join =
        |world: &mut World, patient, cohort: u16| world.execute::<()>(patient, RULE, 0, &cohort).abort();
    assert_eq!(join(&mut world, PATIENT, 7), None);
    assert_eq!(join(&mut world, PATIENT, 8), Some(257), "one cohort at a time");
    assert_eq!(join(&mut world, DOCTOR, 7), Some(256), "not a patient");
    assert_eq!(research(&world), too_small);
    let others = enrol_patients(&mut world, 4);
    for (patient, cohort) in others.iter().zip([7, 7, 7, 8]) {
        assert_eq!(join(&mut world, *patient, cohort), None);
    }
    assert_eq!(research(&world), too_small, "four, and one elsewhere");
    assert_eq!(world.execute::<()>(others[3], RULE, 1, &()).abort(), None);
    assert_eq!(join(&mut world, others[3], 7), None);
    assert_eq!(world.query::<u32>(RULE, 0, &7_u16).result, Ok(5));
    assert_eq!(research(&world), reason::GRANTED);
    assert_eq!(world.execute::<()>(others[0], RULE, 1, &()).abort(), None);
    assert_eq!(research(&world), too_small, "somebody left");
    assert_eq!(
        world.execute::<()>(others[0], RULE, 1, &()).abort(),
        Some(258),
        "twice"
    );
    let small = world.deploy(ContractId::new(5), "research_cohort", &4_u32);
    assert_eq!(small.abort(), Some(4), "four hide nobody");
}

#[test]
fn the_team_treats_and_others_do_not() {
    const NOT_IN_THE_TEAM: u16 = 263;
    let mut world = world("care_team", &ATTRIBUTE);
    let colleague = PrincipalId::new(enrol_doctors(&mut world, 1));
    world
        .grant(PATIENT, &grant_all(colleague, NOW + DAY_MS))
        .result
        .unwrap();
    let treats = |world: &World, doctor| reads(world, doctor, 0, Purpose::Treatment);
    assert_eq!(
        treats(&world, colleague),
        reason::GRANTED,
        "the patient has no team"
    );
    set(&mut world, PATIENT, &[0, 7]);
    assert_eq!(treats(&world, colleague), NOT_IN_THE_TEAM);
    set(&mut world, colleague, &[0, 3, 0, 7]);
    assert_eq!(treats(&world, colleague), reason::GRANTED);
    assert_eq!(treats(&world, DOCTOR), NOT_IN_THE_TEAM);
    assert_eq!(reads(&world, DOCTOR, 0, Purpose::Payment), reason::GRANTED);
    assert_eq!(glass(&world, DOCTOR), reason::EMERGENCY);
    assert_eq!(reads(&world, PATIENT, 0, Purpose::Treatment), reason::OWN_RECORD);
}

#[test]
fn five_rules_together_cost_little() {
    let mut world = world("purpose_of_use", &(ATTRIBUTE, 0x7f_u8));
    let without = {
        let mut world = World::new();
        world.add_record(DOCTOR, 1);
        world
            .grant(PATIENT, &grant_all(DOCTOR, NOW + DAY_MS))
            .result
            .unwrap();
        world
            .retrieve(DOCTOR, &request(PATIENT, 0, Purpose::Treatment))
            .gas_used
    };
    world
        .deploy(ContractId::new(5), "minors", &ATTRIBUTE)
        .result
        .unwrap();
    world
        .deploy(ContractId::new(6), "research_cohort", &5_u32)
        .result
        .unwrap();
    world
        .deploy(ContractId::new(7), "care_team", &ATTRIBUTE)
        .result
        .unwrap();
    world
        .deploy(
            ContractId::new(8),
            "office_hours",
            &(0_u16, 1_440_u16, 127_u8, 0_i16),
        )
        .result
        .unwrap();
    for rule in 5..9 {
        world
            .voted_rule(RuleScope::Everywhere, ContractId::new(rule), false)
            .result
            .unwrap();
    }
    let answer = world.retrieve(DOCTOR, &request(PATIENT, 0, Purpose::Treatment));
    assert!(matches!(answer.result, Ok(Decision::Permit { .. })));
    println!("five rules: {} gas, without: {without}", answer.gas_used);
    assert!(answer.gas_used < 3 * without, "{} gas", answer.gas_used);
}
