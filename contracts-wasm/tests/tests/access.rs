//! The access contract's artefact: the scenarios of reading a health record.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod common;

use common::{Steps, grant_all, id, treat};
use salus_abi::access::{
    AccessEvent, AccessRequest, Decision, EMERGENCY_TICKET_MS, GrantEntry, LogEntry, LogHead,
    OPEN_HEIGHTS_MAX, Obligations, OpenBlocks, OpenTicket, PENALTY_MS, Purpose, Purposes, Record,
    RecordClass, Scope, Standing, TICKET_MS, entry, error, log_head_key, query, reason, record_key,
};
use salus_abi::codec;
use salus_abi::domain::{self, Tag};
use salus_abi::registry::{self, DeleteUser};
use salus_abi::{ContractId, PrincipalId, RecordNumber};
use salus_contract_tests::who::{
    ADMIN, AUDITOR, DEVICE, DOCTOR, MANAGER, NEIGHBOUR, NOBODY, OTHER_ADMIN, PATIENT, STRANGER,
};
use salus_contract_tests::{CHAIN, MONDAY_MORNING_MS, World, dealing_of, record_of};
use salus_types::{Call, Event, Gas, Hash, Height, Receipt, Sequence, Status, TransactionPayload};

const NOW: u64 = MONDAY_MORNING_MS;
const HOUR_MS: u64 = 3_600_000;

fn deny(reason: u16, standing: Standing) -> Decision {
    Decision::Deny { reason, standing }
}

fn warned(refusals: u8) -> Standing {
    Standing::Warned { refusals }
}

#[test]
fn a_grant_permits_until_it_is_revoked_and_so_does_its_ticket() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let number = world
        .grant(PATIENT, &grant_all(STRANGER, NOW + HOUR_MS))
        .result
        .unwrap();
    let permit = Decision::Permit {
        reason: reason::GRANTED,
        until_ms: NOW + TICKET_MS,
        obligations: Obligations::default(),
    };
    assert_eq!(world.retrieve(STRANGER, &treat(0)).result, Ok(permit));
    let ticket = world.ticket(0, STRANGER).unwrap();
    assert_eq!(
        (ticket.purpose, ticket.until_ms),
        (Purpose::Treatment, NOW + TICKET_MS)
    );
    assert_eq!(world.ticket(0, DOCTOR), None, "it is the requester's alone");

    let before = world.clone();
    world.time_ms = NOW + TICKET_MS;
    assert_eq!(world.ticket(0, STRANGER), None, "it has ended");
    world = before;
    let revoked = world.revoke(PATIENT, STRANGER, Some(number));
    let event = AccessEvent::Revoked {
        patient: PATIENT,
        grantee: STRANGER,
        number: Some(number),
    };
    assert_eq!(revoked.access_events(), [event]);
    assert_eq!(world.ticket(0, STRANGER), None, "it ended with the grant");
    let refused = world.retrieve(STRANGER, &treat(0)).result.unwrap();
    assert_eq!(refused, deny(reason::NO_GRANT, warned(1)));
    assert_eq!(
        world.revoke(PATIENT, STRANGER, None).abort(),
        Some(error::UNKNOWN_GRANT)
    );
}

#[test]
fn a_ticket_ends_with_a_short_grant_and_with_its_holder() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    world
        .grant(PATIENT, &grant_all(DOCTOR, NOW + 1_000))
        .result
        .unwrap();
    world.retrieve(DOCTOR, &treat(0)).result.unwrap();
    assert_eq!(world.ticket(0, DOCTOR).unwrap().until_ms, NOW + 1_000);
    let delete = DeleteUser { principal: DOCTOR };
    let deleted = world.execute::<()>(ADMIN, ContractId::REGISTRY, registry::entry::DELETE_USER, &delete);
    assert_eq!(deleted.result, Ok(()));
    assert_eq!(world.ticket(0, DOCTOR), None);
}

