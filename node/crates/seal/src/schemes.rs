//! Five ways to spread a block over nodes, side by side, for researchers and benches. The chain itself seals with
//! suite 1; this module shows what that costs and what it gives, against what others do.
//!
//! | name | a node stores of B bytes | below k shares | after |
//! | --- | --- | --- | --- |
//! | `full-replication` | B | everything is shown | every ordinary chain |
//! | `shamir-bytes` | 33/32 B | nothing is shown, whoever looks | Shamir 1979 |
//! | `multisecret` | B/k | no guarantee | Chen et al. 2019 |
//! | `rs-only` | B/k | no guarantee; k nodes hold plain text | Qi et al. 2020 (BFT-Store) |
//! | `ssms` | B/k, a key share and a Merkle path | nothing is shown to who cannot break AES | Krawczyk 1993; suite 1 |
//!
//! Of the five only `ssms` lets a node check the share it is given, and only its cost includes that proof: a Merkle
//! path. Compressing before sharing is its alone, too; [`Scheme::share_length`] leaves it out.

mod full_replication;
mod multisecret;
mod rs_only;
mod shamir_bytes;
mod ssms;

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
mod tests;

pub use full_replication::FullReplication;
pub use multisecret::Multisecret;
pub use rs_only::RsOnly;
pub use shamir_bytes::ShamirBytes;
pub use ssms::Ssms;

use crate::share_set::PrimitiveError;
use crate::{DataKey, OpenError, Parameters, SealError, ShareError};
use salus_types::{Body, ShareCommitment, Slot};
use std::fmt;

/// Every scheme, in the order of the table above.
pub const SCHEMES: [&dyn Scheme; 5] = [&FullReplication, &ShamirBytes, &Multisecret, &RsOnly, &Ssms];

/// A way to turn a body into shares and shares back into the body.
pub trait Scheme: fmt::Debug + Send + Sync {
    /// How it is called in options and reports.
    fn name(&self) -> &'static str;

    /// What fewer shares than it takes to open show of the body.
    fn secrecy(&self) -> Secrecy;

    /// The same in a sentence that is exactly true.
    fn statement(&self) -> &'static str;

    /// How many shares open: k, unless the scheme knows no threshold.
    fn needed(&self, parameters: Parameters) -> u16 {
        parameters.threshold()
    }

    /// Bytes of the share of a slot of a body of `body` bytes that does not compress.
    ///
    /// Exact, and the same for every slot but with `ssms`, where the paths of some slots are shorter if S is no power
    /// of two.
    fn share_length(&self, body: usize, parameters: Parameters, slot: Slot) -> usize;

    /// Bytes of the longest share: what each node stores of a body of `body` bytes that does not compress.
    fn bytes_per_node(&self, body: usize, parameters: Parameters) -> usize {
        (0..parameters.slots())
            .map(|slot| self.share_length(body, parameters, Slot::new(slot)))
            .max()
            .unwrap_or_default()
    }

    /// Makes the shares of all slots of a body of at most [`Body::LENGTH_MAX`] bytes.
    ///
    /// `fresh` are 32 random bytes, which only `ssms` needs. Shamir coefficients (`ssms`, `shamir-bytes`) come from the
    /// operating system, through the library that draws them.
    fn deal(&self, body: &[u8], parameters: Parameters, fresh: DataKey) -> Result<Dealt, SchemeError>;

    /// The body, from any [`needed`](Self::needed) shares of one dealing, in any order.
    ///
    /// Only `ssms` notices a share whose bytes were changed; the others give another body.
    fn open(&self, announcement: &Announcement, shares: &[(Slot, &[u8])]) -> Result<Vec<u8>, SchemeError>;
}

/// How well shares hide a body from who has fewer than it takes to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secrecy {
    /// Every share is the body.
    None,
    /// Shares are computed from the body alone, so each shows something of it.
    NotGuaranteed,
    /// Nothing is shown to who cannot break a cipher.
    Computational,
    /// Nothing is shown to anyone.
    Perfect,
}

/// A body that was dealt.
#[derive(Clone, PartialEq, Eq)]
pub struct Dealt {
    /// What everybody knows of it.
    pub announcement: Announcement,
    /// The share of each slot.
    pub shares: Vec<Vec<u8>>,
}

