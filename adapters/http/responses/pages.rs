//! Pages that say one thing.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use loquet_domain::values::language::Language;

use crate::responses::problem::ProblemBody;

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    language: &'static str,
    brand: &'a str,
    root: &'a str,
    heading: &'a str,
    paragraphs: &'a [String],
    again: Option<&'a Again>,
}

/// A form with which a person asks for a new activation link.
pub(crate) struct Again {
    /// The token of the link that no longer works.
    pub(crate) token: String,
    /// What stands on the button.
    pub(crate) label: String,
}

/// A page with a heading and what it says. `root` leads from the page to where the style sheet is.
pub(crate) fn message_page(
    status: StatusCode,
    language: Language,
    (brand, root): (&str, &str),
    (heading, paragraphs): (&str, &[String]),
    again: Option<&Again>,
) -> Response {
    let page = MessagePage { language: language.code(), brand, root, heading, paragraphs, again }.render();
    match page {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A problem as a page, for a person.
pub(crate) fn problem_page(
    language: Language,
    of: (&str, &str),
    status: StatusCode,
    problem: &ProblemBody,
) -> Response {
    let faults = problem.errors.iter().map(|fault| fault.message.clone());
    let paragraphs: Vec<_> = std::iter::once(problem.detail.clone()).chain(faults).collect();
    message_page(status, language, of, (&problem.title, &paragraphs), None)
}
