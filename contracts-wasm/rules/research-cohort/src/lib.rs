//! A rule: research reads only cohorts that are large enough to hide in.
//!
//! Patients join a cohort themselves, and leave it when they like. A record is read for research only while its patient is in a
//! cohort with at least as many patients as the rule was founded with: below that floor, whoever knows a little of one of
//! them could tell which record is whose. What is read for other purposes is none of this rule's business.
#![cfg_attr(target_arch = "wasm32", no_std)]

use salus_sdk::prelude::*;

/// The smallest floor: with fewer, a cohort hides nobody.
const FLOOR_MIN: u32 = 5;

/// Research reads only cohorts that are large enough to hide in.
#[contract(state_version = 1, reasons = Reason::TABLE, errors = Error::TABLE)]
pub struct ResearchCohort {
    /// How many patients a cohort must have. Set once, when the contract is instantiated.
    #[at(b'k')]
    floor: Item<u32>,
    /// The cohort of each patient that is in one.
    #[at(b'm')]
    members: Map<PrincipalId, u16>,
    /// How many patients a cohort has.
    #[at(b's')]
    sizes: Map<u16, u32>,
}

/// Why the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Reason {
    /// The patient takes part in no research.
    InNoCohort = 261,
    /// The patient's cohort is too small.
    CohortTooSmall = 262,
}

/// Why joining or leaving fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Error {
    /// Only patients join and leave, and each for itself.
    NotAPatient = 256,
    /// The patient is in a cohort already: it leaves that one first.
    InACohort = 257,
    /// The patient is in no cohort.
    InNone = 258,
}

#[contract_impl]
impl ResearchCohort {
    /// Sets the floor, at least 5.
    #[instantiate]
    pub fn instantiate(&self, cx: &mut Ctx, floor: u32) -> Result<(), Abort> {
        if floor < FLOOR_MIN {
            return Err(Abort::BAD_INPUT);
        }
        self.floor.set(cx, &floor);
        Ok(())
    }

    /// The calling patient takes part in a cohort.
    #[execute(0)]
    pub fn join(&self, cx: &mut Ctx, cohort: u16) -> Result<(), Abort> {
        let patient = caller(cx)?;
        if self.members.get(cx, &patient).is_some() {
            return Err(Error::InACohort.into());
        }
        self.members.set(cx, &patient, &cohort);
        let size = self.sizes.get(cx, &cohort).unwrap_or(0);
        self.sizes.set(cx, &cohort, &size.saturating_add(1));
        Ok(())
    }

    /// The calling patient takes part no longer.
    #[execute(1)]
    pub fn leave(&self, cx: &mut Ctx) -> Result<(), Abort> {
        let patient = caller(cx)?;
        let cohort = self.members.get(cx, &patient).ok_or(Error::InNone)?;
        self.members.remove(cx, &patient);
        let size = self.sizes.get(cx, &cohort).unwrap_or(0);
        self.sizes.set(cx, &cohort, &size.saturating_sub(1));
        Ok(())
    }

    /// How many patients a cohort has.
    #[query(0)]
    pub fn size(&self, cx: &Ctx, cohort: u16) -> Result<u32, Abort> {
        Ok(self.sizes.get(cx, &cohort).unwrap_or(0))
    }

    /// Refuses research on patients that could be told apart.
    #[decide]
    pub fn decide(&self, cx: &Ctx, request: AccessRequest) -> RuleDecision {
        if request.purpose != Purpose::Research {
            return abstain();
        }
        let cohort = self.members.get(cx, &request.patient);
        let size = cohort.map(|cohort| self.sizes.get(cx, &cohort).unwrap_or(0));
        judge(size, self.floor.get(cx))
    }
}

/// The caller, if it is a patient.
fn caller(cx: &Ctx) -> Result<PrincipalId, Abort> {
    cx.caller()
        .filter(|caller| cx.has_role(*caller, Role::Patient))
        .ok_or(Error::NotAPatient.into())
}

/// The decision about research, given the size of the patient's cohort and the floor.
fn judge(size: Option<u32>, floor: Option<u32>) -> RuleDecision {
    match (size, floor) {
        (None, _) => deny(Reason::InNoCohort),
        (Some(size), Some(floor)) if size >= floor => abstain(),
        (Some(_), _) => deny(Reason::CohortTooSmall),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cohort_must_reach_the_floor() {
        assert_eq!(judge(None, Some(5)), deny(Reason::InNoCohort));
        assert_eq!(judge(Some(4), Some(5)), deny(Reason::CohortTooSmall));
        assert_eq!(judge(Some(5), Some(5)), abstain());
        assert_eq!(judge(Some(6), Some(5)), abstain());
        assert_eq!(
            judge(Some(9), None),
            deny(Reason::CohortTooSmall),
            "no floor is no permission"
        );
    }

    proptest! {
        #[test]
        fn more_patients_never_hide_less(size in 0u32..100, more in 0u32..100, floor in 5u32..60) {
            if judge(Some(size), Some(floor)) == abstain() {
                prop_assert_eq!(judge(Some(size.saturating_add(more)), Some(floor)), abstain());
                prop_assert!(size >= FLOOR_MIN);
            }
        }
    }
}
