use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::codec::{Ask, NoAnswer, Told};
use crate::config::{Config, StartError};
use crate::dialer::Dialer;
use crate::event::{self, Event, Events, GossipId, Queues, Reply, RequestError, RequestId};
use crate::frame::FrameTooLong;
use crate::gossip::{self, Topics};
use crate::handle::{Command, Handle};
use crate::protocol::DIRECT;
use crate::roster::{InFlight, Peer, Shared, peer_id};
use crate::{Protocol, Topic, Verdict, direct, resolve, transport};
use futures::StreamExt;
use libp2p::gossipsub::{MessageAcceptance, PublishError};
use libp2p::request_response::{InboundFailure, Message, OutboundFailure, OutboundRequestId};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, gossipsub, identity, ping, request_response};
use libp2p_stream::Control;
use salus_types::{Member, MemberId};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};

/// How often silence is looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// After this many failures in a row an operator is told, and again each time this many have been added.
const FAILURES_TOLD: u32 = 8;
/// Notes from stream and resolver tasks that may wait for the loop; the tasks wait when it is full.
const NOTES_MAX: usize = 64;

/// One node's network: the swarm and all its tasks.
///
/// Made by [`Network::start`]; does nothing until [`Network::run`] is polled. Dropping it (or the task that runs it)
/// closes every connection and ends every task it started.
pub struct Network {
    me: MemberId,
    swarm: Swarm<Behaviour>,
    shared: Arc<Shared>,
    queues: Queues,
    commands: mpsc::UnboundedReceiver<Command>,
    notes: mpsc::Receiver<Note>,
    note: mpsc::Sender<Note>,
    opened: mpsc::Receiver<Arc<Peer>>,
    open: mpsc::Sender<Arc<Peer>>,
    control: Control,
    topics: Topics,
    dialer: Dialer,
    watch: Interval,
    writers: BTreeMap<MemberId, AbortHandle>,
    asked: BTreeMap<(Protocol, OutboundRequestId), Asked>,
    tasks: JoinSet<()>,
}

/// A request that was handed to the swarm.
struct Asked {
    id: RequestId,
    member: MemberId,
    _place: InFlight,
}

/// The resolver's result: where a member can be dialed now.
struct Note {
    peer: Arc<Peer>,
    addresses: Vec<Multiaddr>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({}, {})", self.me, self.swarm.local_peer_id())
    }
}

