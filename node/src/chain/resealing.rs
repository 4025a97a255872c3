//! Dealing older blocks anew, a few in each block, while an operator's job is open.
//!
//! ```text
//!   proposer of the next height   job in the state --> archive opens the next blocks ahead of time --> seals them anew
//!                                                                                                          |
//!   every validator               checks each redealing against the dealing in force, keeps its new shares <-'
//!                                 before the vote
//! ```
//!
//! Opened bodies and redealings live in memory only. Nothing here is precious: what is done stands in the state, and a
//! proposer that fails is followed by another one.

use super::following::Seat;
use super::timers::Alarm;
use super::{Chain, Halt};
use crate::archivist;
use crate::wire::LARGE_MAX;
use salus_execution::BlockEnv;
use salus_seal::{DataKey, OpenedBlock, Parameters, Redealing, SUITE_SSMS};
use salus_store::{DecidedReseal, ResealedShare};
use salus_types::state::StateFault;
use salus_types::{
    BlockId, Header, Height, RESEAL_BYTES_MAX, RESEALS_MAX, ResealJob, Round, SealedShare, ShareCommitment,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long the first proposer of a height may keep the network waiting for reseals before the second one begins, and how
/// long until blocks that could not be opened are tried again.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a message that are left for everything but the redealings and the body.
const ENVELOPE_BYTES: usize = 256 << 10;

/// Entry of the index that says that reseals of a snapshot's state are still to be told to it: one byte if so.
const ADOPTING: &str = "adopting reseals";
/// Reseals of a snapshot that the index is told of at once.
const ADOPT_BATCH: usize = 1_024;

/// What this node knows of the job under way.
#[derive(Default)]
pub(super) struct Resealing {
    job: Option<ResealJob>,
    /// Blocks that were opened to be dealt anew here.
    opened: BTreeMap<Height, Arc<OpenedBlock>>,
    /// Blocks that the archive is opening.
    asked: BTreeSet<Height>,
    /// When a block that reseals was committed last.
    last: Option<Duration>,
}

/// An older block that a block in the making deals anew.
pub(super) struct Redealt {
    header: Header,
    id: BlockId,
    commitment: ShareCommitment,
    /// The own share; `None` if this member's slot was not dealt.
    share: Option<SealedShare>,
}

/// What a proposer adds to its block.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) commitments: Vec<ShareCommitment>,
    pub(super) redealt: Vec<Redealt>,
    /// Encoded redealings. Secret.
    pub(super) redealings: Vec<Vec<u8>>,
}

impl Batch {
    /// Bytes that are left for a body, if it is to go into one message with the redealings.
    pub(super) fn body_room(&self) -> usize {
        let redealings: usize = self.redealings.iter().map(Vec::len).sum();
        LARGE_MAX.saturating_sub(redealings + ENVELOPE_BYTES)
    }
}

impl Chain {
    /// Reads the job, and has the next blocks opened if this node may build one of the next two proposals. Called between
    /// heights, and again while blocks could not be opened.
    pub(super) fn prepare_reseals(&mut self) -> Result<(), StateFault> {
        let job = self.view.executor.reseal_job(&self.view.index)?;
        let job = job.filter(|job| job.is_open() && self.may_reseal(self.in_force.threshold));
        self.resealing.job = job;
        let Some(job) = job else {
            self.resealing = Resealing::default();
            self.timers.cancel(Alarm::Reseal);
            return Ok(());
        };
        self.resealing.opened.retain(|height, _| *height >= job.next);
        if !self.proposes_soon() || self.view.progress.is_behind(self.tip.header.height) {
            return Ok(());
        }
        for header in self.next_to_reseal(&job)? {
            let height = header.height;
            if self.resealing.opened.contains_key(&height) || !self.resealing.asked.insert(height) {
                continue;
            }
            self.tell_archive(archivist::Event::Unseal(Box::new(header)));
        }
        self.timers.set(Alarm::Reseal, self.now() + PATIENCE);
        Ok(())
    }

    /// Time to look again whether blocks are to be opened.
    pub(super) fn prepare_reseals_again(&mut self) -> Result<(), Halt> {
        self.resealing.asked.clear();
        self.prepare_reseals()?;
        self.reseal_if_due()
    }

    /// The archive opened a block to be dealt anew, or could not.
    pub(super) fn on_unsealed(
        &mut self,
        height: Height,
        block: Option<Arc<OpenedBlock>>,
    ) -> Result<(), Halt> {
        self.resealing.asked.remove(&height);
        let wanted = self.resealing.job.is_some_and(|job| height >= job.next);
        if let Some(block) = block.filter(|_| wanted) {
            self.resealing.opened.insert(height, block);
        }
        // Together rather than one by one: whoever waits for work waits for the whole batch.
        if self.resealing.asked.is_empty() {
            self.reseal_if_due()?;
        }
        Ok(())
    }

