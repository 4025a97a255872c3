use crate::codec::{Told, kib};
use crate::counters::Counters;
use crate::roster::Peer;
use crate::{Protocol, Topic};
use libp2p::PeerId;
use libp2p::request_response::ResponseChannel;
use salus_types::{Hash, MemberId};
use std::fmt;
use std::sync::Arc;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connected and Disconnected events that may wait for the shell.
const LINKS_MAX: usize = 1_024;

/// Something the network tells the shell.
#[derive(Debug)]
pub enum Event {
    /// A member accepted our direct stream: messages to it are on their way. Its own messages may arrive before this.
    Connected(MemberId),
    /// The last link to a member that was connected broke, it fell silent, or it left the list. Redialing goes on
    /// while it is on the list; what is sent meanwhile waits in its outbox.
    Disconnected(MemberId),
    /// A consensus message. In the order the member sent them while the link lasts.
    Direct {
        /// Who sent it.
        from: MemberId,
        /// The message, at least one byte.
        bytes: Vec<u8>,
    },
    /// A gossip message that waits for [`crate::Handle::verdict`], without which it is not passed on.
    /// A verdict that takes longer than about 5 s comes too late.
    Gossip {
        /// Its topic.
        topic: Topic,
        /// Who passed it on; not necessarily who wrote it.
        from: MemberId,
        /// The message.
        bytes: Vec<u8>,
        /// Names it in the verdict.
        id: GossipId,
    },
    /// A member's question.
    Request {
        /// Who asks.
        from: MemberId,
        /// In which protocol.
        protocol: Protocol,
        /// The question.
        bytes: Vec<u8>,
        /// Where [`crate::Handle::answer`] goes. Dropped instead, the member learns that no answer will come.
        reply: Reply,
    },
    /// What came of [`crate::Handle::request`]; exactly one for each.
    Answer {
        /// Which request.
        id: RequestId,
        /// Who was asked.
        from: MemberId,
        /// In which protocol.
        protocol: Protocol,
        /// The answer, or why there is none.
        result: Result<Vec<u8>, RequestError>,
    },
    /// The node can be reached at this multiaddress.
    Listening(String),
}

/// Names a request among all of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

/// Names a gossip message and who passed it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipId {
    pub(crate) hash: Hash,
    pub(crate) source: PeerId,
}

impl GossipId {
    /// BLAKE3 over the topic and the content: the same message has the same hash on every node.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }
}

/// Where the answer to one request goes. While it is held, the request counts against its sender's allowance.
pub struct Reply {
    pub(crate) protocol: Protocol,
    pub(crate) channel: ResponseChannel<Told>,
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

impl Reply {
    /// Whether the asker still waits.
    pub fn is_wanted(&self) -> bool {
        self.channel.is_open()
    }

    /// In which protocol the question came.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({:?}, wanted: {})", self.protocol, self.is_wanted())
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// There is no link to the member now. Ask another.
    #[error("not connected to the member")]
    NotConnected,
    /// The link broke; whether the member acted on the request is not known.
    #[error("the link broke before the answer came")]
    ConnectionLost,
    /// No answer in time; whether the member acted on the request is not known.
    #[error("no answer in time")]
    TimedOut,
    /// The member doesn't speak the protocol: another version of the software.
    #[error("the member does not speak this protocol")]
    Unsupported,
    /// The member limits how often we may ask. Ask more slowly, or ask another.
    #[error("the member is asked too often")]
    Busy,
    /// The member ended the stream without an answer: it has none, refuses, or gave up before we did.
    #[error("the member gave no answer")]
    NoAnswer,
    /// The answer is longer than the protocol allows.
    #[error("an answer of {length} bytes where at most {limit} are allowed")]
    TooLong {
        /// Bytes announced.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The stream failed otherwise.
    #[error("the stream failed: {0}")]
    Stream(String),
}

/// What the network has to tell, in the order of each kind. One task reads it.
///
/// The four kinds (links, direct, requests and answers, gossip) wait apart from one another and take turns, so that none
/// starves another. Each is bounded by the allowances of [`crate::Limits`].
#[derive(Debug)]
pub struct Events {
    links: mpsc::Receiver<Event>,
    direct: UnboundedReceiver<Held>,
    requests: UnboundedReceiver<Held>,
    gossip: UnboundedReceiver<Held>,
}

/// An event with its part of a peer's allowance.
type Held = (Event, Option<OwnedSemaphorePermit>);

impl Events {
    /// The next event; `None` once the network has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Event> {
        // Unbiased: each kind that has something waiting is equally likely.
        tokio::select! {
            Some(event) = self.links.recv() => Some(event),
            Some((event, _)) = self.direct.recv() => Some(event),
            Some((event, _)) = self.requests.recv() => Some(event),
            Some((event, _)) = self.gossip.recv() => Some(event),
            else => None,
        }
    }
}

/// The writing end of [`Events`]. Its channels are unbounded; the permits are what bounds them.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    links: mpsc::Sender<Event>,
    direct: UnboundedSender<Held>,
    requests: UnboundedSender<Held>,
    gossip: UnboundedSender<Held>,
    counters: Arc<Counters>,
}

pub(crate) fn channel(counters: Arc<Counters>) -> (Queues, Events) {
    let (links, links_out) = mpsc::channel(LINKS_MAX);
    let (direct, direct_out) = mpsc::unbounded_channel();
    let (requests, requests_out) = mpsc::unbounded_channel();
    let (gossip, gossip_out) = mpsc::unbounded_channel();
    let queues = Queues {
        links,
        direct,
        requests,
        gossip,
        counters,
    };
    let events = Events {
        links: links_out,
        direct: direct_out,
        requests: requests_out,
        gossip: gossip_out,
    };
    (queues, events)
}

impl Queues {
    /// Connected, Disconnected, Listening.
    pub(crate) fn link(&self, event: Event) {
        if self.links.try_send(event).is_err() {
            self.counters.links_dropped.add(1);
        }
    }

    /// A direct message; dropped if too many of this peer wait already.
    pub(crate) fn direct(&self, peer: &Peer, bytes: Vec<u8>) {
        let Some(permit) = take(&peer.traffic.direct_credit, bytes.len()) else {
            self.counters.direct_in_dropped.add(1);
            return;
        };
        let from = peer.member;
        // Sending fails only when the shell stopped listening.
        let _ = self.direct.send((Event::Direct { from, bytes }, Some(permit)));
    }

    /// A gossip message; `false` if too many from this peer wait already.
    pub(crate) fn gossip(&self, peer: &Peer, topic: Topic, bytes: Vec<u8>, id: GossipId) -> bool {
        let Some(permit) = take(&peer.traffic.gossip_credit, bytes.len()) else {
            self.counters.gossip_in_dropped.add(1);
            return false;
        };
        let event = Event::Gossip {
            topic,
            from: peer.member,
            bytes,
            id,
        };
        let _ = self.gossip.send((event, Some(permit)));
        true
    }

    /// A request, bounded by the permit in its reply, or an answer, bounded by its own permit.
    pub(crate) fn request(&self, event: Event, permit: Option<OwnedSemaphorePermit>) {
        let _ = self.requests.send((event, permit));
    }
}

fn take(credit: &Arc<Semaphore>, length: usize) -> Option<OwnedSemaphorePermit> {
    credit.clone().try_acquire_many_owned(kib(length)).ok()
}
