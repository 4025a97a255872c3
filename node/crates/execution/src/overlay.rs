use salus_types::state::{StateChanges, StateFault, StateKey, StateReader};
use std::ops::Bound;

/// The state as a block sees it: committed entries, under what the block has written, under what the transaction has
/// written so far.
pub(crate) struct Overlay<'a> {
    committed: &'a dyn StateReader,
    block: StateChanges,
    transaction: StateChanges,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(committed: &'a dyn StateReader) -> Self {
        Self {
            committed,
            block: StateChanges::new(),
            transaction: StateChanges::new(),
        }
    }

    /// Writes an entry, or deletes it.
    pub(crate) fn write(&mut self, key: StateKey, value: Option<Vec<u8>>) {
        self.transaction.insert(key, value);
    }

    /// Forgets what the transaction wrote.
    pub(crate) fn revert(&mut self) {
        self.transaction.clear();
    }

    /// Keeps what the transaction wrote.
    pub(crate) fn keep(&mut self) {
        self.block.append(&mut self.transaction);
    }

    /// What the block wrote, without what its last transaction did not keep.
    pub(crate) fn into_changes(self) -> StateChanges {
        self.block
    }

    /// The first key greater than `after` that begins with `prefix` and that this block wrote, with what it wrote.
    fn next_written(&self, prefix: &[u8], after: &[u8]) -> Option<(&StateKey, Option<&Vec<u8>>)> {
        let lowest = if after < prefix {
            Bound::Included(StateKey::from_bytes(prefix)?)
        } else {
            Bound::Excluded(StateKey::from_bytes(after)?)
        };
        let first = |changes: &'_ StateChanges| {
            let found = changes.range((lowest.clone(), Bound::Unbounded)).next();
            found.map(|(key, _)| key.clone())
        };
        let key = match (first(&self.block), first(&self.transaction)) {
            (Some(block), Some(transaction)) => block.min(transaction),
            (block, transaction) => block.or(transaction)?,
        };
        if !key.as_bytes().starts_with(prefix) {
            return None;
        }
        let written = self
            .transaction
            .get_key_value(&key)
            .or_else(|| self.block.get_key_value(&key))?;
        Some((written.0, written.1.as_ref()))
    }
}

impl StateReader for Overlay<'_> {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        match self.transaction.get(key).or_else(|| self.block.get(key)) {
            Some(written) => Ok(written.clone()),
            None => self.committed.get(key),
        }
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let mut committed = self.committed.next(prefix, after)?;
        let mut after = after.to_vec();
        loop {
            let Some((key, value)) = self.next_written(prefix, &after) else {
                return Ok(committed);
            };
            if committed.as_ref().is_some_and(|(other, _)| other < key) {
                return Ok(committed);
            }
            if let Some(value) = value {
                return Ok(Some((key.clone(), value.clone())));
            }
            // A deleted key: look behind it, and behind the committed entry it hides.
            after = key.as_bytes().to_vec();
            if committed.as_ref().is_some_and(|(other, _)| other == key) {
                committed = self.committed.next(prefix, &after)?;
            }
        }
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        self.committed.tree_node(path)
    }
}
