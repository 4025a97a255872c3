//! Principals and patients: who they are, what they allow, who looked.

use super::contracts::ask_contract;
use crate::dto::access::{GrantDto, LogDto};
use crate::dto::principal::{PoliciesDto, PrincipalDto, PrincipalStandingDto};
use crate::dto::record::{RecordDto, RecordsDto};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{OpenWish, Parameters, PathParts, bad_parameter, bad_path};
use crate::{ApiState, Request};
use axum::Json;
use axum::extract::State;
use salus_types::abi::access::{self, GrantEntry, Record, Standing};
use salus_types::abi::registry;
use salus_types::codec;
use salus_types::{ContractId, PrincipalId, RecordNumber};
use serde::Deserialize;
use utoipa::IntoParams;

/// Entries of one page of an access log, at most.
const LOG_ENTRIES_MAX: u16 = 256;

/// Which entries of an access log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogPageParameters {
    /// The first index; 0 without it.
    from: Option<u64>,
    /// How many, 1 to 256; 100 without it.
    #[param(minimum = 1, maximum = 256)]
    limit: Option<u16>,
}

/// A principal
#[utoipa::path(
    get,
    path = "/v1/principals/{number}",
    tag = "people",
    operation_id = "get_principal",
    params(("number" = u32, Path, description = "The principal's number")),
    responses(
        (status = 200, description = "The principal", body = PrincipalDto),
        (status = 404, description = "not_found: the number was never given out", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn principal(
    State(state): State<ApiState>,
    PathParts(number): PathParts<u32>,
) -> Result<Json<PrincipalDto>, ApiError> {
    Ok(Json(load(&state, PrincipalId::new(number)).await?))
}

/// How a principal stands after its refusals
#[utoipa::path(
    get,
    path = "/v1/principals/{number}/standing",
    tag = "people",
    operation_id = "get_standing",
    params(("number" = u32, Path, description = "The principal's number")),
    responses(
        (status = 200, description = "Its standing", body = PrincipalStandingDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn standing(
    State(state): State<ApiState>,
    PathParts(number): PathParts<u32>,
) -> Result<Json<PrincipalStandingDto>, ApiError> {
    let (standing, height) = ask_access::<Standing>(&state, access::query::STANDING, number).await?;
    Ok(Json(PrincipalStandingDto {
        principal: number,
        height: height.get(),
        standing: standing.into(),
    }))
}

/// A patient by its address
#[utoipa::path(
    get,
    path = "/v1/patients/{address}",
    tag = "people",
    operation_id = "find_patient",
    params(("address" = String, Path, description = "The patient's address as it is printed")),
    responses(
        (status = 200, description = "The patient", body = PrincipalDto),
        (status = 400, description = "bad_path: mistyped", body = ErrorBody),
        (status = 404, description = "not_found: nobody has this address", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn find(
    State(state): State<ApiState>,
    PathParts(address): PathParts<String>,
) -> Result<Json<PrincipalDto>, ApiError> {
    let address = salus_client::parse_address(&address).map_err(|error| bad_path(error.to_string()))?;
    let input = codec::encode(&address);
    let (found, _) = ask_contract::<Option<PrincipalId>>(
        &state,
        ContractId::REGISTRY,
        registry::query::FIND_PATIENT,
        input,
    )
    .await?;
    let number = found.ok_or_else(|| {
        ApiError::not_found(
            "no patient has this address",
            "check the address; the hospital that enrolled the patient registers it",
        )
    })?;
    Ok(Json(load(&state, number).await?))
}

/// A patient's records, newest first, at most 64
#[utoipa::path(
    get,
    path = "/v1/patients/{number}/records",
    tag = "people",
    operation_id = "list_records",
    params(("number" = u32, Path, description = "The patient's principal number")),
    responses(
        (status = 200, description = "What the chain knows of them: never their content", body = RecordsDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn records(
    State(state): State<ApiState>,
    PathParts(number): PathParts<u32>,
) -> Result<Json<RecordsDto>, ApiError> {
    let (records, height) =
        ask_access::<Vec<(RecordNumber, Record)>>(&state, access::query::RECORDS, number).await?;
    Ok(Json(RecordsDto {
        height: height.get(),
        records: records
            .iter()
            .map(|(number, record)| RecordDto::new(*number, record))
            .collect(),
    }))
}

/// A patient's policy list: every grant
#[utoipa::path(
    get,
    path = "/v1/patients/{number}/policies",
    tag = "people",
    operation_id = "list_policies",
    params(("number" = u32, Path, description = "The patient's principal number")),
    responses(
        (status = 200, description = "The grants, at most 256", body = PoliciesDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn policies(
    State(state): State<ApiState>,
    PathParts(number): PathParts<u32>,
) -> Result<Json<PoliciesDto>, ApiError> {
    let (grants, height) = ask_access::<Vec<GrantEntry>>(&state, access::query::POLICY_LIST, number).await?;
    Ok(Json(PoliciesDto {
        height: height.get(),
        policies: grants.iter().map(GrantDto::from).collect(),
    }))
}

/// A patient's access log: who asked for what, why, and what the answer was
///
/// The blocks that hold the entries are reconstructed. The head stands in the chain's state: hashing the entries
/// from 0 up leads to it, or the log shown is not complete.
#[utoipa::path(
    get,
    path = "/v1/patients/{number}/log",
    tag = "people",
    operation_id = "get_log",
    params(
        ("number" = u32, Path, description = "The patient's principal number"),
        ("salus-open" = Option<String>, Header, description = "Base64 of a signed open request, where `open_policy` is `ticket`"),
        LogPageParameters,
    ),
    responses(
        (status = 200, description = "A page of the log", body = LogDto),
        (status = 403, description = "read_refused: this network opens blocks only against a ticket", body = ErrorBody),
        (status = 503, description = "shares_missing, busy", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn log(
    State(state): State<ApiState>,
    PathParts(number): PathParts<u32>,
    OpenWish(wish): OpenWish,
    Parameters(page): Parameters<LogPageParameters>,
) -> Result<Json<LogDto>, ApiError> {
    let limit = page.limit.unwrap_or(100);
    if !(1..=LOG_ENTRIES_MAX).contains(&limit) {
        return Err(bad_parameter("limit is from 1 to 256"));
    }
    let (patient, from) = (PrincipalId::new(number), page.from.unwrap_or(0));
    let page = state
        .ask(|reply| Request::AccessLog {
            patient,
            from,
            limit,
            wish,
            reply,
        })
        .await??;
    Ok(Json(LogDto::new(from, &page)))
}

async fn load(state: &ApiState, principal: PrincipalId) -> Result<PrincipalDto, ApiError> {
    let found = state
        .ask(|reply| Request::Principal { principal, reply })
        .await?
        .ok_or_else(|| {
            ApiError::not_found(
                "there is no such principal",
                "numbers are given out at registration; look a patient up by its address",
            )
        })?;
    Ok(PrincipalDto::new(principal, &found))
}

/// A query of the access contract whose argument is a principal.
async fn ask_access<T: codec::Decode<()>>(
    state: &ApiState,
    entry: u8,
    number: u32,
) -> Result<(T, salus_types::Height), ApiError> {
    let input = codec::encode(&PrincipalId::new(number));
    ask_contract(state, ContractId::ACCESS, entry, input).await
}
