use crate::key::KEY_LENGTH;
use crate::payload::{self, PayloadError, Unpacked};
use crate::secret::SecretBytes;
use crate::share_set::{PrimitiveError, ShareSet};
use crate::{Binding, DataKey, KeylessDealing, Layout, Parameters, SealingError, key_shares};
use salus_types::{Body, ChainId, KEY_SHARE_LENGTH, SealedShare, ShareCommitment, Slot};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of the count of key shares.
const COUNT_LENGTH: usize = 2;
/// Bytes in front of the key shares.
const HEAD_LENGTH: usize = KEY_LENGTH + COUNT_LENGTH;

/// What a proposer sends beside a header so that every validator can check the whole dealing before it votes.
///
/// It holds the body, the data key and all key shares, so it is sent to validators only, kept in memory only, and
/// zeroised on drop. Its canonical bytes:
///
/// ```text
/// 0    32    data key
/// 32   2     S, big-endian
/// 34   32 S  key shares of slots 0 to S - 1, each without its index
/// ..   1     0: the body follows as it is; 1: as one zstd frame
/// ..   ..    the body
/// ```
pub struct Dealing {
    bytes: SecretBytes,
    slots: u16,
}

/// A dealing that keeps what its header promises: every validator computes the same shares from it, and any k of
/// them open to this body.
///
/// Only [`Dealing::check`] and [`seal`](crate::seal()) make one.
pub struct CheckedDealing {
    dealing: Dealing,
    /// The body, unless it stands in the dealing as it is.
    apart: Option<Vec<u8>>,
    shares: ShareSet,
}

/// Why a dealing is refused. All but `Primitive` are the proposer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealingError {
    /// Longer than any dealing.
    #[error(
        "a dealing of {length} bytes is longer than the {} allowed",
        Dealing::LENGTH_MAX
    )]
    TooLong {
        /// Bytes received.
        length: usize,
    },
    /// Shorter than its own head says, or with a number of key shares that no dealing has.
    #[error("the dealing's bytes are malformed")]
    Malformed,
    /// The header's sealing is one that no block can have.
    #[error("the header's sealing is refused: {0}")]
    Sealing(#[from] SealingError),
    /// The dealing has another number of key shares than the header.
    #[error("{dealt} key shares where the header says {slots}")]
    SlotCount {
        /// Key shares in the dealing.
        dealt: u16,
        /// S in the header.
        slots: u16,
    },
    /// The payload does not make the ciphertext that the header announces.
    #[error("a payload of {payload} bytes does not make a ciphertext of {sealed} bytes")]
    SealedLength {
        /// Bytes of the payload.
        payload: usize,
        /// Bytes of the ciphertext in the header.
        sealed: usize,
    },
    /// The payload does not give a body of the header's length.
    #[error("the payload does not give a body of the header's length")]
    Payload,
    /// Some k key shares would give another key.
    #[error("the key shares do not all lead to the data key")]
    KeyShares,
    /// The body is not the one the header commits to.
    #[error("the body is not the one that the header commits to")]
    Commitment,
    /// The shares are not the ones the header commits to.
    #[error("the shares are not the ones that the header commits to")]
    ShareRoot,
    /// This machine cannot check it.
    #[error(transparent)]
    Primitive(#[from] PrimitiveError),
}

impl Dealing {
    /// Bytes of a dealing, at most.
    pub const LENGTH_MAX: usize =
        HEAD_LENGTH + KEY_LENGTH * Parameters::SLOTS_MAX as usize + 1 + Body::LENGTH_MAX;

    /// The canonical bytes, as they are sent. Secret.
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes over canonical bytes as they were received; nothing is copied.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, DealingError> {
        let length = bytes.len();
        let bytes = SecretBytes::new(bytes);
        if length > Self::LENGTH_MAX {
            return Err(DealingError::TooLong { length });
        }
        let slots = bytes
            .get(KEY_LENGTH..HEAD_LENGTH)
            .and_then(|count| count.try_into().ok())
            .map(u16::from_be_bytes)
            .filter(|slots| (1..=Parameters::SLOTS_MAX).contains(slots))
            .ok_or(DealingError::Malformed)?;
        let dealing = Self { bytes, slots };
        // At least the flag must follow the key shares.
        match dealing.payload() {
            [] => Err(DealingError::Malformed),
            _ => Ok(dealing),
        }
    }

    /// Checks everything that can be checked about a dealing but the meaning of its body.
    ///
    /// Recomputes the ciphertext, all fragments and all leaves; compares lengths, commitment and root with the header;
    /// and checks that every window of k key shares leads to the key. The caller has compared the header's k, S and
    /// suite with what the network uses, and will decode and execute the body.
    pub fn check(
        self,
        commitment: impl Into<ShareCommitment>,
        chain: &ChainId,
    ) -> Result<CheckedDealing, DealingError> {
        let commitment = commitment.into();
        let layout = Layout::of(commitment.sealing)?;
        if self.slots != commitment.sealing.slots {
            return Err(DealingError::SlotCount {
                dealt: self.slots,
                slots: commitment.sealing.slots,
            });
        }
        if self.payload().len().saturating_add(crate::cipher::TAG_LENGTH) != layout.sealed_length() {
            return Err(DealingError::SealedLength {
                payload: self.payload().len(),
                sealed: layout.sealed_length(),
            });
        }
        let binding = Binding::of(commitment, chain);
        let key = self.data_key().ok_or(DealingError::Malformed)?;
        if !key_shares::lie_on_one_polynomial(self.key_shares(), layout.threshold(), &key)? {
            return Err(DealingError::KeyShares);
        }
        let apart = match payload::unpack(self.payload(), layout.body_length()) {
            Ok(Unpacked::InPlace) => None,
            Ok(Unpacked::Apart(body)) => Some(body),
            Err(PayloadError::Flag | PayloadError::Body) => return Err(DealingError::Payload),
        };
        let body = body_of(&self, apart.as_deref());
        if key.commit(&binding, body) != commitment.body_commitment {
            return Err(DealingError::Commitment);
        }
        let key_shares = SecretBytes::new(self.key_shares().to_vec());
        let shares = ShareSet::build(self.payload(), &binding, layout, &key, key_shares)?;
        if shares.root() != commitment.share_root {
            return Err(DealingError::ShareRoot);
        }
        Ok(trusted(self, apart, shares))
    }

    /// Puts one together from what was drawn and the body.
    pub(crate) fn assemble(key: &DataKey, slots: u16, key_shares: &[u8], body: &[u8]) -> Self {
        let room = HEAD_LENGTH
            .saturating_add(key_shares.len())
            .saturating_add(payload::LENGTH_MORE_MAX)
            .saturating_add(body.len());
        let bytes = SecretBytes::with_room(room, |bytes| {
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(&slots.to_be_bytes());
            bytes.extend_from_slice(key_shares);
            payload::pack(body, bytes);
        });
        Self { bytes, slots }
    }

    /// The flag and the body.
    pub(crate) fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload_start()..).unwrap_or_default()
    }

    fn key_shares(&self) -> &[u8] {
        self.bytes
            .get(HEAD_LENGTH..self.payload_start())
            .unwrap_or_default()
    }

    fn data_key(&self) -> Option<DataKey> {
        self.bytes.get(..KEY_LENGTH).and_then(DataKey::from_slice)
    }

    fn payload_start(&self) -> usize {
        KEY_LENGTH
            .saturating_mul(usize::from(self.slots))
            .saturating_add(HEAD_LENGTH)
    }
}

