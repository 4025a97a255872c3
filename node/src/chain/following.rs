//! The members change, and the node with them: whom it connects to, whose shares it asks for, whether it votes.

use super::{Chain, Halt};
use crate::archivist;
use crate::in_force::{InForce, Reach};
use salus_consensus::Consensus;
use salus_execution::members;
use salus_types::state::StateChanges;
use salus_types::{MemberKeys, Timestamp};

/// What this node is to the height after the tip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    /// The state does not know it yet: it catches up.
    Outside,
    /// The members have let it in; its vote counts a few heights later.
    Joining,
    /// It decides.
    Deciding,
    /// The members have let it in under other keys than those it runs with.
    OtherKeys,
    /// It was removed, and serves its shares until this time.
    Removed(Timestamp),
}

impl Chain {
    /// Takes over what a committed block changed about the members; `None`: anything may have changed. The rules are read
    /// anew after every block: a change comes into force two heights after its block.
    pub(super) fn follow_members(&mut self, changes: Option<&StateChanges>) -> Result<(), Halt> {
        let tip = &self.tip.header;
        let in_force = InForce::read(&self.view.executor, &self.view.index, tip.height)?;
        let before = std::mem::replace(&mut self.in_force, in_force);
        if before.validators != self.in_force.validators {
            self.keep_validators()?;
        }
        let caught_up = !self.listed.is_empty() && self.view.progress.is_in_step(tip.height);
        if caught_up {
            self.listed.clear();
        }
        let grace_over = self.reach.grace_ends.is_some_and(|until| until < tip.time);
        if caught_up || grace_over || changes.is_none_or(members::changed_by) {
            self.reach = Reach::read(&self.view.index, tip.time, &self.listed)?;
            if let Err(error) = self.courier.net().set_members(self.reach.members.clone()) {
                tracing::debug!(%error, "could not change whom to connect to");
            }
            self.look_for_new_keys()?;
        }
        self.look_for_seat()
    }

    /// Says that the member's keys are others now than those in use: whoever runs this node starts it again with them.
    fn look_for_new_keys(&self) -> Result<(), Halt> {
        let own = members::member(&self.view.index, self.view.me)?;
        let renewed = own.filter(|own| !self.view.keys.belong_to(own));
        self.view.renewed.send_if_modified(|known| {
            let named = renewed.as_ref().map(MemberKeys::of);
            let is_new = *known != named;
            *known = named;
            is_new
        });
        Ok(())
    }

    /// Keeps who decides the next height, for members that will follow these headers from afar.
    pub(super) fn keep_validators(&self) -> Result<(), Halt> {
        let validators = &self.in_force.validators;
        let hash = validators.hash(&self.view.chain);
        Ok(self.view.index.keep_validators(&hash, validators)?)
    }

    /// What the archive must know of them after a block.
    pub(super) fn members_for_archive(&self) -> Box<archivist::Members> {
        Box::new(archivist::Members {
            validators: self.in_force.validators.clone(),
            holders: self.reach.holders(),
        })
    }

    /// Finds out what this node is now, and tells the operator if that has changed.
    pub(super) fn look_for_seat(&mut self) -> Result<(), Halt> {
        let seat = self.seat_now()?;
        if seat == self.seat {
            return Ok(());
        }
        let height = self.tip.header.height;
        match seat {
            Seat::Outside => {}
            Seat::Joining => tracing::info!(%height, "this member was added: its vote counts in two heights"),
            Seat::Deciding => tracing::info!(%height, "this member decides the next height"),
            Seat::OtherKeys => tracing::warn!(
                %height,
                "this member has other keys now than this process: it no longer votes; start it again with the new ones"
            ),
            Seat::Removed(until) => tracing::warn!(
                %height,
                until_ms = until.get(),
                "this member was removed: it no longer votes, and serves its shares until then; the others will close \
                 their connections"
            ),
        }
        self.seat = seat;
        Ok(())
    }

    fn seat_now(&self) -> Result<Seat, Halt> {
        let (view, me) = (&self.view, self.view.me);
        if let Some(validator) = self.in_force.validators.get(me) {
            let known = view.keys.signing(&validator.key).is_some();
            return Ok(if known { Seat::Deciding } else { Seat::OtherKeys });
        }
        let own_key = view.keys.consensus.public();
        match members::key_owner(&view.index, own_key.as_bytes())? {
            Some(owner) if owner != me => {
                return Err(Halt::Part(format!(
                    "these keys are those of member {owner}, but this node runs as member {me}: remove its data and start it again"
                )));
            }
            _ => {}
        }
        if let Some(member) = members::member(&view.index, me)? {
            let known = view.keys.signing(&member.consensus_key).is_some();
            return Ok(if known { Seat::Joining } else { Seat::OtherKeys });
        }
        let former = members::former_member(&view.index, me)?;
        Ok(former.map_or(Seat::Outside, |former| Seat::Removed(former.serves_until)))
    }

    /// Signs at the height that begins with the key under which its validators know this one; with none if they know it
    /// under a key that is not here. Called between heights: a change of keys is in force two heights after its block.
    pub(super) fn take_seat(&mut self) {
        let validator = self.in_force.validators.get(self.view.me);
        let (voice, key) = match validator.map(|validator| self.view.keys.signing(&validator.key)) {
            Some(Some(key)) => (Some(self.view.me), key),
            Some(None) => (None, &self.view.keys.consensus),
            None => (Some(self.view.me), &self.view.keys.consensus),
        };
        if voice == self.settings.member && key.public() == self.settings.key.public() {
            return;
        }
        self.settings.member = voice;
        self.settings.key = key.clone();
        if self.probation.is_none() {
            self.consensus = Consensus::new(self.settings.clone());
            self.timers.cancel_consensus();
        }
    }
}
