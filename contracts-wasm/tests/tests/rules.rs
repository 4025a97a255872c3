//! Rule contracts: the office-hours artefact, registered with the access contract.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod common;

use common::{Steps, grant_all, treat};
use salus_abi::access::{Decision, Purpose, RecordClass, RuleScope, Standing, error, query, reason};
use salus_abi::{ContractId, MemberId};
use salus_contract_tests::who::{ADMIN, DOCTOR, OTHER_ADMIN, PATIENT, STRANGER};
use salus_contract_tests::{MONDAY_MORNING_MS, World};
use salus_office_hours::{Hours, Reason};

const NOW: u64 = MONDAY_MORNING_MS;
const HOUR_MS: u64 = 3_600_000;
const RULE: ContractId = ContractId::new(4);
const HOSPITAL: RuleScope = RuleScope::Organisation(MemberId::new(0));

/// The rule's reason, as decisions carry it.
const OUTSIDE_HOURS: u16 = Reason::OutsideHours as u16;

const HOURS: Hours = Hours {
    opens: 8 * 60,
    closes: 18 * 60,
    days: 0b001_1111,
    offset: 0,
};

/// A record that two doctors may read, and a rule that nobody has registered yet.
fn world() -> World {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    for doctor in [DOCTOR, STRANGER] {
        world
            .grant(PATIENT, &grant_all(doctor, NOW + 48 * HOUR_MS))
            .result
            .unwrap();
    }
    world.deploy(RULE, "office_hours", &HOURS).result.unwrap();
    world
}

fn reason_of(world: &World, requester: salus_abi::PrincipalId) -> u16 {
    match world.clone().retrieve(requester, &treat(0)).result.unwrap() {
        Decision::Permit { reason, .. } | Decision::Deny { reason, .. } => reason,
    }
}

#[test]
fn a_hospitals_rule_overrides_a_grant_for_its_own_people() {
    let mut world = world();
    world.time_ms = NOW + 12 * HOUR_MS;
    assert_eq!(reason_of(&world, DOCTOR), reason::GRANTED, "not registered");
    world.rule(ADMIN, HOSPITAL, RULE, false).result.unwrap();
    assert_eq!(reason_of(&world, DOCTOR), OUTSIDE_HOURS, "21:00");
    assert_eq!(
        reason_of(&world, STRANGER),
        reason::GRANTED,
        "of another hospital"
    );
    let refused = world.clone().retrieve(DOCTOR, &treat(0)).result.unwrap();
    let standing = Standing::Warned { refusals: 1 };
    assert_eq!(
        refused,
        Decision::Deny {
            reason: OUTSIDE_HOURS,
            standing
        }
    );
    world.time_ms = NOW + 24 * HOUR_MS;
    assert_eq!(reason_of(&world, DOCTOR), reason::GRANTED, "09:00 on Tuesday");

    world.time_ms = NOW + 12 * HOUR_MS;
    let rules: Vec<ContractId> = world.ask(query::RULES, &HOSPITAL);
    assert_eq!(rules, [RULE]);
    world.rule(ADMIN, HOSPITAL, RULE, true).result.unwrap();
    assert_eq!(reason_of(&world, DOCTOR), reason::GRANTED, "removed");
}

#[test]
fn a_rule_without_a_grant_permits_nothing_and_exempts_what_it_should() {
    let mut world = world();
    world
        .voted_rule(RuleScope::Everywhere, RULE, false)
        .result
        .unwrap();
    world.revoke(PATIENT, STRANGER, None).result.unwrap();
    assert_eq!(reason_of(&world, STRANGER), reason::NO_GRANT, "in office hours");
    world.time_ms = NOW + 12 * HOUR_MS;
    assert_eq!(
        reason_of(&world, PATIENT),
        reason::OWN_RECORD,
        "patients read their own at night"
    );
    let mut glass = treat(0);
    (glass.purpose, glass.emergency) = (Purpose::EmergencyTreatment, true);
    let broken = world.retrieve(STRANGER, &glass).result.unwrap();
    assert!(matches!(
        broken,
        Decision::Permit {
            reason: reason::EMERGENCY,
            ..
        }
    ));
}

