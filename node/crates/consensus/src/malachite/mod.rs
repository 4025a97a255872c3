//! Everything that knows the Malachite core's types: the context, the conversions, and the handler of its effects.

pub(crate) mod context;
pub(crate) mod convert;
pub(crate) mod host;
