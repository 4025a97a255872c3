//! Gathers the shares of one block until k are good, and opens it.

use crate::peers::Peers;
use crate::{Config, ReadError, RequestId, ShareRefusal, Shortfall};
use salus_seal::{
    AnswerError, AskedShare, CheckedShare, Layout, OpenedBlock, SealingError, ShareError, open,
};
use salus_types::{
    BlockId, Hash, Header, Height, MemberId, SealedShare, ShareCommitment, SignedShare, Slot, WrongShare,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Members asked for a parcel at once: each sends as much as a share.
const PARCELS_MAX: usize = 2;

/// One block, asked for until it opens or everyone has been asked often enough.
#[derive(Debug)]
pub(crate) struct Gather {
    header: Header,
    block: BlockId,
    /// The dealing whose shares are gathered: the header's own, or a later one.
    commitment: ShareCommitment,
    /// Members that must vouch for a later dealing before it is believed: one more than may be faulty.
    witnesses: usize,
    /// Shares of later dealings, each under the dealing that its holder says is in force.
    claims: BTreeMap<MemberId, (ShareCommitment, CheckedShare)>,
    need: usize,
    /// Whether members may keep the own share in their deposits.
    parcels: bool,
    /// Of distinct slots.
    good: Vec<CheckedShare>,
    /// What was asked and not answered, of all attempts: late answers count.
    asks: BTreeMap<RequestId, Ask>,
    /// Whom the current attempt has asked.
    asked: BTreeSet<MemberId>,
    /// Whom it has asked for a parcel.
    asked_parcel: BTreeSet<MemberId>,
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
    what: What,
    sent: Duration,
    overdue: bool,
}

/// What a member is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Its share.
    Share,
    /// What its deposit holds of the own share.
    Parcel,
}

/// What a parcel was.
#[derive(Debug)]
pub(crate) enum Parceled {
    /// None came, or nobody waits for it.
    None,
    /// The own share.
    Own(SealedShare),
    /// No share of this block. Only the own key shows that, so it proves nothing to others.
    Bad,
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
    Ask(Vec<(RequestId, MemberId, What)>),
    /// It is over.
    Done(Box<Result<OpenedBlock, ReadError>>),
}

