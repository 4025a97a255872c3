//! Proof of members' faults: checked, kept until it stands in a block, and counted by everybody.

use super::{Chain, Halt};
use salus_seal::{AskedShare, verify_wrong_share};
use salus_store::ChainStore;
use salus_types::codec::{self, Decode, Encode};
use salus_types::{Evidence, Height, MemberId, WrongShare};

/// Where waiting evidence is kept in the index.
const PLACE: &str = "evidence";
/// Pieces of evidence that wait, at most.
const WAITING_MAX: usize = Evidence::COUNT_MAX;
/// Pieces of evidence against one member that wait, at most: nobody crowds out what is held against others.
const MEMBER_WAITING_MAX: usize = 8;
/// Bytes of all of them, at most.
const BYTES_MAX: usize = 64 << 10;

/// Evidence that waits for a block of this node's. It survives a restart.
#[derive(Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Waiting(Vec<Evidence>);

impl Waiting {
    /// What waited when the node stopped. If it can't be read it is dropped: whoever is guilty will be so again.
    pub(super) fn load(index: &ChainStore) -> Self {
        let kept = index.meta(PLACE).ok().flatten();
        kept.and_then(|bytes| codec::decode(&bytes, BYTES_MAX).ok())
            .unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is room for it and the fault is not among them already.
    fn takes(&self, evidence: &Evidence) -> bool {
        let fault = |one: &Evidence| (one.member(), one.height(), one.kind());
        let against = |member: MemberId| self.0.iter().filter(|one| one.member() == member).count();
        self.0.len() < WAITING_MAX
            && against(evidence.member()) < MEMBER_WAITING_MAX
            && self.0.iter().all(|one| fault(one) != fault(evidence))
    }
}

impl Chain {
    /// Keeps evidence for the next block that this node builds, unless it proves nothing or is known.
    pub(super) fn on_evidence(&mut self, evidence: Evidence) -> Result<(), Halt> {
        let (member, height, kind) = (evidence.member(), evidence.height(), evidence.kind().name());
        let counts = self
            .view
            .executor
            .faults(&self.view.index, member)?
            .would_count(&evidence);
        if !counts || !self.evidence.takes(&evidence) {
            return Ok(());
        }
        if let Err(reason) = self.check_evidence(&evidence) {
            tracing::warn!(%member, %height, kind, reason, "evidence that proves nothing here");
            return Ok(());
        }
        tracing::warn!(%member, %height, kind, "a member is proven guilty; the next block built here says so");
        self.evidence.0.push(evidence);
        self.keep_evidence()?;
        self.schedule_start();
        Ok(())
    }

    /// The evidence for a block that is built now.
    pub(super) fn evidence_for_block(&self) -> Vec<Evidence> {
        let sound = |evidence: &&Evidence| self.check_evidence(evidence).is_ok();
        self.evidence.0.iter().filter(sound).cloned().collect()
    }

    /// Only this evidence is still of use; the rest proves nothing any more, or was counted.
    pub(super) fn evidence_selected(&mut self, useful: &[Evidence]) {
        self.evidence.0.retain(|waiting| useful.contains(waiting));
    }

    /// A block was committed with this evidence: it counts, and waits no longer.
    pub(super) fn evidence_committed(&mut self, committed: &[Evidence]) -> Result<(), Halt> {
        for evidence in committed {
            let (member, height, kind) = (evidence.member(), evidence.height(), evidence.kind().name());
            metrics::counter!("salus_faults_proven_total", "member" => member.get().to_string(), "kind" => kind)
                .increment(1);
            tracing::warn!(%member, %height, kind, "a fault was proven on the chain");
        }
        let fault = |one: &Evidence| (one.member(), one.height(), one.kind());
        let before = self.evidence.0.len();
        self.evidence
            .0
            .retain(|waiting| committed.iter().all(|one| fault(one) != fault(waiting)));
        if self.evidence.0.len() < before {
            self.keep_evidence()?;
        }
        Ok(())
    }

    /// Whether evidence proves a fault, given the tip: every validator comes to the same answer.
    pub(super) fn check_evidence(&self, evidence: &Evidence) -> Result<(), String> {
        match evidence {
            Evidence::DoubleVote(votes) => {
                let validators = self.validators_at(evidence.height())?;
                salus_consensus::verify_double_vote(votes, &validators, &self.view.chain)
                    .map_err(|error| error.to_string())
            }
            Evidence::WrongShare(wrong) => self.check_wrong_share(wrong),
        }
    }

    fn check_wrong_share(&self, wrong: &WrongShare) -> Result<(), String> {
        let (height, member) = (wrong.statement.height, wrong.statement.member);
        let holder = self
            .in_force
            .validators
            .get(member)
            .ok_or("it is against no member")?;
        if height == Height::ZERO || height > self.tip.header.height {
            return Err("it is about a block that is not committed".into());
        }
        let view = &self.view;
        let header = view.index.header(height).map_err(|error| error.to_string())?;
        let header = header.ok_or("its header is not here")?;
        let resealed = view.executor.dealing(&view.index, height);
        let resealed = resealed.map_err(|error| error.to_string())?;
        let asked = AskedShare {
            chain: &view.chain,
            block: header.id(&view.chain),
            dealing: resealed.unwrap_or_else(|| (&header).into()),
            holder,
        };
        verify_wrong_share(wrong, &asked).map_err(|error| error.to_string())
    }

    fn keep_evidence(&self) -> Result<(), Halt> {
        Ok(self.view.index.put_meta(PLACE, &codec::encode(&self.evidence))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_types::{BlockId, Hash, ShareStatement, Signature, Slot};

    fn evidence(member: u16, height: u64) -> Evidence {
        let statement = ShareStatement {
            height: Height::new(height),
            block: BlockId::new(Hash::ZERO),
            share_root: Hash::ZERO,
            member: MemberId::new(member),
            slot: Slot::new(member),
            fragment: Hash::ZERO,
            key_share: Hash::ZERO,
            path: vec![Hash::ZERO; ShareStatement::PATH_MAX],
        };
        Evidence::WrongShare(WrongShare {
            statement,
            signature: Signature::new([0; 64]),
        })
    }

    #[test]
    fn what_waits_is_bounded_in_all_and_for_each_member_and_fits_its_place() {
        let mut waiting = Waiting::default();
        for member in 0..20 {
            for height in 1..=20 {
                let one = evidence(member, height);
                if waiting.takes(&one) {
                    waiting.0.push(one);
                }
                assert!(!waiting.takes(&evidence(member, height)), "once for a fault");
            }
            let against = waiting
                .0
                .iter()
                .filter(|one| one.member().get() == member)
                .count();
            assert_eq!(against, if member < 8 { MEMBER_WAITING_MAX } else { 0 });
        }
        assert_eq!(waiting.0.len(), WAITING_MAX);
        let bytes = codec::encode(&waiting);
        assert!(
            bytes.len() < 32 << 10,
            "{} bytes: more than a value may have",
            bytes.len()
        );
        assert_eq!(codec::decode::<Waiting>(&bytes, BYTES_MAX), Ok(waiting));
    }
}
