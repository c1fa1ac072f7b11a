//! The pages that mailed links lead to: plain HTML forms, no script needed.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use loquet_domain::Moment;
use loquet_domain::account::Role;
use loquet_domain::app::Failure;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Purpose;
use loquet_domain::values::language::Language;
use loquet_domain::values::password::Password;
use serde::Deserialize;

use crate::caller::Arrival;
use crate::extractors::devices;
use crate::extractors::devices::Devices;
use crate::responses::carry_out::to_its_end;
use crate::responses::localize::{as_places, language, say};
use crate::responses::problem::Problem;
use crate::state::{Api, Shared};

pub(crate) fn open_routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/", get(home))
        .route("/style.css", get(style))
        .route("/icon.svg", get(icon))
        .route("/favicon.ico", get(icon))
}

/// The pages to which links lead. They are limited like other routes for anonymous callers.
pub(crate) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/activate", get(show_activation).post(activate))
        .route("/reset", get(show_reset).post(reset))
}

async fn style() -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, include_str!("../templates/style.css"))
}

/// The icon of a page. Browsers ask for `/favicon.ico` where no page names another one, as for a JSON answer.
async fn icon() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=86400")];
    (headers, include_str!("../templates/icon.svg"))
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    brand: &'a str,
    dev: bool,
}

