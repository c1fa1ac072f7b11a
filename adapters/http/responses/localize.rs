//! Translates problems into the reader's language.

use std::sync::OnceLock;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquet_domain::values::language::Language;
use loquet_domain::values::plain_text::visible;
use loquet_projections::words::{Places, UnreadableWords, Words};

use crate::request_parts::RequestId;
use crate::responses::problem::{FaultBody, Problem, ProblemBody};

/// The words of problems and pages.
pub(crate) fn words() -> Option<&'static Words> {
    static WORDS: OnceLock<Result<Words, UnreadableWords>> = OnceLock::new();
    let read = || {
        Words::read(
            include_str!("words/http.fr.ftl"),
            include_str!("words/http.nl.ftl"),
            include_str!("words/http.en.ftl"),
        )
    };
    WORDS.get_or_init(read).as_ref().ok()
}

/// A sentence with the values of its variables, which may repeat input. Returns the sentence's name if the texts can't
/// be read; a test makes sure that they can.
pub(crate) fn say(language: Language, name: &str, places: Places<'_>) -> String {
    let places: Vec<_> = places.iter().map(|(place, text)| (*place, visible(text))).collect();
    let places: Vec<_> = places.iter().map(|(place, text)| (*place, text.as_ref())).collect();
    words().map_or_else(|| name.to_owned(), |words| words.say(language, name, &places))
}

/// The language that a request asks for (RFC 9110, 12.5.4).
pub(crate) fn language(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::accepted(accepted.unwrap_or_default())
}

/// Translates an answer that is a problem. Returns any other answer as it is.
pub(crate) fn localize(language: Language, id: RequestId, mut response: Response) -> Response {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => match of_the_framework(&response) {
            Some(problem) => problem,
            None => return response,
        },
    };
    let status = problem.status;
    let mut written = (status, Json(write(language, problem, id))).into_response();
    let headers = written.headers_mut();
    for kept in [header::RETRY_AFTER, header::WWW_AUTHENTICATE, header::ALLOW, header::ACCEPT_ENCODING] {
        if let Some(value) = response.headers().get(&kept) {
            headers.insert(kept, value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
    written
}

/// The problem for a plain-text answer of axum or tower: an unreadable query, a body that is too large, a timeout.
fn of_the_framework(response: &Response) -> Option<Problem> {
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let slug = match response.status() {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => "malformed-request",
        StatusCode::PAYLOAD_TOO_LARGE => "too-large",
        // Only the pages read forms.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "not-a-form",
        StatusCode::NOT_ACCEPTABLE => "malformed-request",
        StatusCode::SERVICE_UNAVAILABLE => "fate-unknown",
        _ => return None,
    };
    plain.then(|| Problem { retry_after: None, ..Problem::new(response.status(), slug) })
}

pub(crate) fn write(language: Language, problem: Problem, id: RequestId) -> ProblemBody {
    let places = as_places(&problem.places);
    let faults = problem.faults.iter().map(|fault| FaultBody {
        pointer: visible(&fault.pointer).into_owned(),
        rule: fault.rule.to_owned(),
        message: say(language, fault.rule, &as_places(&fault.places)),
    });
    ProblemBody {
        r#type: format!("urn:loquet:problem:{}", problem.slug),
        title: say(language, &format!("{}-title", problem.slug), &places),
        status: problem.status.as_u16(),
        detail: say(language, &format!("{}-detail", problem.slug), &places),
        instance: Some(id.0.urn().to_string()),
        errors: faults.collect(),
        locked_until: problem.locked_until,
    }
}

pub(crate) fn as_places<'a>(places: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    places.iter().map(|(place, text)| (*place, text.as_str())).collect()
}
