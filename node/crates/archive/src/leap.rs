//! The leap over blocks that a node missed: which snapshot to take, and when to do without.
//!
//! ```text
//!            far behind            the first offers one        headers reach it         all parts are there
//!   Waiting ------------> Asking ---------------------> Headers -------------> Parts --------------------> Installing
//!      ^                    |  nobody offers one           |  none fits           | nobody has it any more      |
//!      `--------------------+------------------------------'                      `-----> Asking                | committed
//!      `--------------------------------------------------------------------------------------------------------'
//! ```
//!
//! One offer is enough to go on: which root is right is up to certified headers, whoever names it. Offers that come later
//! are heard while headers and parts come. To wait for more would lose the race against the blocks, which go on meanwhile.
//!
//! Blocks are caught up with one by one while nothing was offered and whenever a leap was given up, so that no one who
//! offers snapshots can hold a node back for longer than some rounds.

use crate::catch_up::{Ahead, CatchUp};
use crate::parts::Parts;
use crate::peers::Peers;
use crate::{Config, Effect, Fault, RequestId, Resume, ShareRefusal, SyncPhase, SyncProgress};
use salus_types::snapshot::{SNAPSHOT_STEP, SnapshotOffer, SnapshotPart, SnapshotTarget, StagedPart};
use salus_types::{Height, MemberId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Offers of one member that are looked at.
const OFFERS_MAX: usize = 8;
/// Rounds of asking in which no part came before the leap is given up.
const FRUITLESS_MAX: u32 = 3;
/// How long a round may look for headers that reach a snapshot, in timeouts.
const HEADERS_PATIENCE: u32 = 30;

/// What is fetched to leap, and how far that is.
#[derive(Debug, Default)]
pub(crate) struct Leap {
    phase: Phase,
    /// Not begun before.
    not_before: Duration,
    /// What members hold, as they say, and in answer to what.
    offers: BTreeMap<MemberId, (RequestId, Vec<SnapshotOffer>)>,
    /// Questions without an answer yet.
    asked: BTreeMap<RequestId, MemberId>,
    /// Whom this round has asked.
    members: BTreeSet<MemberId>,
    /// For how long this round waits for their answers; `None` if no longer. Late ones are still of use.
    answers_until: Option<Duration>,
    /// Rounds since the last part came.
    fruitless: u32,
    /// What an earlier life, or an earlier round, has fetched.
    staged: Option<(SnapshotTarget, Vec<StagedPart>)>,
    earlier: Option<Ahead>,
    /// Where it began, for the progress.
    begun_at: Height,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Waiting,
    Asking,
    Headers {
        until: Duration,
    },
    Parts(Parts),
    Installing {
        height: Height,
    },
}

/// What the decisions need of the rest.
pub(crate) struct Around<'a> {
    pub(crate) now: Duration,
    pub(crate) config: &'a Config,
    pub(crate) peers: &'a mut Peers,
    pub(crate) catch_up: &'a mut CatchUp,
}

impl Leap {
    /// Goes on with what an earlier life has fetched, should it still be of use.
    pub(crate) fn resume(&mut self, resume: Resume) {
        self.earlier = Some(Ahead {
            last: resume.last,
            next_validators: resume.next_validators,
            validators: None,
            roots: resume.roots,
            until: Height::ZERO,
        });
        self.staged = resume.staged;
    }

    /// Moves on as far as possible.
    pub(crate) fn advance(&mut self, around: &mut Around<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        loop {
            let before = std::mem::discriminant(&self.phase);
            self.step(around, &mut effects);
            if std::mem::discriminant(&self.phase) == before {
                return effects;
            }
        }
    }

    fn step(&mut self, around: &mut Around<'_>, effects: &mut Vec<Effect>) {
        match &mut self.phase {
            Phase::Waiting => {
                if around.now >= self.not_before && is_far_behind(around) {
                    self.begun_at = around.catch_up.tip().height;
                    self.ask_round(around);
                }
            }
            Phase::Asking => {
                self.ask_all(around, effects);
                let all = self.members.len() >= around.peers.holders_known();
                let waits = self.waits_for_answers(around.now);
                match self.best_offer(around) {
                    Some(best) => self.follow_headers(best, around),
                    None if !waits || (all && self.asked.is_empty()) => self.give_up(around),
                    None => {}
                }
            }
            Phase::Headers { until } => {
                let late = around.now >= *until;
                self.ask_all(around, effects);
                if let Some(best) = self.best_offer(around) {
                    around.catch_up.go_further(best);
                }
                if late || around.catch_up.is_ahead_enough(around.now, around.peers) {
                    self.choose(around, late, effects);
                }
            }
            Phase::Parts(parts) => {
                effects.extend(parts.ask(around.now, around.config, around.peers));
                if parts.is_whole() {
                    let height = parts.target().height;
                    let nodes = parts.nodes_above();
                    effects.push(Effect::InstallSnapshot { height, nodes });
                    self.phase = Phase::Installing { height };
                } else if parts.is_stuck() {
                    self.next_round(around);
                }
            }
            Phase::Installing { .. } => {}
        }
    }

