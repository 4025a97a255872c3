//! The access and the care contract's artefacts together: requests, delegates, reviews, custody, other dealings.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod common;

use common::{Steps, grant_all, id, request, treat};
use salus_abi::access::{
    self, AccessEvent, Act, ActFor, CloseReview, Decision, Finding, Grant, GrantAccess, Obligations,
    OpenReview, Purpose, Purposes, REVIEW_MS, Record, RecordClass, ReplaceRecord, ReviewEntry, ReviewsOf,
    Scope, Shred, Standing, TICKET_MS, reason,
};
use salus_abi::care::{
    self, AccessWish, AnswerRequest, AskAccess, CareEvent, Custody, DelegateEntry, Delegation, Hold,
    REQUEST_MS, Resign, Retain, SetDelegate, SetHold,
};
use salus_abi::codec::{Decode, Encode};
use salus_abi::registry::{self, DeleteUser};
use salus_abi::{ContractId, MemberId, PrincipalId, RecordNumber};
use salus_contract_tests::who::{
    ADMIN, AUDITOR, DEVICE, DOCTOR, MANAGER, NEIGHBOUR, NOBODY, OTHER_ADMIN, PATIENT, STRANGER,
};
use salus_contract_tests::{Answer, MONDAY_MORNING_MS, World, dealing_of, record_of};

const NOW: u64 = MONDAY_MORNING_MS;
const HOUR_MS: u64 = 3_600_000;
const HOSPITAL: MemberId = MemberId::new(0);

fn care<O: Encode + Decode<()>>(
    world: &mut World,
    caller: PrincipalId,
    entry: u8,
    argument: &impl Encode,
) -> Answer<O> {
    world.execute(caller, ContractId::CARE, entry, argument)
}

fn care_asked<O: Encode + Decode<()>>(world: &World, query: u8, argument: &impl Encode) -> O {
    world.query(ContractId::CARE, query, argument).result.unwrap()
}

fn wanted() -> Grant {
    grant_all(DOCTOR, NOW + HOUR_MS).grant
}

fn ask(world: &mut World, doctor: PrincipalId, wanted: Grant) -> Answer<u32> {
    let argument = AskAccess {
        patient: PATIENT,
        wanted,
    };
    care(world, doctor, care::entry::ASK, &argument)
}

fn answer(world: &mut World, by: PrincipalId, number: u32, approve: bool) -> Option<u16> {
    let argument = AnswerRequest {
        patient: PATIENT,
        number,
        approve,
    };
    care::<()>(world, by, care::entry::ANSWER, &argument).abort()
}

fn open_requests(world: &World) -> Vec<AccessWish> {
    care_asked(world, care::query::REQUESTS, &PATIENT)
}

fn reason_of(decision: Decision) -> u16 {
    match decision {
        Decision::Permit { reason, .. } | Decision::Deny { reason, .. } => reason,
    }
}

#[test]
fn a_doctor_asks_and_the_patient_grants_and_says_so() {
    let mut world = World::new();
    let asked = ask(&mut world, DOCTOR, wanted());
    assert_eq!(asked.result, Ok(0));
    let wish = AccessWish {
        number: 0,
        requester: DOCTOR,
        wanted: wanted(),
        open_until_ms: NOW + HOUR_MS,
    };
    assert_eq!(
        asked.events_of::<CareEvent>(),
        [CareEvent::Asked {
            patient: PATIENT,
            wish
        }]
    );
    assert_eq!(open_requests(&world), [wish]);
    assert_eq!(
        answer(&mut world, PATIENT, 0, true),
        Some(care::error::NOT_GRANTED),
        "granting comes first"
    );
    let other = grant_all(DOCTOR, NOW + 2 * HOUR_MS);
    world.grant(PATIENT, &other).result.unwrap();
    assert_eq!(
        answer(&mut world, PATIENT, 0, true),
        Some(care::error::NOT_GRANTED),
        "that is another grant"
    );
    world
        .grant(PATIENT, &grant_all(DOCTOR, NOW + HOUR_MS))
        .result
        .unwrap();
    assert_eq!(
        answer(&mut world, DOCTOR, 0, true),
        Some(care::error::NOT_ALLOWED),
        "not one's own"
    );
    assert_eq!(answer(&mut world, PATIENT, 0, true), None);
    assert_eq!(open_requests(&world), []);
    assert_eq!(
        answer(&mut world, PATIENT, 0, true),
        Some(care::error::UNKNOWN),
        "answered"
    );
}

