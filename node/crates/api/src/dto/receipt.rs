//! What a transaction did.

use super::access::AccessEventDto;
use super::base64;
use crate::ErrorCode;
use salus_client::explain_status;
use salus_types::abi::access::AccessEvent;
use salus_types::codec;
use salus_types::{ContractId, Event, Receipt, Status};
use serde::Serialize;
use utoipa::ToSchema;

/// What a transaction did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptDto {
    /// Whether it did what it says.
    pub(crate) success: bool,
    /// Why not; null on success. The chain's state was left as it was.
    pub(crate) failure: Option<FailureDto>,
    /// What it cost.
    pub(crate) gas_used: u64,
    /// What the entry returned: canonical bytes, base64.
    pub(crate) output: String,
    /// What the contract told the world.
    pub(crate) events: Vec<EventDto>,
}

/// Why a transaction did nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureDto {
    /// `contract_refused`, `trap`, `out_of_gas`, `unknown_contract`, `frozen` or `not_allowed`.
    pub(crate) code: ErrorCode,
    /// The contract's error code, or the runtime's trap code.
    pub(crate) detail: Option<u16>,
    /// What went wrong, for people.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: &'static str,
}

/// Something a contract told the world.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct EventDto {
    /// Which contract.
    pub(crate) contract: u32,
    /// Canonical bytes of the contract's own event type, base64.
    pub(crate) data: String,
    /// The same, decoded, if the access contract emitted it.
    pub(crate) access: Option<AccessEventDto>,
}

impl ReceiptDto {
    /// `contract` is the one that was called: it gives its error codes their meaning.
    pub(crate) fn new(receipt: &Receipt, contract: ContractId) -> Self {
        Self {
            success: receipt.succeeded(),
            failure: FailureDto::new(receipt.status, contract),
            gas_used: receipt.gas_used.get(),
            output: base64(&receipt.output),
            events: receipt.events.iter().map(EventDto::from).collect(),
        }
    }
}

impl FailureDto {
    fn new(status: Status, contract: ContractId) -> Option<Self> {
        let message = explain_status(contract, status);
        let failure = |code, detail, hint| Self {
            code,
            detail,
            message,
            hint,
        };
        Some(match status {
            Status::Success => return None,
            Status::Aborted { code } => failure(
                ErrorCode::ContractRefused,
                Some(code),
                "look the code up in the contract's documentation, and change what was asked",
            ),
            Status::Trapped { code } => failure(
                ErrorCode::Trap,
                Some(u16::from(code)),
                "tell the contract's author; check that the entry exists and the input is its canonical argument",
            ),
            Status::OutOfGas => failure(ErrorCode::OutOfGas, None, "send it again with a higher gas limit"),
            Status::UnknownContract => failure(
                ErrorCode::UnknownContract,
                None,
                "check the numbers: the registry is 1, the access contract 2",
            ),
            Status::Frozen => failure(
                ErrorCode::Frozen,
                None,
                "ask an operator why it was frozen; GET /v1/proposals shows what is proposed",
            ),
            Status::NotAllowed => failure(
                ErrorCode::NotAllowed,
                None,
                "system calls are for operators, about their own member",
            ),
        })
    }
}

impl From<&Event> for EventDto {
    fn from(event: &Event) -> Self {
        let access = (event.contract == ContractId::ACCESS)
            .then(|| codec::decode_trusted::<AccessEvent>(&event.data).ok())
            .flatten();
        Self {
            contract: event.contract.get(),
            data: base64(&event.data),
            access: access.as_ref().map(AccessEventDto::from),
        }
    }
}
