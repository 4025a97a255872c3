//! Admits, meters and runs contracts as WebAssembly.
