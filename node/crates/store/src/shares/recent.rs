use super::ShareLocation;
use salus_types::{BlockId, Height};
use std::collections::{BTreeMap, BTreeSet};

/// Shares of blocks that are not committed: a handful a height, more only after the index was lost.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    by_id: BTreeMap<BlockId, (Height, ShareLocation)>,
    by_height: BTreeSet<(Height, BlockId)>,
    places: BTreeSet<ShareLocation>,
}

impl Recent {
    pub(crate) fn insert(&mut self, height: Height, id: BlockId, at: ShareLocation) {
        if let Some((_, before)) = self.by_id.insert(id, (height, at)) {
            self.places.remove(&before);
        }
        self.by_height.insert((height, id));
        self.places.insert(at);
    }

    pub(crate) fn get(&self, id: &BlockId) -> Option<ShareLocation> {
        self.by_id.get(id).map(|(_, at)| *at)
    }

    /// Forgets everything up to a committed height: the index knows the committed one, and nobody asks for the rest.
    pub(crate) fn retire(&mut self, committed: Height) {
        while let Some(first) = self
            .by_height
            .first()
            .copied()
            .filter(|(height, _)| *height <= committed)
        {
            self.by_height.remove(&first);
            if let Some((_, at)) = self.by_id.remove(&first.1) {
                self.places.remove(&at);
            }
        }
    }

    /// The first location that a scan must still find.
    pub(crate) fn lowest_place(&self) -> Option<ShareLocation> {
        self.places.first().copied()
    }

    /// Locations from a height on, lowest height first.
    pub(crate) fn places_from(&self, from: Height, count: usize) -> Vec<ShareLocation> {
        let ids = self
            .by_height
            .iter()
            .filter(|(height, _)| *height >= from)
            .take(count);
        ids.filter_map(|(_, id)| self.get(id)).collect()
    }
}
