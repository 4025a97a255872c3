//! Sealing a block of 1 MiB among ten hospitals: k = 4 of n = 10, 16 slots, one core.
fn main() {}
