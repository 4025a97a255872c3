use crate::share_set::{PrimitiveError, ShareSet};
use crate::{Binding, CheckedDealing, DataKey, Dealing, Layout, Parameters, SealingError};
use crate::{dealing, key_shares, payload};
use salus_types::{Body, Hash, SealedShare, Sealing, ShareCommitment, Slot};

/// A block as its proposer sealed it: what goes into the header, what goes to the validators, and every share.
#[derive(Debug)]
pub struct SealedBlock {
    commitment: ShareCommitment,
    checked: CheckedDealing,
}

/// Why a body cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The body is too long, alone or for these k and S; propose fewer transactions.
    #[error("the body cannot be sealed: {0}")]
    Sealing(#[from] SealingError),
    /// The machine cannot do it.
    #[error(transparent)]
    Primitive(#[from] PrimitiveError),
}

/// Seals an encoded body of at most [`Body::LENGTH_MAX`] bytes.
///
/// `key` must be fresh: it is used up here. The Shamir coefficients come from the operating system, so sealing twice
/// gives different shares.
pub fn seal(
    body: &[u8],
    binding: &Binding,
    parameters: Parameters,
    key: DataKey,
) -> Result<SealedBlock, SealError> {
    if body.len() > Body::LENGTH_MAX {
        return Err(SealError::Sealing(SealingError::BodyTooLong {
            length: body.len(),
            max: Body::LENGTH_MAX,
        }));
    }
    let (k, slots) = (parameters.threshold(), parameters.slots());
    let key_shares = key_shares::split(&key, usize::from(k), usize::from(slots))?;
    let dealing = Dealing::assemble(&key, slots, &key_shares, body);
    let layout = Layout::for_payload(parameters, body.len(), dealing.payload().len())?;
    let shares = ShareSet::build(dealing.payload(), binding, layout, &key, key_shares)?;
    let commitment = ShareCommitment {
        height: binding.height,
        dealt_at: binding.dealt_at,
        round: binding.round,
        proposer: binding.proposer,
        sealing: layout.sealing(),
        body_commitment: key.commit(binding, body),
        share_root: shares.root(),
    };
    let apart = payload::is_compressed(dealing.payload()).then(|| body.to_vec());
    Ok(SealedBlock {
        commitment,
        checked: dealing::trusted(dealing, apart, shares),
    })
}

impl SealedBlock {
    /// What its shares are checked against.
    pub const fn commitment(&self) -> &ShareCommitment {
        &self.commitment
    }

    /// For the header's `sealing`.
    pub const fn sealing(&self) -> Sealing {
        self.commitment.sealing
    }

    /// For the header's `body_commitment`.
    pub const fn body_commitment(&self) -> Hash {
        self.commitment.body_commitment
    }

    /// For the header's `share_root`.
    pub const fn share_root(&self) -> Hash {
        self.commitment.share_root
    }

    /// What is sent to the validators beside the header.
    pub const fn dealing(&self) -> &Dealing {
        self.checked.dealing()
    }

    /// The share of a slot; `None` if it was not dealt.
    pub fn share(&self, slot: Slot) -> Option<SealedShare> {
        self.checked.share(slot)
    }

    /// The dealing as a validator holds it after its check, which it would pass under a header that carries
    /// the three values above and the binding it was sealed for.
    pub fn into_checked(self) -> CheckedDealing {
        self.checked
    }
}
