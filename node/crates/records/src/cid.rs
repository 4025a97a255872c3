//! Content identifiers: CIDv1, raw codec, BLAKE3-256 of the ciphertext.

use cid::Cid;
use cid::multihash::Multihash;
use salus_types::Hash;

/// Multicodec `raw`: opaque bytes.
const CODEC_RAW: u64 = 0x55;
/// Multicodec `blake3`.
const HASH_BLAKE3: u64 = 0x1e;

/// A text that is not the identifier of a record's ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidError {
    /// Not a CID at all.
    #[error("not a content identifier; expected one that starts with `bafkr4i`")]
    Malformed,
    /// A CID of something else: another version, codec or hash.
    #[error("a content identifier, but not CIDv1 of raw bytes with BLAKE3-256")]
    OtherKind,
}

/// The CIDv1 of a ciphertext with this BLAKE3 digest, in base 32.
pub fn cid_text(digest: &Hash) -> String {
    // `wrap` refuses only digests longer than its 64 bytes of room.
    Multihash::<64>::wrap(HASH_BLAKE3, digest.as_bytes())
        .map(|hash| Cid::new_v1(CODEC_RAW, hash).to_string())
        .unwrap_or_default()
}

/// The BLAKE3 digest in a CIDv1 text, in any multibase.
pub fn digest_of_cid(text: &str) -> Result<Hash, CidError> {
    let cid: Cid = text.parse().map_err(|_| CidError::Malformed)?;
    if cid.version() != cid::Version::V1 || cid.codec() != CODEC_RAW || cid.hash().code() != HASH_BLAKE3 {
        return Err(CidError::OtherKind);
    }
    let digest = cid.hash().digest().try_into().map_err(|_| CidError::OtherKind)?;
    Ok(Hash::new(digest))
}
