//! The pages of one's own account: profile, password, sessions, devices, logins, and one's data as a file.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use loquet_domain::values::language::Language;
use loquet_projections::mail::Software;
use maud::{Markup, html};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Portal;
use super::visit::{Member, Posted, Refused, text};
use crate::design::form::{Field, Form, send};
use crate::design::parts::{act, badge, empty};
use crate::design::{Look, own_name};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/account", get(profile).post(change_profile))
        .route("/account/password", get(show_password).post(change_password))
        .route("/account/sessions", get(sessions))
        .route("/account/sessions/end", post(end_session))
        .route("/account/devices", get(devices))
        .route("/account/devices/forget", post(forget_device))
        .route("/account/logins", get(logins))
        .route("/account/data", get(data))
        .route("/account/data/{format}", post(data_file))
}

/// The tabs above the pages of an account.
pub(super) fn tabs(look: &Look) -> Markup {
    let tabs = [
        ("account", "tab-profile"),
        ("account/password", "tab-password"),
        ("account/second-step", "tab-second-step"),
        ("account/sessions", "tab-sessions"),
        ("account/devices", "tab-devices"),
        ("account/logins", "tab-logins"),
        ("account/data", "tab-data"),
    ];
    html! {
        nav.tabs aria-label=(look.t("account")) {
            ul {
                @for (path, word) in tabs {
                    li { a href=(look.to(path)) aria-current=[(look.here == path).then_some("page")] { (look.t(word)) } }
                }
            }
        }
    }
}

pub(super) fn page(member: &Member, status: StatusCode, word: &str, main: &Markup) -> Response {
    let look = member.look();
    let main = html! { h1 { (look.t("account")) } (tabs(look)) (main) };
    look.page(status, &look.t(word), &main)
}

pub(super) fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

async fn profile(member: Member) -> Result<Response, Refused> {
    let account = member.visit.get(&member.own("")).await?;
    let form = Form::of([
        ("given_name", text(&account, "given_name")),
        ("family_name", text(&account, "family_name")),
        ("language", text(&account, "language")),
    ]);
    Ok(profile_page(&member, StatusCode::OK, text(&account, "email"), &form))
}

fn profile_page(member: &Member, status: StatusCode, email: &str, form: &Form) -> Response {
    let look = member.look();
    let languages: Vec<_> = Language::ALL
        .iter()
        .map(|language| (language.code().to_owned(), own_name(*language).to_owned()))
        .collect();
    let main = html! {
        section.card {
            h2 { (look.t("tab-profile")) }
            (form.summary(&["/given_name", "/family_name", "/language"]))
            p { (look.t("your-email")) " " strong { (email) } }
            p.hint { (look.t("email-never-changes")) }
            form method="post" action=(look.to("account")) {
                (form.field(Field { autocomplete: "given-name", ..Field::text("given_name", "/given_name", &look.t("given-name")) }))
                (form.field(Field { autocomplete: "family-name", ..Field::text("family_name", "/family_name", &look.t("family-name")) }))
                (form.choice(Field { hint: &look.t("language-hint"), ..Field::text("language", "/language", &look.t("language")) }, &languages))
                (send(look, "save"))
            }
        }
    };
    page(member, status, "tab-profile", &main)
}

async fn change_profile(member: Member, posted: Posted) -> Result<Response, Refused> {
    let body = json!({
        "given_name": posted.get("given_name"), "family_name": posted.get("family_name"), "language": posted.get("language"),
    });
    match member.visit.do_it(Method::PATCH, &member.own(""), body).await {
        Ok(_) => Ok(member.visit.go("account?done=saved")),
        Err(told) => {
            let account = member.visit.get(&member.own("")).await?;
            Ok(profile_page(&member, status_of(told.status), text(&account, "email"), &posted.again(told)))
        }
    }
}

async fn show_password(member: Member) -> Response {
    password_page(&member, StatusCode::OK, &Form::default())
}

