//! Typed entries of a contract's own state.
//!
//! An [`Item`] lies at one byte, a [`Map`]'s entry at one byte and its key. Keys have fixed lengths, so no key is
//! the beginning of another and entries of a map lie in the order of their keys.

use crate::{ContractId, Ctx, Decode, Encode, MemberId, PrincipalId, RecordNumber, host};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use salus_abi::codec;
use salus_abi::registry::PatientAddress;

/// A key of a [`Map`]: fixed length, big-endian, so that the order of the bytes is the order of the keys.
pub trait Key: Sized {
    /// Appends the bytes of the key.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads the key from the start of `bytes` and moves past it; `None` if they are too short.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

/// Keys of type `Self` begin with a `P`, so a [`Map`] can be scanned for it.
pub trait StartsWith<P: Key>: Key {}

/// One value of a contract's state.
pub struct Item<T> {
    place: u8,
    value: PhantomData<fn() -> T>,
}

/// Values of a contract's state by key.
pub struct Map<K, V> {
    place: u8,
    entry: PhantomData<fn() -> (K, V)>,
}

impl<T: Encode + Decode<()>> Item<T> {
    /// The value at `place`, which no other item or map of the contract may use.
    pub const fn new(place: u8) -> Self {
        Self {
            place,
            value: PhantomData,
        }
    }

    /// The value, if it was ever set.
    pub fn get(&self, _: &Ctx) -> Option<T> {
        host::get(&[self.place]).map(|bytes| own(&bytes))
    }

    /// Sets the value.
    pub fn set(&self, _: &mut Ctx, value: &T) {
        host::set(&[self.place], &codec::encode(value));
    }
}

impl<K: Key, V: Encode + Decode<()>> Map<K, V> {
    /// The entries that begin with `place`, which no other item or map of the contract may use.
    pub const fn new(place: u8) -> Self {
        Self {
            place,
            entry: PhantomData,
        }
    }

    /// The state key of an entry.
    pub fn state_key(&self, key: &K) -> Vec<u8> {
        path(self.place, key)
    }

    /// The value of a key.
    pub fn get(&self, _: &Ctx, key: &K) -> Option<V> {
        host::get(&self.state_key(key)).map(|bytes| own(&bytes))
    }

    /// Sets the value of a key.
    pub fn set(&self, _: &mut Ctx, key: &K, value: &V) {
        host::set(&self.state_key(key), &codec::encode(value));
    }

    /// Removes the entry of a key, if there is one.
    pub fn remove(&self, _: &mut Ctx, key: &K) {
        host::remove(&self.state_key(key));
    }

    /// The entries whose key starts with `start`, in the order of their keys. The contract bounds how many it takes.
    pub fn scan<'a, P: Key>(&self, _: &'a Ctx, start: &P) -> impl Iterator<Item = (K, V)> + use<'a, P, K, V>
    where
        K: StartsWith<P>,
    {
        let prefix = path(self.place, start);
        let mut after = Vec::new();
        core::iter::from_fn(move || {
            let (key, value) = host::next(&prefix, &after)?;
            let entry = (K::read(&mut key.get(1..)?)?, own(&value));
            after = key;
            Some(entry)
        })
    }
}

fn path(place: u8, key: &impl Key) -> Vec<u8> {
    let mut path = Vec::with_capacity(40);
    path.push(place);
    key.write(&mut path);
    path
}

/// Reads a value that this contract wrote itself. Anything else is a broken contract: the call traps.
fn own<T: Decode<()>>(bytes: &[u8]) -> T {
    match codec::decode_trusted(bytes) {
        Ok(value) => value,
        Err(_) => broken("a state entry does not decode: it needs a migration"),
    }
}

#[cold]
fn broken(line: &str) -> ! {
    host::debug(line.as_bytes());
    #[allow(
        clippy::panic,
        reason = "a trap is the answer to a broken invariant; the host drops all writes"
    )]
    {
        panic!("broken state")
    }
}

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

impl<A: Key, B: Key> StartsWith<A> for (A, B) {}
impl<A: Key, B: Key, C: Key> StartsWith<A> for (A, B, C) {}

impl<T> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item(at {:#04x})", self.place)
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map(at {:#04x})", self.place)
    }
}

#[cfg(test)]
mod tests;
