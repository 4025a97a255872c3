//! What the registry decides without looking at the state.

use alloc::vec::Vec;
use salus_sdk::abi::registry::Role;

/// Attributes of one principal, at most.
pub(crate) const ATTRIBUTES_MAX: usize = 8;
/// Bytes of an attribute's value, at most.
pub(crate) const ATTRIBUTE_LENGTH_MAX: usize = 64;

/// Numbered attributes of a principal, as [`salus_sdk::abi::registry::Principal`] keeps them.
pub(crate) type Attributes = Vec<(u16, Vec<u8>)>;

/// Whether a principal in the role of `caller` enrols and deletes principals in the role of `subject`.
pub(crate) fn may_administer(caller: Role, subject: Role) -> bool {
    match caller {
        Role::Admin => true,
        Role::Manager => matches!(subject, Role::Patient | Role::Doctor | Role::Device),
        Role::Patient | Role::Doctor | Role::Operator | Role::Device | Role::Auditor => false,
    }
}

/// Whether a role is one of a hospital's own people, which its admin may change: the others' is tied to an address.
pub(crate) fn is_staff(role: Role) -> bool {
    !matches!(role, Role::Patient | Role::Device)
}

/// Whether attributes are sorted by number, each once, and within their bounds.
pub(crate) fn attributes_valid(attributes: &Attributes) -> bool {
    attributes.len() <= ATTRIBUTES_MAX
        && attributes.is_sorted_by(|(a, _), (b, _)| a < b)
        && attributes
            .iter()
            .all(|(_, value)| value.len() <= ATTRIBUTE_LENGTH_MAX)
}

/// Sets or clears an attribute; false if the value is too long or there is no room.
pub(crate) fn put_attribute(attributes: &mut Attributes, number: u16, value: Option<Vec<u8>>) -> bool {
    let place = attributes.binary_search_by_key(&number, |(number, _)| *number);
    match (place, value) {
        (Ok(index), None) => {
            attributes.remove(index);
        }
        (Err(_), None) => {}
        (_, Some(value)) if value.len() > ATTRIBUTE_LENGTH_MAX => return false,
        (Ok(index), Some(value)) => {
            if let Some((_, old)) = attributes.get_mut(index) {
                *old = value;
            }
        }
        (Err(_), Some(_)) if attributes.len() >= ATTRIBUTES_MAX => return false,
        (Err(index), Some(value)) => attributes.insert(index, (number, value)),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn only_admins_and_managers_administer_and_managers_only_those_below_them() {
        for subject in Role::ALL {
            assert!(may_administer(Role::Admin, subject));
            let below = [Role::Patient, Role::Doctor, Role::Device].contains(&subject);
            assert_eq!(may_administer(Role::Manager, subject), below);
            for caller in [
                Role::Patient,
                Role::Doctor,
                Role::Operator,
                Role::Device,
                Role::Auditor,
            ] {
                assert!(!may_administer(caller, subject), "{caller:?} over {subject:?}");
            }
        }
    }

    #[test]
    fn patients_and_devices_are_no_staff() {
        let staff: Vec<Role> = Role::ALL.into_iter().filter(|role| is_staff(*role)).collect();
        let expected = [
            Role::Doctor,
            Role::Manager,
            Role::Admin,
            Role::Operator,
            Role::Auditor,
        ];
        assert_eq!(staff, expected);
    }

    #[test]
    fn attributes_are_bounded() {
        let mut attributes = Attributes::new();
        assert!(!put_attribute(
            &mut attributes,
            1,
            Some(vec![0; ATTRIBUTE_LENGTH_MAX + 1])
        ));
        for number in 0..8 {
            assert!(put_attribute(
                &mut attributes,
                number,
                Some(vec![0; ATTRIBUTE_LENGTH_MAX])
            ));
        }
        assert!(!put_attribute(&mut attributes, 8, Some(vec![])), "a ninth");
        assert!(put_attribute(&mut attributes, 7, Some(vec![1])), "a change");
        assert!(!attributes_valid(&vec![(2, vec![]), (1, vec![])]));
        assert!(!attributes_valid(&vec![(1, vec![]), (1, vec![])]));
        assert!(!attributes_valid(&vec![(1, vec![0; 65])]));
        assert!(attributes_valid(
            &(0..8).map(|number| (number, vec![0; 64])).collect()
        ));
        assert!(!attributes_valid(
            &(0..9).map(|number| (number, vec![])).collect()
        ));
    }

    proptest! {
        #[test]
        fn attributes_are_a_bounded_map(steps in prop::collection::vec(
            (0u16..12, prop::option::of(prop::collection::vec(any::<u8>(), 0..70))), 0..60,
        )) {
            let mut attributes = Attributes::new();
            let mut model = BTreeMap::new();
            for (number, value) in steps {
                let fits = value.as_ref().is_none_or(|value| {
                    value.len() <= ATTRIBUTE_LENGTH_MAX && (model.len() < 8 || model.contains_key(&number))
                });
                prop_assert_eq!(put_attribute(&mut attributes, number, value.clone()), fits);
                match value {
                    Some(value) if fits => { model.insert(number, value); }
                    Some(_) => {}
                    None => { model.remove(&number); }
                }
                prop_assert!(attributes_valid(&attributes));
                prop_assert!(attributes.iter().cloned().eq(model.clone()));
            }
        }
    }
}
