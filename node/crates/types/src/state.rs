//! The chain's state as a set of entries, and proofs about single entries.
//!
//! A key is the contract's number (4 bytes, big-endian) and the contract's own key. The tree over all entries has
//! 16 children a node and is walked by the hex digits of `BLAKE3(key)`, as far as needed to tell entries apart:
//!
//! ```text
//! root node      16 places; the first digit picks one
//!   |- empty     no entry whose path begins with these digits: hash zero
//!   |- entry     one such entry: H(0x00 || BLAKE3(key) || BLAKE3(value))
//!   `- node      several: 16 places again, picked by the next digit
//!
//! hash of a node: a binary tree over the hashes of its 16 places, four levels of H(0x01 || left || right), where
//! a pair of zeroes gives zero
//! ```
//!
//! So the root depends on the entries alone, never on how they came to be, and a proof takes four siblings a level.

use crate::{ContractId, Hash, merkle};
use salus_abi::codec::{Decode, Encode};
use std::fmt;

/// Where an entry of the state lies.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct StateKey(Vec<u8>);

impl StateKey {
    /// The key of a contract's own entry.
    pub fn new(contract: ContractId, key: &[u8]) -> Self {
        let mut bytes = contract.get().to_be_bytes().to_vec();
        bytes.extend_from_slice(key);
        Self(bytes)
    }

    /// Reads a key back from the bytes of [`Self::as_bytes`]; `None` if they are too short to name a contract.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= 4).then(|| Self(bytes.to_vec()))
    }

    /// The contract's number and its own key, as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path in the tree: the BLAKE3 hash of the bytes.
    pub fn path(&self) -> Hash {
        Hash::of_content(&self.0)
    }
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateKey({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// Writes of a block: for each key its new value, or `None` if it was deleted. Sorted, each key once.
pub type StateChanges = std::collections::BTreeMap<StateKey, Option<Vec<u8>>>;

/// Changes of the state tree's stored nodes: path (one byte a hex digit) to the node's bytes, or `None` if it is gone.
pub type TreeChanges = std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The disk under the state could not be read. Never a transaction's fault: the node halts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state could not be read: {0}")]
pub struct StateFault(pub String);

/// Reads the committed state; one of the project's few traits, because the disk is a real edge.
pub trait StateReader: Send + Sync {
    /// The value of an entry.
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault>;

    /// The first entry whose key starts with `prefix` and is greater than `after` (no bytes: from the start).
    /// Both are whole state keys, with the contract's number.
    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault>;

    /// A stored node of the state tree.
    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault>;
}

/// Children of a node of the state tree.
pub const TREE_ARITY: usize = 16;
/// Levels of the state tree, at most: the hex digits of a path.
pub const TREE_DEPTH_MAX: usize = 64;
/// Siblings a level adds to a proof: the levels of the binary tree within a node.
const SIBLINGS: usize = 4;

/// The digit of a path at a level of the tree, 0 to 15; 0 below the last level.
pub fn tree_digit(path: &Hash, level: usize) -> u8 {
    let byte = path.as_bytes().get(level / 2).copied().unwrap_or_default();
    if level.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    }
}

/// The hash of an entry in the tree, from the hashes of its key and its value.
pub fn entry_hash(path: &Hash, value: &Hash) -> Hash {
    let mut bytes = [0; 65];
    let (_, rest) = bytes.split_at_mut(1);
    let (left, right) = rest.split_at_mut(32);
    left.copy_from_slice(path.as_bytes());
    right.copy_from_slice(value.as_bytes());
    Hash::of_content(&bytes)
}

/// The hash over two neighbours within a node.
fn pair_hash(left: &Hash, right: &Hash) -> Hash {
    if *left == Hash::ZERO && *right == Hash::ZERO {
        return Hash::ZERO;
    }
    merkle::node(left, right)
}

/// The hash of a node, from the hashes of its 16 places.
pub fn node_hash(places: &[Hash; TREE_ARITY]) -> Hash {
    let mut level = places.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => pair_hash(left, right),
                _ => Hash::ZERO,
            })
            .collect();
    }
    level.first().copied().unwrap_or(Hash::ZERO)
}

/// Proves to someone who knows a state root that an entry has a value, or that there is no such entry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StateProof {
    /// For each level from the root: which of its four siblings are not zero, from the lowest bit for the pair next to
    /// the place.
    masks: Vec<u8>,
    /// The siblings that are not zero: from the root's level downwards, within a level from the place upwards.
    siblings: Vec<Hash>,
    /// For an absent key whose place holds another entry: the hashes of that entry's key and value.
    other: Option<(Hash, Hash)>,
}

/// An entry of the state, or its absence, with the proof.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProvenEntry {
    /// Where.
    pub key: StateKey,
    /// Its value; `None` if there is no such entry.
    pub value: Option<Vec<u8>>,
    /// The proof of either.
    pub proof: StateProof,
}

/// A step of a search through keys: what [`StateReader::next`] was asked and found.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ScanStep {
    /// How the key begins.
    pub prefix: Vec<u8>,
    /// What it is greater than.
    pub after: Vec<u8>,
    /// The key, whose entry stands among the entries; `None` if there was none.
    pub found: Option<StateKey>,
}

