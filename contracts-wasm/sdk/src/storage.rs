//! Typed entries of a contract's own state.
//!
//! An [`Item`] lies at one byte, an entry of a [`Map`] or an [`Index`] at one byte and its key. Keys have fixed lengths, so
//! no key is the beginning of another, and entries lie in the order of their keys. The host scans upwards only: what is
//! wanted newest first is kept under [`Descending`] keys.

mod index;
mod key;

use crate::{Ctx, Decode, Encode, host};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use salus_abi::codec;
use salus_abi::schema::{Schema, SlotKind, Type};

pub use index::Index;
pub use key::{Descending, Key, StartsWith};

/// A field of a contract, as the schema shows it.
pub trait Stored {
    /// How it is kept.
    const KIND: SlotKind;
    /// What its entries are found by.
    const KEY: &'static Type;
    /// What its entries hold.
    const VALUE: &'static Type;
}

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
        entries(Scan::prefix(path(self.place, start)))
    }

    /// The entries with keys from `range.start` to before `range.end`, in the order of their keys, at most `limit`.
    pub fn range<'a>(
        &self,
        _: &'a Ctx,
        range: Range<K>,
        limit: usize,
    ) -> impl Iterator<Item = (K, V)> + use<'a, K, V> {
        entries(Scan::range(self.place, &range)).take(limit)
    }
}

/// Reads a map's entries while it goes through their keys.
fn entries<K: Key, V: Decode<()>>(mut scan: Scan) -> impl Iterator<Item = (K, V)> {
    core::iter::from_fn(move || {
        let (key, value) = scan.next()?;
        Some((K::read(&mut key.get(1..)?)?, own(&value)))
    })
}

/// Where a walk through the state stands.
struct Scan {
    /// All keys begin with it.
    prefix: Vec<u8>,
    /// All keys are greater than it; empty at the start.
    after: Vec<u8>,
    /// All keys are less than it, if there is an end besides the prefix.
    end: Option<Vec<u8>>,
}

impl Scan {
    fn prefix(prefix: Vec<u8>) -> Self {
        Self {
            prefix,
            after: Vec::new(),
            end: None,
        }
    }

    fn range<K: Key>(place: u8, range: &Range<K>) -> Self {
        Self {
            prefix: alloc::vec![place],
            after: before(path(place, &range.start)),
            end: Some(path(place, &range.end)),
        }
    }

    fn next(&mut self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (key, value) = host::next(&self.prefix, &self.after)?;
        if self.end.as_ref().is_some_and(|end| key >= *end) {
            return None;
        }
        self.after.clone_from(&key);
        Some((key, value))
    }
}

/// The greatest path of the same length that is less than `path`, since the host's scans leave out where they start;
/// empty if there is none of this place.
fn before(mut path: Vec<u8>) -> Vec<u8> {
    for index in (1..path.len()).rev() {
        let Some(byte) = path.get_mut(index) else { break };
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            return path;
        }
    }
    Vec::new()
}

impl<T: Schema> Stored for Item<T> {
    const KIND: SlotKind = SlotKind::Item;
    const KEY: &'static Type = &Type::Unit;
    const VALUE: &'static Type = T::TYPE;
}

impl<K: Schema, V: Schema> Stored for Map<K, V> {
    const KIND: SlotKind = SlotKind::Map;
    const KEY: &'static Type = K::TYPE;
    const VALUE: &'static Type = V::TYPE;
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
