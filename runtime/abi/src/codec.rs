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

/// Encodes enums without fields by their number, as the derive does in a branch for each variant.
macro_rules! encode_as_number {
    ($($name:ident),*) => {
        $(impl bincode::Encode for $name {
            fn encode<E: bincode::enc::Encoder>(&self, encoder: &mut E) -> Result<(), bincode::error::EncodeError> {
                (*self as u32).encode(encoder)
            }
        })*
    };
}
pub(crate) use encode_as_number;

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
    #[cfg(target_arch = "wasm32")]
    return decode_small(bytes);
    #[cfg(not(target_arch = "wasm32"))]
    {
        let (value, used) =
            bincode::decode_from_slice::<T, _>(bytes, CONFIG.with_limit::<ALLOCATION_LIMIT>())
                .map_err(|_| DecodeError::Malformed)?;
        if used == bytes.len() {
            Ok(value)
        } else {
            Err(DecodeError::NotCanonical)
        }
    }
}

/// [`decode_trusted`] for guests: the same answers from less code.
///
/// Half of a contract was the handling of bytes that can't be read, inlined after every number. Here reading never
/// fails: beyond the end there are zeroes, and whether anything went wrong is looked at once, at the end.
#[cfg(any(test, target_arch = "wasm32"))]
fn decode_small<T: Decode<()>>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut source = Source::new(bytes);
    let value = bincode::decode_from_reader::<T, _, _>(&mut source, CONFIG);
    match value {
        Ok(value) if source.is_read() => Ok(value),
        Ok(_) if !source.broken => Err(DecodeError::NotCanonical),
        _ => Err(DecodeError::Malformed),
    }
}

/// Bytes that are read without failing.
///
/// bincode looks at the beginning of a number with `peek_read` before it decides how long it is. What it is shown is
/// not the input but the number at its widest, so that the compiler drops all but one of bincode's branches, with
/// their errors. The number's own spelling is read in one place, [`Source::number`].
#[cfg(any(test, target_arch = "wasm32"))]
struct Source<'a> {
    rest: &'a [u8],
    broken: bool,
    shown: [u8; 9],
}

/// First bytes of a number that is longer than one byte, as bincode 2 writes them.
#[cfg(any(test, target_arch = "wasm32"))]
const WIDE: [u8; 3] = [251, 252, 253];

#[cfg(any(test, target_arch = "wasm32"))]
impl<'a> Source<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self {
            rest,
            broken: false,
            shown: [0; 9],
        }
    }

    /// Whether everything was read, and nothing else.
    fn is_read(&self) -> bool {
        !self.broken && self.rest.is_empty()
    }

    /// The next bytes. Written so that nothing can panic: a panic's text would bring the formatting of numbers along.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn take(&mut self, out: &mut [u8]) {
        match self.rest.split_at_checked(out.len()) {
            Some((taken, rest)) => {
                out.iter_mut().zip(taken).for_each(|(out, byte)| *out = *byte);
                self.rest = rest;
            }
            None => self.broken = true,
        }
    }

    /// The next byte; 0 after the last.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((byte, rest)) => {
                self.rest = rest;
                *byte
            }
            None => {
                self.broken = true;
                0
            }
        }
    }

    /// Reads a number of at most `width` bytes and shows it with all of them.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    fn number(&mut self, width: usize) {
        let first = self.byte();
        let length = match first {
            ..=250 => 0,
            251 => 2,
            252 => 4,
            253 => 8,
            _ => usize::MAX,
        };
        if length > width {
            self.broken = true;
            return;
        }
        let mut value = if length == 0 { u64::from(first) } else { 0 };
        for _ in 0..length {
            value = value << 8 | u64::from(self.byte());
        }
        let bytes = value.to_be_bytes();
        let bytes = bytes.iter().skip(8_usize.saturating_sub(width));
        let shown = self.shown.iter_mut().skip(1);
        shown.zip(bytes).for_each(|(shown, byte)| *shown = *byte);
    }
}

#[cfg(any(test, target_arch = "wasm32"))]
impl bincode::de::read::Reader for Source<'_> {
    #[inline]
    fn read(&mut self, bytes: &mut [u8]) -> Result<(), bincode::error::DecodeError> {
        self.take(bytes);
        Ok(())
    }

    #[inline]
    fn peek_read(&mut self, length: usize) -> Option<&[u8]> {
        match length {
            1 => self.shown[0] = self.byte(),
            3 => {
                self.number(2);
                self.shown[0] = WIDE[0];
            }
            5 => {
                self.number(4);
                self.shown[0] = WIDE[1];
            }
            9 => {
                self.number(8);
                self.shown[0] = WIDE[2];
            }
            _ => return None,
        }
        self.shown.get(..length)
    }

    #[inline]
    fn consume(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    type Everything = (
        u8,
        (u16, u32),
        u64,
        bool,
        Option<u16>,
        [u8; 2],
        Vec<(u16, Vec<u8>)>,
    );

    /// A simple generator (Steele, Lea, Flood: SplitMix), so that this crate needs none.
    fn bytes(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            // The beginnings of long numbers come often.
            if mixed & 3 == 0 {
                250 + (mixed >> 8) as u8 % 6
            } else {
                (mixed >> 16) as u8 % 4
            }
        };
        (0..length).map(|_| next()).collect()
    }

    fn agree<T: Decode<()> + PartialEq + fmt::Debug>(bytes: &[u8]) {
        let (small, usual) = (decode_small::<T>(bytes), decode_trusted::<T>(bytes));
        assert_eq!(small.is_ok(), usual.is_ok(), "{bytes:?}: {small:?}, {usual:?}");
        assert_eq!(small.ok(), usual.ok());
    }

    #[test]
    fn guests_read_what_everyone_reads() {
        for seed in 0..60_000 {
            let bytes = bytes(seed, (seed % 24) as usize);
            agree::<u16>(&bytes);
            agree::<u32>(&bytes);
            agree::<u64>(&bytes);
            agree::<(u8, Option<u32>, bool)>(&bytes);
            agree::<Option<(u16, u64)>>(&bytes);
            agree::<([u8; 3], u16)>(&bytes);
        }
    }

    #[test]
    fn guests_read_whatever_is_written() {
        for seed in 0..2_000_u64 {
            let wide =
                |place: u32| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(place) >> (seed % 60);
            let list = (0..seed % 5).map(|item| (item as u16 * 99, bytes(item, item as usize)));
            let value: Everything = (
                seed as u8,
                (wide(3) as u16, wide(5) as u32),
                wide(7),
                seed % 2 == 0,
                (seed % 3 == 0).then_some(wide(9) as u16),
                [1, 2],
                list.collect(),
            );
            let written = encode(&value);
            assert_eq!(decode_small::<Everything>(&written), Ok(value));
            for end in 0..written.len() {
                assert_eq!(
                    decode_small::<Everything>(&written[..end]),
                    Err(DecodeError::Malformed)
                );
            }
            let longer = [&written[..], &[0]].concat();
            assert_eq!(
                decode_small::<Everything>(&longer),
                Err(DecodeError::NotCanonical)
            );
        }
    }
}
