use super::keys::{self, Side};
use super::{ChainStore, Entry, Shared, fault};
use crate::StoreError;
use salus_types::Height;
use salus_types::state::{StateFault, StateKey, StateReader};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::PoisonError;

/// Blocks that a view may fall behind before it expires.
pub(super) const UNDO_MAX: usize = 4096;
/// Bytes of replaced keys and values that are remembered for views, at most; beyond that the oldest views expire.
const UNDO_BYTES_MAX: usize = 64 << 20;

/// The state at one height, unchanged while later blocks are committed.
///
/// A view costs nothing until a block is committed; then the store remembers what the block replaced, for up to 4,096
/// blocks and 64 MiB, after which reads fail and a new view must be taken.
#[derive(Debug)]
pub struct StateView {
    store: ChainStore,
    height: Option<Height>,
}

/// A value that was replaced; `None` if there was none.
type OldValue = Option<Vec<u8>>;

/// What recent blocks replaced, for the views that still show it.
#[derive(Debug, Default)]
pub(super) struct Undo {
    /// Blocks whose replaced values are remembered, oldest first, with the keys they wrote.
    blocks: VecDeque<(Height, Vec<Vec<u8>>)>,
    /// For each key, which block replaced what, oldest first.
    values: BTreeMap<Vec<u8>, VecDeque<(Height, OldValue)>>,
    bytes: usize,
}

impl Undo {
    pub(super) fn push(&mut self, height: Height, values: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
        let mut keys = Vec::with_capacity(values.len());
        for (key, value) in values {
            self.bytes += weight(&key, value.as_deref());
            self.values
                .entry(key.clone())
                .or_default()
                .push_back((height, value));
            keys.push(key);
        }
        self.blocks.push_back((height, keys));
        while self.blocks.len() > UNDO_MAX || self.bytes > UNDO_BYTES_MAX {
            self.drop_oldest();
        }
    }

    pub(super) fn drop_unneeded(&mut self, oldest_view: Option<Height>) {
        while self
            .blocks
            .front()
            .is_some_and(|(first, _)| oldest_view.is_none_or(|oldest| *first <= oldest))
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((_, keys)) = self.blocks.pop_front() else {
            return;
        };
        for key in keys {
            let Some(values) = self.values.get_mut(&key) else {
                continue;
            };
            if let Some((_, value)) = values.pop_front() {
                self.bytes = self.bytes.saturating_sub(weight(&key, value.as_deref()));
            }
            if values.is_empty() {
                self.values.remove(&key);
            }
        }
    }

    /// The first remembered block above a height.
    fn first_after(&self, height: Height) -> Option<Height> {
        let at = self.blocks.partition_point(|(block, _)| *block <= height);
        self.blocks.get(at).map(|(block, _)| *block)
    }

    /// The value at `height` of a key that was written later; `None` if it was not.
    fn value_at(&self, height: Height, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        let values = self.values.get(key)?;
        let at = values.partition_point(|(block, _)| *block <= height);
        values.get(at).map(|(_, value)| value)
    }

    /// Keys between the bounds that were written after `height`.
    fn keys_after<'a>(
        &'a self,
        height: Height,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl Iterator<Item = &'a [u8]> {
        let range = (!is_inverted(from, to)).then(|| self.values.range::<[u8], _>((from, to)));
        range
            .into_iter()
            .flatten()
            .filter(move |(_, values)| values.back().is_some_and(|(block, _)| *block > height))
            .map(|(key, _)| key.as_slice())
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.blocks.len()
    }
}

fn weight(key: &[u8], value: Option<&[u8]>) -> usize {
    2 * key.len() + value.map_or(0, <[u8]>::len)
}

impl ChainStore {
    /// The lowest height that a live view shows.
    pub(super) fn oldest_view(&self) -> Option<Height> {
        let views = self.0.views.lock().unwrap_or_else(PoisonError::into_inner);
        views.keys().next().copied()
    }
}

impl StateView {
    pub(super) fn new(store: ChainStore) -> Self {
        // Under the shared lock, so that no block is committed between reading the tip and being counted.
        let shared = store.shared();
        let height = shared.tip.map(|tip| tip.height);
        if let Some(height) = height {
            let mut views = store.0.views.lock().unwrap_or_else(PoisonError::into_inner);
            *views.entry(height).or_default() += 1;
        }
        drop(shared);
        Self { store, height }
    }

    /// The height it shows; `None` if the store was empty.
    pub fn height(&self) -> Option<Height> {
        self.height
    }

