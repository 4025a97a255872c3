use crate::catch_up::{CatchUp, Opened};
use crate::deposits::Deposits;
use crate::gather::{Gather, Parceled, Step, What, WrongAnswer};
use crate::leap::{Around, Leap, is_far};
use crate::peers::Peers;
use crate::reads::{ReadKey, Reads};
use crate::repair::Repair;
use crate::{
    Config, DivergenceReason, Effect, Fault, Input, JobId, Purpose, ReadError, RepairFailure, RequestId,
    Resume, ShareRefusal, SyncPhase, SyncProgress, Tip,
};
use salus_seal::{OpenError, OpenedBlock, SealingError};
use salus_types::snapshot::SnapshotPart;
use salus_types::{
    BlockId, Header, Height, MemberId, SealedShare, ShareCommitment, SignedShare, Slot, ValidatorSet,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Key = (Purpose, Height, BlockId);

/// The archive. All state is in memory and none of it is precious: after a restart, make a new one.
#[derive(Debug)]
pub struct Archive {
    config: Config,
    peers: Peers,
    /// At most 32 for reads, 4 to catch up and 4 for repair.
    gathers: BTreeMap<Key, Gather>,
    reads: Reads,
    catch_up: CatchUp,
    leap: Leap,
    repair: Repair,
    /// The own tip when this node fell behind.
    behind_from: Option<Height>,
    deposits: Deposits,
}

impl Archive {
    /// An archive at its own tip. `validators` decide the heights after it; nobody is connected and nothing is missing.
    pub fn new(config: Config, tip: Tip, validators: ValidatorSet) -> Self {
        Self {
            peers: Peers::new(config.member),
            gathers: BTreeMap::new(),
            reads: Reads::default(),
            catch_up: CatchUp::new(&config, tip, validators),
            leap: Leap::default(),
            repair: Repair::default(),
            behind_from: None,
            deposits: Deposits::default(),
            config,
        }
    }

    /// Tells what an earlier life has fetched of a snapshot. Before anything else.
    pub fn resume(&mut self, resume: Resume) {
        self.leap.resume(resume);
    }

    /// How far this node is that is behind.
    pub fn sync_progress(&self) -> SyncProgress {
        let blocks = || {
            let (from, best) = (self.behind_from?, self.credible_tip()?);
            let above = |height: Height| height.get().saturating_sub(from.get());
            Some(SyncProgress {
                phase: SyncPhase::Blocks,
                done: above(self.tip().height),
                total: above(best),
            })
        };
        let leap = self.leap.progress(&self.catch_up);
        leap.or_else(blocks).unwrap_or_default()
    }

    /// Takes something that happened at `now`, time since any fixed moment, which never goes back. Returns what to do,
    /// in this order.
    pub fn handle(&mut self, now: Duration, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.take(now, input, &mut effects);
        self.advance(now, &mut effects);
        effects
    }

    /// When to call [`Self::handle`] with [`Input::Wake`], if nothing else happens before. May lie in the past.
    pub fn next_wake(&self) -> Option<Duration> {
        let gathers = self.gathers.values();
        gathers
            .filter_map(|gather| gather.next_wake(&self.config))
            .chain(self.catch_up.next_wake())
            .chain(
                self.leap
                    .next_wake(&self.config, is_far(&self.config, &self.peers, &self.catch_up)),
            )
            .chain(self.deposits.next_wake())
            .chain(self.repair.next_wake().filter(|_| self.can_repair()))
            .min()
    }

    /// Forgets everything about catching up and begins anew from this tip. Reads and repair go on.
    pub fn reset(&mut self, tip: Tip) {
        self.catch_up.reset(tip);
        self.drop_unplanned();
    }

    /// Whether validators keep deposits of blocks with this k, so that members should sign that they hold their shares.
    pub fn wants_receipts(&self, threshold: u16) -> bool {
        !self.catch_up.validators().certificate_suffices(threshold)
    }

    /// A height that other members have certainly reached: more of them say so than may lie. `None` as long as too few were
    /// heard; the own height where there are no other validators.
    pub fn credible_tip(&self) -> Option<Height> {
        let validators = self.catch_up.validators();
        if validators
            .iter()
            .all(|validator| validator.member == self.config.member)
        {
            return Some(self.tip().height);
        }
        self.peers.credible_tip(validators)
    }

    /// The last height that this node has.
    pub const fn tip(&self) -> Tip {
        self.catch_up.tip()
    }

    fn take(&mut self, now: Duration, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Wake => {}
            Input::Connected(member) => self.peers.set_connected(member, true),
            Input::Disconnected(member) => self.disconnected(member),
            Input::Holders(holders) => self.peers.set_holders(&holders),
            Input::Validators(validators) => {
                effects.extend(self.deposits.follow(&validators));
                self.catch_up.set_validators(&self.config.chain, validators);
            }
            Input::Open {
                job,
                purpose,
                header,
                resealed,
                own,
            } => {
                let key = (purpose, header.id(&self.config.chain));
                if let Err(error) = self.reads.add(job, key, (header, resealed), own) {
                    effects.push(Effect::Failed { job, error });
                }
            }
            Input::Cancel(job) => self.cancel(job),
            Input::Share {
                request,
                member,
                result,
            } => self.share(now, (request, member), result, effects),
            Input::Parcel {
                request,
                member,
                result,
            } => self.parcel(now, (request, member), result, effects),
            Input::Resealed {
                request,
                member,
                commitment,
                share,
            } => self.resealed(now, (request, member), *commitment, share),
            Input::Tip { member, height } => self.peers.set_tip(member, Some(height)),
            Input::Headers {
                request,
                member,
                headers,
                certificate,
            } => {
                let batch = (headers, certificate);
                let from = (request, member);
                let (config, peers) = (&self.config, &mut self.peers);
                effects.extend(self.catch_up.headers(now, config, peers, from, batch));
            }
            Input::HeadersRefused { request, member } => {
                let (config, peers) = (&self.config, &mut self.peers);
                self.catch_up.refused(now, config, peers, (request, member));
            }
            Input::Snapshots {
                request,
                member,
                offers,
            } => self.leap.offered(request, member, offers),
            Input::ValidatorsNamed {
                request,
                member,
                validators,
            } => {
                let (config, peers) = (&self.config, &mut self.peers);
                let from = (request, member);
                effects.extend(self.catch_up.named(now, config, peers, from, validators));
            }
            Input::Part {
                request,
                member,
                result,
            } => self.part(now, (request, member), result, effects),
            Input::Applied { height } => self.catch_up.applied(height),
            Input::Committed { height, id } => {
                effects.extend(self.catch_up.committed(Tip { height, id }));
                self.leap.committed(height, &mut self.catch_up);
                self.drop_unplanned();
            }
            Input::Missing(ranges) => self.missing(effects, |repair| repair.add(&ranges)),
            Input::Urgent(height) => self.missing(effects, |repair| repair.urge(height)),
            Input::Deposited { header, own } => {
                let (config, validators) = (&self.config, self.catch_up.validators());
                effects.extend(self.deposits.hold(now, config, validators, &header, own));
            }
            Input::Receipt(receipt) => {
                let (config, validators) = (&self.config, self.catch_up.validators());
                effects.extend(self.deposits.receipt(config, validators, &receipt));
            }
            Input::ReceiptAnswered { member } => self.deposits.answered(now, &self.config, member),
            Input::Header {
                height,
                header,
                resealed,
            } => self.begin_repair(now, height, header.zip(Some(resealed)), effects),
        }
    }

    fn disconnected(&mut self, member: MemberId) {
        self.peers.set_connected(member, false);
        self.catch_up.lost(member);
        self.leap.lost(member);
        self.deposits.lost(member);
        for gather in self.gathers.values_mut() {
            gather.lost(member);
        }
    }

    fn cancel(&mut self, job: JobId) {
        if let Some(key) = self.reads.cancel(job) {
            self.gathers
                .retain(|(purpose, _, block), _| (*purpose, *block) != key);
        }
    }

    fn missing(&mut self, effects: &mut Vec<Effect>, add: impl FnOnce(&mut Repair)) {
        let before = self.repair.progress();
        add(&mut self.repair);
        let after = self.repair.progress();
        if after != before {
            effects.push(Effect::Progress(after));
        }
    }

    fn part(
        &mut self,
        now: Duration,
        from: (RequestId, MemberId),
        result: Result<SnapshotPart, ShareRefusal>,
        effects: &mut Vec<Effect>,
    ) {
        let mut around = Around {
            now,
            config: &self.config,
            peers: &mut self.peers,
            catch_up: &mut self.catch_up,
        };
        effects.extend(self.leap.part(&mut around, from, result));
    }

    /// Looks whether to leap, and leaps.
    fn advance_leap(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let mut around = Around {
            now,
            config: &self.config,
            peers: &mut self.peers,
            catch_up: &mut self.catch_up,
        };
        let went_ahead = around.catch_up.ahead().is_some();
        effects.extend(self.leap.advance(&mut around));
        if self.catch_up.ahead().is_some() && !went_ahead {
            self.drop_unplanned();
        }
        let tip = self.catch_up.tip().height;
        self.behind_from = self.is_behind().then(|| self.behind_from.unwrap_or(tip));
    }

    /// Whether others have more than one block beyond the own tip: one may be on its way right now.
    fn is_behind(&self) -> bool {
        let tip = self.catch_up.tip().height;
        self.credible_tip().is_some_and(|best| best > tip.next())
    }

    fn share(
        &mut self,
        now: Duration,
        from: (RequestId, MemberId),
        result: Result<SignedShare, ShareRefusal>,
        effects: &mut Vec<Effect>,
    ) {
        let (request, member) = from;
        let mut gathers = self.gathers.values_mut();
        let Some(gather) = gathers.find(|gather| gather.knows(request)) else {
            return;
        };
        let height = gather.height();
        if let Err(WrongAnswer { error, evidence }) =
            gather.answer(now, &self.config, &mut self.peers, from, result)
        {
            self.peers.suspect(now, member, &self.config);
            tracing::warn!(%member, %height, %error, "a holder signed a wrong share");
            effects.push(Effect::Blame {
                member,
                request,
                height,
                fault: Fault::Share(error),
                evidence: Some(evidence),
            });
        }
    }

    fn parcel(
        &mut self,
        now: Duration,
        from: (RequestId, MemberId),
        result: Result<SealedShare, ShareRefusal>,
        effects: &mut Vec<Effect>,
    ) {
        let (request, member) = from;
        let mut gathers = self.gathers.iter_mut();
        let Some((key, gather)) = gathers.find(|(_, gather)| gather.knows(request)) else {
            return;
        };
        let (key, height) = (*key, gather.height());
        match gather.parcel(now, &mut self.peers, from, result) {
            Parceled::None => {}
            Parceled::Own(share) => {
                let header = Box::new(gather.header().clone());
                effects.push(Effect::KeepShare { header, share });
                self.own_share_back(now, key, effects);
            }
            Parceled::Bad => {
                self.peers.suspect(now, member, &self.config);
                tracing::warn!(%member, %height, "what a member had deposited is not the own share");
            }
        }
    }

    /// A deposit gave the own share back: that is all that repair wants.
    fn own_share_back(&mut self, now: Duration, key: Key, effects: &mut Vec<Effect>) {
        let (purpose, height, _) = key;
        if purpose == Purpose::Repair {
            self.gathers.remove(&key);
            self.repair.finish(now, &self.config, height, true);
            effects.push(Effect::Progress(self.repair.progress()));
        }
    }

    fn resealed(
        &mut self,
        now: Duration,
        from: (RequestId, MemberId),
        commitment: ShareCommitment,
        share: SealedShare,
    ) {
        // Of former members, who may hold shares still, any number may be faulty.
        let vouches = self.catch_up.validators().get(from.1).is_some();
        let gathers = self.gathers.values_mut();
        if let Some(gather) = gathers.into_iter().find(|gather| gather.knows(from.0)) {
            gather.resealed(now, &mut self.peers, from, (commitment, share), vouches);
        }
    }

    /// Lets everything move on until nothing more happens at this time.
    fn advance(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        loop {
            self.advance_leap(now, effects);
            self.begin_reads(now, effects);
            let (config, peers) = (&self.config, &mut self.peers);
            effects.extend(self.catch_up.ask(now, config, peers));
            for (block, header) in self.catch_up.begin(now) {
                self.begin_sync(now, block, header, effects);
            }
            effects.extend(self.catch_up.apply());
            let (config, peers) = (&self.config, &self.peers);
            effects.extend(self.deposits.ask(now, config, peers));
            while self.can_repair()
                && let Some(height) = self.repair.begin(now)
            {
                effects.push(Effect::NeedHeader { height });
            }
            if !self.advance_gathers(now, effects) {
                return;
            }
        }
    }

    /// Whether some gather ended, which makes room for others.
    fn advance_gathers(&mut self, now: Duration, effects: &mut Vec<Effect>) -> bool {
        let mut ended = Vec::new();
        for (key, gather) in &mut self.gathers {
            match gather.advance(now, &self.config, &mut self.peers) {
                Step::Ask(asks) => {
                    let (purpose, height, block) = *key;
                    let share_root = gather.share_root();
                    effects.extend(asks.into_iter().map(|(request, member, what)| match what {
                        What::Share => Effect::AskShare {
                            request,
                            member,
                            height,
                            block,
                            share_root,
                            purpose,
                        },
                        What::Parcel => Effect::AskParcel {
                            request,
                            member,
                            header: Box::new(gather.header().clone()),
                        },
                    }))
                }
                Step::Done(result) => ended.push((*key, result)),
            }
        }
        let some = !ended.is_empty();
        for (key, result) in ended {
            self.gathers.remove(&key);
            let (purpose, height, block) = key;
            match purpose {
                Purpose::Read | Purpose::Reseal => self.end_read(&(purpose, block), *result, effects),
                Purpose::Sync => self.end_sync(now, height, &block, *result, effects),
                Purpose::Repair => self.end_repair(now, height, *result, effects),
            }
        }
        some
    }

    /// A gather that believes a later dealing once one honest member vouches for it.
    fn gather(
        &self,
        now: Duration,
        header: Header,
        resealed: Option<ShareCommitment>,
    ) -> Result<Gather, SealingError> {
        let witnesses = self.catch_up.faulty_max().saturating_add(1);
        // Of what validators of another time had to keep, the present ones say nothing.
        let parcels = self.wants_receipts(header.sealing.threshold)
            || header.validators != self.catch_up.validators_hash();
        Gather::new(now, &self.config, (header, resealed), (witnesses, parcels))
    }

    fn begin_reads(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        while let Some(waiting) = self.reads.begin() {
            let ((purpose, block), height) = (waiting.key, waiting.header.height);
            let resealed = waiting.resealed.map(|resealed| *resealed);
            let mut gather = match self.gather(now, *waiting.header, resealed) {
                Ok(gather) => gather,
                Err(error) => {
                    self.end_read(&waiting.key, Err(ReadError::Header(error)), effects);
                    continue;
                }
            };
            if let Some(Err(error)) = waiting.own.map(|own| gather.offer_own(own)) {
                effects.push(Effect::OwnShareDamaged { height, error });
            }
            self.gathers.insert((purpose, height, block), gather);
        }
    }

    fn end_read(&mut self, key: &ReadKey, result: Result<OpenedBlock, ReadError>, effects: &mut Vec<Effect>) {
        let jobs = self.reads.finish(key).into_iter();
        match result.map(Arc::new) {
            Ok(block) => effects.extend(jobs.map(|job| Effect::Opened {
                job,
                block: Arc::clone(&block),
            })),
            Err(error) => effects.extend(jobs.map(|job| Effect::Failed {
                job,
                error: error.clone(),
            })),
        }
    }

    fn begin_sync(&mut self, now: Duration, block: BlockId, header: Header, effects: &mut Vec<Effect>) {
        let height = header.height;
        match self.gather(now, header, None) {
            Ok(gather) => {
                self.gathers.insert((Purpose::Sync, height, block), gather);
            }
            Err(error) => {
                self.catch_up.put_off(now, &self.config, &block);
                effects.push(unopenable(height, OpenError::Sealing(error)));
            }
        }
    }

    fn end_sync(
        &mut self,
        now: Duration,
        height: Height,
        block: &BlockId,
        result: Result<OpenedBlock, ReadError>,
        effects: &mut Vec<Effect>,
    ) {
        let opened = result.and_then(|opened| {
            let share = own_share(&opened, self.config.slot)?;
            Ok(Opened {
                commitment: *opened.commitment(),
                body: opened.body().to_vec(),
                share,
            })
        });
        match opened {
            Ok(opened) => self.catch_up.opened(block, opened),
            Err(error) => {
                tracing::debug!(%height, %error, "a block could not be opened to catch up; it is tried again");
                self.catch_up.put_off(now, &self.config, block);
                effects.extend(divergence(height, &error));
            }
        }
    }

    fn begin_repair(
        &mut self,
        now: Duration,
        height: Height,
        known: Option<(Box<Header>, Option<Box<ShareCommitment>>)>,
        effects: &mut Vec<Effect>,
    ) {
        if !self.repair.is_running(height) {
            return;
        }
        let gather = known
            .filter(|(header, _)| header.height == height)
            .and_then(|(header, resealed)| {
                let block = header.id(&self.config.chain);
                self.repair.spend(now, &self.config, &header);
                let gather = self
                    .gather(now, *header, resealed.map(|resealed| *resealed))
                    .ok()?;
                Some((block, gather.frugal()))
            });
        match gather {
            Some((block, gather)) => {
                self.gathers.insert((Purpose::Repair, height, block), gather);
            }
            None => {
                self.repair.finish(now, &self.config, height, false);
                let reason = RepairFailure::NoHeader;
                effects.push(Effect::NotRepaired { height, reason });
            }
        }
    }

    fn end_repair(
        &mut self,
        now: Duration,
        height: Height,
        result: Result<OpenedBlock, ReadError>,
        effects: &mut Vec<Effect>,
    ) {
        let opened = result.and_then(|opened| {
            let share = own_share(&opened, self.config.slot)?;
            let commitment = Box::new(*opened.commitment());
            Ok((opened.body().to_vec(), commitment, share))
        });
        match opened {
            Ok((body, commitment, share)) => {
                effects.push(Effect::Body { height, body });
                match share {
                    Some(share) => {
                        self.repair.finish(now, &self.config, height, true);
                        effects.push(Effect::StoreShare {
                            height,
                            commitment,
                            share,
                        });
                    }
                    None => {
                        self.repair.drop(height);
                        effects.push(Effect::NothingToKeep { height });
                    }
                }
            }
            Err(error) => {
                self.repair.finish(now, &self.config, height, false);
                effects.extend(divergence(height, &error));
                let reason = RepairFailure::Read(error);
                effects.push(Effect::NotRepaired { height, reason });
            }
        }
        effects.push(Effect::Progress(self.repair.progress()));
    }

    /// With fewer than k holders at hand, repair would only shuffle its list. And what was resealed above the own tip is not
    /// known yet: it waits until this node has caught up.
    fn can_repair(&self) -> bool {
        self.peers.holders_connected() >= self.catch_up.threshold() && !self.is_behind()
    }

    fn drop_unplanned(&mut self) {
        let catch_up = &self.catch_up;
        self.gathers
            .retain(|(purpose, _, block), _| *purpose != Purpose::Sync || catch_up.is_planned(block));
    }
}

/// The own share of an opened block; `None` if the own slot was not dealt in it.
fn own_share(opened: &OpenedBlock, slot: Slot) -> Result<Option<SealedShare>, OpenError> {
    match opened.rederive(slot) {
        Ok(share) => Ok(Some(share)),
        Err(OpenError::SlotOutOfRange { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a failure says about the chain, if it says more than that someone is away.
fn divergence(height: Height, error: &ReadError) -> Option<Effect> {
    match error {
        ReadError::Unopenable(
            error @ (OpenError::NotAuthentic(_)
            | OpenError::Payload(_)
            | OpenError::Commitment(_)
            | OpenError::ShareRoot(_)),
        ) => Some(unopenable(height, *error)),
        _ => None,
    }
}

fn unopenable(height: Height, error: OpenError) -> Effect {
    Effect::Diverged {
        height,
        reason: DivergenceReason::Unopenable(error),
    }
}