    /// Begins to ask what others hold, those too who connect in the meantime.
    fn ask_round(&mut self, around: &mut Around<'_>) {
        self.asked.clear();
        self.offers.clear();
        self.members.clear();
        let patience = around.config.ask_timeout.saturating_mul(2);
        self.answers_until = Some(around.now.saturating_add(patience));
        self.phase = Phase::Asking;
    }

    fn ask_all(&mut self, around: &mut Around<'_>, effects: &mut Vec<Effect>) {
        for member in around.peers.ahead_of(around.catch_up.tip().height) {
            if self.members.insert(member) {
                let request = around.peers.next_request();
                self.asked.insert(request, member);
                effects.push(Effect::AskSnapshots { request, member });
            }
        }
    }

    fn next_round(&mut self, around: &mut Around<'_>) {
        self.fruitless = self.fruitless.saturating_add(1);
        if self.fruitless > FRUITLESS_MAX {
            tracing::info!("no snapshot could be fetched whole: going on block by block");
            self.give_up(around);
        } else {
            self.ask_round(around);
        }
    }

    fn give_up(&mut self, around: &mut Around<'_>) {
        around.catch_up.stay();
        *self = Self {
            not_before: around.now.saturating_add(around.config.leap_pause),
            ..Self::default()
        };
    }

    /// Whether this round has time left for answers.
    fn waits_for_answers(&mut self, now: Duration) -> bool {
        self.answers_until = self.answers_until.filter(|until| now < *until);
        self.answers_until.is_some()
    }

    /// The highest snapshot that somebody offers, if it is worth the leap.
    fn best_offer(&self, around: &Around<'_>) -> Option<Height> {
        let worth = around.config.leap_min / 2;
        let least = around.catch_up.tip().height.saturating_add(worth);
        let offers = self.offers.values().flat_map(|(_, offers)| offers);
        let best = offers.map(|offer| offer.height).max();
        best.filter(|best| *best >= least)
    }

    /// Lets headers go ahead, up to a snapshot.
    fn follow_headers(&mut self, to: Height, around: &mut Around<'_>) {
        around.catch_up.go_ahead(to, self.earlier.take());
        let patience = around.config.ask_timeout.saturating_mul(HEADERS_PATIENCE);
        self.phase = Phase::Headers {
            until: around.now.saturating_add(patience),
        };
    }

    /// Takes the newest snapshot whose root stands in a certified header, the one begun already before others.
    fn choose(&mut self, around: &mut Around<'_>, late: bool, effects: &mut Vec<Effect>) {
        let Some(ahead) = around.catch_up.ahead() else {
            return self.give_up(around);
        };
        let roots = &ahead.roots;
        let tip = around.catch_up.tip().height;
        let (mut fitting, mut liars) = (BTreeSet::new(), BTreeSet::new());
        for (member, (_, offers)) in &self.offers {
            for offer in offers.iter().filter(|offer| offer.height > tip) {
                match roots.get(&offer.height) {
                    Some(root) if *root == offer.state_root => drop(fitting.insert(target(offer))),
                    Some(_) => drop(liars.insert((*member, offer.height))),
                    None => {}
                }
            }
        }
        self.blame(around, &liars, effects);
        let may_hear_more = self.waits_for_answers(around.now) && !self.asked.is_empty();
        let begun = self.staged.as_ref().map(|(target, _)| target);
        if may_hear_more && begun.is_some_and(|begun| !fitting.contains(begun)) {
            return; // somebody may still hold what was begun
        }
        let begun = self.staged.take().filter(|(target, _)| fitting.contains(target));
        let newest = fitting.last().map(|target| (*target, Vec::new()));
        match begun.or(newest) {
            Some((target, there)) => self.fetch(target, there, effects),
            None if late || (self.offers.is_empty() && !may_hear_more) => self.give_up(around),
            // Another offer may still come, or headers that reach one.
            None => {}
        }
    }

    fn blame(
        &mut self,
        around: &mut Around<'_>,
        liars: &BTreeSet<(MemberId, Height)>,
        effects: &mut Vec<Effect>,
    ) {
        for (member, height) in liars {
            if let Some((request, _)) = self.offers.remove(member) {
                around.peers.suspect(around.now, *member, around.config);
                effects.push(Effect::Blame {
                    evidence: None,
                    member: *member,
                    request,
                    height: *height,
                    fault: Fault::SnapshotRoot,
                });
            }
        }
    }

    fn fetch(&mut self, chosen: SnapshotTarget, there: Vec<StagedPart>, effects: &mut Vec<Effect>) {
        let mut parts = Parts::new(chosen, &there);
        for (member, (_, offers)) in &self.offers {
            add_source(&mut parts, *member, offers);
        }
        let (_, bytes) = parts.progress();
        tracing::info!(height = %chosen.height, bytes, parts_there = there.len(), "fetching a snapshot");
        effects.push(Effect::BeginSnapshot(chosen));
        self.staged = Some((chosen, there));
        self.phase = Phase::Parts(parts);
    }

