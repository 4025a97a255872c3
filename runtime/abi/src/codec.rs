//! The canonical encoding: bincode 2, big-endian, variable-length integers.
//!
//! One value has exactly one encoding. Variable-length integers alone would allow several spellings of a
//! number, so [`decode`] re-encodes what it read and refuses anything else; that also catches trailing bytes.
//! Wire types hold no maps, no floats and no `usize`.

use alloc::vec::Vec;
use bincode::config::{BigEndian, Configuration, Varint};
pub use bincode::{Decode, Encode};
use core::fmt;

const CONFIG: Configuration<BigEndian, Varint> = bincode::config::standard()
    .with_big_endian()
    .with_variable_int_encoding();

/// The most that [`decode`] will allocate for one value, in bytes.
const ALLOCATION_LIMIT: usize = 64 << 20;

/// Why bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// More bytes than the caller allows for this kind of value.
    TooLong {
        /// Bytes received.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not an encoding of this type.
    Malformed,
    /// An encoding of this type, but not the canonical one, or with bytes left over.
    NotCanonical,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { length, limit } => write!(f, "{length} bytes where at most {limit} are allowed"),
            Self::Malformed => f.write_str("malformed bytes"),
            Self::NotCanonical => f.write_str("bytes are not in canonical form"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// The canonical bytes of a value.
///
/// Encoding into memory cannot fail for the types this project defines: they hold nothing that bincode refuses.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    let mut sink = Sink(Vec::new());
    match bincode::encode_into_writer(value, &mut sink, CONFIG) {
        Ok(()) => sink.0,
        Err(_) => Vec::new(),
    }
}

/// Collects bytes. bincode's own `encode_to_vec` encodes twice, to learn the length first: in a guest that is half
/// of the codec's code, and more gas than the growth that it saves.
struct Sink(Vec<u8>);

impl Sink {
    /// Apart from `write`, so that what may be inlined a hundred times is a call that cannot fail.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn append(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl bincode::enc::write::Writer for Sink {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.append(bytes);
        Ok(())
    }
}

/// Reads a value from its canonical bytes, of which there may be at most `limit`.
pub fn decode<T: Encode + Decode<()>>(bytes: &[u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong {
            length: bytes.len(),
            limit,
        });
    }
    let (value, _) = bincode::decode_from_slice::<T, _>(bytes, CONFIG.with_limit::<ALLOCATION_LIMIT>())
        .map_err(|_| DecodeError::Malformed)?;
    if encode(&value) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    Ok(value)
}

/// Reads a value written by this very node or guest, where only its own encoder can have produced the bytes.
///
/// Cheaper than [`decode`]: no re-encoding. Never use it for bytes that came over a network, unless their sender
/// signed these very bytes and their spelling makes no difference, as with a contract's arguments.
pub fn decode_trusted<T: Decode<()>>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (value, used) = bincode::decode_from_slice::<T, _>(bytes, CONFIG.with_limit::<ALLOCATION_LIMIT>())
        .map_err(|_| DecodeError::Malformed)?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(DecodeError::NotCanonical)
    }
}
