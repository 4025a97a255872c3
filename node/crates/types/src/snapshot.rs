//! Snapshots: the state at one height, cut into parts that are checked one by one against the state root.
//!
//! ```text
//! state root (in a certified header)
//!   part at the root            split: the hashes of 16 places          hash = the state root
//!     |- part at digit 0        entries: all below, sorted by path      subtree = hash of place 0
//!     |- part at digit 1        split: 16 places again                  hash = hash of place 1
//!     |    `- part at 1,0       entries ...
//!     `- ...                    until a subtree's entries fit one part
//! ```
//!
//! A part proves itself: whoever knows what hash stands at its prefix needs to trust nobody for its content. A split says
//! nothing about what stands in a place but its hash; the parts below it show that.

use crate::state::{StateKey, TREE_ARITY, TreeChanges, node_hash};
use crate::tree::{HashedEntry, TreePlace, TreePrefix, subtree};
use crate::{Hash, Height};
use salus_abi::codec::{Decode, Encode};

/// Snapshots are of heights that are multiples of this.
pub const SNAPSHOT_STEP: u64 = 64;
/// Bytes of keys and values in one part, at most.
pub const PART_BYTES_MAX: usize = 512 << 10;
/// Bytes of an encoded part, at most: every entry has two lengths besides.
pub const PART_LENGTH_MAX: usize = 1 << 20;

/// A snapshot that a member holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct SnapshotOffer {
    /// The state after this height's block.
    pub height: Height,
    /// Its root, which stands in that block's header.
    pub state_root: Hash,
    /// Bytes of all its parts. Nothing proves it: it only serves to show progress.
    pub bytes: u64,
}

/// Which snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct SnapshotTarget {
    /// The state after this height's block.
    pub height: Height,
    /// Its root.
    pub state_root: Hash,
}

/// A part that is there already of a snapshot that is being fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedPart {
    /// Where it lies.
    pub prefix: TreePrefix,
    /// Bytes of its keys and values.
    pub bytes: u64,
    /// What it is.
    pub record: PartRecord,
}

/// The hashes of a node's sixteen places.
pub type Places = Box<[Hash; TREE_ARITY]>;

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum SnapshotPart {
    /// Too much for one part: the hashes of the sixteen places below the prefix.
    Split(Places),
    /// Every entry below the prefix, ascending by the hash of its key.
    Entries(Vec<(StateKey, Vec<u8>)>),
}

/// A part that is what its prefix's hash promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckedPart {
    /// The prefixes that are still to come, with their hashes.
    Split(Places),
    /// The entries, and what follows from them.
    Entries {
        /// The entries to store.
        entries: Vec<(StateKey, Vec<u8>)>,
        /// The nodes of the state tree to store, at and below the prefix.
        nodes: TreeChanges,
        /// How the subtree stands in its parent.
        place: TreePlace,
    },
}

/// Why a part is wrong. An honest member sends none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// The entries do not ascend strictly by the hashes of their keys.
    #[error("the entries are not sorted")]
    NotSorted,
    /// An entry does not belong below the prefix.
    #[error("an entry does not belong to this part")]
    Misplaced,
    /// It is not what the state root promises there.
    #[error("the part does not lead to the state root")]
    WrongHash,
    /// More bytes than a part may have.
    #[error("{length} bytes where at most {} are allowed", PART_BYTES_MAX)]
    TooLong {
        /// Bytes of keys and values.
        length: usize,
    },
}

impl SnapshotPart {
    /// Bytes of keys and values; of a split: of its hashes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Split(places) => places.len().saturating_mul(32),
            Self::Entries(entries) => entries
                .iter()
                .map(|(key, value)| key.as_bytes().len().saturating_add(value.len()))
                .fold(0, usize::saturating_add),
        }
    }

    /// Checks it against the hash that stands at its prefix: the state root for [`TreePrefix::ROOT`].
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(self, prefix: &TreePrefix, hash: &Hash) -> Result<CheckedPart, PartError> {
        let length = self.bytes();
        if length > PART_BYTES_MAX {
            return Err(PartError::TooLong { length });
        }
        let checked = match self {
            Self::Split(places) if node_hash(&places) == *hash => return Ok(CheckedPart::Split(places)),
            Self::Split(_) => return Err(PartError::WrongHash),
            Self::Entries(entries) => check_entries(prefix, entries)?,
        };
        match &checked {
            CheckedPart::Entries { place, .. } if place.hash() == *hash => Ok(checked),
            _ => Err(PartError::WrongHash),
        }
    }
}

fn check_entries(prefix: &TreePrefix, entries: Vec<(StateKey, Vec<u8>)>) -> Result<CheckedPart, PartError> {
    let hashed = entries
        .iter()
        .map(|(key, value)| (key.path(), Hash::of_content(value)));
    let hashed: Vec<HashedEntry> = hashed.collect();
    if !hashed.is_sorted_by(|(a, _), (b, _)| a < b) {
        return Err(PartError::NotSorted);
    }
    if !hashed.iter().all(|(path, _)| prefix.covers(path)) {
        return Err(PartError::Misplaced);
    }
    let (place, nodes) = subtree(prefix, &hashed);
    Ok(CheckedPart::Entries {
        entries,
        nodes,
        place,
    })
}

/// What became of a part: enough to go on with a snapshot after a restart without its entries.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PartRecord {
    /// It was split into these.
    Split(Places),
    /// Its entries are there; this is how their subtree stands in its parent.
    Entries(TreePlace),
}

impl CheckedPart {
    /// What is remembered of it.
    pub fn record(&self) -> PartRecord {
        match self {
            Self::Split(places) => PartRecord::Split(places.clone()),
            Self::Entries { place, .. } => PartRecord::Entries(*place),
        }
    }
}
