//! The archive's thread: it carries out what [`salus_archive`] decides, and hands opened blocks to who wants them.

mod depositing;
mod leap;
mod upkeep;

pub(crate) use leap::resume;

use crate::chain::{self, Missed};
use crate::config::Config;
use crate::courier::{Answer, Courier};
use crate::view::{View, resealing};
use crate::wire::{HEADERS_MAX, LARGE_MAX, ShareAnswer, ShareAsk, SharePurpose, Withheld};
use salus_archive::{
    Archive, CertifiedBlock, Effect, Input, JobId, Purpose, ReadError, RepairFailure, RepairProgress,
    RequestId, ShareRefusal, Tip,
};
use salus_net::{Protocol, RequestError, SendError};
use salus_seal::{OpenedBlock, ShareError};
use salus_store::StoreError;
use salus_types::{
    BlockId, Evidence, Hash, Header, Height, MemberId, SealedShare, ShareCommitment, ShareReceipt,
    SignedOpenRequest, Validator, ValidatorSet, codec,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;
use tokio::sync::oneshot;
use upkeep::Upkeep;

/// How often the log says how far repair is.
const TELL_INTERVAL: Duration = Duration::from_secs(5);
/// Ranges of lost shares that are announced at once.
const RANGES_MAX: usize = 1_024;

/// Everything that can happen to the archive's thread.
pub(crate) enum Event {
    Connected(MemberId),
    Disconnected(MemberId),
    /// A peer says how far it is.
    Tip {
        member: MemberId,
        height: Height,
    },
    /// The chain's loop committed a block.
    Committed {
        height: Height,
        id: BlockId,
        members: Box<Members>,
    },
    /// The chain's loop took over a snapshot.
    Installed {
        tip: Tip,
        members: Box<Members>,
    },
    /// The chain's loop wants the body of a block that was decided without it.
    Gather(Box<Header>),
    /// The chain's loop wants a block opened, to deal it anew.
    Unseal(Box<Header>),
    /// Somebody wants a block opened.
    Open {
        header: Box<Header>,
        /// Whose wish it is, where the open policy asks for it.
        wish: Option<SignedOpenRequest>,
        reply: oneshot::Sender<Result<Arc<OpenedBlock>, ReadError>>,
    },
    /// A member answered.
    Answered {
        request: RequestId,
        member: MemberId,
        answer: Answer,
    },
    /// The own share of a committed block was found damaged; it counts as lost already.
    Damaged(Height),
    /// Somebody asked for the own share of a committed block, and it is not there.
    Wanted(Height),
    /// A member says that it holds shares.
    Receipt(Box<ShareReceipt>),
    /// A member was asked for such a statement.
    ReceiptAnswered {
        member: MemberId,
        answer: Answer,
    },
    /// A member was asked for what it keeps of the own share.
    ParcelAnswered {
        request: RequestId,
        member: MemberId,
        header: Box<Header>,
        answer: Answer,
    },
    Stop,
}

/// What the archive knows of the members after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    /// They decide the height after it.
    pub(crate) validators: ValidatorSet,
    /// Whom to ask for shares, and for which.
    pub(crate) holders: Vec<Validator>,
}

/// Who waits for a job.
enum Waiting {
    Reader {
        block: BlockId,
        reply: oneshot::Sender<Result<Arc<OpenedBlock>, ReadError>>,
    },
    Chain(Box<Header>),
    Reseal(Height),
}

/// The thread's state.
pub(crate) struct Archivist {
    view: Arc<View>,
    courier: Arc<Courier>,
    chain: SyncSender<chain::Event>,
    inbox: Receiver<Event>,
    inbox_sender: SyncSender<Event>,
    archive: Archive,
    /// What the archive was told last.
    members: Members,
    waiting: BTreeMap<JobId, Waiting>,
    next_job: u64,
    /// Whose wish the reads that go on follow. Every reader was checked here before; any one's wish convinces the holders.
    wishes: BTreeMap<BlockId, SignedOpenRequest>,
    upkeep: Upkeep,
    /// When the log says again how far repair is.
    tell_at: Duration,
    deposits: depositing::Watch,
}

/// The own share of a dealing of a block for who asks for it outside this thread, which hears of it if the share is damaged
/// or gone.
pub(crate) fn own_share(
    view: &View,
    archive: &SyncSender<Event>,
    (height, block): (Height, &BlockId),
    share_root: &Hash,
) -> Result<Option<SealedShare>, StoreError> {
    let (share, event) = match share_of(view, block, share_root) {
        Ok(None) => (Ok(None), Event::Wanted(height)),
        Err(StoreError::ShareDamaged(height)) => (Ok(None), Event::Damaged(height)),
        other => return other,
    };
    let _ = archive.try_send(event); // a full inbox means that repair is busy as it is
    share
}

