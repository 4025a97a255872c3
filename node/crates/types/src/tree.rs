//! Nodes of the state tree as they are stored, and subtrees built from nothing but their entries.
//!
//! Shape and hashes are drawn in [`crate::state`]. A stored node, 4 to 1,028 bytes:
//!
//! ```text
//! offset  bytes
//! 0       2      which places hold a node, one bit a digit, big-endian
//! 2       2      which places hold an entry
//! 4       ...    for each place in use, in the order of digits:
//!                  a node: its hash (32); an entry: BLAKE3(key) (32), BLAKE3(value) (32)
//! ```
//!
//! Entries stand in their parent's bytes, so that a change rewrites one node less, and a node whose last but one entry
//! leaves can be folded into its parent without reading anything.

use crate::Hash;
use crate::state::{TREE_ARITY, TREE_DEPTH_MAX, TreeChanges, entry_hash, node_hash, tree_digit};
use salus_abi::codec::{Decode, Encode};
use std::fmt;

/// What stands in one of a node's places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum TreePlace {
    /// No entry below.
    #[default]
    Empty,
    /// The only entry below.
    Entry {
        /// The hash of its key.
        path: Hash,
        /// The hash of its value.
        value: Hash,
    },
    /// Two entries or more: the hash of the node that holds them.
    Node(Hash),
}

/// A node of the state tree: its sixteen places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeNode([TreePlace; TREE_ARITY]);

/// The digits with which the paths of a subtree's entries begin; none for the whole tree. At most
/// [`TREE_DEPTH_MAX`] digits.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct TreePrefix(Vec<u8>);

/// An entry by its hashes: of its key, which is its path, and of its value.
pub type HashedEntry = (Hash, Hash);

impl TreePlace {
    /// What its node's hash is made of.
    pub fn hash(&self) -> Hash {
        match self {
            Self::Empty => Hash::ZERO,
            Self::Entry { path, value } => entry_hash(path, value),
            Self::Node(hash) => *hash,
        }
    }
}

impl TreeNode {
    /// A node with these places.
    pub const fn new(places: [TreePlace; TREE_ARITY]) -> Self {
        Self(places)
    }

    /// What stands at a digit.
    pub fn place(&self, digit: u8) -> TreePlace {
        self.0.get(usize::from(digit)).copied().unwrap_or_default()
    }

    /// Puts something at a digit.
    pub fn set(&mut self, digit: u8, to: TreePlace) {
        if let Some(place) = self.0.get_mut(usize::from(digit)) {
            *place = to;
        }
    }

    /// The hashes of its places.
    pub fn place_hashes(&self) -> [Hash; TREE_ARITY] {
        self.0.map(|place| place.hash())
    }

    /// Its own hash.
    pub fn hash(&self) -> Hash {
        node_hash(&self.place_hashes())
    }

    /// How it stands in its parent: nothing and a single entry need no node of their own.
    pub fn as_place(&self) -> TreePlace {
        let mut used = self.0.iter().filter(|place| **place != TreePlace::Empty);
        match (used.next(), used.next()) {
            (None, _) => TreePlace::Empty,
            (Some(entry @ TreePlace::Entry { .. }), None) => *entry,
            _ => TreePlace::Node(self.hash()),
        }
    }

    /// The bytes under which it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let bits = |wanted: fn(&TreePlace) -> bool| {
            let bit = |(digit, place)| if wanted(place) { 1u16 << digit } else { 0 };
            self.0.iter().enumerate().map(bit).fold(0, |all, bit| all | bit)
        };
        let mut bytes = Vec::with_capacity(260);
        bytes.extend(bits(|place| matches!(place, TreePlace::Node(_))).to_be_bytes());
        bytes.extend(bits(|place| matches!(place, TreePlace::Entry { .. })).to_be_bytes());
        for place in &self.0 {
            match place {
                TreePlace::Empty => {}
                TreePlace::Node(hash) => bytes.extend(hash.as_bytes()),
                TreePlace::Entry { path, value } => {
                    bytes.extend(path.as_bytes());
                    bytes.extend(value.as_bytes());
                }
            }
        }
        bytes
    }

    /// Reads a stored node; `None` if it is damaged.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (nodes, bytes) = bytes.split_first_chunk()?;
        let (entries, mut bytes) = bytes.split_first_chunk()?;
        let [nodes, entries] = [nodes, entries].map(|bits| u16::from_be_bytes(*bits));
        let mut hash = || {
            let (hash, rest) = bytes.split_first_chunk()?;
            bytes = rest;
            Some(Hash::new(*hash))
        };
        let mut node = Self::default();
        for (digit, place) in node.0.iter_mut().enumerate() {
            *place = match (nodes >> digit & 1, entries >> digit & 1) {
                (0, 0) => TreePlace::Empty,
                (1, 0) => TreePlace::Node(hash()?),
                (0, 1) => TreePlace::Entry {
                    path: hash()?,
                    value: hash()?,
                },
                _ => return None,
            };
        }
        bytes.is_empty().then_some(node)
    }
}

