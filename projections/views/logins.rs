//! The newest login attempts of each account.

use chrono::serde::ts_microseconds;
use loquet_domain::Moment;
use loquet_domain::account::Event;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::index::Entry;
use crate::table::{Row, Table};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// The number of attempts in a row. The log has all.
const KEPT: usize = 50;

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The login succeeded.
    Succeeded,
    /// The password was wrong.
    Failed,
    /// The password was right, but the account is not admitted yet.
    AwaitedConversion,
    /// The password was right, and a code was asked for.
    SecondStepAsked,
    /// The code was wrong.
    CodeFailed,
}

/// An attempt. The event at `client_at` in the log holds the client. An attempt is stored as a list of microseconds,
/// outcome and position, so that a row with many attempts fits in a page of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
#[expect(missing_docs, reason = "the names say it")]
pub struct Attempt {
    pub at: Moment,
    pub outcome: Outcome,
    pub client_at: Position,
}

#[derive(Serialize, Deserialize)]
struct Stored(#[serde(with = "ts_microseconds")] Moment, Outcome, Position);

impl From<Stored> for Attempt {
    fn from(Stored(at, outcome, client_at): Stored) -> Self {
        Self { at, outcome, client_at }
    }
}

impl From<Attempt> for Stored {
    fn from(attempt: Attempt) -> Self {
        Self(attempt.at, attempt.outcome, attempt.client_at)
    }
}

/// The newest attempts at one account, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LoginsRow {
    pub account_id: AccountId,
    pub attempts: Vec<Attempt>,
}

impl Row for LoginsRow {
    const VIEW: ViewId = ViewId { name: "logins", version: 2 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        Vec::new()
    }
}

/// The view of logins.
pub struct Logins;

impl View for Logins {
    type Row = LoginsRow;

    fn apply(&self, rows: &mut Table<'_, LoginsRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account)) = (&envelope.fact.event, envelope.stream.account())
        else {
            return Ok(());
        };
        let outcome = match event {
            Event::LoginSucceeded { .. } => Outcome::Succeeded,
            Event::LoginFailed { .. } => Outcome::Failed,
            Event::LoginAwaitedConversion => Outcome::AwaitedConversion,
            Event::SecondStepAsked { .. } => Outcome::SecondStepAsked,
            Event::SecondStepFailed { .. } => Outcome::CodeFailed,
            _ => return Ok(()),
        };
        let key = envelope.stream.id();
        let attempt = Attempt { at: envelope.fact.context.at, outcome, client_at: envelope.position };
        let first = || LoginsRow { account_id: account, attempts: Vec::new() };
        rows.change_or(key, first, |row| {
            let surplus = (row.attempts.len() + 1).saturating_sub(KEPT);
            row.attempts.drain(..surplus);
            row.attempts.push(attempt);
        })
    }
}