/// By the dealing and not by the block: what is in force may change while it is read.
fn share_of(view: &View, block: &BlockId, share_root: &Hash) -> Result<Option<SealedShare>, StoreError> {
    match view.shares.get_dealing(block, share_root)? {
        // Of what is in force, damage is told from absence.
        None => view.shares.get_block(block).map(|_| None),
        found => Ok(found),
    }
}

impl Archivist {
    pub(crate) fn new(
        view: Arc<View>,
        courier: Arc<Courier>,
        chain: SyncSender<chain::Event>,
        inbox: Receiver<Event>,
        inbox_sender: SyncSender<Event>,
        (archive, members): (Archive, Members),
        config: &Config,
    ) -> Result<Self, StoreError> {
        let upkeep = Upkeep::new(Arc::clone(&view), config.scrub.clone(), config.compaction.clone())?;
        Ok(Self {
            view,
            courier,
            chain,
            inbox,
            inbox_sender,
            archive,
            members,
            waiting: BTreeMap::new(),
            next_job: 0,
            wishes: BTreeMap::new(),
            upkeep,
            tell_at: Duration::ZERO,
            deposits: depositing::Watch::default(),
        })
    }

    /// Runs until the node stops; an error halts it.
    pub(crate) fn run(mut self) -> Result<(), StoreError> {
        self.look_for_lost()?;
        loop {
            let now = self.view.clock.elapsed();
            let tick_at = self.upkeep.next_tick();
            if now >= tick_at {
                for height in self.upkeep.tick(now)? {
                    self.feed(Input::Urgent(height))?;
                }
            }
            let deposits_at = self.name_deposits_if_due(now)?;
            let tick_at = tick_at.min(deposits_at);
            let wake = self.archive.next_wake().map_or(tick_at, |at| at.min(tick_at));
            match self.inbox.recv_timeout(wake.saturating_sub(now)) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(event) => self.on_event(event)?,
                Err(RecvTimeoutError::Timeout) => self.feed(Input::Wake)?,
            }
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), StoreError> {
        match event {
            Event::Connected(member) => self.feed(Input::Connected(member)),
            Event::Disconnected(member) => self.feed(Input::Disconnected(member)),
            Event::Tip { member, height } => {
                self.view.progress.announced(height);
                self.feed(Input::Tip { member, height })
            }
            Event::Committed { height, id, members } => {
                self.settle(height, id)?;
                // Before the archive hears of the block: it then asks for headers that these validators decide.
                self.follow_members(*members)?;
                self.feed(Input::Committed { height, id })
            }
            Event::Installed { tip, members } => {
                self.follow_members(*members)?;
                self.on_installed(tip)
            }
            Event::Gather(header) => self.open(Waiting::Chain(header.clone()), Purpose::Read, header),
            Event::Unseal(header) => self.open(Waiting::Reseal(header.height), Purpose::Reseal, header),
            Event::Open { header, wish, reply } => {
                let block = header.id(&self.view.chain);
                if let Some(wish) = wish {
                    self.wishes.insert(block, wish);
                }
                self.open(Waiting::Reader { block, reply }, Purpose::Read, header)
            }
            Event::Answered {
                request,
                member,
                answer,
            } => self.on_answer(request, member, answer),
            Event::Damaged(height) => self.on_damaged(height),
            Event::Wanted(height) => self.on_wanted(height),
            Event::Receipt(receipt) => self.feed(Input::Receipt(receipt)),
            Event::ReceiptAnswered { member, answer } => self.on_receipt_answered(member, answer),
            Event::ParcelAnswered {
                request,
                member,
                header,
                answer,
            } => self.on_parcel_answered(request, member, &header, answer),
            Event::Stop => Ok(()),
        }
    }

    fn follow_members(&mut self, members: Members) -> Result<(), StoreError> {
        let before = std::mem::replace(&mut self.members, members);
        if before.validators != self.members.validators {
            self.feed(Input::Validators(self.members.validators.clone()))?;
        }
        if before.holders != self.members.holders {
            self.feed(Input::Holders(self.members.holders.clone()))?;
        }
        Ok(())
    }

    fn job(&mut self, waiting: Waiting) -> JobId {
        let job = JobId(self.next_job);
        self.next_job = self.next_job.wrapping_add(1);
        self.waiting.insert(job, waiting);
        job
    }

