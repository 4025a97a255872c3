//! Links: who is dialed, linked, lost.

use super::{Network, Resolved};
use crate::event::Event;
use crate::roster::Peer;
use crate::{direct, resolve};
use libp2p::swarm::DialError;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};
use salus_types::Member;
use std::sync::atomic::Ordering;

/// After this many failures in a row an operator is told, and again each time this many have been added.
const FAILURES_TOLD: u32 = 8;

impl Network {
    pub(super) fn set_members(&mut self, members: &[Member]) {
        let changes = self.shared.replace(self.me, members);
        let now = self.shared.now();
        for peer in &changes.removed {
            self.dialer.remove(peer.member);
            self.unlink(peer);
            // Closes its connections, too.
            self.swarm.behaviour_mut().allowed.disallow_peer(peer.id);
        }
        for peer in &changes.added {
            self.swarm.behaviour_mut().allowed.allow_peer(peer.id);
            self.dialer.add(peer.member, self.me < peer.member, now);
        }
        for member in changes.moved {
            self.dialer.moved(member, now);
        }
    }

    pub(super) fn dial_due(&mut self) {
        for member in self.dialer.due(self.shared.now()) {
            let Some(peer) = self.shared.peer(member) else {
                continue;
            };
            if peer.addresses.iter().any(resolve::is_name) {
                let resolved = self.resolver.clone();
                self.tasks.spawn(async move {
                    let addresses = resolve::resolve(peer.addresses.clone()).await;
                    // Fails only when the network has ended.
                    let _ = resolved.send(Resolved { peer, addresses }).await;
                });
            } else {
                self.dial(&peer, peer.addresses.clone());
            }
        }
    }

    pub(super) fn dial(&mut self, peer: &Peer, addresses: Vec<Multiaddr>) {
        if self.writers.contains_key(&peer.member) {
            return; // The peer was faster than the resolver.
        }
        // `Always`: a connection that died unnoticed may still count as one. The dialer sees to it that nobody is dialed
        // without need. A fresh port, because reusing the listener's collides when both sides dial each other.
        let options = DialOpts::peer_id(peer.id)
            .condition(PeerCondition::Always)
            .addresses(addresses)
            .allocate_new_port()
            .build();
        if let Err(error) = self.swarm.dial(options) {
            self.on_dial_failed(&peer.id, &error);
        }
    }

    pub(super) fn on_dial_failed(&mut self, id: &PeerId, error: &DialError) {
        let Some(peer) = self.shared.peer_of(id) else {
            return;
        };
        if self.writers.contains_key(&peer.member) {
            return; // The other side's attempt was faster.
        }
        let failures = self.dialer.down(peer.member, self.shared.now());
        tracing::debug!(member = %peer.member, failures, %error, "a member was not reached");
        if failures > 0 && failures.is_multiple_of(FAILURES_TOLD) {
            tracing::warn!(member = %peer.member, failures, %error, "a member cannot be reached: is it down, or its address wrong?");
        }
    }

    pub(super) fn on_connected(&mut self, id: &PeerId) {
        let Some(peer) = self.shared.peer_of(id) else {
            return;
        };
        let now = self.shared.now();
        peer.traffic.heard(now);
        self.dialer.up(peer.member, now);
        if !self.writers.contains_key(&peer.member) {
            let writer = direct::write(
                self.control.clone(),
                peer.clone(),
                self.shared.clone(),
                self.open.clone(),
            );
            self.writers.insert(peer.member, self.tasks.spawn(writer));
        }
    }

    /// The peer accepted our direct stream: only now is it certain that it lets us in.
    pub(super) fn on_opened(&mut self, peer: &Peer) {
        let running = self.writers.contains_key(&peer.member);
        if running && !peer.traffic.linked.swap(true, Ordering::Relaxed) {
            tracing::info!(member = %peer.member, "connected");
            self.queues.link(Event::Connected(peer.member));
        }
    }

    pub(super) fn on_link_lost(&mut self, peer: &Peer) {
        if self.writers.contains_key(&peer.member) {
            self.unlink(peer);
            self.dialer.down(peer.member, self.shared.now());
        }
    }

    fn unlink(&mut self, peer: &Peer) {
        if let Some(writer) = self.writers.remove(&peer.member) {
            writer.abort();
        }
        if peer.traffic.linked.swap(false, Ordering::Relaxed) {
            tracing::info!(member = %peer.member, "disconnected");
            self.queues.link(Event::Disconnected(peer.member));
        }
    }

    /// Gives up links over which nothing came for too long, and starts to redial.
    pub(super) fn cut_off_silent(&mut self) {
        let now = self.shared.now();
        for peer in self.shared.peers() {
            let silence = peer.traffic.silence(now);
            if self.writers.contains_key(&peer.member) && silence > self.shared.limits.silence_max {
                tracing::warn!(member = %peer.member, ?silence, "a member fell silent: its link is given up");
                self.on_link_lost(&peer);
                // An error means that there is no connection any more, which is what is wanted.
                let _ = self.swarm.disconnect_peer_id(peer.id);
            }
        }
    }
}
