//! Headers, reconstructed bodies, and who holds which share.

use crate::dto::block::{BlockDto, BodyDto, HeaderDto, HeadersDto, SharesDto};
use crate::dto::release::ReleasesDto;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{OpenWish, Parameters, PathParts, bad_parameter};
use crate::{ApiState, ReadRefusal, Request};
use axum::Json;
use axum::extract::State;
use salus_types::Height;
use serde::Deserialize;
use utoipa::IntoParams;

/// Headers of one page, at most.
const HEADERS_MAX: u16 = 100;
/// Transactions of one page of a body, at most.
const TRANSACTIONS_MAX: usize = 1000;

/// Which headers.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HeaderPage {
    /// The first height; without it, the last blocks.
    from: Option<u64>,
    /// How many, 1 to 100; 20 without it.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
}

/// Which transactions of a body.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BodyPage {
    /// The first one's position; 0 without it.
    from: Option<u32>,
    /// How many, 1 to 1000; 200 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
}

/// Headers, ascending
#[utoipa::path(
    get,
    path = "/v1/blocks",
    tag = "blocks",
    operation_id = "list_blocks",
    params(HeaderPage),
    responses(
        (status = 200, description = "The headers; none above the tip", body = HeadersDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Parameters(page): Parameters<HeaderPage>,
) -> Result<Json<HeadersDto>, ApiError> {
    let limit = page.limit.unwrap_or(20);
    if !(1..=HEADERS_MAX).contains(&limit) {
        return Err(bad_parameter("limit is from 1 to 100"));
    }
    let from = page.from.map(Height::new);
    let headers = state.ask(|reply| Request::Headers { from, limit, reply }).await?;
    let chain = &state.facts().chain;
    let blocks = headers
        .iter()
        .map(|header| HeaderDto::new(chain, header))
        .collect();
    Ok(Json(HeadersDto { blocks }))
}

/// A header, with its certificate if that is still kept
#[utoipa::path(
    get,
    path = "/v1/blocks/{height}",
    tag = "blocks",
    operation_id = "get_block",
    params(("height" = u64, Path, description = "The block's height")),
    responses(
        (status = 200, description = "The header", body = BlockDto),
        (status = 404, description = "not_found: the chain is not that long", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn one(
    State(state): State<ApiState>,
    PathParts(height): PathParts<u64>,
) -> Result<Json<BlockDto>, ApiError> {
    let height = Height::new(height);
    let head = state
        .ask(|reply| Request::Block { height, reply })
        .await?
        .ok_or(ReadRefusal::NotFound)?;
    Ok(Json(BlockDto::new(&state.facts().chain, &head)))
}

/// A block's body, reconstructed from shares
///
/// No node keeps bodies: k shares are gathered, opened, and checked against the header. What is opened stays in
/// memory only.
#[utoipa::path(
    get,
    path = "/v1/blocks/{height}/body",
    tag = "blocks",
    operation_id = "reconstruct_block",
    params(
        ("height" = u64, Path, description = "The block's height"),
        ("salus-open" = Option<String>, Header, description = "Base64 of a signed open request, where `open_policy` is `ticket`"),
        BodyPage,
    ),
    responses(
        (status = 200, description = "A page of the body", body = BodyDto),
        (status = 403, description = "read_refused: this network opens blocks only against a ticket", body = ErrorBody),
        (status = 404, description = "not_found: the chain is not that long", body = ErrorBody),
        (status = 503, description = "shares_missing, busy", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn body(
    State(state): State<ApiState>,
    PathParts(height): PathParts<u64>,
    OpenWish(wish): OpenWish,
    Parameters(page): Parameters<BodyPage>,
) -> Result<Json<BodyDto>, ApiError> {
    let from = usize::try_from(page.from.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = usize::from(page.limit.unwrap_or(200));
    if !(1..=TRANSACTIONS_MAX).contains(&limit) {
        return Err(bad_parameter("limit is from 1 to 1000"));
    }
    let height = Height::new(height);
    let block = state.ask(|reply| Request::Body { height, wish, reply }).await??;
    Ok(Json(BodyDto::new(&state.facts().chain, &block, from, limit)))
}

/// Who holds a block's shares: every member is asked
#[utoipa::path(
    get,
    path = "/v1/blocks/{height}/shares",
    tag = "blocks",
    operation_id = "list_shares",
    params(("height" = u64, Path, description = "The block's height")),
    responses(
        (status = 200, description = "One row for each member", body = SharesDto),
        (status = 404, description = "not_found: the chain is not that long", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn shares(
    State(state): State<ApiState>,
    PathParts(height): PathParts<u64>,
) -> Result<Json<SharesDto>, ApiError> {
    let at = Height::new(height);
    let holders = state
        .ask(|reply| Request::ShareHolders { height: at, reply })
        .await??;
    Ok(Json(SharesDto::new(height, &holders)))
}

/// Who asked this member for its shares of blocks, and for what
///
/// Questions of one member for one purpose within a minute are one entry. In memory: the last 1,024 entries since the
/// node was started.
#[utoipa::path(
    get,
    path = "/v1/releases",
    tag = "blocks",
    operation_id = "list_releases",
    responses(
        (status = 200, description = "The log, newest first", body = ReleasesDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn releases(State(state): State<ApiState>) -> Result<Json<ReleasesDto>, ApiError> {
    let releases = state.ask(|reply| Request::Releases { reply }).await?;
    Ok(Json(ReleasesDto {
        releases: releases.iter().map(Into::into).collect(),
    }))
}
