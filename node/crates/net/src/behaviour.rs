use crate::codec::Codec;
use crate::gossip::{self, Gossip};
use crate::roster::Shared;
use crate::{Protocol, StartError};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{identify, identity, ping, request_response};
use libp2p_allow_block_list::AllowedPeers;
use libp2p_connection_limits::ConnectionLimits;
use salus_types::ChainId;
use std::time::Duration;

/// Connections in the middle of their handshakes. Strangers can fill this; members also dial, so both ways are never shut.
const PENDING_IN_MAX: u32 = 64;
const PENDING_OUT_MAX: u32 = 128;
/// One link, a second when both dialed at once, a third while a dead one is not yet noticed.
const PER_PEER_MAX: u32 = 3;

/// Everything that runs over one connection. The order matters: who must not connect is turned away before the others
/// keep anything for the connection (libp2p-stream keeps a little until the end of the process).
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: libp2p_connection_limits::Behaviour,
    pub(crate) allowed: libp2p_allow_block_list::Behaviour<AllowedPeers>,
    pub(crate) ping: ping::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) direct: libp2p_stream::Behaviour,
    pub(crate) gossip: Gossip,
    pub(crate) bodies: request_response::Behaviour<Codec>,
    pub(crate) shares: request_response::Behaviour<Codec>,
    pub(crate) records: request_response::Behaviour<Codec>,
}

impl Behaviour {
    pub(crate) fn new(
        keypair: &identity::Keypair,
        chain: &ChainId,
        shared: &Shared,
    ) -> Result<Self, StartError> {
        let limits = ConnectionLimits::default()
            .with_max_pending_incoming(Some(PENDING_IN_MAX))
            .with_max_pending_outgoing(Some(PENDING_OUT_MAX))
            .with_max_established_per_peer(Some(PER_PEER_MAX));
        // Nobody learns addresses here: members publish theirs on the chain.
        let identify = identify::Config::new("/salus/1".to_owned(), keypair.public())
            .with_agent_version(concat!("salus/", env!("CARGO_PKG_VERSION")).to_owned())
            .with_interval(Duration::from_secs(3_600))
            .with_hide_listen_addrs(true)
            .with_cache_size(0);
        // Round trips only: ping keeps its first failure to itself and takes 10 s to reopen its stream, so dead links
        // are noticed by the silence of the direct stream instead.
        let ping = ping::Config::new()
            .with_interval(Duration::from_secs(5))
            .with_timeout(Duration::from_secs(5));
        Ok(Self {
            limits: libp2p_connection_limits::Behaviour::new(limits),
            allowed: libp2p_allow_block_list::Behaviour::default(),
            ping: ping::Behaviour::new(ping),
            identify: identify::Behaviour::new(identify),
            direct: libp2p_stream::Behaviour::new(),
            gossip: gossip::build(chain, shared.counters.clone()).map_err(StartError::Setup)?,
            bodies: requests(Protocol::Bodies, shared),
            shares: requests(Protocol::Shares, shared),
            records: requests(Protocol::Records, shared),
        })
    }

    pub(crate) fn protocol(&mut self, protocol: Protocol) -> &mut request_response::Behaviour<Codec> {
        match protocol {
            Protocol::Bodies => &mut self.bodies,
            Protocol::Shares => &mut self.shares,
            Protocol::Records => &mut self.records,
        }
    }
}

fn requests(protocol: Protocol, shared: &Shared) -> request_response::Behaviour<Codec> {
    let timeout = match protocol {
        Protocol::Bodies => shared.limits.bodies_timeout,
        Protocol::Shares => shared.limits.shares_timeout,
        Protocol::Records => shared.limits.records_timeout,
    };
    // libp2p counts both directions against this one: room for ours and for the peer's.
    let config = request_response::Config::default()
        .with_request_timeout(timeout)
        .with_max_concurrent_streams(2 * protocol.in_flight_max());
    let codec = Codec::new(protocol, shared.counters.clone(), shared.limits);
    let support = request_response::ProtocolSupport::Full;
    request_response::Behaviour::with_codec(codec, [(protocol.stream(), support)], config)
}
