//! For auditors: extracts of the history, to download.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use chrono::{Days, NaiveDate};
use maud::{Markup, html};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Portal;
use super::audit::{beginning, tabs, without_null};
use super::own::status_of;
use super::support::Staff;
use super::visit::{Posted, Refused, text};
use crate::design::Look;
use crate::design::form::{Field, Form, send, ticks};
use crate::design::parts::{badge, empty};
use crate::routes::accounts::personal_data::text::Sentence;

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/audit/exports", get(show).post(begin))
        .route("/audit/exports/{id}/archive", get(download))
}

async fn show(staff: Staff) -> Result<Response, Refused> {
    page(&staff, StatusCode::OK, &Form::default(), false).await
}

async fn begin(staff: Staff, posted: Posted) -> Result<Response, Refused> {
    let look = staff.look();
    // The last day belongs to the period.
    let to = posted.get("to").parse::<NaiveDate>().ok().and_then(|day| day.checked_add_days(Days::new(1)));
    let states = posted.get("states") == "on";
    let asked = without_null(json!({
        "from": beginning(look, posted.get("from")), "to": to.and_then(|day| beginning(look, &day.to_string())),
        "states": states, "reason": Some(posted.get("reason")).filter(|reason| !reason.is_empty()),
    }));
    match staff.member.visit.do_it(Method::POST, "/v1/audit/exports", asked).await {
        Ok(_) => Ok(staff.member.visit.go("audit/exports?done=export-begun")),
        Err(told) => page(&staff, status_of(told.status), &posted.again(told), states).await,
    }
}

async fn page(staff: &Staff, status: StatusCode, form: &Form, states: bool) -> Result<Response, Refused> {
    let look = staff.look();
    let kept = staff.member.visit.list("/v1/audit/exports").await?;
    let label = |name: &str| look.t_of("export", name);
    let day = |name: &'static str, pointer: &'static str, label: &str| {
        form.field(Field { kind: "date", required: false, ..Field::text(name, pointer, label) })
    };
    let on = [("on".to_owned(), look.t("export-states-on"))];
    let main = html! {
        (tabs(look, "audit/exports"))
        h1 { (look.t("exports-heading")) }
        p.lead { (look.t("exports-lead")) }
        section.card {
            (form.summary(&["/from", "/to", "/reason"]))
            form method="post" action=(look.to("audit/exports")) {
                (form.field(Field { hint: &look.t("export-reason-hint"), ..Field::text("reason", "/reason", &label("reason")) }))
                div.row {
                    (day("from", "/from", &label("from")))
                    (day("to", "/to", &label("to")))
                }
                (ticks(&look.t("export-states"), "states", &on, |_| states))
                (send(look, "export-begin"))
            }
        }
        section.card {
            h2 { (look.t("exports-kept")) }
            (list(look, &kept))
            p.hint { (look.t("exports-verify")) " " code { "loquet audit check-export DIRECTORY --public-key public.key" } }
        }
    };
    Ok(look.page(status, &look.t("exports-heading"), &main))
}

/// The extracts. A script asks for them again while one is under way.
fn list(look: &Look, kept: &[Value]) -> Markup {
    let is_under_way = kept.iter().any(|export| text(export, "status") == "under_way");
    html! {
        div #followed data-follow[is_under_way] {
            @if kept.is_empty() { (empty(&look.t("exports-none"))) }
            @if is_under_way { p { a.button.quiet href=(look.to("audit/exports")) { (look.t("export-look-again")) } } }
            ul.rows { @for export in kept { li { (row(look, export)) } } }
        }
    }
}

fn row(look: &Look, export: &Value) -> Markup {
    let number = |name: &str| export.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (position, end) = (number("position"), number("end"));
    let status = text(export, "status");
    html! {
        div {
            strong { (period(look, export)) } " "
            @match status {
                "finished" => { (badge("good", &look.t_of("export-status", status))) }
                "failed" => { (badge("bad", &look.t_of("export-status", status))) }
                _ => { (badge("plain", &look.t_of("export-status", status))) }
            }
            p.hint { (look.moment(text(export, "at"))) " · " (Sentence::of(look.language, export).by) }
            @if let Some(reason) = export.get("reason").and_then(Value::as_str) { p { em { (reason) } } }
            @if status == "under_way" {
                progress max=(end) value=(position) aria-label=(look.t("export-progress")) {}
                p.hint { (look.say("export-read", &[("position", &position.to_string()), ("end", &end.to_string())])) }
            }
            @if status == "failed" { p.problem lang="en" { (text(export, "failure")) } }
        }
        @if status == "finished" {
            div {
                a.button href=(look.to(&format!("audit/exports/{}/archive", text(export, "export_id")))) { (look.t("export-download")) }
                p.hint {
                    (look.say("export-holds", &[
                        ("events", &number("events").to_string()), ("size", &megabytes(look, number("bytes"))),
                        ("until", &look.moment(text(export, "until"))),
                    ]))
                }
            }
        }
    }
}

/// The days of an extract, in words.
fn period(look: &Look, export: &Value) -> String {
    // The last moment that belongs to the period is on its last day.
    let last = text(export, "to").parse::<chrono::DateTime<chrono::Utc>>().ok();
    let last = last.and_then(|to| to.checked_sub_signed(chrono::TimeDelta::microseconds(1)));
    let last = last.map(|last| look.day(&last.to_rfc3339()));
    let first = Some(text(export, "from")).filter(|from| !from.is_empty()).map(|from| look.day(from));
    match (first, last) {
        (Some(first), Some(last)) => look.say("export-between", &[("first", &first), ("last", &last)]),
        (Some(first), None) => look.say("export-since", &[("first", &first)]),
        (None, Some(last)) => look.say("export-up-to", &[("last", &last)]),
        (None, None) => look.t("export-everything"),
    }
}

/// A size in megabytes, with one decimal, as the language writes it.
fn megabytes(look: &Look, bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    look.say("megabytes", &[("whole", &(tenths / 10).to_string()), ("tenth", &(tenths % 10).to_string())])
}

async fn download(staff: Staff, Path(id): Path<Uuid>) -> Result<Response, Refused> {
    staff.member.visit.fetch(&format!("/v1/audit/exports/{id}/archive")).await
}
