//! From bytes to handlers and back.

use crate::host;
use crate::{Ctx, Decode, Encode};
use alloc::vec::Vec;
use salus_abi::codec;
use salus_abi::schema::{Description, Entry};

/// Ends a call with an error code; its writes and events are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort(pub u16);

impl Abort {
    /// The argument is malformed. The same number in every contract.
    pub const BAD_INPUT: Self = Self(4);
    /// The contract has no such entry. Far from the codes that contracts give themselves.
    pub const UNKNOWN_ENTRY: Self = Self(0xff00);
}

/// A contract: what [`macro@salus_sdk_macros::contract`] writes for its struct.
pub trait Contract: Sized {
    /// Where the state lies.
    const STATE: Self;
    /// What the schema says of it, besides its entries.
    const DESCRIPTION: Description;
}

/// The entries of a contract: what [`macro@salus_sdk_macros::contract_impl`] writes for its methods.
pub trait Entries: Contract {
    /// What the schema says of them.
    const ENTRIES: &'static [Entry];
}

/// What a handler may return: a value or a [`Codes`](crate::Codes) as error or [`Abort`]; a rule's decision.
pub trait Answer {
    /// The value.
    type Value: Encode;

    /// The value, or why there is none.
    fn answer(self) -> Result<Self::Value, Abort>;
}

impl<T: Encode, E: Into<Abort>> Answer for Result<T, E> {
    type Value = T;

    fn answer(self) -> Result<T, Abort> {
        self.map_err(Into::into)
    }
}

impl Answer for salus_abi::access::RuleDecision {
    type Value = Self;

    fn answer(self) -> Result<Self, Abort> {
        Ok(self)
    }
}

/// Exports a contract's entry points. Each part may be left out, but the order is this one:
///
/// ```text
/// contract! {
///     instantiate: set_up;                            // fn(&mut Ctx, A) -> Result<(), Abort>
///     execute { entry::ADD_USER => add_user, ... }    // fn(&mut Ctx, A) -> Result<O, Abort>
///     query { query::PRINCIPAL => principal, ... }    // fn(&Ctx, A) -> Result<O, Abort>
///     decide: decide;                                 // fn(&Ctx, AccessRequest) -> RuleDecision
///     migrate: migrate;                               // fn(&mut Ctx, A) -> Result<(), Abort>
/// }
/// ```
///
/// It expands to one exported function a part, nothing else; natively they are ordinary functions, so that the
/// handlers' types are checked and two contracts can be linked into one test.
#[macro_export]
macro_rules! contract {
    (
        $(instantiate: $instantiate:path;)?
        $(execute { $($entry:path => $handler:path),* $(,)? })?
        $(query { $($question:path => $answerer:path),* $(,)? })?
        $(decide: $decide:path;)?
        $(migrate: $migrate:path;)?
    ) => {
        /// The entry points, as the host calls them.
        #[doc(hidden)]
        #[allow(unsafe_code, reason = "exported names are unsafe attributes; they are those of salus0")]
        pub mod salus0 {
            #[allow(unused_imports, reason = "a contract may name its handlers and entries from its root")]
            use super::*;

            #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub extern "C" fn salus_abi_1() {}

            #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub extern "C" fn salus_alloc(len: i32) -> i32 {
                $crate::exports::room(len)
            }

            $(#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub extern "C" fn salus_instantiate(ptr: i32, len: i32) -> i64 {
                $crate::exports::call(ptr, len, |cx, bytes| $crate::exports::write(cx, bytes, $instantiate))
            })?

            $(#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub extern "C" fn salus_execute(ptr: i32, len: i32) -> i64 {
                $crate::exports::call(ptr, len, |cx, bytes| match $crate::exports::numbered(bytes)? {
                    $(($entry, argument) => $crate::exports::write(cx, argument, $handler),)*
                    _ => Err($crate::Abort::UNKNOWN_ENTRY),
                })
            })?

            $(#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub extern "C" fn salus_query(ptr: i32, len: i32) -> i64 {
                $crate::exports::call(ptr, len, |cx, bytes| match $crate::exports::numbered(bytes)? {
                    $(($question, argument) => $crate::exports::read(cx, argument, $answerer),)*
                    _ => Err($crate::Abort::UNKNOWN_ENTRY),
                })
            })?

            $(#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub extern "C" fn salus_decide(ptr: i32, len: i32) -> i64 {
                $crate::exports::call(ptr, len, |cx, bytes| $crate::exports::read(cx, bytes, $decide))
            })?

            $(#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub extern "C" fn salus_migrate(ptr: i32, len: i32) -> i64 {
                $crate::exports::call(ptr, len, |cx, bytes| $crate::exports::write(cx, bytes, $migrate))
            })?
        }
    };
}

