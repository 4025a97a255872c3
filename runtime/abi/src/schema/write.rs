//! The bytes of a schema, computed while the contract is compiled: `codec::encode` cannot run there, so this writes the
//! same bytes by hand. What does not fit fails the compilation.

use super::{Code, Description, Entry, Field, Named, Shape, Slot, Type, Variant};

/// Named types of one schema, at most.
const NAMED_MAX: usize = 128;

/// How many bytes the schema has.
pub const fn length(contract: &Description, entries: &[Entry]) -> usize {
    let mut sink = Sink::<0>::new();
    sink.contract(contract, entries);
    assert!(
        sink.length <= super::LENGTH_MAX,
        "the schema is longer than 32 KiB"
    );
    sink.length
}

/// The schema, in as many bytes as [`length`] says.
pub const fn bytes<const N: usize>(contract: &Description, entries: &[Entry]) -> [u8; N] {
    let mut sink = Sink::<N>::new();
    sink.contract(contract, entries);
    assert!(sink.length == N, "not the length of the schema");
    sink.bytes
}

/// A length that stands in a schema; a longer one than 65,535 fails the compilation.
pub const fn small(length: usize) -> u32 {
    assert!(length <= u16::MAX as usize, "too long for a schema");
    length as u32
}

/// The named types of a schema, each after those that it refers to.
struct Names {
    list: [Option<&'static Named>; NAMED_MAX],
    count: usize,
}

impl Names {
    const fn of(contract: &Description, entries: &[Entry]) -> Self {
        let mut names = Self {
            list: [None; NAMED_MAX],
            count: 0,
        };
        let mut index = 0;
        while index < entries.len() {
            names.collect(entries[index].argument);
            names.collect(entries[index].output);
            index += 1;
        }
        index = 0;
        while index < contract.state.len() {
            names.collect(contract.state[index].key);
            names.collect(contract.state[index].value);
            index += 1;
        }
        if let Some(event) = contract.event {
            names.collect(event);
        }
        names
    }

    const fn collect(&mut self, of: &'static Type) {
        match of {
            Type::List(of) | Type::Option(of) | Type::Descending(of) => self.collect(of),
            Type::Tuple(parts) => {
                let mut index = 0;
                while index < parts.len() {
                    self.collect(parts[index]);
                    index += 1;
                }
            }
            Type::Named(named) => self.add(named),
            _ => {}
        }
    }

    const fn add(&mut self, named: &'static Named) {
        if self.position(named).is_some() {
            return;
        }
        match named.shape {
            Shape::Alias(of) => self.collect(of),
            Shape::Struct(fields) => self.collect_fields(fields),
            Shape::Enum(variants) => {
                let mut index = 0;
                while index < variants.len() {
                    self.collect_fields(variants[index].fields);
                    index += 1;
                }
            }
        }
        assert!(self.count < NAMED_MAX, "a schema has at most 128 named types");
        self.list[self.count] = Some(named);
        self.count += 1;
    }

    const fn collect_fields(&mut self, fields: &'static [Field]) {
        let mut index = 0;
        while index < fields.len() {
            self.collect(fields[index].of);
            index += 1;
        }
    }

    const fn position(&self, named: &Named) -> Option<u32> {
        let mut index = 0;
        while index < self.count {
            if let Some(other) = self.list[index]
                && same(other.name, named.name)
            {
                assert!(
                    same(other.module, named.module),
                    "two types of the schema have the same name"
                );
                return Some(small(index));
            }
            index += 1;
        }
        None
    }
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Keeps the first `N` bytes and counts them all.
struct Sink<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Sink<N> {
    const fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    const fn contract(&mut self, contract: &Description, entries: &[Entry]) {
        let names = Names::of(contract, entries);
        self.byte(super::VERSION);
        self.text(contract.name);
        self.text(contract.doc);
        self.text(contract.version);
        self.number(contract.state_version);
        self.count(names.count);
        let mut index = 0;
        while index < names.count {
            if let Some(named) = names.list[index] {
                self.named(&names, named);
            }
            index += 1;
        }
        self.count(entries.len());
        index = 0;
        while index < entries.len() {
            self.entry(&names, &entries[index]);
            index += 1;
        }
        self.count(contract.state.len());
        index = 0;
        while index < contract.state.len() {
            self.slot(&names, &contract.state[index]);
            index += 1;
        }
        match contract.event {
            None => self.byte(0),
            Some(event) => {
                self.byte(1);
                self.of(&names, event);
            }
        }
        self.codes(contract.errors);
        self.codes(contract.reasons);
    }

