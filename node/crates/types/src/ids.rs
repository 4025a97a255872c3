//! Newtypes for ids and quantities. Each counts one thing, so that none is passed for another.

use crate::{Hash, HashParseError};
use salus_abi::codec::{Decode, Encode};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name($inner);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);
            /// The largest value.
            pub const MAX: Self = Self(<$inner>::MAX);

            /// Wraps a bare number.
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The bare number.
            pub const fn get(self) -> $inner {
                self.0
            }

            /// The sum, or `None` past the largest value.
            pub fn checked_add(self, more: $inner) -> Option<Self> {
                self.0.checked_add(more).map(Self)
            }

            /// The difference, or `None` below zero.
            pub fn checked_sub(self, less: $inner) -> Option<Self> {
                self.0.checked_sub(less).map(Self)
            }

            /// The sum, at most the largest value.
            pub const fn saturating_add(self, more: $inner) -> Self {
                Self(self.0.saturating_add(more))
            }

            /// The difference, at least zero.
            pub const fn saturating_sub(self, less: $inner) -> Self {
                Self(self.0.saturating_sub(less))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

quantity!(
    /// A position in the chain. Genesis is height 0; the first block is height 1.
    Height(u64)
);
quantity!(
    /// An attempt to decide a height, from 0.
    Round(u32)
);
quantity!(
    /// A position among the shares of a dealing, from 0. A member holds exactly one.
    Slot(u16)
);
quantity!(
    /// How many transactions a principal has had executed: the next one carries this number.
    Sequence(u64)
);
quantity!(
    /// What running a contract costs.
    Gas(u64)
);
quantity!(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(u64)
);

impl Height {
    /// The height after this one; stays at the largest, which no chain reaches.
    pub const fn next(self) -> Self {
        self.saturating_add(1)
    }
}

impl Timestamp {
    /// How long after `earlier`; zero if it is not later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name(Hash);

        impl $name {
            /// Wraps a hash that was computed as this kind of id.
            pub const fn new(hash: Hash) -> Self {
                Self(hash)
            }

            /// The hash.
            pub const fn hash(&self) -> &Hash {
                &self.0
            }

            /// The bytes of the hash.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = HashParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

hash_id!(
    /// A network: the hash of its genesis. It stands in everything signed, so nothing can be carried from one network to another.
    ChainId
);
hash_id!(
    /// A block: the hash of its header.
    BlockId
);
hash_id!(
    /// A transaction: the hash of what its sender signed, never of the signature.
    TransactionId
);