#[test]
fn every_refusal_says_why() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let reason_of = |world: &World, request| match world.clone().retrieve(STRANGER, &request).result.unwrap()
    {
        Decision::Deny { reason, .. } | Decision::Permit { reason, .. } => reason,
    };
    assert_eq!(reason_of(&world, treat(0)), reason::NO_GRANT);
    let mut narrow = grant_all(STRANGER, NOW + HOUR_MS);
    narrow.grant.scope = Scope::Record(RecordNumber::new(7));
    world.grant(PATIENT, &narrow).result.unwrap();
    assert_eq!(reason_of(&world, treat(0)), reason::OUT_OF_SCOPE);
    narrow.grant.scope = Scope::Class(RecordClass::Clinical);
    world.grant(PATIENT, &narrow).result.unwrap();
    assert_eq!(reason_of(&world, treat(0)), reason::GRANTED);
    let mut research = treat(0);
    research.purpose = Purpose::Research;
    assert_eq!(reason_of(&world, research), reason::WRONG_PURPOSE);
    assert_eq!(
        reason_of(&world, treat(7)),
        reason::NO_SUCH_RECORD,
        "a grant reaches it"
    );
    assert_eq!(
        reason_of(&world, treat(8)),
        reason::OUT_OF_SCOPE,
        "not for it to know"
    );
    world.time_ms = NOW + HOUR_MS;
    assert_eq!(reason_of(&world, treat(0)), reason::GRANT_EXPIRED);
}

#[test]
fn refusals_warn_then_penalise_then_double_until_an_admin_lifts() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let mut standings = Vec::new();
    for _ in 0..4 {
        match world.retrieve(STRANGER, &treat(0)).result.unwrap() {
            Decision::Deny { standing, .. } => standings.push(standing),
            permit => unreachable!("{permit:?}"),
        }
    }
    let first = Standing::Penalised {
        until_ms: NOW + PENALTY_MS,
        level: 1,
    };
    assert_eq!(standings, [warned(1), warned(2), first, first]);

    world
        .grant(PATIENT, &grant_all(STRANGER, NOW + 24 * HOUR_MS))
        .result
        .unwrap();
    let penalised = world.retrieve(STRANGER, &treat(0)).result.unwrap();
    assert_eq!(penalised, deny(reason::PENALISED, first), "a grant does not help");
    world.time_ms = NOW + PENALTY_MS;
    assert!(
        matches!(
            world.retrieve(STRANGER, &treat(0)).result,
            Ok(Decision::Permit { .. })
        ),
        "it has ended"
    );

    world.revoke(PATIENT, STRANGER, None);
    for _ in 0..3 {
        world.retrieve(STRANGER, &treat(0)).result.unwrap();
    }
    let second = Standing::Penalised {
        until_ms: world.time_ms + 2 * PENALTY_MS,
        level: 2,
    };
    assert_eq!(world.standing(STRANGER), second);

    for (caller, code) in [(ADMIN, error::NOT_ALLOWED), (STRANGER, error::NOT_ALLOWED)] {
        assert_eq!(
            world.lift(caller, STRANGER).abort(),
            Some(code),
            "{caller} is no admin of that hospital"
        );
    }
    assert_eq!(
        world.lift(OTHER_ADMIN, NOBODY).abort(),
        Some(error::UNKNOWN_PRINCIPAL)
    );
    let lifted = world.lift(OTHER_ADMIN, STRANGER);
    let event = AccessEvent::Lifted {
        principal: STRANGER,
        by: OTHER_ADMIN,
    };
    assert_eq!(lifted.access_events(), [event]);
    assert_eq!(world.standing(STRANGER), Standing::Good);
    assert_eq!(world.lift(OTHER_ADMIN, STRANGER).abort(), Some(error::NO_PENALTY));
}

#[test]
fn a_penalty_is_told_beside_the_log_entry() {
    let mut world = World::new();
    for _ in 0..2 {
        assert_eq!(world.retrieve(STRANGER, &treat(0)).events.len(), 1);
    }
    let events = world.retrieve(STRANGER, &treat(0)).access_events();
    let standing = Standing::Penalised {
        until_ms: NOW + PENALTY_MS,
        level: 1,
    };
    assert!(matches!(
        events[0],
        AccessEvent::Access(LogEntry { index: 2, .. })
    ));
    assert_eq!(
        events[1],
        AccessEvent::Penalised {
            principal: STRANGER,
            standing
        }
    );
}

