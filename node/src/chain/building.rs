//! Building the own block when it is this member's turn.

use super::blocks::{Candidate, push_bytes};
use super::resealing::Batch;
use super::timers::Alarm;
use super::{Chain, Halt, fault_or};
use crate::deposits::{self, Parties};
use crate::wire::DealtBlock;
use salus_consensus::Input;
use salus_execution::{BlockEnv, Selection};
use salus_seal::{Binding, CheckedDealing, DataKey, Parameters, seal};
use salus_store::Deposit;
use salus_types::{Body, Header, Height, Round, Timestamp, Transaction, TransactionId, codec};
use std::time::Duration;

/// Transactions of one block: keeps building and judging well within the propose timeout.
const TRANSACTIONS_MAX: usize = 1_500;

impl Chain {
    /// It is this member's turn. Without work the block waits a little: whoever began the height has some on its way.
    pub(super) fn build(&mut self, height: Height, round: Round, within: Duration) -> Result<(), Halt> {
        self.blocks.ask_build(height, round);
        let due = self.now().saturating_sub(self.committed_at) >= self.pace.heartbeat();
        if self.view.pool().is_ready() || !self.evidence.is_empty() || due || self.has_reseals() {
            return self.build_now();
        }
        self.timers.set(Alarm::Build, self.now() + within / 2);
        Ok(())
    }

    /// Work has come, or was waited for long enough: builds the block that the core waits for.
    pub(super) fn build_waiting(&mut self) -> Result<(), Halt> {
        self.build_now()?;
        self.feed_waiting()
    }

    /// Builds the block with whatever work there is; it waits among the inputs for the core.
    fn build_now(&mut self) -> Result<(), Halt> {
        self.timers.cancel(Alarm::Build);
        let Some((height, round)) = self.blocks.take_build() else {
            return Ok(());
        };
        if self.tip.certificate.is_none() && self.tip.header.height > Height::ZERO {
            tracing::info!(%height, "no certificate of the parent here: leaving this round to another proposer");
            return Ok(());
        }
        let env = BlockEnv {
            height,
            time: self.block_time(),
            proposer: self.view.me,
        };
        let Ok(parameters) = Parameters::new(self.in_force.threshold, self.in_force.slots) else {
            return Ok(());
        };
        let batch = self.deal_anew(&env, round, parameters)?;
        let body_bytes_max = (self.view.params.body_bytes_max as usize).min(batch.body_room());
        let bytes_max = body_bytes_max / 2; // receipts need room as well
        let candidates = self.view.pool().candidates(TRANSACTIONS_MAX, bytes_max);
        let evidence = self.evidence_for_block();
        let selection =
            self.view
                .executor
                .select(&self.view.index, &env, &batch.commitments, evidence, candidates);
        let selection = match fault_or(selection)? {
            Ok(selection) => selection,
            Err(reason) => {
                tracing::error!(%height, reason, "could not build a block");
                return Ok(());
            }
        };
        self.evidence_selected(&selection.evidence);
        for (transaction, reason) in &selection.dropped {
            tracing::debug!(id = %transaction.id(), %reason, "dropped from the pool");
            let payload = transaction.payload();
            self.view.pool().remove(payload.sender, payload.sequence);
        }
        let sealed = self.seal_block((&env, round, parameters), selection, batch);
        let Some((header, mut candidate, dealing)) = sealed else {
            return Ok(());
        };
        candidate.deposit = self.make_deposit(&header, &dealing)?;
        let block = header.id(&self.view.chain);
        self.add_good(block, candidate);
        self.push_dealing(block);
        self.inputs.push_back(Input::Built {
            height,
            round,
            header,
        });
        Ok(())
    }

    /// Later than the parent's, by this machine's clock.
    fn block_time(&self) -> Timestamp {
        self.view.clock.wall().max(self.tip.header.time.saturating_add(1))
    }

    fn seal_block(
        &self,
        (env, round, parameters): (&BlockEnv, Round, Parameters),
        selection: Selection,
        batch: Batch,
    ) -> Option<(Header, Candidate, CheckedDealing)> {
        let Selection {
            taken: transactions,
            evidence,
            block: executed,
            ..
        } = selection;
        let ids: Vec<TransactionId> = transactions.iter().map(Transaction::id).collect();
        let body = Body {
            transactions: transactions
                .iter()
                .map(|one| one.as_unverified().clone())
                .collect(),
            receipts: executed.receipts.clone(),
            evidence,
            parent_certificate: self.tip.certificate.clone(),
            reseals: batch.commitments,
        };
        let encoded = codec::encode(&body);
        let chain = self.view.chain;
        let binding = Binding {
            chain,
            height: env.height,
            dealt_at: env.height,
            round,
            proposer: env.proposer,
        };
        let sealed = seal(&encoded, &binding, parameters, DataKey::new(self.view.random()))
            .inspect_err(|error| tracing::error!(%error, "could not seal a block"))
            .ok()?;
        let header = Header {
            height: env.height,
            round,
            time: env.time,
            proposer: env.proposer,
            parent: self.tip.id,
            validators: self.in_force.validators.hash(&chain),
            next_validators: self.in_force.next_validators.hash(&chain),
            sealing: sealed.sealing(),
            body_commitment: sealed.body_commitment(),
            share_root: sealed.share_root(),
            receipts_root: Body::receipts_root(&chain, ids.iter().copied().zip(&executed.receipts)),
            state_root: executed.state_root,
            gas_used: executed.gas_used,
        };
        let push = push_bytes(DealtBlock {
            header: header.clone(),
            dealing: sealed.dealing().encode().to_vec(),
            redealings: batch.redealings,
        });
        let share = sealed.share(self.view.slot);
        Some((
            header.clone(),
            Candidate {
                header,
                body,
                ids,
                executed,
                share,
                redealt: batch.redealt,
                deposit: None,
                push: Some(push),
            },
            sealed.into_checked(),
        ))
    }

    /// What to keep for the others of a checked dealing: nothing where a certificate proves that k honest members hold
    /// their shares.
    pub(super) fn make_deposit(
        &self,
        header: &Header,
        dealing: &CheckedDealing,
    ) -> Result<Option<Deposit>, Halt> {
        if self
            .in_force
            .validators
            .certificate_suffices(header.sealing.threshold)
        {
            return Ok(None);
        }
        let parties = Parties {
            chain: self.view.chain,
            me: self.view.me,
            validators: &self.in_force.validators,
            members: &self.view.executor.members(&self.view.index)?,
        };
        let random = || self.view.random();
        Ok(Some(deposits::make(parties, header, dealing, random)))
    }
}
