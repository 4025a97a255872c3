use super::*;
use proptest::prelude::*;
use salus_sdk::abi::access::{Purposes, Standing};
use salus_sdk::{PrincipalId, RecordNumber};

const NOW: u64 = 1_000_000;
const LIVE: u64 = NOW + 3_600_000;
const TREAT: Purpose = Purpose::Treatment;
const LAB: RecordClass = RecordClass::Laboratory;

fn request(purpose: Purpose, emergency: bool) -> Retrieve {
    Retrieve {
        patient: PrincipalId::new(1),
        record: RecordNumber::new(7),
        purpose,
        emergency,
    }
}

fn facts(grants: &[Grant]) -> Facts {
    Facts {
        now_ms: NOW,
        own: false,
        doctor: true,
        conduct: Conduct::default(),
        grants: Grants::of(grants),
        delegation: None,
        class: Some(LAB),
    }
}

fn grant(scope: Scope, until_ms: u64) -> Grant {
    Grant {
        scope,
        purposes: Purposes::of(&[TREAT]),
        until_ms,
    }
}

fn delegated(scope: Scope, until_ms: u64) -> Delegation {
    Delegation {
        scope,
        manages: false,
        until_ms,
    }
}

fn reason_of(purpose: Purpose, facts: &Facts) -> u16 {
    match decide(&request(purpose, false), facts) {
        Ok(basis) => basis.reason,
        Err(reason) => reason,
    }
}

#[test]
fn grants_decide_by_scope_purpose_and_time() {
    let seven = Scope::Record(RecordNumber::new(7));
    let eight = Scope::Record(RecordNumber::new(8));
    let lab = Scope::Class(LAB);
    let imaging = Scope::Class(RecordClass::Imaging);
    let cases: [(&str, &[Grant], Purpose, u16); 13] = [
        ("nothing", &[], TREAT, reason::NO_GRANT),
        ("all", &[grant(Scope::All, LIVE)], TREAT, reason::GRANTED),
        ("its class", &[grant(lab, LIVE)], TREAT, reason::GRANTED),
        ("the record", &[grant(seven, LIVE)], TREAT, reason::GRANTED),
        (
            "another record",
            &[grant(eight, LIVE)],
            TREAT,
            reason::OUT_OF_SCOPE,
        ),
        (
            "another class",
            &[grant(imaging, LIVE)],
            TREAT,
            reason::OUT_OF_SCOPE,
        ),
        (
            "another purpose",
            &[grant(lab, LIVE)],
            Purpose::Research,
            reason::WRONG_PURPOSE,
        ),
        ("ended now", &[grant(seven, NOW)], TREAT, reason::GRANT_EXPIRED),
        (
            "ends in a moment",
            &[grant(seven, NOW + 1)],
            TREAT,
            reason::GRANTED,
        ),
        (
            "the nearest miss is told",
            &[grant(eight, LIVE), grant(seven, NOW)],
            TREAT,
            reason::GRANT_EXPIRED,
        ),
        (
            "one of several permits",
            &[grant(eight, LIVE), grant(seven, NOW), grant(lab, LIVE)],
            TREAT,
            reason::GRANTED,
        ),
        (
            "ended, and of another purpose",
            &[grant(lab, NOW)],
            Purpose::Research,
            reason::WRONG_PURPOSE,
        ),
        (
            "an ended grant for another class",
            &[grant(imaging, NOW)],
            TREAT,
            reason::GRANT_EXPIRED,
        ),
    ];
    for (name, grants, purpose, expected) in cases {
        let given = reason_of(purpose, &facts(grants));
        assert_eq!(reason::name(given), reason::name(expected), "{name}");
    }
}

#[test]
fn only_those_who_could_read_a_record_learn_that_there_is_none() {
    let missing = |grants: &[Grant]| Facts {
        class: None,
        ..facts(grants)
    };
    let own = Facts {
        own: true,
        ..missing(&[])
    };
    assert_eq!(reason_of(TREAT, &own), reason::NO_SUCH_RECORD);
    assert_eq!(
        reason_of(TREAT, &missing(&[grant(Scope::All, LIVE)])),
        reason::NO_SUCH_RECORD
    );
    assert_eq!(reason_of(TREAT, &missing(&[])), reason::NO_GRANT);
    assert_eq!(
        reason_of(TREAT, &missing(&[grant(Scope::Class(LAB), LIVE)])),
        reason::OUT_OF_SCOPE
    );
    assert_eq!(
        reason_of(TREAT, &missing(&[grant(Scope::All, NOW)])),
        reason::GRANT_EXPIRED
    );
    let emergency = decide(&request(Purpose::EmergencyTreatment, true), &missing(&[]));
    assert_eq!(emergency, Err(reason::NO_GRANT));
}