#[test]
fn a_doctor_breaks_the_glass_for_a_moment_and_others_do_not() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let mut glass = treat(0);
    glass.emergency = true;
    let curious = world.clone().retrieve(STRANGER, &glass).result.unwrap();
    assert_eq!(
        curious,
        deny(reason::NOT_AN_EMERGENCY_ROLE, warned(1)),
        "not emergency treatment"
    );
    glass.purpose = Purpose::EmergencyTreatment;
    let manager = world.clone().retrieve(MANAGER, &glass).result.unwrap();
    assert_eq!(manager, deny(reason::NOT_AN_EMERGENCY_ROLE, warned(1)));

    let answer = world.retrieve(STRANGER, &glass);
    let obligations = Obligations::NOTIFY_PATIENT.and(Obligations::REVIEW);
    let until_ms = NOW + EMERGENCY_TICKET_MS;
    let permit = Decision::Permit {
        reason: reason::EMERGENCY,
        until_ms,
        obligations,
    };
    assert_eq!(answer.result, Ok(permit));
    assert!(matches!(
        answer.access_events()[..],
        [
            AccessEvent::Access(LogEntry { emergency: true, .. }),
            AccessEvent::ReviewOpened { number: 0, .. }
        ]
    ));
    assert_eq!(world.ticket(0, STRANGER).unwrap().until_ms, until_ms);
    let mut missing = glass;
    missing.record = RecordNumber::new(5);
    assert_eq!(
        world.retrieve(STRANGER, &missing).result.unwrap(),
        deny(reason::NO_GRANT, warned(1))
    );
}

#[test]
fn patients_read_their_own_and_nobody_elses() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    let mut own = treat(0);
    own.purpose = Purpose::PatientRequest;
    assert!(matches!(
        world.retrieve(PATIENT, &own).result,
        Ok(Decision::Permit {
            reason: reason::OWN_RECORD,
            ..
        })
    ));
    assert_eq!(
        world.retrieve(NEIGHBOUR, &own).result.unwrap(),
        deny(reason::NO_GRANT, warned(1))
    );
    let missing = world.retrieve(PATIENT, &treat(9)).result.unwrap();
    assert_eq!(
        missing,
        deny(reason::NO_SUCH_RECORD, Standing::Good),
        "asking for one's own is no offence"
    );
    let nobody = world.retrieve(DOCTOR, &common::request(DOCTOR, 0, Purpose::Treatment));
    assert_eq!(
        nobody.abort(),
        Some(error::UNKNOWN_PRINCIPAL),
        "doctors have no records here"
    );
}

#[test]
fn records_need_receipts_of_enough_members() {
    let world = World::new();
    let add = |argument| world.clone().add(DOCTOR, &argument).abort();
    let good = record_of(DOCTOR, PATIENT, 1, RecordClass::Clinical, &[0, 1, 2]);
    assert_eq!(add(good.clone()), None, "n = 4, f = 1: three");
    let of = |members: &[u16]| record_of(DOCTOR, PATIENT, 1, RecordClass::Clinical, members);
    assert_eq!(add(of(&[0, 1])), Some(error::BAD_RECEIPTS), "too few");
    assert_eq!(add(of(&[0, 1, 1])), Some(error::BAD_RECEIPTS), "repeated");
    assert_eq!(add(of(&[1, 0, 2])), Some(error::BAD_RECEIPTS), "unsorted");
    assert_eq!(add(of(&[0, 1, 9])), Some(error::BAD_RECEIPTS), "not a member");

    let mut forged = good.clone();
    forged.receipts[2].signature = forged.receipts[1].signature;
    assert_eq!(add(forged), Some(error::BAD_RECEIPTS), "signed by another member");
    let mut other = good.clone();
    other.root = [3; 32];
    assert_eq!(add(other), Some(error::BAD_RECEIPTS), "receipts for other pieces");
    let mut weak = good.clone();
    weak.threshold = 1;
    assert_eq!(add(weak), Some(error::OUT_OF_RANGE), "one liar would open it");
    let mut strong = good.clone();
    strong.threshold = 4;
    assert_eq!(add(strong), Some(error::OUT_OF_RANGE), "only three hold it");
    let mut unknown = good;
    unknown.patient = DOCTOR;
    assert_eq!(add(unknown), Some(error::UNKNOWN_PRINCIPAL), "not a patient");
}

