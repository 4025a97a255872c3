//! Length-prefixed bytes: `length u32 BE || bytes`.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::io;

/// Bytes of the prefix.
pub(crate) const PREFIX_LENGTH: usize = 4;

/// A frame that is longer than its protocol allows; carried inside an `io::Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {length} bytes where at most {limit} are allowed")]
pub(crate) struct FrameTooLong {
    pub(crate) length: usize,
    pub(crate) limit: usize,
}

impl FrameTooLong {
    /// The error inside an `io::Error`, if it is one of these.
    pub(crate) fn within(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<FrameTooLong> for io::Error {
    fn from(error: FrameTooLong) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The prefix of a payload.
pub(crate) fn prefix(length: usize, limit: usize) -> Result<[u8; PREFIX_LENGTH], FrameTooLong> {
    match u32::try_from(length) {
        Ok(short) if length <= limit => Ok(short.to_be_bytes()),
        _ => Err(FrameTooLong { length, limit }),
    }
}

/// Reads a prefix.
pub(crate) async fn read_length<R: AsyncRead + Unpin>(io: &mut R, limit: usize) -> io::Result<usize> {
    let mut prefix = [0; PREFIX_LENGTH];
    io.read_exact(&mut prefix).await?;
    let length = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if length > limit {
        return Err(FrameTooLong { length, limit }.into());
    }
    Ok(length)
}

/// Reads the payload behind a prefix. Memory grows with what arrives, not with what the prefix promises.
pub(crate) async fn read_payload<R: AsyncRead + Unpin>(io: &mut R, length: usize) -> io::Result<Vec<u8>> {
    const FIRST: usize = 64 << 10;
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let start = bytes.len();
        bytes.resize(length.min(start + start.max(FIRST)), 0);
        io.read_exact(&mut bytes[start..]).await?;
    }
    Ok(bytes)
}

/// Writes a frame; the caller flushes.
pub(crate) async fn write<W: AsyncWrite + Unpin>(io: &mut W, bytes: &[u8], limit: usize) -> io::Result<()> {
    io.write_all(&prefix(bytes.len(), limit)?).await?;
    io.write_all(bytes).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use futures::io::Cursor;
    use proptest::prelude::*;

    fn read(bytes: &[u8], limit: usize) -> io::Result<Vec<u8>> {
        block_on(async {
            let mut io = Cursor::new(bytes);
            let length = read_length(&mut io, limit).await?;
            read_payload(&mut io, length).await
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(payload in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let mut io = Cursor::new(Vec::new());
            block_on(write(&mut io, &payload, 2_000)).unwrap();
            prop_assert_eq!(read(io.get_ref(), 2_000).unwrap(), payload);
        }
    }

    #[test]
    fn the_bytes_do_not_drift() {
        let mut io = Cursor::new(Vec::new());
        block_on(write(&mut io, b"salus", 5)).unwrap();
        assert_eq!(io.get_ref().as_slice(), b"\x00\x00\x00\x05salus");
    }

    #[test]
    fn too_long_is_refused_on_both_sides() {
        let expected = FrameTooLong { length: 6, limit: 5 };
        let mut io = Cursor::new(Vec::new());
        let error = block_on(write(&mut io, b"salus!", 5)).unwrap_err();
        assert_eq!(FrameTooLong::within(&error), Some(expected));
        assert!(
            io.get_ref().is_empty(),
            "nothing is sent of a frame that is refused"
        );
        let error = read(b"\x00\x00\x00\x06salus!", 5).unwrap_err();
        assert_eq!(FrameTooLong::within(&error), Some(expected));
    }

    #[test]
    fn a_cut_frame_is_no_frame() {
        let error = read(b"\x00\x00\x00\x06salus", 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(
            read(b"\x00\x00", 10).unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
