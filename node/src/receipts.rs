//! What the node itself reads in receipts.

use salus_types::abi::access::AccessEvent;
use salus_types::{ContractId, PrincipalId, Receipt, codec};
use std::collections::BTreeSet;

/// Patients whose access log these receipts extend, each once.
pub(crate) fn touched_patients(receipts: &[Receipt]) -> Vec<PrincipalId> {
    let events = receipts.iter().flat_map(|receipt| &receipt.events);
    let patients: BTreeSet<PrincipalId> = events
        .filter(|event| event.contract == ContractId::ACCESS)
        .filter_map(|event| match codec::decode_trusted(&event.data) {
            Ok(AccessEvent::Access(entry)) => Some(entry.patient),
            _ => None,
        })
        .collect();
    patients.into_iter().collect()
}
