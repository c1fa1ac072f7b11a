//! The login history of each account: its newest attempts.

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

/// How many attempts are kept here; the log has them all.
const KEPT: usize = 50;

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// In.
    Succeeded,
    /// Wrong password.
    Failed,
    /// Right password, not admitted yet.
    AwaitedConversion,
    /// Right password, the second step yet to come.
    SecondStepAsked,
    /// Wrong code.
    CodeFailed,
}

/// An attempt. From where it came is at `client_at` in the log. It is stored as a list of microseconds,
/// outcome and position: a row of many attempts must fit on a page.
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

/// The newest attempts at one account, newest last.
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

/// The view.
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
