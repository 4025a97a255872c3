//! The archive's thread: it carries out what [`salus_archive`] decides, and hands opened blocks to who wants them.

mod asking;
mod depositing;
mod leap;
mod opening;
mod repairing;
mod upkeep;

pub(crate) use leap::resume;
pub(crate) use opening::own_share;

use crate::chain::{self, Missed};
use crate::config::Config;
use crate::courier::{Answer, Courier};
use crate::view::View;
use crate::wire::{HEADERS_MAX, ShareAsk};
use opening::Waiting;
use salus_archive::{Archive, CertifiedBlock, Effect, Input, JobId, Purpose, ReadError, RequestId, Tip};
use salus_seal::OpenedBlock;
use salus_store::StoreError;
use salus_types::{
    BlockId, Evidence, Header, Height, MemberId, ShareReceipt, SignedOpenRequest, Validator, ValidatorSet,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;
use tokio::sync::oneshot;
use upkeep::Upkeep;

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
    /// The chain's loop wants a block opened that is being decided: its dealing is lost.
    Reopen(Box<Header>),
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

/// The thread's state.
pub(crate) struct Archivist {
    view: Arc<View>,
    courier: Arc<Courier>,
    chain: SyncSender<chain::Event>,
    inbox: Receiver<Event>,
    inbox_sender: SyncSender<Event>,
    archive: Archive,
    /// What the archive's own effects gave rise to; a handful, since it asks for few things at once.
    inputs: VecDeque<Input>,
    is_feeding: bool,
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
            inputs: VecDeque::new(),
            is_feeding: false,
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
        self.note_reached(); // of a network of one nothing else tells
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
            Event::Tip { member, height } => self.feed(Input::Tip { member, height }),
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
            Event::Reopen(header) => self.open(Waiting::Vote(header.clone()), Purpose::Read, header),
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

    /// Hands an input to the archive and carries out what it asks for, and then the same for each input that this gave rise to:
    /// in turn and not one within the other, since one that ends at once may let the next begin, thousands of times.
    fn feed(&mut self, input: Input) -> Result<(), StoreError> {
        self.inputs.push_back(input);
        if std::mem::replace(&mut self.is_feeding, true) {
            return Ok(());
        }
        while let Some(input) = self.inputs.pop_front() {
            let now = self.view.clock.elapsed();
            let effects = self.archive.handle(now, input);
            self.note_reached();
            self.view.progress.set_sync(now, self.archive.sync_progress());
            for effect in effects {
                self.carry_out(effect)?;
            }
        }
        self.is_feeding = false;
        Ok(())
    }

    fn note_reached(&self) {
        if let Some(height) = self.archive.credible_tip() {
            self.view.progress.heard(height);
        }
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
                let header = self.view.index.header(height)?.map(Box::new);
                let resealed = self.view.resealed(height)?.map(Box::new);
                self.feed(Input::Header {
                    height,
                    header,
                    resealed,
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
}
