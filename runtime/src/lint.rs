//! What speaks against a module that is admitted, as far as its code and its schema show it. For authors; validators don't
//! ask.
//!
//! | code | found when | what can't be seen |
//! | --- | --- | --- |
//! | L001 | it decides, and its schema names no reason | whether it refuses at all |
//! | L003 | an entry point reaches a loop that calls `state_scan` | whether the loop ends early |
//! | L004 | text stands in an argument, in an event or in the state | what will be written there |
//! | L006 | it has no schema | everything that a schema says |
//!
//! L002 and L005 come from asking a rule; the test kit does that.
//!
//! Calls are followed through the whole module; an indirect call may reach every function of the table.

use crate::EntryPoint;
use crate::schema::Schema;
use crate::schema::document::{Document, EntryKind, Field, Shape, Type};
use salus_abi::host::IMPORT_MODULE;
use std::collections::BTreeSet;
use std::fmt;
use wasmparser::{ElementItems, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef};

/// Something that speaks against a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lint {
    /// A rule whose reasons have no names: whoever is refused learns a number.
    NoReasons,
    /// Text on a chain can hold a patient's name, and nothing takes it back.
    FreeText {
        /// Where: an entry, the event, or a place of the state.
        place: String,
        /// Bytes of it, at most.
        bytes_max: u32,
    },
    /// Nobody can tell what it takes and answers, and members vote on nothing but code.
    NoSchema,
    /// A loop scans the state: with every entry that is written there, the entry point gets dearer, until it fails.
    ScanInLoop {
        /// Which entry point reaches it.
        entry_point: EntryPoint,
    },
}

impl Lint {
    /// A code that stays.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoReasons => "L001",
            Self::ScanInLoop { .. } => "L003",
            Self::FreeText { .. } => "L004",
            Self::NoSchema => "L006",
        }
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReasons => {
                f.write_str("it decides, but its schema names no reason: whoever is refused learns a number")
            }
            Self::NoSchema => {
                f.write_str("it has no schema: callers and voters can't see what it takes and answers")
            }
            Self::FreeText { place, bytes_max } => write!(
                f,
                "{place} takes {bytes_max} bytes of text, which every member keeps for good: use a code or a hash"
            ),
            Self::ScanInLoop { entry_point } => write!(
                f,
                "{} scans the state in a loop: bound it, or it gets dearer with every entry until it fails",
                entry_point.export()
            ),
        }
    }
}

/// The lints of a module that was admitted, with its schema; of bytes that are no module, only those of the schema.
pub fn lints(wasm: &[u8], schema: Option<&Schema>) -> Vec<Lint> {
    let mut lints = match schema {
        Some(schema) => schema_lints(schema.document()),
        None => vec![Lint::NoSchema],
    };
    lints.extend(code_lints(wasm));
    lints
}

fn schema_lints(document: &Document) -> Vec<Lint> {
    let decides = document
        .entries
        .iter()
        .any(|entry| entry.kind == EntryKind::Decide);
    let mut lints = Vec::new();
    if decides && document.reasons.is_empty() {
        lints.push(Lint::NoReasons);
    }
    let entries = document
        .entries
        .iter()
        .map(|entry| (format!("the argument of {}", entry.name), &entry.argument));
    let event = document.event.iter().map(|event| ("the event".to_owned(), event));
    let state = document.state.iter().flat_map(|slot| {
        let place = format!("the state's {}", slot.name);
        [(place.clone(), &slot.key), (place, &slot.value)]
    });
    for (place, of) in entries.chain(event).chain(state) {
        if let Some(bytes_max) = text_in(document, of) {
            lints.push(Lint::FreeText { place, bytes_max });
        }
    }
    lints
}

/// The most text that a type can hold in one place; `None`: none at all. A named type stands behind those that it refers
/// to, so this ends.
fn text_in(document: &Document, of: &Type) -> Option<u32> {
    let in_fields = |fields: &[Field]| {
        fields
            .iter()
            .filter_map(|field| text_in(document, &field.of))
            .max()
    };
    match of {
        Type::Text(bytes_max) => Some(*bytes_max),
        Type::List(of) | Type::Option(of) | Type::Descending(of) => text_in(document, of),
        Type::Tuple(parts) => parts.iter().filter_map(|part| text_in(document, part)).max(),
        Type::Named(position) => match &document.named(*position)?.shape {
            Shape::Alias(of) => text_in(document, of),
            Shape::Struct(fields) => in_fields(fields),
            Shape::Enum(variants) => variants
                .iter()
                .filter_map(|variant| in_fields(&variant.fields))
                .max(),
        },
        _ => None,
    }
}

