//! What members were proven guilty of: counted in the state, each fault once.

use crate::overlay::Overlay;
use crate::system;
use salus_types::codec::{self, Decode, Encode};
use salus_types::state::{StateFault, StateReader};
use salus_types::{Evidence, FaultKind, Height, MemberId};

/// Heights that are remembered for a member and kind of fault, at most.
const HEIGHTS_MAX: usize = 64;

/// What a member was proven guilty of so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Faults {
    /// Voting twice.
    pub double_votes: FaultCount,
    /// Handing out wrong shares.
    pub wrong_shares: FaultCount,
}

/// One kind of fault of one member.
///
/// A height counts once. To tell, the latest heights are remembered; once there are too many, the lowest is forgotten, and
/// with it everything below: an old fault may then go uncounted, but none is ever counted twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct FaultCount {
    count: u32,
    /// Ascending.
    heights: Vec<Height>,
}

impl Faults {
    /// The faults of a member; all zero if nothing was ever proven.
    pub fn of(state: &dyn StateReader, member: MemberId) -> Result<Self, StateFault> {
        Ok(system::read(state, &system::faults_key(member))?.unwrap_or_default())
    }

    /// Whether evidence would count: its fault was not counted before, and is not too old to tell.
    pub fn would_count(&self, evidence: &Evidence) -> bool {
        let count = match evidence.kind() {
            FaultKind::DoubleVote => &self.double_votes,
            FaultKind::WrongShare => &self.wrong_shares,
        };
        count.place(evidence.height()).is_some()
    }

    fn kind(&mut self, kind: FaultKind) -> &mut FaultCount {
        match kind {
            FaultKind::DoubleVote => &mut self.double_votes,
            FaultKind::WrongShare => &mut self.wrong_shares,
        }
    }
}

impl FaultCount {
    /// How many heights the member was charged with.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The latest height it was charged with.
    pub fn latest(&self) -> Option<Height> {
        self.heights.last().copied()
    }

    /// Counts a fault at a height; false if it was counted before, or is too old to tell.
    fn charge(&mut self, height: Height) -> bool {
        let Some(place) = self.place(height) else {
            return false;
        };
        self.heights.insert(place, height);
        if self.heights.len() > HEIGHTS_MAX {
            self.heights.remove(0);
        }
        self.count = self.count.saturating_add(1);
        true
    }

    /// Where a height goes among those that are remembered, if it counts.
    fn place(&self, height: Height) -> Option<usize> {
        let place = self.heights.binary_search(&height).err()?;
        (place > 0 || self.heights.len() < HEIGHTS_MAX).then_some(place)
    }
}

/// Counts a proven fault; false if it was counted before. The caller has checked the evidence.
pub(crate) fn charge(overlay: &mut Overlay<'_>, evidence: &Evidence) -> Result<bool, StateFault> {
    let member = evidence.member();
    let mut faults = Faults::of(overlay, member)?;
    let new = faults.kind(evidence.kind()).charge(evidence.height());
    if new {
        overlay.write(system::faults_key(member), Some(codec::encode(&faults)));
        overlay.keep();
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However evidence comes, in whatever order and how often: no height counts twice, and memory is bounded.
        #[test]
        fn no_height_counts_twice(heights in prop::collection::vec(1u64..200, 0..600)) {
            let mut count = FaultCount::default();
            let mut counted = std::collections::BTreeSet::new();
            for height in heights {
                if count.charge(Height::new(height)) {
                    prop_assert!(counted.insert(height), "{height} counted twice");
                }
                prop_assert!(count.heights.is_sorted() && count.heights.len() <= HEIGHTS_MAX);
            }
            prop_assert_eq!(usize::try_from(count.count()).unwrap(), counted.len());
        }
    }

    #[test]
    fn up_to_the_bound_every_height_counts_in_any_order() {
        let mut count = FaultCount::default();
        for height in (1..=64).rev() {
            assert!(count.charge(Height::new(height * 2)));
            assert!(!count.charge(Height::new(height * 2)));
        }
        assert!(!count.charge(Height::new(1)), "below all that is remembered");
        assert!(count.charge(Height::new(3)), "2 makes room");
        assert!(
            !count.charge(Height::new(2)),
            "it is forgotten, and stays counted once"
        );
        assert_eq!((count.count(), count.latest()), (65, Some(Height::new(128))));
    }
}
