//! JSON bodies. They are parsed strictly, and a refusal lists every broken rule.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;

use crate::responses::problem::Problem;

/// A body of the shape `T`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json"));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large"))?;
        read(&bytes).map(Self)
    }
}

/// A body of the shape `T`, or none.
pub(crate) struct MaybeBody<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for MaybeBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(None));
        }
        Body::from_request(request, state).await.map(|Body(body)| Self(Some(body)))
    }
}

/// Parses JSON. A fault names the place and never the content, which may be secret.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let malformed = |why: String| Problem::new(StatusCode::BAD_REQUEST, "malformed").with("why", why);
    // serde would also accept a list of the fields' values, in the order of their declaration.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(malformed("a list, where an object is asked for".to_owned()));
    }
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        malformed(format!("{path}: {}", without_values(error.inner())))
    })?;
    json.end().map_err(|error| malformed(without_values(&error)))?;
    Ok(value)
}

/// Returns serde's message without the values that it quotes.
fn without_values(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let said = error.to_string();
    let known = ["missing field", "unknown field", "duplicate field", "unknown variant"];
    match known.iter().find(|known| said.starts_with(**known)) {
        Some(_) => said
            .split(", expected")
            .next()
            .unwrap_or_default()
            .split(" at line")
            .next()
            .unwrap_or_default()
            .to_owned(),
        None if error.is_data() => format!("not of the right type (line {line}, column {column})"),
        None => format!("not JSON from line {line}, column {column} on"),
    }
}