/// What everybody knows of a dealing: it stands in the block's header, which every node keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    parameters: Parameters,
    body_length: usize,
    /// Only `ssms` commits to its shares.
    commitment: Option<ShareCommitment>,
}

/// Why a scheme does not deal or open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// No block has such a body.
    #[error("a body of {length} bytes is longer than the {} allowed", Body::LENGTH_MAX)]
    BodyTooLong {
        /// Bytes of the body.
        length: usize,
    },
    /// Not enough to open.
    #[error("{have} of {need} needed shares")]
    TooFewShares {
        /// Shares given.
        have: usize,
        /// Shares needed.
        need: u16,
    },
    /// The same slot twice.
    #[error("slot {0} was given twice")]
    DuplicateSlot(Slot),
    /// No such slot was dealt.
    #[error("slot {0} was not dealt")]
    SlotOutOfRange(Slot),
    /// The bytes are not those of a share of this slot.
    #[error("the bytes given for slot {0} are not a share of it")]
    NotAShare(Slot),
    /// The announcement is that of another scheme.
    #[error("this was not dealt by the scheme that is to open it")]
    OtherScheme,
    /// `ssms` cannot seal the body.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// `ssms` refuses a share.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// `ssms` cannot open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The machine cannot do it.
    #[error(transparent)]
    Primitive(#[from] PrimitiveError),
}

impl Secrecy {
    /// One word for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::NotGuaranteed => "not guaranteed",
            Self::Computational => "computational",
            Self::Perfect => "perfect",
        }
    }
}

impl Dealt {
    /// The share of a slot as [`Scheme::open`] takes it; `None` if it was not dealt.
    pub fn share(&self, slot: Slot) -> Option<(Slot, &[u8])> {
        let share = self.shares.get(usize::from(slot.get()))?;
        Some((slot, share))
    }
}

impl Announcement {
    /// k and S.
    pub const fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// Bytes of the body.
    pub const fn body_length(&self) -> usize {
        self.body_length
    }

    /// Of a body that is dealt without commitments.
    fn plain(body: &[u8], parameters: Parameters) -> Result<Self, SchemeError> {
        if body.len() > Body::LENGTH_MAX {
            return Err(SchemeError::BodyTooLong { length: body.len() });
        }
        Ok(Self {
            parameters,
            body_length: body.len(),
            commitment: None,
        })
    }

    /// The first shares by slot, as many as are needed, as (slot, bytes), of a scheme without commitments.
    fn choose<'a>(
        &self,
        scheme: &dyn Scheme,
        shares: &[(Slot, &'a [u8])],
    ) -> Result<Vec<(usize, &'a [u8])>, SchemeError> {
        if self.commitment.is_some() {
            return Err(SchemeError::OtherScheme);
        }
        let mut sorted = shares.to_vec();
        sorted.sort_unstable_by_key(|(slot, _)| *slot);
        for pair in sorted.windows(2) {
            if let [(one, _), (other, _)] = pair
                && one == other
            {
                return Err(SchemeError::DuplicateSlot(*one));
            }
        }
        let need = scheme.needed(self.parameters);
        if sorted.len() < usize::from(need) {
            return Err(SchemeError::TooFewShares {
                have: sorted.len(),
                need,
            });
        }
        for (slot, share) in &sorted {
            if slot.get() >= self.parameters.slots() {
                return Err(SchemeError::SlotOutOfRange(*slot));
            }
            if share.len() != scheme.share_length(self.body_length, self.parameters, *slot) {
                return Err(SchemeError::NotAShare(*slot));
            }
        }
        sorted.truncate(usize::from(need));
        Ok(sorted
            .into_iter()
            .map(|(slot, share)| (usize::from(slot.get()), share))
            .collect())
    }
}

/// A k-th of a body, rounded up.
fn kth(body: usize, parameters: Parameters) -> usize {
    body.div_ceil(usize::from(parameters.threshold()))
}

/// A body, padded with zeroes to k equal pieces.
fn padded(body: &[u8], parameters: Parameters) -> Vec<u8> {
    let length = kth(body.len(), parameters).saturating_mul(usize::from(parameters.threshold()));
    let mut padded = Vec::with_capacity(length);
    padded.extend_from_slice(body);
    padded.resize(length, 0);
    padded
}

/// Shows sizes only.
impl fmt::Debug for Dealt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Dealt({} B in {} shares)",
            self.announcement.body_length,
            self.shares.len()
        )
    }
}
