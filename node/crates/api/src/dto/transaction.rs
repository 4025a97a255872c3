//! Transactions on their way in, and what became of them.

use super::receipt::ReceiptDto;
use crate::{CommittedTransaction, ErrorBody, TransactionStatus};
use salus_types::TransactionId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A signed transaction.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Submit)]
pub(crate) struct SubmitDto {
    /// The chain it is signed for, 64 hexadecimal digits; `GET /v1/status` tells it.
    pub(crate) chain_id: String,
    /// Its canonical bytes, base64.
    pub(crate) transaction: String,
}

/// Up to 256 signed transactions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SubmitBatch)]
pub(crate) struct SubmitBatchDto {
    /// The chain they are signed for, 64 hexadecimal digits.
    pub(crate) chain_id: String,
    /// Their canonical bytes, base64.
    #[schema(max_items = 256)]
    pub(crate) transactions: Vec<String>,
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubmitParameters {
    /// `commit` answers with the receipt, if the transaction is committed within 10 seconds.
    #[param(inline)]
    pub(crate) wait: Option<Wait>,
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wait {
    /// For the block.
    Commit,
}

/// What became of a transaction.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transaction)]
pub(crate) struct TransactionDto {
    /// Its id, hexadecimal: the hash of what was signed.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) state: TransactionState,
    /// The block's height, once committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) height: Option<u64>,
    /// Its position in the block, from 0, once committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u32>,
    /// What it did, once committed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<ReceiptDto>,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransactionState {
    /// In the pool.
    Pending,
    /// In a block.
    Committed,
    /// Neither in this node's pool nor in a block it knows.
    Unknown,
}

/// One result for each transaction of a batch, in their order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchDto {
    /// The results.
    pub(crate) results: Vec<BatchResultDto>,
}

/// What became of one transaction of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = BatchResult)]
pub(crate) enum BatchResultDto {
    /// It is in the pool.
    Accepted {
        /// Its id, hexadecimal.
        id: String,
    },
    /// It was refused.
    Refused {
        /// Why.
        error: ErrorBody,
    },
}

impl TransactionDto {
    pub(crate) fn committed(id: TransactionId, committed: &CommittedTransaction) -> Self {
        Self {
            id: id.to_string(),
            state: TransactionState::Committed,
            height: Some(committed.height.get()),
            index: Some(committed.index),
            receipt: Some(ReceiptDto::new(&committed.receipt, committed.contract)),
        }
    }

    pub(crate) fn pending(id: TransactionId) -> Self {
        Self::uncommitted(id, TransactionState::Pending)
    }

    pub(crate) fn new(id: TransactionId, status: &TransactionStatus) -> Self {
        match status {
            TransactionStatus::Pending => Self::pending(id),
            TransactionStatus::Committed(committed) => Self::committed(id, committed),
            TransactionStatus::Unknown => Self::uncommitted(id, TransactionState::Unknown),
        }
    }

    fn uncommitted(id: TransactionId, state: TransactionState) -> Self {
        Self {
            id: id.to_string(),
            state,
            height: None,
            index: None,
            receipt: None,
        }
    }
}
