//! Who is locked out, and how many wrong guesses count.

use loquet_domain::Moment;
use loquet_domain::account::Event;
use loquet_domain::ids::AccountId;
use loquet_domain::lockout::Lockout;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::ports::IndexEntry;
use crate::table::{Row, Table};
use crate::view::{CannotApply, Noted, View, ViewId};

/// The wrong guesses at an account. There is no row for one at which nobody guessed wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct LockoutRow {
    pub account_id: AccountId,
    pub lockout: Lockout,
    pub last_failure_at: Moment,
    pub locked_since: Option<Moment>,
}

impl Row for LockoutRow {
    const VIEW: ViewId = ViewId { name: "lockouts", version: 1 };

    fn indexes(&self) -> Vec<IndexEntry> {
        Vec::new()
    }
}

/// The view.
pub struct Lockouts;

impl View for Lockouts {
    fn id(&self) -> ViewId {
        LockoutRow::VIEW
    }

    fn apply(&self, rows: &mut Batch<'_>, noted: &Noted) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account)) = (&noted.fact.event, noted.stream.account()) else {
            return Ok(());
        };
        let mut table = Table::<LockoutRow>::new(rows);
        let key = noted.stream.id();
        let at = noted.fact.context.at;
        match event {
            Event::LoginFailed { failures } => {
                let row = LockoutRow {
                    account_id: account,
                    lockout: Lockout::default().failed(*failures),
                    last_failure_at: at,
                    locked_since: None,
                };
                table.put(key, row)
            }
            Event::AccountLocked { until, .. } => table.change(key, |row| {
                row.locked_since = Some(at);
                row.lockout = row.lockout.locked(*until);
            }),
            Event::LoginSucceeded { .. }
            | Event::LockoutReleased { .. }
            | Event::PasswordReset { .. }
            | Event::AccountDeleted { .. } => table.delete(key),
            _ => Ok(()),
        }
    }
}
