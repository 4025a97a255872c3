//! Catching up: which headers to ask for, which blocks to open, which to apply.

use crate::headers::{self, Expected, Verdict};
use crate::peers::Peers;
use crate::{CertifiedBlock, Config, DivergenceReason, Effect, Fault, RequestId, Tip};
use salus_types::snapshot::SNAPSHOT_STEP;
use salus_types::{
    BlockId, ChainId, CommitCertificate, Hash, Header, Height, MemberId, SealedShare, ShareCommitment,
    ValidatorSet,
};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

/// Blocks opened ahead of the one that is applied, that one included.
pub(crate) const OPEN_MAX: usize = 4;
/// The next batch is asked for when no more than this many certified headers wait.
const PLAN_LOW: usize = 16;
/// Unanswered requests whose late answer is still taken.
const ASKING_MAX: usize = 4;

/// The part of the chain between the own tip and what is certified.
#[derive(Debug)]
pub(crate) struct CatchUp {
    tip: Tip,
    validators: ValidatorSet,
    validators_hash: Hash,
    /// Certified headers from the one after the tip, without gaps.
    plan: VecDeque<Planned>,
    /// All for the same headers; only the last can be on time.
    asking: Vec<Asking>,
    /// The next batch may have this many headers at most.
    batch_max: u16,
    /// What `batch_max` returns to.
    headers_max: u16,
    behind_since: Option<Duration>,
    /// While a snapshot is looked for and fetched: headers go ahead of the blocks.
    ahead: Option<Ahead>,
    /// When asking, which had to wait, can go on.
    ask_wake: Option<Duration>,
}

/// Certified headers ahead of their blocks.
#[derive(Clone, Debug)]
pub(crate) struct Ahead {
    /// The last of them; the own tip if there are none.
    pub(crate) last: Tip,
    /// Hash of the validators that decide the block after it.
    pub(crate) next_validators: Hash,
    /// These validators, once a member has named them; `None` too if they are those after the own tip.
    pub(crate) validators: Option<ValidatorSet>,
    /// The state roots of some of them.
    pub(crate) roots: BTreeMap<Height, Hash>,
    /// No more are wanted beyond this height.
    pub(crate) until: Height,
}

struct Planned {
    header: Header,
    id: BlockId,
    certificate: Option<Box<CommitCertificate>>,
    state: State,
}

enum State {
    Waiting { not_before: Duration },
    Gathering,
    Opened(Box<Opened>),
    Applying,
}

/// What was found in a block, and under which dealing of it.
pub(crate) struct Opened {
    pub(crate) commitment: ShareCommitment,
    pub(crate) body: Vec<u8>,
    pub(crate) share: Option<SealedShare>,
}

#[derive(Clone, Copy, Debug)]
struct Asking {
    request: RequestId,
    member: MemberId,
    from: Height,
    max: u16,
    sent: Duration,
    overdue: bool,
}

impl fmt::Debug for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Waiting { .. } => "waiting",
            State::Gathering => "gathering",
            State::Opened(_) => "opened",
            State::Applying => "applying",
        };
        write!(f, "Planned(height {}, {state})", self.header.height)
    }
}

impl CatchUp {
    pub(crate) fn new(config: &Config, tip: Tip, validators: ValidatorSet) -> Self {
        Self {
            tip,
            validators_hash: validators.hash(&config.chain),
            validators,
            plan: VecDeque::new(),
            asking: Vec::new(),
            batch_max: config.headers_max,
            headers_max: config.headers_max,
            behind_since: None,
            ahead: None,
            ask_wake: None,
        }
    }

    /// Lets headers go ahead of the blocks, up to a height, and plans no block meanwhile. Goes on where it was, or where an
    /// earlier life was.
    pub(crate) fn go_ahead(&mut self, until: Height, earlier: Option<Ahead>) {
        let fresh = Ahead {
            last: self.tip,
            next_validators: self.validators_hash,
            validators: None,
            roots: BTreeMap::new(),
            until,
        };
        let known = self.ahead.take().or(earlier);
        let mut ahead = known
            .filter(|ahead| ahead.last.height > self.tip.height)
            .unwrap_or(fresh);
        ahead.until = until;
        self.ahead = Some(ahead);
        self.plan.clear();
        self.asking.clear();
    }

    /// Lets headers that go ahead go further, if that is further.
    pub(crate) fn go_further(&mut self, until: Height) {
        if let Some(ahead) = &mut self.ahead {
            ahead.until = ahead.until.max(until);
        }
    }

