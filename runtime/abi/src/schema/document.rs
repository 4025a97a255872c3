//! A schema as it is read from an artefact. Its bytes come from whoever wrote the contract, so everything is checked.

pub use super::{EntryKind, SlotKind};
use super::{LENGTH_MAX, VERSION};
use crate::codec::{self, DecodeError};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::{BorrowDecode, Decode, Encode};
use core::fmt;

/// Bytes of a name, at most.
const NAME_LENGTH_MAX: usize = 64;
/// Bytes of a documentation line, at most.
const DOC_LENGTH_MAX: usize = 512;
/// Types within types, at most, without those that have names.
const NESTING_MAX: u8 = 16;

/// What a contract says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Document {
    /// The contract's name.
    pub name: String,
    /// One line about it.
    pub doc: String,
    /// The version of its source.
    pub version: String,
    /// The version of its state's meaning.
    pub state_version: u32,
    /// The types with names, each after those that it refers to.
    pub types: Vec<Named>,
    /// The entries, in the order of the source.
    pub entries: Vec<Entry>,
    /// Where the state lies.
    pub state: Vec<Slot>,
    /// What it emits.
    pub event: Option<Type>,
    /// What it ends calls with, besides the codes of every contract.
    pub errors: Vec<Code>,
    /// Why it decides as it does.
    pub reasons: Vec<Code>,
}

/// A type with a name.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub doc: String,
    /// What it consists of.
    pub shape: Shape,
}

/// What a named type consists of.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Shape {
    /// Another type, by another name.
    Alias(Type),
    /// All of the fields.
    Struct(Vec<Field>),
    /// One of the variants; its position is its number.
    Enum(Vec<Variant>),
}

/// A part of a struct or of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Field {
    /// Its name, or its position if it has none.
    pub name: String,
    /// Its type.
    pub of: Type,
}

/// A variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub fields: Vec<Field>,
}

/// An entry of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    /// How it is called.
    pub kind: EntryKind,
    /// The first byte of the input; 0 where the kind has a single entry.
    pub number: u8,
    /// The function's name.
    pub name: String,
    /// One line about it.
    pub doc: String,
    /// What it takes.
    pub argument: Type,
    /// What it answers.
    pub output: Type,
}

/// A part of the contract's state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Slot {
    /// The first byte of its keys.
    pub place: u8,
    /// The field's name.
    pub name: String,
    /// One line about it.
    pub doc: String,
    /// How it is kept.
    pub kind: SlotKind,
    /// What its entries are found by: fixed lengths, big-endian.
    pub key: Type,
    /// What its entries hold.
    pub value: Type,
}

/// An error or a reason.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Code {
    /// The number.
    pub code: u16,
    /// Its name, in kebab case.
    pub name: String,
    /// One line about it.
    pub doc: String,
}

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Type {
    /// Nothing.
    Unit,
    /// A truth value.
    Bool,
    /// An unsigned number of 8 bits.
    U8,
    /// An unsigned number of 16 bits.
    U16,
    /// An unsigned number of 32 bits.
    U32,
    /// An unsigned number of 64 bits.
    U64,
    /// A signed number of 8 bits.
    I8,
    /// A signed number of 16 bits.
    I16,
    /// A signed number of 32 bits.
    I32,
    /// A signed number of 64 bits.
    I64,
    /// So many bytes.
    Bytes(u32),
    /// UTF-8, at most so many bytes.
    Text(u32),
    /// Any number of values.
    List(Box<Type>),
    /// A value or none.
    Option(Box<Type>),
    /// Several values.
    Tuple(Vec<Type>),
    /// A key whose entries lie in descending order.
    Descending(Box<Type>),
    /// The named type at this position of the document.
    Named(u32),
}

