//! Pieces of health records, relayed to and from members. The node sees sealed bytes only.

use crate::dto::hex;
use crate::dto::record::PieceStoredDto;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{OctetBody, PathParts};
use crate::{ApiState, Request};
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use salus_types::MemberId;

/// Hand a member its piece of a record
///
/// The member checks the piece, stores it durably, and signs a receipt. With receipts of n - f members, an
/// `add_record` transaction puts the record on the chain.
#[utoipa::path(
    put,
    path = "/v1/records/pieces/{member}",
    tag = "records",
    operation_id = "store_piece",
    params(("member" = u16, Path, description = "Whose piece it is")),
    request_body(
        content = Vec<u8>,
        content_type = "application/octet-stream",
        description = "Canonical bytes of the piece, at most 20 MiB"
    ),
    responses(
        (status = 200, description = "Stored durably", body = PieceStoredDto),
        (status = 404, description = "unknown_member", body = ErrorBody),
        (status = 413, description = "oversized: more than 20 MiB", body = ErrorBody),
        (status = 422, description = "bad_piece", body = ErrorBody),
        (status = 502, description = "member_unreachable", body = ErrorBody),
        (status = 507, description = "storage_full", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn store(
    State(state): State<ApiState>,
    PathParts(member): PathParts<u16>,
    OctetBody(piece): OctetBody,
) -> Result<Json<PieceStoredDto>, ApiError> {
    let id = MemberId::new(member);
    let signature = state
        .ask(|reply| Request::StorePiece {
            member: id,
            piece: piece.into(),
            reply,
        })
        .await??;
    Ok(Json(PieceStoredDto {
        member,
        signature: hex(signature.as_bytes()),
    }))
}

/// Ask a member for its piece of a record
///
/// The member checks the requester's signature and its ticket in its own state, and answers with its piece, sealed
/// to the requester's key. k such answers open the record, in the requester's client.
#[utoipa::path(
    post,
    path = "/v1/records/pieces/{member}/read",
    tag = "records",
    operation_id = "read_piece",
    params(("member" = u16, Path, description = "Whose piece it is")),
    request_body(
        content = Vec<u8>,
        content_type = "application/octet-stream",
        description = "Canonical bytes of the signed read request"
    ),
    responses(
        (status = 200, description = "Canonical bytes of the released piece", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, description = "no_ticket", body = ErrorBody),
        (status = 404, description = "unknown_member; not_found: the member holds no such piece", body = ErrorBody),
        (status = 422, description = "bad_read_request", body = ErrorBody),
        (status = 502, description = "member_unreachable", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn read(
    State(state): State<ApiState>,
    PathParts(member): PathParts<u16>,
    OctetBody(request): OctetBody,
) -> Result<impl IntoResponse, ApiError> {
    let piece = state
        .ask(|reply| Request::ReadPiece {
            member: MemberId::new(member),
            request: request.into(),
            reply,
        })
        .await??;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], piece))
}
