//! A decided block becomes part of the chain.

use super::blocks::{self, Candidate};
use super::{Chain, Halt, Missed, Phase, Tip};
use crate::archivist;
use crate::receipts::touched_patients;
use crate::view;
use crate::wire::{Committed, GOSSIP_MAX, Transactions};
use salus_api::PublishedBlock;
use salus_net::Topic;
use salus_store::{CommitBatch, ResealedShare};
use salus_types::abi::registry;
use salus_types::state::StateChanges;
use salus_types::{
    CommitCertificate, ContractId, Header, Height, PrincipalId, SealedShare, Sequence, ShareCommitment,
    UnverifiedTransaction, codec,
};
use std::collections::BTreeMap;

impl Chain {
    /// The core decided the height after the tip. Usually its body is at hand; otherwise it is gathered from shares.
    pub(super) fn on_decided(&mut self, header: Header, certificate: CommitCertificate) -> Result<(), Halt> {
        if header.height != self.tip.header.height.next() {
            return Ok(()); // replayed after the block was committed
        }
        match self.blocks.take(&certificate.block) {
            Some(candidate) => self.commit(candidate, Some(certificate)),
            None => {
                tracing::info!(height = %header.height, "decided without its body here: gathering it from shares");
                self.tell_archive(archivist::Event::Gather(Box::new(header.clone())));
                if !self
                    .in_force
                    .validators
                    .certificate_suffices(header.sealing.threshold)
                {
                    self.view.set_decided(Some((header.clone(), certificate.clone())));
                    self.tell_tip(None);
                }
                self.phase = Phase::Gathering(Box::new((header, certificate)));
                Ok(())
            }
        }
    }

    /// The archive could not gather the decided block yet: it goes on trying.
    pub(super) fn gather_again(&mut self, height: Height) {
        if let Phase::Gathering(decided) = &self.phase
            && decided.0.height == height
        {
            self.tell_archive(archivist::Event::Gather(Box::new(decided.0.clone())));
        }
    }

