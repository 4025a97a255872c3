//! Messages of the next height that came before this one was over, and notes about who is ahead and who is behind.

use crate::Message;
use salus_types::{Height, MemberId};
use std::collections::BTreeMap;

/// Messages of the next height kept per peer, at most: a proposal and both votes of ten rounds.
const NEXT_PER_PEER_MAX: usize = 32;

/// Messages of decided heights after which a peer counts as behind. Two votes may honestly come late.
const LATE_GRACE: u32 = 2;
/// After that, one report for so many messages.
const LATE_REPORT_EVERY: u32 = 4;

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    next: BTreeMap<MemberId, Vec<Message>>,
    ahead: BTreeMap<MemberId, Height>,
    late: BTreeMap<MemberId, u32>,
}

impl Inbox {
    /// Keeps a checked message of the next height; silently drops a duplicate and what exceeds the peer's room.
    pub(crate) fn keep(&mut self, from: MemberId, message: Message) {
        let room = self.next.entry(from).or_default();
        if room.len() < NEXT_PER_PEER_MAX && !room.contains(&message) {
            room.push(message);
        }
    }

    /// Hands over what was kept, peer by peer in the order of their numbers, and starts anew.
    pub(crate) fn open(&mut self) -> Vec<(MemberId, Message)> {
        self.late.clear();
        std::mem::take(&mut self.next)
            .into_iter()
            .flat_map(|(from, messages)| messages.into_iter().map(move |message| (from, message)))
            .collect()
    }

    /// Notes that a validator signed something of a later height; true if that is news.
    pub(crate) fn note_ahead(&mut self, member: MemberId, height: Height) -> bool {
        let known = self.ahead.entry(member).or_insert(Height::ZERO);
        let news = *known < height;
        *known = (*known).max(height);
        news
    }

    /// Notes a message of a decided height; true if the peer should now be offered the decision.
    pub(crate) fn note_late(&mut self, from: MemberId) -> bool {
        let count = self.late.entry(from).or_insert(0);
        *count = count.saturating_add(1);
        count
            .checked_sub(LATE_GRACE.saturating_add(1))
            .is_some_and(|past| past % LATE_REPORT_EVERY == 0)
    }
}
