use crate::counters::Snapshot;
use crate::event::{GossipId, Reply, RequestId};
use crate::roster::{InFlight, Peer, Shared};
use crate::{Bytes, DIRECT_LENGTH_MAX, GOSSIP_LENGTH_MAX, Protocol, Topic, Verdict};
use salus_types::{Member, MemberId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Bytes of gossip that may wait for the swarm.
const GOSSIP_QUEUED_MAX: usize = 16 << 20;

/// Speaks through the network from any thread. No method waits.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: UnboundedSender<Command>,
    shared: Arc<Shared>,
    next_request: Arc<AtomicU64>,
}

/// How a peer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Which member.
    pub member: MemberId,
    /// Whether it is connected.
    pub connected: bool,
    /// The last measured round trip; `None` before the first.
    pub round_trip: Option<Duration>,
    /// How long nothing was heard of it.
    pub silence: Duration,
    /// Direct frames that wait for it.
    pub waiting: usize,
    /// Direct frames to it that were dropped since the start.
    pub dropped: u64,
    /// Gossip messages that it passed on and the shell rejected since the start.
    pub rejected: u64,
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The network has ended.
    #[error("the network has ended")]
    Closed,
    /// Nobody on the list has this number.
    #[error("{0} is not a member of the network, or is this node itself")]
    UnknownMember(MemberId),
    /// Too long for its kind.
    #[error("{length} bytes where at most {limit} are allowed: split it")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A direct message has at least one byte.
    #[error("a direct message cannot be empty")]
    Empty,
    /// As much as allowed is on its way already: wait for answers, or ask another member.
    #[error("too much on its way already")]
    Busy,
}

/// What the handle asks of the network's task. Bounded by requests in flight, by the replies held and by
/// [`GOSSIP_QUEUED_MAX`].
#[derive(Debug)]
pub(crate) enum Command {
    Gossip {
        topic: Topic,
        bytes: Vec<u8>,
    },
    Verdict {
        id: GossipId,
        verdict: Verdict,
    },
    Request {
        id: RequestId,
        peer: Arc<Peer>,
        protocol: Protocol,
        bytes: Bytes,
        place: InFlight,
    },
    Answer {
        reply: Reply,
        bytes: Bytes,
    },
    Members(Vec<Member>),
}

impl Handle {
    pub(crate) fn new(commands: UnboundedSender<Command>, shared: Arc<Shared>) -> Self {
        Self {
            commands,
            shared,
            next_request: Arc::default(),
        }
    }

    /// Sends a consensus message to every other member, connected or not: it waits in the outbox of who is not.
    ///
    /// # Errors
    /// [`SendError::TooLong`] over [`DIRECT_LENGTH_MAX`], [`SendError::Empty`], [`SendError::Closed`].
    pub fn broadcast(&self, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let bytes = self.direct(bytes.into())?;
        self.shared.each(|peer| self.push(peer, bytes.clone()));
        Ok(())
    }

    /// Sends a consensus message to one member; as [`Self::broadcast`].
    ///
    /// # Errors
    /// Those of [`Self::broadcast`], and [`SendError::UnknownMember`].
    pub fn send(&self, member: MemberId, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let bytes = self.direct(bytes.into())?;
        let peer = self.peer(member)?;
        self.push(&peer, bytes);
        Ok(())
    }

