//! The look of all pages: the frame around them, the parts that they are made of, and their assets.
//!
//! Templates are Rust functions that the compiler checks. Every text comes from [`crate::words`].

pub(crate) mod assets;
pub(crate) mod branding;
pub(crate) mod form;
pub(crate) mod parts;

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use loquet_domain::values::language::Language;
use loquet_projections::local_time::{Precision, TimeZone, tell};
use maud::{DOCTYPE, Markup, html};

use crate::words;
use branding::Branding;

/// What every page shows around its contents.
#[derive(Clone)]
pub(crate) struct Look {
    pub(crate) language: Language,
    pub(crate) time_zone: TimeZone,
    pub(crate) brand: String,
    /// The supplier's colour and logo.
    pub(crate) branding: Arc<Branding>,
    /// Where people reach support.
    pub(crate) contact: Option<String>,
    /// The way from the page to the root of the server, which may be behind a path of a proxy.
    pub(crate) root: String,
    /// The path of the page, without the leading slash.
    pub(crate) here: String,
    /// Who is logged in.
    pub(crate) person: Option<String>,
    /// The entries of the menu: the path and the word of each.
    pub(crate) menu: Vec<(&'static str, &'static str)>,
    /// The sentence about what was just done.
    pub(crate) done: Option<String>,
    /// Whether the pages of development are there.
    pub(crate) dev: bool,
    /// Whether the API's documentation is there.
    pub(crate) docs: bool,
}

impl Look {
    /// A text of the page.
    pub(crate) fn t(&self, name: &str) -> String {
        words::say(self.language, name, &[])
    }

    /// A text with variables.
    pub(crate) fn say(&self, name: &str, places: &[(&str, &str)]) -> String {
        words::say(self.language, name, places)
    }

    /// The word for a value of a kind: `role-administrator` for the role `administrator`.
    pub(crate) fn t_of(&self, kind: &str, value: &str) -> String {
        let name = format!("{kind}-{}", value.replace('_', "-"));
        if words::has(&name) { self.t(&name) } else { value.replace('_', " ") }
    }

    /// The address of a page, relative to this one.
    pub(crate) fn to(&self, path: &str) -> String {
        match (self.root.as_str(), path) {
            ("", "") => ".".to_owned(),
            (root, path) => format!("{root}{path}"),
        }
    }

    /// A moment as people write it. Returns the text itself if it is none.
    pub(crate) fn moment(&self, text: &str) -> String {
        self.told(text, Precision::Minute)
    }

    /// The day of a moment.
    pub(crate) fn day(&self, text: &str) -> String {
        self.told(text, Precision::Day)
    }

    fn told(&self, text: &str, precision: Precision) -> String {
        match (text.parse::<DateTime<Utc>>(), words::catalogue()) {
            (Ok(moment), Some(words)) => tell(words, self.language, self.time_zone, moment, precision),
            _ => text.to_owned(),
        }
    }

    /// A page with this look.
    pub(crate) fn page(&self, status: StatusCode, title: &str, main: &Markup) -> Response {
        let mut response = (status, Html(self.frame(title, main).into_string())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(self.language.code()));
        // The pages send forms to themselves. Without an origin, such a form could not be told from one of another site.
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::VARY, HeaderValue::from_static("accept-language, cookie"));
        response
    }

    fn frame(&self, title: &str, main: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang=(self.language.code()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " – " (self.brand) }
                    link rel="stylesheet" href=(self.to(&assets::STYLE.path()));
                    @if let Some(style) = self.branding.style() { link rel="stylesheet" href=(self.to(style)); }
                    @match self.branding.logo() {
                        Some(logo) => { link rel="icon" href=(self.to(logo)); }
                        None => { link rel="icon" type="image/svg+xml" href=(self.to(&assets::ICON.path())); }
                    }
                    script src=(self.to(&assets::SCRIPT.path())) defer {}
                }
                body data-show=(self.t("password-show")) {
                    a.skip href="#main" { (self.t("skip")) }
                    (self.header())
                    main id="main" tabindex="-1" {
                        @if let Some(done) = &self.done { p.done role="status" { (done) } }
                        (main)
                    }
                    (self.footer())
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header.top {
                a.brand href=(self.to("")) {
                    @match self.branding.logo() {
                        Some(logo) => { img.logo src=(self.to(logo)) alt="" height="28"; }
                        None => { (parts::latch()) }
                    }
                    span { (self.brand) }
                }
                @if let Some(person) = &self.person {
                    nav.menu aria-label=(self.t("menu")) {
                        ul {
                            @for (path, word) in &self.menu {
                                li { a href=(self.to(path)) aria-current=[(self.entry() == Some(*path)).then_some("page")] { (self.t(word)) } }
                            }
                        }
                    }
                    div.me {
                        a href=(self.to("account")) aria-current=[self.is_at("account").then_some("page")] { (person) }
                        form method="post" action=(self.to("logout")) { button.quiet type="submit" { (self.t("log-out")) } }
                    }
                }
            }
        }
    }

    /// The entry of the menu to which this page belongs: the one whose path is the longest beginning of the page's.
    fn entry(&self) -> Option<&'static str> {
        let fitting = self.menu.iter().map(|(path, _)| *path).filter(|path| self.is_at(path));
        fitting.max_by_key(|path| path.len())
    }

    fn is_at(&self, path: &str) -> bool {
        self.here == path || (!path.is_empty() && self.here.starts_with(&format!("{path}/")))
    }

    fn footer(&self) -> Markup {
        html! {
            footer {
                ul {
                    @if self.person.is_none() { li { a href=(self.to("login")) { (self.t("log-in")) } } }
                    li { a href=(self.to("help")) { (self.t("help")) } }
                    li { a href=(self.to("contact")) { (self.t("contact")) } }
                    @if self.dev { li { a href=(self.to("dev/mail")) { (self.t("dev-mail")) } } }
                    @if self.docs { li { a href=(self.to("docs/")) { (self.t("api-docs")) } } }
                }
                form.languages method="post" action=(self.to("language")) aria-label=(self.t("language")) {
                    input type="hidden" name="back" value=(self.here);
                    @for language in Language::ALL {
                        button.quiet type="submit" name="language" value=(language.code()) lang=(language.code())
                            aria-current=[(language == self.language).then_some("true")] { (own_name(language)) }
                    }
                }
            }
        }
    }
}

/// What a page may load: its own style sheet, script and pictures. It sends forms to this host alone.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The name of a language in that language.
pub(crate) fn own_name(language: Language) -> &'static str {
    match language {
        Language::Fr => "Français",
        Language::Nl => "Nederlands",
        Language::En => "English",
    }
}
