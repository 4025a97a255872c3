use crate::key::KEY_LENGTH;
use crate::{
    Binding, CheckedDealing, DataKey, Dealing, DealingError, OpenedBlock, Parameters, SealError, SealedBlock,
    seal,
};
use salus_types::{ChainId, Height, MemberId, Round, ShareCommitment};
use std::fmt;
use zeroize::Zeroize;

/// What a proposer sends for each block that it reseals: the new dealing, and what proves that its body is the old one.
///
/// The proof is the former data key: the former commitment is a keyed hash of the body under a key derived from it, so
/// no other body fits, whatever key is shown. The former shares need not be sent or computed again.
///
/// As secret as a [`Dealing`], and treated alike: sent to validators only, kept in memory only, zeroised on drop. Its
/// canonical bytes:
///
/// ```text
/// 0    ..    the new dealing
/// ..   32    the former data key
/// ```
pub struct Redealing {
    dealing: Dealing,
    former_key: DataKey,
}

/// Why a redealing is refused. All but a `Primitive` inside `Dealing` are the proposer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedealingError {
    /// Too short to hold the former key.
    #[error("the redealing's bytes are malformed")]
    Malformed,
    /// The new dealing does not keep what its commitment promises.
    #[error(transparent)]
    Dealing(#[from] DealingError),
    /// It is of another block, or not later than the dealing it should replace.
    #[error(
        "a dealing of height {height} made at {dealt_at} does not replace one of {former} made at {former_dealt_at}"
    )]
    NotLater {
        /// The block that is dealt.
        height: Height,
        /// The block that deals it.
        dealt_at: Height,
        /// The block that the former dealing deals.
        former: Height,
        /// The block that made the former dealing.
        former_dealt_at: Height,
    },
    /// The body is not the one that was dealt before.
    #[error("the body is not the one that the former dealing commits to")]
    OtherBody,
}

impl OpenedBlock {
    /// Deals the body anew in the block of height `dealt_at`, which `proposer` builds in `round`.
    ///
    /// `key` must be fresh, and the Shamir coefficients come from the operating system: shares of the two dealings have
    /// nothing in common, and mixed together they open nothing.
    pub fn reseal(
        &self,
        (dealt_at, round, proposer): (Height, Round, MemberId),
        parameters: Parameters,
        key: DataKey,
    ) -> Result<SealedBlock, SealError> {
        let binding = Binding {
            chain: *self.chain(),
            height: self.height(),
            dealt_at,
            round,
            proposer,
        };
        seal(self.body(), &binding, parameters, key)
    }

    /// What is sent of a new dealing that [`Self::reseal`] made of this block.
    pub fn redealing(&self, sealed: SealedBlock) -> Redealing {
        Redealing {
            dealing: sealed.into_checked().into_dealing(),
            former_key: self.key().duplicate(),
        }
    }
}

impl Redealing {
    /// Bytes of a redealing, at most.
    pub const LENGTH_MAX: usize = Dealing::LENGTH_MAX + KEY_LENGTH;

    /// The canonical bytes, as they are sent. Secret: whoever holds them wipes them.
    pub fn encode(&self) -> Vec<u8> {
        let dealing = self.dealing.encode();
        let mut bytes = Vec::with_capacity(dealing.len().saturating_add(KEY_LENGTH));
        bytes.extend_from_slice(dealing);
        bytes.extend_from_slice(self.former_key.as_bytes());
        bytes
    }

    /// Takes over canonical bytes as they were received.
    pub fn decode(mut bytes: Vec<u8>) -> Result<Self, RedealingError> {
        let (dealing, key) = bytes
            .split_last_chunk_mut::<KEY_LENGTH>()
            .ok_or(RedealingError::Malformed)?;
        let (length, former_key) = (dealing.len(), DataKey::new(*key));
        key.zeroize();
        bytes.truncate(length);
        Ok(Self {
            former_key,
            dealing: Dealing::decode(bytes)?,
        })
    }

    /// Checks that the new dealing keeps what `commitment` promises, as [`Dealing::check`] does, and that its body is
    /// the one that `former` commits to.
    ///
    /// The caller has compared k, S, suite, proposer and round with what they must be.
    pub fn check(
        self,
        former: &ShareCommitment,
        commitment: &ShareCommitment,
        chain: &ChainId,
    ) -> Result<CheckedDealing, RedealingError> {
        if commitment.height != former.height || commitment.dealt_at <= former.dealt_at {
            return Err(RedealingError::NotLater {
                height: commitment.height,
                dealt_at: commitment.dealt_at,
                former: former.height,
                former_dealt_at: former.dealt_at,
            });
        }
        let checked = self.dealing.check(commitment, chain)?;
        let binding = Binding::of(former, chain);
        if self.former_key.commit(&binding, checked.body()) != former.body_commitment {
            return Err(RedealingError::OtherBody);
        }
        Ok(checked)
    }
}

impl fmt::Debug for Redealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redealing({:?})", self.dealing)
    }
}
