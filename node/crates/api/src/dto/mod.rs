//! What goes over the wire as JSON. Only these types derive it; the domain's never do.

pub(crate) mod access;
pub(crate) mod block;
pub(crate) mod contracts;
pub(crate) mod events;
pub(crate) mod members;
pub(crate) mod principal;
pub(crate) mod proposals;
pub(crate) mod receipt;
pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod status;
pub(crate) mod transaction;

use data_encoding::{BASE64, HEXLOWER};

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
