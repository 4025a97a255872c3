//! What a contract says of itself: its entries, types, events, errors, reasons and the places of its state.
//!
//! ```text
//! Schema, Description, Entry       constants, which the SDK's macros write beside the code they describe
//!     | write, while the contract is compiled
//! bytes of the custom section      [`SECTION`] of the artefact: covered by its hash, never loaded when it runs
//!     | Document::read
//! document::Document               what tools, the API and voters look at
//! ```
//!
//! The section begins with [`VERSION`], followed by the canonical encoding of a [`document::Document`]. A type is described before any
//! type that refers to it, so descriptions never run in circles.

mod describe;
pub mod document;
mod write;

use bincode::{Decode, Encode};
pub use write::{bytes, length, small};

/// The custom section of an artefact that holds its schema.
pub const SECTION: &str = "salus_schema";
/// The first byte of the section.
pub const VERSION: u8 = 1;
/// Bytes of the section, at most.
pub const LENGTH_MAX: usize = 32 << 10;

/// A type that can stand in a schema. Derive it; contracts do so by `salus_sdk`'s macro.
pub trait Schema {
    /// The description.
    const TYPE: &'static Type;
}

/// A type, described.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// `()`: nothing. Only as an argument, an output or the key of an item.
    Unit,
    /// `bool`
    Bool,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`
    U64,
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// So many bytes.
    Bytes(u32),
    /// UTF-8, at most so many bytes.
    Text(u32),
    /// Any number of values, bounded by the length of a message.
    List(&'static Type),
    /// A value or none.
    Option(&'static Type),
    /// Several values, one after the other.
    Tuple(&'static [&'static Type]),
    /// A key whose entries lie in descending order.
    Descending(&'static Type),
    /// A type with a name.
    Named(&'static Named),
}

/// A type with a name. Its name is its own in the whole schema.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Where it is defined. Not part of the schema: it tells apart what has the same name by mistake.
    pub module: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The first sentence of its documentation.
    pub doc: &'static str,
    /// What it consists of.
    pub shape: Shape,
}

/// What a named type consists of.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Another type, by another name.
    Alias(&'static Type),
    /// All of the fields, in this order.
    Struct(&'static [Field]),
    /// One of the variants; its position is its number.
    Enum(&'static [Variant]),
}

/// A part of a struct or of a variant.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, or its position if it has none.
    pub name: &'static str,
    /// Its type.
    pub of: &'static Type,
}

/// A variant of an enum.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// What it carries.
    pub fields: &'static [Field],
}

/// How an entry is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum EntryKind {
    /// Once, when the contract comes on the chain.
    Instantiate,
    /// By transactions.
    Execute,
    /// By questions, which change nothing.
    Query,
    /// By the access contract, which asks what a rule says to a request.
    Decide,
    /// Once, when the contract's code is replaced.
    Migrate,
}

/// An entry of a contract.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// How it is called.
    pub kind: EntryKind,
    /// The first byte of the input; 0 where the kind has a single entry.
    pub number: u8,
    /// The function's name.
    pub name: &'static str,
    /// The first sentence of its documentation.
    pub doc: &'static str,
    /// What it takes.
    pub argument: &'static Type,
    /// What it answers.
    pub output: &'static Type,
}

/// How a part of the state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SlotKind {
    /// One value, at the place's byte itself.
    Item,
    /// Values by key: the place's byte, then the key.
    Map,
    /// Keys without values.
    Index,
}

/// A part of a contract's state.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// The first byte of its keys.
    pub place: u8,
    /// The field's name.
    pub name: &'static str,
    /// The first sentence of its documentation.
    pub doc: &'static str,
    /// How it is kept.
    pub kind: SlotKind,
    /// What its entries are found by.
    pub key: &'static Type,
    /// What its entries hold.
    pub value: &'static Type,
}

/// An error or a reason: the number that stands in receipts and decisions.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The number.
    pub code: u16,
    /// Its name, in kebab case.
    pub name: &'static str,
    /// The first sentence of its documentation.
    pub doc: &'static str,
}

/// All of a contract except its entries.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The contract's name.
    pub name: &'static str,
    /// The first sentence of its documentation.
    pub doc: &'static str,
    /// The version of its source.
    pub version: &'static str,
    /// The version of its state's meaning.
    pub state_version: u32,
    /// Where its state lies.
    pub state: &'static [Slot],
    /// What it emits.
    pub event: Option<&'static Type>,
    /// What it ends calls with.
    pub errors: &'static [Code],
    /// Why it decides as it does.
    pub reasons: &'static [Code],
}

#[cfg(test)]
mod tests;
