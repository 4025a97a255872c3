//! The people of the test chain, in the order of their numbers, and their keys.

use salus_abi::registry::{PatientAddress, Principal, Role, Status};
use salus_abi::{MemberId, PrincipalId};
use salus_types::SecretKey;

/// Admin of hospital 0.
pub const ADMIN: PrincipalId = PrincipalId::new(0);
/// Manager of hospital 0.
pub const MANAGER: PrincipalId = PrincipalId::new(1);
/// Doctor of hospital 0.
pub const DOCTOR: PrincipalId = PrincipalId::new(2);
/// Doctor of hospital 1.
pub const OTHER_DOCTOR: PrincipalId = PrincipalId::new(3);
/// Patient of hospital 0.
pub const PATIENT: PrincipalId = PrincipalId::new(4);
/// Patient of hospital 1.
pub const OTHER_PATIENT: PrincipalId = PrincipalId::new(5);
/// Gateway of [`PATIENT`].
pub const DEVICE: PrincipalId = PrincipalId::new(6);
/// Auditor of hospital 0.
pub const AUDITOR: PrincipalId = PrincipalId::new(7);
/// Admin of hospital 1.
pub const OTHER_ADMIN: PrincipalId = PrincipalId::new(8);
/// Operators of hospitals 0 to 3, who cast their votes.
pub const OPERATORS: [PrincipalId; 4] = [
    PrincipalId::new(9),
    PrincipalId::new(10),
    PrincipalId::new(11),
    PrincipalId::new(12),
];

/// Everybody, by the name that cases use.
pub const NAMES: [(&str, PrincipalId); 13] = [
    ("admin", ADMIN),
    ("manager", MANAGER),
    ("doctor", DOCTOR),
    ("other-doctor", OTHER_DOCTOR),
    ("patient", PATIENT),
    ("other-patient", OTHER_PATIENT),
    ("device", DEVICE),
    ("auditor", AUDITOR),
    ("other-admin", OTHER_ADMIN),
    ("operator-0", OPERATORS[0]),
    ("operator-1", OPERATORS[1]),
    ("operator-2", OPERATORS[2]),
    ("operator-3", OPERATORS[3]),
];

/// Who bears a name.
pub fn named(name: &str) -> Option<PrincipalId> {
    let found = NAMES.into_iter().find(|(other, _)| *other == name);
    found.map(|(_, principal)| principal)
}

/// The name that cases use; the number for somebody who was enrolled later.
pub fn name_of(principal: PrincipalId) -> String {
    let found = NAMES.into_iter().find(|(_, other)| *other == principal);
    found.map_or_else(|| principal.to_string(), |(name, _)| name.to_owned())
}

/// The signing key of the principal with this number.
pub fn key(principal: PrincipalId) -> SecretKey {
    let mut seed = [0x9a; 32];
    let (number, _) = seed.split_at_mut(4);
    number.copy_from_slice(&principal.get().to_be_bytes());
    SecretKey::from_seed(&seed)
}

/// The address of the patient with this number.
pub fn address(patient: PrincipalId) -> PatientAddress {
    let mut pid = [0; 16];
    let (number, _) = pid.split_at_mut(4);
    number.copy_from_slice(&patient.get().to_be_bytes());
    PatientAddress { area: 84, pid }
}

/// What the registry is told of them at the beginning.
pub(crate) fn principals() -> Vec<Principal> {
    let people = [
        (Role::Admin, 0, None),
        (Role::Manager, 0, None),
        (Role::Doctor, 0, None),
        (Role::Doctor, 1, None),
        (Role::Patient, 0, Some(PATIENT)),
        (Role::Patient, 1, Some(OTHER_PATIENT)),
        (Role::Device, 0, Some(PATIENT)),
        (Role::Auditor, 0, None),
        (Role::Admin, 1, None),
        (Role::Operator, 0, None),
        (Role::Operator, 1, None),
        (Role::Operator, 2, None),
        (Role::Operator, 3, None),
    ];
    (0..)
        .map(PrincipalId::new)
        .zip(people)
        .map(|(number, (role, organisation, patient))| Principal {
            signing_key: *key(number).public().as_bytes(),
            encryption_key: [0; 32],
            role,
            organisation: MemberId::new(organisation),
            status: Status::Active,
            address: patient.map(address),
            attributes: Vec::new(),
        })
        .collect()
}