#[test]
fn requests_are_refused_withdrawn_and_forgotten() {
    let mut world = World::new();
    for _ in 0..3 {
        ask(&mut world, DOCTOR, wanted()).result.unwrap();
    }
    assert_eq!(
        answer(&mut world, NEIGHBOUR, 0, false),
        Some(care::error::NOT_ALLOWED)
    );
    assert_eq!(answer(&mut world, PATIENT, 0, false), None, "refused");
    assert_eq!(answer(&mut world, DOCTOR, 1, false), None, "withdrawn");
    assert_eq!(open_requests(&world).len(), 1);
    world.time_ms = NOW + HOUR_MS;
    assert_eq!(open_requests(&world), [], "what it asked for is over");
    assert_eq!(answer(&mut world, PATIENT, 2, false), Some(care::error::UNKNOWN));
    let mut long = wanted();
    long.until_ms = NOW + 10 * REQUEST_MS;
    ask(&mut world, DOCTOR, long).result.unwrap();
    world.time_ms += REQUEST_MS;
    assert_eq!(open_requests(&world), [], "nobody answered");
}

#[test]
fn only_doctors_without_a_penalty_ask_and_only_for_what_makes_sense() {
    let mut world = World::new();
    for caller in [PATIENT, MANAGER, ADMIN, AUDITOR, DEVICE, NOBODY] {
        let code = ask(&mut world, caller, wanted()).abort();
        assert_eq!(code, Some(care::error::NOT_ALLOWED), "{caller}");
    }
    let past = Grant {
        until_ms: NOW,
        ..wanted()
    };
    let idle = Grant {
        purposes: Purposes::default(),
        ..wanted()
    };
    for senseless in [past, idle] {
        let code = ask(&mut world, DOCTOR, senseless).abort();
        assert_eq!(code, Some(care::error::OUT_OF_RANGE));
    }
    for _ in 0..4 {
        ask(&mut world, DOCTOR, wanted()).result.unwrap();
    }
    assert_eq!(
        ask(&mut world, DOCTOR, wanted()).abort(),
        Some(care::error::TOO_MANY)
    );
    for _ in 0..3 {
        world.retrieve(STRANGER, &treat(0)).result.unwrap();
    }
    assert!(matches!(world.standing(STRANGER), Standing::Penalised { .. }));
    assert_eq!(
        ask(&mut world, STRANGER, wanted()).abort(),
        Some(care::error::NOT_ALLOWED)
    );
}

fn name(world: &mut World, delegate: PrincipalId, delegation: Option<Delegation>) -> Answer<()> {
    let argument = SetDelegate { delegate, delegation };
    care(world, PATIENT, care::entry::SET_DELEGATE, &argument)
}

fn parent(scope: Scope, manages: bool) -> Delegation {
    Delegation {
        scope,
        manages,
        until_ms: NOW + HOUR_MS,
    }
}

