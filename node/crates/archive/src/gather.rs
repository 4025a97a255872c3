//! Gathers the shares of one block until k are good, and opens it.

use crate::peers::Peers;
use crate::{Config, ReadError, RequestId, ShareRefusal, Shortfall};
use salus_seal::{
    AnswerError, AskedShare, CheckedShare, Layout, OpenedBlock, SealingError, ShareError, open,
};
use salus_types::{BlockId, Header, Height, MemberId, SealedShare, SignedShare, Slot, WrongShare};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One block, asked for until it opens or everyone has been asked often enough.
#[derive(Debug)]
pub(crate) struct Gather {
    header: Header,
    block: BlockId,
    need: usize,
    /// Of distinct slots.
    good: Vec<CheckedShare>,
    /// What was asked and not answered, of all attempts: late answers count.
    asks: BTreeMap<RequestId, Ask>,
    /// Whom the current attempt has asked.
    asked: BTreeSet<MemberId>,
    /// Why a member gave no share, the latest word.
    notes: BTreeMap<MemberId, Note>,
    attempt: u32,
    /// Something failed in this attempt: ask everyone.
    failed: bool,
    /// Never asks for more shares than are needed, though it may take longer.
    frugal: bool,
    /// How many more than needed are asked.
    extra: usize,
    hedge_at: Duration,
    /// The pause between attempts.
    resume_at: Option<Duration>,
    /// Whether someone is left to ask in this attempt.
    more: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ask {
    member: MemberId,
    sent: Duration,
    overdue: bool,
}

#[derive(Clone, Copy, Debug)]
enum Note {
    Silent,
    Refused(ShareRefusal),
    Wrong,
}

/// A wrong share under its holder's signature.
#[derive(Debug)]
pub(crate) struct WrongAnswer {
    pub(crate) error: ShareError,
    pub(crate) evidence: Box<WrongShare>,
}

/// What to do next.
pub(crate) enum Step {
    /// Ask these, then wait.
    Ask(Vec<(RequestId, MemberId)>),
    /// It is over.
    Done(Box<Result<OpenedBlock, ReadError>>),
}

impl Gather {
    pub(crate) fn new(now: Duration, config: &Config, header: Header) -> Result<Self, SealingError> {
        let need = Layout::of(header.sealing)?.threshold();
        Ok(Self {
            block: header.id(&config.chain),
            header,
            need,
            good: Vec::new(),
            asks: BTreeMap::new(),
            asked: BTreeSet::new(),
            notes: BTreeMap::new(),
            attempt: 1,
            failed: false,
            frugal: false,
            extra: 0,
            hedge_at: now.saturating_add(config.hedge_delay),
            resume_at: None,
            more: true,
        })
    }

    /// Asks for no share twice, even if that takes longer: what nobody waits for should cost least.
    pub(crate) fn frugal(self) -> Self {
        Self { frugal: true, ..self }
    }

    pub(crate) const fn height(&self) -> Height {
        self.header.height
    }

    pub(crate) fn knows(&self, request: RequestId) -> bool {
        self.asks.contains_key(&request)
    }

    /// Adds the own share.
    pub(crate) fn offer_own(&mut self, share: SealedShare) -> Result<(), ShareError> {
        CheckedShare::check(share, &self.header).map(|share| self.keep(share))
    }

    /// Takes an answer; `Err` if no honest holder gives it.
    pub(crate) fn answer(
        &mut self,
        now: Duration,
        config: &Config,
        peers: &mut Peers,
        (request, member): (RequestId, MemberId),
        result: Result<SignedShare, ShareRefusal>,
    ) -> Result<(), WrongAnswer> {
        // An answer in another's name is not that member's.
        if self.asks.get(&request).is_none_or(|ask| ask.member != member) {
            return Ok(());
        }
        let Some(ask) = self.asks.remove(&request) else {
            return Ok(());
        };
        let checked = result.map(|answer| self.check(config, peers, member, answer));
        let (note, outcome) = match checked {
            Ok(Ok(share)) => {
                peers.answered(member, now.saturating_sub(ask.sent));
                self.notes.remove(&member);
                self.keep(share);
                return Ok(());
            }
            Ok(Err(AnswerError::Wrong { error, evidence })) => {
                (Note::Wrong, Err(WrongAnswer { error, evidence }))
            }
            Ok(Err(AnswerError::Spoiled(error))) => {
                tracing::warn!(%member, height = %self.header.height, %error, "an answer was spoiled");
                peers.silent(member, config);
                (Note::Refused(ShareRefusal::Unreachable), Ok(()))
            }
            Err(refusal) => (Note::Refused(refusal), Ok(())),
        };
        self.failed = true;
        self.notes.insert(member, note);
        outcome
    }