    /// A member says what it holds.
    pub(crate) fn offered(&mut self, request: RequestId, member: MemberId, offers: Vec<SnapshotOffer>) {
        if self.asked.get(&request) != Some(&member) {
            return;
        }
        self.asked.remove(&request);
        let sound = |offer: &SnapshotOffer| offer.height.get().is_multiple_of(SNAPSHOT_STEP);
        let offers: Vec<SnapshotOffer> = offers.into_iter().filter(sound).take(OFFERS_MAX).collect();
        if let Phase::Parts(parts) = &mut self.phase {
            add_source(parts, member, &offers);
        }
        if !offers.is_empty() {
            self.offers.insert(member, (request, offers));
        }
    }

    /// Takes a part.
    pub(crate) fn part(
        &mut self,
        around: &mut Around<'_>,
        from: (RequestId, MemberId),
        result: Result<SnapshotPart, ShareRefusal>,
    ) -> Option<Effect> {
        let Phase::Parts(parts) = &mut self.phase else {
            return None;
        };
        let effect = parts.answer(around.now, around.config, around.peers, from, result);
        match &effect {
            Some(Effect::KeepPart { prefix, bytes, part }) => {
                self.fruitless = 0;
                let there = StagedPart {
                    prefix: prefix.clone(),
                    bytes: *bytes,
                    record: part.record(),
                };
                if let Some((_, parts)) = &mut self.staged {
                    parts.push(there);
                }
            }
            Some(Effect::Blame { member, .. }) => drop(self.offers.remove(member)),
            _ => {}
        }
        effect
    }

    /// A member will not answer.
    pub(crate) fn lost(&mut self, member: MemberId) {
        self.offers.remove(&member);
        self.asked.retain(|_, asked| *asked != member);
        if let Phase::Parts(parts) = &mut self.phase {
            parts.lost(member);
        }
    }

    /// The tip moved.
    pub(crate) fn committed(&mut self, height: Height, catch_up: &mut CatchUp) {
        let is_over = match &self.phase {
            Phase::Installing { height: installed } => height >= *installed,
            Phase::Parts(parts) => height >= parts.target().height,
            Phase::Headers { .. } => catch_up.ahead().is_some_and(|ahead| height >= ahead.until),
            Phase::Waiting | Phase::Asking => false,
        };
        if is_over {
            catch_up.stay();
            *self = Self::default();
        }
    }

    /// What it does, if it does something.
    pub(crate) fn progress(&self, catch_up: &CatchUp) -> Option<SyncProgress> {
        let above = |height: Height| height.get().saturating_sub(self.begun_at.get());
        let headers = || {
            let ahead = catch_up.ahead()?;
            Some(SyncProgress {
                phase: SyncPhase::Headers,
                done: above(ahead.last.height),
                total: above(ahead.until.max(ahead.last.height)),
            })
        };
        match &self.phase {
            Phase::Waiting => None,
            Phase::Asking | Phase::Headers { .. } => headers(),
            Phase::Parts(parts) => {
                let (done, total) = parts.progress();
                Some(SyncProgress {
                    phase: SyncPhase::Snapshot,
                    done,
                    total,
                })
            }
            Phase::Installing { .. } => Some(SyncProgress {
                phase: SyncPhase::Snapshot,
                done: 1,
                total: 1,
            }),
        }
    }

    /// When there is something to do. `is_far`: whether a leap would be begun.
    pub(crate) fn next_wake(&self, config: &Config, is_far: bool) -> Option<Duration> {
        match &self.phase {
            Phase::Waiting => is_far.then_some(self.not_before),
            Phase::Asking => self.answers_until,
            // What answers leave open is looked at again when they are no longer waited for.
            Phase::Headers { until } => self.answers_until.into_iter().chain([*until]).min(),
            Phase::Parts(parts) => parts.next_wake(config),
            Phase::Installing { .. } => None,
        }
    }
}

/// Counts a member among those who hold what is fetched, if it offers that.
fn add_source(parts: &mut Parts, member: MemberId, offers: &[SnapshotOffer]) {
    let chosen = parts.target();
    if let Some(offer) = offers.iter().find(|offer| target(offer) == chosen) {
        parts.add_source(member, offer.bytes);
    }
}

const fn target(offer: &SnapshotOffer) -> SnapshotTarget {
    SnapshotTarget {
        height: offer.height,
        state_root: offer.state_root,
    }
}

fn is_far_behind(around: &Around<'_>) -> bool {
    is_far(around.config, around.peers, around.catch_up)
}

/// Whether this node is so far behind that a snapshot is worth looking for.
pub(crate) fn is_far(config: &Config, peers: &Peers, catch_up: &CatchUp) -> bool {
    let far = catch_up.tip().height.saturating_add(config.leap_min);
    config.leap_min > 0 && peers.best_tip().is_some_and(|best| best >= far)
}