#[test]
fn a_parent_reads_in_its_own_name_for_the_child_until_the_delegation_ends() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let own = request(PATIENT, 0, Purpose::PatientRequest);
    let refused = world.retrieve(NEIGHBOUR, &own).result.unwrap();
    assert_eq!(reason_of(refused), reason::NO_GRANT);
    let delegation = parent(Scope::Class(RecordClass::Clinical), false);
    let named = name(&mut world, NEIGHBOUR, Some(delegation));
    let entry = DelegateEntry {
        delegate: NEIGHBOUR,
        delegation,
    };
    let event = CareEvent::DelegateSet {
        patient: PATIENT,
        entry,
    };
    assert_eq!(named.events_of::<CareEvent>(), [event]);
    let listed: Vec<DelegateEntry> = care_asked(&world, care::query::DELEGATES, &PATIENT);
    assert_eq!(listed, [entry]);

    let answer = world.retrieve(NEIGHBOUR, &own);
    let permit = Decision::Permit {
        reason: reason::DELEGATED,
        until_ms: NOW + TICKET_MS,
        obligations: Obligations::default(),
    };
    assert_eq!(answer.result, Ok(permit));
    let [AccessEvent::Access(logged)] = answer.access_events()[..] else {
        unreachable!("one entry in the child's log");
    };
    assert_eq!(
        (logged.patient, logged.requester, logged.decision),
        (PATIENT, NEIGHBOUR, permit)
    );
    assert!(world.ticket(0, NEIGHBOUR).is_some());
    let before = world.clone();
    name(&mut world, NEIGHBOUR, None).result.unwrap();
    assert_eq!(world.ticket(0, NEIGHBOUR), None, "it ended with the delegation");
    world = before;
    let resigned = care::<()>(
        &mut world,
        NEIGHBOUR,
        care::entry::RESIGN,
        &Resign { patient: PATIENT },
    );
    let event = CareEvent::DelegateEnded {
        patient: PATIENT,
        delegate: NEIGHBOUR,
    };
    assert_eq!(resigned.events_of::<CareEvent>(), [event]);
    let refused = world.retrieve(NEIGHBOUR, &own).result.unwrap();
    assert_eq!(reason_of(refused), reason::NO_GRANT);
    assert_eq!(
        name(&mut world, NEIGHBOUR, None).abort(),
        Some(care::error::UNKNOWN)
    );
}

#[test]
fn delegations_end_by_time_and_reach_no_further_than_they_say() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    name(
        &mut world,
        NEIGHBOUR,
        Some(parent(Scope::Class(RecordClass::Imaging), false)),
    )
    .result
    .unwrap();
    let own = request(PATIENT, 0, Purpose::PatientRequest);
    let refused = world.retrieve(NEIGHBOUR, &own).result.unwrap();
    assert_eq!(reason_of(refused), reason::NO_GRANT);
    name(&mut world, NEIGHBOUR, Some(parent(Scope::All, false)))
        .result
        .unwrap();
    let listed: Vec<DelegateEntry> = care_asked(&world, care::query::DELEGATES, &PATIENT);
    assert_eq!(listed.len(), 1, "named anew");
    world.retrieve(NEIGHBOUR, &own).result.unwrap();
    world.time_ms = NOW + HOUR_MS;
    let refused = world.retrieve(NEIGHBOUR, &own).result.unwrap();
    assert_eq!(reason_of(refused), reason::NO_GRANT);
    for nobody in [PATIENT, NOBODY, MANAGER, DEVICE] {
        let later = Delegation {
            until_ms: NOW + 2 * HOUR_MS,
            ..parent(Scope::All, true)
        };
        let code = name(&mut world, nobody, Some(later)).abort();
        assert_eq!(code, Some(care::error::UNKNOWN_PRINCIPAL), "{nobody}");
    }
    let over = name(&mut world, DOCTOR, Some(parent(Scope::All, true)));
    assert_eq!(over.abort(), Some(care::error::OUT_OF_RANGE));
    let argument = SetDelegate {
        delegate: NEIGHBOUR,
        delegation: None,
    };
    let doctor = care::<()>(&mut world, DOCTOR, care::entry::SET_DELEGATE, &argument);
    assert_eq!(doctor.abort(), Some(care::error::NOT_ALLOWED), "not a patient");
}

