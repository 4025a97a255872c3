//! The chain's loop: one thread, one inbox, one closed enum of events. Start reading here.
//!
//! ```text
//!   network, API, archive --Event--> Chain --Input--> consensus core
//!                                      |  <--Effect-'
//!                                      v
//!            write-ahead log, own share (durable) -> vote -> decided -> execute, commit -> next height
//! ```
//!
//! Effects are carried out in the order the core gives them, each finished before the next; a failed durable write
//! ends the loop, and with it the node. A file for each concern:
//!
//! - `deciding`: the core's effects, messages and timers;
//! - `blocks`: the blocks of the height that is being decided;
//! - `building`: the own block;
//! - `dealings`: handing dealings out, asking for them, and doing without a lost one;
//! - `judging`: whether a block may be voted for;
//! - `probation`: watching before voting again, after the write-ahead log was lost;
//! - `resealing`: dealing older blocks anew;
//! - `committing`: a decided block becomes part of the chain;
//! - `evidence`: proof of members' faults on its way into a block;
//! - `following`: the members change, and the node with them;
//! - `installing`: a snapshot takes the place of blocks that were missed;
//! - `timers`, `event`: what wakes the loop up.

mod blocks;
mod building;
mod committing;
mod dealings;
mod deciding;
mod event;
mod evidence;
mod following;
mod installing;
mod judging;
mod probation;
mod resealing;
mod timers;

pub(crate) use event::{Event, Missed};

use crate::archivist;
use crate::config;
use crate::courier::Courier;
use crate::in_force::{InForce, Reach};
use crate::snapshots;
use crate::view::View;
use crate::wire::Direct;
use blocks::Blocks;
use following::Seat;
use probation::Probation;
use resealing::Resealing;
use salus_api::{CommittedTransaction, EventLog, Reply};
use salus_consensus::{Consensus, Input};
use salus_execution::ExecutionError;
use salus_store::{StoreError, Wal};
use salus_types::state::StateFault;
use salus_types::{BlockId, CommitCertificate, Header, Height, Member, MemberId, TransactionId, codec};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;
use timers::{Alarm, Timers};

/// How often this node tells the others how far it is.
const TIP_INTERVAL: Duration = Duration::from_secs(2);
/// Clients that wait for transactions, at most.
const WAITERS_MAX: usize = 20_000;

/// Why the loop ends, and the node with it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Halt {
    /// A durable write failed, or what is kept contradicts itself.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The consensus core met something that must not be.
    #[error("consensus: {0}")]
    Consensus(#[from] salus_consensus::Fault),
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] StateFault),
    /// A certified block does not execute here to what its header says.
    #[error(
        "block {height} was certified, but does not hold here: {reason}; stop and compare this node with its peers"
    )]
    Diverged {
        /// Which block.
        height: Height,
        /// What does not hold.
        reason: String,
    },
    /// Another part of the node failed.
    #[error("{0}")]
    Part(String),
}

/// What the loop is made of.
pub(crate) struct Parts {
    pub(crate) view: Arc<View>,
    pub(crate) courier: Arc<Courier>,
    pub(crate) archive: SyncSender<archivist::Event>,
    pub(crate) inbox: Receiver<Event>,
    /// The way into `inbox`, for answers to questions that the loop asks.
    pub(crate) inbox_sender: SyncSender<Event>,
    pub(crate) settings: salus_consensus::Config,
    pub(crate) wal: Wal,
    /// There was no write-ahead log: a new node, or one that lost it.
    pub(crate) log_is_new: bool,
    /// The index lost blocks that were committed here.
    pub(crate) blocks_were_lost: bool,
    pub(crate) in_force: InForce,
    pub(crate) reach: Reach,
    /// Members as present ones listed them when this node started, while its own state may be older.
    pub(crate) listed: Vec<Member>,
    pub(crate) events: EventLog,
    pub(crate) tip: Tip,
    pub(crate) pace: config::Chain,
    /// The snapshots' thread.
    pub(crate) keeper: SyncSender<snapshots::Job>,
    /// A snapshot is due at heights that are multiples of this; 0: never.
    pub(crate) snapshot_interval: u64,
}