    fn reseal_if_due(&mut self) -> Result<(), Halt> {
        if self.has_reseals() {
            self.on_work()
        } else {
            Ok(())
        }
    }

    /// Whether this node should begin a height, or build, for the sake of reseals alone.
    pub(super) fn has_reseals(&self) -> bool {
        let Some(job) = self.resealing.job else {
            return false;
        };
        let next = self.tip.header.height.next();
        let first = self.consensus_proposer(next, Round::ZERO) == Some(self.view.me);
        let overdue = self.now().saturating_sub(self.committed_at) >= PATIENCE;
        self.resealing.opened.contains_key(&job.next) && self.reseal_pause_is_over() && (first || overdue)
    }

    /// How long until reseals may be work again, for the alarm that starts the next height.
    pub(super) fn reseal_pause(&self) -> Option<Duration> {
        self.resealing.job?;
        Some(self.pace.reseal_interval())
    }

    fn reseal_pause_is_over(&self) -> bool {
        self.resealing
            .last
            .is_none_or(|last| self.now().saturating_sub(last) >= self.pace.reseal_interval())
    }

    /// Whether the certificate of a block proves that enough honest members hold the new shares which were kept before the votes
    /// for it: nobody makes a deposit of those.
    fn may_reseal(&self, threshold: u16) -> bool {
        self.in_force.validators.certificate_suffices(threshold)
    }

    fn proposes_soon(&self) -> bool {
        let next = self.tip.header.height.next();
        [Round::ZERO, Round::new(1)]
            .iter()
            .any(|round| self.consensus_proposer(next, *round) == Some(self.view.me))
    }

    fn consensus_proposer(&self, height: Height, round: Round) -> Option<salus_types::MemberId> {
        salus_consensus::proposer(&self.in_force.validators, height, round)
    }

    /// Headers of the blocks that one block may reseal.
    fn next_to_reseal(&self, job: &ResealJob) -> Result<Vec<Header>, StateFault> {
        let (mut headers, mut bytes) = (Vec::new(), 0_u64);
        let mut height = job.next;
        while height <= job.to && headers.len() < RESEALS_MAX {
            let header = self.view.index.header(height);
            let header = header.map_err(|error| StateFault(error.to_string()))?;
            let Some(header) = header else {
                break;
            };
            bytes += u64::from(header.sealing.body_length);
            if bytes > RESEAL_BYTES_MAX && !headers.is_empty() {
                break;
            }
            headers.push(header);
            height = height.next();
        }
        Ok(headers)
    }

    /// Deals what was opened anew, from the job's cursor on without gaps.
    pub(super) fn deal_anew(
        &self,
        env: &BlockEnv,
        round: Round,
        parameters: Parameters,
    ) -> Result<Batch, Halt> {
        let mut batch = Batch::default();
        let Some(job) = self.resealing.job.filter(|_| self.reseal_pause_is_over()) else {
            return Ok(batch);
        };
        for header in self.next_to_reseal(&job)? {
            let Some(opened) = self.resealing.opened.get(&header.height) else {
                break;
            };
            let by = (env.height, round, env.proposer);
            let sealed = match opened.reseal(by, parameters, DataKey::new(self.view.random())) {
                Ok(sealed) => sealed,
                Err(error) => {
                    tracing::error!(height = %header.height, %error, "could not deal a block anew");
                    break;
                }
            };
            batch.commitments.push(*sealed.commitment());
            batch.redealt.push(Redealt {
                id: header.id(&self.view.chain),
                header,
                commitment: *sealed.commitment(),
                share: sealed.share(self.view.slot),
            });
            batch.redealings.push(opened.redealing(sealed).encode());
        }
        Ok(batch)
    }

    /// Checks the redealings of a proposed block, whose body was executed already: the heights are in turn. The outer
    /// error halts, the inner one says what is bad about the block.
    pub(super) fn judge_redealings(
        &self,
        block: &Header,
        commitments: &[ShareCommitment],
        redealings: Vec<Vec<u8>>,
    ) -> Result<Result<Vec<Redealt>, String>, Halt> {
        if !commitments.is_empty() && !self.may_reseal(block.sealing.threshold) {
            return Ok(Err(
                "it reseals, but more shares open a block than a certificate proves".into(),
            ));
        }
        if commitments.len() != redealings.len() {
            return Ok(Err("it has another number of redealings than it says".into()));
        }
        let mut redealt = Vec::with_capacity(commitments.len());
        for (commitment, redealing) in commitments.iter().zip(redealings) {
            let Some(header) = self.view.index.header(commitment.height)? else {
                return Ok(Err("it reseals a block that is not here".into()));
            };
            let former = self.view.dealing(&header)?;
            if let Err(reason) = self.check_commitment(block, &former, commitment) {
                return Ok(Err(reason));
            }
            let checked = Redealing::decode(redealing)
                .and_then(|redealing| redealing.check(&former, commitment, &self.view.chain));
            match checked {
                Ok(checked) => redealt.push(Redealt {
                    id: header.id(&self.view.chain),
                    header,
                    commitment: *commitment,
                    share: checked.share(self.view.slot),
                }),
                Err(error) => return Ok(Err(format!("resealing height {}: {error}", commitment.height))),
            }
        }
        Ok(Ok(redealt))
    }

