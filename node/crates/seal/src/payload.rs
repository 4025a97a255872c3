//! What is encrypted: a flag, then the body as it is or as one zstd frame.
//!
//! The payload travels as the proposer made it and is never compressed again, so that nodes with different versions
//! of zstd agree on every byte.

const RAW: u8 = 0;
const ZSTD: u8 = 1;

/// How much longer than its body a payload can be, in bytes.
pub(crate) const LENGTH_MORE_MAX: usize = 1;

/// The fastest of zstd's ordinary levels.
const LEVEL: i32 = 1;
/// Below this many bytes a frame's header and a context cost more than they save.
const COMPRESS_MIN: usize = 128;
/// The part of a long body that is tried first: signatures and hashes do not compress, and trying costs more than
/// all the rest of sealing.
const SAMPLE: usize = 16 << 10;

/// Why a payload does not give a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadError {
    /// No flag, or one that this suite does not know.
    Flag,
    /// The body is shorter or longer than the header says, or the frame is damaged.
    Body,
}

/// Where the body of a payload is.
pub(crate) enum Unpacked {
    /// In the payload, after the flag.
    InPlace,
    /// Decompressed.
    Apart(Vec<u8>),
}

/// Appends the payload of a body: at most [`LENGTH_MORE_MAX`] bytes more than the body.
pub(crate) fn pack(body: &[u8], out: &mut Vec<u8>) {
    match compress(body) {
        Some(frame) => {
            out.push(ZSTD);
            out.extend_from_slice(&frame);
        }
        None => {
            out.push(RAW);
            out.extend_from_slice(body);
        }
    }
}

/// Finds the body of a payload, which must be `body_length` bytes long.
pub(crate) fn unpack(payload: &[u8], body_length: usize) -> Result<Unpacked, PayloadError> {
    match payload.split_first() {
        Some((&RAW, body)) if body.len() == body_length => Ok(Unpacked::InPlace),
        Some((&ZSTD, frame)) => {
            // The bound is the header's length, which is itself bounded: a frame cannot make us allocate more.
            let body = zstd::bulk::decompress(frame, body_length).map_err(|_| PayloadError::Body)?;
            (body.len() == body_length)
                .then_some(Unpacked::Apart(body))
                .ok_or(PayloadError::Body)
        }
        Some((&RAW, _)) => Err(PayloadError::Body),
        Some(_) | None => Err(PayloadError::Flag),
    }
}

/// Whether the body is compressed, so that it does not stand in the payload as it is.
pub(crate) fn is_compressed(payload: &[u8]) -> bool {
    payload.first() == Some(&ZSTD)
}

/// The body after the flag.
pub(crate) fn in_place(payload: &[u8]) -> &[u8] {
    payload.get(1..).unwrap_or_default()
}

/// One zstd frame, if it is shorter than the body.
fn compress(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < COMPRESS_MIN {
        return None;
    }
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).ok()?;
    let middle = body.len() / 2;
    if let Some(sample) = body.get(middle..middle.saturating_add(SAMPLE)) {
        // Worth it from an eighth saved.
        if compressor.compress(sample).ok()?.len() > SAMPLE / 8 * 7 {
            return None;
        }
    }
    let frame = compressor.compress(body).ok()?;
    (frame.len() < body.len()).then_some(frame)
}
