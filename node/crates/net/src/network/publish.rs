//! Gossip: publishing, and verdicts on what others publish.

use super::Network;
use crate::event::GossipId;
use crate::{Topic, Verdict, gossip};
use libp2p::gossipsub::{self, MessageAcceptance, PublishError};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Between a verdict and passing the message on; longer than one way across the network.
const PASS_ON_PAUSE: Duration = Duration::from_millis(100);
/// Accepted messages that wait for that; beyond it the oldest goes at once.
const PASS_ON_MAX: usize = 2_048;

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

    /// What is accepted is passed on after a pause: most members got it from its publisher, and by then they have
    /// said so (IDONTWANT). At once, every member would send it to members that have it: 9 copies among 4 instead of 3.
    pub(super) fn judge(&mut self, id: GossipId, verdict: Verdict) {
        match verdict {
            Verdict::Accept => {
                self.accepted.push_back((self.shared.now() + PASS_ON_PAUSE, id));
                if self.accepted.len() > PASS_ON_MAX
                    && let Some((_, oldest)) = self.accepted.pop_front()
                {
                    self.settle(&oldest, verdict);
                }
            }
            Verdict::Reject => {
                self.shared.counters.gossip_rejected.add(1);
                if let Some(peer) = self.shared.peer_of(&id.source) {
                    peer.traffic.rejected.fetch_add(1, Ordering::Relaxed);
                }
                self.settle(&id, verdict);
            }
            Verdict::Ignore => self.settle(&id, verdict),
        }
    }

    pub(super) fn pass_on_due(&mut self) {
        let now = self.shared.now();
        while let Some((_, id)) = self.accepted.pop_front_if(|(at, _)| *at <= now) {
            self.settle(&id, Verdict::Accept);
        }
    }

    fn settle(&mut self, id: &GossipId, verdict: Verdict) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let message = gossip::id_of(&id.hash);
        if !gossip.report_message_validation_result(&message, &id.source, verdict.into()) {
            self.shared.counters.verdicts_late.add(1);
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
