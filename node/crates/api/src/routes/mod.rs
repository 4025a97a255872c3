//! Every route, in one table.

mod blocks;
mod contracts;
mod events;
mod members;
mod operations;
mod patients;
mod records;
mod transactions;

use crate::error::ApiError;
use crate::guard::{self, Gate};
use crate::state::{BATCH_LENGTH_MAX, BODY_LENGTH_MAX, PIECE_LENGTH_MAX};
use crate::{ApiState, ErrorCode, Limits};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the description says of the whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Salus validator",
        description = "The public interface of a validator. Heights, block times, counts and sizes stay below \
            2^53 and are numbers; `until_ms`, `expires` and `gas_limit` are chosen by senders, may be larger, \
            and are decimal strings. Hashes, keys and signatures are lower-case hexadecimal, other bytes base64 \
            with padding. Every refusal has the body ErrorBody.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "transactions", description = "Sending, and what became of it"),
        (name = "blocks", description = "Headers, reconstructed bodies, who holds shares"),
        (name = "contracts", description = "Contracts, questions to them, and proven state"),
        (name = "people", description = "Principals, patients, grants, access logs"),
        (name = "records", description = "Pieces of health records, to and from members"),
        (name = "events", description = "What happens on the chain, as it happens"),
        (name = "members", description = "Who belongs to the network, who decides, what is proposed"),
        (name = "operations", description = "The node itself"),
    )
)]
struct Description;

/// The OpenAPI description of every route, as pretty JSON with a final line break; the same as `openapi.json`.
///
/// # Errors
///
/// When the description can't be written as JSON, which a test rules out.
pub fn openapi() -> Result<String, serde_json::Error> {
    let (_, api) = table(&Limits::default()).split_for_parts();
    api.to_pretty_json().map(|json| json + "\n")
}

/// Everything that is served.
pub(crate) fn router(state: ApiState) -> Router {
    let (router, api) = table(state.limits()).split_for_parts();
    // The description never changes while the node runs, so it is written once.
    let description: std::sync::Arc<str> = api.to_json().unwrap_or_default().into();
    router
        .route(
            "/openapi.json",
            get(move || operations::description(std::sync::Arc::clone(&description))),
        )
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(guard::observe))
        .with_state(state)
}

fn table(limits: &Limits) -> OpenApiRouter<ApiState> {
    let requests = Gate::new(limits.requests, limits.request_time);
    let uploads = Gate::new(limits.uploads, limits.upload_time);
    let small = OpenApiRouter::new()
        .routes(routes!(transactions::submit))
        .routes(routes!(transactions::find))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::one))
        .routes(routes!(blocks::body))
        .routes(routes!(blocks::shares))
        .routes(routes!(blocks::releases))
        .routes(routes!(contracts::list))
        .routes(routes!(contracts::one))
        .routes(routes!(contracts::code))
        .routes(routes!(contracts::query))
        .routes(routes!(contracts::state))
        .routes(routes!(patients::principal))
        .routes(routes!(patients::standing))
        .routes(routes!(patients::find))
        .routes(routes!(patients::records))
        .routes(routes!(patients::policies))
        .routes(routes!(patients::log))
        .routes(routes!(events::subscribe))
        .routes(routes!(operations::status))
        .routes(routes!(members::list))
        .routes(routes!(members::proposals))
        .routes(routes!(members::validators))
        .routes(routes!(operations::ready))
        .layer(DefaultBodyLimit::max(BODY_LENGTH_MAX))
        .layer(middleware::from_fn_with_state(BODY_LENGTH_MAX, guard::measure));
    let batches = OpenApiRouter::new()
        .routes(routes!(transactions::submit_batch))
        .layer(DefaultBodyLimit::max(BATCH_LENGTH_MAX))
        .layer(middleware::from_fn_with_state(BATCH_LENGTH_MAX, guard::measure));
    let bounded = small
        .merge(batches)
        .layer(middleware::from_fn_with_state(requests, guard::admit));
    let pieces = OpenApiRouter::new()
        .routes(routes!(records::store))
        .routes(routes!(records::read))
        .layer(DefaultBodyLimit::max(PIECE_LENGTH_MAX))
        .layer(middleware::from_fn_with_state(PIECE_LENGTH_MAX, guard::measure))
        .layer(middleware::from_fn_with_state(uploads, guard::admit));
    // Outside the gates: an overloaded node still tells that it lives, and how it is.
    let open = OpenApiRouter::new()
        .routes(routes!(operations::health))
        .routes(routes!(operations::metrics));
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(bounded)
        .merge(pieces)
        .merge(open)
}

async fn no_such_route() -> ApiError {
    ApiError::new(
        ErrorCode::NoSuchRoute,
        "there is no such route",
        "GET /openapi.json lists every route",
    )
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        "this route does not take this method",
        "GET /openapi.json lists every route with its methods",
    )
}
