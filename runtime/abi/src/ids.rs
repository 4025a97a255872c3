//! Small numbers that the chain's state gives out at registration. They keep transactions compact and
//! carry no meaning outside the chain.

use bincode::{Decode, Encode};
use core::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $label:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        #[cfg_attr(feature = "schema", derive(salus_sdk_macros::AbiSchema))]
        pub struct $name($inner);

        impl $name {
            /// Wraps a number that the chain gave out.
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The bare number.
            pub const fn get(self) -> $inner {
                self.0
            }

            /// The next number of its kind; `None` once they are used up.
            pub fn next(self) -> Option<Self> {
                self.0.checked_add(1).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($label, "{}"), self.0)
            }
        }
    };
}

number!(
    /// An acting person or system with keys and a role.
    PrincipalId(u32), "p"
);
number!(
    /// A contract on the chain. Number 0 is the chain itself, 1 the registry, 2 the access contract, 3 the care contract.
    ContractId(u32), "c"
);
number!(
    /// A member of the network: a hospital that runs one validator. Principals name it as their organisation.
    MemberId(u16), "m"
);
number!(
    /// A health record of one patient, counted from 0 for each patient.
    RecordNumber(u32), "r"
);

impl ContractId {
    /// The chain's own state: members, parameters, contracts, sequence numbers.
    pub const SYSTEM: Self = Self(0);
    /// The registry of principals.
    pub const REGISTRY: Self = Self(1);
    /// The access contract.
    pub const ACCESS: Self = Self(2);
    /// The care contract.
    pub const CARE: Self = Self(3);
}
