//! Who belongs to the network, and who decides.

use crate::dto::members::{MembersDto, ValidatorsDto};
use crate::dto::proposals::ProposalsDto;
use crate::error::{ApiError, ErrorBody};
use crate::extract::PathParts;
use crate::{ApiState, ReadRefusal, Request};
use axum::Json;
use axum::extract::State;
use salus_types::Height;

/// Every member of the network, and those that were removed
#[utoipa::path(
    get,
    path = "/v1/members",
    tag = "members",
    operation_id = "list_members",
    responses(
        (status = 200, description = "The members", body = MembersDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn list(State(state): State<ApiState>) -> Result<Json<MembersDto>, ApiError> {
    let membership = state.ask(|reply| Request::Members { reply }).await?;
    Ok(Json(MembersDto::new(membership)))
}

/// Changes of members and contracts that can be voted on or enacted
#[utoipa::path(
    get,
    path = "/v1/proposals",
    tag = "members",
    operation_id = "list_proposals",
    responses(
        (status = 200, description = "The proposals", body = ProposalsDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn proposals(State(state): State<ApiState>) -> Result<Json<ProposalsDto>, ApiError> {
    let membership = state.ask(|reply| Request::Members { reply }).await?;
    Ok(Json(ProposalsDto::new(membership)))
}

/// The validators that decide a height
///
/// Known up to the height after the next; a light client needs the set where a header announces another one than its own.
#[utoipa::path(
    get,
    path = "/v1/blocks/{height}/validators",
    tag = "members",
    operation_id = "get_validators",
    params(("height" = u64, Path, description = "The height")),
    responses(
        (status = 200, description = "The validators", body = ValidatorsDto),
        (status = 404, description = "not_found: not known yet, or no longer", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn validators(
    State(state): State<ApiState>,
    PathParts(height): PathParts<u64>,
) -> Result<Json<ValidatorsDto>, ApiError> {
    let height = Height::new(height);
    let set = state
        .ask(|reply| Request::Validators { height, reply })
        .await?
        .ok_or(ReadRefusal::NotFound)?;
    Ok(Json(ValidatorsDto::new(height, &set)))
}
