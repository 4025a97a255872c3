//! X25519 keys. Members and principals have one each, for different uses, so they are different types.

use hpke::kem::X25519HkdfSha256;
use hpke::{Kem, Serializable};
use salus_types::Hash;
use salus_types::codec::{Decode, Encode};
use std::fmt;
use zeroize::Zeroizing;

pub(crate) type Private = <X25519HkdfSha256 as Kem>::PrivateKey;

macro_rules! key_pair {
    ($(#[$secret_doc:meta])* $secret:ident, $(#[$public_doc:meta])* $public:ident) => {
        $(#[$public_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
        pub struct $public([u8; 32]);

        impl $public {
            /// Wraps the 32 bytes of RFC 7748. Whether they are a usable key shows when something is sealed to it.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Hash::new(self.0).fmt(f)
            }
        }

        impl fmt::Debug for $public {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($public), "({})"), self)
            }
        }

        $(#[$secret_doc])*
        ///
        /// Zeroised when dropped; its `Debug` shows the public key only.
        #[derive(Clone)]
        pub struct $secret {
            seed: Zeroizing<[u8; 32]>,
            // Wipes itself: it wraps a zeroising `x25519_dalek::StaticSecret`.
            private: Private,
            public: $public,
        }

        impl $secret {
            /// The key of a 32-byte seed, by `DeriveKeyPair` of RFC 9180 section 7.1.3.
            pub fn from_seed(seed: &[u8; 32]) -> Self {
                let (private, public) = X25519HkdfSha256::derive_keypair(seed);
                Self {
                    seed: Zeroizing::new(*seed),
                    private,
                    public: $public(public.to_bytes().into()),
                }
            }

            /// The seed. Only a keystore, which encrypts it, may ask.
            pub fn seed(&self) -> Zeroizing<[u8; 32]> {
                self.seed.clone()
            }

            /// The key that others seal to.
            pub const fn public(&self) -> $public {
                self.public
            }

            pub(crate) const fn private(&self) -> &Private {
                &self.private
            }
        }

        impl fmt::Debug for $secret {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($secret), "(of {})"), self.public)
            }
        }
    };
}

key_pair!(
    /// Opens the key shares that authors sealed to a member.
    ReleaseSecret,
    /// A member's public key for key shares: `Member::release_key`.
    ReleaseKey
);
key_pair!(
    /// Opens what is sealed to a principal.
    EncryptionSecret,
    /// A principal's public key: `Principal::encryption_key`.
    EncryptionKey
);
