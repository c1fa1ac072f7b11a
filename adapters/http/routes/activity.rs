//! The number of logins, wrong guesses and lockouts over time.

use axum::extract::State;
use chrono::{Days, NaiveDate};
use loquet_projections::table::{Row, find};
use loquet_projections::views::activity::{ActivityRow, Counts};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::faults::Faults;
use crate::responses::problem::Problem;
use crate::responses::tagged::Tagged;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// The number of days without a choice.
const USUAL: u64 = 14;
/// The most days in one answer.
const MOST: usize = 92;

/// What happened in an hour.
#[derive(Serialize, ToSchema)]
pub(crate) struct HourBody {
    /// Complete logins.
    logins: u64,
    /// Wrong passwords.
    wrong_passwords: u64,
    /// Wrong codes of second steps.
    wrong_codes: u64,
    /// Lockouts that began.
    lockouts: u64,
    /// Lockouts that support ended.
    releases: u64,
}

impl From<Counts> for HourBody {
    fn from(counts: Counts) -> Self {
        let Counts { logins, wrong_passwords, wrong_codes, lockouts, releases } = counts;
        Self { logins, wrong_passwords, wrong_codes, lockouts, releases }
    }
}

/// What happened on a day.
#[derive(Serialize, ToSchema)]
pub(crate) struct DayBody {
    /// The day, in UTC.
    day: NaiveDate,
    /// The 24 hours, from the one that begins at midnight UTC.
    hours: Vec<HourBody>,
}

/// What happened on some days.
#[derive(Serialize, ToSchema)]
#[schema(as = Activity)]
pub(crate) struct ActivityBody {
    /// The days, the oldest first. A day on which nothing happened is there too.
    days: Vec<DayBody>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// Which days.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Period {
    /// The first day, in UTC. Default: 13 days before `to`.
    from: Option<NaiveDate>,
    /// The last day, in UTC. Default: today. There are at most 92 days from the first to the last.
    to: Option<NaiveDate>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// Count logins, wrong guesses and lockouts by hour.
///
/// The numbers tell nothing about single persons. Requires the scope `support:read`.
#[utoipa::path(
    get, path = "/v1/activity", operation_id = "count_activity", tag = "support", params(Period),
    security(("service" = [])),
    responses((status = 200, description = "The numbers of each hour", body = ActivityBody))
)]
pub(crate) async fn count(
    State(api): Shared,
    caller: Caller,
    Params(period): Params<Period>,
) -> Result<Tagged<ActivityBody>, Problem> {
    caller.service(Scope::SupportRead)?;
    let to = period.to.unwrap_or_else(|| (api.clock)().date_naive());
    let from = period.from.or_else(|| to.checked_sub_days(Days::new(USUAL - 1))).unwrap_or(to);
    let days: Vec<NaiveDate> = from.iter_days().take_while(|day| *day <= to).take(MOST + 1).collect();
    let mut faults = Faults::default();
    if days.is_empty() {
        faults.add("?from", "period-reversed");
    }
    if days.len() > MOST {
        faults.add_with("?from", "period-long", "most", MOST);
    }
    faults.finish(Some(()))?;
    let position = api.reach(ActivityRow::VIEW, &AtLeast { at_least: period.at_least }).await?;
    let mut told = Vec::with_capacity(days.len());
    for day in days {
        let row: Option<ActivityRow> = find(api.rows.as_ref(), ActivityRow::key_of(day)).await?;
        let hours = row.map_or([Counts::default(); 24], |row| row.hours);
        told.push(DayBody { day, hours: hours.map(HourBody::from).into() });
    }
    Ok(Tagged(ActivityBody { days: told, position: position.0 }))
}
