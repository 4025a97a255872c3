//! What the macros write, seen from a contract that uses all of them.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "a contract of a test, written as an author writes it"
)]

use salus_sdk::abi::codec;
use salus_sdk::abi::schema::document::{Document, Shape, Type};
use salus_sdk::abi::schema::{self, EntryKind, SlotKind};
use salus_sdk::prelude::*;
use salus_sdk::{Answer, Contract, Entries};

/// A board of notes. It is not part of the schema what comes after.
#[contract(state_version = 3, events = Event, errors = Error::TABLE, reasons = Reason::TABLE)]
pub struct Board {
    /// How many there are.
    count: Item<u32>,
    #[at(b'n')]
    notes: Map<(PrincipalId, u32), Note>,
    by_time: Index<(Descending<u64>, u32)>,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Schema)]
pub struct Note {
    pub text: Text<40>,
    pub tags: Vec<u8>,
    pub about: Option<About>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Schema)]
pub enum About {
    Nobody,
    Record(RecordNumber),
    Pair(PrincipalId, [u8; 4]),
    Named { kind: i16, seen: bool },
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Schema)]
pub enum Event {
    Pinned(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Error {
    /// The board is full.
    BoardFull = 300,
    NotYours = 20,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Reason {
    /// Said on the board.
    OnTheBoard = 256,
}

pub mod number {
    pub const PIN: u8 = 9;
}

#[contract_impl]
impl Board {
    #[instantiate]
    pub fn instantiate(&self, cx: &mut Ctx) -> Result<(), Error> {
        self.count.set(cx, &0);
        Ok(())
    }

    /// Pins a note.
    #[execute(number::PIN)]
    pub fn pin(&self, cx: &mut Ctx, note: Note) -> Result<u32, Error> {
        let count = self.count.get(cx).unwrap_or(0);
        let next = count.checked_add(1).ok_or(Error::BoardFull)?;
        let by = cx.caller().ok_or(Error::NotYours)?;
        self.notes.set(cx, &(by, count), &note);
        self.by_time.insert(cx, &(Descending(cx.time_ms()), count));
        self.count.set(cx, &next);
        cx.emit(&Event::Pinned(count));
        Ok(count)
    }

    #[execute(2)]
    pub fn clear(&self, cx: &mut Ctx) -> Result<(), Abort> {
        self.count.set(cx, &0);
        Ok(())
    }

    #[query]
    pub fn newest(&self, cx: &Ctx) -> Result<Vec<u32>, Abort> {
        let range = (Descending(u64::MAX), 0)..(Descending(0), 0);
        Ok(self
            .by_time
            .range(cx, range, 8)
            .map(|(_, number)| number)
            .collect())
    }

    #[query]
    pub fn note(&self, cx: &Ctx, key: (PrincipalId, u32)) -> Result<Option<Note>, Abort> {
        Ok(self.notes.get(cx, &key))
    }

    #[decide]
    pub fn decide(&self, cx: &Ctx, request: AccessRequest) -> RuleDecision {
        if request.emergency {
            oblige(Obligations::REVIEW)
        } else if self.count.get(cx).is_some() {
            deny(Reason::OnTheBoard)
        } else {
            abstain()
        }
    }

    #[migrate]
    pub fn migrate(&self, _cx: &mut Ctx, _from: u32) -> Result<(), Abort> {
        Ok(())
    }
}

const LENGTH: usize = schema::length(&Board::DESCRIPTION, Board::ENTRIES);
const SECTION: [u8; LENGTH] = schema::bytes(&Board::DESCRIPTION, Board::ENTRIES);

#[test]
fn the_schema_says_what_the_code_does() {
    let document = Document::read(&SECTION).unwrap();
    assert_eq!((document.name.as_str(), document.state_version), ("Board", 3));
    assert_eq!(document.doc, "A board of notes");
    let entries: Vec<_> = document
        .entries
        .iter()
        .map(|entry| (entry.kind, entry.number, entry.name.as_str()))
        .collect();
    let expected = [
        (EntryKind::Instantiate, 0, "instantiate"),
        (EntryKind::Execute, 9, "pin"),
        (EntryKind::Execute, 2, "clear"),
        (EntryKind::Query, 0, "newest"),
        (EntryKind::Query, 1, "note"),
        (EntryKind::Decide, 0, "decide"),
        (EntryKind::Migrate, 0, "migrate"),
    ];
    assert_eq!(entries, expected);
    assert_eq!(document.entries[0].argument, Type::Unit);
    assert_eq!(document.entries[1].doc, "Pins a note");
    assert_eq!(document.entries[3].output, Type::List(Box::new(Type::U32)));
    let places: Vec<_> = document
        .state
        .iter()
        .map(|slot| (slot.place, slot.kind))
        .collect();
    assert_eq!(
        places,
        [(0, SlotKind::Item), (b'n', SlotKind::Map), (2, SlotKind::Index)]
    );
    let codes: Vec<_> = document
        .errors
        .iter()
        .map(|code| (code.code, code.name.as_str()))
        .collect();
    assert_eq!(codes, [(20, "not-yours"), (300, "board-full")]);
}

#[test]
fn types_stand_before_what_refers_to_them() {
    let document = Document::read(&SECTION).unwrap();
    let position = |name| {
        document
            .types
            .iter()
            .position(|named| named.name == name)
            .unwrap()
    };
    assert!(position("RecordNumber") < position("About") && position("About") < position("Note"));
    let Shape::Enum(variants) = &document.types[position("About")].shape else {
        panic!("an enum");
    };
    let fields: Vec<Vec<&str>> = variants
        .iter()
        .map(|variant| variant.fields.iter().map(|field| field.name.as_str()).collect())
        .collect();
    assert_eq!(fields, [vec![], vec!["0"], vec!["0", "1"], vec!["kind", "seen"]]);
}

#[test]
fn errors_become_the_codes_of_aborts() {
    let refused: Result<u32, Error> = Err(Error::BoardFull);
    assert_eq!(refused.answer(), Err(Abort(300)));
    assert_eq!(deny(Reason::OnTheBoard), RuleDecision::Deny { reason: 256 });
    let long = Note {
        text: Text::new("forty bytes are enough".into()).unwrap(),
        tags: vec![1],
        about: Some(About::Named { kind: -1, seen: true }),
    };
    assert_eq!(codec::decode(&codec::encode(&long), 100), Ok(long));
}
