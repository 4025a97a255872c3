use super::{Key, Scan, StartsWith, Stored, path};
use crate::{Ctx, host};
use core::fmt;
use core::marker::PhantomData;
use core::ops::Range;
use salus_abi::schema::{Schema, SlotKind, Type};

/// An ordered set of keys: what entries of a [`Map`](super::Map) are found by besides their own key.
///
/// `Index<(Descending<u64>, RecordNumber)>` lists records by time, the newest first.
pub struct Index<K> {
    place: u8,
    key: PhantomData<fn() -> K>,
}

impl<K: Key> Index<K> {
    /// The keys that begin with `place`, which no other field of the contract may use.
    pub const fn new(place: u8) -> Self {
        Self {
            place,
            key: PhantomData,
        }
    }

    /// Adds a key; no change if it is there.
    pub fn insert(&self, _: &mut Ctx, key: &K) {
        host::set(&path(self.place, key), &[]);
    }

    /// Removes a key, if it is there.
    pub fn remove(&self, _: &mut Ctx, key: &K) {
        host::remove(&path(self.place, key));
    }

    /// Whether a key is there.
    pub fn contains(&self, _: &Ctx, key: &K) -> bool {
        host::get(&path(self.place, key)).is_some()
    }

    /// The keys that start with `start`, in their order, at most `limit`.
    pub fn scan<'a, P: Key>(
        &self,
        _: &'a Ctx,
        start: &P,
        limit: usize,
    ) -> impl Iterator<Item = K> + use<'a, P, K>
    where
        K: StartsWith<P>,
    {
        keys(Scan::prefix(path(self.place, start))).take(limit)
    }

    /// The keys from `range.start` to before `range.end`, in their order, at most `limit`.
    pub fn range<'a>(
        &self,
        _: &'a Ctx,
        range: Range<K>,
        limit: usize,
    ) -> impl Iterator<Item = K> + use<'a, K> {
        keys(Scan::range(self.place, &range)).take(limit)
    }
}

fn keys<K: Key>(mut scan: Scan) -> impl Iterator<Item = K> {
    core::iter::from_fn(move || {
        let (key, _) = scan.next()?;
        K::read(&mut key.get(1..)?)
    })
}

impl<K: Schema> Stored for Index<K> {
    const KIND: SlotKind = SlotKind::Index;
    const KEY: &'static Type = K::TYPE;
    const VALUE: &'static Type = &Type::Unit;
}

impl<K> fmt::Debug for Index<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index(at {:#04x})", self.place)
    }
}
