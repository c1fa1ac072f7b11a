//! `loquet lockout list`.

use loquet_projections::ports::{Cursor, Order};
use loquet_projections::table::sortable;
use loquet_projections::views::lockouts::LockoutRow;
use serde_json::json;

use super::known::{Known, Rows};
use super::show::{moment, table};
use crate::cli::accounts::ListLockouts;
use crate::cli::{DataDirectory, LockoutCommand};
use crate::output::{Reader, columns, line};
use crate::system::System;

pub(crate) async fn run(directory: &DataDirectory, command: LockoutCommand) -> anyhow::Result<()> {
    match command {
        LockoutCommand::List(which) => list(directory, &which).await,
    }
}

/// Lists the lockouts that hold now, in the order of their ends.
async fn list(directory: &DataDirectory, which: &ListLockouts) -> anyhow::Result<()> {
    let known = Known::open::<LockoutRow>(directory).await?;
    let now = known.now();
    let limit = usize::try_from(which.how.limit)?;
    let system = System::open_to_read(directory).await?;
    let mut rows = table(&["ACCOUNT", "E-MAIL", "SINCE", "UNTIL", "WRONG GUESSES", "HOLDS FOR"]);
    // Lockouts that are over come before this place.
    let running = Cursor { value: sortable(now), key: String::new() };
    let wanted = Rows { by: LockoutRow::BY_END.all(), order: Order::Ascending, limit };
    for row in known.listed_after(Some(running), wanted).await? {
        let account = system.app.account(row.account_id).await?;
        let person = account.profile().and_then(|profile| profile.person.known());
        let email = person.map(|person| person.email.to_string());
        for lock in row.locks.iter().filter(|lock| lock.holds(now)) {
            if which.how.json {
                let shown = json!({
                    "account_id": row.account_id,
                    "email": email,
                    "device_id": lock.device_id,
                    "since": lock.since,
                    "until": lock.until,
                    "failures": lock.failures,
                });
                if line(shown) == Reader::Gone {
                    return Ok(());
                }
                continue;
            }
            let holds_for =
                lock.device_id.map_or_else(|| "new browsers".to_owned(), |id| format!("device {id}"));
            rows.add_row([
                row.account_id.to_string(),
                email.clone().unwrap_or_else(|| "-".to_owned()),
                moment(lock.since),
                lock.until.map_or_else(|| "a new password".to_owned(), moment),
                lock.failures.to_string(),
                holds_for,
            ]);
        }
    }
    if !which.how.json {
        columns(&rows);
    }
    Ok(())
}