    fn open(&mut self, waiting: Waiting, purpose: Purpose, header: Box<Header>) -> Result<(), StoreError> {
        let resealed = self.view.resealed(header.height)?.map(Box::new);
        let share_root = resealed
            .as_ref()
            .map_or(header.share_root, |resealed| resealed.share_root);
        let own = self.own_share(&header, &share_root)?;
        let job = self.job(waiting);
        self.feed(Input::Open {
            job,
            purpose,
            header,
            resealed,
            own,
        })
    }

    /// The own share of a dealing of a block, committed or only decided; a damaged one counts as lost.
    fn own_share(&mut self, header: &Header, share_root: &Hash) -> Result<Option<SealedShare>, StoreError> {
        let block = header.id(&self.view.chain);
        match share_of(&self.view, &block, share_root) {
            Err(StoreError::ShareDamaged(height)) => {
                self.on_damaged(height)?;
                Ok(None)
            }
            Ok(None) => {
                self.on_wanted(header.height)?;
                Ok(None)
            }
            other => other,
        }
    }

    fn on_damaged(&mut self, height: Height) -> Result<(), StoreError> {
        self.upkeep.met_damage(height);
        self.on_wanted(height)
    }

    /// Its checksum holds, but it is not the block's.
    fn on_wrong_share(&mut self, height: Height, error: ShareError) -> Result<(), StoreError> {
        tracing::warn!(%height, %error, "the own share is not the block's");
        self.view.shares.condemn(height)?;
        self.on_damaged(height)
    }

    fn on_wanted(&mut self, height: Height) -> Result<(), StoreError> {
        match self.view.shares.is_missing(height)? {
            true => self.feed(Input::Urgent(height)),
            false => Ok(()),
        }
    }

    fn look_for_lost(&mut self) -> Result<(), StoreError> {
        let mut lost = self.view.shares.missing(RANGES_MAX)?;
        // Blocks that a snapshot skipped are opened too, whether or not their shares are here: nobody knows yet what is in them.
        lost.extend(self.view.index.gaps(RANGES_MAX)?);
        self.view.count_unread()?;
        let count: u64 = lost
            .iter()
            .map(|range| range.end().get() - range.start().get() + 1)
            .sum();
        if count == 0 {
            return Ok(());
        }
        tracing::warn!(count, "own shares are lost: repairing them from other members");
        self.feed(Input::Missing(lost))
    }

    fn feed(&mut self, input: Input) -> Result<(), StoreError> {
        let now = self.view.clock.elapsed();
        let effects = self.archive.handle(now, input);
        self.view.progress.set_sync(now, self.archive.sync_progress());
        effects.into_iter().try_for_each(|effect| self.carry_out(effect))
    }

    fn carry_out(&mut self, effect: Effect) -> Result<(), StoreError> {
        let Some(effect) = self.carry_out_leap(effect)? else {
            return Ok(());
        };
        match effect {
            Effect::AskShare {
                request,
                member,
                height,
                block,
                share_root,
                purpose,
            } => {
                let purpose = self.stated_purpose(purpose, height, &block);
                self.ask(
                    request,
                    member,
                    &ShareAsk::Share {
                        height,
                        block,
                        share_root,
                        purpose,
                    },
                )
            }
            Effect::AskHeaders {
                request,
                member,
                from,
                max,
            } => {
                let max = u64::from(max).min(HEADERS_MAX);
                self.ask(request, member, &ShareAsk::Headers { from, max })
            }
            Effect::AskParcel {
                request,
                member,
                header,
            } => self.ask_parcel(request, member, header),
            Effect::KeepShare { header, share } => self.keep_own(&header, &share),
            Effect::AskReceipt { member, blocks } => self.ask_receipt(member, blocks),
            Effect::Discharge { height, block } => self.discharge(height, block),
            Effect::Opened { job, block } => self.on_opened(job, block),
            Effect::Failed { job, error } => self.on_failed(job, error),
            Effect::Apply(certified) => self.apply(*certified),
            Effect::NeedHeader { height } => {
                // What was resealed above the own tip is not known yet: repair waits until this node has caught up.
                let is_behind = self.view.progress.is_behind(self.view.tip());
                let header = self.view.index.header(height)?.filter(|_| !is_behind);
                self.feed(Input::Header {
                    height,
                    header: header.map(Box::new),
                    resealed: self.view.resealed(height)?.map(Box::new),
                })
            }
            Effect::StoreShare {
                height,
                commitment,
                share,
            } => self.store(height, &commitment, &share),
            Effect::NotRepaired { height, reason } => self.on_not_repaired(height, &reason),
            Effect::NothingToKeep { height } => self.view.shares.remove(height),
            Effect::Progress(progress) => self.on_progress(progress),
            Effect::OwnShareDamaged { height, error } => self.on_wrong_share(height, error),
            Effect::Blame {
                member,
                height,
                fault,
                evidence,
                ..
            } => {
                metrics::counter!("salus_wrong_answers_total", "member" => member.get().to_string())
                    .increment(1);
                tracing::warn!(%member, %height, %fault, "a member answered as no honest one does");
                if let Some(wrong) = evidence {
                    self.tell_chain(chain::Event::Evidence(Box::new(Evidence::WrongShare(*wrong))));
                }
                Ok(())
            }
            Effect::Diverged { height, reason } => {
                let reason = format!("the chain diverged at height {height}: {reason}; call the operator");
                self.tell_chain(chain::Event::Failed(reason));
                Ok(())
            }
            other => {
                tracing::error!(effect = ?other, "nobody carries this out");
                Ok(())
            }
        }
    }