    /// Back to block by block.
    pub(crate) fn stay(&mut self) {
        if self.ahead.take().is_some() {
            self.asking.clear();
        }
    }

    /// Headers ahead of their blocks, if they go ahead.
    pub(crate) const fn ahead(&self) -> Option<&Ahead> {
        self.ahead.as_ref()
    }

    /// Whether no further header can be had now: there are enough, or nobody has more.
    pub(crate) fn is_ahead_enough(&self, now: Duration, peers: &Peers) -> bool {
        let Some(ahead) = &self.ahead else {
            return true;
        };
        let next = ahead.last.height.next();
        ahead.last.height >= ahead.until
            || (self.asking.iter().all(|asking| asking.overdue) && peers.for_headers(now, next).is_none())
    }

    pub(crate) const fn tip(&self) -> Tip {
        self.tip
    }

    /// The validators that decide the heights after the tip.
    pub(crate) const fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// Their hash, as headers name them.
    pub(crate) const fn validators_hash(&self) -> Hash {
        self.validators_hash
    }

    pub(crate) fn threshold(&self) -> usize {
        self.validators.threshold()
    }

    pub(crate) fn faulty_max(&self) -> usize {
        self.validators.faulty_max()
    }

    pub(crate) fn set_validators(&mut self, chain: &ChainId, validators: ValidatorSet) {
        self.validators_hash = validators.hash(chain);
        self.validators = validators;
        self.batch_max = self.headers_max;
    }

    /// Begins anew from a tip.
    pub(crate) fn reset(&mut self, tip: Tip) {
        self.plan.clear();
        self.asking.clear();
        self.ahead = None;
        self.batch_max = self.headers_max;
        self.move_tip(tip);
    }

    /// The block that was being applied is.
    pub(crate) fn applied(&mut self, height: Height) {
        let applying = |planned: &mut Planned| {
            planned.header.height == height && matches!(planned.state, State::Applying)
        };
        if let Some(planned) = self.plan.pop_front_if(applying) {
            self.move_tip(Tip {
                height,
                id: planned.id,
            });
        }
    }

    /// Consensus went on by itself.
    pub(crate) fn committed(&mut self, tip: Tip) -> Option<Effect> {
        if tip.height <= self.tip.height {
            return None;
        }
        // A block that was handed over before headers went ahead, or consensus itself, may have overtaken them.
        if let Some(ahead) = self.ahead.as_mut().filter(|ahead| ahead.last.height < tip.height) {
            ahead.last = tip;
            ahead.next_validators = self.validators_hash;
            ahead.validators = None;
        }
        let mut diverged = None;
        while let Some(planned) = self
            .plan
            .pop_front_if(|planned| planned.header.height <= tip.height)
        {
            if planned.header.height == tip.height && planned.id != tip.id {
                diverged = Some(planned.id);
            }
        }
        if self.plan.is_empty() {
            let last = self.ahead.as_ref().map_or(tip.height, |ahead| ahead.last.height);
            self.asking.retain(|asking| asking.from == last.next());
        }
        self.move_tip(tip);
        let theirs = diverged?;
        self.plan.clear();
        Some(Effect::Diverged {
            height: tip.height,
            reason: DivergenceReason::Fork { theirs, own: tip.id },
        })
    }

    /// A member will not answer.
    pub(crate) fn lost(&mut self, member: MemberId) {
        self.asking.retain(|asking| asking.member != member);
    }

    /// A peer refused.
    pub(crate) fn refused(
        &mut self,
        now: Duration,
        config: &Config,
        peers: &mut Peers,
        (request, member): (RequestId, MemberId),
    ) {
        if self.take(request, member).is_some() {
            peers.rest_headers(now.saturating_add(config.ask_timeout.saturating_mul(2)), member);
        }
    }

