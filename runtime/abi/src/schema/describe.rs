//! Descriptions of the types that every contract uses.

use super::{Schema, Type};
use alloc::vec::Vec;

macro_rules! plain {
    ($($of:ty => $described:ident),* $(,)?) => {
        $(impl Schema for $of {
            const TYPE: &'static Type = &Type::$described;
        })*
    };
}

plain!(
    () => Unit, bool => Bool,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64,
);

impl<const N: usize> Schema for [u8; N] {
    const TYPE: &'static Type = &Type::Bytes(super::small(N));
}

impl<T: Schema> Schema for Vec<T> {
    const TYPE: &'static Type = &Type::List(T::TYPE);
}

impl<T: Schema> Schema for Option<T> {
    const TYPE: &'static Type = &Type::Option(T::TYPE);
}

impl<A: Schema, B: Schema> Schema for (A, B) {
    const TYPE: &'static Type = &Type::Tuple(&[A::TYPE, B::TYPE]);
}

impl<A: Schema, B: Schema, C: Schema> Schema for (A, B, C) {
    const TYPE: &'static Type = &Type::Tuple(&[A::TYPE, B::TYPE, C::TYPE]);
}