fn code_lints(wasm: &[u8]) -> Vec<Lint> {
    let Some(graph) = Graph::read(wasm) else {
        return Vec::new();
    };
    let scanning = graph.scanning();
    EntryPoint::ALL
        .into_iter()
        .filter(|entry_point| {
            let export = graph
                .exports
                .iter()
                .find(|(name, _)| name == entry_point.export());
            export.is_some_and(|(_, function)| graph.reaches_loop(*function, &scanning))
        })
        .map(|entry_point| Lint::ScanInLoop { entry_point })
        .collect()
}

/// Who calls whom.
#[derive(Debug, Default)]
struct Graph {
    /// Functions that are imported; they come first in the numbering.
    imports: u32,
    /// The number of `state_scan`.
    scan: Option<u32>,
    /// Exported functions.
    exports: Vec<(String, u32)>,
    /// Functions that an indirect call may reach.
    table: BTreeSet<u32>,
    /// What each function of the module calls, from the first that is not imported.
    bodies: Vec<Calls>,
}

/// What a function calls.
#[derive(Debug, Default)]
struct Calls {
    all: BTreeSet<u32>,
    in_loops: BTreeSet<u32>,
    indirect: bool,
    indirect_in_loops: bool,
}

impl Graph {
    fn read(wasm: &[u8]) -> Option<Self> {
        let mut graph = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.ok()? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.ok()?;
                        if matches!(import.ty, TypeRef::Func(_)) {
                            if import.module == IMPORT_MODULE && import.name == "state_scan" {
                                graph.scan = Some(graph.imports);
                            }
                            graph.imports = graph.imports.saturating_add(1);
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        if export.kind == ExternalKind::Func {
                            graph.exports.push((export.name.to_owned(), export.index));
                        }
                    }
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        if let ElementItems::Functions(functions) = element.ok()?.items {
                            for function in functions {
                                graph.table.insert(function.ok()?);
                            }
                        }
                    }
                }
                Payload::CodeSectionEntry(body) => graph.bodies.push(calls(&body)?),
                _ => {}
            }
        }
        Some(graph)
    }

    fn body(&self, function: u32) -> Option<&Calls> {
        let index = usize::try_from(function.checked_sub(self.imports)?).ok()?;
        self.bodies.get(index)
    }

    /// The functions that scan, by themselves or through others.
    fn scanning(&self) -> BTreeSet<u32> {
        let mut scanning: BTreeSet<u32> = self.scan.into_iter().collect();
        loop {
            let before = scanning.len();
            for (function, calls) in (self.imports..).zip(&self.bodies) {
                let indirect = calls.indirect && !scanning.is_disjoint(&self.table);
                if indirect || !scanning.is_disjoint(&calls.all) {
                    scanning.insert(function);
                }
            }
            if scanning.len() == before {
                return scanning;
            }
        }
    }

    /// Whether a function, or one that it calls, has a loop that calls one that scans.
    fn reaches_loop(&self, function: u32, scanning: &BTreeSet<u32>) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![function];
        while let Some(function) = open.pop() {
            let Some(calls) = self.body(function).filter(|_| seen.insert(function)) else {
                continue;
            };
            let indirect = calls.indirect_in_loops && !scanning.is_disjoint(&self.table);
            if indirect || !scanning.is_disjoint(&calls.in_loops) {
                return true;
            }
            open.extend(&calls.all);
            if calls.indirect {
                open.extend(&self.table);
            }
        }
        false
    }
}

