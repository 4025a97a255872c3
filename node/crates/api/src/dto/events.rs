//! What the event stream carries.

use super::access::AccessEventDto;
use crate::PublishedBlock;
use salus_types::abi::access::AccessEvent;
use serde::Serialize;
use utoipa::ToSchema;

/// The data of one event of the stream; its name is in `event` too, and in the SSE `event:` field.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum StreamEvent {
    /// A block was committed.
    Block(BlockEventDto),
    /// The access contract emitted something.
    Access(AccessEventDto),
}

/// A block was committed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BlockEvent)]
pub(crate) struct BlockEventDto {
    /// Always `block`.
    #[schema(example = "block")]
    event: &'static str,
    /// Its height.
    height: u64,
    /// Its id, hexadecimal.
    id: String,
    /// Its time, milliseconds since 1970.
    time_ms: u64,
    /// Transactions in it.
    transactions: usize,
}

impl StreamEvent {
    pub(crate) fn block(block: &PublishedBlock<'_>) -> Self {
        Self::Block(BlockEventDto {
            event: "block",
            height: block.height.get(),
            id: block.id.to_string(),
            time_ms: block.time.get(),
            transactions: block.receipts.len(),
        })
    }

    pub(crate) fn access(event: &AccessEvent) -> Self {
        Self::Access(event.into())
    }

    /// The SSE event name.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Block(_) => "block",
            Self::Access(event) => match event {
                AccessEventDto::Access(_) => "access",
                AccessEventDto::RecordAdded { .. } => "record_added",
                AccessEventDto::Granted { .. } => "granted",
                AccessEventDto::Revoked { .. } => "revoked",
                AccessEventDto::Penalised { .. } => "penalised",
                AccessEventDto::Lifted { .. } => "lifted",
                AccessEventDto::OpenTicket { .. } => "open_ticket",
                AccessEventDto::ActedFor { .. } => "acted_for",
                AccessEventDto::ReviewOpened { .. } => "review_opened",
                AccessEventDto::Reviewed { .. } => "reviewed",
                AccessEventDto::RecordReplaced { .. } => "record_replaced",
                AccessEventDto::RecordShredded { .. } => "record_shredded",
            },
        }
    }
}
