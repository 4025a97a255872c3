//! The validators' network: one libp2p swarm, its messages and its limits.
//!
//! It is transport only. Payloads are opaque bytes, peers are named by their [`MemberId`], and nothing here knows
//! what a vote or a share is. The shell starts one task, keeps a [`Handle`] to speak and reads [`Events`] to hear:
//!
//! ```text
//!   Handle (any thread, never blocks)                     Events (one reader)
//!     broadcast, send ----> outbox per peer --stream-->     Direct    consensus: newest wins, order kept
//!     gossip, verdict ----> gossipsub mesh  --flood--->     Gossip    transactions, headers
//!     request, answer ----> bodies | shares | records ->    Request, Answer
//!     set_members --------> allow-list, dialer              Connected, Disconnected, Listening
//!                     \_______ one task: Network::run _______/
//! ```
//!
//! TCP, Noise and Yamux carry everything. The chain id is the prologue of the Noise handshake, so that two networks
//! cannot speak to each other even with the same keys.
//!
//! # Who is let in
//!
//! Members only, by the `network_key` that stands in the chain's state; strangers are cut right after the handshake
//! proved who they are not. [`Handle::set_members`] changes the list at run time and drops who left.
//!
//! # What happens when someone is slow
//!
//! | kind | a slow peer | a slow shell |
//! | --- | --- | --- |
//! | direct | its outbox drops the oldest frames | frames beyond a peer's allowance are dropped |
//! | gossip | its queue drops; old messages are abandoned | messages beyond a peer's allowance are ignored and not passed on |
//! | requests | [`SendError::Busy`] beyond a few in flight | the peer's next requests stay unread in its stream |
//!
//! Everything is counted ([`Snapshot`]). Allowances are per peer, so that a flooding member starves itself only. Gossip
//! is shed rather than held back: holding it back would mean not to poll the swarm, and consensus runs through the same one.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use salus_net::{Config, Event, Limits, MemberId, Network};
//! use salus_types::{ChainId, Hash, SecretKey};
//!
//! let (network, handle, mut events) = Network::start(Config {
//!     me: MemberId::new(0),
//!     identity: SecretKey::from_seed(&[7; 32]),
//!     chain: ChainId::new(Hash::of_content(b"genesis")),
//!     members: Vec::new(),
//!     listen: vec!["/ip4/127.0.0.1/tcp/0".to_owned()],
//!     seed: 1,
//!     limits: Limits::default(),
//! })?;
//! let mut tasks = tokio::task::JoinSet::new();
//! tasks.spawn(network.run());
//! handle.broadcast("nobody hears this yet")?;
//! assert!(matches!(events.recv().await, Some(Event::Listening(_))));
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! - Every queue, frame, answer and retry has a bound; memory for a message is taken as its bytes arrive, never by its prefix.
//! - No peer is ever graylisted or scored: with n members a score could only cut honest ones off below the quorum.
//! - A handle's methods never wait: they queue, or say at once why not.
//! - Randomness is an argument: jitter comes from [`Config::seed`]. (Noise and gossipsub's mesh draw their own.)

mod config;
mod protocol;

mod event;
mod handle;
mod network;

mod behaviour;
mod codec;
mod counters;
mod dialer;
mod direct;
mod frame;
mod gossip;
mod outbox;
mod rate;
mod resolve;
mod roster;
mod transport;

pub use bytes::Bytes;
pub use config::{Config, Limits, StartError};
pub use counters::{Dropped, Snapshot, Traffic};
pub use event::{Event, Events, GossipId, Reply, RequestError, RequestId};
pub use handle::{Handle, PeerStatus, SendError};
pub use network::Network;
pub use protocol::{DIRECT_LENGTH_MAX, GOSSIP_LENGTH_MAX, Protocol, Topic, Verdict};
#[doc(no_inline)]
pub use salus_types::MemberId;
