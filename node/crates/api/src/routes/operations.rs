//! The node itself: status, health, metrics, description.

use crate::dto::status::StatusDto;
use crate::error::{ApiError, ErrorBody};
use crate::{ApiState, Rejection, Request};
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::sync::Arc;

/// How the node is
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "operations",
    operation_id = "get_status",
    responses(
        (status = 200, description = "The status", body = StatusDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn status(State(state): State<ApiState>) -> Result<Json<StatusDto>, ApiError> {
    let status = state.ask(|reply| Request::Status { reply }).await?;
    Ok(Json(StatusDto::new(state.facts(), &status)))
}

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operations",
    operation_id = "health",
    responses((status = 200, description = "It lives", body = String, content_type = "text/plain"))
)]
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Whether the node has caught up with the chain and answers
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    operation_id = "ready",
    responses(
        (status = 200, description = "It has", body = String, content_type = "text/plain"),
        (status = 503, description = "not_ready, busy, stopping", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn ready(State(state): State<ApiState>) -> Result<&'static str, ApiError> {
    let status = state.ask(|reply| Request::Status { reply }).await?;
    if status.catching_up {
        Err(Rejection::NotReady.into())
    } else {
        Ok("ready\n")
    }
}

/// Metrics in the text format of Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "metrics",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(state): State<ApiState>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        state.metrics(),
    )
}

/// This interface's description.
pub(super) async fn description(description: Arc<str>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], description.to_string())
}
