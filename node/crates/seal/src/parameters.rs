//! k, S, and the lengths that follow from them.

use crate::cipher::TAG_LENGTH;
use crate::code::Shape;
use salus_types::{Body, Sealing, Slot};

/// The suite of this crate: SSMS with AES-256-GCM, Reed-Solomon over GF(2^8) and BLAKE3.
pub const SUITE_SSMS: u8 = 1;

/// All fragments of one block together, at most (256 MiB): what checking a dealing may have to compute and hash.
const CODEWORD_LENGTH_MAX: usize = 256 << 20;

/// Bytes of the flag in front of the payload.
const FLAG_LENGTH: usize = 1;

/// How many shares are dealt and how many of them open the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    threshold: u16,
    slots: u16,
}

/// Numbers that no dealing can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "k = {threshold} of S = {slots} shares is no scheme: 1 <= k <= S <= {} must hold",
    Parameters::SLOTS_MAX
)]
pub struct ParametersError {
    /// k, shares needed.
    pub threshold: u16,
    /// S, shares dealt.
    pub slots: u16,
}

/// A header's `sealing` that no block can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// This version knows suite 1 only.
    #[error("suite {0} is not known to this version")]
    UnknownSuite(u8),
    /// k and S do not fit together.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// The body is longer than any body may be.
    #[error("a body of {length} bytes is longer than the {max} allowed")]
    BodyTooLong {
        /// Bytes of the body.
        length: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A ciphertext holds a flag, at least nothing and at most the body, and a tag.
    #[error("a ciphertext of {sealed} bytes cannot hold a body of {body} bytes")]
    SealedLength {
        /// Bytes of the ciphertext.
        sealed: u32,
        /// Bytes of the body.
        body: u32,
    },
    /// All fragments together are longer than a node is ready to hold.
    #[error(
        "{slots} fragments of {fragment} bytes are more than a node computes for one block; raise k or lower S"
    )]
    CodewordTooLong {
        /// S.
        slots: u16,
        /// Bytes of each fragment.
        fragment: usize,
    },
}

/// A header's `sealing` that was found sound, and the lengths that follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    sealing: Sealing,
    fragment_length: usize,
}

impl Parameters {
    /// The largest S.
    pub const SLOTS_MAX: u16 = 128;

    /// k shares of S open the block: `1 <= threshold <= slots <= 128`.
    pub const fn new(threshold: u16, slots: u16) -> Result<Self, ParametersError> {
        if threshold == 0 || threshold > slots || slots > Self::SLOTS_MAX {
            return Err(ParametersError { threshold, slots });
        }
        Ok(Self { threshold, slots })
    }

    /// k, shares needed to open.
    pub const fn threshold(self) -> u16 {
        self.threshold
    }

    /// S, shares dealt.
    pub const fn slots(self) -> u16 {
        self.slots
    }
}

impl Layout {
    /// Checks the `sealing` of a header. It does not compare k and S with the network's: that is the caller's rule.
    pub fn of(sealing: Sealing) -> Result<Self, SealingError> {
        if sealing.suite != SUITE_SSMS {
            return Err(SealingError::UnknownSuite(sealing.suite));
        }
        let parameters = Parameters::new(sealing.threshold, sealing.slots)?;
        let (body, sealed) = (length(sealing.body_length), length(sealing.sealed_length));
        if body > Body::LENGTH_MAX {
            return Err(SealingError::BodyTooLong {
                length: body,
                max: Body::LENGTH_MAX,
            });
        }
        let least = FLAG_LENGTH.saturating_add(TAG_LENGTH);
        if sealed < least || sealed > body.saturating_add(least) {
            return Err(SealingError::SealedLength {
                sealed: sealing.sealed_length,
                body: sealing.body_length,
            });
        }
        let fragment_length = sealed.div_ceil(usize::from(parameters.threshold));
        if fragment_length.saturating_mul(usize::from(parameters.slots)) > CODEWORD_LENGTH_MAX {
            return Err(SealingError::CodewordTooLong {
                slots: parameters.slots,
                fragment: fragment_length,
            });
        }
        Ok(Self {
            sealing,
            fragment_length,
        })
    }

    /// The layout of a body with its flagged payload.
    pub(crate) fn for_payload(
        parameters: Parameters,
        body: usize,
        payload: usize,
    ) -> Result<Self, SealingError> {
        let too_long = |_| SealingError::BodyTooLong {
            length: body,
            max: Body::LENGTH_MAX,
        };
        Self::of(Sealing {
            suite: SUITE_SSMS,
            threshold: parameters.threshold,
            slots: parameters.slots,
            body_length: u32::try_from(body).map_err(too_long)?,
            sealed_length: u32::try_from(payload.saturating_add(TAG_LENGTH)).map_err(too_long)?,
        })
    }

    /// What stands in the header.
    pub const fn sealing(&self) -> Sealing {
        self.sealing
    }

    /// k.
    pub const fn threshold(&self) -> usize {
        self.sealing.threshold as usize
    }

    /// S.
    pub const fn slots(&self) -> usize {
        self.sealing.slots as usize
    }

    /// Bytes of every fragment; at least 1.
    pub const fn fragment_length(&self) -> usize {
        self.fragment_length
    }

    /// Bytes of the encoded body.
    pub fn body_length(&self) -> usize {
        length(self.sealing.body_length)
    }

    /// Bytes of the ciphertext with its tag.
    pub fn sealed_length(&self) -> usize {
        length(self.sealing.sealed_length)
    }

    /// The position of a slot that was dealt; `None` if it was not.
    pub(crate) fn index(&self, slot: Slot) -> Option<usize> {
        let index = usize::from(slot.get());
        (index < self.slots()).then_some(index)
    }

    /// Bytes of the k data fragments together: the ciphertext, padded with zeroes.
    pub(crate) const fn data_length(&self) -> usize {
        self.fragment_length.saturating_mul(self.threshold())
    }

    pub(crate) const fn code_shape(&self) -> Shape {
        Shape {
            threshold: self.threshold(),
            slots: self.slots(),
            width: self.fragment_length,
        }
    }
}

/// Lengths are `u32` in headers; no target of ours has a smaller `usize`.
fn length(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
