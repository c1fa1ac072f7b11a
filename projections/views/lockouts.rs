//! The accounts that are locked out, and until when.

use loquet_domain::Moment;
use loquet_domain::account::{Event, Rows};
use loquet_domain::ids::{AccountId, DeviceId};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::table::{Row, Table, sortable};
use crate::view::{CannotApply, EventEnvelope, View, ViewId};

/// A lockout. It is over at `until`. Without an end, only a new password or support ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Lock {
    /// The device that is locked out. `None`: everybody who has no trusted device.
    pub device_id: Option<DeviceId>,
    pub since: Moment,
    pub until: Option<Moment>,
    /// The number of wrong guesses in a row that caused it.
    pub failures: u32,
}

impl Lock {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

/// The lockouts of one account that nothing but time has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LockoutRow {
    pub account_id: AccountId,
    pub locks: Vec<Lock>,
}

impl LockoutRow {
    /// The accounts by the end of their last lockout.
    pub const BY_END: Index<Self> = Index::new("end");
}

impl Row for LockoutRow {
    /// An earlier program had another view of this name, in version 1. Its rows may still be in a store.
    const VIEW: ViewId = ViewId { name: "lockouts", version: 2 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        let ends = self.locks.iter().map(|lock| sortable(lock.until.unwrap_or(Moment::MAX_UTC)));
        ends.max().map(|end| Self::BY_END.entry(end)).into_iter().collect()
    }
}

/// The view of lockouts.
pub struct Lockouts;

impl View for Lockouts {
    type Row = LockoutRow;

    fn apply(&self, rows: &mut Table<'_, LockoutRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account)) = (&envelope.fact.event, envelope.stream.account())
        else {
            return Ok(());
        };
        let key = envelope.stream.id();
        let at = envelope.fact.context.at;
        match event {
            Event::AccountLocked { failures, until, rows: locked } => {
                let until = match until {
                    LockEnd::At(until) => Some(*until),
                    LockEnd::AtReset => None,
                };
                let first = || LockoutRow { account_id: account, locks: Vec::new() };
                rows.change_or(key, first, |row| {
                    for device_id in holders(*locked) {
                        row.locks.retain(|lock| lock.device_id != device_id && lock.holds(at));
                        row.locks.push(Lock { device_id, since: at, until, failures: *failures });
                    }
                })
            }
            // A lockout that others caused goes on for them.
            Event::LoginSucceeded { cleared, .. } => {
                let devices = holders(*cleared);
                retain(rows, key, |lock| {
                    lock.holds(at) && (lock.device_id.is_none() || !devices.contains(&lock.device_id))
                })
            }
            Event::DeviceForgotten { device, .. } => {
                retain(rows, key, |lock| lock.device_id.as_ref() != Some(device))
            }
            Event::LockoutReleased { .. }
            | Event::PasswordReset { .. }
            | Event::AccountDeleted { .. }
            | Event::AccountErased => rows.delete(key),
            _ => Ok(()),
        }
    }
}

/// Whom an event names: everybody without a trusted device, a device, or both.
fn holders(rows: Rows) -> Vec<Option<DeviceId>> {
    match rows {
        Rows::Account => vec![None],
        Rows::Device(device) => vec![Some(device)],
        Rows::Both(device) => vec![None, Some(device)],
    }
}

/// Keeps some of an account's lockouts. An account without any has no row.
fn retain(
    rows: &mut Table<'_, LockoutRow>,
    key: &str,
    kept: impl Fn(&Lock) -> bool,
) -> Result<(), CannotApply> {
    let Some(row) = rows.get(key)? else { return Ok(()) };
    match row.locks.iter().filter(|lock| kept(lock)).count() {
        0 => rows.delete(key),
        all if all == row.locks.len() => Ok(()),
        _ => rows.change(key, |row| row.locks.retain(kept)),
    }
}