    /// Checks headers and plans them.
    pub(crate) fn headers(
        &mut self,
        now: Duration,
        config: &Config,
        peers: &mut Peers,
        (request, member): (RequestId, MemberId),
        (headers, certificate): (Vec<Header>, Box<CommitCertificate>),
    ) -> Option<Effect> {
        let asking = self.take(request, member)?;
        peers.answered(member, now.saturating_sub(asking.sent));
        let (next, parent) = self.next();
        if asking.from != next {
            return None;
        }
        let (validators, validators_hash) = self.deciding()?;
        let expected = Expected {
            chain: &config.chain,
            validators,
            validators_hash,
            from: next,
            max: asking.max,
            parent,
        };
        match headers::check(&expected, &headers, &certificate) {
            Verdict::Sound(ids) => self.extend(now, headers, ids, certificate),
            Verdict::Shorter(0) => {
                // Either this peer is wrong or the own validator set is old: nobody is blamed, someone else is asked.
                peers.rest_headers(now.saturating_add(config.ask_timeout.saturating_mul(2)), member);
                None
            }
            Verdict::Shorter(before) => {
                self.batch_max = before;
                None
            }
            Verdict::Fork { parent: theirs } => Some(Effect::Diverged {
                height: next,
                reason: DivergenceReason::Fork { theirs, own: parent },
            }),
            Verdict::Wrong(error) => {
                peers.suspect(now, member, config);
                peers.set_tip(member, None);
                Some(Effect::Blame {
                    member,
                    request,
                    height: next,
                    fault: Fault::Headers(error),
                    evidence: None,
                })
            }
        }
    }

    /// Asks for the next headers, if some are wanted.
    pub(crate) fn ask(&mut self, now: Duration, config: &Config, peers: &mut Peers) -> Option<Effect> {
        self.ask_wake = None;
        for asking in self.asking.iter_mut().filter(|asking| !asking.overdue) {
            let deadline = asking.sent.saturating_add(config.ask_timeout);
            if now < deadline {
                self.ask_wake = Some(deadline);
                return None;
            }
            asking.overdue = true;
            peers.silent(asking.member, config);
            let rest = config.ask_timeout.saturating_mul(4);
            peers.rest_headers(now.saturating_add(rest), asking.member);
        }
        let (from, _) = self.next();
        if !self.wants(now, config, peers, from) {
            return None;
        }
        let Some(member) = peers.for_headers(now, from) else {
            self.ask_wake = peers.headers_wake(from);
            return None;
        };
        if self.asking.len() >= ASKING_MAX {
            self.asking.remove(0);
        }
        let asking = Asking {
            request: peers.next_request(),
            member,
            from,
            max: self.batch_max,
            sent: now,
            overdue: false,
        };
        self.asking.push(asking);
        self.ask_wake = Some(now.saturating_add(config.ask_timeout));
        let request = asking.request;
        Some(match (self.deciding(), &self.ahead) {
            (None, Some(ahead)) => Effect::AskValidators {
                request,
                member,
                hash: ahead.next_validators,
            },
            _ => Effect::AskHeaders {
                request,
                member,
                from,
                max: asking.max,
            },
        })
    }

    /// Who decides the headers that come next, and their hash; `None` if only the hash is known.
    fn deciding(&self) -> Option<(&ValidatorSet, Hash)> {
        match &self.ahead {
            Some(ahead) if ahead.next_validators != self.validators_hash => {
                Some((ahead.validators.as_ref()?, ahead.next_validators))
            }
            _ => Some((&self.validators, self.validators_hash)),
        }
    }

    /// Takes the validators that decide the headers that come next: their hash stands in a certified header.
    pub(crate) fn named(
        &mut self,
        now: Duration,
        config: &Config,
        peers: &mut Peers,
        (request, member): (RequestId, MemberId),
        validators: ValidatorSet,
    ) -> Option<Effect> {
        self.take(request, member)?;
        let ahead = self.ahead.as_mut()?;
        if validators.hash(&config.chain) == ahead.next_validators {
            ahead.validators = Some(validators.clone());
            return Some(Effect::KeepValidators(validators));
        }
        peers.suspect(now, member, config);
        Some(Effect::Blame {
            member,
            request,
            height: ahead.last.height.next(),
            fault: Fault::Validators,
            evidence: None,
        })
    }

    /// Headers of the next blocks to open.
    pub(crate) fn begin(&mut self, now: Duration) -> Vec<(BlockId, Header)> {
        let mut begun = Vec::new();
        for planned in self.plan.iter_mut().take(OPEN_MAX) {
            if matches!(planned.state, State::Waiting { not_before } if now >= not_before) {
                planned.state = State::Gathering;
                begun.push((planned.id, planned.header.clone()));
            }
        }
        begun
    }

    /// Whether a block is still wanted.
    pub(crate) fn is_planned(&self, block: &BlockId) -> bool {
        self.plan
            .iter()
            .take(OPEN_MAX)
            .any(|planned| planned.id == *block)
    }

