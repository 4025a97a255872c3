use crate::{ChainId, Hash, MemberId, PublicKey, Slot};
use salus_abi::codec::{self, Decode, Encode};
use salus_abi::domain::Tag;

/// A hospital of the network, as it stands in the chain's state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Member {
    /// Its number.
    pub id: MemberId,
    /// A short name for people, at most 64 bytes.
    pub name: String,
    /// Signs its votes and receipts (ed25519).
    pub consensus_key: PublicKey,
    /// Identifies its validator on the network (ed25519): its libp2p peer id is derived from it.
    pub network_key: PublicKey,
    /// Receives the key shares of health records (X25519).
    pub release_key: [u8; 32],
    /// Which share of every dealing it keeps. Never reused before a reseal.
    pub slot: Slot,
    /// Multiaddresses of its validator.
    pub addresses: Vec<String>,
}

/// A member's part in deciding blocks. Every validator has the same voting power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Validator {
    /// Which member.
    pub member: MemberId,
    /// Verifies its votes.
    pub key: PublicKey,
    /// Which share of every dealing it keeps.
    pub slot: Slot,
}

/// The validators that decide a height: sorted by member, each once.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
}

/// Why a list is not a validator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// There must be one at least.
    #[error("a validator set has at least one validator")]
    Empty,
    /// More than [`ValidatorSet::COUNT_MAX`].
    #[error("a validator set has at most {} validators", ValidatorSet::COUNT_MAX)]
    TooMany,
    /// A member, a key or a slot stands twice.
    #[error("member {0}, its key or its slot stands twice")]
    Duplicate(MemberId),
}

impl Member {
    /// Its part in deciding blocks, and in keeping their shares.
    pub const fn validator(&self) -> Validator {
        Validator {
            member: self.id,
            key: self.consensus_key,
            slot: self.slot,
        }
    }
}

impl ValidatorSet {
    /// How many validators there may be.
    pub const COUNT_MAX: usize = 127;

    /// Sorts and checks a list.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        validators.sort();
        if validators.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if validators.len() > Self::COUNT_MAX {
            return Err(ValidatorSetError::TooMany);
        }
        for (index, one) in validators.iter().enumerate() {
            let twice = |other: &Validator| {
                other.member == one.member || other.key == one.key || other.slot == one.slot
            };
            if validators.iter().take(index).any(twice) {
                return Err(ValidatorSetError::Duplicate(one.member));
            }
        }
        Ok(Self { validators })
    }

    /// In the order of their members.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Validator> {
        self.validators.iter()
    }

    /// n.
    pub fn count(&self) -> usize {
        self.validators.len()
    }

    /// The validator of a member.
    pub fn get(&self, member: MemberId) -> Option<&Validator> {
        let index = self
            .validators
            .binary_search_by_key(&member, |validator| validator.member)
            .ok()?;
        self.validators.get(index)
    }

    /// The validator at a position.
    pub fn at(&self, index: usize) -> Option<&Validator> {
        self.validators.get(index)
    }

    /// f: how many may be Byzantine, floor((n-1)/3).
    pub fn faulty_max(&self) -> usize {
        self.count().saturating_sub(1) / 3
    }

    /// Votes needed to decide: more than two thirds.
    pub fn quorum(&self) -> usize {
        (self.count().saturating_mul(2) / 3).saturating_add(1)
    }

    /// k: the default number of shares needed to open a block, n - 2f. More than f, so that f members learn nothing,
    /// and no more than a commit certificate guarantees to exist at honest members.
    pub fn threshold(&self) -> usize {
        self.count().saturating_sub(self.faulty_max().saturating_mul(2))
    }

    /// The largest k: n - f - ceil(f/2). So that k members are there to open a block when f are not, and that
    /// [`Self::receipts_needed`] can come in while half of f are away.
    pub fn threshold_max(&self) -> usize {
        let faulty = self.faulty_max();
        self.count()
            .saturating_sub(faulty.saturating_add(faulty.div_ceil(2)))
    }

    /// Whether a network may fix k at this with these validators: more than f, at most [`Self::threshold_max`].
    pub fn allows_threshold(&self, threshold: u16) -> bool {
        let threshold = usize::from(threshold);
        threshold > self.faulty_max() && threshold <= self.threshold_max()
    }

    /// Whether a commit certificate alone proves that `threshold` honest members hold their share. If not, validators
    /// keep a deposit beside their share until enough members have signed that they hold theirs.
    pub fn certificate_suffices(&self, threshold: u16) -> bool {
        usize::from(threshold) <= self.threshold()
    }

    /// Receipts of distinct members after which `threshold` honest members are known to hold their share: k + f.
    pub fn receipts_needed(&self, threshold: u16) -> usize {
        usize::from(threshold).saturating_add(self.faulty_max())
    }

    /// The hash that headers commit to.
    pub fn hash(&self, chain: &ChainId) -> Hash {
        Hash::of(Tag::VALIDATORS, chain, &codec::encode(self))
    }
}
