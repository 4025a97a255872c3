//! Contracts, questions to them, and proven state.

use crate::dto::base64;
use crate::dto::contracts::{CodeDto, ContractDto, ContractsDto, ProvenContractDto};
use crate::dto::principal::{QueryAnswerDto, QueryDto, StateDto};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{JsonBody, Parameters, PathParts, bad_path};
use crate::{ApiState, ErrorCode, QueryAnswer, QueryRefusal, ReadRefusal, Request, StateAnswer};
use axum::Json;
use axum::extract::State;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use salus_client::explain_status;
use salus_types::abi::host::{KEY_LENGTH_MAX, MESSAGE_LENGTH_MAX};
use salus_types::codec::{self, Decode, Encode};
use salus_types::state::StateKey;
use salus_types::{ContractId, ContractInfo, Hash, Height, PrincipalId, Status, StoredCode};
use serde::Deserialize;
use utoipa::IntoParams;

/// Contracts of one answer.
const CONTRACTS_MAX: u16 = 256;
/// Bytes of an entry about a contract or its code, at most.
const ENTRY_LENGTH_MAX: usize = 256;

/// Which contracts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// Those with larger numbers than this.
    #[serde(default)]
    above: u32,
}

/// How to answer about state.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StateParameters {
    /// Whether to prove the answer against the header's state root.
    #[serde(default)]
    proof: bool,
}

