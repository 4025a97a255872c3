use super::ShareLocation;
use super::resealing::DealingKey;
use salus_types::{BlockId, Height};
use std::collections::{BTreeMap, BTreeSet};

/// Shares of dealings that are not decided: a handful a height, more only after the index was lost.
///
/// The height that counts is that of the block that decides: the own one of a new block, a later one of a resealed one.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    by_dealing: BTreeMap<DealingKey, (Height, ShareLocation)>,
    by_height: BTreeSet<(Height, DealingKey)>,
    places: BTreeSet<ShareLocation>,
    /// Places of records that were written twice.
    replaced: Vec<ShareLocation>,
}

/// A record that is no longer among the recent ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retired {
    pub(crate) at: ShareLocation,
    /// Whether its bytes must go if it was not decided: it would open what was dealt anew.
    pub(crate) to_erase: bool,
}

impl Recent {
    pub(crate) fn insert(&mut self, decided_at: Height, dealing: DealingKey, at: ShareLocation) {
        if let Some((height, before)) = self.by_dealing.insert(dealing, (decided_at, at)) {
            self.places.remove(&before);
            self.by_height.remove(&(height, dealing));
            if before != at {
                self.replaced.push(before);
            }
        }
        self.by_height.insert((decided_at, dealing));
        self.places.insert(at);
    }

    pub(crate) fn get(&self, dealing: &DealingKey) -> Option<ShareLocation> {
        self.by_dealing.get(dealing).map(|(_, at)| *at)
    }

    /// Places of all dealings of a block that are not decided.
    pub(crate) fn of_block(&self, block: &BlockId) -> Vec<ShareLocation> {
        let first = DealingKey::first(*block);
        let dealings = self.by_dealing.range(first..);
        dealings
            .take_while(|(dealing, _)| dealing.block == *block)
            .map(|(_, (_, at))| *at)
            .collect()
    }

    /// Forgets everything up to a committed height: the index knows what was decided, and nobody asks for the rest.
    pub(crate) fn retire(&mut self, committed: Height) -> Vec<Retired> {
        let replaced = self.replaced.drain(..);
        let mut retired: Vec<Retired> = replaced.map(|at| Retired { at, to_erase: true }).collect();
        while let Some(first) = self
            .by_height
            .first()
            .copied()
            .filter(|(height, _)| *height <= committed)
        {
            self.by_height.remove(&first);
            if let Some((_, at)) = self.by_dealing.remove(&first.1) {
                self.places.remove(&at);
                let to_erase = first.1.root.is_some();
                retired.push(Retired { at, to_erase });
            }
        }
        retired
    }

    /// Everything up to a height.
    pub(crate) fn up_to(&self, height: Height) -> Vec<(Height, DealingKey, ShareLocation)> {
        let known = self.by_height.iter().take_while(|(of, _)| *of <= height);
        known
            .filter_map(|(height, dealing)| Some((*height, *dealing, self.get(dealing)?)))
            .collect()
    }

    /// Forgets a dealing whose share's place the index knows by now.
    pub(crate) fn forget(&mut self, dealing: &DealingKey) {
        if let Some((height, at)) = self.by_dealing.remove(dealing) {
            self.by_height.remove(&(height, *dealing));
            self.places.remove(&at);
        }
    }

    /// The first location that a scan must still find.
    pub(crate) fn lowest_place(&self) -> Option<ShareLocation> {
        self.places.first().copied()
    }

    /// Locations of new blocks' shares from a height on, lowest height first.
    pub(crate) fn places_from(&self, from: Height, count: usize) -> Vec<ShareLocation> {
        let dealings = self
            .by_height
            .iter()
            .filter(|(height, dealing)| *height >= from && dealing.root.is_none())
            .take(count);
        dealings.filter_map(|(_, dealing)| self.get(dealing)).collect()
    }
}