/// What the macros' code calls; not for contracts themselves.
#[doc(hidden)]
pub mod exports {
    use super::{Abort, Answer, Ctx, Decode, Vec, codec, host};
    use salus_abi::schema::Code;

    /// Smaller numbers are the access contract's.
    const OWN_REASONS: u16 = 256;

    /// Sets room aside for an input.
    pub fn room(len: i32) -> i32 {
        host::room(len)
    }

    /// Runs an entry point on the input that lies at `ptr`.
    pub fn call(ptr: i32, len: i32, run: impl FnOnce(&mut Ctx, &[u8]) -> Result<Vec<u8>, Abort>) -> i64 {
        match run(&mut Ctx::new(), host::input(ptr, len)) {
            Ok(answer) => host::output(answer),
            Err(Abort(code)) => host::abort(code),
        }
    }

    /// Fails the compilation of a rule whose reasons are not its own.
    pub const fn own_reasons(reasons: &[Code]) {
        let mut index = 0;
        while index < reasons.len() {
            assert!(
                reasons[index].code >= OWN_REASONS,
                "a rule's own reasons start at 256"
            );
            index = index.saturating_add(1);
        }
    }

    /// The number of an entry, and its argument's bytes.
    pub fn numbered(input: &[u8]) -> Result<(u8, &[u8]), Abort> {
        let (number, argument) = input.split_first().ok_or(Abort::BAD_INPUT)?;
        Ok((*number, argument))
    }

    /// Runs a handler that may write.
    pub fn write<A: Decode<()>, R: Answer>(
        cx: &mut Ctx,
        argument: &[u8],
        handler: impl FnOnce(&mut Ctx, A) -> R,
    ) -> Result<Vec<u8>, Abort> {
        let argument = decode(argument)?;
        Ok(codec::encode(&handler(cx, argument).answer()?))
    }

    /// Runs a handler that only reads.
    pub fn read<A: Decode<()>, R: Answer>(
        cx: &Ctx,
        argument: &[u8],
        handler: impl FnOnce(&Ctx, A) -> R,
    ) -> Result<Vec<u8>, Abort> {
        let argument = decode(argument)?;
        Ok(codec::encode(&handler(cx, argument).answer()?))
    }

    /// An argument may be spelt in several ways: its sender signed one of them and nobody can respell it, so checking
    /// for the canonical one would only cost gas (and an eighth of the code). All of it must be read, though. The host
    /// bounds the length.
    fn decode<A: Decode<()>>(bytes: &[u8]) -> Result<A, Abort> {
        codec::decode_trusted(bytes).map_err(|_| Abort::BAD_INPUT)
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::PrincipalId;

        fn double(_: &Ctx, argument: u16) -> Result<u16, Abort> {
            argument.checked_mul(2).ok_or(Abort(1))
        }

        #[test]
        fn arguments_must_be_whole() {
            let cx = Ctx::new();
            assert_eq!(
                read(&cx, &codec::encode(&300u16), double),
                Ok(codec::encode(&600u16))
            );
            assert_eq!(
                read(&cx, &[5, 5], double),
                Err(Abort::BAD_INPUT),
                "a byte is left over"
            );
            assert_eq!(read(&cx, &[], double), Err(Abort::BAD_INPUT), "nothing there");
            assert_eq!(read(&cx, &codec::encode(&u16::MAX), double), Err(Abort(1)));
        }

        #[test]
        fn an_input_starts_with_the_number_of_its_entry() {
            assert_eq!(numbered(&[3, 9, 9]), Ok((3, &[9, 9][..])));
            assert_eq!(numbered(&[]), Err(Abort::BAD_INPUT));
            let nothing = write(&mut Ctx::new(), &[], |_, ()| Ok::<_, Abort>(PrincipalId::new(1)));
            assert_eq!(nothing, Ok(vec![1]));
        }
    }
}
