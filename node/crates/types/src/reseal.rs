use crate::Height;
use salus_abi::codec::{Decode, Encode};

/// Blocks that one block reseals, at most.
pub const RESEALS_MAX: usize = 32;
/// Bytes of all bodies that one block reseals together, at most, unless it is a single one.
pub const RESEAL_BYTES_MAX: u64 = 1 << 20;

/// A range of blocks that the network deals anew, block for block. The state holds the latest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ResealJob {
    /// The first block.
    pub from: Height,
    /// The last block.
    pub to: Height,
    /// The next block to be resealed; above `to` once all are.
    pub next: Height,
    /// All blocks below `next` are dealt by blocks above this height: by this job, or by others that it goes on from. 0 if some
    /// may be dealt as they were at first.
    pub since: Height,
}

impl ResealJob {
    /// Whether blocks are left to be resealed.
    pub fn is_open(&self) -> bool {
        self.next <= self.to
    }

    /// How many blocks the range has.
    pub fn total(&self) -> u64 {
        self.to.get().saturating_sub(self.from.get()).saturating_add(1)
    }

    /// How many blocks of it are resealed.
    pub fn done(&self) -> u64 {
        self.next.get().saturating_sub(self.from.get())
    }
}

/// Why the chain refuses to start or stop a reseal; the code of an aborted system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u16)]
pub enum ResealRefusal {
    /// The range is empty, begins at genesis, or ends above the last committed block.
    #[error("a reseal goes from a block above height 0 to one that is committed already")]
    BadRange = 101,
    /// One range at a time.
    #[error("a reseal is under way: wait until it is done, or stop it")]
    UnderWay = 102,
    /// There is nothing to stop.
    #[error("no reseal is under way")]
    NoneUnderWay = 103,
    /// k is above n - 2f.
    #[error(
        "blocks of this network can't be dealt anew: a certificate proves fewer honest holders than shares are needed to open a block (k is above n - 2f)"
    )]
    TooFewProven = 104,
}

impl ResealRefusal {
    const ALL: [Self; 4] = [
        Self::BadRange,
        Self::UnderWay,
        Self::NoneUnderWay,
        Self::TooFewProven,
    ];

    /// Its number in a receipt.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The refusal of a number.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}
