//! For auditors and the rest of the staff: the history of the whole log, lockouts under other policies, and the proof of the
//! log.

use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use loquet_domain::policies::lockout::LockoutPolicy;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Portal;
use super::support::{Links, Staff, timeline};
use super::visit::{Refused, Visit, encoded, text, told_of};
use crate::design::Look;
use crate::design::form::{Field, Form, ticks};
use crate::design::parts::{badge, empty, facts};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new()
        .route("/audit", get(history))
        .route("/audit/what-if", get(what_if))
        .route("/audit/proof", get(proof))
}

/// The pages of this part, and their names.
const TABS: [(&str, &str); 4] = [
    ("audit", "tab-history"),
    ("audit/what-if", "tab-what-if"),
    ("audit/proof", "tab-proof"),
    ("audit/exports", "tab-exports"),
];

pub(super) fn tabs(look: &Look, here: &str) -> Markup {
    html! {
        nav.tabs aria-label=(look.t("menu-history")) {
            ul { @for (path, name) in TABS {
                li { a href=(look.to(path)) aria-current=[(path == here).then_some("page")] { (look.t(name)) } }
            } }
        }
    }
}

/// What events can concern: the categories of streams.
const CATEGORIES: [&str; 11] = [
    "account",
    "email",
    "company",
    "order",
    "terminals",
    "serial",
    "access",
    "receipt",
    "logo",
    "takeover",
    "administration",
];

/// Events on one page.
const SHOWN: usize = 100;
/// The most events that the API gives at once.
const PAGE: usize = 200;
/// How many pages of the API are read for one page, if few events match.
const LOOKS: usize = 20;

#[derive(Deserialize, Default)]
struct Sought {
    #[serde(default)]
    category: String,
    #[serde(default)]
    r#type: String,
    /// The first day, in the time zone of the portal. Empty: from the beginning. Absent: the last days.
    since: Option<String>,
    #[serde(default)]
    cursor: String,
}