#[test]
fn receipts_serve_only_the_author_and_the_patient_they_were_given_for() {
    let mut world = World::new();
    let record = record_of(DOCTOR, PATIENT, 1, RecordClass::Clinical, &[0, 1, 2]);
    for thief in [STRANGER, MANAGER, PATIENT, DEVICE] {
        let code = world.add(thief, &record).abort();
        assert_eq!(code, Some(error::BAD_RECEIPTS), "{thief} is not the author");
    }
    let mut moved = record.clone();
    moved.patient = NEIGHBOUR;
    for author in [DOCTOR, STRANGER, NEIGHBOUR] {
        let code = world.add(author, &moved).abort();
        assert_eq!(code, Some(error::BAD_RECEIPTS), "{author} for another patient");
    }
    let strangers = record_of(STRANGER, PATIENT, 1, RecordClass::Clinical, &[0, 1, 2]);
    let mut mixed = record.clone();
    mixed.receipts[2] = strangers.receipts[2];
    assert_eq!(
        world.add(DOCTOR, &mixed).abort(),
        Some(error::BAD_RECEIPTS),
        "one receipt was given to another author"
    );
    assert_eq!(
        world.add(DOCTOR, &record).result,
        Ok(RecordNumber::new(0)),
        "what was refused left nothing behind"
    );
}

#[test]
fn a_dealing_is_recorded_once_whoever_copies_the_receipts() {
    let mut world = World::new();
    let record = record_of(DOCTOR, PATIENT, 1, RecordClass::Clinical, &[0, 1, 2]);
    assert_eq!(world.add(DOCTOR, &record).result, Ok(RecordNumber::new(0)));
    assert_eq!(world.add(DOCTOR, &record).abort(), Some(error::DUPLICATE));
    let mut stolen = record;
    stolen.patient = NEIGHBOUR;
    assert_eq!(world.add(NEIGHBOUR, &stolen).abort(), Some(error::DUPLICATE));
}

#[test]
fn a_digest_that_is_known_early_blocks_nothing() {
    let mut world = World::new();
    let digest = [1; 32];
    let squatted = dealing_of(
        NEIGHBOUR,
        NEIGHBOUR,
        (digest, [2; 32]),
        RecordClass::Clinical,
        &[0, 1, 2],
    );
    assert_eq!(world.add(NEIGHBOUR, &squatted).result, Ok(RecordNumber::new(0)));
    let real = dealing_of(
        DOCTOR,
        PATIENT,
        (digest, [3; 32]),
        RecordClass::Clinical,
        &[0, 1, 2],
    );
    assert_eq!(world.add(DOCTOR, &real).result, Ok(RecordNumber::new(0)));
}

#[test]
fn authors_are_doctors_managers_the_patient_and_its_own_devices() {
    let world = World::new();
    for (author, patient, allowed) in [
        (DOCTOR, PATIENT, true),
        (STRANGER, PATIENT, true),
        (MANAGER, PATIENT, true),
        (PATIENT, PATIENT, true),
        (DEVICE, PATIENT, true),
        (DEVICE, NEIGHBOUR, false),
        (NEIGHBOUR, PATIENT, false),
        (ADMIN, PATIENT, false),
        (AUDITOR, PATIENT, false),
    ] {
        let record = record_of(author, patient, 1, RecordClass::Device, &[0, 1, 2]);
        let code = world.clone().add(author, &record).abort();
        assert_eq!(
            code,
            (!allowed).then_some(error::NOT_ALLOWED),
            "{author} for {patient}"
        );
    }
}

