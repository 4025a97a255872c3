//! Admitted code in the state.

use crate::overlay::Overlay;
use crate::system;
use salus_runtime::custom_section;
use salus_types::abi::schema::SECTION;
use salus_types::codec;
use salus_types::{CodeOrigin, Hash, StoredCode};

/// Writes admitted code, in chunks, and its entry.
///
/// The schema's hash is that of its bytes, whatever they say: nodes that read later versions of schemas agree with others.
pub(crate) fn write(
    overlay: &mut Overlay<'_>,
    code_hash: &Hash,
    wasm: &[u8],
    origin: CodeOrigin,
) -> StoredCode {
    for (number, chunk) in (0_u16..).zip(wasm.chunks(system::CODE_CHUNK_BYTES)) {
        overlay.write(system::code_key(code_hash, number), Some(chunk.to_vec()));
    }
    let stored = StoredCode {
        length: u32::try_from(wasm.len()).unwrap_or(u32::MAX),
        schema: custom_section(wasm, SECTION).map(Hash::of_content),
        origin,
    };
    overlay.write(system::stored_code_key(code_hash), Some(codec::encode(&stored)));
    stored
}