fn calls(body: &FunctionBody<'_>) -> Option<Calls> {
    let mut calls = Calls::default();
    // For each open block, whether it is a loop.
    let mut blocks: Vec<bool> = Vec::new();
    for operator in body.get_operators_reader().ok()? {
        match operator.ok()? {
            Operator::Loop { .. } => blocks.push(true),
            Operator::Block { .. } | Operator::If { .. } => blocks.push(false),
            Operator::End => {
                blocks.pop();
            }
            Operator::Call { function_index } => {
                calls.all.insert(function_index);
                if blocks.contains(&true) {
                    calls.in_loops.insert(function_index);
                }
            }
            Operator::CallIndirect { .. } => {
                calls.indirect = true;
                calls.indirect_in_loops |= blocks.contains(&true);
            }
            _ => {}
        }
    }
    Some(calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::document::{Code, Entry, Named, Slot, SlotKind};

    fn lints_of(body: &str, rest: &str) -> Vec<Lint> {
        let text = format!(
            r#"(module
                (import "salus0" "caller" (func $caller (result i32)))
                (import "salus0" "state_scan" (func $scan (param i32 i32 i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (func $once (drop (call $scan (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
                {rest}
                (func (export "salus_query") (param i32 i32) (result i64) (call $once) (i64.const 0))
                (func (export "salus_decide") (param i32 i32) (result i64) {body} (i64.const 0)))"#
        );
        code_lints(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn a_scan_in_a_loop_is_found_through_calls_and_tables() {
        let decide = [Lint::ScanInLoop {
            entry_point: EntryPoint::Decide,
        }];
        assert_eq!(lints_of("(loop (call $once))", ""), decide);
        assert_eq!(
            lints_of("(loop (block (if (call $caller) (then (call $once)))))", ""),
            decide
        );
        assert_eq!(
            lints_of("(call $deep)", "(func $deep (loop (call $once)))"),
            decide
        );
        let table = "(table funcref (elem $once))";
        assert_eq!(lints_of("(loop (call_indirect (i32.const 0)))", table), decide);
        assert_eq!(decide[0].code(), "L003");
    }

    #[test]
    fn what_scans_once_or_loops_over_something_else_is_fine() {
        assert_eq!(lints_of("(call $once)", ""), []);
        assert_eq!(lints_of("(loop (drop (call $caller))) (call $once)", ""), []);
        assert_eq!(
            lints_of("(loop (call_indirect (i32.const 0)))", "(table funcref (elem 0))"),
            []
        );
        assert_eq!(lints(b"no module", None), [Lint::NoSchema]);
    }

    #[test]
    fn recursion_ends() {
        assert_eq!(lints_of("(call $self)", "(func $self (call $self))"), []);
    }

    /// A rule with one entry, one place of state and the types that they name.
    fn document(argument: Type, value: Type, types: Vec<Named>) -> Document {
        let text = String::new;
        Document {
            name: text(),
            doc: text(),
            version: text(),
            state_version: 1,
            types,
            entries: vec![Entry {
                kind: EntryKind::Decide,
                number: 0,
                name: "decide".to_owned(),
                doc: text(),
                argument,
                output: Type::Unit,
            }],
            state: vec![Slot {
                place: 0,
                name: "notes".to_owned(),
                doc: text(),
                kind: SlotKind::Item,
                key: Type::Unit,
                value,
            }],
            event: None,
            errors: Vec::new(),
            reasons: Vec::new(),
        }
    }

    #[test]
    fn text_is_found_wherever_it_hides() {
        let field = |of| Field {
            name: "0".to_owned(),
            of,
        };
        let note = Named {
            name: "Note".to_owned(),
            doc: String::new(),
            shape: Shape::Struct(vec![
                field(Type::U8),
                field(Type::Option(Box::new(Type::Text(80)))),
            ]),
        };
        let document = document(Type::U32, Type::List(Box::new(Type::Named(0))), vec![note]);
        let notes = Lint::FreeText {
            place: "the state's notes".to_owned(),
            bytes_max: 80,
        };
        assert_eq!(schema_lints(&document), [Lint::NoReasons, notes]);
    }

    #[test]
    fn numbers_and_reasons_are_fine() {
        let mut document = document(Type::Bytes(16), Type::U64, Vec::new());
        document.reasons.push(Code {
            code: 256,
            name: "no".to_owned(),
            doc: String::new(),
        });
        assert_eq!(schema_lints(&document), []);
    }
}
