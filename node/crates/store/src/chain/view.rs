use super::{ChainStore, Entry, Shared, fault, keys};
use crate::StoreError;
use salus_types::Height;
use salus_types::state::{StateFault, StateKey, StateReader};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::PoisonError;

/// Blocks that a view may fall behind before it expires.
const UNDO_MAX: usize = 64;

/// The state at one height, unchanged while later blocks are committed.
///
/// A view costs nothing until a block is committed; then the store remembers what the block replaced, for up to 64
/// blocks, after which reads fail and a new view must be taken.
#[derive(Debug)]
pub struct StateView {
    store: ChainStore,
    height: Option<Height>,
}

/// What recent blocks replaced, oldest first, for the views that still show it.
#[derive(Debug, Default)]
pub(super) struct Undo(VecDeque<Replaced>);

#[derive(Debug)]
pub(super) struct Replaced {
    /// The block that replaced the values.
    height: Height,
    values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Undo {
    pub(super) fn push(&mut self, height: Height, values: Vec<(Vec<u8>, Option<Vec<u8>>)>) {
        if self.0.len() >= UNDO_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Replaced {
            height,
            values: values.into_iter().collect(),
        });
    }

    pub(super) fn drop_unneeded(&mut self, oldest_view: Option<Height>) {
        while self
            .0
            .front()
            .is_some_and(|first| oldest_view.is_none_or(|oldest| first.height <= oldest))
        {
            self.0.pop_front();
        }
    }

    pub(super) fn after(&self, height: Height) -> impl Iterator<Item = &Replaced> {
        self.0.iter().filter(move |replaced| replaced.height > height)
    }

    /// The value at `height` of a key that was written later; `None` if it was not.
    fn value_at(&self, height: Height, key: &[u8]) -> Option<&Option<Vec<u8>>> {
        self.after(height).find_map(|replaced| replaced.values.get(key))
    }

    /// The first key between the bounds that was written after `height`.
    fn first_key<'a>(&'a self, height: Height, from: Bound<&[u8]>, to: Bound<&[u8]>) -> Option<&'a [u8]> {
        let first = |replaced: &'a Replaced| replaced.values.range::<[u8], _>((from, to)).next();
        self.after(height)
            .filter_map(first)
            .map(|(key, _)| key.as_slice())
            .min()
    }
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
        let remembered = shared.undo.after(height).next().map(|first| first.height);
        if tip > height && remembered != Some(height.next()) {
            return Err(StoreError::ViewExpired(height));
        }
        Ok(height)
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let shared = self.store.shared();
        let height = self.checked_height(&shared)?;
        match shared.undo.value_at(height, key) {
            Some(old) => Ok(old.clone()),
            None => self.store.get(key),
        }
    }

    fn next_entry(&self, prefix: &[u8], after: &[u8]) -> Result<Option<Entry>, StoreError> {
        let shared = self.store.shared();
        let height = self.checked_height(&shared)?;
        let end = keys::after_prefix(&keys::state(prefix));
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut after = after.to_vec();
        loop {
            let stored = self.store.next_state(prefix, &after)?;
            let (start, cursor) = (keys::state(prefix), keys::state(&after));
            let from = match after.as_slice() < prefix || after.is_empty() {
                true => Bound::Included(start.as_slice()),
                false => Bound::Excluded(cursor.as_slice()),
            };
            let replaced = if is_inverted(from, to) {
                None
            } else {
                shared.undo.first_key(height, from, to)
            };
            let replaced = replaced.and_then(|key| key.get(1..));
            let candidate = match (&stored, replaced) {
                (Some((stored, _)), Some(replaced)) => stored.as_slice().min(replaced).to_vec(),
                (Some((stored, _)), None) => stored.clone(),
                (None, Some(replaced)) => replaced.to_vec(),
                (None, None) => return Ok(None),
            };
            match shared.undo.value_at(height, &keys::state(&candidate)) {
                Some(Some(old)) => return Ok(Some((candidate, old.clone()))),
                // Written after this view's height: it does not exist yet here.
                Some(None) => after = candidate,
                None => return Ok(stored),
            }
        }
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
        self.read(&keys::state(key.as_bytes())).map_err(fault)
    }

    fn next(&self, prefix: &[u8], after: &[u8]) -> Result<Option<(StateKey, Vec<u8>)>, StateFault> {
        let found = self.next_entry(prefix, after).map_err(fault)?;
        Ok(found.and_then(|(key, value)| Some((StateKey::from_bytes(&key)?, value))))
    }

    fn tree_node(&self, path: &[u8]) -> Result<Option<Vec<u8>>, StateFault> {
        self.read(&keys::tree(path)).map_err(fault)
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
