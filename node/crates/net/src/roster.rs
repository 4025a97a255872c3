//! Who is who: the members as peers, shared by the handle, the network's task and the stream tasks.

use crate::counters::Counters;
use crate::outbox::Outbox;
use crate::rate::Rate;
use crate::{Limits, Protocol};
use libp2p::{Multiaddr, PeerId, identity};
use salus_types::{Member, MemberId, PublicKey};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What all tasks of one network share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Arc<Counters>,
    pub(crate) limits: Limits,
    started: Instant,
    roster: RwLock<Roster>,
    /// Bytes of gossip that were published but have not reached the swarm.
    pub(crate) gossip_queued: AtomicUsize,
}

#[derive(Debug, Default)]
struct Roster {
    peers: BTreeMap<MemberId, Arc<Peer>>,
    members: BTreeMap<PeerId, MemberId>,
}

/// Another member and what we hold for it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) member: MemberId,
    pub(crate) id: PeerId,
    pub(crate) addresses: Vec<Multiaddr>,
    pub(crate) traffic: Arc<PeerTraffic>,
}

/// The part of a peer that outlives a change of its addresses.
#[derive(Debug)]
pub(crate) struct PeerTraffic {
    pub(crate) outbox: Outbox,
    /// KiB of direct messages that may wait for the shell.
    pub(crate) direct_credit: Arc<Semaphore>,
    /// KiB of gossip that may wait for the shell.
    pub(crate) gossip_credit: Arc<Semaphore>,
    pub(crate) linked: AtomicBool,
    pub(crate) dropped: AtomicU64,
    pub(crate) rejected: AtomicU64,
    in_flight: [AtomicUsize; 3],
    request_rate: Mutex<Rate>,
    heard_ms: AtomicU64,
    round_trip_us: AtomicU64,
}

/// What [`Shared::replace`] changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) added: Vec<Arc<Peer>>,
    pub(crate) removed: Vec<Arc<Peer>>,
    pub(crate) moved: Vec<MemberId>,
}

/// A place among a peer's requests in flight; given back when dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    traffic: Arc<PeerTraffic>,
    protocol: Protocol,
}

/// The peer id of a network key; `None` if the bytes are not a point of the curve.
pub(crate) fn peer_id(key: &PublicKey) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

