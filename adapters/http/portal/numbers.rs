//! For staff: who is locked out now, and how many logins, wrong guesses and lockouts there were.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::Portal;
use super::overview::name_of;
use super::support::{Staff, locked_badge, reason_field};
use super::visit::{Refused, text};
use crate::design::Look;
use crate::design::form::send;
use crate::design::parts::{badge, empty};

pub(super) fn routes() -> Router<Arc<Portal>> {
    Router::new().route("/support/lockouts", get(lockouts)).route("/support/numbers", get(numbers))
}

/// The most lockouts that the page shows.
const SHOWN: usize = 50;

async fn lockouts(staff: Staff) -> Result<Response, Refused> {
    let look = staff.look();
    let visit = &staff.member.visit;
    let page = visit.get(&format!("/v1/lockouts?limit={SHOWN}")).await?;
    let locked = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut people = Vec::with_capacity(locked.len());
    for item in &locked {
        let id = text(item, "account_id");
        // An account that was erased meanwhile has no name to show.
        let account = visit.get(&format!("/v1/accounts/{id}")).await.unwrap_or_default();
        people.push((account, item));
    }
    let main = html! {
        h1 { (look.t("lockouts-now")) }
        section.card {
            @if people.is_empty() { (empty(&look.t("lockouts-none"))) }
            ul.rows {
                @for (account, item) in &people { li { (locked_person(&staff, account, item)) } }
            }
            @if page.get("next_cursor").is_some() {
                p.hint { (look.say("lockouts-more", &[("count", &SHOWN.to_string())])) }
            }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("lockouts-now"), &main))
}

/// A person who is locked out, until when, and the button that ends it.
fn locked_person(staff: &Staff, account: &Value, item: &Value) -> Markup {
    let look = staff.look();
    let id = text(item, "account_id");
    let locks = item.get("lockouts").and_then(Value::as_array).cloned().unwrap_or_default();
    html! {
        div {
            a href=(look.to(&format!("support/accounts/{id}"))) { strong { (name_of(account)) } }
            p.hint { (text(account, "email")) }
            @for lock in &locks {
                p {
                    (locked_badge(look, text(lock, "until")))
                    " " span.hint {
                        (look.say("locked-after", &[
                            ("count", &lock.get("failures").and_then(Value::as_u64).unwrap_or_default().to_string()),
                            ("moment", &look.moment(text(lock, "since"))),
                        ]))
                        @if !text(lock, "device_id").is_empty() { " " (look.t("locked-device")) }
                    }
                }
            }
        }
        @if staff.acts() {
            details.ask {
                summary.button.quiet { (look.t("do-release")) }
                form method="post" action=(look.to(&format!("support/accounts/{id}/release"))) {
                    (reason_field(look, "release"))
                    (send(look, "do-release"))
                }
            }
        }
    }
}

/// How many days a chart can show.
const PERIODS: [u64; 3] = [7, 28, 91];

#[derive(Deserialize, Default)]
struct Asked {
    days: Option<u64>,
}

/// What a chart counts: its name, and the fields of the API that it adds up.
const SERIES: [(&str, &[&str]); 3] = [
    ("logins", &["logins"]),
    ("wrong-guesses", &["wrong_passwords", "wrong_codes"]),
    ("lockouts", &["lockouts"]),
];

async fn numbers(staff: Staff, Query(asked): Query<Asked>) -> Result<Response, Refused> {
    let look = staff.look();
    let visit = &staff.member.visit;
    let days = asked.days.filter(|days| PERIODS.contains(days)).unwrap_or(28);
    let today = (visit.portal.api.clock)().with_timezone(&look.time_zone).date_naive();
    let first = today.checked_sub_days(Days::new(days - 1)).unwrap_or(today);
    // A day of people begins on the UTC day before it or ends on the one after it.
    let from = first.pred_opt().unwrap_or(first);
    let activity = visit.get(&format!("/v1/activity?from={from}")).await?;
    let counted = by_local_day(look, &activity, first, today);
    let main = html! {
        h1 { (look.t("numbers")) }
        nav.tabs aria-label=(look.t("period")) {
            ul { @for period in PERIODS {
                li { a href=(look.to(&format!("support/numbers?days={period}"))) aria-current=[(period == days).then_some("page")] {
                    (look.say("days", &[("count", &period.to_string())]))
                } }
            } }
        }
        @for (n, (series, _)) in SERIES.iter().enumerate() {
            @let values: Vec<_> = counted.iter().map(|(day, sums)| (*day, sums.get(n).copied().unwrap_or_default())).collect();
            section.card {
                h2 { (look.t_of("series", series)) " " (badge("plain", &values.iter().map(|(_, value)| value).sum::<u64>().to_string())) }
                (chart(look, &look.t_of("series", series), &values))
            }
        }
        section.card {
            details {
                summary { (look.t("as-table")) }
                (table(look, &counted))
            }
        }
    };
    Ok(look.page(StatusCode::OK, &look.t("numbers"), &main))
}

