//! The `salus` binary.
fn main() {}
