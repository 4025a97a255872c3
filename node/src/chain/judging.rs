//! Whether a block may be voted for: everything about it is recomputed here and compared with its header.

use super::blocks::{Candidate, push_bytes};
use super::{Chain, Halt, fault_or};
use crate::wire::DealtBlock;
use salus_execution::BlockEnv;
use salus_seal::{CheckedDealing, Dealing, OpenedBlock, SUITE_SSMS};
use salus_types::{
    Body, Evidence, Header, Height, Sealing, Transaction, TransactionId, UnverifiedTransaction, ValidatorSet,
};

/// How far ahead of this machine's clock a block's time may be, in milliseconds.
const CLOCK_SKEW_MAX_MS: u64 = 10_000;

impl Chain {
    /// Judges a block as it was handed out, with everything that belongs to it. The outer error halts, the inner one says
    /// what is bad about the block.
    pub(super) fn judge(&self, block: DealtBlock) -> Result<Result<Candidate, String>, Halt> {
        let push = push_bytes(block.clone());
        let DealtBlock {
            header,
            dealing,
            redealings,
        } = block;
        let checked = match self.open_dealing(&header, dealing) {
            Ok(checked) => checked,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut candidate = match self.judge_body(&header, checked.body())? {
            Ok(candidate) => candidate,
            Err(reason) => return Ok(Err(reason)),
        };
        match self.judge_redealings(&header, &candidate.body.reseals, redealings)? {
            Ok(redealt) => candidate.redealt = redealt,
            Err(reason) => return Ok(Err(reason)),
        }
        candidate.share = checked.share(self.view.slot);
        candidate.deposit = self.make_deposit(&header, &checked)?;
        candidate.push = Some(push);
        Ok(Ok(candidate))
    }

    /// Judges a block that was opened from shares because its dealing is lost. The outer error halts, the inner one says what
    /// is bad about the block.
    ///
    /// Only for a block that a quorum has prevoted. That its shares, computed again, lead to its share root says of its dealing
    /// what [`Self::judge`] finds out. What it deals anew was checked, and its shares kept, by those who prevoted: this node
    /// lacks its own of these and repairs them. Deposits, where there are some, were made by them too.
    pub(super) fn judge_opened(
        &self,
        header: &Header,
        opened: &OpenedBlock,
    ) -> Result<Result<Candidate, String>, Halt> {
        if let Err(reason) = self.check_header(header) {
            return Ok(Err(reason));
        }
        let share = match opened.rederive(self.view.slot) {
            Ok(share) => share,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let judged = self.judge_body(header, opened.body())?;
        Ok(judged.map(|candidate| Candidate {
            share: Some(share),
            ..candidate
        }))
    }

    fn open_dealing(&self, header: &Header, dealing: Vec<u8>) -> Result<CheckedDealing, String> {
        self.check_header(header)?;
        let dealing = Dealing::decode(dealing).map_err(|error| error.to_string())?;
        dealing
            .check(header, &self.view.chain)
            .map_err(|error| error.to_string())
    }

    /// What a header must say to follow the tip.
    fn check_header(&self, header: &Header) -> Result<(), String> {
        let (in_force, params) = (&self.in_force, &self.view.params);
        let Sealing {
            suite,
            threshold,
            slots,
            body_length,
            ..
        } = header.sealing;
        let latest = self.view.clock.wall().saturating_add(CLOCK_SKEW_MAX_MS);
        let complaint = if header.parent != self.tip.id {
            "its parent is not the tip"
        } else if self.consensus.proposer(header.height, header.round) != Some(header.proposer) {
            "it was not its proposer's turn"
        } else if !in_force.named_by(header, &self.view.chain) {
            "it names other validators"
        } else if (suite, threshold, slots) != (SUITE_SSMS, in_force.threshold, in_force.slots) {
            "it is sealed with other parameters"
        } else if body_length > params.body_bytes_max {
            "its body is too long"
        } else if header.time <= self.tip.header.time || header.time > latest {
            "its time is not after its parent's, or far in the future"
        } else {
            return Ok(());
        };
        Err(complaint.into())
    }

    /// Decodes and executes a body and compares everything with the header. The outer error halts, the inner one
    /// says what is bad about the block.
    pub(super) fn judge_body(&self, header: &Header, body: &[u8]) -> Result<Result<Candidate, String>, Halt> {
        let body = match Body::decode(body) {
            Ok(body) => body,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if let Err(reason) = self.check_parts(header, &body) {
            return Ok(Err(reason));
        }
        let transactions = match self.verify_transactions(&body.transactions)? {
            Ok(transactions) => transactions,
            Err(reason) => return Ok(Err(reason)),
        };
        let env = BlockEnv {
            height: header.height,
            time: header.time,
            proposer: header.proposer,
        };
        let executed = self.view.executor.execute(
            &self.view.index,
            &env,
            &body.reseals,
            &body.evidence,
            &transactions,
        );
        let executed = match fault_or(executed)? {
            Ok(executed) => executed,
            Err(reason) => return Ok(Err(reason)),
        };
        let ids: Vec<TransactionId> = transactions.iter().map(Transaction::id).collect();
        let receipts_root =
            Body::receipts_root(&self.view.chain, ids.iter().copied().zip(&executed.receipts));
        let same = executed.receipts == body.receipts
            && receipts_root == header.receipts_root
            && executed.state_root == header.state_root
            && executed.gas_used == header.gas_used;
        if !same {
            return Ok(Err(
                "executing it gives other receipts or another state than it says".into(),
            ));
        }
        Ok(Ok(Candidate {
            header: header.clone(),
            body,
            ids,
            executed,
            share: None,
            redealt: Vec::new(),
            deposit: None,
            push: None,
        }))
    }

    /// The parent's certificate and the evidence of a body.
    fn check_parts(&self, header: &Header, body: &Body) -> Result<(), String> {
        let parent = self.tip.header.height;
        match &body.parent_certificate {
            None if parent == Height::ZERO => {}
            Some(certificate) if certificate.height == parent && certificate.block == header.parent => {
                if self.tip.certificate.as_ref() != Some(certificate) {
                    certificate
                        .verify(&self.validators_at(parent)?, &self.view.chain)
                        .map_err(|error| error.to_string())?;
                }
            }
            _ => return Err("it lacks the certificate of its parent".into()),
        }
        if body.evidence.len() > Evidence::COUNT_MAX {
            return Err("it holds too much evidence".into());
        }
        body.evidence
            .iter()
            .try_for_each(|evidence| self.check_evidence(evidence))
    }

    /// The validators that decide a height up to the one after the tip, if the state still has them.
    pub(super) fn validators_at(&self, height: Height) -> Result<ValidatorSet, String> {
        if height > self.tip.header.height.next() {
            return Err("nobody knows the validators of that height yet".into());
        }
        let found = self.view.executor.validators_at(&self.view.index, height);
        let found = found.map_err(|error| error.to_string())?;
        found.ok_or_else(|| "nobody knows the validators of that height any more".into())
    }

    /// Checks signatures, except of transactions that the pool holds: those were checked under the same keys.
    fn verify_transactions(
        &self,
        transactions: &[UnverifiedTransaction],
    ) -> Result<Result<Vec<Transaction>, String>, Halt> {
        let mut verified = Vec::with_capacity(transactions.len());
        let pool = self.view.pool();
        for transaction in transactions {
            let waiting = pool.get(&transaction.payload.id(&self.view.chain));
            if let Some(waiting) = waiting.filter(|waiting| waiting.as_unverified() == transaction) {
                verified.push(waiting.clone());
                continue;
            }
            let sender = self
                .view
                .executor
                .sender(&self.view.index, transaction.payload.sender)?;
            let Some(sender) = sender else {
                return Ok(Err("a sender is not registered".into()));
            };
            let key = salus_types::PublicKey::new(sender.signing_key);
            match transaction.clone().verify(&self.view.chain, &key) {
                Ok(transaction) => verified.push(transaction),
                Err(error) => return Ok(Err(error.to_string())),
            }
        }
        Ok(Ok(verified))
    }
}
