//! Compiled code, kept for the next start of the program.
//!
//! ```text
//! instrumented module --compile--> code --seal--> record --CodeStore::save--> a file, say
//!                                                   |
//!                     run as it is <--open (tag!)---+<----CodeStore::load----
//! ```
//!
//! Compiled code is machine code: whoever can change it owns the process. So a record carries a tag under a secret of this
//! machine's, and only what bears the right tag is given to the engine; the store itself need not be trusted. Records never
//! come from, or go to, another machine. A record that is refused costs a compilation and nothing else.
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `SLCC` |
//! | 1 | version, 1 |
//! | 32 | hash of the engine: release, processor, settings, gas table |
//! | 32 | hash of the instrumented module |
//! | 32 | BLAKE3 over the rest, keyed |
//! | n | compiled code |

use crate::gas::gas_table_hash;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use wasmtime::{Engine, Module};
use zeroize::Zeroizing;

/// Bytes of a record, at most; what is longer is not kept.
pub const CODE_RECORD_BYTES_MAX: usize = 32 << 20;

const MAGIC: &[u8; 4] = b"SLCC";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 4 + 1 + 32 + 32;
const TAG_BYTES: usize = 32;
const KEY_CONTEXT: &str = "salus 2026-11 compiled contract code key";

/// Where records are kept. Called by any thread that admits a contract; must not wait for other machines.
pub trait CodeStore: Send + Sync {
    /// The record that was saved last under a name, if it is still there.
    fn load(&self, name: &CodeName) -> Option<Vec<u8>>;

    /// Keeps a record of at most [`CODE_RECORD_BYTES_MAX`] bytes, if there is room. Losing it is no failure.
    fn save(&self, name: &CodeName, record: &[u8]);

    /// Hears that a record can't be used and is compiled anew: somebody else's hand, or a damaged disk.
    fn refused(&self, name: &CodeName, why: CodeRefusal);
}

/// What a record is about: the engine and the module, by their hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeName {
    engine: [u8; 32],
    module: [u8; 32],
}

impl fmt::Display for CodeName {
    /// 16 digits of the engine, a hyphen, 64 digits of the module: fit for a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i, ..] = self.engine;
        for byte in [a, b, c, d, e, g, h, i] {
            write!(f, "{byte:02x}")?;
        }
        f.write_char('-')?;
        self.module.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a record was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    /// Too short or too long, or it begins with something else.
    #[error("it is no record of compiled code")]
    Malformed,
    /// Another version of the format.
    #[error("it is a record of another version")]
    Version,
    /// For another engine, or of another module.
    #[error("it is for another engine or of another module")]
    Other,
    /// It was not written under this machine's key, or not as it is now.
    #[error("its tag is not this machine's")]
    Tag,
    /// The engine wants none of it.
    #[error("the engine does not accept it")]
    Engine,
}

/// A store, and the secret under which its records are tagged.
pub struct CodeCache {
    key: Zeroizing<[u8; 32]>,
    store: Box<dyn CodeStore>,
}

impl CodeCache {
    /// A cache whose tags come from a secret that only this machine has.
    pub fn new(secret: &[u8; 32], store: Box<dyn CodeStore>) -> Self {
        Self {
            key: Zeroizing::new(blake3::derive_key(KEY_CONTEXT, secret)),
            store,
        }
    }

    /// Takes an instrumented module's code from the store, or compiles and saves it.
    pub(crate) fn compiled(&self, engine: &Engine, instrumented: &[u8]) -> wasmtime::Result<Module> {
        let name = CodeName {
            engine: engine_hash(engine),
            module: *blake3::hash(instrumented).as_bytes(),
        };
        if let Some(record) = self.store.load(&name) {
            match self.open(engine, &name, &record) {
                Ok(module) => return Ok(module),
                Err(why) => self.store.refused(&name, why),
            }
        }
        let module = Module::new(engine, instrumented)?;
        let record = self.seal(&name, &module.serialize()?);
        if record.len() <= CODE_RECORD_BYTES_MAX {
            self.store.save(&name, &record);
        }
        Ok(module)
    }

    fn seal(&self, name: &CodeName, code: &[u8]) -> Vec<u8> {
        let head = head(name);
        let tag = self.tag(&head, code);
        [head.as_slice(), tag.as_bytes(), code].concat()
    }

    /// Reads a record back into the engine.
    fn open(&self, engine: &Engine, name: &CodeName, record: &[u8]) -> Result<Module, CodeRefusal> {
        let (head, rest) = record
            .split_first_chunk::<HEAD_BYTES>()
            .ok_or(CodeRefusal::Malformed)?;
        let (tag, code) = rest
            .split_first_chunk::<TAG_BYTES>()
            .ok_or(CodeRefusal::Malformed)?;
        let version = head.strip_prefix(MAGIC).and_then(|rest| rest.first());
        match version {
            None => return Err(CodeRefusal::Malformed),
            Some(&VERSION) => {}
            Some(_) => return Err(CodeRefusal::Version),
        }
        if *head != self::head(name) {
            return Err(CodeRefusal::Other);
        }
        // `blake3::Hash` compares in constant time.
        if self.tag(head, code) != blake3::Hash::from_bytes(*tag) {
            return Err(CodeRefusal::Tag);
        }
        #[expect(
            unsafe_code,
            reason = "compiled code can't be checked by looking at it; the tag was"
        )]
        // SAFETY: the engine must be given nothing but what `Module::serialize` gave. The tag, checked above, covers all of
        // `code` and was made in `seal` over such bytes, under a secret that only this machine has; `name` in the head
        // binds it to this engine's settings and to this module. The engine checks its own release besides.
        let module = unsafe { Module::deserialize(engine, code) };
        module.map_err(|_| CodeRefusal::Engine)
    }

    fn tag(&self, head: &[u8; HEAD_BYTES], code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(head).update(code);
        hasher.finalize()
    }
}

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeCache")
    }
}

fn head(name: &CodeName) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let parts = MAGIC
        .iter()
        .chain(std::iter::once(&VERSION))
        .chain(&name.engine)
        .chain(&name.module);
    head.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    head
}

/// Two engines with the same hash run each other's code: wasmtime's release, the processor's features, all settings.
fn engine_hash(engine: &Engine) -> [u8; 32] {
    let mut hasher = Wide(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(&gas_table_hash());
    *hasher.0.finalize().as_bytes()
}

/// The standard library's hashing, into 32 bytes instead of 8.
struct Wide(blake3::Hasher);

impl Hasher for Wide {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *self.0.finalize().as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}
