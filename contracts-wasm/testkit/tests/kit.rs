//! The kit as authors use it, on the committed artefacts.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_abi::access::{
    AccessEvent, Decision, Grant, GrantAccess, Obligations, Purpose, Purposes, RecordClass, Retrieve,
    RuleDecision, RuleScope, Scope, entry, error, reason,
};
use salus_abi::registry::Role;
use salus_abi::{ContractId, MemberId, PrincipalId, RecordNumber};
use salus_testkit::who::{ADMIN, DOCTOR, OTHER_DOCTOR, PATIENT};
use salus_testkit::{
    Answer, Refusal, Setup, TestChain, assert_event, assert_gas, assert_obliges, request, time,
};

const OFFICE_HOURS: &str = "../artifacts/office_hours.wasm";
const OUTSIDE_HOURS: u16 = 256;
/// 08:00 to 18:00 UTC, Monday to Friday.
const HOURS: (u16, u16, u8, i16) = (480, 1_080, 0b001_1111, 0);

fn office() -> Setup {
    TestChain::wasm(OFFICE_HOURS).argument(&HOURS)
}

fn grant(chain: &mut TestChain, grantee: PrincipalId) -> Answer<u32> {
    let grant = GrantAccess {
        grantee,
        grant: Grant {
            scope: Scope::All,
            purposes: Purposes::of(&[Purpose::Treatment]),
            until_ms: time::parse_utc("2027-01-01").unwrap(),
        },
    };
    chain
        .by(PATIENT)
        .execute(ContractId::ACCESS, entry::GRANT, &grant)
}

fn retrieve(chain: &mut TestChain, by: PrincipalId, emergency: bool) -> Answer<Decision> {
    let purpose = if emergency {
        Purpose::EmergencyTreatment
    } else {
        Purpose::Treatment
    };
    let request = Retrieve {
        patient: PATIENT,
        record: RecordNumber::new(0),
        purpose,
        emergency,
    };
    chain
        .by(by)
        .execute(ContractId::ACCESS, entry::RETRIEVE, &request)
}

fn reason_of(answer: &Answer<Decision>) -> u16 {
    match answer.result.unwrap() {
        Decision::Permit { reason, .. } | Decision::Deny { reason, .. } => reason,
    }
}

#[test]
fn time_travels_both_ways() {
    let mut chain = office().at("2026-01-05T02:00:00Z").deploy();
    let asked = request(DOCTOR, PATIENT);
    let closed = RuleDecision::Deny {
        reason: OUTSIDE_HOURS,
    };
    assert_eq!(chain.by(DOCTOR).decide(&asked), closed);
    chain.advance("7h");
    assert_eq!(chain.by(DOCTOR).decide(&asked), RuleDecision::Abstain);
    chain.at("2026-01-04T12:00:00Z");
    assert_eq!(chain.by(DOCTOR).decide(&asked), closed, "Sunday");
    assert_gas!(chain <= 40_000);
}

#[test]
fn several_contracts_decide_together() {
    let mut chain = office()
        .beside(OFFICE_HOURS)
        .argument(&(0u16, 1_440u16, 127u8, 0i16))
        .deploy();
    chain.add_record(DOCTOR, PATIENT, RecordClass::Clinical);
    assert_eq!(grant(&mut chain, DOCTOR).result, Ok(0));
    let hospital = RuleScope::Organisation(MemberId::new(0));
    let always = ContractId::new(5);
    chain.register(always, hospital);
    chain.at("2026-01-05T02:00:00Z");
    assert_eq!(reason_of(&retrieve(&mut chain, DOCTOR, false)), reason::GRANTED);
    chain.register(TestChain::SUBJECT, hospital);
    assert_eq!(reason_of(&retrieve(&mut chain, DOCTOR, false)), OUTSIDE_HOURS);
}

#[test]
fn events_and_obligations_are_seen() {
    let mut chain = office().deploy();
    chain.add_record(DOCTOR, PATIENT, RecordClass::Clinical);
    let granted = grant(&mut chain, OTHER_DOCTOR);
    assert_event!(
        granted,
        ContractId::ACCESS,
        AccessEvent,
        AccessEvent::Granted { patient: PATIENT, .. }
    );
    let broken = retrieve(&mut chain, OTHER_DOCTOR, true);
    let Ok(Decision::Permit { obligations, .. }) = broken.result else {
        panic!("{broken:?}");
    };
    assert_obliges!(obligations, Obligations::NOTIFY_PATIENT);
    assert_obliges!(obligations, Obligations::REVIEW);
    assert_event!(broken, ContractId::ACCESS, AccessEvent, AccessEvent::Access(_));
}

#[test]
fn a_snapshot_undoes_what_followed() {
    let mut chain = TestChain::standard().deploy();
    chain.add_record(DOCTOR, PATIENT, RecordClass::Clinical);
    let before = chain.save();
    assert_eq!(grant(&mut chain, DOCTOR).result, Ok(0));
    assert_eq!(reason_of(&retrieve(&mut chain, DOCTOR, false)), reason::GRANTED);
    chain.go_back(&before);
    assert_eq!(reason_of(&retrieve(&mut chain, DOCTOR, false)), reason::NO_GRANT);
}

#[test]
fn roles_are_those_of_the_registry() {
    let mut chain = TestChain::standard().deploy();
    let auditor = chain.enrol(Role::Auditor);
    let refused: Answer<RecordNumber> = {
        let answer = chain
            .chain()
            .add_record(auditor, PATIENT, RecordClass::Clinical)
            .unwrap();
        assert!(answer.gas > 0, "a refusal is charged");
        answer
    };
    assert_eq!(refused.abort(), Some(error::NOT_ALLOWED));
    let nobody = PrincipalId::new(999);
    let unknown = chain.chain().add_record(nobody, PATIENT, RecordClass::Clinical);
    assert!(
        unknown.unwrap_err().to_string().contains("not registered"),
        "no block takes it"
    );
}

#[test]
fn what_is_not_there_is_refused() {
    let mut chain = office().deploy();
    let answer: Answer<()> = chain.by(ADMIN).execute(ContractId::new(77), 0, &());
    assert_eq!(answer.result, Err(Refusal::UnknownContract));
    let answer: Answer<()> = chain.query(TestChain::SUBJECT, 99, &());
    assert_eq!(answer.abort(), Some(0xff00), "no such question");
}

#[test]
#[should_panic(expected = "refuses to be instantiated")]
fn senseless_arguments_don_t_deploy() {
    let _ = TestChain::wasm(OFFICE_HOURS)
        .argument(&(600u16, 600u16, 31u8, 0i16))
        .deploy();
}

#[test]
#[should_panic(expected = "A020")]
fn what_no_node_admits_doesn_t_deploy() {
    let folder = std::env::temp_dir().join(format!("salus-testkit-{}.wasm", std::process::id()));
    std::fs::write(&folder, b"\0asm\x01\0\0\0").unwrap();
    let setup = TestChain::wasm(&folder);
    std::fs::remove_file(&folder).unwrap();
    let _ = setup.deploy();
}