/// The contracts of the network
///
/// Up to 256 at a time; ask again with `above` set to the last number.
#[utoipa::path(
    get,
    path = "/v1/contracts",
    tag = "contracts",
    operation_id = "list_contracts",
    params(ListParameters),
    responses(
        (status = 200, description = "The contracts", body = ContractsDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<ContractsDto>, ApiError> {
    let above = ContractId::new(parameters.above);
    let limit = CONTRACTS_MAX;
    let contracts = state
        .ask(|reply| Request::Contracts { above, limit, reply })
        .await?;
    let contracts = contracts
        .iter()
        .map(|(number, info)| ContractDto::new(*number, info));
    Ok(Json(ContractsDto {
        contracts: contracts.collect(),
    }))
}

/// A contract with the hash of its code, proven
#[utoipa::path(
    get,
    path = "/v1/contracts/{contract}",
    tag = "contracts",
    operation_id = "get_contract",
    params(("contract" = u32, Path, description = "Its number")),
    responses(
        (status = 200, description = "The contract", body = ProvenContractDto),
        (status = 404, description = "not_found", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn one(
    State(state): State<ApiState>,
    PathParts(contract): PathParts<u32>,
) -> Result<Json<ProvenContractDto>, ApiError> {
    let contract = ContractId::new(contract);
    let (info, answer) = entry::<ContractInfo>(&state, ContractInfo::key(contract), true).await?;
    let value = answer.value.as_deref().unwrap_or_default();
    Ok(Json(ProvenContractDto::new(contract, &info, value, &answer)))
}

/// Code that was uploaded whole, or stands in the genesis
#[utoipa::path(
    get,
    path = "/v1/code/{hash}",
    tag = "contracts",
    operation_id = "get_code",
    params(("hash" = String, Path, description = "BLAKE3 of the WebAssembly, hexadecimal")),
    responses(
        (status = 200, description = "What is known of it", body = CodeDto),
        (status = 404, description = "not_found: never uploaded, not complete, or forgotten", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn code(
    State(state): State<ApiState>,
    PathParts(hash): PathParts<String>,
) -> Result<Json<CodeDto>, ApiError> {
    let hash: Hash = hash
        .parse()
        .map_err(|_| bad_path("a hash has 64 hexadecimal digits"))?;
    let (code, _) = entry::<StoredCode>(&state, StoredCode::key(&hash), false).await?;
    Ok(Json(CodeDto::new(&hash, &code)))
}

/// Reads an entry of the chain's own state.
async fn entry<T: Encode + Decode<()>>(
    state: &ApiState,
    key: StateKey,
    proof: bool,
) -> Result<(T, StateAnswer), ApiError> {
    let answer = state.ask(|reply| Request::State { key, proof, reply }).await?;
    let value = answer.value.as_deref().ok_or(ReadRefusal::NotFound)?;
    let value = codec::decode(value, ENTRY_LENGTH_MAX).map_err(|error| {
        tracing::error!(%error, "an entry of the chain's own state could not be read");
        ApiError::new(
            ErrorCode::Internal,
            "the entry could not be read",
            "the state is damaged: tell the operator",
        )
    })?;
    Ok((value, answer))
}

/// Ask a contract
///
/// Runs the contract's `salus_query` on the last committed state. Changes nothing, and is not on the chain. With `proof`, the answer comes with
/// all that the contract read and its proofs, so that whoever has the header and the code computes it again.
#[utoipa::path(
    post,
    path = "/v1/query",
    tag = "contracts",
    operation_id = "query",
    request_body = QueryDto,
    responses(
        (status = 200, description = "The answer", body = QueryAnswerDto),
        (status = 413, description = "oversized: more than 64 KiB of input", body = ErrorBody),
        (status = 422, description = "unknown_contract, contract_refused, trap, out_of_gas", body = ErrorBody),
        (status = 503, description = "busy, not_ready", body = ErrorBody),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn query(
    State(state): State<ApiState>,
    JsonBody(body): JsonBody<QueryDto>,
) -> Result<Json<QueryAnswerDto>, ApiError> {
    let input = BASE64.decode(body.input.as_bytes()).map_err(|_| {
        ApiError::new(
            ErrorCode::Malformed,
            "input is not base64",
            "send the canonical bytes of the entry's argument as base64 with padding",
        )
    })?;
    // The entry's number takes one byte of the message.
    if input.len() >= MESSAGE_LENGTH_MAX {
        return Err(ApiError::new(
            ErrorCode::Oversized,
            format!(
                "{} bytes of input where at most {} are allowed",
                input.len(),
                MESSAGE_LENGTH_MAX - 1
            ),
            "ask for less at once",
        ));
    }
    let caller = body.caller.map(PrincipalId::new);
    let contract = ContractId::new(body.contract);
    let answer = run(&state, contract, (body.entry, input), caller, body.proof).await?;
    Ok(Json(QueryAnswerDto {
        output: base64(&answer.output),
        gas_used: answer.gas_used.get(),
        height: answer.height.get(),
        reads: answer.reads.as_deref().map(base64),
    }))
}

/// An entry of the chain's state, proven if asked
#[utoipa::path(
    get,
    path = "/v1/state/{contract}/{key}",
    tag = "contracts",
    operation_id = "get_state",
    params(
        ("contract" = u32, Path, description = "Whose state"),
        ("key" = String, Path, description = "The contract's own key, hexadecimal, at most 128 bytes"),
        StateParameters,
    ),
    responses(
        (status = 200, description = "The entry, or that there is none", body = StateDto),
        (status = "default", description = "Refused", body = ErrorBody),
    )
)]
pub(super) async fn state(
    State(state): State<ApiState>,
    PathParts((contract, key)): PathParts<(u32, String)>,
    Parameters(parameters): Parameters<StateParameters>,
) -> Result<Json<StateDto>, ApiError> {
    let key = HEXLOWER_PERMISSIVE
        .decode(key.as_bytes())
        .ok()
        .filter(|key| key.len() <= KEY_LENGTH_MAX)
        .ok_or_else(|| bad_path("a key is at most 128 bytes, hexadecimal"))?;
    let key = StateKey::new(ContractId::new(contract), &key);
    let proof = parameters.proof;
    let answer = state.ask(|reply| Request::State { key, proof, reply }).await?;
    Ok(Json(StateDto {
        value: answer.value.as_deref().map(base64),
        proof: answer.proof.as_deref().map(base64),
        height: answer.height.get(),
    }))
}

/// Asks one of the contracts that every network has, and reads its answer.
pub(super) async fn ask_contract<T: Decode<()>>(
    state: &ApiState,
    contract: ContractId,
    entry: u8,
    input: Vec<u8>,
) -> Result<(T, Height), ApiError> {
    let answer = run(state, contract, (entry, input), None, false).await?;
    let output = codec::decode_trusted(&answer.output).map_err(|error| {
        tracing::error!(%contract, entry, %error, "a contract's answer could not be read");
        ApiError::new(
            ErrorCode::Internal,
            "the contract's answer could not be read",
            "the contract and the node speak different versions: tell the operator",
        )
    })?;
    Ok((output, answer.height))
}

async fn run(
    state: &ApiState,
    contract: ContractId,
    (entry, input): (u8, Vec<u8>),
    caller: Option<PrincipalId>,
    proof: bool,
) -> Result<QueryAnswer, ApiError> {
    let answer = state
        .ask(|reply| Request::Query {
            contract,
            entry,
            input,
            caller,
            proof,
            reply,
        })
        .await?;
    answer.map_err(|refusal| match refusal {
        QueryRefusal::Aborted { code } => ApiError::new(
            refusal.code(),
            explain_status(contract, Status::Aborted { code }),
            refusal.hint(),
        ),
        other => other.into(),
    })
}
