//! Nodes on the loopback interface, with ports that the system picks.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use salus_net::{Config, Event, Events, Handle, Limits, MemberId, Network};
use salus_types::{ChainId, Hash, Member, SecretKey, Slot};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Far more than anything here takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) id: MemberId,
    pub(crate) handle: Handle,
    pub(crate) events: Events,
    pub(crate) address: String,
    /// Dropping it is pulling the plug.
    pub(crate) task: JoinSet<()>,
}

pub(crate) fn id(number: usize) -> MemberId {
    MemberId::new(u16::try_from(number).unwrap())
}

pub(crate) fn chain() -> ChainId {
    ChainId::new(Hash::new([0x5a; 32]))
}

pub(crate) fn key(number: usize) -> SecretKey {
    SecretKey::from_seed(&[u8::try_from(number).unwrap() + 1; 32])
}

pub(crate) fn member(number: usize, addresses: &[String]) -> Member {
    Member {
        id: id(number),
        name: format!("hospital {number}"),
        consensus_key: key(number).public(),
        network_key: key(number).public(),
        release_key: [0; 32],
        slot: Slot::new(u16::try_from(number).unwrap()),
        addresses: addresses.to_vec(),
    }
}

/// Times for tests: everything sooner.
pub(crate) fn limits() -> Limits {
    Limits {
        redial_min: Duration::from_millis(20),
        redial_max: Duration::from_millis(200),
        dial_grace: Duration::from_millis(100),
        ..Limits::default()
    }
}

pub(crate) fn config(number: usize, limits: Limits) -> Config {
    Config {
        me: id(number),
        identity: key(number),
        chain: chain(),
        members: Vec::new(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
        seed: u64::try_from(number).unwrap(),
        limits,
    }
}

/// Starts a node that knows nobody yet.
pub(crate) async fn start(config: Config) -> Node {
    let id = config.me;
    let (network, handle, events) = Network::start(config).unwrap();
    let mut task = JoinSet::new();
    task.spawn(network.run());
    let mut node = Node {
        id,
        handle,
        events,
        address: String::new(),
        task,
    };
    node.address = node
        .wait(|event| match event {
            Event::Listening(address) => Some(address),
            _ => None,
        })
        .await;
    node
}

/// Starts nodes and tells each about all of them.
pub(crate) async fn network<const N: usize>(limits: Limits) -> [Node; N] {
    network_of([limits; N]).await
}

/// The same, each node with limits of its own.
pub(crate) async fn network_of<const N: usize>(limits: [Limits; N]) -> [Node; N] {
    let mut nodes = Vec::new();
    for (number, limits) in limits.into_iter().enumerate() {
        nodes.push(start(config(number, limits)).await);
    }
    let members: Vec<Member> = nodes
        .iter()
        .enumerate()
        .map(|(number, node)| member(number, std::slice::from_ref(&node.address)))
        .collect();
    for node in &nodes {
        node.handle.set_members(members.clone()).unwrap();
    }
    for node in &nodes {
        node.linked(N - 1).await;
    }
    match nodes.try_into() {
        Ok(nodes) => nodes,
        Err(_) => unreachable!("N nodes were started"),
    }
}

impl Node {
    /// Reads events until `pick` takes one.
    pub(crate) async fn wait<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the network runs");
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        };
        timeout(PATIENCE, search).await.expect("the event comes in time")
    }

    /// Waits until this many members are connected, without reading events.
    pub(crate) async fn linked(&self, count: usize) {
        let reached = || self.handle.peers().iter().filter(|peer| peer.connected).count() == count;
        until(reached).await;
    }

    pub(crate) async fn connected(&mut self, member: MemberId) {
        self.wait(|event| matches!(event, Event::Connected(who) if who == member).then_some(()))
            .await;
    }

    pub(crate) async fn disconnected(&mut self, member: MemberId) {
        self.wait(|event| matches!(event, Event::Disconnected(who) if who == member).then_some(()))
            .await;
    }

    /// The next direct message.
    pub(crate) async fn direct(&mut self) -> (MemberId, Vec<u8>) {
        self.wait(|event| match event {
            Event::Direct { from, bytes } => Some((from, bytes)),
            _ => None,
        })
        .await
    }

    /// Whether no event that `pick` takes comes within `time`.
    pub(crate) async fn quiet(&mut self, time: Duration, mut pick: impl FnMut(&Event) -> bool) -> bool {
        let search = async { while !self.events.recv().await.is_some_and(|event| pick(&event)) {} };
        timeout(time, search).await.is_err()
    }
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, poll).await.expect("it holds in time");
}