    /// Publishes a message to all members. One that was published or seen within the last half minute is not sent again.
    ///
    /// # Errors
    /// [`SendError::TooLong`] over [`GOSSIP_LENGTH_MAX`], [`SendError::Busy`], [`SendError::Closed`].
    pub fn gossip(&self, topic: Topic, bytes: Vec<u8>) -> Result<(), SendError> {
        let length = fits(bytes.len(), GOSSIP_LENGTH_MAX)?;
        let queued = &self.shared.gossip_queued;
        let more = |now: usize| now.checked_add(length).filter(|sum| *sum <= GOSSIP_QUEUED_MAX);
        queued
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|_| SendError::Busy)?;
        self.command(Command::Gossip { topic, bytes })
    }

    /// Decides what becomes of a gossip message: exactly once for each.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn verdict(&self, id: GossipId, verdict: Verdict) -> Result<(), SendError> {
        self.command(Command::Verdict { id, verdict })
    }

    /// Asks a member; [`crate::Event::Answer`] says what came of it, for every request that got an id.
    /// The same `Bytes` may be sent to many members without a copy.
    ///
    /// # Errors
    /// [`SendError::UnknownMember`]; [`SendError::TooLong`] over [`Protocol::request_length_max`]; [`SendError::Busy`]
    /// beyond [`Protocol::in_flight_max`] unanswered requests to this member; [`SendError::Closed`].
    pub fn request(
        &self,
        member: MemberId,
        protocol: Protocol,
        bytes: impl Into<Bytes>,
    ) -> Result<RequestId, SendError> {
        let bytes = bytes.into();
        fits(bytes.len(), protocol.request_length_max())?;
        let peer = self.peer(member)?;
        let place = peer.traffic.enter(protocol).ok_or(SendError::Busy)?;
        let id = RequestId(self.next_request.fetch_add(1, Ordering::Relaxed));
        self.command(Command::Request {
            id,
            peer,
            protocol,
            bytes,
            place,
        })?;
        Ok(id)
    }

    /// Answers a request. If the asker has given up meanwhile, the answer is dropped.
    ///
    /// # Errors
    /// [`SendError::TooLong`] over [`Protocol::answer_length_max`] (the asker learns that no answer comes);
    /// [`SendError::Closed`].
    pub fn answer(&self, reply: Reply, bytes: impl Into<Bytes>) -> Result<(), SendError> {
        let bytes = bytes.into();
        fits(bytes.len(), reply.protocol.answer_length_max())?;
        self.command(Command::Answer { reply, bytes })
    }

    /// Replaces the list of members: who left is cut off, who came or moved is dialed. Malformed addresses are logged and
    /// left out.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn set_members(&self, members: Vec<Member>) -> Result<(), SendError> {
        self.command(Command::Members(members))
    }

    /// All counters now.
    pub fn snapshot(&self) -> Snapshot {
        let connected = self.peers().iter().filter(|peer| peer.connected).count();
        self.shared.counters.snapshot(connected)
    }

    /// How every other member is doing, in the order of their numbers.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let now = self.shared.now();
        let status = |peer: Arc<Peer>| PeerStatus {
            member: peer.member,
            connected: peer.traffic.linked.load(Ordering::Relaxed),
            round_trip: peer.traffic.round_trip(),
            silence: peer.traffic.silence(now),
            waiting: peer.traffic.outbox.waiting(),
            dropped: peer.traffic.dropped.load(Ordering::Relaxed),
            rejected: peer.traffic.rejected.load(Ordering::Relaxed),
        };
        self.shared.peers().into_iter().map(status).collect()
    }

    fn direct(&self, bytes: Bytes) -> Result<Bytes, SendError> {
        if self.commands.is_closed() {
            return Err(SendError::Closed);
        }
        match fits(bytes.len(), DIRECT_LENGTH_MAX)? {
            0 => Err(SendError::Empty),
            _ => Ok(bytes),
        }
    }

    fn push(&self, peer: &Peer, bytes: Bytes) {
        let dropped = peer.traffic.outbox.push(bytes);
        if dropped > 0 {
            self.shared.counters.direct_out_dropped.add(dropped);
            let dropped = u64::try_from(dropped).unwrap_or(u64::MAX);
            peer.traffic.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    fn peer(&self, member: MemberId) -> Result<Arc<Peer>, SendError> {
        self.shared.peer(member).ok_or(SendError::UnknownMember(member))
    }

    fn command(&self, command: Command) -> Result<(), SendError> {
        self.commands.send(command).map_err(|_| SendError::Closed)
    }
}

fn fits(length: usize, limit: usize) -> Result<usize, SendError> {
    if length > limit {
        return Err(SendError::TooLong { length, limit });
    }
    Ok(length)
}