impl Network {
    /// Listens and prepares everything. Call it within a tokio runtime, then spawn [`Network::run`].
    ///
    /// # Errors
    /// [`StartError`]; nothing keeps running then.
    pub fn start(config: Config) -> Result<(Self, Handle, Events), StartError> {
        tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let keypair = keypair(&config)?;
        let shared = Arc::new(Shared::new(config.limits));
        let transport = transport::build(&keypair, &config.chain, shared.counters.clone())
            .map_err(|error| StartError::Setup(error.to_string()))?;
        let behaviour = Behaviour::new(&keypair, &config.chain, &shared)?;
        let mut control = behaviour.direct.new_control();
        // Links live until one side ends them; whoever falls silent is cut off by `watch`.
        let swarm_config = libp2p::swarm::Config::with_tokio_executor()
            .with_idle_connection_timeout(Duration::from_secs(u64::MAX));
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), swarm_config);
        for address in &config.listen {
            listen(&mut swarm, address)?;
        }
        let incoming = control
            .accept(DIRECT)
            .map_err(|error| StartError::Setup(error.to_string()))?;

        let (queues, events) = event::channel(shared.counters.clone());
        let (command, commands) = mpsc::unbounded_channel();
        let (note, notes) = mpsc::channel(NOTES_MAX);
        let (open, opened) = mpsc::channel(NOTES_MAX);
        let handle = Handle::new(command, shared.clone());
        let limits = &config.limits;
        let mut watch = tokio::time::interval(WATCH_INTERVAL.min(limits.silence_max / 4));
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut network = Self {
            me: config.me,
            swarm,
            queues: queues.clone(),
            commands,
            notes,
            note,
            opened,
            open,
            control,
            topics: Topics::new(&config.chain),
            dialer: Dialer::new(
                config.seed,
                limits.redial_min,
                limits.redial_max,
                limits.dial_grace,
            ),
            watch,
            writers: BTreeMap::new(),
            asked: BTreeMap::new(),
            tasks: JoinSet::new(),
            shared: shared.clone(),
        };
        network.tasks.spawn(direct::accept(incoming, shared, queues));
        network.set_members(&config.members);
        Ok((network, handle, events))
    }

    /// Runs the network until every [`Handle`] is gone. Dropping the future ends it at once.
    pub async fn run(mut self) {
        loop {
            let dial_at = self.dialer.wakes_at().map(|at| self.shared.instant(at));
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(peer) = self.opened.recv() => self.on_opened(&peer),
                Some(note) = self.notes.recv() => self.dial(&note.peer, note.addresses),
                () = sleep_until(dial_at) => self.dial_due(),
                _ = self.watch.tick() => self.cut_off_silent(),
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Gossip { topic, bytes } => self.publish(topic, bytes),
            Command::Verdict { id, verdict } => self.judge(&id, verdict),
            Command::Request {
                id,
                peer,
                protocol,
                bytes,
                place,
            } => {
                let member = peer.member;
                if !self.swarm.is_connected(&peer.id) {
                    drop(place);
                    self.answer(id, member, protocol, Err(RequestError::NotConnected), None);
                    return;
                }
                let ask = Ask { bytes, permit: None };
                let behaviour = self.swarm.behaviour_mut().protocol(protocol);
                let key = (protocol, behaviour.send_request(&peer.id, ask));
                let asked = Asked {
                    id,
                    member,
                    _place: place,
                };
                self.asked.insert(key, asked);
            }
            Command::Answer { reply, bytes } => {
                let told = Told::Answer { bytes, permit: None };
                self.reply(reply, told);
            }
            Command::Members(members) => self.set_members(&members),
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let counters = &self.shared.counters;
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.on_connected(&peer_id),
            SwarmEvent::ConnectionClosed {
                peer_id,
                num_established: 0,
                cause,
                ..
            } => {
                if let Some(peer) = self.shared.peer_of(&peer_id) {
                    tracing::debug!(member = %peer.member, ?cause, "the link broke");
                    self.on_link_lost(&peer);
                }
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(id),
                error,
                ..
            } => self.on_dial_failed(&id, &error),
            SwarmEvent::IncomingConnectionError {
                send_back_addr,
                error,
                ..
            } => {
                counters.refused.add(1);
                tracing::debug!(from = %send_back_addr, %error, "a connection was refused");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                self.queues.link(Event::Listening(address.to_string()));
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listening has a problem"),
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                tracing::error!(
                    ?addresses,
                    ?reason,
                    "no longer listening: only own dials reach members now"
                );
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(event) => self.on_gossip_event(event),
            BehaviourEvent::Bodies(event) => self.on_request_event(Protocol::Bodies, event),
            BehaviourEvent::Shares(event) => self.on_request_event(Protocol::Shares, event),
            BehaviourEvent::Records(event) => self.on_request_event(Protocol::Records, event),
            BehaviourEvent::Ping(ping::Event {
                peer,
                result: Ok(time),
                ..
            }) => {
                if let Some(peer) = self.shared.peer_of(&peer) {
                    peer.traffic.set_round_trip(time);
                }
            }
            BehaviourEvent::Ping(ping::Event { connection, .. }) => {
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }
}

/// Links: who is dialed, linked, lost.
impl Network {
    fn set_members(&mut self, members: &[Member]) {
        let changes = self.shared.replace(self.me, members);
        let now = self.shared.now();
        for peer in &changes.removed {
            self.dialer.remove(peer.member);
            self.unlink(peer);
            // Closes its connections, too.
            self.swarm.behaviour_mut().allowed.disallow_peer(peer.id);
        }
        for peer in &changes.added {
            self.swarm.behaviour_mut().allowed.allow_peer(peer.id);
            self.dialer.add(peer.member, self.me < peer.member, now);
        }
        for member in changes.moved {
            self.dialer.moved(member, now);
        }
    }

    fn dial_due(&mut self) {
        for member in self.dialer.due(self.shared.now()) {
            let Some(peer) = self.shared.peer(member) else {
                continue;
            };
            if peer.addresses.iter().any(resolve::is_name) {
                let note = self.note.clone();
                self.tasks.spawn(async move {
                    let addresses = resolve::resolve(peer.addresses.clone()).await;
                    // Fails only when the network has ended.
                    let _ = note.send(Note { peer, addresses }).await;
                });
            } else {
                self.dial(&peer, peer.addresses.clone());
            }
        }
    }

    fn dial(&mut self, peer: &Peer, addresses: Vec<Multiaddr>) {
        // `Always`: a connection that died unnoticed may still count as one. The dialer sees to it that nobody is dialed
        // without need. A fresh port, because reusing the listener's collides when both sides dial each other.
        let options = DialOpts::peer_id(peer.id)
            .condition(PeerCondition::Always)
            .addresses(addresses)
            .allocate_new_port()
            .build();
        if let Err(error) = self.swarm.dial(options) {
            self.on_dial_failed(&peer.id, &error);
        }
    }

    fn on_dial_failed(&mut self, id: &PeerId, error: &DialError) {
        let Some(peer) = self.shared.peer_of(id) else {
            return;
        };
        if self.writers.contains_key(&peer.member) {
            return; // The other side's attempt was faster.
        }
        let failures = self.dialer.down(peer.member, self.shared.now());
        tracing::debug!(member = %peer.member, failures, %error, "a member was not reached");
        if failures > 0 && failures.is_multiple_of(FAILURES_TOLD) {
            tracing::warn!(member = %peer.member, failures, %error, "a member cannot be reached: is it down, or its address wrong?");
        }
    }

    fn on_connected(&mut self, id: &PeerId) {
        let Some(peer) = self.shared.peer_of(id) else {
            return;
        };
        let now = self.shared.now();
        peer.traffic.heard(now);
        self.dialer.up(peer.member, now);
        if !self.writers.contains_key(&peer.member) {
            let writer = direct::write(
                self.control.clone(),
                peer.clone(),
                self.shared.clone(),
                self.open.clone(),
            );
            self.writers.insert(peer.member, self.tasks.spawn(writer));
        }
    }

    /// The peer accepted our direct stream: only now is it certain that it lets us in.
    fn on_opened(&mut self, peer: &Peer) {
        let running = self.writers.contains_key(&peer.member);
        if running && !peer.traffic.linked.swap(true, Ordering::Relaxed) {
            tracing::info!(member = %peer.member, "connected");
            self.queues.link(Event::Connected(peer.member));
        }
    }

    fn on_link_lost(&mut self, peer: &Peer) {
        if self.writers.contains_key(&peer.member) {
            self.unlink(peer);
            self.dialer.down(peer.member, self.shared.now());
        }
    }

    fn unlink(&mut self, peer: &Peer) {
        if let Some(writer) = self.writers.remove(&peer.member) {
            writer.abort();
        }
        if peer.traffic.linked.swap(false, Ordering::Relaxed) {
            tracing::info!(member = %peer.member, "disconnected");
            self.queues.link(Event::Disconnected(peer.member));
        }
    }

    /// Gives up links over which nothing came for too long, and starts to redial.
    fn cut_off_silent(&mut self) {
        let now = self.shared.now();
        for peer in self.shared.peers() {
            let silence = peer.traffic.silence(now);
            if self.writers.contains_key(&peer.member) && silence > self.shared.limits.silence_max {
                tracing::warn!(member = %peer.member, ?silence, "a member fell silent: its link is given up");
                self.on_link_lost(&peer);
                // An error means that there is no connection any more, which is what is wanted.
                let _ = self.swarm.disconnect_peer_id(peer.id);
            }
        }
    }
}

/// Gossip.
impl Network {
    fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        let length = bytes.len();
        self.shared.gossip_queued.fetch_sub(length, Ordering::Relaxed);
        let Some(hash) = self.topics.hash(topic) else {
            return;
        };
        let counters = &self.shared.counters;
        match self.swarm.behaviour_mut().gossip.publish(hash, bytes) {
            Ok(_) => counters.topic(topic).sent(1, length),
            Err(PublishError::Duplicate) => {}
            Err(error) => {
                counters.gossip_out_dropped.add(1);
                tracing::debug!(?topic, length, %error, "a message found no peer");
            }
        }
    }

    fn judge(&mut self, id: &GossipId, verdict: Verdict) {
        let counters = &self.shared.counters;
        if verdict == Verdict::Reject {
            counters.gossip_rejected.add(1);
        }
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let message = gossip::id_of(&id.hash);
        let found = gossip.report_message_validation_result(&message, &id.source, verdict.into());
        if !found {
            counters.verdicts_late.add(1);
        }
    }

    fn on_gossip_event(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source: source,
                message_id,
                message,
            } => {
                let known = self.shared.peer_of(&source).zip(self.topics.find(&message.topic));
                let taken = known
                    .zip(gossip::hash_of(&message_id))
                    .is_some_and(|((peer, topic), hash)| {
                        let id = GossipId { hash, source };
                        self.queues.gossip(&peer, topic, message.data, id)
                    });
                if !taken {
                    let gossip = &mut self.swarm.behaviour_mut().gossip;
                    gossip.report_message_validation_result(&message_id, &source, MessageAcceptance::Ignore);
                }
            }
            gossipsub::Event::SlowPeer { failed_messages, .. } => {
                let lost = failed_messages.priority + failed_messages.non_priority;
                self.shared.counters.gossip_slow.add(lost);
            }
            _ => {}
        }
    }
}