    /// What a holder is told. The chain's own read of a block that it must commit is no read: nobody looks at it.
    fn stated_purpose(&self, purpose: Purpose, height: Height, block: &BlockId) -> SharePurpose {
        let for_chain =
            |waiting: &Waiting| matches!(waiting, Waiting::Chain(header) if header.height == height);
        match purpose {
            Purpose::Sync => SharePurpose::Sync,
            Purpose::Repair => SharePurpose::Repair,
            Purpose::Reseal => SharePurpose::Reseal,
            Purpose::Read if self.waiting.values().any(for_chain) => SharePurpose::Sync,
            Purpose::Read => SharePurpose::Read(self.wishes.get(block).copied()),
        }
    }

    fn ask(&mut self, request: RequestId, member: MemberId, ask: &ShareAsk) -> Result<(), StoreError> {
        let inbox = self.inbox_sender.clone();
        let asked = self
            .courier
            .ask_then(member, Protocol::Shares, codec::encode(ask), move |answer| {
                // A lost answer is a silent member: the archive asks another one.
                let _ = inbox.try_send(Event::Answered {
                    request,
                    member,
                    answer,
                });
            });
        match asked {
            Ok(()) => Ok(()),
            Err(error) => {
                let answer = Err(match error {
                    SendError::Busy => RequestError::Busy,
                    _ => RequestError::NotConnected,
                });
                self.on_answer(request, member, answer)
            }
        }
    }

    /// What a member answered, in the archive's terms. An answer of the wrong kind is as good as none.
    fn on_answer(&mut self, request: RequestId, member: MemberId, answer: Answer) -> Result<(), StoreError> {
        let refusal = match &answer {
            Ok(_) => ShareRefusal::NotHeld,
            Err(RequestError::Busy) => ShareRefusal::Busy,
            Err(_) => ShareRefusal::Unreachable,
        };
        let answer = answer
            .ok()
            .and_then(|bytes| codec::decode::<ShareAnswer>(&bytes, LARGE_MAX).ok());
        let input = match answer {
            Some(ShareAnswer::Share(share)) => Input::Share {
                request,
                member,
                result: Ok(share),
            },
            Some(ShareAnswer::Resealed { commitment, share }) => Input::Resealed {
                request,
                member,
                commitment,
                share,
            },
            Some(ShareAnswer::Headers {
                headers,
                certificate: Some(certificate),
            }) => Input::Headers {
                request,
                member,
                headers,
                certificate: Box::new(certificate),
            },
            Some(ShareAnswer::Headers { .. }) => Input::HeadersRefused { request, member },
            Some(ShareAnswer::Validators(validators)) => Input::ValidatorsNamed {
                request,
                member,
                validators,
            },
            Some(ShareAnswer::Snapshots(offers)) => Input::Snapshots {
                request,
                member,
                offers,
            },
            Some(ShareAnswer::SnapshotPart(part)) => Input::Part {
                request,
                member,
                result: Ok(part),
            },
            Some(ShareAnswer::Withheld(why)) => Input::Share {
                request,
                member,
                result: Err(match why {
                    Withheld::NotAllowed => ShareRefusal::NotAllowed,
                    Withheld::Busy => ShareRefusal::Busy,
                }),
            },
            Some(
                ShareAnswer::Missing
                | ShareAnswer::Holds(_)
                | ShareAnswer::Parcel(_)
                | ShareAnswer::Receipt(_),
            )
            | None => {
                self.feed(Input::HeadersRefused { request, member })?;
                self.feed(Input::Snapshots {
                    request,
                    member,
                    offers: Vec::new(),
                })?;
                self.feed(Input::Part {
                    request,
                    member,
                    result: Err(refusal),
                })?;
                Input::Share {
                    request,
                    member,
                    result: Err(refusal),
                }
            }
        };
        self.feed(input)
    }