#[test]
fn rules_of_a_class_see_that_class_only() {
    let mut world = world();
    world.time_ms = NOW + 12 * HOUR_MS;
    world
        .voted_rule(RuleScope::Class(RecordClass::Imaging), RULE, false)
        .result
        .unwrap();
    assert_eq!(reason_of(&world, DOCTOR), reason::GRANTED);
    world
        .voted_rule(RuleScope::Class(RecordClass::Clinical), RULE, false)
        .result
        .unwrap();
    assert_eq!(reason_of(&world, DOCTOR), OUTSIDE_HOURS);
}

#[test]
fn a_rule_that_cannot_be_asked_refuses_without_a_warning() {
    let mut world = world();
    world.rule(ADMIN, HOSPITAL, RULE, false).result.unwrap();
    world.remove_contract(RULE);
    let refused = world.retrieve(DOCTOR, &treat(0)).result.unwrap();
    assert_eq!(
        refused,
        Decision::Deny {
            reason: reason::RULE_FAILED,
            standing: Standing::Good
        }
    );
    assert_eq!(world.ticket(0, DOCTOR), None);
    world.rule(ADMIN, HOSPITAL, RULE, true).result.unwrap();
    assert_eq!(
        reason_of(&world, DOCTOR),
        reason::GRANTED,
        "it can still be removed"
    );
}

#[test]
fn rules_for_many_hospitals_take_a_vote_and_a_hospitals_own_take_its_admin() {
    let mut world = world();
    for scope in [RuleScope::Everywhere, RuleScope::Class(RecordClass::Clinical)] {
        let alone = world.rule(ADMIN, scope, RULE, false);
        assert_eq!(
            alone.abort(),
            Some(error::NOT_ALLOWED),
            "no admin decides for others"
        );
        world.voted_rule(scope, RULE, false).result.unwrap();
        let removal = world.rule(ADMIN, scope, RULE, true);
        assert_eq!(removal.abort(), Some(error::NOT_ALLOWED));
        world.voted_rule(scope, RULE, true).result.unwrap();
    }
    let own = world.voted_rule(HOSPITAL, RULE, false);
    assert_eq!(
        own.abort(),
        Some(error::NOT_ALLOWED),
        "others do not vote on a hospital's own rules"
    );
}

#[test]
fn only_admins_register_and_only_contracts_that_answer() {
    let mut world = world();
    assert_eq!(
        world.rule(DOCTOR, HOSPITAL, RULE, false).abort(),
        Some(error::NOT_ALLOWED)
    );
    assert_eq!(
        world.rule(OTHER_ADMIN, HOSPITAL, RULE, false).abort(),
        Some(error::NOT_ALLOWED)
    );
    for deaf in [
        ContractId::SYSTEM,
        ContractId::REGISTRY,
        ContractId::ACCESS,
        ContractId::new(77),
    ] {
        let answer = world.rule(ADMIN, HOSPITAL, deaf, false);
        assert_eq!(answer.abort(), Some(error::BAD_INPUT), "{deaf} decides nothing");
    }
    assert_eq!(
        world.rule(ADMIN, HOSPITAL, RULE, true).abort(),
        Some(error::BAD_INPUT),
        "not registered"
    );
    world.rule(ADMIN, HOSPITAL, RULE, false).result.unwrap();
    assert_eq!(
        world.rule(ADMIN, HOSPITAL, RULE, false).abort(),
        Some(error::DUPLICATE)
    );
    for number in 5..12 {
        let rule = ContractId::new(number);
        world.deploy(rule, "office_hours", &HOURS).result.unwrap();
        world.rule(ADMIN, HOSPITAL, rule, false).result.unwrap();
    }
    let ninth = ContractId::new(12);
    world.deploy(ninth, "office_hours", &HOURS).result.unwrap();
    assert_eq!(
        world.rule(ADMIN, HOSPITAL, ninth, false).abort(),
        Some(error::TOO_MANY)
    );
    assert_eq!(
        reason_of(&world, DOCTOR),
        reason::GRANTED,
        "eight rules fit into one decision"
    );
}

#[test]
fn senseless_hours_are_not_instantiated() {
    let mut world = World::new();
    let never = Hours {
        opens: 600,
        closes: 600,
        ..HOURS
    };
    assert_eq!(world.deploy(RULE, "office_hours", &never).abort(), Some(4));
}
