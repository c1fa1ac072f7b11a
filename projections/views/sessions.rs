//! The sessions of each account that have not been ended. Queries leave out sessions that have expired, because
//! expiry is compared, not scheduled (law 7).

use chrono::serde::ts_microseconds;
use loquet_domain::Moment;
use loquet_domain::account::Event;
use loquet_domain::ids::{AccountId, SessionId};
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::index::Entry;
use crate::table::{Row, Table};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// A session. The event at `client_at` in the log holds the client that opened it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SessionRow {
    pub session_id: SessionId,
    #[serde(with = "ts_microseconds")]
    pub started_at: Moment,
    #[serde(with = "ts_microseconds")]
    pub expires_at: Moment,
    pub client_at: Position,
}

/// The sessions of one account, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct SessionsRow {
    pub account_id: AccountId,
    pub sessions: Vec<SessionRow>,
}

impl Row for SessionsRow {
    const VIEW: ViewId = ViewId { name: "sessions", version: 2 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        Vec::new()
    }
}

/// The view of sessions.
pub struct Sessions;

impl View for Sessions {
    type Row = SessionsRow;

    fn apply(&self, rows: &mut Table<'_, SessionsRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account)) = (&envelope.fact.event, envelope.stream.account())
        else {
            return Ok(());
        };
        let key = envelope.stream.id();
        let at = envelope.fact.context.at;
        match event {
            Event::LoginSucceeded { session, session_expires_at, .. } => {
                let opened = SessionRow {
                    session_id: *session,
                    started_at: at,
                    expires_at: *session_expires_at,
                    client_at: envelope.position,
                };
                let first = || SessionsRow { account_id: account, sessions: Vec::new() };
                rows.change_or(key, first, |row| {
                    row.sessions.retain(|held| at < held.expires_at);
                    row.sessions.push(opened);
                })
            }
            Event::SessionEnded { session, .. } => {
                rows.change(key, |row| row.sessions.retain(|held| held.session_id != *session))
            }
            Event::SessionsEnded | Event::AccountDeleted { .. } => rows.delete(key),
            _ => Ok(()),
        }
    }
}
