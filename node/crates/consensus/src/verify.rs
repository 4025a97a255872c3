//! The one place where signatures of votes, proposals and certificates are checked, each only once.

use crate::{PolkaCertificate, Refusal, RoundCertificate, RoundCertificateKind};
use salus_types::codec;
use salus_types::{
    ChainId, CommitCertificate, Hash, Height, MemberId, PublicKey, Signature, SignedProposal, SignedVote,
    ValidatorSet, VoteKind,
};
use std::collections::BTreeMap;

/// Signatures remembered, at most: 64 rounds of 127 validators. Past it the memory starts anew.
const REMEMBERED_MAX: usize = 16 << 10;

/// Checks signatures against the validators of a height and remembers those that hold.
///
/// A vote usually comes three times: alone, then within certificates. Without a memory, verification dominates
/// everything else that consensus does.
#[derive(Debug)]
pub(crate) struct Verifier {
    chain: ChainId,
    /// `None` before the first height.
    validators: Option<ValidatorSet>,
    /// Hash of key, signed bytes and signature; and the height, by which old ones are dropped.
    verified: BTreeMap<Hash, Height>,
}

impl Verifier {
    pub(crate) fn new(chain: ChainId) -> Self {
        Self {
            chain,
            validators: None,
            verified: BTreeMap::new(),
        }
    }

    /// Takes the validators of a height and forgets what belongs to earlier ones.
    pub(crate) fn enter(&mut self, height: Height, validators: ValidatorSet) {
        self.verified.retain(|_, of| *of >= height);
        self.validators = Some(validators);
    }

    pub(crate) fn validators(&self) -> Option<&ValidatorSet> {
        self.validators.as_ref()
    }

    pub(crate) fn is_validator(&self, member: MemberId) -> bool {
        self.key(member).is_ok()
    }

    pub(crate) fn vote(&mut self, vote: &SignedVote) -> Result<(), Refusal> {
        let member = vote.vote.member;
        let key = self.key(member)?;
        let memory = memory_key(0, &key, &vote.vote.signed_bytes(), &vote.signature);
        self.check(memory, vote.vote.height, member, |chain| {
            vote.verify(&key, chain).is_ok()
        })
    }

    pub(crate) fn proposal(&mut self, proposal: &SignedProposal) -> Result<(), Refusal> {
        let member = proposal.proposal.proposer;
        let key = self.key(member)?;
        let bytes = proposal.proposal.signed_bytes(&self.chain);
        let memory = memory_key(1, &key, &bytes, &proposal.signature);
        self.check(memory, proposal.proposal.height, member, |chain| {
            proposal.verify(&key, chain).is_ok()
        })
    }

    /// A vote that this node just signed.
    pub(crate) fn trust_vote(&mut self, vote: &SignedVote, key: &PublicKey) {
        let memory = memory_key(0, key, &vote.vote.signed_bytes(), &vote.signature);
        self.remember(memory, vote.vote.height);
    }

    /// A proposal that this node just signed.
    pub(crate) fn trust_proposal(&mut self, proposal: &SignedProposal, key: &PublicKey) {
        let bytes = proposal.proposal.signed_bytes(&self.chain);
        let memory = memory_key(1, key, &bytes, &proposal.signature);
        self.remember(memory, proposal.proposal.height);
    }

    pub(crate) fn polka(&mut self, certificate: &PolkaCertificate) -> Result<(), Refusal> {
        self.certificate(self.quorum(), certificate.votes())
    }

    pub(crate) fn round(&mut self, certificate: &RoundCertificate) -> Result<(), Refusal> {
        let needed = match certificate.kind {
            // More than a third: so many that one of them is honest.
            RoundCertificateKind::Skip => (self.count() / 3).saturating_add(1),
            RoundCertificateKind::Precommit => self.quorum(),
        };
        if certificate.kind == RoundCertificateKind::Precommit
            && let Some(prevote) = certificate
                .signatures
                .iter()
                .find(|one| one.kind != VoteKind::Precommit)
        {
            return Err(Refusal::NotAPrecommit(prevote.member));
        }
        self.certificate(needed, certificate.votes())
    }

    pub(crate) fn commit(&mut self, certificate: &CommitCertificate) -> Result<(), Refusal> {
        self.certificate(self.quorum(), certificate.votes())
    }