async fn home(State(api): Shared) -> Response {
    page(StatusCode::OK, Home { brand: &api.brand, dev: api.dev_mail.is_some() }.render())
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    language: &'static str,
    brand: &'a str,
    heading: String,
    intro: String,
    label: String,
    rules: Vec<String>,
    save: String,
    token: &'a str,
    faults: Vec<String>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    language: &'static str,
    brand: &'a str,
    heading: String,
    text: String,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
struct Chosen {
    #[serde(default)]
    token: String,
    #[serde(default)]
    password: String,
}

async fn show_activation(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Response {
    let language = language(&headers);
    match api.app.check_link(arrival.at, Purpose::Activation, &link.token).await {
        Ok(()) => form(&api, Purpose::Activation, language, &link.token, Vec::new()),
        Err(failure) => activation_refused(&api, language, &link.token, failure, arrival.at).await,
    }
}

async fn show_reset(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Response {
    let (language, context, acting) = (language(&headers), arrival.anonymous(), api.clone());
    let (Devices(devices), token) = (Devices::of(&headers), link.token.clone());
    // A person who opens the link from their mail may then log in from here, even if a flood by other anonymous
    // callers has locked the account.
    let opened = to_its_end(async move { acting.app.open_reset_link(&context, &token, &devices).await });
    match opened.await {
        Ok(Ok(given)) => {
            let page = form(&api, Purpose::PasswordReset, language, &link.token, Vec::new());
            devices::keep(page, given.as_ref(), arrival.at)
        }
        Ok(Err(failure)) => refused(&api, language, Problem::of(failure, arrival.at)),
        Err(problem) => refused(&api, language, problem),
    }
}

async fn activate(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Form(chosen): Form<Chosen>,
) -> Response {
    choose(api, Purpose::Activation, arrival, language(&headers), chosen).await
}

async fn reset(
    State(api): Shared,
    arrival: Arrival,
    headers: HeaderMap,
    Form(chosen): Form<Chosen>,
) -> Response {
    choose(api, Purpose::PasswordReset, arrival, language(&headers), chosen).await
}

async fn choose(
    api: Arc<Api>,
    purpose: Purpose,
    arrival: Arrival,
    language: Language,
    chosen: Chosen,
) -> Response {
    if let Err(problem) = api.admit_with_link(&arrival, purpose, &chosen.token) {
        return problem.into_response();
    }
    let context = arrival.anonymous();
    let (acting, token) = (api.clone(), chosen.token.clone());
    let password = Password::new(chosen.password);
    let done = to_its_end(async move {
        match purpose {
            Purpose::Activation => acting.app.activate(&context, &token, password).await,
            Purpose::PasswordReset => acting.app.reset_password(&context, &token, password).await,
        }
    });
    match done.await {
        Ok(Ok(_)) => {
            let waits = match api.app.tokens().read_link(purpose, &chosen.token) {
                Some(claims) => awaits_conversion(&api, claims.account).await,
                None => false,
            };
            let text = if waits { "done-waits-text" } else { "done-text" };
            let (heading, text) = (say(language, "done-heading", &[]), say(language, text, &[]));
            message(&api, StatusCode::OK, language, heading, text)
        }
        Ok(Err(Failure::WeakPassword(rules))) => {
            let problem = Problem::weak_password("/password", &rules);
            form(&api, purpose, language, &chosen.token, sentences(language, &problem))
        }
        Ok(Err(failure)) if purpose == Purpose::Activation => {
            activation_refused(&api, language, &chosen.token, failure, arrival.at).await
        }
        Ok(Err(failure)) => refused(&api, language, Problem::of(failure, arrival.at)),
        Err(problem) => refused(&api, language, problem),
    }
}

/// A person who opens the link again, or presses the button twice, has an account. The page says so.
async fn activation_refused(
    api: &Api,
    language: Language,
    token: &str,
    failure: Failure,
    at: Moment,
) -> Response {
    if let Some(claims) = api.app.tokens().read_link(Purpose::Activation, token)
        && api.app.account(claims.account).await.is_ok_and(|account| account.active().is_some())
    {
        let waits = awaits_conversion(api, claims.account).await;
        let text = if waits { "active-waits-text" } else { "active-text" };
        let (heading, text) = (say(language, "active-heading", &[]), say(language, text, &[]));
        return message(api, StatusCode::OK, language, heading, text);
    }
    refused(api, language, Problem::of(failure, at))
}

/// Whether the account belongs to a temporary administrator, who can't log in yet. If that can't be read, the page says
/// what is true of most accounts, and the login says the rest.
async fn awaits_conversion(api: &Api, account: AccountId) -> bool {
    let account = api.app.account(account).await.unwrap_or_default();
    account.profile().is_some_and(|profile| profile.role == Role::TemporaryAdministrator)
}

fn form(api: &Api, purpose: Purpose, language: Language, token: &str, faults: Vec<String>) -> Response {
    let kind = match purpose {
        Purpose::Activation => "activate",
        Purpose::PasswordReset => "reset",
    };
    let places = [("brand", api.brand.as_str())];
    let status = if faults.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let template = PasswordPage {
        language: language.code(),
        brand: &api.brand,
        heading: say(language, &format!("{kind}-heading"), &places),
        intro: say(language, &format!("{kind}-intro"), &places),
        label: say(language, "password-label", &[]),
        rules: rules(api, language),
        save: say(language, "save", &[]),
        token,
        faults,
    };
    page(status, template.render())
}

/// The rules for a password, as sentences.
fn rules(api: &Api, language: Language) -> Vec<String> {
    sentences(language, &Problem::weak_password("/password", &api.app.policies().password.rules()))
}

fn sentences(language: Language, problem: &Problem) -> Vec<String> {
    problem.faults.iter().map(|fault| say(language, fault.rule, &as_places(&fault.places))).collect()
}

fn refused(api: &Api, language: Language, problem: Problem) -> Response {
    let detail = say(language, &format!("{}-detail", problem.slug), &[]);
    message(api, problem.status, language, say(language, "not-done-heading", &[]), detail)
}

fn message(api: &Api, status: StatusCode, language: Language, heading: String, text: String) -> Response {
    page(status, MessagePage { language: language.code(), brand: &api.brand, heading, text }.render())
}

#[derive(Template)]
#[template(path = "recovery.html")]
struct RecoveryPage<'a> {
    language: &'static str,
    brand: &'a str,
    heading: String,
    text: String,
    codes: &'a [String],
}

/// The recovery codes on a page to print. `None` if the template fails.
pub(crate) fn recovery_codes_page(brand: &str, language: Language, codes: &[String]) -> Option<String> {
    let heading = say(language, "recovery-heading", &[("brand", brand)]);
    let text = say(language, "recovery-text", &[]);
    RecoveryPage { language: language.code(), brand, heading, text, codes }.render().ok()
}

pub(crate) fn page(status: StatusCode, rendered: Result<String, askama::Error>) -> Response {
    match rendered {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").into_response(),
    }
}
