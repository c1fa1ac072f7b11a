//! Idempotency keys: a command that is repeated with the same `Idempotency-Key` gets the first answer again, and is not
//! run again (IETF draft-ietf-httpapi-idempotency-key-header).
//!
//! This is for callers with a token only. An anonymous caller's key would belong to nobody, and the answer may contain
//! a session token or the result of a password check, which must not be stored. Links work only once without a key, and
//! a repeated login is a new login.

use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
use loquet_projections::causes::Causes;

use crate::caller::Caller;
use crate::middleware::buffered_body::MOST_BYTES;
use crate::middleware::precondition::Commands;
use crate::middleware::stored_answer::StoredAnswer;
use crate::request_parts::bearer;
use crate::responses::carry_out::to_its_end;
use crate::responses::done::POSITION;
use crate::responses::problem::Problem;
use loquet_http_ports::answers::{CommandId, Known, UnderWay};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The largest answer that is stored, in bytes. The report on a file of ten thousand lines has about three million.
const MOST_ANSWER: usize = 8 * 1024 * 1024;

pub(crate) async fn once(State(commands): State<Commands>, request: Request, next: Next) -> Response {
    let is_command = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let with_token = bearer(request.headers()).is_some();
    let (Some(key), true, true) = (request.headers().get(KEY).cloned(), with_token, is_command) else {
        return commands.run(request, next).await;
    };
    let is_one = request.headers().get_all(KEY).iter().count() == 1;
    let key = match key.to_str() {
        Ok(key) if is_one && (1..=200).contains(&key.len()) => key.to_owned(),
        _ => return Problem::new(StatusCode::BAD_REQUEST, "idempotency-key-invalid").into_response(),
    };
    let (mut parts, body) = request.into_parts();
    // A token that is no longer valid gets no answer, not even a stored one.
    let caller = match Caller::from_request_parts(&mut parts, &commands.api).await {
        Ok(caller) => caller.identity(),
        Err(problem) => return problem.into_response(),
    };
    let Ok(bytes) = to_bytes(body, MOST_BYTES).await else {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large").into_response();
    };
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    // A key belongs to one caller and one route. The same key of another caller, or on another route, is a different
    // key.
    let whose = format!("{caller}\0{}\0{}", parts.method, parts.uri.path());
    let id = commands.api.answers.id(&whose, &key, &[target.as_bytes(), &bytes]);
    let request = Request::from_parts(parts, Body::from(bytes));
    // Runs until the answer is stored, even if the caller hangs up.
    to_its_end(once_at_most(commands, id, request, next)).await.unwrap_or_else(Problem::into_response)
}

async fn once_at_most(commands: Commands, id: CommandId, request: Request, next: Next) -> Response {
    match commands.api.answers.begin(id, (commands.api.clock)()).await {
        Ok(Known::New(claim)) => carry_out(&commands, claim, request, next).await,
        Ok(Known::Answered(answer)) => again(&answer),
        Ok(Known::UnderWay) => {
            let problem = Problem::new(StatusCode::CONFLICT, "idempotency-under-way");
            Problem { retry_after: Some(1), ..problem }.into_response()
        }
        Ok(Known::Differs) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused").into_response()
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Runs a command, and stores the answer.
async fn carry_out(commands: &Commands, claim: UnderWay, request: Request, next: Next) -> Response {
    let (response, kept) = take_down(commands.run(request, next).await).await;
    if let Some(kept) = kept
        && let Err(error) = commands.api.answers.end(claim, kept).await
    {
        tracing::warn!(error = %Causes(&error), "the answer to a command was not stored: if the command is sent again, it is carried out again");
    }
    response
}

/// Marks a successful answer to a dry run: nothing was done. It is not stored, and a repeated request runs again.
/// Otherwise such answers would fill the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NothingDone;

impl IntoResponseParts for NothingDone {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        parts.extensions_mut().insert(self);
        Ok(parts)
    }
}

/// The part of an answer to store. Only an answer that says that something was done is stored. A refusal changed
/// nothing, so a repeated command is decided again.
async fn take_down(response: Response) -> (Response, Option<Vec<u8>>) {
    let status = response.status();
    if !status.is_success() || response.extensions().get::<NothingDone>().is_some() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MOST_ANSWER).await else {
        // The command was done, but its answer is lost. The caller is told so, and no false answer is stored.
        return (Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").into_response(), None);
    };
    let header = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let kept = StoredAnswer {
        status: status.as_u16(),
        headers: [header::CONTENT_TYPE, header::LOCATION, POSITION].iter().filter_map(header).collect(),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    (Response::from_parts(parts, Body::from(bytes)), serde_json::to_vec(&kept).ok())
}

fn again(answer: &[u8]) -> Response {
    let Ok(kept) = serde_json::from_slice::<StoredAnswer>(answer) else {
        return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").into_response();
    };
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, kept.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