impl Gather {
    /// `resealed` is the dealing in force, if it is not the header's own; `witnesses` must vouch for a later one; `parcels`:
    /// whether members may keep the own share of the header's dealing in their deposits.
    pub(crate) fn new(
        now: Duration,
        config: &Config,
        (header, resealed): (Header, Option<ShareCommitment>),
        (witnesses, parcels): (usize, bool),
    ) -> Result<Self, SealingError> {
        let commitment = resealed.unwrap_or_else(|| (&header).into());
        let need = Layout::of(commitment.sealing)?.threshold();
        Ok(Self {
            block: header.id(&config.chain),
            header,
            commitment,
            witnesses,
            claims: BTreeMap::new(),
            need,
            parcels,
            good: Vec::new(),
            asks: BTreeMap::new(),
            asked: BTreeSet::new(),
            asked_parcel: BTreeSet::new(),
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
        self.commitment.height
    }

    /// Of which dealing shares are asked for.
    pub(crate) const fn share_root(&self) -> Hash {
        self.commitment.share_root
    }

    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn knows(&self, request: RequestId) -> bool {
        self.asks.contains_key(&request)
    }

    /// Adds the own share.
    pub(crate) fn offer_own(&mut self, share: SealedShare) -> Result<(), ShareError> {
        CheckedShare::check(share, self.commitment).map(|share| self.keep(share))
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
        let Some(ask) = self.take_ask(request, member, What::Share) else {
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
                tracing::warn!(%member, height = %self.commitment.height, %error, "an answer was spoiled");
                peers.silent(member, config);
                (Note::Refused(ShareRefusal::Unreachable), Ok(()))
            }
            Err(refusal) => (Note::Refused(refusal), Ok(())),
        };
        self.failed = true;
        self.notes.insert(member, note);
        outcome
    }

    /// Takes the own share that was put together from a member's deposit.
    pub(crate) fn parcel(
        &mut self,
        now: Duration,
        peers: &mut Peers,
        (request, member): (RequestId, MemberId),
        result: Result<SealedShare, ShareRefusal>,
    ) -> Parceled {
        let Some(ask) = self.take_ask(request, member, What::Parcel) else {
            return Parceled::None;
        };
        let Ok(share) = result else {
            return Parceled::None;
        };
        peers.answered(member, now.saturating_sub(ask.sent));
        match CheckedShare::check(share, &self.header) {
            Ok(_) if self.commitment.is_reseal() => Parceled::None,
            Ok(share) => {
                self.keep(share.clone());
                Parceled::Own(share.into_share())
            }
            Err(_) => Parceled::Bad,
        }
    }

    /// An answer in another's name is not that member's, and one to another question is none.
    fn take_ask(&mut self, request: RequestId, member: MemberId, what: What) -> Option<Ask> {
        let ask = self.asks.get(&request)?;
        if ask.member != member || ask.what != what {
            return None;
        }
        self.asks.remove(&request)
    }

    /// Checks a share against the dealing, and against whom it came from.
    fn check(
        &self,
        config: &Config,
        peers: &Peers,
        member: MemberId,
        answer: SignedShare,
    ) -> Result<CheckedShare, AnswerError> {
        let Some(holder) = peers.holder(member) else {
            // It has left since it was asked. Without its key nothing can be held against it.
            return CheckedShare::check(answer.share, self.commitment).map_err(AnswerError::Spoiled);
        };
        let asked = AskedShare {
            chain: &config.chain,
            block: self.block,
            dealing: self.commitment,
            holder: &holder,
        };
        CheckedShare::check_answer(answer, &asked)
    }

    /// Takes the answer that the block was resealed. It is believed once enough members that vouch for it (present validators)
    /// say the same; until then it accuses nobody, whatever is wrong with it: this node does not know yet which dealing is in force.
    pub(crate) fn resealed(
        &mut self,
        now: Duration,
        peers: &mut Peers,
        (request, member): (RequestId, MemberId),
        (commitment, share): (ShareCommitment, SealedShare),
        vouches: bool,
    ) {
        if self.asks.get(&request).is_none_or(|ask| ask.member != member) {
            return;
        }
        let Some(ask) = self.asks.remove(&request) else {
            return;
        };
        peers.answered(member, now.saturating_sub(ask.sent));
        self.notes.remove(&member);
        let is_later = commitment.height == self.height() && commitment.dealt_at > self.commitment.dealt_at;
        match CheckedShare::check(share, commitment) {
            Ok(share) if commitment == self.commitment => return self.keep(share),
            Ok(share) if is_later && vouches => {
                self.claims.insert(member, (commitment, share));
            }
            _ => {}
        }
        self.notes.insert(member, Note::Refused(ShareRefusal::NotHeld));
        self.failed = true;
        let vouching = self.claims.values().filter(|(claimed, _)| *claimed == commitment);
        if vouching.count() >= self.witnesses {
            self.turn_to(commitment);
        }
    }

    /// Goes on with a later dealing, and with the shares of it that are here.
    fn turn_to(&mut self, commitment: ShareCommitment) {
        let Ok(layout) = Layout::of(commitment.sealing) else {
            return;
        };
        self.commitment = commitment;
        self.need = layout.threshold();
        self.good.clear();
        self.asked = self.asks.values().map(|ask| ask.member).collect();
        for (member, (claimed, share)) in std::mem::take(&mut self.claims) {
            if claimed == commitment {
                self.asked.insert(member);
                self.notes.remove(&member);
                self.keep(share);
            }
        }
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
            let opened = open(self.commitment, &config.chain, &self.good);
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
            self.asked_parcel.clear();
        }
        if now >= self.hedge_at && !self.frugal {
            self.extra = self.extra.saturating_add(1);
            self.hedge_at = now.saturating_add(config.hedge_delay);
        }
        let mut asks = self.ask(now, peers);
        if !self.more && self.pending(What::Share) == 0 {
            asks.extend(self.ask_parcels(now, config, peers));
        }
        if self.more || self.pending(What::Share) > 0 || self.pending(What::Parcel) > 0 {
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
                if ask.what == What::Share {
                    self.notes.insert(ask.member, Note::Silent);
                }
                peers.silent(ask.member, config);
            }
        }
    }

    fn pending(&self, what: What) -> usize {
        let waits = |ask: &&Ask| !ask.overdue && ask.what == what;
        self.asks.values().filter(waits).count()
    }

    fn ask(&mut self, now: Duration, peers: &mut Peers) -> Vec<(RequestId, MemberId, What)> {
        let missing = self.need.saturating_sub(self.good.len());
        let target = match self.failed && !self.frugal {
            true => usize::MAX,
            false => missing.saturating_add(self.extra),
        };
        let mut candidates = self.candidates(now, peers).into_iter();
        let room = target.saturating_sub(self.pending(What::Share));
        let mut asks = Vec::new();
        for member in candidates.by_ref().take(room) {
            self.asked.insert(member);
            asks.push(self.note_ask(now, peers, member, What::Share));
        }
        self.more = candidates.next().is_some();
        asks
    }

    /// Everyone was asked for a share, and there are too few: whoever keeps a deposit gives the own one back.
    fn ask_parcels(
        &mut self,
        now: Duration,
        config: &Config,
        peers: &mut Peers,
    ) -> Vec<(RequestId, MemberId, What)> {
        let have_own = self.good.iter().any(|share| share.slot() == config.slot);
        let dealt = self.header.sealing.slots > config.slot.get() && !self.commitment.is_reseal();
        if !self.parcels || have_own || !dealt {
            return Vec::new();
        }
        let room = PARCELS_MAX.saturating_sub(self.pending(What::Parcel));
        let holders = peers.holders(now).into_iter();
        let next: Vec<MemberId> = holders
            .map(|(member, _)| member)
            .filter(|member| !self.asked_parcel.contains(member))
            .take(room)
            .collect();
        next.into_iter()
            .map(|member| {
                self.asked_parcel.insert(member);
                self.note_ask(now, peers, member, What::Parcel)
            })
            .collect()
    }

    fn note_ask(
        &mut self,
        now: Duration,
        peers: &mut Peers,
        member: MemberId,
        what: What,
    ) -> (RequestId, MemberId, What) {
        let request = peers.next_request();
        let ask = Ask {
            member,
            what,
            sent: now,
            overdue: false,
        };
        self.asks.insert(request, ask);
        (request, member, what)
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