    /// The height, after checking that all later changes are still remembered.
    fn checked_height(&self, shared: &Shared) -> Result<Height, StoreError> {
        let height = self
            .height
            .ok_or(StoreError::Initialisation("was empty when this view was taken"))?;
        let tip = shared.tip.map_or(height, |tip| tip.height);
        let remembered = shared.undo.first_after(height);
        if tip > height && remembered != Some(height.next()) {
            return Err(StoreError::ViewExpired(height));
        }
        Ok(height)
    }

    fn read(&self, key: impl FnOnce(Side) -> Vec<u8>) -> Result<Option<Vec<u8>>, StoreError> {
        let shared = self.store.shared();
        let height = self.checked_height(&shared)?;
        let key = key(shared.side);
        match shared.undo.value_at(height, &key) {
            Some(old) => Ok(old.clone()),
            None => self.store.get(&key),
        }
    }

    fn next_entry(&self, prefix: &[u8], after: &[u8]) -> Result<Option<Entry>, StoreError> {
        let shared = self.store.shared();
        let height = self.checked_height(&shared)?;
        let side = shared.side;
        let end = keys::after_prefix(&side.state(prefix));
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut after = after.to_vec();
        loop {
            let stored = self.store.next_state(side, prefix, &after)?;
            let (start, cursor) = (side.state(prefix), side.state(&after));
            let from = match after.as_slice() < prefix || after.is_empty() {
                true => Bound::Included(start.as_slice()),
                false => Bound::Excluded(cursor.as_slice()),
            };
            let replaced = shared.undo.keys_after(height, from, to).next();
            let replaced = replaced.and_then(|key| key.get(1..));
            let candidate = match (&stored, replaced) {
                (Some((stored, _)), Some(replaced)) => stored.as_slice().min(replaced).to_vec(),
                (Some((stored, _)), None) => stored.clone(),
                (None, Some(replaced)) => replaced.to_vec(),
                (None, None) => return Ok(None),
            };
            match shared.undo.value_at(height, &side.state(&candidate)) {
                Some(Some(old)) => return Ok(Some((candidate, old.clone()))),
                // Written after this view's height: it does not exist yet here.
                Some(None) => after = candidate,
                None => return Ok(stored),
            }
        }
    }

    /// The next entries behind a state key (no bytes: from the start), ascending by key, and where to go on; `None` at the
    /// end. Looks at up to `count` entries in one go, which is cheaper than one by one.
    ///
    /// # Errors
    /// [`StoreError::ViewExpired`] when the view has fallen too far behind.
    pub fn entries(&self, after: &[u8], count: usize) -> Result<(Vec<Entry>, Option<Vec<u8>>), StoreError> {
        let shared = self.store.shared();
        let height = self.checked_height(&shared)?;
        let side = shared.side;
        let (start, end) = (side.state(after), keys::after_prefix(&side.state(&[])));
        let from = match after.is_empty() {
            true => Bound::Included(start.as_slice()),
            false => Bound::Excluded(start.as_slice()),
        };
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = BTreeMap::new();
        let mut last = None;
        self.store.walk(from, end, false, &mut |key, value| {
            found.insert(key.to_vec(), value.to_vec());
            if found.len() >= count {
                last = Some(key.to_vec());
            }
            last.is_none()
        })?;
        // What was replaced since then, up to where this look ends.
        let to = last.as_deref().map_or(end, Bound::Included);
        for key in shared.undo.keys_after(height, from, to) {
            match shared.undo.value_at(height, key) {
                Some(Some(old)) => found.insert(key.to_vec(), old.clone()),
                _ => found.remove(key),
            };
        }
        let bare = |key: Vec<u8>| key.get(1..).unwrap_or_default().to_vec();
        let entries = found.into_iter().map(|(key, value)| (bare(key), value)).collect();
        Ok((entries, last.map(bare)))
    }
}

/// A range that `BTreeMap::range` would panic on.
fn is_inverted(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

impl StateReader for StateView {
    fn get(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StateFault> {
        self.read(|side| side.state(key.as_bytes())).map_err(fault)
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let found = self.next_entry(prefix, after).map_err(fault)?;
        Ok(found.and_then(|(key, value)| Some((StateKey::from_bytes(&key)?, value))))
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        self.read(|side| side.tree(path)).map_err(fault)
    }
}

impl Drop for StateView {
    fn drop(&mut self) {
        let Some(height) = self.height else {
            return;
        };
        let mut views = self.store.0.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = views.get_mut(&height) {
            *count -= 1;
            if *count == 0 {
                views.remove(&height);
            }
        }
    }
}
