//! The second step of one's own account: turning it on with a QR code, the recovery codes, and turning it off.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::Portal;
use super::entry::code_fields;
use super::own::{page, status_of};
use super::visit::{Member, Posted, Refused, text};
use crate::design::form::{Field, Form, send};
use crate::design::parts::{ask_first, badge};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/account/second-step", get(show))
        .route("/account/second-step/begin", post(begin))
        .route("/account/second-step/confirm", post(confirm))
        .route("/account/second-step/codes", post(new_codes))
        .route("/account/second-step/off", post(turn_off))
}

async fn show(member: Member) -> Result<Response, Refused> {
    state_page(&member, StatusCode::OK, &Form::default()).await
}

async fn state_page(member: &Member, status: StatusCode, form: &Form) -> Result<Response, Refused> {
    let look = member.look();
    let state = member.visit.get(&member.own("/second-step")).await?;
    let is_on = state.get("on") == Some(&Value::Bool(true));
    let left = state.get("recovery_codes_left").and_then(Value::as_u64).unwrap_or_default();
    let password =
        || form.field(Field::password("current_password", "/current_password", &look.t("current-password")));
    let code = || {
        form.field(Field {
            autocomplete: "one-time-code",
            hint: &look.t("code-hint"),
            ..Field::text("code", "/code", &look.t("code"))
        })
    };
    let main = html! {
        section.card {
            h2 { (look.t("tab-second-step")) " " @if is_on { (badge("good", &look.t("on"))) } @else { (badge("plain", &look.t("off"))) } }
            (form.summary(&["/current_password", "/code"]))
            p { (look.t("second-step-intro")) }
            @if is_on {
                p { (look.say("codes-left", &[("count", &left.to_string())])) }
                (ask_first(look, "codes-new", &look.t("codes-new-question"), &html! {
                    form method="post" action=(look.to("account/second-step/codes")) { (password()) (code()) (send(look, "codes-new")) }
                }))
                (ask_first(look, "second-step-off", &look.t("second-step-off-question"), &html! {
                    form method="post" action=(look.to("account/second-step/off")) { (password()) (code()) button.danger type="submit" { (look.t("second-step-off")) } }
                }))
            } @else {
                ol.steps {
                    li { (look.t("second-step-1")) }
                    li { (look.t("second-step-2")) }
                    li { (look.t("second-step-3")) }
                }
                form method="post" action=(look.to("account/second-step/begin")) { (password()) (send(look, "second-step-begin")) }
            }
        }
    };
    Ok(page(member, status, "tab-second-step", &main))
}

async fn begin(member: Member, posted: Posted) -> Result<Response, Refused> {
    let body = json!({ "current_password": posted.raw("current_password") });
    match member.visit.do_it(Method::POST, &member.own("/second-step"), body).await {
        Ok(answer) => Ok(scan_page(&member, StatusCode::OK, &answer.json(), &Form::default())),
        Err(told) => state_page(&member, status_of(told.status), &posted.again(told)).await,
    }
}

/// The picture to scan. The secret travels with the form, so that a wrong code shows the same picture again.
fn scan_page(member: &Member, status: StatusCode, enrolment: &Value, form: &Form) -> Response {
    let look = member.look();
    let secret = text(enrolment, "secret");
    let spaced: Vec<String> =
        secret.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect();
    let picture = format!("data:image/svg+xml;base64,{}", STANDARD.encode(text(enrolment, "qr_svg")));
    let main = html! {
        section.card {
            h2 { (look.t("scan-heading")) }
            (form.summary(&["/code"]))
            ol.steps {
                li { (look.t("scan-1"))
                    img.qr src=(picture) alt=(look.t("scan-alt")) width="240" height="240";
                    p.hint { (look.t("scan-secret")) " " code.secret { (spaced.join(" ")) } }
                }
                li { (look.t("scan-2"))
                    form method="post" action=(look.to("account/second-step/confirm")) {
                        input type="hidden" name="secret" value=(secret);
                        input type="hidden" name="qr_svg" value=(text(enrolment, "qr_svg"));
                        (form.field(Field { autocomplete: "one-time-code", ..Field::text("code", "/code", &look.t("code")) }))
                        (send(look, "second-step-confirm"))
                    }
                }
            }
        }
    };
    page(member, status, "scan-heading", &main)
}

async fn confirm(member: Member, posted: Posted) -> Response {
    let code: String = posted.get("code").chars().filter(|c| !c.is_whitespace()).collect();
    match member
        .visit
        .do_it(Method::POST, &member.own("/second-step/confirmation"), json!({ "code": code }))
        .await
    {
        Ok(answer) => codes_page(&member, &answer.json()),
        Err(told) => {
            let enrolment = json!({ "secret": posted.get("secret"), "qr_svg": posted.raw("qr_svg") });
            scan_page(&member, status_of(told.status), &enrolment, &posted.again(told))
        }
    }
}

/// The recovery codes. They are shown once.
fn codes_page(member: &Member, answer: &Value) -> Response {
    let look = member.look();
    let codes: Vec<&str> = answer
        .get("recovery_codes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let main = html! {
        section.card.codes {
            h2 { (look.say("codes-heading", &[("brand", &look.brand)])) }
            p role="status" { (look.t("codes-intro")) }
            ol { @for code in &codes { li { code { (code) } } } }
            p.hint { (look.t("codes-print")) }
            div.buttons { (done(member)) }
        }
    };
    page(member, StatusCode::OK, "tab-second-step", &main)
}

fn done(member: &Member) -> Markup {
    let look = member.look();
    html! {
        button.quiet type="button" data-print hidden { (look.t("print")) }
        a.button href=(look.to("account/second-step?done=second-step-on")) { (look.t("codes-kept")) }
    }
}

fn with_code(posted: &Posted) -> Value {
    let mut body = code_fields(posted.get("code"));
    body.insert("current_password".to_owned(), posted.raw("current_password").into());
    body.into()
}

async fn new_codes(member: Member, posted: Posted) -> Result<Response, Refused> {
    let path = member.own("/second-step/recovery-codes");
    match member.visit.do_it(Method::POST, &path, with_code(&posted)).await {
        Ok(answer) => Ok(codes_page(&member, &answer.json())),
        Err(told) => state_page(&member, status_of(told.status), &posted.again(told)).await,
    }
}

async fn turn_off(member: Member, posted: Posted) -> Result<Response, Refused> {
    match member.visit.do_it(Method::POST, &member.own("/second-step/removal"), with_code(&posted)).await {
        Ok(_) => Ok(member.visit.go("account/second-step?done=second-step-off")),
        Err(told) => state_page(&member, status_of(told.status), &posted.again(told)).await,
    }
}