    /// A block that others decided came from the archive: opened from shares, proven by a certificate.
    pub(super) fn on_missed(&mut self, missed: Missed) -> Result<(), Halt> {
        let Missed {
            header,
            commitment,
            body,
            share,
            certificate,
        } = missed;
        if header.height != self.tip.header.height.next() {
            return Ok(()); // consensus was faster
        }
        if self.log_is_new && self.tip.header.height == Height::ZERO && self.phase == Phase::Idle {
            self.begin_probation(); // the network is older than this log
        }
        let certificate = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Gathering(decided) if decided.0 == header => Some(decided.1),
            other => {
                self.phase = other;
                certificate
            }
        };
        let height = header.height;
        if !self.in_force.named_by(&header, &self.view.chain) {
            let reason = "it names other validators than the state before it".into();
            return Err(Halt::Diverged { height, reason });
        }
        let mut candidate = match self.judge_body(&header, &body)? {
            Ok(candidate) => candidate,
            Err(reason) => return Err(Halt::Diverged { height, reason }),
        };
        if commitment.is_reseal() {
            // The block that deals it anew is still to come: until then this share waits, and the height counts as lost.
            self.keep_early(&header, &commitment, share.as_ref())?;
        } else {
            candidate.share = share;
        }
        self.commit(candidate, certificate)
    }

    fn keep_early(
        &self,
        header: &Header,
        commitment: &ShareCommitment,
        share: Option<&SealedShare>,
    ) -> Result<(), Halt> {
        let Some(share) = share else {
            return Ok(());
        };
        self.view.shares.append_resealed(&[ResealedShare {
            header,
            id: header.id(&self.view.chain),
            resealing: &view::resealing(commitment),
            share,
        }])?;
        Ok(())
    }

    /// Makes a block the tip. Durable when this returns; only then do clients and peers hear of it.
    fn commit(&mut self, candidate: Candidate, certificate: Option<CommitCertificate>) -> Result<(), Halt> {
        let id = candidate.header.id(&self.view.chain);
        if let Some(share) = &candidate.share {
            self.view.shares.append(&candidate.header, id, share)?; // does nothing if it was kept before the vote
        }
        self.keep_redealt(&candidate.redealt)?; // as above
        let reseals = self.decided_reseals(&candidate.body.reseals)?;
        let patients = touched_patients(&candidate.body.receipts);
        self.view.index.commit(&CommitBatch {
            header: &candidate.header,
            id,
            certificate: certificate.as_ref(),
            state: &candidate.executed.state,
            tree: &candidate.executed.tree,
            transactions: &candidate.ids,
            patients: &patients,
            share: self.view.shares.location(&id)?,
            reseals: &reseals,
        })?;
        self.view.set_decided(None);
        let header = candidate.header.clone();
        let (block, executed) = blocks::shared(candidate);
        self.clean_pool(header.height, &block.body.transactions, &executed.state);
        self.evidence_committed(&block.body.evidence)?;
        self.answer_waiters(&block);
        self.events.publish(&PublishedBlock {
            height: header.height,
            id,
            time: header.time,
            receipts: &block.body.receipts,
            // What happened in a block is for those who may have it opened.
            is_told: !self.view.releases.needs_ticket(),
        });
        self.view.progress.committed(&header, block.ids.len());
        self.view.progress.set_wal_bytes(self.wal.bytes());
        self.view.recent_mut().push(block);
        if header.proposer == self.view.me
            && let Some(certificate) = &certificate
        {
            self.gossip_header(&header, certificate);
        }
        tracing::debug!(height = %header.height, id = %id.hash().short(), "committed");
        self.tip = Tip {
            header,
            id,
            certificate,
        };
        self.phase = Phase::Idle;
        self.blocks.clear();
        self.committed_at = self.now();
        self.follow_members(Some(&executed.state))?;
        self.tell_archive(archivist::Event::Committed {
            height: self.tip.header.height,
            id,
            members: self.members_for_archive(),
        });
        self.after_reseals(&reseals)?;
        self.schedule_start();
        self.export_if_due();
        Ok(())
    }

    /// Takes out of the pool what was executed, and what was signed with keys that are no longer valid.
    fn clean_pool(&self, tip: Height, transactions: &[UnverifiedTransaction], state: &StateChanges) {
        let mut next: BTreeMap<PrincipalId, Sequence> = BTreeMap::new();
        for transaction in transactions {
            next.insert(
                transaction.payload.sender,
                transaction.payload.sequence.saturating_add(1),
            );
        }
        let mut pool = self.view.pool();
        pool.committed(tip, next);
        changed_principals(state).for_each(|principal| pool.remove_sender(principal));
    }

    fn answer_waiters(&mut self, block: &crate::recent::CommittedBlock) {
        for id in &block.ids {
            let Some(replies) = self.waiters.remove(id) else {
                continue;
            };
            let Some(executed) = block.executed(id) else {
                continue;
            };
            for reply in replies {
                let _ = reply.send(executed.clone().into()); // the client may have left
            }
        }
    }

    fn gossip_header(&self, header: &Header, certificate: &CommitCertificate) {
        let committed = Committed {
            header: header.clone(),
            certificate: certificate.clone(),
        };
        if let Err(error) = self
            .courier
            .net()
            .gossip(Topic::Headers, codec::encode(&committed))
        {
            tracing::debug!(%error, "could not gossip a header");
        }
    }

    /// Passes on what clients handed in here since the last time, many at once.
    pub(super) fn gossip_transactions(&self) {
        let waiting = std::mem::take(&mut *self.view.outbox());
        let mut batch = Vec::new();
        let mut length = 0;
        for transaction in waiting {
            let more = codec::encode(&transaction).len();
            if length + more > GOSSIP_MAX / 2 && !batch.is_empty() {
                self.gossip_batch(std::mem::take(&mut batch));
                length = 0;
            }
            length += more;
            batch.push(transaction);
        }
        if !batch.is_empty() {
            self.gossip_batch(batch);
        }
    }

    fn gossip_batch(&self, batch: Vec<UnverifiedTransaction>) {
        if let Err(error) = self
            .courier
            .net()
            .gossip(Topic::Transactions, codec::encode(&Transactions(batch)))
        {
            tracing::debug!(%error, "could not gossip transactions; this node proposes them itself");
        }
    }
}

/// Principals whose entry in the registry's state changed.
fn changed_principals(state: &StateChanges) -> impl Iterator<Item = PrincipalId> + '_ {
    let prefix = registry::principal_key(PrincipalId::new(0)).len();
    let contract = ContractId::REGISTRY.get().to_be_bytes();
    state
        .keys()
        .filter_map(move |key| match key.as_bytes().strip_prefix(&contract)? {
            [b'p', number @ ..] if number.len() + 1 == prefix => {
                Some(PrincipalId::new(u32::from_be_bytes(number.try_into().ok()?)))
            }
            _ => None,
        })
}
