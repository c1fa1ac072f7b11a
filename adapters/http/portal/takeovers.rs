//! The take-overs that a company has part in, and its agreement to them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use maud::html;
use serde_json::Value;
use uuid::Uuid;

use super::Portal;
use super::visit::{Member, Posted, Refused, text};
use crate::design::parts::{act, badge, empty, facts};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/takeovers", get(list)).route("/takeovers/{takeover}/confirm", post(confirm))
}

async fn list(member: Member) -> Result<Response, Refused> {
    let look = member.look();
    let takeovers = member.visit.list("/v1/takeovers").await?;
    let own = member.person.profile.company.to_string();
    let main = html! {
        h1 { (look.t("menu-takeovers")) }
        p { (look.t("takeovers-intro")) " " a href=(look.to("help/takeover-duration")) { (look.t("help-takeover-duration-title")) } }
        @if takeovers.is_empty() { section.card { (empty(&look.t("takeovers-none"))) } }
        @for takeover in &takeovers {
            @let status = text(takeover, "status");
            @let waits: Vec<&str> = takeover.get("waits_for").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            @let side = if text(takeover, "from_company_id") == own { "transferor" } else { "acquirer" };
            @let count = |name: &str| takeover.get(name).and_then(Value::as_array).map_or(0, Vec::len).to_string();
            section.card {
                h2 { (text(takeover, "reference")) " " (badge(if status == "completed" { "good" } else { "plain" }, &look.t_of("takeover", status))) }
                p { (look.t_of("takeover-side", side)) }
                (facts(&[
                    (look.t("takeover-due"), html! { (look.day(text(takeover, "due_at"))) }),
                    (look.t("takeover-goes-along"), html! { (look.say("takeover-counts", &[("sites", &count("site_ids")), ("terminals", &count("terminal_ids")), ("accounts", &count("account_ids"))])) }),
                    (look.t("takeover-waits-for"), html! { @if waits.is_empty() { (look.t("nobody")) } @else { @for (number, who) in waits.iter().enumerate() { @if number > 0 { ", " } (look.t_of("takeover-waits", who)) } } }),
                ]))
                @if waits.iter().any(|who| **who == format!("{side}_confirmation")) {
                    div.buttons { (act(look, &format!("takeovers/{}/confirm", text(takeover, "takeover_id")), "takeover-agree", "", &[])) }
                }
            }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("menu-takeovers"), &main))
}

async fn confirm(member: Member, Path(takeover): Path<Uuid>, _: Posted) -> Result<Response, Refused> {
    let answer =
        member.visit.ask(Method::POST, &format!("/v1/takeovers/{takeover}/confirmation"), None).await;
    match answer.status.is_success() {
        true => Ok(member.visit.go("takeovers?done=takeover-agreed")),
        false => Err(member.visit.refused(&answer)),
    }
}
