//! A member that holds a valid key but speaks the protocol wrongly, byte by byte.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use common::{Node, PATIENCE, chain, config, id, key, limits, member, start, until};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::Transport;
use libp2p::core::upgrade::Version;
use libp2p::{StreamProtocol, Swarm, identity, noise, swarm, tcp, yamux};
use libp2p_stream::{Control, OpenStreamError};
use salus_net::{Event, Limits, Protocol, RequestError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A bare swarm with the key of member 1 that dials `victim` and opens whatever streams it likes.
struct Hostile {
    control: Control,
    victim: libp2p::PeerId,
    _task: JoinSet<()>,
}

impl Hostile {
    async fn attack(victim: &Node) -> Self {
        let keypair = identity::Keypair::ed25519_from_bytes(key(1).seed().as_mut_slice()).unwrap();
        let noise = noise::Config::new(&keypair)
            .unwrap()
            .with_prologue(chain().as_bytes().to_vec());
        let transport = tcp::tokio::Transport::new(tcp::Config::default())
            .upgrade(Version::V1Lazy)
            .authenticate(noise)
            .multiplex(yamux::Config::default())
            .boxed();
        let behaviour = libp2p_stream::Behaviour::new();
        let control = behaviour.new_control();
        let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(PATIENCE);
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), settings);
        let address: libp2p::Multiaddr = victim.address.parse().unwrap();
        swarm.dial(address).unwrap();
        // libp2p-stream dials nobody by itself.
        let linked = async { while !swarm.next().await.is_some_and(is_link) {} };
        timeout(PATIENCE, linked).await.unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move { while swarm.next().await.is_some() {} });
        let secret = identity::Keypair::ed25519_from_bytes(key(0).seed().as_mut_slice()).unwrap();
        Self {
            control,
            victim: secret.public().to_peer_id(),
            _task: task,
        }
    }

    async fn open(&mut self, protocol: &'static str) -> Result<libp2p::Stream, OpenStreamError> {
        let protocol = StreamProtocol::new(protocol);
        timeout(PATIENCE, self.control.open_stream(self.victim, protocol))
            .await
            .unwrap()
    }

    /// Sends bytes in a protocol and returns whatever comes back until the victim ends the stream.
    async fn say(&mut self, protocol: &'static str, hello: usize, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.open(protocol).await.unwrap();
        stream.read_exact(&mut vec![0; hello]).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        // The victim may end the stream cleanly or reset it.
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
        answer
    }
}

fn is_link<T>(event: swarm::SwarmEvent<T>) -> bool {
    matches!(event, swarm::SwarmEvent::ConnectionEstablished { .. })
}

async fn victim(limits: Limits) -> Node {
    let node = start(config(0, limits)).await;
    node.handle
        .set_members(vec![member(0, &[]), member(1, &[])])
        .unwrap();
    until(|| node.handle.peers().len() == 1).await;
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_ends_its_stream_and_is_counted() {
    let mut victim = victim(limits()).await;
    let mut hostile = Hostile::attack(&victim).await;
    let node = victim.handle.clone();

    let too_long = [0, 1, 0, 1]; // 64 KiB + 1
    hostile.say("/salus/1/direct", 1, &too_long).await;
    until(|| node.snapshot().violations == 1).await;

    let too_long = [0, 0, 16, 1]; // 4 KiB + 1
    assert_eq!(hostile.say("/salus/1/shares", 0, &too_long).await, b"");
    until(|| node.snapshot().violations == 2).await;

    let unknown = hostile.open("/salus/2/shares").await;
    assert!(matches!(unknown, Err(OpenStreamError::UnsupportedProtocol(_))));

    // It can still speak correctly: a broken stream is not the end of the link.
    let mut stream = hostile.open("/salus/1/direct").await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
    stream
        .write_all(b"\x00\x00\x00\x00\x00\x00\x00\x02ok")
        .await
        .unwrap();
    stream.flush().await.unwrap();
    assert_eq!(victim.direct().await, (id(1), b"ok".to_vec()));

    for protocol in Protocol::ALL {
        victim
            .handle
            .request(id(1), protocol, "do you speak this?")
            .unwrap();
        let result = victim
            .wait(|event| match event {
                Event::Answer { result, .. } => Some(result),
                _ => None,
            })
            .await;
        assert_eq!(result, Err(RequestError::Unsupported));
    }
    assert!(
        !victim.handle.peers()[0].connected,
        "it never accepted our direct stream"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_only_holds_the_line_is_cut_off() {
    let victim = victim(Limits {
        silence_max: Duration::from_millis(400),
        ..limits()
    })
    .await;
    let mut hostile = Hostile::attack(&victim).await;
    drop(hostile.open("/salus/1/direct").await.unwrap());
    until(|| victim.handle.peers()[0].silence > Duration::from_millis(400)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(hostile.open("/salus/1/direct").await.is_err(), "the link is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_question_holds_up_nobody() {
    let mut victim = victim(limits()).await;
    let mut hostile = Hostile::attack(&victim).await;
    // Promises 20 MiB and sends a few bytes.
    let mut stalled = hostile.open("/salus/1/bodies").await.unwrap();
    stalled.write_all(&[1, 0x40, 0, 0, 7, 7, 7]).await.unwrap();
    stalled.flush().await.unwrap();
    let mut stream = hostile.open("/salus/1/bodies").await.unwrap();
    stream.write_all(b"\x00\x00\x00\x02hi").await.unwrap();
    stream.flush().await.unwrap();
    let (bytes, reply) = victim
        .wait(|event| match event {
            Event::Request { bytes, reply, .. } => Some((bytes, reply)),
            _ => None,
        })
        .await;
    assert_eq!(bytes, b"hi");
    victim.handle.answer(reply, "yes").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"\x00\x00\x00\x00\x03yes");
}
