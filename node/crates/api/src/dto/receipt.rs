//! What a transaction did.

use super::access::AccessEventDto;
use super::base64;
use crate::ErrorCode;
use salus_types::abi::access::AccessEvent;
use salus_types::codec;
use salus_types::{ContractId, Event, Receipt, Status};
use serde::Serialize;
use std::borrow::Cow;
use utoipa::ToSchema;

/// What a transaction did.
#[derive(Debug, Serialize, ToSchema)]
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
pub(crate) struct FailureDto {
    /// `contract_refused`, `trap`, `out_of_gas`, `unknown_contract` or `not_allowed`.
    pub(crate) code: ErrorCode,
    /// The contract's error code, or the runtime's trap code.
    pub(crate) detail: Option<u16>,
    /// What went wrong, for people.
    pub(crate) message: Cow<'static, str>,
    /// What to do about it.
    pub(crate) hint: &'static str,
}

/// Something a contract told the world.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventDto {
    /// Which contract.
    pub(crate) contract: u32,
    /// Canonical bytes of the contract's own event type, base64.
    pub(crate) data: String,
    /// The same, decoded, if the access contract emitted it.
    pub(crate) access: Option<AccessEventDto>,
}

impl ReceiptDto {
    /// `contract` is the contract that was called, if known: its error codes get their meaning then.
    pub(crate) fn new(receipt: &Receipt, contract: Option<ContractId>) -> Self {
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
    fn new(status: Status, contract: Option<ContractId>) -> Option<Self> {
        let failure = |code, detail, message, hint| Self {
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
                contract.and_then(|contract| abort_meaning(contract, code)).map_or_else(
                    || Cow::from(format!("the contract refused with code {code}")),
                    Cow::from,
                ),
                "look the code up in the contract's documentation, and change what was asked",
            ),
            Status::Trapped { code } => failure(
                ErrorCode::Trap,
                Some(u16::from(code)),
                "the contract broke".into(),
                "tell the contract's author; check that the entry exists and the input is its canonical argument",
            ),
            Status::OutOfGas => failure(
                ErrorCode::OutOfGas,
                None,
                "the gas limit did not suffice".into(),
                "send it again with a higher gas limit",
            ),
            Status::UnknownContract => failure(
                ErrorCode::UnknownContract,
                None,
                "there is no such contract or entry".into(),
                "check the numbers: the registry is 1, the access contract 2",
            ),
            Status::NotAllowed => failure(
                ErrorCode::NotAllowed,
                None,
                "the sender may not make this system call".into(),
                "system calls are for operators, about their own member",
            ),
        })
    }
}

/// What an error code of the two contracts that every network has means.
pub(crate) fn abort_meaning(contract: ContractId, code: u16) -> Option<&'static str> {
    use salus_types::abi::{access, registry};
    match contract {
        ContractId::REGISTRY => Some(match code {
            registry::error::NOT_ALLOWED => "the caller's role or organisation does not allow this",
            registry::error::UNKNOWN_PRINCIPAL => "there is no such principal",
            registry::error::BAD_ADDRESS => "the patient address is missing, not allowed for this role, or taken",
            registry::error::BAD_INPUT => "the argument is malformed",
            registry::error::BAD_PROOF => "the new key's proof of possession does not verify",
            registry::error::KEY_TAKEN => "the signing key belongs to another principal",
            _ => return None,
        }),
        ContractId::ACCESS => Some(match code {
            access::error::NOT_ALLOWED => "the caller's role does not allow this",
            access::error::UNKNOWN_PRINCIPAL => "there is no such principal, or not of the kind needed here",
            access::error::UNKNOWN_GRANT => "there is no such grant",
            access::error::BAD_INPUT => "the argument is malformed",
            access::error::BAD_RECEIPTS => "the members' receipts are too few, repeated, unsorted or invalid",
            access::error::TOO_MANY => "a bound is reached: grants to one principal, or rules of one scope",
            access::error::OUT_OF_RANGE => {
                "the threshold lets too few members open the record, or the ending time has passed"
            }
            access::error::DUPLICATE => "this record is on the chain already",
            access::error::NO_PENALTY => "the principal is under no penalty",
            _ => return None,
        }),
        _ => None,
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