#[test]
fn a_ticket_ends_with_its_grant_and_rests_on_the_one_that_lasts() {
    let short = grant(Scope::All, NOW + 5);
    let basis = decide(&request(TREAT, false), &facts(&[short])).unwrap();
    assert_eq!((basis.until_ms, basis.rests_on), (NOW + 5, RestsOn::Grant(0)));
    let basis = decide(
        &request(TREAT, false),
        &facts(&[short, grant(Scope::All, LIVE), short]),
    )
    .unwrap();
    assert_eq!(
        (basis.until_ms, basis.rests_on),
        (NOW + TICKET_MS, RestsOn::Grant(1))
    );
}

#[test]
fn doctors_break_the_glass_and_owe_for_it() {
    let emergency = request(Purpose::EmergencyTreatment, true);
    let basis = decide(&emergency, &facts(&[])).unwrap();
    assert_eq!(basis.reason, reason::EMERGENCY);
    assert_eq!(basis.until_ms, NOW + EMERGENCY_TICKET_MS);
    assert!(
        basis
            .obligations
            .contains(Obligations::NOTIFY_PATIENT.and(Obligations::REVIEW))
    );
    assert_eq!(basis.rests_on, RestsOn::Itself);

    let nurse = Facts {
        doctor: false,
        ..facts(&[])
    };
    assert_eq!(decide(&emergency, &nurse), Err(reason::NOT_AN_EMERGENCY_ROLE));
    let curious = decide(&request(Purpose::Research, true), &facts(&[]));
    assert_eq!(curious, Err(reason::NOT_AN_EMERGENCY_ROLE));
}

#[test]
fn patients_read_their_own_records() {
    let own = Facts {
        own: true,
        doctor: false,
        ..facts(&[])
    };
    let basis = decide(&request(Purpose::PatientRequest, false), &own).unwrap();
    assert_eq!(
        (basis.reason, basis.until_ms),
        (reason::OWN_RECORD, NOW + TICKET_MS)
    );
}

#[test]
fn a_penalty_refuses_everything_and_is_not_raised_by_asking_again() {
    let conduct = (0..3).fold(Conduct::default(), |conduct, _| conduct.refused(NOW));
    let penalised = Facts {
        conduct,
        own: true,
        ..facts(&[grant(Scope::All, LIVE)])
    };
    for emergency in [false, true] {
        let outcome = decide(&request(Purpose::EmergencyTreatment, emergency), &penalised);
        assert_eq!(outcome, Err(reason::PENALISED));
        let (decision, after) = settle(outcome, conduct, NOW);
        assert_eq!(after, conduct);
        let standing = conduct.standing(NOW);
        assert_eq!(
            decision,
            Decision::Deny {
                reason: reason::PENALISED,
                standing
            }
        );
    }
}

#[test]
fn a_delegate_reads_what_the_patient_would_and_its_ticket_ends_with_the_delegation() {
    let with = |grants: &[Grant], delegation| Facts {
        delegation: Some(delegation),
        ..facts(grants)
    };
    let lab = with(&[], delegated(Scope::Class(LAB), NOW + 7));
    let basis = decide(&request(Purpose::PatientRequest, false), &lab).unwrap();
    assert_eq!(
        (basis.reason, basis.until_ms, basis.rests_on),
        (reason::DELEGATED, NOW + 7, RestsOn::Delegation)
    );
    assert_eq!(basis.obligations, Obligations::default());
    for purpose in [TREAT, Purpose::EmergencyTreatment] {
        assert_eq!(reason_of(purpose, &lab), reason::DELEGATED);
    }
    for purpose in [
        Purpose::Research,
        Purpose::Payment,
        Purpose::Operations,
        Purpose::PublicHealth,
    ] {
        assert_eq!(reason_of(purpose, &lab), reason::NO_GRANT);
    }
    let imaging = with(&[], delegated(Scope::Class(RecordClass::Imaging), LIVE));
    assert_eq!(reason_of(TREAT, &imaging), reason::NO_GRANT);
    let ended = with(&[grant(Scope::All, NOW)], delegated(Scope::All, NOW));
    assert_eq!(reason_of(TREAT, &ended), reason::GRANT_EXPIRED);
    let both = with(&[grant(Scope::All, LIVE)], delegated(Scope::All, LIVE));
    assert_eq!(
        reason_of(TREAT, &both),
        reason::GRANTED,
        "its own grant comes first"
    );
    let missing = Facts {
        class: None,
        ..with(&[], delegated(Scope::All, LIVE))
    };
    assert_eq!(reason_of(TREAT, &missing), reason::NO_SUCH_RECORD);
}