/// All that a question to a contract read of the state, except code, which is known by its hash.
///
/// Entries are proven one by one, also that there is none at a key. That a step of a scan skipped nothing is *not* proven: the tree is
/// ordered by the hashes of keys, so nothing shows what lies between two of them. Whoever must know that asks several validators.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ReadSet {
    /// Every entry that was read, each once.
    pub entries: Vec<ProvenEntry>,
    /// Every step of a scan, in order.
    pub scans: Vec<ScanStep>,
}

impl ReadSet {
    /// Entries, and steps of scans, at most.
    pub const ENTRIES_MAX: usize = 256;
    /// Bytes of an encoded set, at most.
    pub const LENGTH_MAX: usize = 8 << 20;

    /// Checks every entry against a state root, and that each step of a scan found an entry of the set that fits the step.
    ///
    /// # Errors
    ///
    /// The first reason found.
    pub fn check(&self, root: &Hash) -> Result<(), StateProofError> {
        for ProvenEntry { key, value, proof } in &self.entries {
            proof.verify(root, key, value.as_deref())?;
        }
        let shown = |key: &StateKey| {
            self.entries
                .iter()
                .any(|entry| entry.key == *key && entry.value.is_some())
        };
        let fits = |step: &ScanStep| {
            step.found.as_ref().is_none_or(|key| {
                key.as_bytes().starts_with(&step.prefix)
                    && key.as_bytes() > step.after.as_slice()
                    && shown(key)
            })
        };
        if self.scans.iter().all(fits) {
            Ok(())
        } else {
            Err(StateProofError::Malformed)
        }
    }
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateProofError {
    /// Its parts do not fit together.
    #[error("the proof is malformed")]
    Malformed,
    /// The entry it shows in the key's place is the key's own, or does not belong there.
    #[error("the proof shows an entry that does not belong in the key's place")]
    WrongEntry,
    /// It leads to another root.
    #[error("the proof leads to another state root")]
    WrongRoot,
}

impl StateProof {
    /// Bytes of an encoded proof, at most.
    pub const LENGTH_MAX: usize = 16 << 10;

    /// Builds a proof from the nodes on the way to a key: for each level the hashes of the node's 16 places, from the
    /// root; and the other entry in the key's place, if there is one.
    pub fn new(path: &Hash, nodes: &[[Hash; TREE_ARITY]], other: Option<(Hash, Hash)>) -> Self {
        let (mut masks, mut siblings) = (Vec::new(), Vec::new());
        for (level, places) in nodes.iter().enumerate() {
            let mut mask = 0;
            let mut row = places.to_vec();
            let mut index = usize::from(tree_digit(path, level));
            for bit in 0..SIBLINGS {
                if let Some(sibling) = row.get(index ^ 1).filter(|hash| **hash != Hash::ZERO) {
                    mask |= 1 << bit;
                    siblings.push(*sibling);
                }
                row = row
                    .chunks(2)
                    .map(|pair| match pair {
                        [left, right] => pair_hash(left, right),
                        _ => Hash::ZERO,
                    })
                    .collect();
                index >>= 1;
            }
            masks.push(mask);
        }
        Self {
            masks,
            siblings,
            other,
        }
    }

    /// Checks that under `root` the entry at `key` has `value`; `None`: that there is no such entry.
    ///
    /// # Errors
    ///
    /// Why the proof does not show that. It may still be a valid proof of something else.
    pub fn verify(&self, root: &Hash, key: &StateKey, value: Option<&[u8]>) -> Result<(), StateProofError> {
        let path = key.path();
        let levels = self.masks.len();
        if levels == 0 || levels > TREE_DEPTH_MAX {
            return Err(StateProofError::Malformed);
        }
        let mut hash = match (value, &self.other) {
            (Some(value), None) => entry_hash(&path, &Hash::of_content(value)),
            (None, None) => Hash::ZERO,
            (None, Some((other, value))) => {
                let same = |level| tree_digit(&path, level) == tree_digit(other, level);
                if *other == path || !(0..levels).all(same) {
                    return Err(StateProofError::WrongEntry);
                }
                entry_hash(other, value)
            }
            (Some(_), Some(_)) => return Err(StateProofError::WrongEntry),
        };
        let mut siblings = self.siblings.as_slice();
        for (level, mask) in self.masks.iter().enumerate().rev() {
            let count = mask.count_ones() as usize;
            let Some((rest, own)) = siblings.len().checked_sub(count).map(|at| siblings.split_at(at)) else {
                return Err(StateProofError::Malformed);
            };
            siblings = rest;
            hash = climb(hash, tree_digit(&path, level), *mask, own).ok_or(StateProofError::Malformed)?;
        }
        match (siblings, hash == *root) {
            ([], true) => Ok(()),
            ([], false) => Err(StateProofError::WrongRoot),
            _ => Err(StateProofError::Malformed),
        }
    }
}

/// From the hash of a place up to the hash of its node.
fn climb(hash: Hash, digit: u8, mask: u8, siblings: &[Hash]) -> Option<Hash> {
    if mask >> SIBLINGS != 0 {
        return None;
    }
    let mut siblings = siblings.iter();
    let mut hash = hash;
    for bit in 0..SIBLINGS {
        let sibling = if mask >> bit & 1 == 1 {
            *siblings.next()?
        } else {
            Hash::ZERO
        };
        hash = if digit >> bit & 1 == 0 {
            pair_hash(&hash, &sibling)
        } else {
            pair_hash(&sibling, &hash)
        };
    }
    Some(hash)
}