impl CheckedDealing {
    /// The encoded body.
    pub fn body(&self) -> &[u8] {
        body_of(&self.dealing, self.apart.as_deref())
    }

    /// The share of a slot; `None` if it was not dealt.
    pub fn share(&self, slot: Slot) -> Option<SealedShare> {
        self.shares.share(slot)
    }

    /// The key share of a slot, to be sealed to the member that holds it; `None` if it was not dealt. Secret.
    pub fn key_share(&self, slot: Slot) -> Option<Zeroizing<[u8; KEY_SHARE_LENGTH]>> {
        self.shares.key_share(slot)
    }

    /// What of the dealing may be kept beside the own share: nothing of it opens without k key shares.
    pub fn keyless(&self) -> KeylessDealing {
        self.shares.keyless()
    }

    /// The dealing, to pass it on to a validator that lacks it.
    pub const fn dealing(&self) -> &Dealing {
        &self.dealing
    }

    pub(crate) fn into_dealing(self) -> Dealing {
        self.dealing
    }
}

/// Joins what was checked, or made, together.
pub(crate) fn trusted(dealing: Dealing, apart: Option<Vec<u8>>, shares: ShareSet) -> CheckedDealing {
    CheckedDealing {
        dealing,
        apart,
        shares,
    }
}

fn body_of<'a>(dealing: &'a Dealing, apart: Option<&'a [u8]>) -> &'a [u8] {
    apart.unwrap_or_else(|| payload::in_place(dealing.payload()))
}

impl fmt::Debug for Dealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dealing({} slots, {} B)", self.slots, self.bytes.len())
    }
}

impl fmt::Debug for CheckedDealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CheckedDealing({} slots, root {:?})",
            self.dealing.slots,
            self.shares.root()
        )
    }
}