impl TreePrefix {
    /// The whole tree.
    pub const ROOT: Self = Self(Vec::new());

    /// How many digits.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// The path under which the subtree's node is stored: one byte a digit.
    pub fn as_path(&self) -> &[u8] {
        &self.0
    }

    /// Reads a prefix back from [`Self::as_path`]; `None` if it is too long or a digit is none.
    pub fn from_path(path: &[u8]) -> Option<Self> {
        let sound = path.len() <= TREE_DEPTH_MAX && path.iter().all(|digit| usize::from(*digit) < TREE_ARITY);
        sound.then(|| Self(path.to_vec()))
    }

    /// The prefix with one digit more; `None` below the last level.
    pub fn child(&self, digit: u8) -> Option<Self> {
        let mut path = self.0.clone();
        path.push(digit);
        Self::from_path(&path)
    }

    /// Whether a path begins with it.
    pub fn covers(&self, path: &Hash) -> bool {
        let mut digits = self.0.iter().enumerate();
        digits.all(|(level, digit)| tree_digit(path, level) == *digit)
    }
}

impl fmt::Debug for TreePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TreePrefix(")?;
        self.0.iter().try_for_each(|digit| write!(f, "{digit:x}"))?;
        f.write_str(")")
    }
}

/// Builds what lies at and below a prefix from its entries alone, strictly ascending by path and all covered by the
/// prefix. Gives how it stands in its parent, and the nodes to store.
///
/// The whole tree is a node however few entries it has, as its parent is nobody.
pub fn subtree(prefix: &TreePrefix, entries: &[HashedEntry]) -> (TreePlace, TreeChanges) {
    let mut stored = TreeChanges::new();
    let mut path = prefix.0.clone();
    let place = match path.is_empty() {
        true if entries.is_empty() => TreePlace::Empty,
        true => node_below(&mut path, entries, &mut stored),
        false => place_below(&mut path, entries, &mut stored),
    };
    (place, stored)
}

fn place_below(path: &mut Vec<u8>, entries: &[HashedEntry], stored: &mut TreeChanges) -> TreePlace {
    match *entries {
        [] => TreePlace::Empty,
        [(path, value)] => TreePlace::Entry { path, value },
        _ => node_below(path, entries, stored),
    }
}

fn node_below(path: &mut Vec<u8>, entries: &[HashedEntry], stored: &mut TreeChanges) -> TreePlace {
    let mut node = TreeNode::default();
    let level = path.len();
    // Distinct paths part at the last level at the latest.
    if level < TREE_DEPTH_MAX {
        for group in entries.chunk_by(|(a, _), (b, _)| tree_digit(a, level) == tree_digit(b, level)) {
            let Some(digit) = group.first().map(|(first, _)| tree_digit(first, level)) else {
                continue;
            };
            path.push(digit);
            node.set(digit, place_below(path, group, stored));
            path.pop();
        }
    }
    stored.insert(path.clone(), Some(node.encode()));
    TreePlace::Node(node.hash())
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(numbers: &std::collections::BTreeSet<u16>) -> Vec<HashedEntry> {
        let hashed = numbers.iter().map(|number| {
            let bytes = number.to_be_bytes();
            (
                Hash::of_content(&bytes),
                Hash::of_content(&[&bytes[..], b"value"].concat()),
            )
        });
        let mut entries: Vec<HashedEntry> = hashed.collect();
        entries.sort_unstable();
        entries
    }

    proptest! {
        #[test]
        fn subtrees_join_to_the_whole_tree(numbers in prop::collection::btree_set(any::<u16>(), 2..200)) {
            let all = entries(&numbers);
            let (whole, mut nodes) = subtree(&TreePrefix::ROOT, &all);
            let mut root = TreeNode::default();
            let mut joined = TreeChanges::new();
            for digit in 0..16 {
                let prefix = TreePrefix::ROOT.child(digit).unwrap();
                let below: Vec<HashedEntry> =
                    all.iter().copied().filter(|(path, _)| prefix.covers(path)).collect();
                let (place, stored) = subtree(&prefix, &below);
                root.set(digit, place);
                joined.extend(stored);
            }
            prop_assert_eq!(whole, TreePlace::Node(root.hash()));
            prop_assert_eq!(nodes.remove(&Vec::new()).flatten(), Some(root.encode()));
            prop_assert_eq!(nodes, joined);
        }
    }

    #[test]
    fn prefixes_are_at_most_as_long_as_a_path() {
        let longest = TreePrefix::from_path(&[15; TREE_DEPTH_MAX]).unwrap();
        assert!(longest.covers(&Hash::new([0xff; 32])));
        assert_eq!(longest.child(0), None);
        assert_eq!(TreePrefix::from_path(&[16]), None);
        assert_eq!(TreePrefix::ROOT.child(16), None);
    }
}
