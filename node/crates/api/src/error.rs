//! The one shape of every refusal.

use crate::{PieceRefusal, QueryRefusal, ReadRefusal, Rejection};
use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;
use utoipa::ToSchema;

/// The body of every refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong, for programs; never changes its meaning.
    pub code: ErrorCode,
    /// What went wrong, for people.
    pub message: Cow<'static, str>,
    /// What to do about it.
    pub hint: Cow<'static, str>,
    /// With `replay` and `out_of_order`: the sequence number to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<u64>,
    /// With `over_quota` and whatever time heals: when to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: not the encoding of what is expected here.
    Malformed,
    /// 400: an encoding of the right thing, but not the canonical one.
    NotCanonical,
    /// 422: made for another network.
    WrongChain,
    /// 422: the sender is not registered.
    UnknownSender,
    /// 422: the sender was deleted.
    SenderDeleted,
    /// 422: the signature does not verify strictly.
    BadSignature,
    /// 409: the sequence number was used.
    Replay,
    /// 409: another transaction in the pool has this sequence number.
    SequenceTaken,
    /// 409: the sequence number is too far ahead.
    OutOfOrder,
    /// 422: the expiry height has passed.
    Expired,
    /// 422: the expiry height is too far ahead.
    ExpiryTooFar,
    /// 413: more bytes or items than allowed.
    Oversized,
    /// 422: the gas limit is too high.
    GasLimit,
    /// 429: the quota is used up.
    OverQuota,
    /// 503: no room in the pool.
    PoolFull,
    /// 422: no such contract.
    UnknownContract,
    /// 422: the members have frozen the contract.
    Frozen,
    /// 503: the node is catching up.
    NotReady,
    /// 422: the contract refused with a code of its own.
    ContractRefused,
    /// 422: the contract broke.
    Trap,
    /// 422: the gas did not suffice.
    OutOfGas,
    /// 422: the sender may not make this system call.
    NotAllowed,
    /// 400: the body is not the JSON expected here.
    BadJson,
    /// 400: a part of the path is not what is expected there.
    BadPath,
    /// 400: a query parameter is unknown, missing or out of range.
    BadParameter,
    /// 415: the wrong content type.
    UnsupportedMediaType,
    /// 404: no such route.
    NoSuchRoute,
    /// 405: the route exists, but not with this method.
    MethodNotAllowed,
    /// 404: no such thing on this chain.
    NotFound,
    /// 504: it took too long.
    Timeout,
    /// 503: too much at once.
    Busy,
    /// 503: the node is stopping.
    Stopping,
    /// 500: a fault of the node.
    Internal,
    /// 503: too few shares could be gathered.
    SharesMissing,
    /// 403: the network opens blocks only against a ticket.
    ReadRefused,
    /// 500: shares opened to something else than the header commits to.
    Damaged,
    /// 404: no such member.
    UnknownMember,
    /// 502: a member did not answer.
    MemberUnreachable,
    /// 422: a record's piece fails its check.
    BadPiece,
    /// 422: a read request is malformed, badly signed or too old.
    BadReadRequest,
    /// 403: no valid ticket.
    NoTicket,
    /// 507: a member has no room.
    StorageFull,
    /// 410: the events after the cursor are no longer held.
    CursorTooOld,
    /// 503: the event stream has as many subscribers as it may have.
    TooManySubscribers,
}

impl ErrorCode {
    /// The HTTP status that goes with the code.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed | Self::NotCanonical | Self::BadJson | Self::BadPath | Self::BadParameter => 400,
            Self::ReadRefused | Self::NoTicket => 403,
            Self::NoSuchRoute | Self::NotFound | Self::UnknownMember => 404,
            Self::MethodNotAllowed => 405,
            Self::Replay | Self::SequenceTaken | Self::OutOfOrder => 409,
            Self::CursorTooOld => 410,
            Self::Oversized => 413,
            Self::UnsupportedMediaType => 415,
            Self::WrongChain
            | Self::UnknownSender
            | Self::SenderDeleted
            | Self::BadSignature
            | Self::Expired
            | Self::ExpiryTooFar
            | Self::GasLimit
            | Self::UnknownContract
            | Self::Frozen
            | Self::ContractRefused
            | Self::Trap
            | Self::OutOfGas
            | Self::NotAllowed
            | Self::BadPiece
            | Self::BadReadRequest => 422,
            Self::OverQuota => 429,
            Self::Internal | Self::Damaged => 500,
            Self::MemberUnreachable => 502,
            Self::PoolFull
            | Self::NotReady
            | Self::Busy
            | Self::Stopping
            | Self::SharesMissing
            | Self::TooManySubscribers => 503,
            Self::Timeout => 504,
            Self::StorageFull => 507,
        }
    }
}

/// A refusal on its way to the client. Boxed: refusals are rare, and results are passed around a lot.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<ErrorBody>);

impl ApiError {
    pub(crate) fn new(
        code: ErrorCode,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(ErrorBody {
            code,
            message: message.into(),
            hint: hint.into(),
            next_sequence: None,
            retry_after_ms: None,
        }))
    }

    fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after_ms = Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Too much at once: the channel to the node, or the requests in flight.
    pub(crate) fn busy() -> Self {
        Self::new(
            ErrorCode::Busy,
            "the node has as much to do as it can take",
            "try again in a moment, or ask another member's node",
        )
        .retry_after(Duration::from_secs(1))
    }

    pub(crate) fn stopping() -> Self {
        Self::new(
            ErrorCode::Stopping,
            "the node is stopping",
            "ask another member's node",
        )
    }

    pub(crate) fn unanswered() -> Self {
        Self::new(
            ErrorCode::Internal,
            "the node gave no answer",
            "try again; if it stays, the operator finds the cause in the node's log",
        )
    }

    pub(crate) fn timeout() -> Self {
        Self::new(
            ErrorCode::Timeout,
            "the request took too long",
            "try again; a transaction may have been taken all the same: look it up by its id",
        )
    }

    pub(crate) fn oversized_body(announced: u64, limit: usize) -> Self {
        Self::new(
            ErrorCode::Oversized,
            format!("the body has {announced} bytes where at most {limit} are allowed"),
            "send less at once",
        )
    }

    pub(crate) fn not_found(what: &'static str, hint: &'static str) -> Self {
        Self::new(ErrorCode::NotFound, what, hint)
    }

    pub(crate) fn body(&self) -> &ErrorBody {
        &self.0
    }

    pub(crate) fn into_body(self) -> ErrorBody {
        *self.0
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let mut error = Self::new(rejection.code(), rejection.to_string(), rejection.hint());
        error.0.next_sequence = rejection.next_sequence().map(salus_types::Sequence::get);
        match rejection.retry_after() {
            Some(after) => error.retry_after(after),
            None => error,
        }
    }
}

impl From<ReadRefusal> for ApiError {
    fn from(refusal: ReadRefusal) -> Self {
        let error = Self::new(refusal.code(), refusal.to_string(), refusal.hint());
        match refusal {
            ReadRefusal::Busy => error.retry_after(Duration::from_secs(1)),
            _ => error,
        }
    }
}

impl From<QueryRefusal> for ApiError {
    fn from(refusal: QueryRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string(), refusal.hint())
    }
}

impl From<PieceRefusal> for ApiError {
    fn from(refusal: PieceRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string(), refusal.hint())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1));
        let mut response = (status, Json(self.0)).into_response();
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
