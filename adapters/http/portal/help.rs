//! The help articles, and how to reach support.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};

use super::Portal;
use super::visit::Visit;
use crate::design::Look;
use crate::words;

/// The articles, in the order of the list.
pub(crate) const ARTICLES: [&str; 12] = [
    "cannot-log-in",
    "activate-account",
    "assign-terminal",
    "receipt-layout",
    "no-payment-option",
    "read-invoice",
    "chargeback",
    "announce-move",
    "change-name-address",
    "change-registration",
    "takeover-duration",
    "reach-support",
];

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/help", get(list))
        .route("/help/{article}", get(show))
        .route("/contact", get(contact))
}

async fn list(visit: Visit) -> Response {
    let look = &visit.look;
    let main = html! {
        h1 { (look.t("help")) }
        ul.articles {
            @for article in ARTICLES {
                li.card {
                    h2 { a href=(look.to(&format!("help/{article}"))) { (look.t(&format!("help-{article}-title"))) } }
                    p { (said(&visit, &format!("help-{article}-lead"))) }
                }
            }
        }
    };
    look.page(StatusCode::OK, &look.t("help"), &main)
}

/// A text of an article, with the figures of the policy in force.
fn said(visit: &Visit, name: &str) -> String {
    let policies = visit.portal.api.app.policies();
    let lockout = &policies.lockout;
    let (attempts, minutes) = (lockout.attempts().to_string(), lockout.duration().num_minutes().to_string());
    let days = policies.activation_link.num_days().to_string();
    let reset = policies.reset_link.num_minutes().to_string();
    let places = [
        ("brand", visit.look.brand.as_str()),
        ("attempts", &attempts),
        ("minutes", &minutes),
        ("activation_days", &days),
        ("reset_minutes", &reset),
    ];
    words::say(visit.look.language, name, &places)
}

async fn show(visit: Visit, Path(article): Path<String>) -> Response {
    let look = &visit.look;
    let Some(article) = ARTICLES.into_iter().find(|known| *known == article) else {
        return visit.problem(&visit.no_such_page());
    };
    let title = look.t(&format!("help-{article}-title"));
    let main = html! {
        article.prose {
            p.crumbs { a href=(look.to("help")) { (look.t("help")) } }
            h1 { (title) }
            p.lead { (said(&visit, &format!("help-{article}-lead"))) }
            (prose(look, &said(&visit, &format!("help-{article}-body"))))
        }
    };
    look.page(StatusCode::OK, &title, &main)
}

async fn contact(visit: Visit) -> Response {
    let look = &visit.look;
    let main = html! {
        section.card.narrow {
            h1 { (look.t("contact")) }
            p { (look.t("contact-intro")) }
            @match &look.contact {
                Some(contact) => { p.contact { (linked(contact)) } }
                None => { p { (look.t("contact-unknown")) } }
            }
            p { (look.t("contact-days")) }
            ul.ways {
                li { a href=(look.to("help/cannot-log-in")) { (look.t("cannot-log-in-link")) } }
                li { a href=(look.to("help")) { (look.t("help-all")) } }
            }
        }
    };
    look.page(StatusCode::OK, &look.t("contact"), &main)
}

/// The contact, with its e-mail addresses and telephone numbers as links.
fn linked(contact: &str) -> Markup {
    html! {
        @for (number, word) in contact.split_inclusive(' ').enumerate() {
            @let plain = word.trim().trim_end_matches([',', '.', ';']);
            @if plain.contains('@') { a href=(format!("mailto:{plain}")) { (word) } }
            @else { span data-part=(number) { (word) } }
        }
    }
}

/// The markup of an article: paragraphs, `## ` headings, `- ` and `1. ` lists, and `[text](page)` links.
fn prose(look: &Look, body: &str) -> Markup {
    let mut blocks: Vec<(Kind, Vec<&str>)> = Vec::new();
    let mut is_open = false;
    for line in body.lines().map(str::trim) {
        let (kind, text) = kind_of(line);
        if text.is_empty() {
            is_open = false;
            continue;
        }
        match blocks.last_mut() {
            Some((last, lines)) if is_open && *last == kind && kind != Kind::Heading => lines.push(text),
            _ => blocks.push((kind, vec![text])),
        }
        is_open = true;
    }
    html! {
        @for (kind, lines) in &blocks {
            @match kind {
                Kind::Heading => { @for line in lines { h2 { (with_links(look, line)) } } }
                Kind::Item => { ul { @for line in lines { li { (with_links(look, line)) } } } }
                Kind::Step => { ol { @for line in lines { li { (with_links(look, line)) } } } }
                Kind::Paragraph => { p { (with_links(look, &lines.join(" "))) } }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Heading,
    Item,
    Step,
    Paragraph,
}

fn kind_of(line: &str) -> (Kind, &str) {
    if let Some(text) = line.strip_prefix("## ") {
        return (Kind::Heading, text);
    }
    if let Some(text) = line.strip_prefix("- ") {
        return (Kind::Item, text);
    }
    match line.split_once(". ") {
        Some((number, text)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            (Kind::Step, text)
        }
        _ => (Kind::Paragraph, line),
    }
}

fn with_links(look: &Look, text: &str) -> Markup {
    let mut rest = text;
    let mut parts: Vec<(&str, Option<&str>)> = Vec::new();
    while let Some((before, link)) = rest.split_once('[')
        && let Some((words, link)) = link.split_once("](")
        && let Some((page, after)) = link.split_once(')')
    {
        parts.push((before, None));
        parts.push((words, Some(page)));
        rest = after;
    }
    parts.push((rest, None));
    html! {
        @for (words, page) in &parts {
            @match page {
                Some(page) => { a href=(look.to(page_of(page))) { (words) } }
                None => { (words) }
            }
        }
    }
}

/// The path of a page that an article names.
fn page_of(name: &str) -> &str {
    match name {
        "activation" => "help/activate-account",
        "profile" => "account",
        "password" => "account/password",
        "second-step" => "account/second-step",
        "devices" => "account/devices",
        page => page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_is_made_of_headings_lists_steps_paragraphs_and_links() {
        let look = Look {
            language: loquet_domain::values::language::Language::En,
            time_zone: loquet_projections::local_time::TimeZone::Europe__Brussels,
            branding: std::sync::Arc::default(),
            brand: String::new(),
            contact: None,
            root: "../".to_owned(),
            here: String::new(),
            person: None,
            menu: Vec::new(),
            done: None,
            dev: false,
            docs: false,
        };
        let text = "First.\nStill.\n\n## Why\n- one\n- [two](login)\n\n1. go\n2. <b>\n";
        assert_eq!(
            prose(&look, text).into_string(),
            "<p>First. Still.</p><h2>Why</h2><ul><li>one</li><li><a href=\"../login\">two</a></li></ul>\
             <ol><li>go</li><li>&lt;b&gt;</li></ol>"
        );
    }
}
