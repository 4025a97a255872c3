//! What is known of the other members: who can be asked, how fast they answer, and whom not to trust for a while.

use crate::{Config, RequestId};
use salus_types::{Height, MemberId, Slot, Validator, ValidatorSet};
use std::collections::BTreeMap;
use std::time::Duration;

/// Members remembered at most: more than a network has slots.
const PEERS_MAX: usize = 256;

/// What a peer is taken for until it has answered.
const LATENCY_UNKNOWN: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug)]
struct Peer {
    /// What it holds, and signs with.
    holds: Option<Validator>,
    connected: bool,
    /// A moving average over its answers.
    latency: Duration,
    suspect_until: Duration,
    tip: Option<Height>,
    /// Not asked for headers before.
    headers_after: Duration,
}

/// The other members.
#[derive(Debug)]
pub(crate) struct Peers {
    me: MemberId,
    peers: BTreeMap<MemberId, Peer>,
    next_request: u64,
}

impl Peers {
    pub(crate) const fn new(me: MemberId) -> Self {
        Self {
            me,
            peers: BTreeMap::new(),
            next_request: 0,
        }
    }

    pub(crate) fn next_request(&mut self) -> RequestId {
        self.next_request = self.next_request.saturating_add(1);
        RequestId(self.next_request)
    }

    pub(crate) fn set_holders(&mut self, holders: &[Validator]) {
        for peer in self.peers.values_mut() {
            peer.holds = None;
        }
        for holder in holders {
            self.with(holder.member, |peer| peer.holds = Some(*holder));
        }
        self.peers
            .retain(|_, peer| peer.holds.is_some() || peer.connected);
    }

    /// A member that holds shares, connected or not.
    pub(crate) fn holder(&self, member: MemberId) -> Option<Validator> {
        self.peers.get(&member)?.holds
    }

    pub(crate) fn set_connected(&mut self, member: MemberId, connected: bool) {
        self.with(member, |peer| {
            peer.connected = connected;
            if !connected {
                peer.tip = None;
            }
        });
    }

    pub(crate) fn set_tip(&mut self, member: MemberId, tip: Option<Height>) {
        self.with(member, |peer| peer.tip = tip);
    }

    /// Holders that can be asked for a share now, in the order in which to ask them: the fastest first, and those under
    /// suspicion last.
    pub(crate) fn holders(&self, now: Duration) -> Vec<(MemberId, Slot)> {
        let mut holders: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.connected)
            .filter_map(|(member, peer)| {
                let order = (now < peer.suspect_until, peer.latency, *member);
                peer.holds.map(|holder| (order, (*member, holder.slot)))
            })
            .collect();
        holders.sort_unstable();
        holders.into_iter().map(|(_, holder)| holder).collect()
    }

    /// Members that can be asked and hold shares, in the order of their numbers.
    pub(crate) fn connected_holders(&self) -> impl Iterator<Item = MemberId> + '_ {
        let peers = self.peers.iter();
        peers
            .filter(|(_, peer)| peer.connected && peer.holds.is_some())
            .map(|(member, _)| *member)
    }

    /// How many holders can be asked.
    pub(crate) fn holders_connected(&self) -> usize {
        self.connected_holders().count()
    }

    /// How many holders there are, connected or not, besides this node.
    pub(crate) fn holders_known(&self) -> usize {
        self.peers.values().filter(|peer| peer.holds.is_some()).count()
    }

    /// Members that can be asked and say that they are beyond a height.
    pub(crate) fn ahead_of(&self, height: Height) -> Vec<MemberId> {
        let ahead = |peer: &&Peer| peer.connected && peer.tip.is_some_and(|tip| tip > height);
        let members = self.peers.iter().filter(|(_, peer)| ahead(peer));
        members.map(|(member, _)| *member).collect()
    }

    /// Holders that are not connected.
    pub(crate) fn away(&self) -> Vec<MemberId> {
        self.peers
            .iter()
            .filter(|(_, peer)| !peer.connected && peer.holds.is_some())
            .map(|(member, _)| *member)
            .collect()
    }

    /// How far the farthest peer says it is, of those that may be asked for headers at some time.
    pub(crate) fn best_tip(&self) -> Option<Height> {
        self.peers
            .values()
            .filter(|peer| peer.connected)
            .filter_map(|peer| peer.tip)
            .max()
    }

    /// A height that was reached, however many validators lie that may: one more than these say that they are as far, or
    /// farther. Of former members any number may lie; their word counts only as long as no validator known here is heard.
    pub(crate) fn credible_tip(&self, validators: &ValidatorSet) -> Option<Height> {
        let said = |(member, peer): (&MemberId, &Peer)| Some((*member, peer.tip.filter(|_| peer.connected)?));
        let of_all: Vec<(MemberId, Height)> = self.peers.iter().filter_map(said).collect();
        let of_validators = of_all
            .iter()
            .filter(|(member, _)| validators.get(*member).is_some());
        let mut tips: Vec<Height> = of_validators.map(|(_, tip)| *tip).collect();
        if tips.is_empty() {
            tips = of_all.iter().map(|(_, tip)| *tip).collect();
        }
        tips.sort_unstable();
        tips.iter().rev().nth(validators.faulty_max()).copied()
    }

    /// The fastest peer that has this height and may be asked for headers now.
    pub(crate) fn for_headers(&self, now: Duration, height: Height) -> Option<MemberId> {
        self.with_headers(height)
            .filter(|(_, peer)| now >= peer.headers_after)
            .min_by_key(|(member, peer)| (peer.latency, **member))
            .map(|(member, _)| *member)
    }

    /// When a peer that has this height may be asked for headers.
    pub(crate) fn headers_wake(&self, height: Height) -> Option<Duration> {
        self.with_headers(height)
            .map(|(_, peer)| peer.headers_after)
            .min()
    }

    pub(crate) fn answered(&mut self, member: MemberId, after: Duration) {
        self.with(member, |peer| {
            let sum = peer.latency.saturating_mul(3).saturating_add(after);
            peer.latency = sum.checked_div(4).unwrap_or_default();
        });
    }

    /// It did not answer in time, or with nothing of use: that is at least how slow it is.
    pub(crate) fn silent(&mut self, member: MemberId, config: &Config) {
        self.with(member, |peer| peer.latency = peer.latency.max(config.ask_timeout));
    }

    /// It lied.
    pub(crate) fn suspect(&mut self, now: Duration, member: MemberId, config: &Config) {
        self.with(member, |peer| {
            peer.suspect_until = now.saturating_add(config.distrust);
            peer.headers_after = peer.suspect_until;
        });
    }

    /// It had no use for headers now, whatever the reason.
    pub(crate) fn rest_headers(&mut self, until: Duration, member: MemberId) {
        self.with(member, |peer| peer.headers_after = peer.headers_after.max(until));
    }

    fn with_headers(&self, height: Height) -> impl Iterator<Item = (&MemberId, &Peer)> {
        self.peers
            .iter()
            .filter(move |(_, peer)| peer.connected && peer.tip.is_some_and(|tip| tip >= height))
    }

    fn with(&mut self, member: MemberId, change: impl FnOnce(&mut Peer)) {
        if member == self.me {
            return;
        }
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&member) {
            return;
        }
        change(self.peers.entry(member).or_insert(Peer {
            holds: None,
            connected: false,
            latency: LATENCY_UNKNOWN,
            suspect_until: Duration::ZERO,
            tip: None,
            headers_after: Duration::ZERO,
        }));
    }
}