fn act(world: &mut World, act: Act) -> Answer<Option<u32>> {
    let argument = ActFor {
        patient: PATIENT,
        act,
    };
    world.access(NEIGHBOUR, access::entry::ACT_FOR, &argument)
}

#[test]
fn a_delegate_who_manages_grants_and_revokes_in_the_patients_name_and_everyone_sees_who_it_was() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let treat_until = |grantee, scope, until_ms| {
        let mut argument = grant_all(grantee, until_ms);
        argument.grant.scope = scope;
        Act::Grant(argument)
    };
    let clinical = Scope::Class(RecordClass::Clinical);
    let good = treat_until(DOCTOR, clinical, NOW + HOUR_MS);
    assert_eq!(
        act(&mut world, good).abort(),
        Some(access::error::NOT_ALLOWED),
        "nobody's delegate"
    );
    name(&mut world, NEIGHBOUR, Some(parent(clinical, false)))
        .result
        .unwrap();
    assert_eq!(
        act(&mut world, good).abort(),
        Some(access::error::NOT_ALLOWED),
        "it only reads"
    );
    name(&mut world, NEIGHBOUR, Some(parent(clinical, true)))
        .result
        .unwrap();
    for (beyond, why) in [
        (treat_until(DOCTOR, Scope::All, NOW + HOUR_MS), "wider"),
        (treat_until(DOCTOR, clinical, NOW + HOUR_MS + 1), "longer"),
        (treat_until(NEIGHBOUR, clinical, NOW + HOUR_MS), "to itself"),
        (
            treat_until(DOCTOR, Scope::Record(RecordNumber::new(9)), NOW + HOUR_MS),
            "no such record",
        ),
    ] {
        assert_eq!(
            act(&mut world, beyond).abort(),
            Some(access::error::NOT_ALLOWED),
            "{why}"
        );
    }
    let one = treat_until(DOCTOR, Scope::Record(RecordNumber::new(0)), NOW + HOUR_MS);
    assert_eq!(act(&mut world, one).result, Ok(Some(0)), "a record of that class");
    let granted = act(&mut world, good);
    assert_eq!(granted.result, Ok(Some(1)));
    let acted = AccessEvent::ActedFor {
        patient: PATIENT,
        delegate: NEIGHBOUR,
    };
    let events = granted.access_events();
    assert!(matches!(events[0], AccessEvent::Granted { patient: PATIENT, .. }));
    assert_eq!(events[1], acted);
    let permitted = world.retrieve(DOCTOR, &treat(0)).result.unwrap();
    assert_eq!(reason_of(permitted), reason::GRANTED);
    let revoke = Act::Revoke(access::RevokeAccess {
        grantee: DOCTOR,
        number: None,
    });
    assert_eq!(act(&mut world, revoke).access_events()[1], acted);
    let refused = world.retrieve(DOCTOR, &treat(0)).result.unwrap();
    assert_eq!(reason_of(refused), reason::NO_GRANT);

    let wanted = Grant {
        scope: clinical,
        ..wanted()
    };
    ask(&mut world, DOCTOR, wanted).result.unwrap();
    act(&mut world, good).result.unwrap();
    assert_eq!(answer(&mut world, NEIGHBOUR, 0, true), None, "it answers, too");
}

#[test]
fn without_the_care_contract_nobody_acts_for_anyone_and_nothing_is_shredded() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    name(&mut world, NEIGHBOUR, Some(parent(Scope::All, true)))
        .result
        .unwrap();
    world.remove_contract(ContractId::CARE);
    let own = request(PATIENT, 0, Purpose::PatientRequest);
    let refused = world.retrieve(NEIGHBOUR, &own).result.unwrap();
    assert_eq!(reason_of(refused), reason::NO_GRANT);
    let shred = world.access::<()>(PATIENT, access::entry::SHRED, &Shred { record: id(0) });
    assert_eq!(shred.abort(), Some(access::error::HELD));
}