    /// What can be said of a certificate's signers before any signature is verified: a forged certificate should be
    /// cheap to refuse.
    pub(crate) fn signers(
        &self,
        needed: usize,
        members: impl Iterator<Item = MemberId>,
    ) -> Result<(), Refusal> {
        let mut signers = 0_usize;
        let mut last: Option<MemberId> = None;
        for member in members {
            if last.is_some_and(|last| last >= member) {
                return Err(Refusal::NotSorted);
            }
            self.key(member)?;
            last = Some(member);
            signers = signers.saturating_add(1);
        }
        if signers < needed {
            return Err(Refusal::NoQuorum { signers, needed });
        }
        Ok(())
    }

    fn certificate(&mut self, needed: usize, votes: impl Iterator<Item = SignedVote>) -> Result<(), Refusal> {
        let votes: Vec<SignedVote> = votes.collect();
        self.signers(needed, votes.iter().map(|vote| vote.vote.member))?;
        votes.iter().try_for_each(|vote| self.vote(vote))
    }

    fn key(&self, member: MemberId) -> Result<PublicKey, Refusal> {
        self.validators
            .as_ref()
            .and_then(|set| set.get(member))
            .map(|validator| validator.key)
            .ok_or(Refusal::NotAValidator(member))
    }

    fn count(&self) -> usize {
        self.validators.as_ref().map_or(0, ValidatorSet::count)
    }

    fn quorum(&self) -> usize {
        self.validators.as_ref().map_or(1, ValidatorSet::quorum)
    }

    fn check(
        &mut self,
        memory: Hash,
        height: Height,
        member: MemberId,
        verify: impl FnOnce(&ChainId) -> bool,
    ) -> Result<(), Refusal> {
        if self.verified.contains_key(&memory) {
            return Ok(());
        }
        if !verify(&self.chain) {
            return Err(Refusal::BadSignature(member));
        }
        self.remember(memory, height);
        Ok(())
    }

    fn remember(&mut self, memory: Hash, height: Height) {
        if self.verified.len() >= REMEMBERED_MAX {
            self.verified.clear();
        }
        self.verified.insert(memory, height);
    }
}

fn memory_key(kind: u8, key: &PublicKey, signed: &[u8], signature: &Signature) -> Hash {
    Hash::of_content(&codec::encode(&(kind, *key, signed.to_vec(), *signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_types::{Round, SecretKey, Slot, Validator, Vote};

    fn vote(key: &SecretKey, round: u32) -> SignedVote {
        let vote = Vote {
            kind: VoteKind::Prevote,
            height: Height::new(1),
            round: Round::new(round),
            block: None,
            member: MemberId::new(0),
        };
        vote.sign(key, &chain())
    }

    fn chain() -> ChainId {
        ChainId::new(Hash::ZERO)
    }

    fn set(key: &SecretKey) -> ValidatorSet {
        let validator = Validator {
            member: MemberId::new(0),
            key: key.public(),
            slot: Slot::new(0),
        };
        ValidatorSet::new(vec![validator]).unwrap()
    }

    #[test]
    fn only_what_holds_is_remembered_and_only_under_its_key_and_height() {
        let key = SecretKey::from_seed(&[1; 32]);
        let mut verifier = Verifier::new(chain());
        let member = MemberId::new(0);
        assert_eq!(verifier.vote(&vote(&key, 0)), Err(Refusal::NotAValidator(member)));
        verifier.enter(Height::new(1), set(&key));

        let good = vote(&key, 0);
        let mut bad = good;
        bad.signature = vote(&key, 1).signature;
        for _ in 0..2 {
            assert_eq!(verifier.vote(&good), Ok(()));
            assert_eq!(verifier.vote(&bad), Err(Refusal::BadSignature(member)));
        }
        assert_eq!(verifier.verified.len(), 1);

        let other = SecretKey::from_seed(&[2; 32]);
        verifier.enter(Height::new(1), set(&other));
        assert_eq!(verifier.vote(&good), Err(Refusal::BadSignature(member)));
        verifier.enter(Height::new(2), set(&key));
        assert_eq!(verifier.verified.len(), 0);
    }

    #[test]
    fn the_memory_is_bounded() {
        let key = SecretKey::from_seed(&[1; 32]);
        let mut verifier = Verifier::new(chain());
        let signed = vote(&key, 0);
        for round in 0..40_000 {
            let mut vote = signed;
            vote.vote.round = Round::new(round);
            verifier.trust_vote(&vote, &key.public());
            assert!(verifier.verified.len() <= REMEMBERED_MAX);
        }
    }
}
