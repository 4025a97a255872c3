//! A rule: for treatment, a patient's care team reads.
//!
//! A hospital's admin writes a patient's team into an attribute, and a doctor's teams into the same attribute of the doctor: numbers of two bytes,
//! big-endian, one after the other. A doctor without a team in common with the patient is refused, grant or not: a patient's grant to a whole
//! ward ends with the stay. A patient without a team is read as its grants say. It never refuses emergencies, patients who
//! read their own records, or those who act for them.
#![cfg_attr(target_arch = "wasm32", no_std)]

use salus_sdk::prelude::*;

/// For treatment, a patient's care team reads.
#[contract(state_version = 1, reasons = Reason::TABLE)]
pub struct CareTeam {
    /// The attribute that holds teams. Set once, when the contract is instantiated.
    #[at(b'a')]
    attribute: Item<u16>,
}

/// Why the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Reason {
    /// The requester is not in the patient's care team.
    NotInTheTeam = 263,
}

#[contract_impl]
impl CareTeam {
    /// Sets the attribute that holds teams.
    #[instantiate]
    pub fn instantiate(&self, cx: &mut Ctx, attribute: u16) -> Result<(), Abort> {
        self.attribute.set(cx, &attribute);
        Ok(())
    }

    /// The attribute that holds teams.
    #[query]
    pub fn attribute(&self, cx: &Ctx) -> Result<Option<u16>, Abort> {
        Ok(self.attribute.get(cx))
    }

    /// Refuses doctors who treat a patient of other teams.
    #[decide]
    pub fn decide(&self, cx: &Ctx, request: AccessRequest) -> RuleDecision {
        let treats = request.purpose == Purpose::Treatment && cx.has_role(request.requester, Role::Doctor);
        if request.emergency || !treats {
            return abstain();
        }
        let Some(attribute) = self.attribute.get(cx) else {
            return deny(Reason::NotInTheTeam);
        };
        let teams = |principal| cx.attribute(principal, attribute).unwrap_or_default();
        judge(&teams(request.patient), &teams(request.requester))
    }
}

/// The decision about a doctor's treatment, given both one's teams.
fn judge(patient: &[u8], doctor: &[u8]) -> RuleDecision {
    let (teams, _) = patient.as_chunks::<2>();
    let (own, _) = doctor.as_chunks::<2>();
    if teams.is_empty() || teams.iter().any(|team| own.contains(team)) {
        abstain()
    } else {
        deny(Reason::NotInTheTeam)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_team_in_common_is_enough() {
        let refused = deny(Reason::NotInTheTeam);
        assert_eq!(judge(&[0, 7], &[0, 7]), abstain());
        assert_eq!(judge(&[0, 7], &[0, 1, 0, 7]), abstain());
        assert_eq!(judge(&[0, 1, 0, 7], &[0, 9, 0, 7]), abstain());
        assert_eq!(judge(&[0, 7], &[0, 8]), refused);
        assert_eq!(judge(&[0, 7], &[7, 0]), refused);
        assert_eq!(judge(&[0, 7], &[]), refused, "a doctor without a team");
        assert_eq!(judge(&[0, 7], &[9, 0, 7, 9]), refused, "not across two numbers");
        assert_eq!(judge(&[], &[]), abstain(), "a patient without a team");
        assert_eq!(judge(&[7], &[7]), abstain(), "half a number is none");
    }

    proptest! {
        #[test]
        fn the_order_of_teams_does_not_matter(
            patient in prop::collection::vec(0u16..6, 0..5), doctor in prop::collection::vec(0u16..6, 0..5),
        ) {
            let bytes = |teams: &[u16]| teams.iter().flat_map(|team| team.to_be_bytes()).collect::<Vec<u8>>();
            let common = patient.is_empty() || patient.iter().any(|team| doctor.contains(team));
            let reversed: Vec<u16> = doctor.iter().rev().copied().collect();
            for doctor in [doctor, reversed] {
                prop_assert_eq!(judge(&bytes(&patient), &bytes(&doctor)) == abstain(), common);
            }
        }
    }
}