#[test]
fn a_delegation_is_asked_for_only_where_it_can_help() {
    let plain = request(TREAT, false);
    for (refusal, matters) in [
        (reason::NO_GRANT, true),
        (reason::OUT_OF_SCOPE, true),
        (reason::WRONG_PURPOSE, true),
        (reason::GRANT_EXPIRED, true),
        (reason::PENALISED, false),
        (reason::NO_SUCH_RECORD, false),
        (reason::NOT_AN_EMERGENCY_ROLE, false),
    ] {
        assert_eq!(
            delegation_matters(&plain, &facts(&[]), refusal),
            matters,
            "{refusal}"
        );
    }
    let own = Facts {
        own: true,
        ..facts(&[])
    };
    assert!(!delegation_matters(&plain, &own, reason::NO_GRANT));
    assert!(!delegation_matters(
        &request(TREAT, true),
        &facts(&[]),
        reason::NO_GRANT
    ));
}

#[test]
fn what_a_delegate_grants_is_no_wider_than_its_delegation() {
    let seven = Scope::Record(RecordNumber::new(7));
    let eight = Scope::Record(RecordNumber::new(8));
    let (lab, imaging) = (Scope::Class(LAB), Scope::Class(RecordClass::Imaging));
    for (own, granted, class, fits) in [
        (Scope::All, Scope::All, None, true),
        (Scope::All, lab, None, true),
        (Scope::All, seven, None, true),
        (lab, lab, None, true),
        (lab, imaging, None, false),
        (lab, Scope::All, None, false),
        (lab, seven, Some(LAB), true),
        (lab, seven, Some(RecordClass::Imaging), false),
        (lab, seven, None, false),
        (seven, seven, Some(LAB), true),
        (seven, eight, Some(LAB), false),
        (seven, lab, None, false),
        (seven, Scope::All, None, false),
    ] {
        let delegation = delegated(own, LIVE);
        assert_eq!(within(&grant(granted, LIVE), class, &delegation), fits);
        assert!(!within(&grant(granted, LIVE + 1), class, &delegation), "too long");
    }
}

fn basis() -> Basis {
    decide(&request(TREAT, false), &facts(&[grant(Scope::All, LIVE)])).unwrap()
}

fn after_rules(answers: &[Option<RuleDecision>]) -> Result<Basis, u16> {
    ask_rules(basis(), answers.iter().copied())
}

#[test]
fn any_rule_may_refuse_and_none_can_permit() {
    let abstain = Some(RuleDecision::Abstain);
    let deny = |reason| Some(RuleDecision::Deny { reason });
    let oblige = |obligations| Some(RuleDecision::Oblige { obligations });
    assert_eq!(after_rules(&[]), Ok(basis()));
    assert_eq!(after_rules(&[abstain, abstain]), Ok(basis()));
    assert_eq!(after_rules(&[abstain, deny(300), abstain]), Err(300));
    assert_eq!(
        after_rules(&[deny(reason::WRONG_PURPOSE)]),
        Err(reason::WRONG_PURPOSE)
    );
    assert_eq!(after_rules(&[abstain, None]), Err(reason::RULE_FAILED));
    assert_eq!(
        after_rules(&[deny(reason::GRANTED)]),
        Err(reason::RULE_FAILED),
        "the reason of a permit"
    );
    let both = after_rules(&[oblige(Obligations::REVIEW), oblige(Obligations::NOTIFY_PATIENT)]).unwrap();
    assert_eq!(
        both.obligations,
        Obligations::NOTIFY_PATIENT.and(Obligations::REVIEW)
    );
}

#[test]
fn a_rule_that_refused_spares_those_after_it() {
    let mut asked = 0;
    let answers = [Some(RuleDecision::Deny { reason: 256 }), None]
        .into_iter()
        .inspect(|_| asked += 1);
    assert_eq!(ask_rules(basis(), answers), Err(256));
    assert_eq!(asked, 1);
}

#[test]
fn refusals_warn_unless_the_requester_could_not_help_it() {
    for (reason, counted) in [
        (reason::NO_GRANT, true),
        (reason::OUT_OF_SCOPE, true),
        (reason::WRONG_PURPOSE, true),
        (reason::GRANT_EXPIRED, true),
        (reason::NOT_AN_EMERGENCY_ROLE, true),
        (300, true),
        (reason::RULE_FAILED, false),
        (reason::NO_SUCH_RECORD, false),
        (reason::PENALISED, false),
    ] {
        let (decision, _) = settle(Err(reason), Conduct::default(), NOW);
        let standing = if counted {
            Standing::Warned { refusals: 1 }
        } else {
            Standing::Good
        };
        assert_eq!(decision, Decision::Deny { reason, standing });
    }
}

