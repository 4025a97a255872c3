//! axum's extractors with our refusals: the same checks, but every failure is an [`ErrorBody`](crate::ErrorBody).

use crate::ErrorCode;
use crate::error::ApiError;
use crate::state::BODY_LENGTH_MAX;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use salus_types::{SignedOpenRequest, codec};
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Carries the wish to have blocks opened.
const OPEN_HEADER: &str = "salus-open";

/// A JSON body.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// Parts of the path.
#[derive(Debug)]
pub(crate) struct PathParts<T>(pub(crate) T);

/// Query parameters.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub(crate) T);

/// The wish to have blocks opened that came with a request: header `Salus-Open`, base64 of a signed open request.
#[derive(Debug)]
pub(crate) struct OpenWish(pub(crate) Option<SignedOpenRequest>);

/// A body of `application/octet-stream`.
#[derive(Debug)]
pub(crate) struct OctetBody(pub(crate) Bytes);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(json_refusal(rejection)),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParts<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            // The rejection's text repeats the path; ours does not.
            Err(_) => Err(bad_path("a number in the path is not one, or too large")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OpenWish {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(OPEN_HEADER) else {
            return Ok(Self(None));
        };
        let bytes = data_encoding::BASE64.decode(value.as_bytes()).ok();
        let wish = bytes.and_then(|bytes| codec::decode(&bytes, SignedOpenRequest::LENGTH_MAX).ok());
        match wish {
            Some(wish) => Ok(Self(Some(wish))),
            None => Err(ApiError::new(
                ErrorCode::Malformed,
                "the header Salus-Open is not a signed open request",
                "set it to the base64 of the request's canonical bytes, or leave it away",
            )),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(bad_parameter(rejection.body_text())),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for OctetBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let octets = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes() == b"application/octet-stream");
        if !octets {
            return Err(ApiError::new(
                ErrorCode::UnsupportedMediaType,
                "the body is not declared as bytes",
                "set Content-Type: application/octet-stream",
            ));
        }
        match Bytes::from_request(request, state).await {
            Ok(bytes) => Ok(Self(bytes)),
            Err(rejection) => Err(body_refusal(&rejection)),
        }
    }
}

/// A part of the path that is not what it should be.
pub(crate) fn bad_path(message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(
        ErrorCode::BadPath,
        message,
        "GET /openapi.json describes every path",
    )
}

/// A query parameter that is not what it should be.
pub(crate) fn bad_parameter(message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(
        ErrorCode::BadParameter,
        message,
        "GET /openapi.json describes every parameter",
    )
}

fn json_refusal(rejection: JsonRejection) -> ApiError {
    match rejection {
        JsonRejection::BytesRejection(rejection) => body_refusal(&rejection),
        JsonRejection::MissingJsonContentType(_) => ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "the body is not declared as JSON",
            "set Content-Type: application/json",
        ),
        other => ApiError::new(
            ErrorCode::BadJson,
            other.body_text(),
            "GET /openapi.json describes the body",
        ),
    }
}

fn body_refusal(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::new(
            ErrorCode::Oversized,
            "the body is longer than this route takes",
            format!(
                "JSON bodies have at most {BODY_LENGTH_MAX} bytes; GET /openapi.json tells where other bounds hold"
            ),
        )
    } else {
        ApiError::new(
            ErrorCode::BadJson,
            "the body ended early",
            "send as many bytes as Content-Length says",
        )
    }
}
