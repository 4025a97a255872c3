//! The schemas of the committed artefacts, read and written for other languages. `UPDATE_EXPECT=1` writes the expectations anew.
#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use salus_runtime::schema::document::{EntryKind, Type};
use salus_runtime::schema::{ReadError, Schema};
use std::path::{Path, PathBuf};

/// The artefacts with schemas.
const CONTRACTS: [&str; 1] = ["office_hours"];

fn artefact(name: &str) -> Vec<u8> {
    let artefacts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts-wasm/artifacts");
    std::fs::read(artefacts.join(format!("{name}.wasm"))).unwrap()
}

fn schema(name: &str) -> Schema {
    Schema::read(&artefact(name)).unwrap().expect("it has a schema")
}

fn expect(name: &str, extension: &str, written: &str) {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "tests/schema",
        &format!("{name}.{extension}"),
    ]
    .iter()
    .collect();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written,
        expected,
        "{} has drifted: UPDATE_EXPECT=1 writes it anew",
        path.display()
    );
}

#[test]
fn what_is_generated_does_not_drift() {
    for name in CONTRACTS {
        let schema = schema(name);
        expect(name, "json", &schema.json_schema());
        expect(name, "ts", &schema.typescript());
        expect(name, "wit", &schema.wit());
    }
}

#[test]
fn office_hours_says_what_it_does() {
    let schema = schema("office_hours");
    let document = schema.document();
    assert_eq!(
        (document.name.as_str(), document.state_version),
        ("OfficeHours", 1)
    );
    let decide = document.entry(EntryKind::Decide, 0).unwrap();
    let Type::Named(position) = decide.output else {
        panic!("a rule answers a named type");
    };
    assert_eq!(document.named(position).unwrap().name, "RuleDecision");
    let reasons: Vec<_> = document
        .reasons
        .iter()
        .map(|code| (code.code, code.name.as_str()))
        .collect();
    assert_eq!(reasons, [(256, "outside-hours")]);
    assert_eq!(document.state[0].place, b'h');
}

/// A module that holds nothing but custom sections.
fn module(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    for (name, data) in sections {
        let content = [&[u8::try_from(name.len()).unwrap()][..], name.as_bytes(), data].concat();
        wasm.extend([0, u8::try_from(content.len()).unwrap()]);
        wasm.extend(content);
    }
    wasm
}

#[test]
fn modules_without_a_schema_or_with_a_bad_one_are_told_apart() {
    assert_eq!(Schema::read(&module(&[])), Ok(None));
    assert_eq!(Schema::read(&module(&[("name", b"x")])), Ok(None));
    let twice = module(&[("salus_schema", b"\x01"), ("salus_schema", b"\x01")]);
    assert_eq!(Schema::read(&twice), Err(ReadError::Twice));
    let broken = Schema::read(&module(&[("salus_schema", b"\x01\x05short")]));
    assert!(matches!(broken, Err(ReadError::Schema(_))));
    let unknown = Schema::read(&module(&[("salus_schema", b"\x02")])).unwrap_err();
    assert_eq!(unknown.to_string(), "schema of version 2, which is unknown here");
    assert!(matches!(Schema::read(b"no module"), Err(ReadError::Module(_))));
    assert_eq!(Schema::of_section(&[1; 40_000]), Err(ReadError::TooLong(40_000)));
}

#[test]
fn the_hash_covers_every_byte_of_the_section() {
    let one = Schema::of_section(b"\x01\x01A\x00\x00\x01\x00\x00\x00\x00\x00\x00").unwrap();
    let other = Schema::of_section(b"\x01\x01A\x00\x00\x02\x00\x00\x00\x00\x00\x00").unwrap();
    assert_ne!(one.hash(), other.hash());
}