impl Sought {
    /// The parameters of the API, without the place where a page begins.
    fn query(&self, look: &Look) -> String {
        let words = [("category", self.category.trim()), ("type", self.r#type.trim())];
        let words = words.into_iter().filter(|(_, value)| !value.is_empty());
        let since = beginning(look, self.since.as_deref().unwrap_or_default())
            .map(|moment| ("since", moment.to_rfc3339()));
        let all = words.map(|(name, value)| (name, value.to_owned())).chain(since);
        all.map(|(name, value)| format!("&{name}={}", encoded(&value))).collect()
    }

    /// The same search from a place of the log.
    fn page(&self, cursor: &str) -> String {
        let since = self.since.as_deref().unwrap_or_default();
        let fields = [("category", self.category.as_str()), ("type", &self.r#type), ("since", since)];
        let fields = fields.map(|(name, value)| format!("{name}={}", encoded(value)));
        format!("audit?{}&cursor={}", fields.join("&"), encoded(cursor))
    }
}

/// The beginning of a day in the time zone of the portal.
pub(super) fn beginning(look: &Look, day: &str) -> Option<DateTime<Utc>> {
    let day: NaiveDate = day.trim().parse().ok()?;
    let local = look.time_zone.from_local_datetime(&day.and_time(NaiveTime::MIN));
    local.earliest().map(|moment| moment.with_timezone(&Utc))
}

/// Events of the whole log.
pub(super) struct Found {
    pub(super) events: Vec<Value>,
    /// Where the next page begins.
    cursor: String,
    /// Whether the log ends there.
    is_end: bool,
}

/// At most `most` events of the log, from a place on. Every page of the feed names a place to go on, also the last one.
pub(super) async fn events(
    visit: &Visit,
    query: &str,
    cursor: String,
    most: usize,
) -> Result<Found, Refused> {
    let mut found = Found { events: Vec::new(), cursor, is_end: false };
    for _ in 0..LOOKS {
        let from = match found.cursor.as_str() {
            "" => String::new(),
            cursor => format!("&cursor={}", encoded(cursor)),
        };
        let wanted = (most - found.events.len()).min(PAGE);
        let page = visit.get(&format!("/v1/events?limit={wanted}{query}{from}")).await?;
        found.events.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
        text(&page, "next_cursor").clone_into(&mut found.cursor);
        let head = page.get("position").map(ToString::to_string);
        found.is_end = head.as_deref() == Some(found.cursor.as_str());
        if found.is_end || found.events.len() >= most {
            break;
        }
    }
    Ok(found)
}

/// How many days the history shows if nobody says from when on.
const RECENT: u64 = 7;

async fn history(staff: Staff, Query(mut sought): Query<Sought>) -> Result<Response, Refused> {
    let look = staff.look();
    let visit = &staff.member.visit;
    let today = (visit.portal.api.clock)().with_timezone(&look.time_zone).date_naive();
    let recent = || today.checked_sub_days(Days::new(RECENT)).map(|day| day.to_string());
    sought.since = sought.since.take().or_else(recent);
    let Found { events: found, cursor, is_end } =
        events(visit, &sought.query(look), sought.cursor.clone(), SHOWN).await?;
    let form = Form::of([
        ("category", sought.category.as_str()),
        ("type", sought.r#type.as_str()),
        ("since", sought.since.as_deref().unwrap_or_default()),
    ]);
    let every = std::iter::once((String::new(), look.t("category-all")));
    let categories: Vec<_> = every
        .chain(CATEGORIES.map(|category| (category.to_owned(), look.t_of("category", category))))
        .collect();
    let main = html! {
        (tabs(look, "audit"))
        h1 { (look.t("history-heading")) }
        section.card {
            form.row method="get" action=(look.to("audit")) role="search" {
                (form.choice(Field { required: false, ..Field::text("category", "?category", &look.t("history-category")) }, &categories))
                (form.field(Field { required: false, hint: &look.t("history-type-hint"), ..Field::text("type", "?type", &look.t("history-type")) }))
                (form.field(Field { required: false, kind: "date", ..Field::text("since", "?since", &look.t("history-since")) }))
                button type="submit" { (look.t("filter")) }
            }
        }
        section.card {
            @if found.is_empty() { (empty(&look.t("history-none"))) }
            @else { (timeline(look, &found, Links::ToStories)) }
            @if is_end { p.hint { (look.t("history-end")) } }
            @else { p { a.button.quiet href=(look.to(&sought.page(&cursor))) rel="next" { (look.t("history-later")) } } }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("history-heading"), &main))
}

#[derive(Deserialize)]
struct Question {
    attempts: Option<String>,
    minutes: Option<String>,
    #[serde(default)]
    cap: String,
    #[serde(default)]
    devices: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
}

/// A number of a form, as JSON. What is no number is sent as zero, which every rule refuses, so that the answer names all
/// broken rules at once.
fn number(text: &str) -> Value {
    serde_json::from_str(text.trim()).ok().filter(Value::is_number).unwrap_or_else(|| json!(0))
}

fn policy(policy: LockoutPolicy, trusts_devices: bool) -> Value {
    json!({
        "attempts": policy.attempts(), "duration_seconds": policy.duration().num_seconds(), "cap": policy.cap(),
        "trusted_devices": trusts_devices,
    })
}

/// What is compared: the name of a number in the answer of the API.
const MEASURES: [&str; 6] =
    ["lockouts", "accounts_locked", "guesses_judged", "guesses_stopped", "logins_refused", "owners_kept_out"];

async fn what_if(staff: Staff, Query(asked): Query<Question>) -> Result<Response, Refused> {
    let look = staff.look();
    let visit = &staff.member.visit;
    let in_force = visit.portal.api.app.policies();
    let (lockout, trusts) = (in_force.lockout, in_force.trusted_devices.is_some());
    let is_asked = asked.attempts.is_some();
    let attempts = asked.attempts.unwrap_or_else(|| lockout.attempts().to_string());
    let minutes = asked.minutes.unwrap_or_else(|| lockout.duration().num_minutes().to_string());
    let devices = if is_asked { asked.devices == "on" } else { trusts };
    let mut form = Form::of([
        ("attempts", attempts.as_str()),
        ("minutes", minutes.as_str()),
        ("cap", asked.cap.as_str()),
        ("from", asked.from.as_str()),
        ("to", asked.to.as_str()),
    ]);
    let mut answer = None;
    if is_asked {
        // The last day belongs to the period.
        let after =
            asked.to.trim().parse::<NaiveDate>().ok().and_then(|day| day.checked_add_days(Days::new(1)));
        let seconds = minutes.trim().parse::<u32>().ok().and_then(|minutes| minutes.checked_mul(60));
        let cap = if asked.cap.trim().is_empty() { Value::Null } else { number(&asked.cap) };
        let tried = json!({
            "attempts": number(&attempts), "duration_seconds": seconds.map_or_else(|| number(&minutes), Value::from),
            "cap": cap, "trusted_devices": devices,
        });
        let question = json!({
            "from": beginning(look, &asked.from), "policies": [without_null(tried), without_null(policy(lockout, trusts))],
            "to": after.and_then(|day| beginning(look, &day.to_string())),
        });
        let told = visit.ask(Method::POST, "/v1/audit/what-if", Some(without_null(question))).await;
        match told.status.is_success() {
            true => answer = Some(told.json()),
            false if told.status.is_server_error() || told.status == StatusCode::UNAUTHORIZED => {
                return Err(visit.refused(&told));
            }
            false => form = form.told(told_of(&told)),
        }
    }
    let fields = [
        ("attempts", "/policies/0/attempts", "", true, "number"),
        ("minutes", "/policies/0/duration_seconds", "", true, "number"),
        ("cap", "/policies/0/cap", "what-if-cap-hint", false, "number"),
        ("from", "/from", "", false, "date"),
        ("to", "/to", "", false, "date"),
    ];
    let pointers = fields.map(|(_, pointer, ..)| pointer);
    let on = [("on".to_owned(), look.t("what-if-devices-on"))];
    let main = html! {
        (tabs(look, "audit/what-if"))
        h1 { (look.t("what-if-heading")) }
        p.lead { (look.t("what-if-lead")) }
        section.card {
            (form.summary(&pointers))
            form method="get" action=(look.to("audit/what-if")) {
                div.row {
                    @for (name, pointer, hint, required, kind) in fields {
                        @let hint = if hint.is_empty() { String::new() } else { look.t(hint) };
                        (form.field(Field { kind, required, hint: &hint, ..Field::text(name, pointer, &look.t_of("what-if", name)) }))
                    }
                }
                (ticks(&look.t("what-if-devices"), "devices", &on, |_| devices))
                button type="submit" { (look.t("what-if-ask")) }
            }
        }
        @if let Some(answer) = &answer { (outcome(look, answer)) }
    };
    Ok(look.page(StatusCode::OK, &look.t("what-if-heading"), &main))
}

/// An object without the fields that have no value.
pub(super) fn without_null(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

/// What each policy would have done, as a table whose numbers have bars.
fn outcome(look: &Look, answer: &Value) -> Markup {
    let columns = [
        ("what-if-really", answer.get("history")),
        ("what-if-in-force", answer.pointer("/policies/1")),
        ("what-if-tried", answer.pointer("/policies/0")),
    ];
    let count = |of: Option<&Value>, name: &str| of.and_then(|of| of.get(name)).and_then(Value::as_u64);
    let tried = answer.pointer("/policies/0");
    html! {
        section.card {
            h2 { (look.t("what-if-outcome")) }
            div.scroll tabindex="0" role="region" aria-label=(look.t("what-if-outcome")) {
                table {
                    thead { tr {
                        th scope="col" { (look.t("what-if-measure")) }
                        @for (name, _) in columns { th.number scope="col" { (look.t(name)) } }
                    } }
                    tbody {
                        @for measure in MEASURES {
                            @let most = columns.iter().filter_map(|(_, of)| count(*of, measure)).max().unwrap_or_default();
                            tr {
                                th scope="row" { (look.t_of("measure", measure)) }
                                @for (_, of) in columns { td.number { (bar(count(of, measure), most)) } }
                            }
                        }
                    }
                }
            }
            (facts(&[
                (look.t("what-if-only-then"), html! { (count(tried, "locked_only_then").unwrap_or_default()) (accounts(look, tried, "locked_only_then_ids")) }),
                (look.t("what-if-only-really"), html! { (count(tried, "locked_only_really").unwrap_or_default()) (accounts(look, tried, "locked_only_really_ids")) }),
            ]))
            p.hint { (look.t("what-if-note")) }
        }
    }
}

/// How many accounts are named one by one.
const NAMED: usize = 20;

/// Links to some accounts of a list.
fn accounts(look: &Look, of: Option<&Value>, list: &str) -> Markup {
    let ids = of.and_then(|of| of.get(list)).and_then(Value::as_array).cloned().unwrap_or_default();
    let ids: Vec<_> = ids.iter().filter_map(Value::as_str).take(NAMED).collect();
    html! {
        @if !ids.is_empty() {
            ul { @for id in ids { li { a href=(look.to(&format!("support/accounts/{id}"))) { code { (id) } } } } }
        }
    }
}

/// The width of a bar, in the units of its own coordinates.
const WIDTH: u64 = 100;

/// A number, and a bar beside the greatest of its row.
fn bar(count: Option<u64>, most: u64) -> Markup {
    html! {
        @if let Some(count) = count {
            @let wide = (count * WIDTH).checked_div(most).unwrap_or_default().max(u64::from(count > 0));
            (count)
            svg.meter viewBox=(format!("0 0 {WIDTH} 8")) preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                rect.bar x=(WIDTH - wide) y="0" width=(wide) height="8" {}
            }
        } @else { "–" }
    }
}

/// How many checkpoints the page shows.
const CHECKPOINTS: usize = 50;

async fn proof(staff: Staff) -> Result<Response, Refused> {
    let look = staff.look();
    let state = staff.member.visit.get(&format!("/v1/audit/checkpoints?limit={CHECKPOINTS}")).await?;
    let items = state.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or_default();
    let newest = items.first();
    let covered = newest.map(|newest| number(newest, "position")).unwrap_or_default();
    let head = number(&state, "position");
    let compared = state.get("read_models");
    let differing = compared.and_then(|compared| compared.get("differing")).and_then(Value::as_array);
    let main = html! {
        (tabs(look, "audit/proof"))
        h1 { (look.t("proof-heading")) }
        p.lead { (look.t("proof-lead")) }
        section.card {
            (facts(&[
                (look.t("proof-newest"), html! {
                    @match newest {
                        Some(newest) => { (look.moment(text(newest, "at"))) }
                        None => { (badge("bad", &look.t("never"))) }
                    }
                }),
                (look.t("proof-signed"), html! { (look.say("proof-up-to", &[("position", &covered.to_string()), ("head", &head.to_string())])) }),
                (look.t("proof-count"), html! { (number(&state, "count")) }),
                (look.t("proof-compared"), html! {
                    @match compared {
                        Some(compared) => {
                            (look.moment(text(compared, "at"))) " "
                            @if differing.is_none_or(Vec::is_empty) { (badge("good", &look.t("proof-equal"))) }
                            @else { (badge("bad", &look.t("proof-differing"))) " " (names(differing)) }
                        }
                        None => { (look.t("never")) }
                    }
                }),
                (look.t("proof-key"), html! { code { (text(&state, "public_key")) } }),
            ]))
            p.hint { (look.t("proof-verify")) " " code { "loquet audit verify --public-key public.key" } }
        }
        section.card {
            h2 { (look.t("proof-checkpoints")) }
            div.scroll tabindex="0" role="region" aria-label=(look.t("proof-checkpoints")) {
                table {
                    thead { tr {
                        th scope="col" { (look.t("proof-at")) }
                        th.number scope="col" { (look.t("proof-size")) }
                        th.number scope="col" { (look.t("proof-position")) }
                        th scope="col" { (look.t("proof-root")) }
                    } }
                    tbody {
                        @for item in &items {
                            tr {
                                td { (look.moment(text(item, "at"))) }
                                td.number { (number(item, "size")) }
                                td.number { (number(item, "position")) }
                                td { code { (text(item, "root")) } }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("proof-heading"), &main))
}

fn names(list: Option<&Vec<Value>>) -> String {
    let names: Vec<_> = list.into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}