fn reviews(world: &World, from: u32) -> Vec<ReviewEntry> {
    let organisation = HOSPITAL;
    world.ask(access::query::REVIEWS, &ReviewsOf { organisation, from })
}

fn close(world: &mut World, by: PrincipalId, number: u32) -> Answer<()> {
    let argument = CloseReview {
        organisation: HOSPITAL,
        number,
        finding: Finding::Justified,
    };
    world.access(by, access::entry::CLOSE_REVIEW, &argument)
}

#[test]
fn a_broken_glass_waits_for_a_review_by_the_patients_hospital() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let mut glass = request(PATIENT, 0, Purpose::EmergencyTreatment);
    glass.emergency = true;
    for number in 0..2 {
        let events = world.retrieve(STRANGER, &glass).access_events();
        let opened = AccessEvent::ReviewOpened {
            organisation: HOSPITAL,
            number,
            due_ms: NOW + REVIEW_MS,
        };
        assert_eq!(events[1], opened);
    }
    let review = OpenReview {
        record: id(0),
        requester: STRANGER,
        obligations: Obligations::NOTIFY_PATIENT.and(Obligations::REVIEW),
        log_index: 0,
        due_ms: NOW + REVIEW_MS,
    };
    let entry = ReviewEntry {
        number: 0,
        review,
        overdue: false,
    };
    assert_eq!(reviews(&world, 0)[0], entry);
    assert_eq!(reviews(&world, 0).len(), 2);
    assert_eq!(reviews(&world, 1)[0].review.log_index, 1);
    world.time_ms = NOW + REVIEW_MS;
    assert!(!reviews(&world, 0)[0].overdue);
    world.time_ms += 1;
    assert!(reviews(&world, 0)[0].overdue, "shown until it is done");

    for by in [STRANGER, DOCTOR, PATIENT, MANAGER, OTHER_ADMIN] {
        assert_eq!(
            close(&mut world, by, 0).abort(),
            Some(access::error::NOT_ALLOWED),
            "{by}"
        );
    }
    let closed = close(&mut world, AUDITOR, 0);
    let event = AccessEvent::Reviewed {
        organisation: HOSPITAL,
        number: 0,
        requester: STRANGER,
        finding: Finding::Justified,
        by: AUDITOR,
    };
    assert_eq!(closed.access_events(), [event]);
    assert_eq!(reviews(&world, 0).len(), 1);
    assert_eq!(
        close(&mut world, AUDITOR, 0).abort(),
        Some(access::error::UNKNOWN_REVIEW)
    );
    assert!(close(&mut world, ADMIN, 1).result.is_ok(), "an admin may, too");
}

#[test]
fn nobody_reviews_itself() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let mut glass = request(PATIENT, 0, Purpose::EmergencyTreatment);
    glass.emergency = true;
    world.retrieve(DOCTOR, &glass).result.unwrap();
    let promote = registry::SetRole {
        principal: DOCTOR,
        role: registry::Role::Auditor,
    };
    world
        .execute::<()>(ADMIN, ContractId::REGISTRY, registry::entry::SET_ROLE, &promote)
        .result
        .unwrap();
    assert_eq!(
        close(&mut world, DOCTOR, 0).abort(),
        Some(access::error::NOT_ALLOWED)
    );
    assert!(close(&mut world, AUDITOR, 0).result.is_ok());
}

fn shred(world: &mut World, by: PrincipalId) -> Answer<()> {
    world.access(by, access::entry::SHRED, &Shred { record: id(0) })
}

fn hold(world: &mut World, by: PrincipalId, reason: u16, hold: bool) -> Option<u16> {
    let argument = SetHold {
        record: id(0),
        reason,
        hold,
    };
    care::<()>(world, by, care::entry::SET_HOLD, &argument).abort()
}

