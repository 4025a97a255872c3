//! Sending transactions, and finding out what became of them.

use crate::dto::transaction::{
    BatchDto, BatchResultDto, SubmitBatchDto, SubmitDto, SubmitParameters, TransactionDto, Wait,
};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{JsonBody, OpenWish, Parameters, PathParts, bad_path};
use crate::state::BATCH_COUNT_MAX;
use crate::{ApiState, ErrorCode, Rejection, Request};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use salus_types::codec::DecodeError;
use salus_types::{ChainId, TransactionId, UnverifiedTransaction};
use std::collections::VecDeque;

/// Send a transaction
///
/// Answers 202 once it is in the pool. With `?wait=commit`, answers 200 with the receipt if it is committed
/// within 10 seconds, and 202 if not. Sending the same transaction again is harmless.
#[utoipa::path(
    post,
    path = "/v1/transactions",
    tag = "transactions",
    operation_id = "submit_transaction",
    params(SubmitParameters),
    request_body = SubmitDto,
    responses(
        (status = 200, description = "Committed", body = TransactionDto),
        (status = 202, description = "In the pool", body = TransactionDto),
        (status = 409, description = "replay, out_of_order: next_sequence tells the number to use; sequence_taken", body = ErrorBody),
        (status = 413, description = "oversized", body = ErrorBody),
        (status = 422, description = "wrong_chain, unknown_sender, sender_deleted, bad_signature, expired, expiry_too_far, gas_limit, unknown_contract", body = ErrorBody),
        (status = 429, description = "over_quota: Retry-After tells when to try again", body = ErrorBody),
        (status = 503, description = "pool_full, not_ready, busy", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn submit(
    State(state): State<ApiState>,
    Parameters(parameters): Parameters<SubmitParameters>,
    JsonBody(body): JsonBody<SubmitDto>,
) -> Result<(StatusCode, Json<TransactionDto>), ApiError> {
    check_chain(&state, &body.chain_id)?;
    let transaction = decode(&body.transaction)?;
    let id = state
        .ask(|reply| Request::Submit { transaction, reply })
        .await??;
    if parameters.wait == Some(Wait::Commit) {
        let committed = state.ask(|reply| Request::WaitCommitted { id, reply });
        // It is in the pool already: a busy node, a dropped waiter or a late block only mean "not yet".
        if let Ok(Ok(committed)) = tokio::time::timeout(state.limits().commit_wait, committed).await {
            let found = TransactionDto::committed(id, &committed);
            return Ok((StatusCode::OK, Json(found)));
        }
    }
    Ok((StatusCode::ACCEPTED, Json(TransactionDto::pending(id))))
}

/// Send up to 256 transactions
///
/// Each has a result of its own, in the order sent.
#[utoipa::path(
    post,
    path = "/v1/transactions/batch",
    tag = "transactions",
    operation_id = "submit_transactions",
    request_body = SubmitBatchDto,
    responses(
        (status = 200, description = "One result each", body = BatchDto),
        (status = 413, description = "oversized: more than 256 transactions or 4 MiB", body = ErrorBody),
        (status = 422, description = "wrong_chain", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn submit_batch(
    State(state): State<ApiState>,
    JsonBody(body): JsonBody<SubmitBatchDto>,
) -> Result<Json<BatchDto>, ApiError> {
    check_chain(&state, &body.chain_id)?;
    if body.transactions.len() > BATCH_COUNT_MAX {
        return Err(ApiError::new(
            ErrorCode::Oversized,
            format!(
                "{} transactions where at most {BATCH_COUNT_MAX} are allowed",
                body.transactions.len()
            ),
            "send them in several batches",
        ));
    }
    let mut refusals = Vec::with_capacity(body.transactions.len());
    let mut transactions = Vec::with_capacity(body.transactions.len());
    for text in &body.transactions {
        match decode(text) {
            Ok(transaction) => {
                transactions.push(transaction);
                refusals.push(None);
            }
            Err(rejection) => refusals.push(Some(rejection)),
        }
    }
    let mut answers = VecDeque::new();
    if !transactions.is_empty() {
        let asked = transactions.len();
        answers.extend(
            state
                .ask(|reply| Request::SubmitBatch { transactions, reply })
                .await?,
        );
        if answers.len() != asked {
            return Err(ApiError::unanswered());
        }
    }
    let results = refusals
        .into_iter()
        .map(|refusal| match refusal {
            Some(rejection) => refused(rejection.into()),
            None => match answers.pop_front() {
                Some(Ok(id)) => BatchResultDto::Accepted { id: id.to_string() },
                Some(Err(rejection)) => refused(rejection.into()),
                None => refused(ApiError::unanswered()),
            },
        })
        .collect();
    Ok(Json(BatchDto { results }))
}

/// Find a transaction
///
/// `unknown` means: neither in this node's pool nor in a block it knows. The receipt of an old one is read by
/// reconstructing its block.
#[utoipa::path(
    get,
    path = "/v1/transactions/{id}",
    tag = "transactions",
    operation_id = "find_transaction",
    params(
        ("id" = String, Path, description = "The transaction's id, 64 hexadecimal digits"),
        ("salus-open" = Option<String>, Header, description = "Base64 of a signed open request, where `open_policy` is `ticket`"),
    ),
    responses(
        (status = 200, description = "Where it is", body = TransactionDto),
        (status = 403, description = "read_refused: its block is opened only against a ticket", body = ErrorBody),
        (status = 503, description = "shares_missing: its block can't be opened now", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn find(
    State(state): State<ApiState>,
    PathParts(id): PathParts<String>,
    OpenWish(wish): OpenWish,
) -> Result<Json<TransactionDto>, ApiError> {
    let id: TransactionId = id
        .parse()
        .map_err(|_| bad_path("a transaction's id has 64 hexadecimal digits"))?;
    let status = state
        .ask(|reply| Request::Transaction { id, wish, reply })
        .await??;
    Ok(Json(TransactionDto::new(id, &status)))
}

fn refused(error: ApiError) -> BatchResultDto {
    BatchResultDto::Refused {
        error: error.into_body(),
    }
}

fn check_chain(state: &ApiState, text: &str) -> Result<(), ApiError> {
    let given: ChainId = text.parse().map_err(|_| {
        ApiError::new(
            ErrorCode::BadJson,
            "chain_id is not 64 hexadecimal digits",
            "GET /v1/status tells the chain id",
        )
    })?;
    let here = state.facts().chain;
    if given == here {
        Ok(())
    } else {
        Err(Rejection::WrongChain { given, here }.into())
    }
}

/// Base64, canonical bytes and length: what can be checked before the node is asked.
fn decode(text: &str) -> Result<UnverifiedTransaction, Rejection> {
    let bytes = data_encoding::BASE64
        .decode(text.as_bytes())
        .map_err(|_| Rejection::Malformed(DecodeError::Malformed))?;
    Ok(UnverifiedTransaction::decode(&bytes)?)
}
