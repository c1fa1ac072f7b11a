//! JSON bodies. They are parsed strictly, and a refusal lists every broken rule.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::extractors::shape::{self, Operation};
use crate::responses::problem::{Fault, Problem};

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
        let operation = shape::of(request.method(), request.extensions());
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large"))?;
        read(&bytes, operation).map(Self)
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

/// Parses JSON. A refusal lists every fault of its shape. It names the places and never the content, which may be
/// secret.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], operation: Option<&Operation>) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // serde would also accept a list of the fields' values, in the order of their declaration.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(malformed(vec![fault("", "type-object")]));
    }
    let decoded = match serde_path_to_error::deserialize(&mut json) {
        Ok(decoded) => decoded,
        Err(error) => return Err(misshapen(bytes, operation, &error)),
    };
    json.end().map_err(|error| malformed(vec![not_json(&error)]))?;
    Ok(decoded)
}

/// The body does not have the required format.
fn malformed(faults: Vec<Fault>) -> Problem {
    Problem { faults, ..Problem::new(StatusCode::BAD_REQUEST, "malformed") }
}

/// Every fault of a body that could not be decoded.
fn misshapen(
    bytes: &[u8],
    operation: Option<&Operation>,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> Problem {
    let body = match serde_json::from_slice::<Value>(bytes) {
        Ok(body) => body,
        Err(error) => return malformed(vec![not_json(&error)]),
    };
    let mut faults = operation.map(|operation| operation.body_faults(&body)).unwrap_or_default();
    if faults.is_empty() {
        // What a schema does not say: a field that is there twice, or a number that fits no machine word.
        let twice = error.inner().to_string().starts_with("duplicate field");
        let rule = if twice { "field-twice" } else { "parameter-malformed" };
        faults.push(fault(pointer(error.path()), rule));
    }
    malformed(faults)
}

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    let segments = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    segments.map(|segment| format!("/{segment}")).collect()
}

fn fault(pointer: impl Into<String>, rule: &'static str) -> Fault {
    Fault { pointer: pointer.into(), rule, places: Vec::new() }
}

fn not_json(error: &serde_json::Error) -> Fault {
    let places = vec![("line", error.line().to_string()), ("column", error.column().to_string())];
    Fault { places, ..fault("", "json-syntax") }
}
