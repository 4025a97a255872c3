//! How gossipsub is set up for 4 to 30 members that are all linked to one another.
//!
//! - Messages are anonymous and unsigned: Noise proves who passed a message on, and what is inside (transactions,
//!   headers with their certificates) is signed by its own authors. A signature per message would cost more than the
//!   check of a whole batch's envelope is worth, and would let one author's message have many ids.
//! - The id is a hash over topic and content, so a message has one id wherever it comes from, and nobody can take
//!   away a header by publishing its bytes as a transaction first.
//! - A publisher sends to all members at once. After the shell's verdict and a short pause the mesh passes a message on to
//!   who missed it, which others have told by IDONTWANT: about one copy a member.
//! - No scores: they could graylist honest members below the quorum. What a member can do is bounded by its allowances,
//!   and what the shell rejects is counted against it ([`crate::PeerStatus`]) for an operator to see.

use crate::counters::Counters;
use crate::{GOSSIP_LENGTH_MAX, Topic};
use libp2p::gossipsub::{
    self, ConfigBuilder, DataTransform, Message, MessageAuthenticity, MessageId, RawMessage, TopicHash,
    ValidationMode, WhitelistSubscriptionFilter,
};
use salus_types::{ChainId, Hash};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Room in a frame for the topic and the framing around a message.
const OVERHEAD_MAX: usize = 1 << 10;
/// Messages that wait for one peer.
const QUEUE_MAX: usize = 128;

pub(crate) type Gossip = gossipsub::Behaviour<Counting, WhitelistSubscriptionFilter>;

/// Builds the behaviour, subscribed to both topics.
pub(crate) fn build(chain: &ChainId, counters: Arc<Counters>) -> Result<Gossip, String> {
    let topics = Topics::new(chain);
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message: &Message| id(&message.topic, &message.data))
        .max_transmit_size(GOSSIP_LENGTH_MAX + OVERHEAD_MAX)
        .mesh_outbound_min(1)
        .mesh_n_low(3)
        .mesh_n(4)
        .mesh_n_high(8)
        .gossip_lazy(3)
        .flood_publish(true)
        .idontwant_message_size_threshold(128)
        .heartbeat_initial_delay(Duration::from_millis(100))
        .heartbeat_interval(Duration::from_millis(700))
        .history_length(8)
        .history_gossip(4)
        .duplicate_cache_time(Duration::from_secs(30))
        .connection_handler_queue_len(QUEUE_MAX)
        .publish_queue_duration(Duration::from_secs(2))
        .forward_queue_duration(Duration::from_secs(1))
        .max_publish_messages(64)
        .build()
        .map_err(|error| error.to_string())?;
    let filter = WhitelistSubscriptionFilter(topics.0.iter().map(|(_, hash)| hash.clone()).collect());
    let mut gossip = gossipsub::Behaviour::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config,
        filter,
        Counting { topics, counters },
    )?;
    for topic in Topic::ALL {
        gossip
            .subscribe(&topic.ident(chain))
            .map_err(|error| error.to_string())?;
    }
    Ok(gossip)
}

/// The id of a message: BLAKE3 over the length of its topic's name, the name and the content.
fn id(topic: &TopicHash, content: &[u8]) -> MessageId {
    let name = topic.as_str().as_bytes();
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes())
        .update(name)
        .update(content);
    MessageId::new(hasher.finalize().as_bytes())
}

/// The hash within one of our message ids; `None` if it is not one.
pub(crate) fn hash_of(id: &MessageId) -> Option<Hash> {
    <[u8; 32]>::try_from(id.0.as_slice()).ok().map(Hash::new)
}

/// The message id of one of our hashes.
pub(crate) fn id_of(hash: &Hash) -> MessageId {
    MessageId::new(hash.as_bytes())
}

/// The topics of a chain with their hashes.
#[derive(Clone, Debug)]
pub(crate) struct Topics([(Topic, TopicHash); 2]);

impl Topics {
    pub(crate) fn new(chain: &ChainId) -> Self {
        Self(Topic::ALL.map(|topic| (topic, topic.ident(chain).hash())))
    }

    pub(crate) fn find(&self, hash: &TopicHash) -> Option<Topic> {
        let (topic, _) = self.0.iter().find(|(_, known)| known == hash)?;
        Some(*topic)
    }

    pub(crate) fn hash(&self, topic: Topic) -> Option<TopicHash> {
        let (_, hash) = self.0.iter().find(|(known, _)| *known == topic)?;
        Some(hash.clone())
    }
}

/// Sees every copy of every message before gossipsub drops duplicates: the place to count, and to refuse other topics.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    topics: Topics,
    counters: Arc<Counters>,
}

impl DataTransform for Counting {
    fn inbound_transform(&self, raw: RawMessage) -> io::Result<Message> {
        let topic = self.topics.find(&raw.topic);
        let (Some(topic), true) = (topic, raw.data.len() <= GOSSIP_LENGTH_MAX) else {
            self.counters.violations.add(1);
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not a topic of this chain, or too long",
            ));
        };
        self.counters.topic(topic).received(1, raw.data.len());
        Ok(Message {
            source: raw.source,
            data: raw.data,
            sequence_number: raw.sequence_number,
            topic: raw.topic,
        })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_does_not_drift_and_depends_on_the_topic() {
        let chain = ChainId::new(Hash::new([0xab; 32]));
        let [transactions, headers] = Topic::ALL.map(|topic| topic.ident(&chain).hash());
        assert_eq!(
            hash_of(&id(&transactions, b"salus")).unwrap().to_string(),
            "dac22f6fca6ac96f4f8e2ddbb42cac26473b559fe679c9ef422c4914f145452f"
        );
        assert_ne!(id(&transactions, b"salus"), id(&headers, b"salus"));
    }

    #[tokio::test]
    async fn the_parameters_are_accepted() {
        let chain = ChainId::new(Hash::ZERO);
        let gossip = build(&chain, Arc::default()).unwrap();
        assert_eq!(gossip.topics().count(), 2);
    }
}
