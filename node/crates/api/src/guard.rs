//! What stands before every handler: the number of requests in flight, their time, the headers of every answer.

use crate::error::ApiError;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Bounds of one class of routes.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    permits: Arc<Semaphore>,
    time: Duration,
}

impl Gate {
    pub(crate) fn new(at_once: usize, time: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(at_once)),
            time,
        }
    }
}

/// Admits a request or answers `busy`; answers `timeout` when it takes too long.
///
/// The permit is held until the answer's head is ready; bodies are in memory by then, and an event stream has
/// a bound of its own.
pub(crate) async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Ok(_permit) = gate.permits.try_acquire() else {
        return ApiError::busy().into_response();
    };
    match tokio::time::timeout(gate.time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::timeout().into_response(),
    }
}

/// Refuses a body that announces more than `limit` bytes, before one of them is read.
///
/// A body without a length is counted as it arrives, by axum's `DefaultBodyLimit`.
pub(crate) async fn measure(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let announced = request.body().size_hint().lower();
    if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
        return ApiError::oversized_body(announced, limit).into_response();
    }
    next.run(request).await
}

/// Counts a request by its route's pattern, never by its path: paths hold patient addresses.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let method = method_name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    harden(response.headers_mut());
    let route = route.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let status = response.status();
    tracing::debug!(method, route, status = status.as_u16(), "answered");
    metrics::counter!(
        "salus_api_requests_total",
        "method" => method,
        "route" => route,
        "status" => status.as_str().to_owned(),
    )
    .increment(1);
    response
}

/// A bounded set of label values: a client may send any method it likes.
fn method_name(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Headers of every answer. Answers are about people's health, so nothing keeps them.
fn harden(headers: &mut HeaderMap) {
    const HEADERS: [(HeaderName, &str); 6] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
