//! The interface is open to other languages: office-hours in C is its Rust twin's equal.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_abi::access::AccessRequest;
use salus_abi::codec;
use salus_testkit::cases::Suite;
use salus_testkit::who::{DOCTOR, OTHER_DOCTOR, PATIENT};
use salus_testkit::{Setup, TestChain, request, time};
use std::collections::BTreeMap;
use std::path::Path;

const RUST: &str = "../artifacts/office_hours.wasm";
const C: &str = "../c/office_hours.wasm";

/// 08:00 to 18:00, Monday to Friday, two hours east of UTC and five west of it.
const HOURS: [(u16, u16, u8, i16); 2] = [(480, 1_080, 0b001_1111, 120), (480, 1_080, 0b001_1111, -300)];

#[test]
fn the_same_cases_hold() {
    let artefacts = BTreeMap::from([("office_hours".to_owned(), std::fs::read(C).unwrap())]);
    let cases = Path::new("../rules/office-hours/cases/hours.yaml");
    let outcomes = Suite::with(cases, &artefacts).unwrap().run().unwrap();
    assert_eq!(outcomes.len(), 7);
    for outcome in outcomes {
        assert_eq!(outcome.faults, Vec::<String>::new(), "{}", outcome.name);
    }
}

#[test]
fn every_hour_of_a_week_is_answered_alike() {
    let deploy = |path: &str, hours| -> TestChain {
        let setup: Setup = TestChain::wasm(path).argument(hours);
        setup.deploy()
    };
    for hours in &HOURS {
        let (mut rust, mut c) = (deploy(RUST, hours), deploy(C, hours));
        let asked = |chain: &mut TestChain| -> Option<(u16, u16, u8, i16)> {
            chain.by(DOCTOR).query(0, &()).result.unwrap()
        };
        assert_eq!((asked(&mut rust), asked(&mut c)), (Some(*hours), Some(*hours)));
        let start = rust.save();
        for hour in 0..7 * 24 {
            let time_ms = time::MONDAY_MORNING_MS + hour * 3_600_000;
            rust.chain().set_time(time_ms);
            c.chain().set_time(time_ms);
            for requester in [DOCTOR, OTHER_DOCTOR, PATIENT] {
                for emergency in [false, true] {
                    let request = AccessRequest {
                        emergency,
                        ..request(requester, PATIENT)
                    };
                    let answers = [&mut rust, &mut c].map(|chain| chain.by(requester).decide(&request));
                    assert_eq!(
                        answers[0],
                        answers[1],
                        "{request:?} at {}",
                        time::utc_text(time_ms)
                    );
                }
            }
        }
        rust.go_back(&start);
    }
}

#[test]
fn what_the_twin_refuses_it_refuses() {
    let malformed: [&[u8]; 4] = [&[], &[1], &[8, 18, 31, 0, 0], &[18, 8, 31, 0]];
    for path in [RUST, C] {
        for bytes in malformed {
            let rule = salus_testkit::Contract {
                id: TestChain::SUBJECT,
                name: "office_hours".to_owned(),
                wasm: std::fs::read(path).unwrap().into(),
                argument: bytes.to_vec(),
            };
            let error = salus_testkit::Chain::found(&[rule], time::MONDAY_MORNING_MS).unwrap_err();
            assert!(
                error.to_string().contains("Aborted { code: 4 }"),
                "{path} {bytes:?}: {error}"
            );
        }
        let mut chain = TestChain::wasm(path).argument(&HOURS[0]).deploy();
        assert_eq!(
            chain.by(DOCTOR).query::<()>(1, &()).abort(),
            Some(0xff00),
            "{path}"
        );
    }
    let length = codec::encode(&HOURS[0]).len();
    assert!(length <= 16, "the room that the twin reads its state into");
}