fn retain(world: &mut World, by: PrincipalId, until_ms: u64) -> Option<u16> {
    let argument = Retain {
        record: id(0),
        until_ms,
    };
    care::<()>(world, by, care::entry::RETAIN, &argument).abort()
}

#[test]
fn a_record_is_shredded_only_when_neither_law_nor_court_wants_it() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    assert_eq!(
        retain(&mut world, AUDITOR, NOW + 5),
        Some(care::error::NOT_ALLOWED)
    );
    assert_eq!(
        retain(&mut world, OTHER_ADMIN, NOW + 5),
        Some(care::error::NOT_ALLOWED)
    );
    assert_eq!(retain(&mut world, MANAGER, NOW), Some(care::error::OUT_OF_RANGE));
    assert_eq!(retain(&mut world, MANAGER, NOW + HOUR_MS), None);
    assert_eq!(
        retain(&mut world, ADMIN, NOW + 5),
        Some(care::error::OUT_OF_RANGE),
        "never shorter"
    );
    assert_eq!(hold(&mut world, MANAGER, 7, true), Some(care::error::NOT_ALLOWED));
    assert_eq!(hold(&mut world, AUDITOR, 7, true), None);
    assert_eq!(hold(&mut world, ADMIN, 7, true), Some(care::error::DUPLICATE));
    let kept: Custody = care_asked(&world, care::query::CUSTODY, &id(0));
    let expected = Custody {
        retain_until_ms: NOW + HOUR_MS,
        holds: vec![Hold {
            reason: 7,
            by: AUDITOR,
        }],
    };
    assert_eq!(kept, expected);
    assert_eq!(shred(&mut world, PATIENT).abort(), Some(access::error::HELD));
    world.time_ms = NOW + HOUR_MS;
    assert_eq!(
        shred(&mut world, PATIENT).abort(),
        Some(access::error::HELD),
        "the hold stands"
    );
    assert_eq!(hold(&mut world, AUDITOR, 8, false), Some(care::error::UNKNOWN));
    assert_eq!(hold(&mut world, AUDITOR, 7, false), None);
    for by in [DOCTOR, STRANGER, NEIGHBOUR, MANAGER, OTHER_ADMIN] {
        assert_eq!(
            shred(&mut world, by).abort(),
            Some(access::error::NOT_ALLOWED),
            "{by}"
        );
    }
    let shredded = shred(&mut world, PATIENT);
    let event = AccessEvent::RecordShredded {
        record: id(0),
        root: [1 ^ 0xff; 32],
        by: PATIENT,
    };
    assert_eq!(shredded.access_events(), [event]);
    assert_eq!(world.ask::<Option<Record>>(access::query::RECORD, &id(0)), None);
    let own = request(PATIENT, 0, Purpose::PatientRequest);
    let gone = world.retrieve(PATIENT, &own).result.unwrap();
    assert_eq!(reason_of(gone), reason::NO_SUCH_RECORD);
    assert_eq!(
        shred(&mut world, ADMIN).abort(),
        Some(access::error::UNKNOWN_RECORD)
    );
    let again = record_of(DOCTOR, PATIENT, 1, RecordClass::Clinical, &[0, 1, 2]);
    assert_eq!(
        world.add(DOCTOR, &again).abort(),
        Some(access::error::DUPLICATE),
        "its root stays taken"
    );
    assert_eq!(
        world.add_record(DOCTOR, 2),
        RecordNumber::new(1),
        "so does its number"
    );
}