impl Shared {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            counters: Arc::default(),
            limits,
            started: Instant::now(),
            roster: RwLock::default(),
            gossip_queued: AtomicUsize::new(0),
        }
    }

    /// Time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The instant of a time since the start.
    pub(crate) fn instant(&self, at: Duration) -> Instant {
        self.started + at
    }

    pub(crate) fn peer(&self, member: MemberId) -> Option<Arc<Peer>> {
        self.read(|roster| roster.peers.get(&member).cloned())
    }

    pub(crate) fn peer_of(&self, id: &PeerId) -> Option<Arc<Peer>> {
        self.read(|roster| roster.peers.get(roster.members.get(id)?).cloned())
    }

    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        self.read(|roster| roster.peers.values().cloned().collect())
    }

    /// Calls `visit` with every peer, under the read lock: it must be quick.
    pub(crate) fn each(&self, visit: impl FnMut(&Arc<Peer>)) {
        self.read(|roster| roster.peers.values().for_each(visit));
    }

    /// Makes `members`, except the own one, the peers. Who stays keeps its queues; who changed its key counts as new.
    pub(crate) fn replace(&self, me: MemberId, members: &[Member]) -> Changes {
        let mut changes = Changes::default();
        let mut roster = self.roster.write().unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *roster);
        for member in members.iter().filter(|member| member.id != me) {
            let Some(id) = peer_id(&member.network_key) else {
                tracing::warn!(member = %member.id, "its network key is not a key: it cannot be connected to");
                continue;
            };
            let addresses = addresses(member);
            let peer = match old.peers.remove(&member.id) {
                Some(peer) if peer.id == id && peer.addresses == addresses => peer,
                Some(peer) if peer.id == id => {
                    changes.moved.push(member.id);
                    Arc::new(Peer::new(member.id, id, addresses, peer.traffic.clone()))
                }
                other => {
                    changes.removed.extend(other);
                    let traffic = Arc::new(PeerTraffic::new(&self.limits, self.now()));
                    let peer = Arc::new(Peer::new(member.id, id, addresses, traffic));
                    changes.added.push(peer.clone());
                    peer
                }
            };
            roster.members.insert(id, member.id);
            roster.peers.insert(member.id, peer);
        }
        changes.removed.extend(old.peers.into_values());
        changes
    }

    fn read<T>(&self, look: impl FnOnce(&Roster) -> T) -> T {
        // No code panics while it holds the lock for writing.
        look(&self.roster.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Peer {
    fn new(member: MemberId, id: PeerId, addresses: Vec<Multiaddr>, traffic: Arc<PeerTraffic>) -> Self {
        Self {
            member,
            id,
            addresses,
            traffic,
        }
    }
}

impl PeerTraffic {
    fn new(limits: &Limits, now: Duration) -> Self {
        let traffic = Self {
            outbox: Outbox::new(limits.outbox_frames_max, limits.outbox_bytes_max),
            direct_credit: Arc::new(Semaphore::new(limits.direct_waiting_kib_max)),
            gossip_credit: Arc::new(Semaphore::new(limits.gossip_waiting_kib_max)),
            linked: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            in_flight: Default::default(),
            request_rate: Mutex::new(Rate::new(limits.requests_per_second, limits.requests_burst)),
            heard_ms: AtomicU64::new(0),
            round_trip_us: AtomicU64::new(0),
        };
        traffic.heard(now);
        traffic
    }

    /// Notes that the peer is alive.
    pub(crate) fn heard(&self, now: Duration) {
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    /// How long nothing was heard of the peer.
    pub(crate) fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)))
    }

    pub(crate) fn set_round_trip(&self, time: Duration) {
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.round_trip_us.store(time_us.max(1), Ordering::Relaxed);
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let time_us = self.round_trip_us.load(Ordering::Relaxed);
        (time_us > 0).then(|| Duration::from_micros(time_us))
    }

    /// Whether the peer may make one more request now.
    pub(crate) fn allows_request(&self, now: Duration) -> bool {
        let mut rate = self.request_rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.allow(now)
    }

    /// Takes a place among the requests in flight to this peer; `None` if all are taken.
    pub(crate) fn enter(self: &Arc<Self>, protocol: Protocol) -> Option<InFlight> {
        let count = self.in_flight.get(protocol.index())?;
        let most = protocol.in_flight_max();
        let more = |now: usize| (now < most).then_some(now + 1);
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        Some(InFlight {
            traffic: self.clone(),
            protocol,
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(count) = self.traffic.in_flight.get(self.protocol.index()) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn addresses(member: &Member) -> Vec<Multiaddr> {
    let parse = |text: &String| match text.parse() {
        Ok(address) => Some(address),
        Err(error) => {
            tracing::warn!(member = %member.id, address = text, %error, "not a multiaddress: ignored");
            None
        }
    };
    member.addresses.iter().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_types::{SecretKey, Slot};

    fn member(number: u16, key: u8, port: u16) -> Member {
        let network_key = SecretKey::from_seed(&[key; 32]).public();
        Member {
            id: MemberId::new(number),
            name: format!("hospital {number}"),
            consensus_key: network_key,
            network_key,
            release_key: [0; 32],
            slot: Slot::new(number),
            addresses: vec![format!("/ip4/127.0.0.1/tcp/{port}"), "nonsense".to_owned()],
        }
    }

    fn numbers(peers: &[Arc<Peer>]) -> Vec<u16> {
        peers.iter().map(|peer| peer.member.get()).collect()
    }

    #[tokio::test]
    async fn a_new_list_says_what_changed() {
        let shared = Shared::new(Limits::default());
        let me = MemberId::new(0);
        let first = shared.replace(
            me,
            &[member(0, 1, 1), member(1, 2, 1), member(2, 3, 1), member(3, 4, 1)],
        );
        assert_eq!(numbers(&first.added), [1, 2, 3]);
        let kept = shared.peer(MemberId::new(2)).unwrap();
        kept.traffic.outbox.push("waits".into());

        let second = shared.replace(
            me,
            &[member(1, 2, 1), member(2, 3, 9), member(3, 7, 1), member(4, 8, 1)],
        );
        assert_eq!(numbers(&second.added), [3, 4], "a changed key is a new peer");
        assert_eq!(numbers(&second.removed), [3]);
        assert_eq!(second.moved, [MemberId::new(2)]);
        let moved = shared.peer_of(&kept.id).unwrap();
        assert_eq!(moved.addresses, ["/ip4/127.0.0.1/tcp/9".parse().unwrap()]);
        assert_eq!(
            moved.traffic.outbox.waiting(),
            1,
            "what waits for a peer survives a move"
        );
        assert!(shared.peer_of(&second.removed[0].id).is_none());
    }

    #[tokio::test]
    async fn requests_in_flight_are_bounded_and_given_back() {
        let traffic = Arc::new(PeerTraffic::new(&Limits::default(), Duration::ZERO));
        let all: Vec<_> = std::iter::from_fn(|| traffic.enter(Protocol::Bodies)).collect();
        assert_eq!(all.len(), Protocol::Bodies.in_flight_max());
        assert!(
            traffic.enter(Protocol::Shares).is_some(),
            "other protocols are not affected"
        );
        drop(all);
        assert!(traffic.enter(Protocol::Bodies).is_some());
    }

    #[test]
    fn the_peer_id_of_a_key_does_not_drift() {
        let key = SecretKey::from_seed(&[7; 32]).public();
        let id = peer_id(&key).unwrap();
        // The libp2p spec: identity multihash over the protobuf of an ed25519 key.
        let spec = [&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20], key.as_bytes().as_slice()].concat();
        assert_eq!(id.to_bytes(), spec);
        assert_eq!(
            id.to_string(),
            "12D3KooWRawPbxPtP1eZaJpumGnyWX2DcUyd3RQnydr3eAto4Az7"
        );
        assert_eq!(
            peer_id(&PublicKey::new([2; 32])),
            None,
            "not a point of the curve"
        );
    }
}