    const fn named(&mut self, names: &Names, named: &Named) {
        self.text(named.name);
        self.text(named.doc);
        match named.shape {
            Shape::Alias(of) => {
                self.byte(0);
                self.of(names, of);
            }
            Shape::Struct(fields) => {
                self.byte(1);
                self.fields(names, fields);
            }
            Shape::Enum(variants) => {
                self.byte(2);
                self.variants(names, variants);
            }
        }
    }

    const fn variants(&mut self, names: &Names, variants: &[Variant]) {
        self.count(variants.len());
        let mut index = 0;
        while index < variants.len() {
            self.text(variants[index].name);
            self.fields(names, variants[index].fields);
            index += 1;
        }
    }

    const fn fields(&mut self, names: &Names, fields: &[Field]) {
        self.count(fields.len());
        let mut index = 0;
        while index < fields.len() {
            self.text(fields[index].name);
            self.of(names, fields[index].of);
            index += 1;
        }
    }

    const fn entry(&mut self, names: &Names, entry: &Entry) {
        self.byte(entry.kind as u8);
        self.byte(entry.number);
        self.text(entry.name);
        self.text(entry.doc);
        self.of(names, entry.argument);
        self.of(names, entry.output);
    }

    const fn slot(&mut self, names: &Names, slot: &Slot) {
        self.byte(slot.place);
        self.text(slot.name);
        self.text(slot.doc);
        self.byte(slot.kind as u8);
        self.of(names, slot.key);
        self.of(names, slot.value);
    }

    const fn codes(&mut self, codes: &[Code]) {
        self.count(codes.len());
        let mut index = 0;
        while index < codes.len() {
            self.number(codes[index].code as u32);
            self.text(codes[index].name);
            self.text(codes[index].doc);
            index += 1;
        }
    }

    /// The variants of [`super::document::Type`], in their order.
    const fn of(&mut self, names: &Names, of: &Type) {
        match of {
            Type::Unit => self.byte(0),
            Type::Bool => self.byte(1),
            Type::U8 => self.byte(2),
            Type::U16 => self.byte(3),
            Type::U32 => self.byte(4),
            Type::U64 => self.byte(5),
            Type::I8 => self.byte(6),
            Type::I16 => self.byte(7),
            Type::I32 => self.byte(8),
            Type::I64 => self.byte(9),
            Type::Bytes(length) => {
                self.byte(10);
                self.number(*length);
            }
            Type::Text(length) => {
                self.byte(11);
                self.number(*length);
            }
            Type::List(of) => {
                self.byte(12);
                self.of(names, of);
            }
            Type::Option(of) => {
                self.byte(13);
                self.of(names, of);
            }
            Type::Tuple(parts) => {
                self.byte(14);
                self.count(parts.len());
                let mut index = 0;
                while index < parts.len() {
                    self.of(names, parts[index]);
                    index += 1;
                }
            }
            Type::Descending(of) => {
                self.byte(15);
                self.of(names, of);
            }
            Type::Named(named) => {
                self.byte(16);
                match names.position(named) {
                    Some(position) => self.number(position),
                    None => panic!("a named type that was not collected"),
                }
            }
        }
    }

    const fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.count(bytes.len());
        let mut index = 0;
        while index < bytes.len() {
            self.byte(bytes[index]);
            index += 1;
        }
    }

    const fn count(&mut self, count: usize) {
        self.number(small(count));
    }

    /// A number with variable length, as [`crate::codec`] writes it.
    const fn number(&mut self, number: u32) {
        let [a, b, c, d] = number.to_be_bytes();
        if number < 251 {
            self.byte(d);
        } else if number <= u16::MAX as u32 {
            self.byte(251);
            self.byte(c);
            self.byte(d);
        } else {
            self.byte(252);
            self.byte(a);
            self.byte(b);
            self.byte(c);
            self.byte(d);
        }
    }

    const fn byte(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }
}
