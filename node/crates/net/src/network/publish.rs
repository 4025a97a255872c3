//! Gossip: publishing, and verdicts on what others publish.

use super::Network;
use crate::event::GossipId;
use crate::{Topic, Verdict, gossip};
use libp2p::gossipsub::{self, MessageAcceptance, PublishError};
use std::sync::atomic::Ordering;

impl Network {
    pub(super) fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        let length = bytes.len();
        self.shared.gossip_queued.fetch_sub(length, Ordering::Relaxed);
        let Some(hash) = self.topics.hash(topic) else {
            return;
        };
        let counters = &self.shared.counters;
        match self.swarm.behaviour_mut().gossip.publish(hash, bytes) {
            Ok(_) => counters.topic(topic).sent(1, length),
            Err(PublishError::Duplicate) => {}
            Err(error) => {
                counters.gossip_out_dropped.add(1);
                tracing::debug!(?topic, length, %error, "a message found no peer");
            }
        }
    }

    pub(super) fn judge(&mut self, id: &GossipId, verdict: Verdict) {
        let counters = &self.shared.counters;
        if verdict == Verdict::Reject {
            counters.gossip_rejected.add(1);
        }
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let message = gossip::id_of(&id.hash);
        let found = gossip.report_message_validation_result(&message, &id.source, verdict.into());
        if !found {
            counters.verdicts_late.add(1);
        }
    }

    pub(super) fn on_gossip_event(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source: source,
                message_id,
                message,
            } => {
                let known = self.shared.peer_of(&source).zip(self.topics.find(&message.topic));
                let taken = known
                    .zip(gossip::hash_of(&message_id))
                    .is_some_and(|((peer, topic), hash)| {
                        let id = GossipId { hash, source };
                        self.queues.gossip(&peer, topic, message.data, id)
                    });
                if !taken {
                    let gossip = &mut self.swarm.behaviour_mut().gossip;
                    gossip.report_message_validation_result(&message_id, &source, MessageAcceptance::Ignore);
                }
            }
            gossipsub::Event::SlowPeer { failed_messages, .. } => {
                let lost = failed_messages.priority + failed_messages.non_priority;
                self.shared.counters.gossip_slow.add(lost);
            }
            _ => {}
        }
    }
}
