//! Cases in YAML: those that are committed hold, and what is wrong is named with its line.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_testkit::cases::{CasesError, File, Suite};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const OFFICE_HOURS: &str = "../rules/office-hours/cases/hours.yaml";

/// Every file of cases that is committed beside a contract.
fn committed() -> Vec<PathBuf> {
    let packages = std::fs::read_dir("../rules")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let standard = ["../access", "../registry"].map(PathBuf::from);
    let folders = packages.chain(standard).map(|package| package.join("cases"));
    let mut files: Vec<PathBuf> = folders
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn committed_cases_hold() {
    let files = committed();
    assert!(
        files
            .iter()
            .any(|file| file.ends_with("office-hours/cases/hours.yaml"))
    );
    for path in files {
        for outcome in Suite::read(&path).unwrap().run().unwrap() {
            let place = format!("{}:{} {}", path.display(), outcome.line, outcome.name);
            assert_eq!(outcome.faults, Vec::<String>::new(), "{place}");
        }
    }
}

/// The committed file with a line replaced; what comes of it.
fn altered(line: &str, by: &str) -> Result<Vec<Vec<String>>, CasesError> {
    let text = std::fs::read_to_string(OFFICE_HOURS).unwrap();
    assert!(text.contains(line), "{line}");
    let folder = Path::new(OFFICE_HOURS).parent().unwrap().canonicalize().unwrap();
    let wasm = folder.join("../../../artifacts/office_hours.wasm");
    let text = text.replacen(line, by, 1).replace(
        "../../../artifacts/office_hours.wasm",
        &wasm.display().to_string(),
    );
    let number = line.len() * 1_000 + by.len();
    let path = std::env::temp_dir().join(format!("salus-cases-{}-{number}.yaml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let suite = Suite::read(&path);
    std::fs::remove_file(&path).unwrap();
    let outcomes = suite?.run().unwrap();
    Ok(outcomes.into_iter().map(|outcome| outcome.faults).collect())
}

fn error(line: &str, by: &str) -> String {
    let error = altered(line, by).unwrap_err().to_string();
    error.split_once(".yaml:").unwrap().1.to_owned()
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (line, by, expected) in [
        (
            "expect: permit",
            "expect: allow",
            "20: unknown variant `allow`, expected one of permit, deny, abstain, oblige at line 20, column 13, in `expect: allow`",
        ),
        (
            "who: other-doctor",
            "who: dotcor",
            "39: `dotcor` is not a person: one of admin, manager, doctor,",
        ),
        (
            "purpose: TREAT }",
            "purpose: TREATMENT }",
            "19: `TREATMENT` is not a purpose: one of TREAT,",
        ),
        (
            "at: 2026-01-11T12:00:00Z",
            "at: sunday",
            "33: `sunday` is no time",
        ),
        (
            "reason: outside-hours\n\n",
            "reason: outside-ours\n\n",
            "24: reason: `outside-ours` is not known",
        ),
        (
            "ask: office_hours",
            "ask: offices",
            "60: ask: no contract is called `offices`",
        ),
        ("gas_max: 40000", "gasmax: 20000", "67: unknown field `gasmax`"),
        (
            "outside-hours: 256",
            "outside-hours: 25",
            "1: reasons: `outside-hours` is 25, but a rule's own codes begin at 256",
        ),
        (
            "fb01e0fb04381f00",
            "fb01e0fb0438",
            " the chain can't be founded: contract c4 refuses to be instantiated",
        ),
        (
            "fb01e0fb04381f00",
            "hours",
            "6: an argument is written in hexadecimal",
        ),
        (
            "hospital: 0",
            "hospital: 3",
            "4: register: the contract refused with code 1",
        ),
    ] {
        let message = error(line, by);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn a_case_that_comes_out_otherwise_says_how() {
    let faults = altered("expect: permit", "expect: deny").unwrap();
    assert_eq!(faults[0], ["expect: deny, but it is permit (granted)"]);
    assert!(faults[1..].iter().all(Vec::is_empty), "every case begins anew");

    let faults = altered("reason: emergency", "reason: granted").unwrap();
    assert_eq!(faults[4], ["reason: granted, but it is emergency"]);

    let faults = altered("[notify-patient, review]", "[review]").unwrap();
    assert_eq!(
        faults[4],
        ["obligations: [review], but they are [notify-patient, review]"]
    );

    let faults = altered("gas_max: 40000", "gas_max: 20").unwrap();
    assert!(
        faults[6][0].starts_with("gas_max: 20, but it cost "),
        "{faults:?}"
    );
}

#[test]
fn a_decision_is_explained_by_what_it_rests_on() {
    let mut suite = Suite::read(Path::new(OFFICE_HOURS)).unwrap();
    let trace = suite
        .explain("the same doctor does not read at night")
        .unwrap()
        .unwrap();
    let text = trace.to_string();
    for part in [
        "doctor asks for record 0 of patient (clinical) for TREAT at 2026-01-05T02:00:00Z",
        "grant 0   until 2027-01-01T00:00:00Z: covers the request",
        "office_hours (c4, for hospital 0): deny: outside-hours",
        "decision  deny: outside-hours",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(suite.explain("no such case").unwrap(), None);
}

#[test]
fn other_artefacts_can_take_a_contract_s_place() {
    let refusing = BTreeMap::from([("office_hours".to_owned(), b"\0asm\x01\0\0\0".to_vec())]);
    let error = Suite::with(Path::new(OFFICE_HOURS), &refusing).unwrap_err();
    assert!(error.to_string().contains("A020"), "{error}");
    let text = "cases: []";
    assert!(
        File::parse(text, Path::new("none.yaml"))
            .unwrap()
            .cases
            .is_empty()
    );
}