    /// A block is open.
    pub(crate) fn opened(&mut self, block: &BlockId, opened: Opened) {
        if let Some(planned) = self.plan.iter_mut().find(|planned| planned.id == *block) {
            planned.state = State::Opened(Box::new(opened));
        }
    }

    /// A block could not be opened; it is tried again.
    pub(crate) fn put_off(&mut self, now: Duration, config: &Config, block: &BlockId) {
        if let Some(planned) = self.plan.iter_mut().find(|planned| planned.id == *block) {
            planned.state = State::Waiting {
                not_before: now.saturating_add(config.ask_timeout),
            };
        }
    }

    /// The next block to apply, once it is open and the one before it is applied.
    pub(crate) fn apply(&mut self) -> Option<Effect> {
        let planned = self.plan.front_mut()?;
        if !matches!(planned.state, State::Opened(_)) {
            return None;
        }
        let State::Opened(opened) = std::mem::replace(&mut planned.state, State::Applying) else {
            return None;
        };
        let Opened {
            commitment,
            body,
            share,
        } = *opened;
        Some(Effect::Apply(Box::new(CertifiedBlock {
            header: planned.header.clone(),
            commitment,
            body,
            share,
            certificate: planned.certificate.take().map(|certificate| *certificate),
        })))
    }

    /// When there is something to do.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        let waiting = self.plan.iter().take(OPEN_MAX);
        let waiting = waiting.filter_map(|planned| match planned.state {
            State::Waiting { not_before } => Some(not_before),
            _ => None,
        });
        waiting.chain(self.ask_wake).min()
    }

    /// The height after the last certified one, and that one's id.
    fn next(&self) -> (Height, BlockId) {
        if let Some(ahead) = &self.ahead {
            return (ahead.last.height.next(), ahead.last.id);
        }
        match self.plan.back() {
            Some(last) => (last.header.height.next(), last.id),
            None => (self.tip.height.next(), self.tip.id),
        }
    }

    fn move_tip(&mut self, tip: Tip) {
        self.tip = tip;
        self.behind_since = None;
    }

    fn wants(&mut self, now: Duration, config: &Config, peers: &Peers, from: Height) -> bool {
        let Some(best) = peers.best_tip().filter(|best| *best >= from) else {
            self.behind_since = None;
            return false;
        };
        if let Some(ahead) = &self.ahead {
            return from <= ahead.until;
        }
        if let Some(last) = self.plan.back() {
            // Other validators decide what comes next: the shell names them when it has applied this.
            return self.plan.len() <= PLAN_LOW && last.header.next_validators == self.validators_hash;
        }
        let patient_until = self
            .behind_since
            .get_or_insert(now)
            .saturating_add(config.patience);
        if best > from || now >= patient_until {
            return true;
        }
        self.ask_wake = Some(patient_until);
        false
    }

    fn take(&mut self, request: RequestId, member: MemberId) -> Option<Asking> {
        let mine = |asking: &Asking| asking.request == request && asking.member == member;
        let position = self.asking.iter().position(mine)?;
        Some(self.asking.remove(position))
    }

    fn extend(
        &mut self,
        now: Duration,
        headers: Vec<Header>,
        ids: Vec<BlockId>,
        certificate: Box<CommitCertificate>,
    ) -> Option<Effect> {
        self.asking.clear();
        self.batch_max = self.headers_max;
        if let Some(ahead) = &mut self.ahead {
            return ahead.extend(headers, ids, certificate);
        }
        for (header, id) in headers.into_iter().zip(ids) {
            self.plan.push_back(Planned {
                header,
                id,
                certificate: None,
                state: State::Waiting { not_before: now },
            });
        }
        if let Some(last) = self.plan.back_mut() {
            last.certificate = Some(certificate);
        }
        None
    }
}

impl Ahead {
    fn extend(
        &mut self,
        headers: Vec<Header>,
        ids: Vec<BlockId>,
        certificate: Box<CommitCertificate>,
    ) -> Option<Effect> {
        let headers: Vec<(BlockId, Header)> = ids.into_iter().zip(headers).collect();
        let marked = headers
            .iter()
            .filter(|(_, header)| header.height.get().is_multiple_of(SNAPSHOT_STEP));
        self.roots
            .extend(marked.map(|(_, header)| (header.height, header.state_root)));
        let (id, last) = headers.last()?;
        if self.next_validators != last.next_validators {
            self.next_validators = last.next_validators;
            self.validators = None;
        }
        self.last = Tip {
            height: last.height,
            id: *id,
        };
        Some(Effect::KeepHeaders { headers, certificate })
    }
}
