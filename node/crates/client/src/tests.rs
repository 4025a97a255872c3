//! One doctor, one patient and the members of a small network.

mod address;
mod chain;
mod flow;
mod keystore;
mod log;
mod transactions;

use crate::*;
use salus_records::ReleaseSecret;
use salus_types::{
    ChainId, Gas, Hash, Height, Member, MemberId, PrincipalId, SecretKey, Sequence, Slot, Validator,
    ValidatorSet,
};

pub(crate) const PATIENT: PrincipalId = PrincipalId::new(7);
pub(crate) const DOCTOR: PrincipalId = PrincipalId::new(13);
pub(crate) const TERMS: Terms = Terms {
    sequence: Sequence::new(5),
    expires: Height::new(300),
    gas_limit: Gas::new(2_000_000),
};

pub(crate) fn chain_id() -> ChainId {
    ChainId::new(Hash::of_content(b"a network"))
}

pub(crate) fn doctor() -> Signer {
    Signer::new(chain_id(), DOCTOR, Identity::from_seed(&[13; 32]))
}

pub(crate) fn consensus_key(member: u8) -> SecretKey {
    SecretKey::from_seed(&[100 + member; 32])
}

pub(crate) fn release_secret(member: u8) -> ReleaseSecret {
    ReleaseSecret::from_seed(&[150 + member; 32])
}

pub(crate) fn members(count: u8) -> Vec<Member> {
    (0..count)
        .map(|number| Member {
            id: MemberId::new(number.into()),
            name: format!("hospital {number}"),
            consensus_key: consensus_key(number).public(),
            network_key: SecretKey::from_seed(&[50 + number; 32]).public(),
            release_key: *release_secret(number).public().as_bytes(),
            slot: Slot::new(number.into()),
            addresses: Vec::new(),
        })
        .collect()
}

pub(crate) fn validators(numbers: &[u8]) -> ValidatorSet {
    let validator = |number: &u8| Validator {
        member: MemberId::new((*number).into()),
        key: consensus_key(*number).public(),
        slot: Slot::new((*number).into()),
    };
    ValidatorSet::new(numbers.iter().map(validator).collect()).unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
