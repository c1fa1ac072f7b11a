//! `/dev/mail`: the mails of a development server, newest first.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use loquet_domain::values::language::Language;
use maud::html;
use serde::Serialize;

use crate::responses::problem::Problem;
use crate::state::{Api, Shared};
use loquet_http_ports::dev_mails::FiledMail;

pub(crate) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/dev/mail", get(list))
        .route("/dev/mail.json", get(list_json))
        .route("/dev/mail/{name}", get(show))
}

/// A mail, for scripts.
#[derive(Serialize)]
struct MailBody {
    to: String,
    subject: String,
    date: String,
    text: String,
}

async fn all(api: &Api) -> Vec<FiledMail> {
    match &api.dev_mail {
        Some(mails) => mails.list().await,
        None => Vec::new(),
    }
}

async fn list(State(api): Shared) -> Response {
    let mails = all(&api).await;
    let heading = "Mails of this development server";
    let main = html! {
        h1 { (heading) }
        @if mails.is_empty() { p { "There are no mails yet. Deliver an order, and its activation mail appears here." } }
        @for mail in &mails {
            article.card {
                h2 { a href=(format!("mail/{}", mail.name)) { (mail.subject) } }
                p.hint { (mail.to) " · " (mail.date) }
                pre { (mail.text) }
            }
        }
    };
    api.look(Language::En, "../".to_owned()).page(StatusCode::OK, heading, &main)
}

async fn list_json(State(api): Shared) -> Response {
    let body =
        |mail: FiledMail| MailBody { to: mail.to, subject: mail.subject, date: mail.date, text: mail.text };
    Json(all(&api).await.into_iter().map(body).collect::<Vec<_>>()).into_response()
}

/// The mail's own HTML. Its links and inline styles work; scripts and everything remote do not.
async fn show(State(api): Shared, Path(name): Path<String>) -> Result<Response, Problem> {
    let mail = all(&api).await.into_iter().find(|mail| mail.name == name).ok_or_else(Problem::not_found)?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    Ok(([("content-security-policy", policy)], Html(mail.html)).into_response())
}