impl Type {
    /// Reads a type that holds at most `depth` types within each other: the bytes may be an attacker's.
    fn read<D: Decoder>(decoder: &mut D, depth: u8) -> Result<Self, bincode::error::DecodeError> {
        let depth = depth
            .checked_sub(1)
            .ok_or(bincode::error::DecodeError::Other("types nest too deeply"))?;
        Ok(match u32::decode(decoder)? {
            0 => Self::Unit,
            1 => Self::Bool,
            2 => Self::U8,
            3 => Self::U16,
            4 => Self::U32,
            5 => Self::U64,
            6 => Self::I8,
            7 => Self::I16,
            8 => Self::I32,
            9 => Self::I64,
            10 => Self::Bytes(Decode::decode(decoder)?),
            11 => Self::Text(Decode::decode(decoder)?),
            12 => Self::List(Box::new(Self::read(decoder, depth)?)),
            13 => Self::Option(Box::new(Self::read(decoder, depth)?)),
            14 => {
                let count = u32::decode(decoder)?;
                // Each part has a byte at least, so the section's length bounds the loop.
                let parts = (0..count).map(|_| Self::read(decoder, depth));
                Self::Tuple(parts.collect::<Result<_, _>>()?)
            }
            15 => Self::Descending(Box::new(Self::read(decoder, depth)?)),
            16 => Self::Named(Decode::decode(decoder)?),
            _ => return Err(bincode::error::DecodeError::Other("no such type")),
        })
    }
}

impl<Context> Decode<Context> for Type {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, bincode::error::DecodeError> {
        Self::read(decoder, NESTING_MAX)
    }
}

impl<'de, Context> BorrowDecode<'de, Context> for Type {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, bincode::error::DecodeError> {
        Self::read(decoder, NESTING_MAX)
    }
}

/// Why a schema cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaError {
    /// A version that this program does not know.
    Version(u8),
    /// The bytes are not a schema.
    Bytes(DecodeError),
    /// A name that is empty, too long, or holds something else than ASCII letters, digits, `-` and `_`.
    Name,
    /// A line of documentation that is too long or holds control characters.
    Doc,
    /// Two types, entries, slots or codes have the same name or number.
    Twice(&'static str),
    /// A type refers to one that does not stand before it.
    Reference,
    /// Nothing, where a value must be.
    Unit,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "schema of version {version}, which is unknown here"),
            Self::Bytes(error) => write!(f, "not a schema: {error}"),
            Self::Name => f.write_str("a name of the schema is empty, too long or has unusual letters"),
            Self::Doc => f.write_str("a line of the schema is too long or has control characters"),
            Self::Twice(what) => write!(f, "two {what} of the schema have the same name or number"),
            Self::Reference => {
                f.write_str("a type of the schema refers to one that does not stand before it")
            }
            Self::Unit => f.write_str("the schema has nothing where a value must be"),
        }
    }
}

impl core::error::Error for SchemaError {}

impl Document {
    /// Reads a section's bytes, at most [`LENGTH_MAX`].
    ///
    /// # Errors
    ///
    /// What is not a schema in canonical form, or breaks one of its rules: names are plain and unique, numbers unique within
    /// their kind, and references point backwards. So whoever prints a document need not escape names.
    pub fn read(section: &[u8]) -> Result<Self, SchemaError> {
        let (version, bytes) = section
            .split_first()
            .ok_or(SchemaError::Bytes(DecodeError::Malformed))?;
        if *version != VERSION {
            return Err(SchemaError::Version(*version));
        }
        let document: Self = codec::decode(bytes, LENGTH_MAX).map_err(SchemaError::Bytes)?;
        document.check()?;
        Ok(document)
    }

    /// The named type that a [`Type::Named`] refers to. A document that was read has all of them.
    pub fn named(&self, position: u32) -> Option<&Named> {
        self.types.get(usize::try_from(position).ok()?)
    }

