mod links;
mod publish;
mod requests;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::codec::Told;
use crate::config::{Config, StartError};
use crate::dialer::Dialer;
use crate::event::{self, Event, Events, GossipId, Queues, RequestId};
use crate::gossip::Topics;
use crate::handle::{Command, Handle};
use crate::protocol::DIRECT;
use crate::roster::{InFlight, Peer, Shared, peer_id};
use crate::{Protocol, direct, transport};
use futures::StreamExt;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, identity, ping};
use libp2p_stream::Control;
use salus_types::MemberId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior};

/// How often silence is looked for.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
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
    resolved: mpsc::Receiver<Resolved>,
    resolver: mpsc::Sender<Resolved>,
    opened: mpsc::Receiver<Arc<Peer>>,
    open: mpsc::Sender<Arc<Peer>>,
    control: Control,
    topics: Topics,
    dialer: Dialer,
    watch: Interval,
    writers: BTreeMap<MemberId, AbortHandle>,
    accepted: VecDeque<(Duration, GossipId)>,
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
struct Resolved {
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
        let (resolver, resolved) = mpsc::channel(NOTES_MAX);
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
            resolved,
            resolver,
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
            accepted: VecDeque::new(),
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
            let pass_on_at = self.accepted.front().map(|(at, _)| self.shared.instant(*at));
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                Some(peer) = self.opened.recv() => self.on_opened(&peer),
                Some(found) = self.resolved.recv() => self.dial(&found.peer, found.addresses),
                () = sleep_until(dial_at) => self.dial_due(),
                () = sleep_until(pass_on_at) => self.pass_on_due(),
                _ = self.watch.tick() => self.cut_off_silent(),
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Gossip { topic, bytes } => self.publish(topic, bytes),
            Command::Verdict { id, verdict } => self.judge(id, verdict),
            Command::Request {
                id,
                peer,
                protocol,
                bytes,
                place,
            } => {
                let asked = Asked {
                    id,
                    member: peer.member,
                    _place: place,
                };
                self.request(asked, &peer.id, protocol, bytes);
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
            _ => {}
        }
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