fn password_page(member: &Member, status: StatusCode, form: &Form) -> Response {
    let look = member.look();
    let label = look.t("new-password");
    let new =
        Field { autocomplete: "new-password", ..Field::password("new_password", "/new_password", &label) };
    let email =
        member.person.profile.person.known().map(|person| person.email.to_string()).unwrap_or_default();
    let main = html! {
        section.card {
            h2 { (look.t("tab-password")) }
            (form.summary(&["/current_password", "/new_password"]))
            form method="post" action=(look.to("account/password")) {
                input type="text" name="username" value=(email) autocomplete="username" readonly hidden;
                (form.field(Field::password("current_password", "/current_password", &look.t("current-password"))))
                (form.field(new))
                (rules(member, look))
                (send(look, "password-change"))
            }
            p.hint { (look.t("password-change-hint")) }
        }
    };
    page(member, status, "tab-password", &main)
}

/// The rules for a password. The script ticks them as one types; the server judges.
fn rules(member: &Member, look: &Look) -> Markup {
    crate::routes::pages::rules(&member.visit.portal.api, look.language)
}

async fn change_password(member: Member, posted: Posted) -> Response {
    let body = json!({ "current_password": posted.raw("current_password"), "new_password": posted.raw("new_password") });
    match member.visit.do_it(Method::POST, &member.own("/password"), body).await {
        // Every session has ended, this one too.
        Ok(_) => member.visit.keep_session(member.visit.go("login?done=password-changed"), "", 0),
        Err(told) => password_page(&member, status_of(told.status), &posted.again(told)),
    }
}

async fn sessions(member: Member) -> Result<Response, Refused> {
    let look = member.look();
    let sessions = member.visit.list(&member.own("/sessions")).await?;
    let others = sessions.iter().any(|session| session.get("current") != Some(&Value::Bool(true)));
    let main = html! {
        section.card {
            h2 { (look.t("tab-sessions")) }
            p { (look.t("sessions-intro")) }
            ul.rows {
                @for session in &sessions {
                    @let is_current = session.get("current") == Some(&Value::Bool(true));
                    li {
                        div {
                            strong { (browser(look, text(session, "client_agent"))) } " "
                            @if is_current { (badge("good", &look.t("this-one"))) }
                            p.hint { (from(look, session)) " · " (look.t("last-used")) " " (look.moment(text(session, "last_seen_at"))) }
                        }
                        (act(look, "account/sessions/end", if is_current { "log-out" } else { "end" }, "quiet", &[("session", text(session, "session_id"))]))
                    }
                }
            }
            @if others { (act(look, "account/sessions/end", "end-all", "danger", &[])) }
        }
    };
    Ok(page(&member, StatusCode::OK, "tab-sessions", &main))
}

/// A browser and a system in words, from what a browser says of itself.
pub(super) fn browser(look: &Look, agent: &str) -> String {
    match Software::of(agent) {
        Software { browser: Some(browser), system: Some(system) } => {
            look.say("browser-on", &[("browser", &browser), ("system", &system)])
        }
        Software { browser: Some(name), system: None } | Software { browser: None, system: Some(name) } => {
            name
        }
        Software { browser: None, system: None } => look.t("unknown-browser"),
    }
}

fn from(look: &Look, value: &Value) -> String {
    match text(value, "client_address") {
        "" => look.t("unknown-address"),
        address => address.to_owned(),
    }
}

async fn end_session(member: Member, posted: Posted) -> Result<Response, Refused> {
    let session = posted.get("session");
    let path = match session.parse::<Uuid>() {
        Ok(session) => member.own(&format!("/sessions/{session}")),
        Err(_) => member.own("/sessions"),
    };
    let answer = member.visit.ask(Method::DELETE, &path, None).await;
    if !answer.status.is_success() {
        return Err(member.visit.refused(&answer));
    }
    Ok(member.visit.go("account/sessions?done=session-ended"))
}

