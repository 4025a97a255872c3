use super::document::{Document, Named as ReadNamed, SchemaError, Type as Read};
use super::*;
use crate::codec;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const HOURS: Type = Type::Named(&Named {
    module: "tests",
    name: "Hours",
    doc: "When it is open",
    shape: Shape::Struct(&[
        Field {
            name: "opens",
            of: &Type::U16,
        },
        Field {
            name: "days",
            of: &Type::Bytes(7),
        },
    ]),
});

const SCOPE: Type = Type::Named(&Named {
    module: "tests",
    name: "Scope",
    doc: "",
    shape: Shape::Enum(&[
        Variant {
            name: "All",
            fields: &[],
        },
        Variant {
            name: "At",
            fields: &[Field {
                name: "0",
                of: &HOURS,
            }],
        },
    ]),
});

const DESCRIPTION: Description = Description {
    name: "OfficeHours",
    doc: "A rule",
    version: "0.1.0",
    state_version: 1,
    state: &[Slot {
        place: b'h',
        name: "hours",
        doc: "",
        kind: SlotKind::Item,
        key: &Type::Unit,
        value: &HOURS,
    }],
    event: None,
    errors: &[],
    reasons: &[Code {
        code: 256,
        name: "outside-hours",
        doc: "",
    }],
};

const ENTRIES: &[Entry] = &[Entry {
    kind: EntryKind::Query,
    number: 3,
    name: "hours",
    doc: "",
    argument: &Type::Tuple(&[&SCOPE, &Type::Text(300)]),
    output: &Type::Option(&Type::List(&HOURS)),
}];

const LENGTH: usize = length(&DESCRIPTION, ENTRIES);
const SECTION_BYTES: [u8; LENGTH] = bytes(&DESCRIPTION, ENTRIES);

#[test]
fn the_section_does_not_drift() {
    let expected = [
        &b"\x01\x0bOfficeHours\x06A rule\x050.1.0\x01"[..],
        // Two types: Hours, then Scope, which refers to it.
        b"\x02\x05Hours\x0fWhen it is open\x01\x02\x05opens\x03\x04days\x0a\x07",
        b"\x05Scope\x00\x02\x02\x03All\x00\x02At\x01\x010\x10\x00",
        // One entry: query 3, (Scope, at most 300 bytes of text) -> Option<Vec<Hours>>.
        b"\x01\x02\x03\x05hours\x00\x0e\x02\x10\x01\x0b\xfb\x01\x2c\x0d\x0c\x10\x00",
        // One slot at 'h', no events, no errors, one reason.
        b"\x01h\x05hours\x00\x00\x00\x10\x00\x00\x00\x01\xfb\x01\x00\x0doutside-hours\x00",
    ]
    .concat();
    assert_eq!(SECTION_BYTES.to_vec(), expected);
}

#[test]
fn what_is_written_when_compiling_is_the_canonical_encoding() {
    let document = Document::read(&SECTION_BYTES).unwrap();
    assert_eq!(
        [&[VERSION][..], &codec::encode(&document)].concat(),
        SECTION_BYTES
    );
    let entry = document.entry(EntryKind::Query, 3).unwrap();
    assert_eq!(entry.argument, Read::Tuple(vec![Read::Named(1), Read::Text(300)]));
    assert_eq!(document.named(1).unwrap().name, "Scope");
    assert_eq!(document.entry(EntryKind::Execute, 3), None);
}

/// The document of above, changed, written and read again.
fn reread(change: impl FnOnce(&mut Document)) -> Result<Document, SchemaError> {
    let mut document = Document::read(&SECTION_BYTES).unwrap();
    change(&mut document);
    Document::read(&[&[VERSION][..], &codec::encode(&document)].concat())
}

#[test]
fn what_breaks_a_rule_is_refused() {
    assert!(reread(|_| {}).is_ok());
    assert_eq!(reread(|document| document.name.clear()), Err(SchemaError::Name));
    let injection = |document: &mut Document| document.types[0].name = "X{}".to_string();
    assert_eq!(reread(injection), Err(SchemaError::Name));
    assert_eq!(reread(|document| document.doc.push('\n')), Err(SchemaError::Doc));
    assert_eq!(
        reread(|document| document.entries.extend_from_within(..)),
        Err(SchemaError::Twice("entries"))
    );
    assert_eq!(
        reread(|document| document.state.extend_from_within(..)),
        Err(SchemaError::Twice("places"))
    );
    assert_eq!(
        reread(|document| document.event = Some(Read::Unit)),
        Err(SchemaError::Unit)
    );
    let circle = |document: &mut Document| {
        document.types.insert(
            0,
            ReadNamed {
                name: "Circle".to_string(),
                doc: "".to_string(),
                shape: super::document::Shape::Alias(Read::Named(0)),
            },
        );
    };
    assert_eq!(reread(circle), Err(SchemaError::Reference));
    assert_eq!(Document::read(&[2]), Err(SchemaError::Version(2)));
    assert!(matches!(Document::read(&[]), Err(SchemaError::Bytes(_))));
}

#[test]
fn types_that_nest_without_end_are_refused() {
    let mut nested = Read::Bool;
    for _ in 0..100 {
        nested = Read::Option(nested.into());
    }
    assert!(matches!(
        reread(|document| document.event = Some(nested)),
        Err(SchemaError::Bytes(_))
    ));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0..LENGTH) {
        let _ = Document::read(&bytes);
        let mut section: Vec<u8> = SECTION_BYTES.to_vec();
        for (offset, byte) in bytes.iter().take(2).enumerate() {
            if let Some(place) = section.get_mut(at + offset) {
                *place = *byte;
            }
        }
        if let Ok(document) = Document::read(&section) {
            prop_assert_eq!([&[VERSION][..], &codec::encode(&document)].concat(), section);
        }
    }
}
