//! Names and limits of everything that is spoken. They are part of the wire format: changing one splits the network.

use libp2p::StreamProtocol;
use libp2p::gossipsub::{IdentTopic, MessageAcceptance};
use salus_types::ChainId;

/// Bytes of one direct message, at most.
pub const DIRECT_LENGTH_MAX: usize = 64 << 10;
/// Bytes of one gossip message, at most. Transactions travel in batches of up to this.
pub const GOSSIP_LENGTH_MAX: usize = 256 << 10;

pub(crate) const DIRECT: StreamProtocol = StreamProtocol::new("/salus/1/direct");

/// A question-and-answer protocol. There are three, so that one kind of traffic cannot starve another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Dealings of a block: pushed by its proposer, pulled by who missed them. 20 MiB each way.
    Bodies,
    /// Shares, headers and certificates: asked in at most 4 KiB, answered in at most 20 MiB.
    Shares,
    /// Pieces of health records. 20 MiB each way.
    Records,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 3] = [Self::Bodies, Self::Shares, Self::Records];

    /// The name that peers negotiate.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bodies => "/salus/1/bodies",
            Self::Shares => "/salus/1/shares",
            Self::Records => "/salus/1/records",
        }
    }

    /// Bytes of a request, at most.
    pub const fn request_length_max(self) -> usize {
        match self {
            Self::Shares => 4 << 10,
            Self::Bodies | Self::Records => 20 << 20,
        }
    }

    /// Bytes of an answer, at most.
    pub const fn answer_length_max(self) -> usize {
        20 << 20
    }

    /// Requests in flight to one peer, at most. Half of what the peer accepts, so that both sides always fit.
    pub const fn in_flight_max(self) -> usize {
        match self {
            Self::Shares => 32,
            Self::Bodies | Self::Records => 8,
        }
    }

    pub(crate) const fn stream(self) -> StreamProtocol {
        StreamProtocol::new(self.name())
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Bodies => 0,
            Self::Shares => 1,
            Self::Records => 2,
        }
    }
}

/// What is gossiped. Other topics are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Batches of transactions.
    Transactions,
    /// Committed headers.
    Headers,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 2] = [Self::Transactions, Self::Headers];

    /// The topic's name on a chain: `salus/<first 8 hex digits of the chain id>/transactions` or `.../headers`.
    pub fn name(self, chain: &ChainId) -> String {
        let kind = match self {
            Self::Transactions => "transactions",
            Self::Headers => "headers",
        };
        format!("salus/{}/{kind}", chain.hash().short())
    }

    pub(crate) fn ident(self, chain: &ChainId) -> IdentTopic {
        IdentTopic::new(self.name(chain))
    }
}

/// What the shell thinks of a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: passed on to others.
    Accept,
    /// Invalid, and the peer that sent it should have known: dropped, and counted against it.
    Reject,
    /// Not useful now (known, stale, no room): dropped.
    Ignore,
}

impl From<Verdict> for MessageAcceptance {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Reject => Self::Reject,
            Verdict::Ignore => Self::Ignore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use salus_types::Hash;

    #[test]
    fn names_on_the_wire_do_not_drift() {
        let names: Vec<_> = Protocol::ALL.into_iter().map(Protocol::name).collect();
        assert_eq!(names, ["/salus/1/bodies", "/salus/1/shares", "/salus/1/records"]);
        assert_eq!(DIRECT.as_ref(), "/salus/1/direct");
        let chain = ChainId::new(Hash::new([0xab; 32]));
        assert_eq!(Topic::Transactions.name(&chain), "salus/abababab/transactions");
        assert_eq!(Topic::Headers.name(&chain), "salus/abababab/headers");
    }
}