async fn devices(member: Member) -> Result<Response, Refused> {
    let look = member.look();
    let devices = member.visit.list(&member.own("/devices")).await?;
    let main = html! {
        section.card {
            h2 { (look.t("tab-devices")) }
            p { (look.t("devices-intro")) }
            @if devices.is_empty() { (empty(&look.t("devices-none"))) }
            ul.rows {
                @for device in &devices {
                    li {
                        div {
                            strong { (browser(look, text(device, "client_agent"))) } " "
                            @if device.get("current") == Some(&Value::Bool(true)) { (badge("good", &look.t("this-one"))) }
                            p.hint { (from(look, device)) " · " (look.t("trusted-since")) " " (look.day(text(device, "trusted_since"))) }
                        }
                        (act(look, "account/devices/forget", "forget", "quiet", &[("device", text(device, "device_id"))]))
                    }
                }
            }
            @if devices.len() > 1 { (act(look, "account/devices/forget", "forget-all", "danger", &[])) }
        }
    };
    Ok(page(&member, StatusCode::OK, "tab-devices", &main))
}

async fn forget_device(member: Member, posted: Posted) -> Result<Response, Refused> {
    let path = match posted.get("device").parse::<Uuid>() {
        Ok(device) => member.own(&format!("/devices/{device}")),
        Err(_) => member.own("/devices"),
    };
    let answer = member.visit.ask(Method::DELETE, &path, None).await;
    if !answer.status.is_success() {
        return Err(member.visit.refused(&answer));
    }
    Ok(member.visit.go("account/devices?done=device-forgotten"))
}

async fn logins(member: Member) -> Result<Response, Refused> {
    let look = member.look();
    let attempts = member.visit.list(&member.own("/logins")).await?;
    let main = html! {
        section.card {
            h2 { (look.t("tab-logins")) }
            p { (look.t("logins-intro")) }
            (attempts_table(look, &attempts))
        }
    };
    Ok(page(&member, StatusCode::OK, "tab-logins", &main))
}

/// The attempts to log in, the newest first.
pub(super) fn attempts_table(look: &Look, attempts: &[Value]) -> Markup {
    html! {
        @if attempts.is_empty() { (empty(&look.t("logins-none"))) } @else {
            table {
                thead { tr { th { (look.t("when")) } th { (look.t("what")) } th { (look.t("where-from")) } } }
                tbody {
                    @for attempt in attempts {
                        @let outcome = text(attempt, "outcome");
                        tr {
                            td data-label=(look.t("when")) { (look.moment(text(attempt, "at"))) }
                            td data-label=(look.t("what")) { (badge(if outcome == "succeeded" { "good" } else { "bad" }, &look.t_of("attempt", outcome))) }
                            td data-label=(look.t("where-from")) { (browser(look, text(attempt, "client_agent"))) br; span.hint { (from(look, attempt)) } }
                        }
                    }
                }
            }
        }
    }
}

async fn data(member: Member) -> Response {
    let look = member.look();
    let main = html! {
        section.card {
            h2 { (look.t("tab-data")) }
            p { (look.t("data-intro")) }
            div.buttons {
                form method="post" action=(look.to("account/data/text")) { button type="submit" { (look.t("data-text")) } }
                form method="post" action=(look.to("account/data/json")) { button.quiet type="submit" { (look.t("data-json")) } }
            }
        }
    };
    page(&member, StatusCode::OK, "tab-data", &main)
}

async fn data_file(member: Member, Path(format): Path<String>, _: Posted) -> Result<Response, Refused> {
    let (kind, name) = match format.as_str() {
        "json" => ("application/json", "my-data.json"),
        _ => ("text/plain", "my-data.txt"),
    };
    let answer = member.visit.ask_for(Method::POST, &member.own("/data-export"), kind).await;
    if !answer.status.is_success() {
        return Err(member.visit.refused(&answer));
    }
    let headers = [
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, answer.body).into_response())
}