    fn on_opened(&mut self, job: JobId, block: Arc<OpenedBlock>) -> Result<(), StoreError> {
        match self.waiting.remove(&job) {
            Some(Waiting::Reader { block: id, reply }) => {
                self.wishes.remove(&id);
                let _ = reply.send(Ok(block)); // the reader may have left
                Ok(())
            }
            Some(Waiting::Chain(header)) => {
                let share = block.rederive(self.view.slot).ok();
                self.hand_over(Missed {
                    header: *header,
                    commitment: *block.commitment(),
                    body: block.body().to_vec(),
                    share,
                    certificate: None,
                })
            }
            Some(Waiting::Reseal(height)) => {
                let block = Some(block);
                self.tell_chain(chain::Event::Unsealed { height, block });
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn on_failed(&mut self, job: JobId, error: ReadError) -> Result<(), StoreError> {
        match self.waiting.remove(&job) {
            Some(Waiting::Reader { block, reply }) => {
                self.wishes.remove(&block);
                let _ = reply.send(Err(error)); // the reader may have left
            }
            Some(Waiting::Chain(header)) => {
                tracing::warn!(height = %header.height, %error, "a decided block could not be gathered yet");
                self.tell_chain(chain::Event::NotGathered {
                    height: header.height,
                });
            }
            Some(Waiting::Reseal(height)) => {
                tracing::warn!(%height, %error, "a block could not be opened to be dealt anew; it is tried again");
                self.tell_chain(chain::Event::Unsealed { height, block: None });
            }
            None => {}
        }
        Ok(())
    }

    fn apply(&mut self, certified: CertifiedBlock) -> Result<(), StoreError> {
        let CertifiedBlock {
            header,
            commitment,
            body,
            share,
            certificate,
        } = certified;
        self.hand_over(Missed {
            header,
            commitment,
            body,
            share,
            certificate,
        })
    }

    /// The chain's loop answers by committing the block, which comes back as [`Event::Committed`].
    fn hand_over(&mut self, missed: Missed) -> Result<(), StoreError> {
        self.tell_chain(chain::Event::Missed(Box::new(missed)));
        Ok(())
    }

    /// Waits for room: what the archive says to the chain must arrive.
    fn tell_chain(&self, event: chain::Event) {
        if self.chain.send(event).is_err() {
            tracing::debug!("the chain's loop has ended");
        }
    }

    fn on_not_repaired(&self, height: Height, reason: &RepairFailure) -> Result<(), StoreError> {
        self.view.progress.add_repair_failure(reason);
        let reason = reason.to_string();
        tracing::debug!(%height, reason, "a share could not be repaired in this pass");
        Ok(())
    }

    fn on_progress(&mut self, progress: RepairProgress) -> Result<(), StoreError> {
        let RepairProgress {
            repaired,
            remaining,
            urgent,
            ..
        } = progress;
        self.view.progress.set_repair(&progress);
        let now = self.view.clock.elapsed();
        if now >= self.tell_at || remaining == 0 {
            self.tell_at = now.saturating_add(TELL_INTERVAL);
            tracing::info!(repaired, remaining, urgent, "repairing own shares");
        }
        if remaining == 0 {
            self.look_for_lost()
        } else {
            Ok(())
        }
    }

    fn store(
        &mut self,
        height: Height,
        commitment: &ShareCommitment,
        share: &SealedShare,
    ) -> Result<(), StoreError> {
        if self.view.shares.contains(height)? {
            return Ok(()); // it was opened to see what is in it
        }
        let Some(header) = self.view.index.header(height)? else {
            return Ok(());
        };
        let id = header.id(&self.view.chain);
        let resealing = commitment.is_reseal().then(|| resealing(commitment));
        match self
            .view
            .shares
            .put_repaired(&header, id, resealing.as_ref(), share)
        {
            Ok(()) => {
                self.upkeep.repaired(height);
                Ok(())
            }
            // Of a dealing that is no longer in force: once more.
            Err(StoreError::Resealed(_)) => self.on_wanted(height),
            Err(error) => Err(error),
        }
    }
}
