//! The committed state, in maps.

use salus_execution::ExecutedBlock;
use salus_types::state::{StateFault, StateKey, StateReader};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Entries and tree nodes. Values are shared, so that a copy costs little.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    entries: BTreeMap<StateKey, Arc<[u8]>>,
    nodes: BTreeMap<Vec<u8>, Arc<[u8]>>,
}

/// A chain as it stood: its state, its height and its time.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) state: Memory,
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
}

impl Memory {
    /// Takes a block's changes in.
    pub(crate) fn commit(&mut self, block: &ExecutedBlock) {
        apply(&mut self.entries, &block.state);
        apply(&mut self.nodes, &block.tree);
    }

    /// Every entry whose key starts with `prefix`, in order.
    pub(crate) fn entries<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = (&'a StateKey, &'a [u8])> {
        self.entries
            .iter()
            .filter(move |(key, _)| key.as_bytes().starts_with(prefix))
            .map(|(key, value)| (key, value.as_ref()))
    }
}

fn apply<K: Clone + Ord>(map: &mut BTreeMap<K, Arc<[u8]>>, changes: &BTreeMap<K, Option<Vec<u8>>>) {
    for (key, value) in changes {
        match value {
            Some(value) => map.insert(key.clone(), value.as_slice().into()),
            None => map.remove(key),
        };
    }
}

impl StateReader for Memory {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.entries.get(key).map(|value| value.to_vec()))
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let Some(from) = StateKey::from_bytes(prefix.max(after)) else {
            return Err(StateFault("a search needs the number of a contract".to_owned()));
        };
        let found = self
            .entries
            .range((Bound::Included(from), Bound::Unbounded))
            .find(|(key, _)| key.as_bytes() > after)
            .filter(|(key, _)| key.as_bytes().starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.to_vec())))
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        Ok(self.nodes.get(path).map(|node| node.to_vec()))
    }
}
