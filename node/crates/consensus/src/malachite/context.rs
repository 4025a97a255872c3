//! What the Malachite core needs to know about our chain: heights, addresses, blocks, votes, and who proposes.
//!
//! These types exist only to satisfy the core's traits; they never leave this crate.

use arc_malachitebft_core_types as core_types;
use core_types::{LinearTimeouts, NilOrVal, SignedExtension, VoteType, VotingPower};
use salus_types::{BlockId, ChainId, Header, Height, MemberId, PublicKey, Signature, ValidatorSet};
use std::fmt;
use std::sync::Arc;

/// The chain, as the core's type parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context;

/// A member as the core's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address(pub(crate) MemberId);

impl Address {
    /// The address of a node that only watches. It may even collide with a real member: a node that is not
    /// enabled never signs, whatever its address.
    pub(crate) const OBSERVER: Self = Self(MemberId::new(u16::MAX));
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core_types::Address for Address {}

/// A height as the core counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CoreHeight(pub(crate) Height);

impl fmt::Display for CoreHeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core_types::Height for CoreHeight {
    const ZERO: Self = Self(Height::ZERO);
    const INITIAL: Self = Self(Height::new(1));

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0.get()
    }
}

/// A header with its id, shared: the core clones values freely and asks for their ids all the time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block(Arc<(BlockId, Header)>);

impl Block {
    pub(crate) fn new(header: Header, chain: &ChainId) -> Self {
        Self(Arc::new((header.id(chain), header)))
    }

    pub(crate) fn block_id(&self) -> BlockId {
        self.0.0
    }

    pub(crate) fn header(&self) -> &Header {
        &self.0.1
    }
}

impl core_types::Value for Block {
    type Id = BlockId;

    fn id(&self) -> BlockId {
        self.block_id()
    }
}

/// A vote in the shape that the core reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreVote {
    pub(crate) kind: VoteType,
    pub(crate) height: CoreHeight,
    pub(crate) round: core_types::Round,
    pub(crate) value: NilOrVal<BlockId>,
    pub(crate) address: Address,
}

impl core_types::Vote<Context> for CoreVote {
    fn height(&self) -> CoreHeight {
        self.height
    }

    fn round(&self) -> core_types::Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }

    fn extension(&self) -> Option<&SignedExtension<Context>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Context>> {
        None
    }

    /// Extensions are disabled at every height, so the core never calls this.
    fn extend(self, _extension: SignedExtension<Context>) -> Self {
        self
    }
}

/// A proposal in the shape that the core reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreProposal {
    pub(crate) height: CoreHeight,
    pub(crate) round: core_types::Round,
    pub(crate) valid_round: core_types::Round,
    pub(crate) block: Block,
    pub(crate) address: Address,
}

impl core_types::Proposal<Context> for CoreProposal {
    fn height(&self) -> CoreHeight {
        self.height
    }

    fn round(&self) -> core_types::Round {
        self.round
    }

    fn value(&self) -> &Block {
        &self.block
    }

    fn take_value(self) -> Block {
        self.block
    }

    fn pol_round(&self) -> core_types::Round {
        self.valid_round
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }
}

/// Bodies travel beside proposals as dealings, never through the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoPart;

impl core_types::ProposalPart<Context> for NoPart {
    fn is_first(&self) -> bool {
        true
    }

    fn is_last(&self) -> bool {
        true
    }
}

/// A validator with the voting power that all have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreValidator {
    address: Address,
    key: PublicKey,
}

impl core_types::Validator<Context> for CoreValidator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> VotingPower {
        1
    }
}

/// The validators of a height; never empty, and cheap to clone because the core clones it for every certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreValidatorSet {
    first: CoreValidator,
    all: Arc<Vec<CoreValidator>>,
}

impl CoreValidatorSet {
    /// `None` if the set is empty.
    pub(crate) fn new(set: &ValidatorSet) -> Option<Self> {
        let all: Vec<CoreValidator> = set
            .iter()
            .map(|validator| CoreValidator {
                address: Address(validator.member),
                key: validator.key,
            })
            .collect();
        Some(Self {
            first: all.first()?.clone(),
            all: Arc::new(all),
        })
    }
}

impl core_types::ValidatorSet<Context> for CoreValidatorSet {
    fn count(&self) -> usize {
        self.all.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        u64::try_from(self.all.len()).unwrap_or(VotingPower::MAX)
    }

    fn get_by_address(&self, address: &Address) -> Option<&CoreValidator> {
        let index = self
            .all
            .binary_search_by_key(address, |validator| validator.address)
            .ok()?;
        self.all.get(index)
    }

    fn get_by_index(&self, index: usize) -> Option<&CoreValidator> {
        self.all.get(index)
    }
}

/// ed25519 under the chain's one rule. The core only moves keys and signatures around; [`crate::verify`] checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ed25519;

impl core_types::SigningScheme for Ed25519 {
    type DecodingError = &'static str;
    type Signature = Signature;
    type PublicKey = PublicKey;
    /// The core never sees the key: the host signs.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Signature, &'static str> {
        bytes
            .try_into()
            .map(Signature::new)
            .map_err(|_| "a signature has 64 bytes")
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.as_bytes().to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, &'static str> {
        bytes
            .try_into()
            .map(PublicKey::new)
            .map_err(|_| "a public key has 32 bytes")
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.as_bytes().to_vec()
    }
}

impl core_types::Context for Context {
    type Address = Address;
    type Height = CoreHeight;
    type ProposalPart = NoPart;
    type Proposal = CoreProposal;
    type Validator = CoreValidator;
    type ValidatorSet = CoreValidatorSet;
    type Timeouts = LinearTimeouts;
    type Value = Block;
    type Vote = CoreVote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(
        &self,
        set: &'a CoreValidatorSet,
        height: CoreHeight,
        round: core_types::Round,
    ) -> &'a CoreValidator {
        let index = proposer_index(set.all.len(), height.0, round.as_u32().unwrap_or(0));
        set.all.get(index).unwrap_or(&set.first)
    }

    fn new_proposal(
        &self,
        height: CoreHeight,
        round: core_types::Round,
        block: Block,
        valid_round: core_types::Round,
        address: Address,
    ) -> CoreProposal {
        CoreProposal {
            height,
            round,
            valid_round,
            block,
            address,
        }
    }

    fn new_prevote(
        &self,
        height: CoreHeight,
        round: core_types::Round,
        value: NilOrVal<BlockId>,
        address: Address,
    ) -> CoreVote {
        CoreVote {
            kind: VoteType::Prevote,
            height,
            round,
            value,
            address,
        }
    }

    fn new_precommit(
        &self,
        height: CoreHeight,
        round: core_types::Round,
        value: NilOrVal<BlockId>,
        address: Address,
    ) -> CoreVote {
        CoreVote {
            kind: VoteType::Precommit,
            height,
            round,
            value,
            address,
        }
    }
}

/// Round robin over the sorted set: everyone proposes equally often, and the next round has another proposer.
fn proposer_index(count: usize, height: Height, round: u32) -> usize {
    let turn = height.get().wrapping_add(u64::from(round));
    let index = u64::try_from(count)
        .ok()
        .and_then(|count| turn.checked_rem(count));
    index.and_then(|index| usize::try_from(index).ok()).unwrap_or(0)
}

/// Who proposes in a round of a height; `None` only if the set is empty.
pub(crate) fn proposer_of(set: &ValidatorSet, height: Height, round: u32) -> Option<MemberId> {
    set.at(proposer_index(set.count(), height, round))
        .map(|validator| validator.member)
}