/// The last committed block.
#[derive(Clone, Debug)]
pub(crate) struct Tip {
    pub(crate) header: Header,
    pub(crate) id: BlockId,
    /// Its certificate; `None` at genesis, and for a block that was caught up with under a descendant's certificate.
    pub(crate) certificate: Option<CommitCertificate>,
}

/// What the loop is at.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// The tip is committed; the next height has not been started.
    Idle,
    /// The core works on the height after the tip.
    Deciding,
    /// The height after the tip is decided, but its body is not here: it is gathered from shares.
    Gathering(Box<(Header, CommitCertificate)>),
}

/// The loop's state. It lives on one thread and is never locked.
pub(crate) struct Chain {
    view: Arc<View>,
    courier: Arc<Courier>,
    archive: SyncSender<archivist::Event>,
    inbox: Receiver<Event>,
    inbox_sender: SyncSender<Event>,
    settings: salus_consensus::Config,
    consensus: Consensus,
    probation: Option<Probation>,
    log_is_new: bool,
    wal: Wal,
    in_force: InForce,
    seat: Seat,
    listed: Vec<Member>,
    reach: Reach,
    events: EventLog,
    tip: Tip,
    pace: config::Chain,
    keeper: SyncSender<snapshots::Job>,
    snapshot_interval: u64,
    /// A snapshot that was taken over, until the archive knows.
    installed: Option<salus_archive::Tip>,
    phase: Phase,
    blocks: Blocks,
    resealing: Resealing,
    timers: Timers,
    /// Inputs for the core that its own effects gave rise to.
    inputs: VecDeque<Input>,
    waiters: BTreeMap<TransactionId, Vec<Reply<CommittedTransaction>>>,
    evidence: evidence::Waiting,
    /// When the tip was committed.
    committed_at: Duration,
    /// Another validator has begun the height after the tip.
    summoned: bool,
}

impl Chain {
    pub(crate) fn new(parts: Parts) -> Self {
        let lost = parts.blocks_were_lost || parts.log_is_new && parts.tip.header.height > Height::ZERO;
        let mut chain = Self {
            view: parts.view,
            courier: parts.courier,
            archive: parts.archive,
            inbox: parts.inbox,
            inbox_sender: parts.inbox_sender,
            consensus: Consensus::new(parts.settings.clone()),
            settings: parts.settings,
            probation: None,
            log_is_new: parts.log_is_new,
            wal: parts.wal,
            in_force: parts.in_force,
            seat: Seat::Outside,
            listed: parts.listed,
            reach: parts.reach,
            events: parts.events,
            tip: parts.tip,
            pace: parts.pace,
            keeper: parts.keeper,
            snapshot_interval: parts.snapshot_interval,
            installed: None,
            phase: Phase::Idle,
            blocks: Blocks::default(),
            resealing: Resealing::default(),
            timers: Timers::default(),
            inputs: VecDeque::new(),
            waiters: BTreeMap::new(),
            evidence: evidence::Waiting::default(),
            committed_at: Duration::ZERO,
            summoned: false,
        };
        if lost {
            chain.begin_probation();
        }
        chain
    }

