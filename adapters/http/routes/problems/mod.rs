//! The catalogue of problems: a page for each type (RFC 9457, 3.1.1).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use loquet_domain::values::language::Language;

use crate::responses::localize::{language, words};
use crate::responses::pages::message_page;
use crate::responses::problem::Problem;
use crate::state::Api;

/// The texts of which the catalogue is made.
const TEXTS: &str = include_str!("../../responses/words/http.en.ftl");
/// What stands for a variable of a text.
const OPEN: &str = "…";

pub(crate) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/problems/{slug}", get(show))
}

/// Shows what a problem means, in the reader's language.
async fn show(State(api): State<Arc<Api>>, headers: HeaderMap, Path(slug): Path<String>) -> Response {
    let language = language(&headers);
    let Some(slug) = slugs().find(|known| *known == slug) else {
        return Problem::new(StatusCode::NOT_FOUND, "no-such-route")
            .with("path", format!("/problems/{slug}"))
            .into_response();
    };
    let paragraphs = [meaning(language, &format!("{slug}-detail")), format!("urn:loquet:problem:{slug}")];
    let heading = meaning(language, &format!("{slug}-title"));
    message_page(&api.look(language, "../".to_owned()), StatusCode::OK, &heading, &paragraphs, None)
}

/// The names of all types of problems.
fn slugs() -> impl Iterator<Item = &'static str> {
    let detailed: BTreeSet<_> = names().filter_map(|name| name.strip_suffix("-detail")).collect();
    names().filter_map(|name| name.strip_suffix("-title")).filter(move |slug| detailed.contains(slug))
}

fn names() -> impl Iterator<Item = &'static str> {
    TEXTS.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name)
}

/// A text with a mark in the place of each variable.
fn meaning(language: Language, name: &str) -> String {
    const VARIABLES: [&str; 19] = [
        "path",
        "minutes",
        "position",
        "scope",
        "seconds",
        "most",
        "host",
        "site",
        "members",
        "permission",
        "company",
        "moment",
        "characters",
        "passwords",
        "limit",
        "known",
        "line",
        "column",
        "what",
    ];
    let places = VARIABLES.map(|variable| (variable, OPEN));
    words().map_or_else(|| name.to_owned(), |words| words.say(language, name, &places))
}

#[cfg(test)]
mod tests;
