//! A set of heights, kept as ranges: millions of missing shares are usually a few ranges.

use salus_types::Height;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Heights as disjoint ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeightRanges {
    /// First height to last height.
    ranges: BTreeMap<u64, u64>,
    count: u64,
}

impl HeightRanges {
    /// Ranges kept at most. Beyond that the lowest are forgotten: repair goes from the newest down, and whoever reports
    /// missing shares reports the rest again when these are done.
    pub(crate) const RANGES_MAX: usize = 1 << 16;

    /// Adds heights; an empty range adds none.
    pub(crate) fn insert(&mut self, heights: &RangeInclusive<Height>) {
        let (mut first, mut last) = (heights.start().get(), heights.end().get());
        if first > last {
            return;
        }
        // Swallow every range that overlaps or touches, from the highest that starts within reach.
        while let Some((&start, &end)) = self.ranges.range(..=last.saturating_add(1)).next_back() {
            if end.saturating_add(1) < first {
                break;
            }
            self.forget(start, end);
            first = first.min(start);
            last = last.max(end);
        }
        self.ranges.insert(first, last);
        self.count = self.count.saturating_add(length(first, last));
        if self.ranges.len() > Self::RANGES_MAX
            && let Some((&start, &end)) = self.ranges.first_key_value()
        {
            self.forget(start, end);
        }
    }

    /// Takes out a height; whether it was in.
    pub(crate) fn remove(&mut self, height: Height) -> bool {
        let height = height.get();
        let Some((&start, &end)) = self.ranges.range(..=height).next_back() else {
            return false;
        };
        if end < height {
            return false;
        }
        self.forget(start, end);
        if let Some(before) = height.checked_sub(1).filter(|before| start <= *before) {
            self.keep(start, before);
        }
        if let Some(after) = height.checked_add(1).filter(|after| *after <= end) {
            self.keep(after, end);
        }
        true
    }

    /// Takes out every height of another set.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (&first, &last) in &other.ranges {
            while let Some((&start, &end)) = self.ranges.range(..=last).next_back() {
                if end < first {
                    break;
                }
                self.forget(start, end);
                if let Some(after) = last.checked_add(1).filter(|after| *after <= end) {
                    self.keep(after, end);
                }
                if let Some(before) = first.checked_sub(1).filter(|before| start <= *before) {
                    self.keep(start, before);
                    break;
                }
            }
        }
    }

    /// Whether a height is in.
    pub(crate) fn contains(&self, height: Height) -> bool {
        let height = height.get();
        let below = self.ranges.range(..=height).next_back();
        below.is_some_and(|(_, end)| height <= *end)
    }

    /// Takes out the highest.
    pub(crate) fn take_newest(&mut self) -> Option<Height> {
        let newest = Height::new(*self.ranges.last_key_value()?.1);
        self.remove(newest).then_some(newest)
    }

    /// How many heights.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    fn keep(&mut self, start: u64, end: u64) {
        self.ranges.insert(start, end);
        self.count = self.count.saturating_add(length(start, end));
    }

    fn forget(&mut self, start: u64, end: u64) {
        self.ranges.remove(&start);
        self.count = self.count.saturating_sub(length(start, end));
    }
}

fn length(first: u64, last: u64) -> u64 {
    last.saturating_sub(first).saturating_add(1)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails, as it should"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64, u64),
        Remove(u64),
        Subtract(Vec<(u64, u64)>),
        TakeNewest,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..60, 0u64..12).prop_map(|(first, more)| Step::Insert(first, first + more)),
            (0u64..70).prop_map(Step::Remove),
            prop::collection::vec((0u64..60, 0u64..5), 0..4).prop_map(Step::Subtract),
            Just(Step::TakeNewest),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(steps in prop::collection::vec(step(), 0..60)) {
            let mut ranges = HeightRanges::default();
            let mut model = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Insert(first, last) => {
                        ranges.insert(&(Height::new(first)..=Height::new(last)));
                        model.extend(first..=last);
                    }
                    Step::Remove(height) => {
                        prop_assert_eq!(ranges.remove(Height::new(height)), model.remove(&height));
                    }
                    Step::Subtract(others) => {
                        let mut other = HeightRanges::default();
                        for (first, more) in others {
                            other.insert(&(Height::new(first)..=Height::new(first + more)));
                            model.retain(|height| !(first..=first + more).contains(height));
                        }
                        ranges.subtract(&other);
                    }
                    Step::TakeNewest => {
                        prop_assert_eq!(ranges.take_newest().map(Height::get), model.pop_last());
                    }
                }
                prop_assert_eq!(ranges.count(), model.len() as u64);
                prop_assert_eq!(ranges.is_empty(), model.is_empty());
                let listed: Vec<u64> = ranges.ranges.iter().flat_map(|(a, b)| *a..=*b).collect();
                prop_assert_eq!(listed, model.iter().copied().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn forgets_the_lowest_ranges_beyond_its_bound() {
        let mut ranges = HeightRanges::default();
        for i in 0..=HeightRanges::RANGES_MAX as u64 {
            ranges.insert(&(Height::new(i * 2)..=Height::new(i * 2)));
        }
        assert_eq!(ranges.count(), HeightRanges::RANGES_MAX as u64);
        assert!(!ranges.remove(Height::ZERO));
        assert!(ranges.remove(Height::new(2)));
    }

    #[test]
    fn the_largest_height_is_a_height_too() {
        let mut ranges = HeightRanges::default();
        ranges.insert(&(Height::new(u64::MAX - 1)..=Height::MAX));
        assert_eq!(ranges.take_newest(), Some(Height::MAX));
        assert_eq!(ranges.take_newest(), Some(Height::new(u64::MAX - 1)));
        assert_eq!(ranges.take_newest(), None);
    }
}
