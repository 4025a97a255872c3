//! Blocks that are being decided: built here, handed out, judged. They live in memory only, for one height.

use super::resealing::{Batch, Redealt};
use super::timers::Alarm;
use super::{Chain, Halt, fault_or};
use crate::deposits::{self, Parties};
use crate::wire::{BodyAnswer, BodyAsk, DealtBlock};
use salus_consensus::Input;
use salus_execution::{BlockEnv, ExecutedBlock, Selection};
use salus_net::{Bytes, Protocol};
use salus_seal::{Binding, CheckedDealing, DataKey, Parameters, seal};
use salus_store::Deposit;
use salus_types::{
    BlockId, Body, Header, Height, MemberId, Round, SealedShare, Timestamp, Transaction, TransactionId, codec,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Blocks held at once: a height rarely sees more than one, and a Byzantine proposer must not fill memory.
const BLOCKS_MAX: usize = 8;
/// Transactions of one block: keeps building and judging well within the propose timeout.
const TRANSACTIONS_MAX: usize = 1_500;
/// How often a dealing is asked for before waiting for the round to end.
const PULLS_MAX: u8 = 8;
const PULL_INTERVAL: Duration = Duration::from_millis(250);

/// Blocks of the height that is being decided.
#[derive(Default)]
pub(super) struct Blocks {
    good: BTreeMap<BlockId, Candidate>,
    bad: BTreeSet<BlockId>,
    wanted: BTreeMap<BlockId, Wanted>,
    /// The core waits for this block, which waits for work.
    build: Option<(Height, Round)>,
    /// The dealing of the height after the next, from a proposer that committed before this node did.
    early: Option<DealtBlock>,
}

/// A block that was built here, or judged good.
pub(super) struct Candidate {
    pub(super) header: Header,
    pub(super) body: Body,
    pub(super) ids: Vec<TransactionId>,
    pub(super) executed: ExecutedBlock,
    /// The own share; `None` if this member's slot was not dealt.
    pub(super) share: Option<SealedShare>,
    /// Older blocks that it deals anew, with the own shares; empty for a block that others decided.
    pub(super) redealt: Vec<Redealt>,
    /// What is kept for the others, until it is on disk; only where k > n - 2f.
    pub(super) deposit: Option<Deposit>,
    /// The dealing as it is sent: shared by all sends.
    pub(super) push: Option<Bytes>,
}

struct Wanted {
    round: Round,
    from: MemberId,
    pulls: u8,
}

impl Blocks {
    /// Forgets the blocks of a height that is over.
    pub(super) fn clear(&mut self) {
        *self = Self {
            early: self.early.take(),
            ..Self::default()
        };
    }

    /// The dealing that came before its height began, if it is of this height.
    pub(super) fn take_early(&mut self, height: Height) -> Option<DealtBlock> {
        self.early.take().filter(|block| block.header.height == height)
    }

    pub(super) fn build_waits(&self) -> bool {
        self.build.is_some()
    }

    pub(super) fn take(&mut self, block: &BlockId) -> Option<Candidate> {
        self.good.remove(block)
    }

    pub(super) fn get(&self, block: &BlockId) -> Option<&Candidate> {
        self.good.get(block)
    }

    /// Takes out the deposit of a block, if it is not on disk yet.
    fn take_deposit(&mut self, block: &BlockId) -> Option<Deposit> {
        self.good.get_mut(block)?.deposit.take()
    }

    /// Notes that a proposal's dealing is missing; whether it still is.
    pub(super) fn want(&mut self, block: BlockId, round: Round, from: MemberId) -> bool {
        let missing = !self.good.contains_key(&block) && !self.bad.contains(&block);
        if missing && self.wanted.len() < BLOCKS_MAX {
            self.wanted.entry(block).or_insert(Wanted {
                round,
                from,
                pulls: 0,
            });
        }
        missing
    }

    fn has_room(&self) -> bool {
        self.good.len() + self.bad.len() < BLOCKS_MAX
    }
}

impl Chain {
    /// It is this member's turn. Without work the block waits a little: whoever began the height has some on its way.
    pub(super) fn build(&mut self, height: Height, round: Round, within: Duration) -> Result<(), Halt> {
        self.blocks.build = Some((height, round));
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
        let Some((height, round)) = self.blocks.build.take() else {
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
        self.blocks.good.insert(block, candidate);
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

    /// Hands the dealing of a block out to every other validator.
    pub(super) fn push_dealing(&self, block: BlockId) {
        let Some(push) = self
            .blocks
            .get(&block)
            .and_then(|candidate| candidate.push.clone())
        else {
            return;
        };
        for validator in self
            .in_force
            .validators
            .iter()
            .filter(|validator| validator.member != self.view.me)
        {
            let to = validator.member;
            // Nobody waits for the acknowledgement: who misses the push pulls.
            if let Err(error) = self.courier.ask_then(to, Protocol::Bodies, push.clone(), |_| ()) {
                tracing::debug!(%to, %error, "could not push a dealing");
            }
        }
    }

    /// A member hands out a dealing, or asks for one.
    pub(super) fn on_body_asked(
        &mut self,
        from: MemberId,
        ask: BodyAsk,
        reply: salus_net::Reply,
    ) -> Result<(), Halt> {
        let (answer, pushed) = match ask {
            BodyAsk::Push(block) => (codec::encode(&BodyAnswer::Received), Some(block)),
            BodyAsk::Pull { block } => (self.pulled_bytes(&block), None),
        };
        if let Err(error) = self.courier.net().answer(reply, answer) {
            tracing::debug!(%from, %error, "could not answer");
        }
        match pushed {
            // Only the proposer pushes; what others claim of its block says nothing about it.
            Some(block) if block.header.proposer == from => self.on_dealing(from, *block),
            _ => Ok(()),
        }
    }

    fn pulled_bytes(&self, block: &BlockId) -> Vec<u8> {
        let push = self
            .blocks
            .get(block)
            .and_then(|candidate| candidate.push.as_ref());
        let ask = push.and_then(|push| codec::decode_trusted::<BodyAsk>(push).ok());
        codec::encode(&match ask {
            Some(BodyAsk::Push(block)) => BodyAnswer::Dealing(block),
            _ => BodyAnswer::Unknown,
        })
    }

    /// Asks for a dealing whose push did not come: the proposer first, then everybody in turn.
    pub(super) fn pull(&mut self, block: BlockId) {
        let now = self.now();
        let Some(wanted) = self.blocks.wanted.get_mut(&block) else {
            return;
        };
        if wanted.pulls >= PULLS_MAX {
            return;
        }
        let others: Vec<MemberId> = self
            .in_force
            .validators
            .iter()
            .map(|validator| validator.member)
            .filter(|member| *member != self.view.me)
            .collect();
        let first = others
            .iter()
            .position(|member| *member == wanted.from)
            .unwrap_or(0);
        let turn = (first + usize::from(wanted.pulls)) % others.len().max(1);
        wanted.pulls += 1;
        self.timers.set(Alarm::Pull(block), now + PULL_INTERVAL);
        let Some(from) = others.get(turn).copied() else {
            return;
        };
        let inbox = self.inbox_sender.clone();
        let question = codec::encode(&BodyAsk::Pull { block });
        let asked = self
            .courier
            .ask_then(from, Protocol::Bodies, question, move |answer| {
                let answer = answer
                    .ok()
                    .and_then(|bytes| codec::decode(&bytes, crate::wire::LARGE_MAX).ok());
                let _ = inbox.try_send(super::Event::Pulled { from, block, answer }); // asked again if lost
            });
        if let Err(error) = asked {
            tracing::debug!(%from, %error, "could not ask for a dealing");
        }
    }

    pub(super) fn on_pulled(
        &mut self,
        from: MemberId,
        block: BlockId,
        answer: Option<BodyAnswer>,
    ) -> Result<(), Halt> {
        match answer {
            Some(BodyAnswer::Dealing(dealt)) if dealt.header.id(&self.view.chain) == block => {
                self.on_dealing(from, *dealt)
            }
            _ => Ok(()),
        }
    }

    /// Judges a dealing and tells the core.
    pub(super) fn on_dealing(&mut self, from: MemberId, dealt: DealtBlock) -> Result<(), Halt> {
        let header = dealt.header.clone();
        let block = header.id(&self.view.chain);
        if header.height == self.tip.header.height.saturating_add(2) && from == header.proposer {
            self.blocks.early = Some(dealt);
            return Ok(());
        }
        let known = self.blocks.good.contains_key(&block) || self.blocks.bad.contains(&block);
        if known || header.height != self.tip.header.height.next() || !self.blocks.has_room() {
            return Ok(());
        }
        if self.consensus.height() != header.height {
            // Its proposer has begun the height: begin it as well, so that the core takes the verdict.
            self.summoned = true;
            self.start_if_due()?;
        }
        let judged = self.judge(dealt)?;
        let round = self
            .blocks
            .wanted
            .get(&block)
            .map_or(header.round, |wanted| wanted.round);
        match judged {
            Ok(candidate) => {
                self.blocks.good.insert(block, candidate);
                self.blocks.wanted.remove(&block);
                self.feed(Input::Judged {
                    round,
                    header,
                    valid: true,
                })
            }
            Err(reason) if from == header.proposer => {
                tracing::warn!(%from, height = %header.height, reason, "a proposed block is bad");
                self.blocks.bad.insert(block);
                self.blocks.wanted.remove(&block);
                self.feed(Input::Judged {
                    round,
                    header,
                    valid: false,
                })
            }
            Err(reason) => {
                tracing::warn!(%from, height = %header.height, reason, "a pulled dealing is bad; asking another member");
                Ok(())
            }
        }
    }

    /// Makes the own share of a block durable, and those of the blocks that it deals anew: before the vote for it. Where there
    /// is a deposit, that comes first: who finds the own share after a crash knows that the deposit was durable too.
    pub(super) fn keep_share(&mut self, block: BlockId) -> Result<(), Halt> {
        if let Some(deposit) = self.blocks.take_deposit(&block) {
            self.view.deposits.put(block, &deposit)?;
        }
        let Some(candidate) = self.blocks.get(&block) else {
            // After a restart the dealing is gone, but the share was kept before the vote that is replayed.
            return match self.view.shares.location(&block)? {
                Some(_) => Ok(()),
                None => Err(Halt::Part(format!(
                    "no share of block {block} was kept, yet it is voted for"
                ))),
            };
        };
        if let Some(share) = &candidate.share {
            self.view.shares.append(&candidate.header, block, share)?;
        }
        self.keep_redealt(&candidate.redealt)
    }
}

/// A block as it is handed out.
pub(super) fn push_bytes(block: DealtBlock) -> Bytes {
    Bytes::from(codec::encode(&BodyAsk::Push(Box::new(block))))
}

/// The parts of a candidate that outlive it: shared by readers.
pub(super) fn shared(candidate: Candidate) -> (Arc<crate::recent::CommittedBlock>, ExecutedBlock) {
    let Candidate {
        header,
        body,
        ids,
        executed,
        ..
    } = candidate;
    (
        Arc::new(crate::recent::CommittedBlock { header, ids, body }),
        executed,
    )
}