    /// The entry of a kind by its number.
    pub fn entry(&self, kind: EntryKind, number: u8) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.kind == kind && entry.number == number)
    }

    fn check(&self) -> Result<(), SchemaError> {
        name(&self.name)?;
        doc(&self.doc)?;
        doc(&self.version)?;
        for (position, named) in self.types.iter().enumerate() {
            name(&named.name)?;
            doc(&named.doc)?;
            named.shape.check(position)?;
        }
        for entry in &self.entries {
            name(&entry.name)?;
            doc(&entry.doc)?;
            entry.argument.check(self.types.len(), true)?;
            entry.output.check(self.types.len(), true)?;
        }
        for slot in &self.state {
            name(&slot.name)?;
            doc(&slot.doc)?;
            slot.key.check(self.types.len(), slot.kind == SlotKind::Item)?;
            slot.value.check(self.types.len(), slot.kind == SlotKind::Index)?;
        }
        if let Some(event) = &self.event {
            event.check(self.types.len(), false)?;
        }
        for code in self.errors.iter().chain(&self.reasons) {
            name(&code.name)?;
            doc(&code.doc)?;
        }
        self.check_unique()
    }

    fn check_unique(&self) -> Result<(), SchemaError> {
        unique("types", self.types.iter().map(|named| &named.name))?;
        unique(
            "entries",
            self.entries.iter().map(|entry| (entry.kind, entry.number)),
        )?;
        unique(
            "entries",
            self.entries.iter().map(|entry| (entry.kind, &entry.name)),
        )?;
        unique("places", self.state.iter().map(|slot| slot.place))?;
        unique("places", self.state.iter().map(|slot| &slot.name))?;
        for codes in [&self.errors, &self.reasons] {
            unique("codes", codes.iter().map(|code| code.code))?;
            unique("codes", codes.iter().map(|code| &code.name))?;
        }
        Ok(())
    }
}

impl Shape {
    fn check(&self, before: usize) -> Result<(), SchemaError> {
        match self {
            Self::Alias(of) => of.check(before, false),
            Self::Struct(fields) => check_fields(fields, before),
            Self::Enum(variants) => {
                unique("variants", variants.iter().map(|variant| &variant.name))?;
                variants.iter().try_for_each(|variant| {
                    name(&variant.name)?;
                    check_fields(&variant.fields, before)
                })
            }
        }
    }
}

fn check_fields(fields: &[Field], before: usize) -> Result<(), SchemaError> {
    unique("fields", fields.iter().map(|field| &field.name))?;
    fields.iter().try_for_each(|field| {
        name(&field.name)?;
        field.of.check(before, false)
    })
}

impl Type {
    /// Checks what it refers to: only named types at positions less than `before`.
    fn check(&self, before: usize, unit: bool) -> Result<(), SchemaError> {
        match self {
            Self::Unit if !unit => Err(SchemaError::Unit),
            Self::Named(position) if usize::try_from(*position).is_ok_and(|position| position >= before) => {
                Err(SchemaError::Reference)
            }
            Self::List(of) | Self::Option(of) | Self::Descending(of) => of.check(before, false),
            Self::Tuple(parts) => parts.iter().try_for_each(|part| part.check(before, false)),
            _ => Ok(()),
        }
    }
}

fn name(name: &str) -> Result<(), SchemaError> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    if name.is_empty() || name.len() > NAME_LENGTH_MAX || !name.chars().all(plain) {
        return Err(SchemaError::Name);
    }
    Ok(())
}

fn doc(line: &str) -> Result<(), SchemaError> {
    if line.len() > DOC_LENGTH_MAX || line.chars().any(char::is_control) {
        return Err(SchemaError::Doc);
    }
    Ok(())
}

fn unique<T: Ord>(what: &'static str, items: impl Iterator<Item = T>) -> Result<(), SchemaError> {
    let mut seen = BTreeSet::new();
    for item in items {
        if !seen.insert(item) {
            return Err(SchemaError::Twice(what));
        }
    }
    Ok(())
}
