//! Keys: fixed lengths, ordered by their bytes.

use crate::{ContractId, MemberId, PrincipalId, RecordNumber};
use alloc::vec::Vec;
use salus_abi::registry::PatientAddress;
use salus_abi::schema::{Schema, Type};

/// A key of a [`Map`](super::Map) or an [`Index`](super::Index): fixed length, big-endian, so that the order of the bytes is the order of the keys.
pub trait Key: Sized {
    /// Appends the bytes of the key.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads the key from the start of `bytes` and moves past it; `None` if they are too short.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

/// Keys of type `Self` begin with a `P`, so entries can be scanned for it.
pub trait StartsWith<P: Key>: Key {}

/// A key whose entries lie in descending order: the greatest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descending<K>(pub K);

/// The first bytes as an array, and moves past them.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

macro_rules! number_key {
    ($($name:ident($inner:ty)),*) => {
        $(impl Key for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.get().to_be_bytes());
            }

            fn read(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(|bytes| Self::new(<$inner>::from_be_bytes(bytes)))
            }
        })*
    };
}

number_key!(
    PrincipalId(u32),
    RecordNumber(u32),
    ContractId(u32),
    MemberId(u16)
);

macro_rules! plain_key {
    ($($number:ty),*) => {
        $(impl Key for $number {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn read(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(Self::from_be_bytes)
            }
        })*
    };
}

plain_key!(u8, u16, u32, u64);

impl<const N: usize> Key for [u8; N] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes)
    }
}

impl Key for PatientAddress {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.area.to_be_bytes());
        out.extend_from_slice(&self.pid);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let area = u16::from_be_bytes(take(bytes)?);
        Some(Self {
            area,
            pid: take(bytes)?,
        })
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read(bytes)?, B::read(bytes)?))
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
        self.2.write(out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::read(bytes)?, B::read(bytes)?, C::read(bytes)?))
    }
}

impl<K: Key> Key for Descending<K> {
    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.0.write(out);
        for byte in out.iter_mut().skip(start) {
            *byte = !*byte;
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let turned: Vec<u8> = bytes.iter().map(|byte| !byte).collect();
        let mut rest = turned.as_slice();
        let key = K::read(&mut rest)?;
        *bytes = bytes.get(turned.len().checked_sub(rest.len())?..)?;
        Some(Self(key))
    }
}

impl<K: Schema> Schema for Descending<K> {
    const TYPE: &'static Type = &Type::Descending(K::TYPE);
}

impl<A: Key, B: Key> StartsWith<A> for (A, B) {}
impl<A: Key, B: Key, C: Key> StartsWith<A> for (A, B, C) {}
impl<A: Key, B: Key, C: Key> StartsWith<(A, B)> for (A, B, C) {}
