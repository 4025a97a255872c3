use crate::{Protocol, Topic};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a kind of message moved since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages sent.
    pub messages_out: u64,
    /// Bytes sent, with our own framing, without that of Yamux, Noise and TCP.
    pub bytes_out: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Bytes received, counted as `bytes_out`.
    pub bytes_in: u64,
}

/// What was given up since the start, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Direct frames that had to leave a full outbox, or were lost with a broken stream.
    pub direct_out: u64,
    /// Direct messages beyond a peer's allowance of messages that wait for the shell.
    pub direct_in: u64,
    /// Gossip messages beyond such an allowance.
    pub gossip_in: u64,
    /// Gossip messages that found no peer or only full queues.
    pub gossip_out: u64,
    /// Gossip messages that libp2p gave up for slow peers.
    pub gossip_slow: u64,
    /// Verdicts that came after the message had left gossipsub's memory: the message was not passed on.
    pub verdicts_late: u64,
    /// Requests of peers beyond their rate.
    pub requests_in: u64,
    /// Connected and Disconnected events beyond what may wait for the shell.
    pub links: u64,
}

/// All counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Consensus messages.
    pub direct: Traffic,
    /// Gossiped transactions. `out` counts a message once however many peers it goes to, and not what is passed on;
    /// `in` counts every copy. Copies on the wire are the sum of `in` over all nodes.
    pub transactions: Traffic,
    /// Gossiped headers; counted as `transactions`.
    pub headers: Traffic,
    /// Requests and answers of bodies.
    pub bodies: Traffic,
    /// Requests and answers of shares.
    pub shares: Traffic,
    /// Requests and answers of records.
    pub records: Traffic,
    /// Bytes written to TCP, everything included.
    pub wire_bytes_out: u64,
    /// Bytes read from TCP, everything included.
    pub wire_bytes_in: u64,
    /// What was given up.
    pub dropped: Dropped,
    /// Gossip messages that the shell rejected.
    pub gossip_rejected: u64,
    /// Connections refused: strangers, other networks, too many.
    pub refused: u64,
    /// Frames and messages against the protocol, such as too long ones.
    pub violations: u64,
    /// Members linked now.
    pub peers: u64,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: usize) {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct TrafficCount {
    messages_out: Count,
    bytes_out: Count,
    messages_in: Count,
    bytes_in: Count,
}

impl TrafficCount {
    pub(crate) fn sent(&self, messages: usize, bytes: usize) {
        self.messages_out.add(messages);
        self.bytes_out.add(bytes);
    }

    pub(crate) fn received(&self, messages: usize, bytes: usize) {
        self.messages_in.add(messages);
        self.bytes_in.add(bytes);
    }

    fn get(&self) -> Traffic {
        Traffic {
            messages_out: self.messages_out.get(),
            bytes_out: self.bytes_out.get(),
            messages_in: self.messages_in.get(),
            bytes_in: self.bytes_in.get(),
        }
    }
}

/// Counts from every task; each is exact, a snapshot of several is not taken at one instant.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) direct: TrafficCount,
    transactions: TrafficCount,
    headers: TrafficCount,
    bodies: TrafficCount,
    shares: TrafficCount,
    records: TrafficCount,
    pub(crate) wire_out: Count,
    pub(crate) wire_in: Count,
    pub(crate) direct_out_dropped: Count,
    pub(crate) direct_in_dropped: Count,
    pub(crate) gossip_in_dropped: Count,
    pub(crate) gossip_out_dropped: Count,
    pub(crate) gossip_slow: Count,
    pub(crate) verdicts_late: Count,
    pub(crate) requests_dropped: Count,
    pub(crate) links_dropped: Count,
    pub(crate) gossip_rejected: Count,
    pub(crate) refused: Count,
    pub(crate) violations: Count,
}

impl Counters {
    pub(crate) fn topic(&self, topic: Topic) -> &TrafficCount {
        match topic {
            Topic::Transactions => &self.transactions,
            Topic::Headers => &self.headers,
        }
    }

    pub(crate) fn protocol(&self, protocol: Protocol) -> &TrafficCount {
        match protocol {
            Protocol::Bodies => &self.bodies,
            Protocol::Shares => &self.shares,
            Protocol::Records => &self.records,
        }
    }

    pub(crate) fn snapshot(&self, peers: usize) -> Snapshot {
        Snapshot {
            direct: self.direct.get(),
            transactions: self.transactions.get(),
            headers: self.headers.get(),
            bodies: self.bodies.get(),
            shares: self.shares.get(),
            records: self.records.get(),
            wire_bytes_out: self.wire_out.get(),
            wire_bytes_in: self.wire_in.get(),
            dropped: Dropped {
                direct_out: self.direct_out_dropped.get(),
                direct_in: self.direct_in_dropped.get(),
                gossip_in: self.gossip_in_dropped.get(),
                gossip_out: self.gossip_out_dropped.get(),
                gossip_slow: self.gossip_slow.get(),
                verdicts_late: self.verdicts_late.get(),
                requests_in: self.requests_dropped.get(),
                links: self.links_dropped.get(),
            },
            gossip_rejected: self.gossip_rejected.get(),
            refused: self.refused.get(),
            violations: self.violations.get(),
            peers: u64::try_from(peers).unwrap_or(u64::MAX),
        }
    }
}