    /// What a new commitment must say besides what execution and the redealing's own check have looked at.
    fn check_commitment(
        &self,
        block: &Header,
        former: &ShareCommitment,
        commitment: &ShareCommitment,
    ) -> Result<(), String> {
        let (suite, k, slots) = (
            commitment.sealing.suite,
            commitment.sealing.threshold,
            commitment.sealing.slots,
        );
        let complaint = if commitment.round != block.round {
            "it reseals a block in another round than its own"
        } else if (suite, k, slots) != (SUITE_SSMS, block.sealing.threshold, block.sealing.slots) {
            "it reseals a block with other parameters than its own"
        } else if commitment.sealing.body_length != former.sealing.body_length {
            "it reseals a body of another length"
        } else {
            return Ok(());
        };
        Err(complaint.into())
    }

    /// Makes the own shares of new dealings durable, all with one fsync: before the vote for the block that deals them.
    pub(super) fn keep_redealt(&self, redealt: &[Redealt]) -> Result<(), Halt> {
        let resealings: Vec<_> = redealt
            .iter()
            .map(|one| crate::view::resealing(&one.commitment))
            .collect();
        let missing: Vec<ResealedShare<'_>> = redealt
            .iter()
            .zip(&resealings)
            .filter(|(one, _)| {
                let place = self
                    .view
                    .shares
                    .resealed_location(&one.id, &one.commitment.share_root);
                place.is_none()
            })
            .filter_map(|(one, resealing)| {
                Some(ResealedShare {
                    header: &one.header,
                    id: one.id,
                    resealing,
                    share: one.share.as_ref()?,
                })
            })
            .collect();
        if !missing.is_empty() {
            self.view.shares.append_resealed(&missing)?;
        }
        Ok(())
    }

    /// What the committed block puts in place of older dealings.
    pub(super) fn decided_reseals(
        &self,
        commitments: &[ShareCommitment],
    ) -> Result<Vec<DecidedReseal>, Halt> {
        let decide = |commitment: &ShareCommitment| -> Result<DecidedReseal, Halt> {
            let height = commitment.height;
            let id = self.view.index.block_id(height)?;
            let id = id.ok_or_else(|| Halt::Part(format!("the header of height {height} is lost")))?;
            Ok(DecidedReseal {
                height,
                resealing: crate::view::resealing(commitment),
                share: self.view.shares.resealed_location(&id, &commitment.share_root),
            })
        };
        commitments.iter().map(decide).collect()
    }

    /// Tells the index of reseals that this node did not execute: a snapshot's state holds them. Goes on where a crash cut it
    /// short.
    pub(super) fn adopt_reseals(&self) -> Result<(), Halt> {
        let index = &self.view.index;
        if index.meta(ADOPTING)?.is_none_or(|adopting| adopting.is_empty()) {
            return Ok(());
        }
        let mut above = Height::ZERO;
        loop {
            let dealings = self.view.executor.dealings(index, above, ADOPT_BATCH)?;
            let Some(last) = dealings.last() else {
                return Ok(index.put_meta(ADOPTING, &[])?);
            };
            above = last.height;
            index.adopt_reseals(&self.decided_reseals(&dealings)?)?;
        }
    }

    /// Before a snapshot takes the place of the state: [`Self::adopt_reseals`] is due after it.
    pub(super) fn expect_reseals(&self) -> Result<(), Halt> {
        Ok(self.view.index.put_meta(ADOPTING, &[1])?)
    }

    /// A block was committed: goes on with the job, or ends it.
    pub(super) fn after_reseals(&mut self, reseals: &[DecidedReseal]) -> Result<(), Halt> {
        if !reseals.is_empty() {
            self.resealing.last = Some(self.now());
            metrics::counter!("salus_blocks_resealed_total").increment(reseals.len() as u64);
        }
        for lost in reseals.iter().filter(|reseal| reseal.share.is_none()) {
            match self.seat {
                // Nobody gives a member that has left its share of a new dealing.
                Seat::Removed(_) => self.view.shares.remove(lost.height)?,
                _ => self.tell_archive(archivist::Event::Wanted(lost.height)),
            }
        }
        self.prepare_reseals()?;
        let left = self
            .resealing
            .job
            .map_or(0, |job| job.total().saturating_sub(job.done()));
        metrics::gauge!("salus_reseal_blocks_left").set(left as f64);
        Ok(())
    }
}
