//! The contracts every network starts with, as they are committed under `contracts-wasm/artifacts`.

use salus_types::Hash;

/// The registry contract's WebAssembly.
pub const REGISTRY: &[u8] = include_bytes!("../../contracts-wasm/artifacts/registry.wasm");
/// The access contract's WebAssembly.
pub const ACCESS: &[u8] = include_bytes!("../../contracts-wasm/artifacts/access.wasm");
/// The care contract's WebAssembly.
pub const CARE: &[u8] = include_bytes!("../../contracts-wasm/artifacts/care.wasm");

/// The code with this hash, if it is one of the contracts that ship with this program.
pub fn builtin_code(hash: &Hash) -> Option<&'static [u8]> {
    [REGISTRY, ACCESS, CARE]
        .into_iter()
        .find(|code| Hash::of_content(code) == *hash)
}
