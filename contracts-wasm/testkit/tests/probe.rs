//! Rules that are asked about everything.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_testkit::probe::{Finding, Probed, probe};

/// A rule that answers with two bytes and a number, chosen by whether the request is an emergency (its last byte).
fn rule(calm: &str, emergency: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (import "salus0" "abort" (func $abort (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "{calm}")
            (data (i32.const 16) "{emergency}")
            (func (export "salus_abi_1"))
            (func (export "salus_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "salus_decide") (param $at i32) (param $len i32) (result i64)
                (local $answer i32)
                (if (i32.load8_u (i32.sub (i32.add (local.get $at) (local.get $len)) (i32.const 1)))
                    (then (local.set $answer (i32.const 16))))
                (if (i32.eq (i32.load8_u offset=1 (local.get $answer)) (i32.const 0xff)) (then (call $abort (i32.const 7))))
                (i64.or
                    (i64.shl (i64.extend_i32_u (i32.add (local.get $answer) (i32.const 1))) (i64.const 32))
                    (i64.extend_i32_u (i32.load8_u (local.get $answer))))))"#
    );
    wat::parse_str(text).unwrap()
}

/// The length, then the canonical bytes of the answer.
const ABSTAIN: &str = "\\01\\00";
const DENY_300: &str = "\\04\\01\\fb\\01\\2c";
const DENY_3: &str = "\\02\\01\\03";
const OBLIGE_REVIEW: &str = "\\02\\02\\02";
const ABORT: &str = "\\00\\ff";

fn findings(calm: &str, emergency: &str) -> Vec<Finding> {
    match probe(&rule(calm, emergency), &[]).unwrap() {
        Probed::Asked { requests, findings } => {
            assert_eq!(requests, 4 * 6 * 7 * 7 * 2);
            findings
        }
        Probed::NotInstantiated(why) => panic!("{why}"),
    }
}

#[test]
fn answers_that_nobody_means_are_found() {
    assert_eq!(findings(ABSTAIN, ABSTAIN), []);
    assert_eq!(findings(DENY_300, DENY_300), []);
    assert_eq!(findings(DENY_3, DENY_300), [Finding::NoReason(3)]);
    assert_eq!(findings(DENY_300, ABSTAIN), [Finding::EmergencyWithoutReview]);
    assert_eq!(findings(DENY_300, OBLIGE_REVIEW), []);
    assert_eq!(findings(ABSTAIN, ABORT), [Finding::Aborts(7)]);
    let codes = [
        Finding::NoReason(3),
        Finding::EmergencyWithoutReview,
        Finding::Aborts(7),
    ]
    .map(|one| one.code());
    assert_eq!(codes, ["L001", "L002", "L005"]);
}

#[test]
fn a_rule_that_wants_an_argument_is_not_asked_without() {
    let office_hours = std::fs::read("../artifacts/office_hours.wasm").unwrap();
    let refused = probe(&office_hours, &[]).unwrap();
    assert!(matches!(refused, Probed::NotInstantiated(_)), "{refused:?}");
    let hours = salus_abi::codec::encode(&(480u16, 1_080u16, 31u8, 0i16));
    let Probed::Asked { findings, .. } = probe(&office_hours, &hours).unwrap() else {
        panic!("it is instantiated with its hours");
    };
    assert_eq!(findings, [Finding::EmergencyWithoutReview]);
}
