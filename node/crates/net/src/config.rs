use salus_types::{ChainId, Member, MemberId, SecretKey};
use std::time::Duration;

/// What a network is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The own member number. It need not be among `members` yet: a joiner starts before the others let it in.
    pub me: MemberId,
    /// The key of the own peer id; its public part is the own member's `network_key`.
    pub identity: SecretKey,
    /// The network; part of the handshake.
    pub chain: ChainId,
    /// Who may connect, and where they are.
    pub members: Vec<Member>,
    /// Multiaddresses to listen on, such as `/ip4/0.0.0.0/tcp/4001`. None: the node only dials.
    pub listen: Vec<String>,
    /// Seed of the redial jitter. Different on every node, so that they don't dial in step.
    pub seed: u64,
    /// Times and allowances; the defaults are right except in tests.
    pub limits: Limits,
}

/// Times and allowances. All allowances are per peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// An idle direct stream carries a keep-alive this often.
    pub keep_alive: Duration,
    /// A peer that was silent for this long is cut off. At least three times `keep_alive`.
    pub silence_max: Duration,
    /// The pause before the second attempt to reach a peer; it doubles with each attempt.
    pub redial_min: Duration,
    /// The longest pause between attempts.
    pub redial_max: Duration,
    /// How long the member with the higher number waits for the other to dial, so that two rarely dial each other at once. One
    /// that comes back is without peers for as long, since the others have made their pauses long.
    pub dial_grace: Duration,
    /// From a request to the last byte of its answer, for bodies.
    pub bodies_timeout: Duration,
    /// The same for shares.
    pub shares_timeout: Duration,
    /// The same for records.
    pub records_timeout: Duration,
    /// Requests of all kinds a peer may send in the long run, a second; more are answered with [`crate::RequestError::Busy`].
    pub requests_per_second: u32,
    /// Requests a peer may send at once after a pause.
    pub requests_burst: u32,
    /// Bytes of requests of one protocol that one connection may have unanswered, at most. At least one full request (20 MiB).
    pub request_bytes_max: usize,
    /// Bytes of answers of one protocol that wait for the shell, for one connection. At least one full answer (20 MiB).
    pub answer_bytes_max: usize,
    /// Frames that wait for one peer, at most.
    pub outbox_frames_max: usize,
    /// Bytes that wait for one peer, at most.
    pub outbox_bytes_max: usize,
    /// Direct messages of one peer that wait for the shell, in KiB; each counts as one at least.
    pub direct_waiting_kib_max: usize,
    /// Gossip messages from one peer that wait for the shell, in KiB; each counts as one at least.
    pub gossip_waiting_kib_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(2),
            silence_max: Duration::from_secs(8),
            redial_min: Duration::from_millis(250),
            redial_max: Duration::from_secs(15),
            dial_grace: Duration::from_millis(500),
            bodies_timeout: Duration::from_secs(10),
            shares_timeout: Duration::from_secs(10),
            records_timeout: Duration::from_secs(30),
            requests_per_second: 500,
            requests_burst: 1_000,
            request_bytes_max: 40 << 20,
            answer_bytes_max: 40 << 20,
            outbox_frames_max: 1_024,
            outbox_bytes_max: 4 << 20,
            direct_waiting_kib_max: 1_024,
            gossip_waiting_kib_max: 4_096,
        }
    }
}

/// Why a network cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key does not belong to the own member.
    #[error("the network key of this node is not the one that the chain knows for {0}: check the keystore")]
    WrongIdentity(MemberId),
    /// The seed of the own key was refused.
    #[error("the network key is not a usable ed25519 key")]
    BadIdentity,
    /// An address to listen on is not a multiaddress.
    #[error("{address:?} is not a multiaddress such as /ip4/0.0.0.0/tcp/4001: {reason}")]
    BadListenAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An address to listen on is taken or not ours.
    #[error("cannot listen on {address}: {reason}; is another process using it?")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// The network was started outside a tokio runtime.
    #[error("the network must be started within a tokio runtime")]
    NoRuntime,
    /// A part of libp2p refused its configuration.
    #[error("the network could not be set up: {0}")]
    Setup(String),
}