#[test]
fn records_are_listed_newest_first_and_proven_at_their_place() {
    let mut world = World::new();
    for digest in 1..=70 {
        world.add_record(DOCTOR, digest);
    }
    let list: Vec<(RecordNumber, Record)> = world.ask(query::RECORDS, &PATIENT);
    let numbers: Vec<u32> = list.iter().map(|(number, _)| number.get()).collect();
    assert_eq!(numbers, (6..70).rev().collect::<Vec<_>>());
    assert_eq!(list[0].1.digest, [70; 32]);
    let record: Option<Record> = world.ask(query::RECORD, &id(69));
    assert_eq!(record.as_ref(), Some(&list[0].1));
    let stored = world.state(ContractId::ACCESS, &record_key(id(69))).unwrap();
    assert_eq!(stored, codec::encode(&list[0].1));
    assert_eq!(world.ask::<Option<Record>>(query::RECORD, &id(70)), None);
}

#[test]
fn grants_are_checked_and_bounded() {
    let mut world = World::new();
    let good = grant_all(DOCTOR, NOW + HOUR_MS);
    assert_eq!(
        world.grant(DOCTOR, &good).abort(),
        Some(error::NOT_ALLOWED),
        "not a patient"
    );
    assert_eq!(
        world.grant(PATIENT, &grant_all(DOCTOR, NOW)).abort(),
        Some(error::OUT_OF_RANGE)
    );
    for grantee in [NOBODY, AUDITOR, MANAGER, DEVICE] {
        let answer = world.grant(PATIENT, &grant_all(grantee, NOW + 1));
        assert_eq!(answer.abort(), Some(error::UNKNOWN_PRINCIPAL), "{grantee}");
    }
    assert_eq!(
        world.grant(PATIENT, &grant_all(PATIENT, NOW + 1)).abort(),
        Some(error::BAD_INPUT)
    );
    let mut idle = good;
    idle.grant.purposes = Purposes::default();
    assert_eq!(world.grant(PATIENT, &idle).abort(), Some(error::BAD_INPUT));

    for number in 0..16 {
        assert_eq!(world.grant(PATIENT, &good).result, Ok(number));
    }
    assert_eq!(world.grant(PATIENT, &good).abort(), Some(error::TOO_MANY));
    world.time_ms = NOW + HOUR_MS;
    assert_eq!(
        world.grant(PATIENT, &grant_all(DOCTOR, NOW + 2 * HOUR_MS)).result,
        Ok(16),
        "the old have ended"
    );
    let list: Vec<GrantEntry> = world.ask(query::POLICY_LIST, &PATIENT);
    assert_eq!(list.len(), 1);
}

#[test]
fn a_patient_has_256_grants_and_ended_ones_make_room() {
    let mut world = World::new();
    let first = common::enrol_doctors(&mut world, 17);
    for doctor in 0..16 {
        let grantee = PrincipalId::new(first + doctor);
        for _ in 0..16 {
            world
                .grant(PATIENT, &grant_all(grantee, NOW + HOUR_MS))
                .result
                .unwrap();
        }
    }
    let list: Vec<GrantEntry> = world.ask(query::POLICY_LIST, &PATIENT);
    assert_eq!(list.len(), 256);
    let last = PrincipalId::new(first + 16);
    let full = world.grant(PATIENT, &grant_all(last, NOW + 3 * HOUR_MS));
    assert_eq!(full.abort(), Some(error::TOO_MANY));
    world.revoke(PATIENT, PrincipalId::new(first), Some(0));
    assert_eq!(
        world.grant(PATIENT, &grant_all(last, NOW + 3 * HOUR_MS)).result,
        Ok(256),
        "one has room"
    );
    world.time_ms = NOW + HOUR_MS;
    assert_eq!(
        world.grant(PATIENT, &grant_all(last, NOW + 3 * HOUR_MS)).result,
        Ok(257),
        "255 have ended"
    );
    let list: Vec<GrantEntry> = world.ask(query::POLICY_LIST, &PATIENT);
    assert_eq!(
        list.iter().map(|entry| entry.number).collect::<Vec<_>>(),
        [256, 257]
    );
}

