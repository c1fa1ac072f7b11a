//! Logging in, in one step or two; logging out; asking for a new password; choosing a language.

use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use cookie::{Cookie, SameSite};
use loquet_domain::values::language::Language;
use maud::html;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Portal;
use super::visit::{Answer, Posted, Visit, add_cookie, own_page, text, told_of};
use crate::design::form::{Field, Form, send};
use crate::responses::localize;

/// How long the choice of a language is kept, in seconds.
const A_YEAR: u64 = 365 * 24 * 60 * 60;

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/login", get(show).post(log_in))
        .route("/login/code", post(second_step))
        .route("/logout", post(log_out))
        .route("/forgot", get(show_forgotten).post(forgotten))
        .route("/language", post(choose_language))
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn show(visit: Visit, Query(Next { next }): Query<Next>) -> Response {
    if visit.is_logged_in() {
        return visit.go(own_page(&next));
    }
    page(&visit, StatusCode::OK, &Form::of([("next", own_page(&next))]))
}

fn page(visit: &Visit, status: StatusCode, form: &Form) -> Response {
    let look = &visit.look;
    let main = html! {
        section.card.narrow {
            h1 { (look.say("login-heading", &[("brand", &look.brand)])) }
            (form.summary(&["/email"]))
            form method="post" action=(look.to("login")) {
                input type="hidden" name="next" value=(form.value("next"));
                (form.field(Field { kind: "email", autocomplete: "username", ..Field::text("email", "/email", &look.t("email")) }))
                (form.field(Field::password("password", "/password", &look.t("password"))))
                (send(look, "log-in"))
            }
            ul.ways {
                li { a href=(look.to("forgot")) { (look.t("forgot-link")) } }
                li { a href=(look.to("help/cannot-log-in")) { (look.t("cannot-log-in-link")) } }
                li { a href=(look.to("help/activate-account")) { (look.t("activate-link")) } }
            }
        }
    };
    look.page(status, &look.t("log-in"), &main)
}

async fn log_in(visit: Visit, posted: Posted) -> Response {
    let body = json!({ "email": posted.get("email"), "password": posted.raw("password") });
    let answer = visit.ask(Method::POST, "/v1/logins", Some(body)).await;
    let next = own_page(posted.get("next"));
    match answer.status {
        StatusCode::CREATED => welcome(&visit, &answer, next),
        StatusCode::OK => {
            let challenge = answer.json();
            let form = Form::of([("challenge", text(&challenge, "challenge")), ("next", next)]);
            code_page(&visit, StatusCode::OK, &form)
        }
        status => page(&visit, status, &posted.again(told_of(&answer))),
    }
}

/// Gives the browser its session, and the token by which it is known again.
fn welcome(visit: &Visit, answer: &Answer, next: &str) -> Response {
    let session = answer.json();
    let ends = text(&session, "expires_at").parse::<DateTime<Utc>>().unwrap_or_default();
    let lasts = (ends - (visit.portal.api.clock)()).num_seconds();
    let mut response = visit.keep_session(visit.go(next), text(&session, "session_token"), lasts);
    for cookie in answer.headers.get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    response
}

fn code_page(visit: &Visit, status: StatusCode, form: &Form) -> Response {
    let look = &visit.look;
    let (label, hint) = (look.t("code"), look.t("code-hint"));
    let code = Field { autocomplete: "one-time-code", hint: &hint, ..Field::text("code", "/code", &label) };
    let main = html! {
        section.card.narrow {
            h1 { (look.t("code-heading")) }
            (form.summary(&["/code"]))
            form method="post" action=(look.to("login/code")) {
                input type="hidden" name="next" value=(form.value("next"));
                input type="hidden" name="challenge" value=(form.value("challenge"));
                (form.field(code))
                (send(look, "log-in"))
            }
            ul.ways {
                li { a href=(look.to("login")) { (look.t("begin-again")) } }
                li { a href=(look.to("contact")) { (look.t("lost-phone")) } }
            }
        }
    };
    look.page(status, &look.t("code-heading"), &main)
}

/// A code of an app has six digits. Everything else is a recovery code.
pub(super) fn code_fields(code: &str) -> Map<String, Value> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let is_of_app = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let (name, value) = if is_of_app { ("code", digits.as_str()) } else { ("recovery_code", code) };
    Map::from_iter([(name.to_owned(), value.into())])
}

async fn second_step(visit: Visit, posted: Posted) -> Response {
    let mut body = code_fields(posted.get("code"));
    body.insert("challenge".to_owned(), posted.get("challenge").into());
    let answer = visit.ask(Method::POST, "/v1/logins/second-step", Some(body.into())).await;
    match answer.status {
        StatusCode::CREATED => welcome(&visit, &answer, own_page(posted.get("next"))),
        status => code_page(&visit, status, &posted.again(told_of(&answer))),
    }
}

async fn log_out(visit: Visit, _: Posted) -> Response {
    // A session that has ended is no reason to stay.
    visit.ask(Method::DELETE, "/v1/sessions/current", None).await;
    visit.keep_session(visit.go("login?done=logged-out"), "", 0)
}

async fn show_forgotten(visit: Visit) -> Response {
    forgotten_page(&visit, StatusCode::OK, &Form::default())
}

fn forgotten_page(visit: &Visit, status: StatusCode, form: &Form) -> Response {
    let look = &visit.look;
    let main = html! {
        section.card.narrow {
            h1 { (look.t("forgot-heading")) }
            p { (look.t("forgot-intro")) }
            (form.summary(&["/email"]))
            form method="post" action=(look.to("forgot")) {
                (form.field(Field { kind: "email", autocomplete: "username", ..Field::text("email", "/email", &look.t("email")) }))
                (send(look, "forgot-send"))
            }
            ul.ways { li { a href=(look.to("login")) { (look.t("back-to-login")) } } }
        }
    };
    look.page(status, &look.t("forgot-heading"), &main)
}

async fn forgotten(visit: Visit, posted: Posted) -> Response {
    let asked =
        visit.do_it(Method::POST, "/v1/password-resets", json!({ "email": posted.get("email") })).await;
    let look = &visit.look;
    match asked {
        Ok(_) => {
            let main = html! {
                section.card.narrow {
                    h1 { (look.t("forgot-sent-heading")) }
                    div role="status" { p { (look.t("forgot-sent-text")) } p { (look.t("forgot-sent-no-mail")) } }
                    ul.ways {
                        li { a href=(look.to("login")) { (look.t("back-to-login")) } }
                        li { a href=(look.to("help/cannot-log-in")) { (look.t("cannot-log-in-link")) } }
                        li { a href=(look.to("contact")) { (look.t("contact")) } }
                    }
                }
            };
            look.page(StatusCode::OK, &look.t("forgot-sent-heading"), &main)
        }
        Err(told) => {
            let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::BAD_REQUEST);
            forgotten_page(&visit, status, &posted.again(told))
        }
    }
}

async fn choose_language(visit: Visit, posted: Posted) -> Response {
    let mut response = visit.go(own_page(posted.get("back")));
    let Some(language) = Language::parse(posted.get("language")) else { return response };
    let cookie = Cookie::build((localize::LANGUAGE, language.code()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .max_age(std::time::Duration::from_secs(A_YEAR).try_into().unwrap_or_default());
    add_cookie(&mut response, &cookie.build());
    response
}
