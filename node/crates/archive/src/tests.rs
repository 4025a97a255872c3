//! The archive among simulated peers: loss, delay, silence, lies.

mod accusing;
mod catching_up;
mod depositing;
mod leaping;
mod reading;
mod repairing;
mod resealed;
mod world;

use crate::*;
use salus_types::{Height, MemberId};
use std::time::Duration;

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) const fn height(height: u64) -> Height {
    Height::new(height)
}

pub(super) const fn member(member: u16) -> MemberId {
    MemberId::new(member)
}