#[test]
fn the_log_is_a_chain_that_anyone_can_check() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    assert_eq!(world.state(ContractId::ACCESS, &log_head_key(PATIENT)), None);
    world
        .grant(PATIENT, &grant_all(DOCTOR, NOW + HOUR_MS))
        .result
        .unwrap();
    let mut head = [0; 32];
    for (index, requester) in (0..).zip([DOCTOR, STRANGER, PATIENT, STRANGER, AUDITOR, STRANGER, STRANGER]) {
        let answer = world.retrieve(requester, &treat(0));
        let [AccessEvent::Access(entry), ..] = answer.access_events()[..] else {
            unreachable!("every retrieve is logged");
        };
        assert_eq!(
            (entry.index, entry.requester, entry.height),
            (index, requester, world.height)
        );
        assert_eq!(Ok(entry.decision), answer.result);
        let payload = [&head[..], &codec::encode(&entry)].concat();
        let message = domain::message(Tag::ACCESS_LOG, CHAIN.as_bytes(), &payload);
        head = *Hash::of_content(&message).as_bytes();
        let stored: LogHead = world.ask(query::LOG_HEAD, &PATIENT);
        assert_eq!(
            stored,
            LogHead {
                count: index + 1,
                head
            }
        );
        let bytes = world.state(ContractId::ACCESS, &log_head_key(PATIENT)).unwrap();
        assert_eq!(bytes, codec::encode(&stored));
    }
}

#[test]
fn would_decide_answers_as_retrieve_does_and_logs_nothing() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    world
        .grant(PATIENT, &grant_all(DOCTOR, NOW + HOUR_MS))
        .result
        .unwrap();
    for requester in [DOCTOR, STRANGER, PATIENT, STRANGER, STRANGER, STRANGER] {
        let request = AccessRequest {
            patient: PATIENT,
            record: RecordNumber::new(0),
            class: RecordClass::Sensitive,
            requester,
            purpose: Purpose::Treatment,
            emergency: false,
        };
        let before: LogHead = world.ask(query::LOG_HEAD, &PATIENT);
        let foreseen: Decision = world.ask(query::WOULD_DECIDE, &request);
        assert_eq!(world.ask::<LogHead>(query::LOG_HEAD, &PATIENT), before);
        assert_eq!(world.retrieve(requester, &treat(0)).result, Ok(foreseen));
    }
}

#[test]
fn a_retrieve_is_small_and_writes_little() {
    let mut world = World::new();
    world.add_record(DOCTOR, 1);
    world
        .grant(PATIENT, &grant_all(DOCTOR, NOW + HOUR_MS))
        .result
        .unwrap();
    world.height = 10_000_000;
    let writes = world.writes();
    let permit = world.retrieve(DOCTOR, &treat(0));
    assert_eq!(world.writes() - writes, 2, "log head, ticket");
    let writes = world.writes();
    let refusal = world.retrieve(STRANGER, &treat(0));
    assert_eq!(world.writes() - writes, 2, "log head, standing");
    for (requester, answer) in [(DOCTOR, permit), (STRANGER, refusal)] {
        // As it would be on a chain that has seen a lot.
        let far = PrincipalId::new(2_000_000);
        let request = salus_abi::access::Retrieve {
            patient: far,
            ..treat(60_000)
        };
        let payload = TransactionPayload {
            sender: far,
            sequence: Sequence::new(60_000),
            expires: Height::new(world.height + 100),
            gas_limit: Gas::new(1_000_000),
            call: Call::Contract {
                contract: ContractId::ACCESS,
                entry: salus_abi::access::entry::RETRIEVE,
                input: codec::encode(&request),
            },
        };
        let transaction = payload.sign(&salus_contract_tests::person_key(requester.get()), &CHAIN);
        let event = |data| Event {
            contract: ContractId::ACCESS,
            data,
        };
        let receipt = Receipt {
            status: Status::Success,
            gas_used: Gas::new(answer.gas_used),
            output: answer.output,
            events: answer.events.into_iter().map(event).collect(),
        };
        let bytes = codec::encode(&transaction).len() + codec::encode(&receipt).len();
        println!(
            "retrieve by {requester}: {bytes} bytes in the body, {} gas",
            answer.gas_used
        );
        assert!(bytes < 220, "{bytes} bytes");
    }
}