    /// Checks a share against the header, and against whom it came from.
    fn check(
        &self,
        config: &Config,
        peers: &Peers,
        member: MemberId,
        answer: SignedShare,
    ) -> Result<CheckedShare, AnswerError> {
        let Some(holder) = peers.holder(member) else {
            // It has left since it was asked. Without its key nothing can be held against it.
            return CheckedShare::check(answer.share, &self.header).map_err(AnswerError::Spoiled);
        };
        let asked = AskedShare {
            chain: &config.chain,
            block: self.block,
            dealing: (&self.header).into(),
            holder: &holder,
        };
        CheckedShare::check_answer(answer, &asked)
    }

    /// What a member was asked will not be answered.
    pub(crate) fn lost(&mut self, member: MemberId) {
        let before = self.asks.len();
        self.asks.retain(|_, ask| ask.member != member);
        if self.asks.len() < before {
            self.failed = true;
            self.notes
                .insert(member, Note::Refused(ShareRefusal::Unreachable));
        }
    }

    /// Moves on to `now`.
    pub(crate) fn advance(&mut self, now: Duration, config: &Config, peers: &mut Peers) -> Step {
        if self.good.len() >= self.need {
            let opened = open(&self.header, &config.chain, &self.good);
            return Step::Done(Box::new(opened.map_err(ReadError::Unopenable)));
        }
        self.note_silence(now, config, peers);
        if let Some(resume_at) = self.resume_at {
            if now < resume_at {
                return Step::Ask(Vec::new());
            }
            // The second round asks everyone at once.
            self.resume_at = None;
            self.attempt = self.attempt.saturating_add(1);
            self.failed = true;
            self.asked.clear();
        }
        if now >= self.hedge_at && !self.frugal {
            self.extra = self.extra.saturating_add(1);
            self.hedge_at = now.saturating_add(config.hedge_delay);
        }
        let asks = self.ask(now, peers);
        if self.more || self.pending() > 0 {
            return Step::Ask(asks);
        }
        if self.attempt >= config.attempts {
            return Step::Done(Box::new(Err(self.shortfall(peers))));
        }
        let pause = config.retry_delay.saturating_mul(self.attempt);
        self.resume_at = Some(now.saturating_add(pause));
        Step::Ask(asks)
    }

    /// When to be advanced again.
    pub(crate) fn next_wake(&self, config: &Config) -> Option<Duration> {
        let hedge = (self.more && !self.failed && !self.frugal).then_some(self.hedge_at);
        let silence = self
            .asks
            .values()
            .filter(|ask| !ask.overdue)
            .map(|ask| ask.sent.saturating_add(config.ask_timeout))
            .min();
        match self.resume_at {
            Some(at) => Some(at),
            None => hedge.into_iter().chain(silence).min(),
        }
    }

    fn keep(&mut self, share: CheckedShare) {
        // A share of a slot that is here already is as good as none, and no fault: the list of holders may be old.
        if self.good.iter().all(|kept| kept.slot() != share.slot()) {
            self.good.push(share);
        }
    }

    fn note_silence(&mut self, now: Duration, config: &Config, peers: &mut Peers) {
        for ask in self.asks.values_mut().filter(|ask| !ask.overdue) {
            if now >= ask.sent.saturating_add(config.ask_timeout) {
                ask.overdue = true;
                self.failed = true;
                self.notes.insert(ask.member, Note::Silent);
                peers.silent(ask.member, config);
            }
        }
    }

    fn pending(&self) -> usize {
        self.asks.values().filter(|ask| !ask.overdue).count()
    }

    fn ask(&mut self, now: Duration, peers: &mut Peers) -> Vec<(RequestId, MemberId)> {
        let missing = self.need.saturating_sub(self.good.len());
        let target = match self.failed && !self.frugal {
            true => usize::MAX,
            false => missing.saturating_add(self.extra),
        };
        let mut candidates = self.candidates(now, peers).into_iter();
        let room = target.saturating_sub(self.pending());
        let mut asks = Vec::new();
        for member in candidates.by_ref().take(room) {
            let request = peers.next_request();
            self.asked.insert(member);
            self.asks.insert(
                request,
                Ask {
                    member,
                    sent: now,
                    overdue: false,
                },
            );
            asks.push((request, member));
        }
        self.more = candidates.next().is_some();
        asks
    }

    /// Holders not yet asked in this attempt whose slot is not at hand.
    fn candidates(&self, now: Duration, peers: &Peers) -> Vec<MemberId> {
        let at_hand: BTreeSet<Slot> = self.good.iter().map(CheckedShare::slot).collect();
        let holders = peers.holders(now).into_iter();
        holders
            .filter(|(member, slot)| !self.asked.contains(member) && !at_hand.contains(slot))
            .map(|(member, _)| member)
            .collect()
    }

    fn shortfall(&self, peers: &Peers) -> ReadError {
        let mut shortfall = Shortfall {
            good: self.good.len(),
            need: self.need,
            away: peers.away(),
            ..Shortfall::default()
        };
        for (member, note) in &self.notes {
            match note {
                Note::Silent => shortfall.silent.push(*member),
                Note::Refused(refusal) => shortfall.refused.push((*member, *refusal)),
                Note::Wrong => shortfall.wrong.push(*member),
            }
        }
        ReadError::Shortfall(Box::new(shortfall))
    }
}