/// Requests and answers.
impl Network {
    fn on_request_event(&mut self, protocol: Protocol, event: request_response::Event<Ask, Told>) {
        use request_response::Event::{InboundFailure, Message as Came, OutboundFailure, ResponseSent};
        match event {
            Came {
                peer,
                message: Message::Request { request, channel, .. },
                ..
            } => {
                let reply = Reply {
                    protocol,
                    channel,
                    _permit: request.permit,
                };
                self.on_request(&peer, reply, request.bytes.into());
            }
            Came {
                message: Message::Response {
                    request_id, response, ..
                },
                ..
            } => match response {
                Told::Answer { bytes, permit } => {
                    self.on_outcome(protocol, request_id, Ok(bytes.into()), permit)
                }
                Told::Busy => self.on_outcome(protocol, request_id, Err(RequestError::Busy), None),
            },
            OutboundFailure {
                request_id, error, ..
            } => self.on_outcome(protocol, request_id, Err(request_error(&error)), None),
            InboundFailure { peer, error, .. } => log_inbound(protocol, &peer, &error),
            ResponseSent { .. } => {}
        }
    }

    fn on_request(&mut self, from: &PeerId, reply: Reply, bytes: Vec<u8>) {
        // A peer that just left the list: dropping the reply ends its stream.
        let Some(peer) = self.shared.peer_of(from) else {
            return;
        };
        if !peer.traffic.allows_request(self.shared.now()) {
            self.shared.counters.requests_dropped.add(1);
            self.reply(reply, Told::Busy);
            return;
        }
        let event = Event::Request {
            from: peer.member,
            protocol: reply.protocol,
            bytes,
            reply,
        };
        self.queues.request(event, None);
    }