fn open(world: &mut World, who: PrincipalId, from: u64, to: u64) -> Result<OpenTicket, Option<u16>> {
    let purpose = Purpose::Operations;
    let argument = OpenBlocks { from, to, purpose };
    let answer = world.execute::<OpenTicket>(who, ContractId::ACCESS, entry::OPEN_BLOCKS, &argument);
    if let Ok(ticket) = answer.result {
        let principal = who;
        assert_eq!(
            answer.access_events(),
            [AccessEvent::OpenTicket { principal, ticket }],
            "everyone can see who opens what"
        );
    }
    answer.result.map_err(|_| answer.abort())
}

fn open_ticket(world: &World, who: PrincipalId) -> Option<OpenTicket> {
    let answer = world.query::<Option<OpenTicket>>(ContractId::ACCESS, query::OPEN_TICKET, &who);
    answer.result.unwrap()
}

#[test]
fn auditors_and_admins_open_any_blocks_and_patients_those_of_their_own_log() {
    let mut world = World::new();
    world.height = 5_000;
    for (who, own_log_only) in [(AUDITOR, false), (ADMIN, false), (PATIENT, true)] {
        assert_eq!(open_ticket(&world, who), None);
        let ticket = open(&mut world, who, 10, 20).unwrap();
        let expected = OpenTicket {
            from: 10,
            to: 20,
            purpose: Purpose::Operations,
            own_log_only,
            until_ms: NOW + TICKET_MS,
        };
        assert_eq!(ticket, expected);
        assert_eq!(open_ticket(&world, who), Some(expected));
    }
    for who in [DOCTOR, MANAGER, DEVICE, NOBODY] {
        assert_eq!(open(&mut world, who, 10, 20), Err(Some(error::NOT_ALLOWED)));
        assert_eq!(open_ticket(&world, who), None);
    }
    assert_eq!(
        open(&mut world, AUDITOR, 10, 10 + OPEN_HEIGHTS_MAX),
        Err(Some(error::OUT_OF_RANGE))
    );
    assert_eq!(
        open(&mut world, PATIENT, 1, 9_000),
        Err(Some(error::OUT_OF_RANGE))
    );
    assert!(open(&mut world, PATIENT, 1, 5_000).is_ok());
    assert_eq!(
        open_ticket(&world, AUDITOR).unwrap().from,
        10,
        "the last one stands"
    );
}

#[test]
fn a_ticket_to_open_ends_by_time_and_with_its_holder_and_is_not_for_the_penalised() {
    let mut world = World::new();
    open(&mut world, AUDITOR, 1, 2).unwrap();
    let mut later = world.clone();
    later.time_ms = NOW + TICKET_MS;
    assert_eq!(open_ticket(&later, AUDITOR), None, "it has ended");
    let delete = DeleteUser { principal: AUDITOR };
    let deleted = world.execute::<()>(ADMIN, ContractId::REGISTRY, registry::entry::DELETE_USER, &delete);
    assert_eq!(deleted.result, Ok(()));
    assert_eq!(open_ticket(&world, AUDITOR), None, "it may no longer act");

    open(&mut world, PATIENT, 1, 1).unwrap();
    for _ in 0..3 {
        let mut other = treat(0);
        other.patient = NEIGHBOUR;
        world.retrieve(PATIENT, &other).result.unwrap();
    }
    assert!(matches!(world.standing(PATIENT), Standing::Penalised { .. }));
    assert_eq!(open(&mut world, PATIENT, 1, 1), Err(Some(error::NOT_ALLOWED)));
}
