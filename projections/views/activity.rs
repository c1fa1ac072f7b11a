//! The number of logins, wrong guesses and lockouts in each hour.

use chrono::{NaiveDate, Timelike};
use loquet_domain::Moment;
use loquet_domain::account::Event;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::index::Entry;
use crate::table::{Row, Table};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// The hours of a day.
const HOURS: usize = 24;

/// What happened in one hour. It is stored as a list of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 5]", into = "[u64; 5]")]
pub struct Counts {
    /// Complete logins.
    pub logins: u64,
    /// Wrong passwords.
    pub wrong_passwords: u64,
    /// Wrong codes of second steps.
    pub wrong_codes: u64,
    /// Lockouts that began.
    pub lockouts: u64,
    /// Lockouts that support ended.
    pub releases: u64,
}

impl From<[u64; 5]> for Counts {
    fn from([logins, wrong_passwords, wrong_codes, lockouts, releases]: [u64; 5]) -> Self {
        Self { logins, wrong_passwords, wrong_codes, lockouts, releases }
    }
}

impl From<Counts> for [u64; 5] {
    fn from(counts: Counts) -> Self {
        let Counts { logins, wrong_passwords, wrong_codes, lockouts, releases } = counts;
        [logins, wrong_passwords, wrong_codes, lockouts, releases]
    }
}

/// What happened in each hour of a day (UTC). The key is the day, such as `2026-11-28`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct ActivityRow {
    pub day: NaiveDate,
    /// From the hour that begins at midnight.
    pub hours: [Counts; HOURS],
}

impl ActivityRow {
    /// The key of a day.
    #[must_use]
    pub fn key_of(day: NaiveDate) -> String {
        day.format("%Y-%m-%d").to_string()
    }
}

impl Row for ActivityRow {
    const VIEW: ViewId = ViewId { name: "activity", version: 1 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        Vec::new()
    }
}

/// The view of activity.
pub struct Activity;

impl View for Activity {
    type Row = ActivityRow;

    fn apply(&self, rows: &mut Table<'_, ActivityRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let DomainEvent::Account(event) = &envelope.fact.event else { return Ok(()) };
        let counted: fn(&mut Counts) -> &mut u64 = match event {
            Event::LoginSucceeded { .. } => |counts| &mut counts.logins,
            Event::LoginFailed { .. } => |counts| &mut counts.wrong_passwords,
            Event::SecondStepFailed { .. } => |counts| &mut counts.wrong_codes,
            Event::AccountLocked { .. } => |counts| &mut counts.lockouts,
            Event::LockoutReleased { .. } => |counts| &mut counts.releases,
            _ => return Ok(()),
        };
        let at: Moment = envelope.fact.context.at;
        let day = at.date_naive();
        let first = || ActivityRow { day, hours: [Counts::default(); HOURS] };
        rows.change_or(&ActivityRow::key_of(day), first, |row| {
            let hour = usize::try_from(at.hour()).ok().and_then(|hour| row.hours.get_mut(hour));
            if let Some(number) = hour.map(counted) {
                *number = number.saturating_add(1);
            }
        })
    }
}
