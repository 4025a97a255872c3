//! A rule: people read for the purposes that their hospital gave them.
//!
//! A hospital's admin writes a principal's purposes into an attribute of its choice: one byte, bit 0 for the first purpose of
//! [`Purpose::ALL`]. Whoever has no such attribute has the purposes that the rule was founded with. It never refuses emergencies, nor
//! patients who read their own records.
#![cfg_attr(target_arch = "wasm32", no_std)]

use salus_sdk::prelude::*;

/// People read for the purposes that their hospital gave them.
#[contract(state_version = 1, reasons = Reason::TABLE)]
pub struct PurposeOfUse {
    /// The purposes of those without the attribute, and the attribute. Set once, when the contract is instantiated.
    #[at(b'p')]
    policy: Item<Policy>,
}

/// Why the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Codes)]
pub enum Reason {
    /// The requester does not read for this purpose.
    NotYourPurpose = 257,
}

/// Who reads for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Schema)]
pub struct Policy {
    /// The attribute that holds a principal's purposes, in one byte.
    pub attribute: u16,
    /// The purposes of whoever has no such attribute.
    pub otherwise: u8,
}

#[contract_impl]
impl PurposeOfUse {
    /// Sets the policy; it names no purpose that does not exist.
    #[instantiate]
    pub fn instantiate(&self, cx: &mut Ctx, policy: Policy) -> Result<(), Abort> {
        if !exists(policy.otherwise) {
            return Err(Abort::BAD_INPUT);
        }
        self.policy.set(cx, &policy);
        Ok(())
    }

    /// The policy.
    #[query]
    pub fn policy(&self, cx: &Ctx) -> Result<Option<Policy>, Abort> {
        Ok(self.policy.get(cx))
    }

    /// Refuses purposes that the requester does not have.
    #[decide]
    pub fn decide(&self, cx: &Ctx, request: AccessRequest) -> RuleDecision {
        let own = |policy: Policy| {
            purposes(
                &policy,
                cx.attribute(request.requester, policy.attribute).as_deref(),
            )
        };
        judge(&request, self.policy.get(cx).map_or(0, own))
    }
}

/// The decision, given the requester's purposes.
fn judge(request: &AccessRequest, purposes: u8) -> RuleDecision {
    let exempt = request.emergency || request.requester == request.patient;
    if exempt || purposes & bit(request.purpose) != 0 {
        abstain()
    } else {
        deny(Reason::NotYourPurpose)
    }
}

/// A principal's purposes. An attribute that is no such byte gives none: somebody mistyped it.
fn purposes(policy: &Policy, attribute: Option<&[u8]>) -> u8 {
    match attribute {
        None => policy.otherwise,
        Some(&[own]) => own,
        Some(_) => 0,
    }
}

/// The bit of a purpose: that of a set with nothing else.
fn bit(purpose: Purpose) -> u8 {
    1 << purpose as u8
}

/// Whether every bit is that of a purpose.
fn exists(purposes: u8) -> bool {
    Purpose::ALL.iter().fold(0, |all, purpose| all | bit(*purpose)) & purposes == purposes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use salus_sdk::abi::access::Purposes;
    use salus_sdk::abi::codec;

    const POLICY: Policy = Policy {
        attribute: 3,
        otherwise: 0b11,
    };

    fn request(purpose: Purpose, requester: u32, emergency: bool) -> AccessRequest {
        AccessRequest {
            patient: PrincipalId::new(1),
            record: RecordNumber::new(0),
            class: RecordClass::Clinical,
            requester: PrincipalId::new(requester),
            purpose,
            emergency,
        }
    }

    #[test]
    fn bits_are_those_of_the_interface() {
        for purpose in Purpose::ALL {
            assert_eq!(codec::encode(&Purposes::of(&[purpose])), [bit(purpose)]);
        }
        assert!(exists(0b0111_1111));
        assert!(!exists(0b1000_0000));
    }

    #[test]
    fn the_attribute_counts_and_without_it_the_policy() {
        assert_eq!(purposes(&POLICY, None), 0b11);
        assert_eq!(purposes(&POLICY, Some(&[0b100])), 0b100);
        assert_eq!(purposes(&POLICY, Some(&[0])), 0);
        assert_eq!(purposes(&POLICY, Some(&[])), 0, "mistyped");
        assert_eq!(purposes(&POLICY, Some(&[1, 1])), 0, "mistyped");
    }

    #[test]
    fn emergencies_and_owners_are_exempt() {
        let refused = deny(Reason::NotYourPurpose);
        assert_eq!(judge(&request(Purpose::Research, 2, false), 0b11), refused);
        assert_eq!(judge(&request(Purpose::Research, 2, true), 0), abstain());
        assert_eq!(judge(&request(Purpose::Research, 1, false), 0), abstain());
        assert_eq!(judge(&request(Purpose::Treatment, 2, false), 0b11), abstain());
    }

    proptest! {
        #[test]
        fn a_purpose_is_refused_exactly_when_it_is_missing(set in 0u8..128, purpose in 0usize..7) {
            let purpose = Purpose::ALL[purpose];
            let has = codec::decode::<Purposes>(&[set], 1).unwrap().contains(purpose);
            prop_assert_eq!(judge(&request(purpose, 2, false), set) == abstain(), has);
        }
    }
}
