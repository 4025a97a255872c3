//! A contract's schema: read out of its artefact, and written down for those who call it.
//!
//! ```text
//! artefact --read--> Schema { document, hash }
//!                       |-- json_schema()   how messages look as JSON, and the numbers of entries and codes
//!                       |-- typescript()    the same as types and constants
//!                       +-- wit()           the same as a WIT interface, for generators of bindings
//! ```
//!
//! As JSON, a struct is an object, a variant `"Name"` or `{"Name": ...}`, bytes are hexadecimal, and numbers of 64 bits are decimal text,
//! since many readers round them. The chain itself takes canonical bytes only.
//!
//! Nothing here is asked when a contract runs, and admission ignores the section: a contract without a schema, or with one that lies, runs
//! as well. That is why members vote on its hash besides the code's.

mod json;
mod typescript;
mod wit;

pub use salus_abi::schema::document::{self, Document, SchemaError};
use salus_abi::schema::{LENGTH_MAX, SECTION};
use wasmparser::{Encoding, Parser, Payload};

/// What a contract says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    document: Document,
    hash: [u8; 32],
}

/// Why an artefact's schema cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not a core module.
    #[error("not a WebAssembly module: {0}")]
    Module(String),
    /// There are two sections.
    #[error("the module has two schemas")]
    Twice,
    /// There is a section beyond the limit.
    #[error("the schema has {0} bytes, where at most 32 KiB are allowed")]
    TooLong(usize),
    /// There is a section, but what it holds is not a schema.
    #[error("{0}")]
    Schema(#[from] SchemaError),
}

impl Schema {
    /// Reads the schema of an artefact; `None` if it has none.
    ///
    /// # Errors
    ///
    /// Whatever is not a core module with at most one well-formed schema. The module itself is not checked further.
    pub fn read(wasm: &[u8]) -> Result<Option<Self>, ReadError> {
        let mut sections = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload.map_err(|error| ReadError::Module(error.message().to_owned()))? {
                Payload::Version { encoding, .. } if encoding != Encoding::Module => {
                    return Err(ReadError::Module("a component".to_owned()));
                }
                Payload::CustomSection(section) if section.name() == SECTION => {
                    sections.push(section.data());
                }
                _ => {}
            }
        }
        match sections.as_slice() {
            [] => Ok(None),
            [section] => Self::of_section(section).map(Some),
            _ => Err(ReadError::Twice),
        }
    }

    /// Reads the content of the section `salus_schema`.
    ///
    /// # Errors
    ///
    /// [`ReadError::TooLong`] and [`ReadError::Schema`].
    pub fn of_section(section: &[u8]) -> Result<Self, ReadError> {
        if section.len() > LENGTH_MAX {
            return Err(ReadError::TooLong(section.len()));
        }
        Ok(Self {
            document: Document::read(section)?,
            hash: *blake3::hash(section).as_bytes(),
        })
    }

    /// What it says.
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// BLAKE3 of the section's content: what members vote on.
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// JSON Schema, draft 2020-12: the messages under `$defs`, everything else under `x-salus`.
    pub fn json_schema(&self) -> String {
        json::write(&self.document)
    }

    /// Types and constants for TypeScript.
    pub fn typescript(&self) -> String {
        typescript::write(&self.document)
    }

    /// A WIT package with one interface.
    pub fn wit(&self) -> String {
        wit::write(&self.document)
    }
}

/// How the parts of a struct or a variant are put together.
enum Parts<'a> {
    /// Nothing.
    None,
    /// One value without a name.
    One(&'a document::Type),
    /// Values without names.
    Tuple(Vec<&'a document::Type>),
    /// Values with names.
    Named(&'a [document::Field]),
}

impl<'a> Parts<'a> {
    fn of(fields: &'a [document::Field]) -> Self {
        let unnamed = fields
            .iter()
            .enumerate()
            .all(|(position, field)| field.name == position.to_string());
        match fields {
            [] => Self::None,
            [field] if unnamed => Self::One(&field.of),
            _ if unnamed => Self::Tuple(fields.iter().map(|field| &field.of).collect()),
            _ => Self::Named(fields),
        }
    }
}

/// The name of a type that stands in the document, which [`Document::read`] has checked.
fn name_of(document: &Document, position: u32) -> &str {
    document.named(position).map_or("", |named| &named.name)
}
