//! Translates problems into the reader's language.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquet_domain::values::language::Language;
use loquet_domain::values::plain_text::visible;
use loquet_projections::local_time::{Precision, TimeZone, tell};
use loquet_projections::words::{Places, UnreadableWords, Words};

use crate::design::Look;
use crate::request_parts::{RequestId, cookie};
use crate::responses::pages::problem_page;
use crate::responses::problem::{FaultBody, Problem, ProblemBody, RATE_LIMIT};

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
    if let Some(chosen) = cookie(headers, LANGUAGE).and_then(|code| Language::parse(&code)) {
        return chosen;
    }
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::accepted(accepted.unwrap_or_default())
}

/// The cookie with the language that a person chose on a page.
pub(crate) const LANGUAGE: &str = "loquet-language";

/// Who reads an answer, and how.
pub(crate) struct Reader {
    pub(crate) language: Language,
    pub(crate) time_zone: TimeZone,
    /// The look of pages, if the reader is a person with a browser: a problem is then a page.
    pub(crate) page_of: Option<Look>,
}

/// The way from a page to the root of the server, which may be behind a path of a proxy.
pub(crate) fn root_from(path: &str) -> String {
    "../".repeat(path.matches('/').count().saturating_sub(1))
}

/// Whether a request comes from a person who opens a page in a browser. Programs ask for JSON or for anything.
pub(crate) fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let is_html = |part: &str| part.split(';').next().is_some_and(|kind| kind.trim() == "text/html");
    !path.starts_with("/v1/") && accepted.flat_map(|value| value.split(',')).any(is_html)
}

/// Translates an answer that is a problem. Returns any other answer as it is.
pub(crate) fn localize(reader: &Reader, id: RequestId, mut response: Response) -> Response {
    let language = reader.language;
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => match of_the_framework(&response) {
            Some(problem) => problem,
            None => return response,
        },
    };
    let status = problem.status;
    let told = write(reader, problem, id);
    let (kind, mut written) = match &reader.page_of {
        Some(look) => ("text/html; charset=utf-8", problem_page(look, status, &told)),
        None => ("application/problem+json", as_json(status, &told)),
    };
    let headers = written.headers_mut();
    let kept =
        [header::RETRY_AFTER, RATE_LIMIT, header::WWW_AUTHENTICATE, header::ALLOW, header::ACCEPT_ENCODING];
    for kept in kept {
        if let Some(value) = response.headers().get(&kept) {
            headers.insert(kept, value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
    written
}

/// The space that most problems fit into. A body that grows is moved several times.
const MOST_PROBLEMS: usize = 768;

fn as_json(status: StatusCode, told: &ProblemBody) -> Response {
    let mut json = Vec::with_capacity(MOST_PROBLEMS);
    match serde_json::to_writer(&mut json, told) {
        Ok(()) => (status, json).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
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

pub(crate) fn write(reader: &Reader, problem: Problem, id: RequestId) -> ProblemBody {
    let language = reader.language;
    let until = problem
        .locked_until
        .zip(words())
        .map(|(until, words)| tell(words, language, reader.time_zone, until, Precision::NextMinute));
    let mut places = as_places(&problem.places);
    places.extend(until.as_deref().map(|until| ("moment", until)));
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
