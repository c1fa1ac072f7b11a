//! `loquet account show` and `history`.

use anyhow::{Context, bail};
use loquet_domain::account::{Account, Role};
use loquet_domain::email_address::EmailAddress;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{EventStore, Revision, StreamId};
use serde_json::json;

use super::events_tail::{bodies, print};
use crate::cli::{Place, Which};
use crate::clock;
use crate::system::System;

async fn find(system: &System, which: &str) -> anyhow::Result<AccountId> {
    if let Ok(id) = which.parse() {
        return Ok(id);
    }
    let email =
        EmailAddress::parse(which).with_context(|| format!("'{which}' is neither an id nor an address"))?;
    let found = system.app.account_of(&email).await?;
    found.with_context(|| format!("no account has the address {email} (a deleted one is found by its id)"))
}

pub(crate) async fn show(place: &Place, which: Which) -> anyhow::Result<()> {
    let system = System::open_to_read(place)?;
    let id = find(&system, &which.account).await?;
    let account = system.app.account(id).await?;
    let Some(profile) = account.profile() else { bail!("there is no account {id}") };
    let now = clock::now();
    let status = match &account {
        Account::Absent => "absent",
        Account::Invited(_) => "awaiting_activation",
        Account::Active(_) => "active",
        Account::Deleted(profile) if profile.erased => "erased",
        Account::Deleted(_) => "deleted",
    };
    let person = profile.person.known();
    let active = account.active();
    let shown = json!({
        "account_id": id,
        "status": status,
        "role": profile.role,
        "awaiting_conversion": profile.role == Role::TemporaryAdministrator,
        "company_id": profile.company,
        "language": profile.language,
        "email": person.map(|p| p.email.to_string()),
        "given_name": person.map(|p| p.given_name.as_str().to_owned()),
        "family_name": person.map(|p| p.family_name.as_str().to_owned()),
        "failures": active.map(|a| a.lockout.failures_at(now)),
        "locked_until": active.and_then(|a| a.lockout.locked_until(now)),
        "sessions": active.map(|a| a.sessions_at(now).count()),
    });
    if which.json {
        println!("{shown}");
        return Ok(());
    }
    for (name, value) in shown.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        println!("{name:<20} {value}");
    }
    Ok(())
}

pub(crate) async fn history(place: &Place, which: Which) -> anyhow::Result<()> {
    let system = System::open_to_read(place)?;
    let id = find(&system, &which.account).await?;
    let stream = StreamId::new("account", &id.to_string());
    let events = system.store.read_stream(&stream, Revision::default()).await?;
    if events.is_empty() {
        bail!("there is no account {id}");
    }
    for body in bodies(&system, &events).await? {
        if !print(&body, which.json)? {
            break;
        }
    }
    Ok(())
}