fn any_grant() -> impl Strategy<Value = Grant> {
    let scope = prop_oneof![
        Just(Scope::All),
        (5u32..9).prop_map(|record| Scope::Record(RecordNumber::new(record))),
        (0usize..7).prop_map(|class| Scope::Class(RecordClass::ALL[class])),
    ];
    let purposes = prop::collection::vec((0usize..7).prop_map(|purpose| Purpose::ALL[purpose]), 1..4);
    let until_ms = prop_oneof![Just(NOW), Just(NOW + 1), NOW - 500..NOW + 500];
    (scope, purposes, until_ms).prop_map(|(scope, purposes, until_ms)| Grant {
        scope,
        purposes: Purposes::of(&purposes),
        until_ms,
    })
}

prop_compose! {
    fn any_case()(
        grants in prop::collection::vec(any_grant(), 0..5),
        purpose in 0usize..7,
        flags in any::<(bool, bool, bool)>(),
        refusals in 0usize..5,
        class in 0usize..7,
        delegation in prop::option::of(any_grant()),
    ) -> (Retrieve, Facts) {
        let (emergency, own, doctor) = flags;
        let conduct = (0..refusals).fold(Conduct::default(), |conduct, _| conduct.refused(NOW));
        let delegation = delegation.map(|grant| delegated(grant.scope, grant.until_ms));
        let facts = Facts { own, doctor, conduct, delegation, class: Some(RecordClass::ALL[class]), ..facts(&grants) };
        (request(Purpose::ALL[purpose], emergency), facts)
    }
}

proptest! {
    /// The contract's promise to patients: a permit has a basis, and its ticket is short.
    #[test]
    fn nothing_is_permitted_without_a_basis((request, facts) in any_case()) {
        if let Ok(basis) = decide(&request, &facts) {
            prop_assert!(!facts.conduct.penalised(NOW));
            prop_assert!(basis.until_ms > NOW && basis.until_ms <= NOW + TICKET_MS);
            match basis.reason {
                reason::OWN_RECORD => prop_assert!(facts.own),
                reason::EMERGENCY => {
                    prop_assert!(facts.doctor && request.emergency);
                    prop_assert_eq!(request.purpose, Purpose::EmergencyTreatment);
                }
                reason::DELEGATED => {
                    let delegation = facts.delegation.unwrap();
                    prop_assert!(!facts.own && !request.emergency);
                    prop_assert!(delegation.until_ms >= basis.until_ms);
                    prop_assert!(DELEGATE_PURPOSES.contains(&request.purpose));
                    prop_assert_eq!(basis.rests_on, RestsOn::Delegation);
                }
                _ => {
                    let covers = |grant: &Grant| {
                        let reaches = match grant.scope {
                            Scope::All => true,
                            Scope::Record(record) => record == request.record,
                            Scope::Class(class) => Some(class) == facts.class,
                        };
                        reaches && grant.purposes.contains(request.purpose) && grant.until_ms >= basis.until_ms
                    };
                    let grant = facts.grants.iter().find(|(number, _)| RestsOn::Grant(*number) == basis.rests_on);
                    prop_assert!(grant.is_some_and(|(_, grant)| covers(grant)));
                }
            }
        }
    }

    /// Whoever is refused a record is answered as if it did not exist, and as if it were of any other class that
    /// the requester can't read either.
    #[test]
    fn a_refusal_tells_nothing_of_the_record((request, facts) in any_case(), other in 0usize..7) {
        if let Err(reason) = decide(&request, &facts) {
            let missing = Facts { class: None, ..facts.clone() };
            prop_assert_eq!(decide(&request, &missing), Err(reason));
            let other = Facts { class: Some(RecordClass::ALL[other]), ..facts };
            if let Err(same) = decide(&request, &other) {
                prop_assert_eq!(same, reason);
            }
        }
    }

    /// More grants never take a permit away.
    #[test]
    fn grants_only_add((request, facts) in any_case(), more in any_grant()) {
        if decide(&request, &facts).is_ok() {
            let mut grants: Vec<Grant> = facts.grants.iter().map(|(_, grant)| *grant).collect();
            grants.push(more);
            let more = Facts { grants: Grants::of(&grants), ..facts };
            prop_assert!(decide(&request, &more).is_ok());
        }
    }
}