    fn reply(&mut self, reply: Reply, told: Told) {
        let behaviour = self.swarm.behaviour_mut().protocol(reply.protocol);
        if behaviour.send_response(reply.channel, told).is_err() {
            tracing::debug!(protocol = ?reply.protocol, "an answer came after its asker had given up");
        }
    }

    fn on_outcome(
        &mut self,
        protocol: Protocol,
        key: OutboundRequestId,
        result: Result<Vec<u8>, RequestError>,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) {
        if let Some(asked) = self.asked.remove(&(protocol, key)) {
            self.answer(asked.id, asked.member, protocol, result, permit);
        }
    }

    fn answer(
        &self,
        id: RequestId,
        from: MemberId,
        protocol: Protocol,
        result: Result<Vec<u8>, RequestError>,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) {
        let event = Event::Answer {
            id,
            from,
            protocol,
            result,
        };
        self.queues.request(event, permit);
    }
}

fn keypair(config: &Config) -> Result<identity::Keypair, StartError> {
    let own = config.members.iter().find(|member| member.id == config.me);
    if own.is_some_and(|member| member.network_key != config.identity.public()) {
        return Err(StartError::WrongIdentity(config.me));
    }
    let mut seed = config.identity.seed();
    // Takes the seed and overwrites it with zeroes.
    let keypair =
        identity::Keypair::ed25519_from_bytes(seed.as_mut_slice()).map_err(|_| StartError::BadIdentity)?;
    match peer_id(&config.identity.public()) {
        Some(id) if id == keypair.public().to_peer_id() => Ok(keypair),
        _ => Err(StartError::BadIdentity),
    }
}

fn listen(swarm: &mut Swarm<Behaviour>, address: &str) -> Result<(), StartError> {
    let parsed: Multiaddr = address.parse().map_err(|error| StartError::BadListenAddress {
        address: address.to_owned(),
        reason: format!("{error}"),
    })?;
    swarm.listen_on(parsed).map_err(|error| StartError::Listen {
        address: address.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(())
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn request_error(failure: &OutboundFailure) -> RequestError {
    match failure {
        OutboundFailure::DialFailure => RequestError::NotConnected,
        OutboundFailure::Timeout => RequestError::TimedOut,
        OutboundFailure::ConnectionClosed => RequestError::ConnectionLost,
        OutboundFailure::UnsupportedProtocols => RequestError::Unsupported,
        OutboundFailure::Io(error) => stream_error(error),
    }
}

fn stream_error(error: &io::Error) -> RequestError {
    if let Some(FrameTooLong { length, limit }) = FrameTooLong::within(error) {
        return RequestError::TooLong { length, limit };
    }
    if error.get_ref().is_some_and(|inner| inner.is::<NoAnswer>()) {
        return RequestError::NoAnswer;
    }
    RequestError::Stream(error.to_string())
}

fn log_inbound(protocol: Protocol, peer: &PeerId, error: &InboundFailure) {
    match error {
        InboundFailure::ResponseOmission => {} // The shell chose not to answer.
        error => tracing::debug!(?protocol, %peer, %error, "a request of a peer came to nothing"),
    }
}
