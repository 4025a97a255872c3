//! A rule: what is kept from parents and from research while a patient is a minor, and after.
//!
//! A patient's hospital writes the day on which the patient comes of age into an attribute of its choice: days since 1970-01-01,
//! four bytes, big-endian. Of patients without it the rule knows nothing and says nothing. Until that day a record is read for treatment or
//! for the patient only, and sensitive records are kept from everyone who is no professional, parents too. From that day on nobody who
//! is a patient themselves reads it: a parent's delegation that was forgotten helps no more. It never refuses emergencies,
//! nor patients who read their own records.
#![cfg_attr(target_arch = "wasm32", no_std)]

use salus_sdk::prelude::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What is kept from parents and from research while a patient is a minor, and after.
#[contract(state_version = 1, reasons = Reason::TABLE)]
pub struct Minors {
    /// The attribute that holds the day. Set once, when the contract is instantiated.
    #[at(b'a')]
    attribute: Item<u16>,
}

/// Why the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Reason {
    /// Records of minors are not read for this purpose.
    NotForMinors = 258,
    /// Sensitive records of minors are for professionals only.
    Confidential = 259,
    /// The patient is of age: relatives read no longer.
    CameOfAge = 260,
}

#[contract_impl]
impl Minors {
    /// Sets the attribute that holds the day.
    #[instantiate]
    pub fn instantiate(&self, cx: &mut Ctx, attribute: u16) -> Result<(), Abort> {
        self.attribute.set(cx, &attribute);
        Ok(())
    }

    /// The attribute that holds the day.
    #[query]
    pub fn attribute(&self, cx: &Ctx) -> Result<Option<u16>, Abort> {
        Ok(self.attribute.get(cx))
    }

    /// Refuses what minors, and those who were, are protected from.
    #[decide]
    pub fn decide(&self, cx: &Ctx, request: AccessRequest) -> RuleDecision {
        let day = self
            .attribute
            .get(cx)
            .and_then(|attribute| cx.attribute(request.patient, attribute));
        match day.as_deref().and_then(age) {
            Some(of_age) => {
                let relative = cx.has_role(request.requester, Role::Patient);
                judge(&request, relative, cx.time_ms() < of_age)
            }
            None => abstain(),
        }
    }
}

/// When a patient comes of age: block time, milliseconds since 1970.
fn age(attribute: &[u8]) -> Option<u64> {
    let day = u32::from_be_bytes(attribute.try_into().ok()?);
    Some(u64::from(day).saturating_mul(DAY_MS))
}

/// The decision, given whether the requester is a patient and whether the record's patient is a minor.
fn judge(request: &AccessRequest, relative: bool, minor: bool) -> RuleDecision {
    let caring = matches!(
        request.purpose,
        Purpose::Treatment | Purpose::EmergencyTreatment | Purpose::PatientRequest
    );
    if request.emergency || request.requester == request.patient {
        abstain()
    } else if !minor && relative {
        deny(Reason::CameOfAge)
    } else if minor && !caring {
        deny(Reason::NotForMinors)
    } else if minor && relative && request.class == RecordClass::Sensitive {
        deny(Reason::Confidential)
    } else {
        abstain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(purpose: Purpose, class: RecordClass) -> AccessRequest {
        AccessRequest {
            patient: PrincipalId::new(1),
            record: RecordNumber::new(0),
            class,
            requester: PrincipalId::new(2),
            purpose,
            emergency: false,
        }
    }

    #[test]
    fn a_day_is_four_bytes_and_begins_at_midnight() {
        assert_eq!(age(&[0, 0, 0, 0]), Some(0));
        assert_eq!(age(&[0, 0, 0x50, 0x08]), Some(20_488 * DAY_MS), "2026-02-04");
        assert_eq!(age(&[0xff; 4]), Some(u64::from(u32::MAX) * 86_400_000));
        assert_eq!(age(&[1, 2, 3]), None);
        assert_eq!(age(&[1, 2, 3, 4, 5]), None);
    }

    #[test]
    fn the_table() {
        use Purpose::{PatientRequest, Research, Treatment};
        use RecordClass::{Clinical, Sensitive};
        let refused = |reason| deny(reason);
        for (purpose, class, relative, minor, expected) in [
            (Treatment, Clinical, false, true, abstain()),
            (Treatment, Sensitive, false, true, abstain()),
            (PatientRequest, Clinical, true, true, abstain()),
            (
                PatientRequest,
                Sensitive,
                true,
                true,
                refused(Reason::Confidential),
            ),
            (Research, Clinical, false, true, refused(Reason::NotForMinors)),
            (Research, Sensitive, true, true, refused(Reason::NotForMinors)),
            (Research, Clinical, false, false, abstain()),
            (PatientRequest, Clinical, true, false, refused(Reason::CameOfAge)),
            (Treatment, Sensitive, false, false, abstain()),
        ] {
            let request = request(purpose, class);
            assert_eq!(
                judge(&request, relative, minor),
                expected,
                "{purpose:?} {class:?} {relative} {minor}"
            );
            let glass = AccessRequest {
                emergency: true,
                ..request
            };
            assert_eq!(judge(&glass, relative, minor), abstain());
            let own = AccessRequest {
                requester: request.patient,
                ..request
            };
            assert_eq!(judge(&own, relative, minor), abstain());
        }
    }

    proptest! {
        /// Professionals who treat are never in the way of this rule.
        #[test]
        fn treatment_by_professionals_is_never_refused(class in 0usize..7, minor: bool, emergency: bool) {
            let request = AccessRequest { emergency, ..request(Purpose::Treatment, RecordClass::ALL[class]) };
            prop_assert_eq!(judge(&request, false, minor), abstain());
        }

        /// For research and business nobody reads a minor's records, whoever asks.
        #[test]
        fn minors_are_nobodys_business(class in 0usize..7, purpose in 2usize..5, relative: bool) {
            let request = request(Purpose::ALL[purpose], RecordClass::ALL[class]);
            prop_assert_eq!(judge(&request, relative, true), deny(Reason::NotForMinors));
        }
    }
}