    /// Runs until the node stops (`Ok`) or must halt.
    pub(crate) fn run(mut self) -> Result<(), Halt> {
        self.committed_at = self.now();
        self.look_for_seat()?;
        self.timers.set(Alarm::Tip, self.now());
        self.keep_validators()?; // should the last life have ended before that
        self.evidence = evidence::Waiting::load(&self.view.index);
        self.adopt_reseals()?;
        self.prepare_reseals()?;
        // A log of the height after the tip means that this node was voting when it stopped: go on at once.
        if self.wal.height() == self.tip.header.height.next() && !self.wal.entries().is_empty() {
            self.start_height()?;
        }
        self.schedule_start();
        loop {
            let wait = self
                .timers
                .next()
                .map_or(TIP_INTERVAL, |at| at.saturating_sub(self.now()));
            match self.inbox.recv_timeout(wait) {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(event) => self.on_event(event)?,
                Err(RecvTimeoutError::Timeout) => {}
            }
            while let Some(alarm) = self.timers.due(self.now()) {
                self.on_alarm(alarm)?;
            }
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Halt> {
        match event {
            Event::Consensus { from, bytes } => self.on_message(from, &bytes),
            Event::Connected(member) => {
                self.tell_tip(Some(member));
                Ok(())
            }
            Event::Body { from, ask, reply } => self.on_body_asked(from, ask, reply),
            Event::Pulled { from, block, answer } => self.on_pulled(from, block, answer),
            Event::Work => self.on_work(),
            Event::Missed(missed) => self.on_missed(*missed),
            Event::Install { height, nodes } => self.on_install(height, &nodes),
            Event::NotGathered { height } => {
                self.gather_again(height);
                Ok(())
            }
            Event::Reopened { header, block } => self.on_reopened(&header, block),
            Event::Unsealed { height, block } => self.on_unsealed(height, block),
            Event::Wait { id, reply } => {
                self.on_wait(id, reply);
                Ok(())
            }
            Event::Evidence(evidence) => self.on_evidence(*evidence),
            Event::Failed(reason) => Err(Halt::Part(reason)),
            Event::Stop => Ok(()),
        }
    }

    fn on_alarm(&mut self, alarm: Alarm) -> Result<(), Halt> {
        match alarm {
            Alarm::Consensus(id) => self.feed(Input::Timeout(id)),
            Alarm::Start => self.start_if_due(),
            Alarm::Build => self.build_waiting(),
            Alarm::Pull(block) => {
                self.pull(block);
                Ok(())
            }
            Alarm::Reseal => self.prepare_reseals_again(),
            Alarm::Tip => {
                self.tell_tip(None);
                self.tell_installed();
                self.timers.set(Alarm::Tip, self.now() + TIP_INTERVAL);
                Ok(())
            }
        }
    }

    fn now(&self) -> Duration {
        self.view.clock.elapsed()
    }

    /// Tells one member, or all, how far this node is.
    fn tell_tip(&self, member: Option<MemberId>) {
        let message = codec::encode(&Direct::Tip(self.height_to_offer()));
        let net = self.courier.net();
        let sent = match member {
            Some(member) => net.send(member, message),
            None => net.broadcast(message),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "could not tell the tip");
        }
    }

    /// The tip's height; or one more where that block's header can be offered and others must hear of it, because there may be
    /// too few shares of it until they fetch their own.
    fn height_to_offer(&self) -> Height {
        let height = self.tip.header.height;
        let decided = self.view.decided_at(height.next()).is_some();
        if decided { height.next() } else { height }
    }

    fn on_wait(&mut self, id: TransactionId, reply: Reply<CommittedTransaction>) {
        if let Some(executed) = self.view.recent().executed(&id) {
            let _ = reply.send(executed.into()); // the client may have left
            return;
        }
        if self.waiters.len() >= WAITERS_MAX {
            self.waiters.retain(|_, replies| {
                replies.retain(|reply| !reply.is_closed());
                !replies.is_empty()
            });
        }
        if self.waiters.len() < WAITERS_MAX {
            self.waiters.entry(id).or_default().push(reply);
        }
    }
}

/// What an execution error means: a broken disk halts, a bad block is only bad.
fn fault_or<T>(result: Result<T, ExecutionError>) -> Result<Result<T, String>, Halt> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(ExecutionError::State(fault)) => Err(Halt::State(fault)),
        Err(ExecutionError::Node(fault)) => Err(Halt::Part(fault.to_string())),
        Err(error) => Ok(Err(error.to_string())),
    }
}