/// The sums of each day in the time zone of the portal, for each series.
fn by_local_day(
    look: &Look,
    activity: &Value,
    first: NaiveDate,
    last: NaiveDate,
) -> BTreeMap<NaiveDate, [u64; SERIES.len()]> {
    let mut sums: BTreeMap<_, _> =
        first.iter_days().take_while(|day| *day <= last).map(|day| (day, [0; SERIES.len()])).collect();
    for told in activity.get("days").and_then(Value::as_array).into_iter().flatten() {
        let midnight = format!("{}T00:00:00Z", text(told, "day")).parse::<DateTime<Utc>>();
        let Ok(midnight) = midnight else { continue };
        let hours = told.get("hours").and_then(Value::as_array).into_iter().flatten();
        for (hour, counts) in (0..).zip(hours) {
            let begins = midnight + TimeDelta::hours(hour);
            let Some(day) = sums.get_mut(&begins.with_timezone(&look.time_zone).date_naive()) else {
                continue;
            };
            for (sum, (_, fields)) in day.iter_mut().zip(SERIES) {
                let number = |field: &&str| counts.get(*field).and_then(Value::as_u64).unwrap_or_default();
                *sum += fields.iter().map(number).sum::<u64>();
            }
        }
    }
    sums
}

/// The size of a chart, in the units of its own coordinates.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 120;

/// Bars, one for each day.
fn chart(look: &Look, title: &str, values: &[(NaiveDate, u64)]) -> Markup {
    let most = values.iter().map(|(_, value)| *value).max().unwrap_or_default();
    let count = u64::try_from(values.len()).unwrap_or(WIDTH).max(1);
    // Where the place of a day begins, so that the last one ends at the edge.
    let begin = |n: u64| n * WIDTH / count;
    let label = look.say("chart-label", &[("what", title), ("most", &most.to_string())]);
    let ends = values.first().zip(values.last());
    html! {
        figure.chart {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) preserveAspectRatio="none" {
                line.axis x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
                @for (n, (day, value)) in (0..).zip(values) {
                    // The smallest bar can still be seen.
                    @let high = (value * HEIGHT).checked_div(most).unwrap_or_default().max(u64::from(*value > 0) * 2);
                    @let (left, wide) = (begin(n), begin(n + 1) - begin(n));
                    g {
                        title { (look.day(&format!("{day}T12:00:00Z"))) ": " (value) }
                        rect.bar x=(left + 1) y=(HEIGHT - high) width=(wide.saturating_sub(2).max(1)) height=(high) {}
                        rect.slot x=(left) y="0" width=(wide) height=(HEIGHT) {}
                    }
                }
            }
            figcaption {
                @if let Some(((first, _), (last, _))) = ends {
                    span { (look.day(&format!("{first}T12:00:00Z"))) }
                    span { (look.say("chart-most", &[("most", &most.to_string())])) }
                    span { (look.day(&format!("{last}T12:00:00Z"))) }
                }
            }
        }
    }
}

/// The same numbers for people who can't see the bars.
fn table(look: &Look, counted: &BTreeMap<NaiveDate, [u64; SERIES.len()]>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(look.t("as-table")) {
            table {
                thead { tr {
                    th scope="col" { (look.t("day-of-numbers")) }
                    @for (series, _) in SERIES { th.number scope="col" { (look.t_of("series", series)) } }
                } }
                tbody {
                    @for (day, sums) in counted.iter().rev() {
                        tr {
                            th scope="row" { (look.day(&format!("{day}T12:00:00Z"))) }
                            @for sum in sums { td.number { (sum) } }
                        }
                    }
                }
            }
        }
    }
}
