//! The frame that share records, log batches and pieces stand in.
//!
//! ```text
//! byte 0     4      8      12
//!      magic length crc    payload
//! ```
//!
//! Integers are big-endian. `length` counts the payload; `crc` is CRC32C over length and payload, started from
//! a salt of 32 bits. Where the salt comes from a node's key, nobody else can hide bytes in a payload that would pass for a frame.

use crate::StoreError;

/// Bytes before the payload.
pub(crate) const HEAD: usize = 12;

/// A kind of frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Its first four bytes.
    pub(crate) magic: [u8; 4],
    /// What the checksum starts from.
    pub(crate) salt: u32,
    /// Bytes of a payload, at most.
    pub(crate) payload_max: usize,
}

/// What stands at a place that may hold a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A sound frame.
    Frame { payload: &'a [u8], length: usize },
    /// The bytes end here.
    End,
    /// Something else: a torn or damaged frame, or none.
    Bad,
}

impl Format {
    /// A buffer with room for the head; append the payload, then call [`Self::finish`].
    pub(crate) fn begin(&self, payload_length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + payload_length);
        bytes.extend_from_slice(&self.magic);
        bytes.extend_from_slice(&[0; 8]);
        bytes
    }

    /// Fills in length and checksum.
    pub(crate) fn finish(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let length = bytes.len().saturating_sub(HEAD);
        let too_long = || StoreError::TooLong {
            what: "a frame",
            length,
            limit: self.payload_max,
        };
        if length > self.payload_max {
            return Err(too_long());
        }
        let length_bytes = u32::try_from(length).map_err(|_| too_long())?.to_be_bytes();
        let crc = self.crc(length_bytes, bytes.get(HEAD..).unwrap_or_default());
        if let Some(head) = bytes.get_mut(4..HEAD) {
            head[..4].copy_from_slice(&length_bytes);
            head[4..].copy_from_slice(&crc.to_be_bytes());
        }
        Ok(bytes)
    }

    fn crc(&self, length: [u8; 4], payload: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.salt, &length), payload)
    }

    /// The length of the whole frame whose head is given; `None` if it is no head.
    pub(crate) fn length_of(&self, head: &[u8]) -> Option<usize> {
        if head.get(..4)? != self.magic {
            return None;
        }
        let length = u32::from_be_bytes(head.get(4..8)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        (length <= self.payload_max).then_some(HEAD + length)
    }

    /// What stands at the start of `bytes`.
    pub(crate) fn read<'a>(&self, bytes: &'a [u8]) -> Found<'a> {
        if bytes.is_empty() {
            return Found::End;
        }
        self.read_frame(bytes).unwrap_or(Found::Bad)
    }

    fn read_frame<'a>(&self, bytes: &'a [u8]) -> Option<Found<'a>> {
        let length = self.length_of(bytes)?;
        let payload = bytes.get(HEAD..length)?;
        let length_bytes = bytes.get(4..8)?.try_into().ok()?;
        let crc = u32::from_be_bytes(bytes.get(8..HEAD)?.try_into().ok()?);
        (self.crc(length_bytes, payload) == crc).then_some(Found::Frame { payload, length })
    }

    /// The first place from `start` on where a frame could begin: the magic stands there.
    pub(crate) fn next_candidate(&self, bytes: &[u8], start: usize) -> Option<usize> {
        let rest = bytes.get(start..)?;
        let found = rest
            .windows(self.magic.len())
            .position(|window| window == self.magic)?;
        Some(start + found)
    }
}

/// Takes fields off the front of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}
