//! The state tree: the Merkle tree over all entries that state roots commit to.
//!
//! Its shape and hashes are drawn in [`salus_types::state`], its stored nodes in [`salus_types::tree`]. This module keeps it
//! up to date: nodes are stored by their path, latest version only, and a block's [`StateChanges`] become a [`TreeChanges`]
//! and a root.
//!
//! Invariant: every node but the root has at least two entries below it, and two trees with the same entries are equal,
//! node by node.

use crate::system::damaged;
use salus_types::Hash;
use salus_types::state::{
    StateChanges, StateFault, StateKey, StateProof, StateReader, TREE_DEPTH_MAX, TreeChanges, tree_digit,
};
use salus_types::tree::{TreeNode as Node, TreePlace as Place};

/// An entry's new value, by hashes; `None` deletes it.
type Change = (Hash, Option<Hash>);

/// Applies a block's changes.
///
/// Yields the new root and the nodes to store; nothing is written here. Changes that change nothing (an equal value,
/// the deletion of what is not there) leave the tree as it is.
///
/// # Errors
///
/// The stored nodes could not be read, or are damaged.
pub fn apply(state: &dyn StateReader, changes: &StateChanges) -> Result<(Hash, TreeChanges), StateFault> {
    let mut hashed: Vec<Change> = changes
        .iter()
        .map(|(key, value)| (key.path(), value.as_deref().map(Hash::of_content)))
        .collect();
    hashed.sort_unstable_by_key(|(path, _)| *path);
    let mut update = Update {
        state,
        stored: TreeChanges::new(),
    };
    let mut path = Vec::with_capacity(TREE_DEPTH_MAX);
    let old = load(state, &path)?.unwrap_or_default();
    let new = update.node(&mut path, old.clone(), &hashed)?;
    if new != old {
        let bytes = (new != Node::default()).then(|| new.encode());
        update.stored.insert(Vec::new(), bytes);
    }
    Ok((new.hash(), update.stored))
}

/// The root of the committed tree; zero for an empty state.
pub fn root(state: &dyn StateReader) -> Result<Hash, StateFault> {
    Ok(load(state, &[])?.unwrap_or_default().hash())
}

/// Proves what the committed state holds at a key: its value, or that there is none.
///
/// The proof fits [`root`] of the same state, and the value that `state` has at the key; so read all three from one
/// consistent view.
pub fn prove(state: &dyn StateReader, key: &StateKey) -> Result<StateProof, StateFault> {
    let path = key.path();
    let mut nodes = Vec::new();
    let mut at = Vec::new();
    let other = loop {
        let node = match load(state, &at)? {
            Some(node) => node,
            None if at.is_empty() => Node::default(),
            None => return Err(damaged("a node of the state tree")),
        };
        let digit = tree_digit(&path, at.len());
        nodes.push(node.place_hashes());
        match node.place(digit) {
            Place::Node(_) => at.push(digit),
            Place::Entry { path: other, value } if other != path => break Some((other, value)),
            Place::Entry { .. } | Place::Empty => break None,
        }
        if at.len() >= TREE_DEPTH_MAX {
            return Err(damaged("the depth of the state tree"));
        }
    };
    Ok(StateProof::new(&path, &nodes, other))
}

struct Update<'a> {
    state: &'a dyn StateReader,
    stored: TreeChanges,
}

impl Update<'_> {
    /// Applies changes, sorted by path and all below `path`, to the node there; stores what lies below it.
    fn node(&mut self, path: &mut Vec<u8>, mut node: Node, changes: &[Change]) -> Result<Node, StateFault> {
        let level = path.len();
        for group in changes.chunk_by(|(a, _), (b, _)| tree_digit(a, level) == tree_digit(b, level)) {
            let Some(digit) = group.first().map(|(first, _)| tree_digit(first, level)) else {
                continue;
            };
            path.push(digit);
            let place = self.place(path, node.place(digit), group)?;
            path.pop();
            node.set(digit, place);
        }
        Ok(node)
    }

    /// Applies changes to what stands in a place; `path` includes the place's digit.
    fn place(&mut self, path: &mut Vec<u8>, old: Place, changes: &[Change]) -> Result<Place, StateFault> {
        if path.len() >= TREE_DEPTH_MAX && changes.len() > 1 {
            return Err(damaged("two keys with one hash"));
        }
        if let Place::Node(_) = old {
            let node = load(self.state, path)?.ok_or_else(|| damaged("a node of the state tree"))?;
            let changed = self.node(path, node.clone(), changes)?;
            let place = changed.as_place();
            if changed != node {
                let bytes = matches!(place, Place::Node(_)).then(|| changed.encode());
                self.stored.insert(path.clone(), bytes);
            }
            return Ok(place);
        }
        let mut entries: Vec<Change> = changes
            .iter()
            .copied()
            .filter(|(_, value)| value.is_some())
            .collect();
        if let Place::Entry { path: entry, value } = old
            && changes.binary_search_by_key(&entry, |(path, _)| *path).is_err()
        {
            let at = entries.partition_point(|(path, _)| *path < entry);
            entries.insert(at, (entry, Some(value)));
        }
        match *entries.as_slice() {
            [] => Ok(Place::Empty),
            [(entry, Some(value))] => Ok(Place::Entry { path: entry, value }),
            _ => {
                let node = self.node(path, Node::default(), &entries)?;
                self.stored.insert(path.clone(), Some(node.encode()));
                Ok(Place::Node(node.hash()))
            }
        }
    }
}

fn load(state: &dyn StateReader, path: &[u8]) -> Result<Option<Node>, StateFault> {
    match state.tree_node(path)? {
        None => Ok(None),
        Some(bytes) => Node::decode(&bytes)
            .map(Some)
            .ok_or_else(|| damaged("a node of the state tree")),
    }
}

#[cfg(test)]
mod tests;
