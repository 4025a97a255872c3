//! What a transaction's receipt says, in the contracts' own types.

use crate::explain_status;
use salus_types::abi::access::{AccessEvent, Decision};
use salus_types::abi::host::{EVENT_LENGTH_MAX, MESSAGE_LENGTH_MAX};
use salus_types::codec::{self, Decode, DecodeError, Encode};
use salus_types::{ContractId, PrincipalId, Receipt, RecordNumber, Status};

/// Why a receipt does not say what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The transaction failed.
    #[error("the transaction failed: {}", explain_status(*.contract, *.status))]
    Failed {
        /// Which contract was called.
        contract: ContractId,
        /// How it ended.
        status: Status,
    },
    /// The output or an event is of another type: the receipt is of another entry, or of a later contract.
    #[error("the receipt does not hold what this entry returns: {0}")]
    Unexpected(DecodeError),
}

/// The answer to `retrieve`. A refusal is an answer: only a failed transaction is an error.
pub fn decision(receipt: &Receipt) -> Result<Decision, ReceiptError> {
    output(ContractId::ACCESS, receipt)
}

/// The number that `add_record` gave.
pub fn record_number(receipt: &Receipt) -> Result<RecordNumber, ReceiptError> {
    output(ContractId::ACCESS, receipt)
}

/// The number that `grant` gave, for revoking.
pub fn grant_number(receipt: &Receipt) -> Result<u32, ReceiptError> {
    output(ContractId::ACCESS, receipt)
}

/// The number that `add_user` gave.
pub fn new_principal(receipt: &Receipt) -> Result<PrincipalId, ReceiptError> {
    output(ContractId::REGISTRY, receipt)
}

/// What the access contract told the world, whatever became of other contracts' events.
pub fn access_events(receipt: &Receipt) -> Result<Vec<AccessEvent>, ReceiptError> {
    receipt
        .events
        .iter()
        .filter(|event| event.contract == ContractId::ACCESS)
        .map(|event| codec::decode(&event.data, EVENT_LENGTH_MAX).map_err(ReceiptError::Unexpected))
        .collect()
}

fn output<T: Encode + Decode<()>>(contract: ContractId, receipt: &Receipt) -> Result<T, ReceiptError> {
    if !receipt.succeeded() {
        let status = receipt.status;
        return Err(ReceiptError::Failed { contract, status });
    }
    codec::decode(&receipt.output, MESSAGE_LENGTH_MAX).map_err(ReceiptError::Unexpected)
}
