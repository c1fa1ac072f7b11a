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
const TEXTS: &str = include_str!("../responses/words/http.en.ftl");
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
    message_page(StatusCode::OK, language, (&api.brand, "../"), (&heading, &paragraphs), None)
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
    const VARIABLES: [&str; 18] = [
        "path",
        "minutes",
        "position",
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
mod tests {
    use std::fmt::Write;

    use super::*;

    /// The catalogue as `docs/problems.md` has it.
    fn catalogue() -> String {
        let mut text = "# Problems\n\nAn answer that refuses something is `application/problem+json` (RFC 9457). Its `type` is \
                        `urn:loquet:problem:` and one of\nthese names. `detail` says it in the reader's language. A server \
                        shows each of them at `/problems/NAME`. In the texts below,\n`…` stands for a value.\n\n\
                        | Problem | Title | Detail |\n|---|---|---|\n"
            .to_owned();
        let cell = |name: &str| meaning(Language::En, name).replace('|', "\\|");
        for slug in slugs() {
            let (title, detail) = (cell(&format!("{slug}-title")), cell(&format!("{slug}-detail")));
            writeln!(text, "| `{slug}` | {title} | {detail} |").unwrap();
        }
        text.push_str(
            "\n## Rules\n\nWhere a request breaks rules, `errors` has an entry for each: its `pointer`, its `rule` and a \
             `message`.\n\n| Rule | Message |\n|---|---|\n",
        );
        let rules = TEXTS.split("# Rules of bodies\n").nth(1).and_then(|rest| rest.split("# Pages\n").next());
        for (rule, _) in rules.unwrap().lines().filter_map(|line| line.split_once(" = ")) {
            writeln!(text, "| `{rule}` | {} |", cell(rule)).unwrap();
        }
        text
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "whoever changes a text asks for the file so")]
    fn the_catalogue_in_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems.md");
        if std::env::var_os("LOQUET_WRITE_PROBLEMS").is_some() {
            std::fs::write(path, catalogue()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == catalogue(),
            "run: LOQUET_WRITE_PROBLEMS=1 cargo test --package loquet-http catalogue"
        );
    }

    #[test]
    fn every_problem_has_a_title_and_a_detail_with_all_variables_known() {
        for slug in slugs() {
            for language in Language::ALL {
                for part in ["title", "detail"] {
                    let name = format!("{slug}-{part}");
                    let told = meaning(language, &name);
                    assert!(told != name && !told.contains("{ $"), "{name} in {language:?}: {told}");
                }
            }
        }
        assert!(slugs().count() > 70);
    }
}
