//! Which deposits are still needed, and whom to ask for receipts.
//!
//! A deposit may go once k + f distinct members have signed that their share is durable: at most f of them lie, so k
//! honest members hold theirs, which is what a commit certificate alone proves where k <= n - 2f. Both k + f and who counts
//! follow the present validators: who left may delete its shares.

use crate::peers::Peers;
use crate::{Config, Effect};
use salus_types::{BlockId, Header, Height, MemberId, ShareReceipt, ValidatorSet};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Deposits watched at once. There may be more on disk; the shell names the lowest again as these go.
pub(crate) const WATCHED_MAX: usize = 4_096;
/// Receipts of one member for blocks that are not committed here yet: it may be a little ahead.
const EARLY_MAX: usize = 64;
/// Intervals after which an answer is no longer waited for.
const ANSWER_INTERVALS: u32 = 5;

/// The watched deposits.
#[derive(Debug, Default)]
pub(crate) struct Deposits {
    held: BTreeMap<(Height, BlockId), Held>,
    heights: BTreeMap<BlockId, Height>,
    early: BTreeMap<MemberId, VecDeque<BlockId>>,
    /// Where the questions to a member go on: it may lack some shares for long.
    cursors: BTreeMap<MemberId, Height>,
    /// Members that are not asked before: their answer is awaited, or was given just now.
    rest: BTreeMap<MemberId, Duration>,
    /// The next look for whom to ask.
    wake: Option<Duration>,
}

#[derive(Debug)]
struct Held {
    /// Who has signed, or is this node itself: present members only.
    stored: BTreeSet<MemberId>,
    /// k of the block.
    threshold: u16,
    /// k + f, with the present f.
    need: usize,
    since: Duration,
}

impl Deposits {
    /// Watches a deposit of a committed block. `own`: whether the own share of it is durable here.
    pub(crate) fn hold(
        &mut self,
        now: Duration,
        config: &Config,
        validators: &ValidatorSet,
        header: &Header,
        own: bool,
    ) -> Option<Effect> {
        let block = header.id(&config.chain);
        let own = own.then_some(config.member);
        let own = own.filter(|own| validators.get(*own).is_some());
        if let Some(held) = self.held.get_mut(&(header.height, block)) {
            held.stored.extend(own);
            return self.discharge(header.height, block);
        }
        if self.held.len() >= WATCHED_MAX {
            return None;
        }
        let mut stored: BTreeSet<MemberId> = own.into_iter().collect();
        for (member, blocks) in &mut self.early {
            if blocks.contains(&block) {
                blocks.retain(|early| *early != block);
                stored.insert(*member);
            }
        }
        let held = Held {
            stored,
            threshold: header.sealing.threshold,
            need: validators.receipts_needed(header.sealing.threshold),
            since: now,
        };
        self.heights.insert(block, header.height);
        self.held.insert((header.height, block), held);
        let at = now.saturating_add(config.receipt_interval);
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
        self.discharge(header.height, block)
    }

    /// Other validators decide from now on: what those that left have signed counts no more, and fewer may be enough.
    pub(crate) fn follow(&mut self, validators: &ValidatorSet) -> Vec<Effect> {
        let is_present = |member: &MemberId| validators.get(*member).is_some();
        self.early.retain(|member, _| is_present(member));
        for held in self.held.values_mut() {
            held.stored.retain(is_present);
            held.need = validators.receipts_needed(held.threshold);
        }
        let places: Vec<(Height, BlockId)> = self.held.keys().copied().collect();
        let enough = places.into_iter();
        enough
            .filter_map(|(height, block)| self.discharge(height, block))
            .collect()
    }

    /// Takes a receipt; one that does not verify says nothing.
    pub(crate) fn receipt(
        &mut self,
        config: &Config,
        validators: &ValidatorSet,
        receipt: &ShareReceipt,
    ) -> Vec<Effect> {
        if let Err(error) = receipt.verify(validators, &config.chain) {
            tracing::warn!(member = %receipt.member, %error, "a receipt for shares is refused");
            return Vec::new();
        }
        let member = receipt.member;
        let mut effects = Vec::new();
        for block in &receipt.blocks {
            match self.heights.get(block).copied() {
                Some(height) => {
                    if let Some(held) = self.held.get_mut(&(height, *block)) {
                        held.stored.insert(member);
                    }
                    effects.extend(self.discharge(height, *block));
                }
                None => self.note_early(member, *block),
            }
        }
        effects
    }

    fn note_early(&mut self, member: MemberId, block: BlockId) {
        let early = self.early.entry(member).or_default();
        if !early.contains(&block) {
            early.push_back(block);
        }
        if early.len() > EARLY_MAX {
            early.pop_front();
        }
    }

    fn discharge(&mut self, height: Height, block: BlockId) -> Option<Effect> {
        let held = self.held.get(&(height, block))?;
        if held.stored.len() < held.need {
            return None;
        }
        self.held.remove(&(height, block));
        self.heights.remove(&block);
        Some(Effect::Discharge { height, block })
    }

    /// A question was answered, or never will be.
    pub(crate) fn answered(&mut self, now: Duration, config: &Config, member: MemberId) {
        if let Some(until) = self.rest.get_mut(&member) {
            *until = (*until).min(now.saturating_add(config.receipt_interval));
        }
    }

    /// A member will not answer.
    pub(crate) fn lost(&mut self, member: MemberId) {
        self.rest.remove(&member);
    }

    /// Asks every member for the receipts that have not come by themselves: one question a member and interval.
    pub(crate) fn ask(&mut self, now: Duration, config: &Config, peers: &Peers) -> Vec<Effect> {
        if self.held.is_empty() {
            self.wake = None;
            return Vec::new();
        }
        if self.wake.is_some_and(|wake| now < wake) {
            return Vec::new();
        }
        self.wake = Some(now.saturating_add(config.receipt_interval));
        let mut effects = Vec::new();
        for member in peers.connected_holders() {
            let rests = self.rest.get(&member).is_some_and(|until| now < *until);
            if rests {
                continue;
            }
            let blocks = self.lacking(now, config, member);
            if !blocks.is_empty() {
                let late = config.receipt_interval.saturating_mul(ANSWER_INTERVALS);
                self.rest.insert(member, now.saturating_add(late));
                effects.push(Effect::AskReceipt { member, blocks });
            }
        }
        effects
    }

    /// The next deposits that lack a member's receipt, from where its last question ended, and round again.
    fn lacking(&mut self, now: Duration, config: &Config, member: MemberId) -> Vec<BlockId> {
        let from = self.cursors.get(&member).copied().unwrap_or(Height::ZERO);
        let due = |held: &Held| {
            now >= held.since.saturating_add(config.receipt_interval) && !held.stored.contains(&member)
        };
        let after = self.held.iter().filter(|((height, _), _)| *height >= from);
        let before = self.held.iter().filter(|((height, _), _)| *height < from);
        let lacking: Vec<(Height, BlockId)> = after
            .chain(before)
            .filter(|(_, held)| due(held))
            .take(ShareReceipt::BLOCKS_MAX)
            .map(|(place, _)| *place)
            .collect();
        if let Some((last, _)) = lacking.last() {
            self.cursors.insert(member, last.next());
        }
        lacking.into_iter().map(|(_, block)| block).collect()
    }

    pub(crate) const fn next_wake(&self) -> Option<Duration> {
        self.wake
    }
}