#[test]
fn the_author_deals_a_record_anew_and_survivors_go_on_reading() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    world
        .grant(PATIENT, &grant_all(STRANGER, NOW + HOUR_MS))
        .result
        .unwrap();
    let dealing =
        |author, root: u8, class| dealing_of(author, PATIENT, ([9; 32], [root; 32]), class, &[0, 1, 2]);
    let replace = |world: &mut World, by, record: u32, dealing| {
        let record = RecordNumber::new(record);
        world.access::<()>(
            by,
            access::entry::REPLACE_RECORD,
            &ReplaceRecord { record, dealing },
        )
    };
    let clinical = RecordClass::Clinical;
    for (by, record, dealing, code) in [
        (
            MANAGER,
            0,
            dealing(MANAGER, 8, clinical),
            access::error::NOT_ALLOWED,
        ),
        (
            DOCTOR,
            0,
            dealing(DOCTOR, 8, RecordClass::Imaging),
            access::error::NOT_ALLOWED,
        ),
        (
            DOCTOR,
            4,
            dealing(DOCTOR, 8, clinical),
            access::error::UNKNOWN_RECORD,
        ),
        (
            DOCTOR,
            0,
            dealing(MANAGER, 8, clinical),
            access::error::BAD_RECEIPTS,
        ),
        (
            DOCTOR,
            0,
            dealing(DOCTOR, 1 ^ 0xff, clinical),
            access::error::DUPLICATE,
        ),
    ] {
        assert_eq!(replace(&mut world, by, record, dealing).abort(), Some(code));
    }
    let replaced = replace(&mut world, DOCTOR, 0, dealing(DOCTOR, 8, clinical));
    let event = AccessEvent::RecordReplaced {
        record: id(0),
        before: [1 ^ 0xff; 32],
    };
    assert_eq!(replaced.access_events(), [event]);
    let record: Option<Record> = world.ask(access::query::RECORD, &id(0));
    let record = record.unwrap();
    assert_eq!((record.digest, record.root), ([9; 32], [8; 32]));
    let permitted = world.retrieve(STRANGER, &treat(0)).result.unwrap();
    assert_eq!(reason_of(permitted), reason::GRANTED);
    let back = record_of(DOCTOR, PATIENT, 1, clinical, &[0, 1, 2]);
    assert_eq!(
        replace(&mut world, DOCTOR, 0, back).abort(),
        Some(access::error::DUPLICATE),
        "a dealing never comes back"
    );
}

#[test]
fn a_deleted_delegate_acts_for_nobody() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    name(&mut world, STRANGER, Some(parent(Scope::All, true)))
        .result
        .unwrap();
    let own = request(PATIENT, 0, Purpose::PatientRequest);
    let permitted = world.retrieve(STRANGER, &own).result.unwrap();
    assert_eq!(reason_of(permitted), reason::DELEGATED);
    let delete = DeleteUser { principal: STRANGER };
    world
        .execute::<()>(
            OTHER_ADMIN,
            ContractId::REGISTRY,
            registry::entry::DELETE_USER,
            &delete,
        )
        .result
        .unwrap();
    assert_eq!(world.ticket(0, STRANGER), None);
    let stands: Option<Delegation> = care_asked(&world, care::query::DELEGATION, &(PATIENT, STRANGER));
    assert_eq!(stands, None);
}

#[test]
fn grants_of_a_delegate_are_checked_as_the_patients_own() {
    let mut world = World::new();
    name(&mut world, NEIGHBOUR, Some(parent(Scope::All, true)))
        .result
        .unwrap();
    let mut idle = grant_all(DOCTOR, NOW + HOUR_MS);
    idle.grant.purposes = Purposes::default();
    for (argument, code) in [
        (idle, access::error::BAD_INPUT),
        (grant_all(PATIENT, NOW + HOUR_MS), access::error::BAD_INPUT),
        (
            grant_all(AUDITOR, NOW + HOUR_MS),
            access::error::UNKNOWN_PRINCIPAL,
        ),
        (grant_all(DOCTOR, NOW), access::error::OUT_OF_RANGE),
    ] {
        let GrantAccess { grantee, .. } = argument;
        assert_eq!(
            act(&mut world, Act::Grant(argument)).abort(),
            Some(code),
            "{grantee}"
        );
    }
}
