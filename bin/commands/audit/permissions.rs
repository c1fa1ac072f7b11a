//! `loquet audit permissions`.

use anyhow::Context;
use loquet_domain::access::{self, Access};
use loquet_domain::account;
use loquet_domain::account::Role;
use loquet_domain::decider::Decider;
use loquet_domain::fact::Fact;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{EventCodec, Position, Revision};
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::permission::Permission;
use loquet_domain::{Moment, fact::Actor};
use serde_json::json;

use crate::cli::{AuditPermissions, DataDirectory};
use crate::commands::account::find;
use crate::commands::show::{moment, table};
use crate::output::{columns, line, note};
use crate::system::System;

/// The event that granted something.
#[derive(Clone)]
struct Grant {
    position: Position,
    at: Moment,
    actor: Actor,
    name: String,
}

pub(super) async fn run(directory: &DataDirectory, asked: &AuditPermissions) -> anyhow::Result<()> {
    let system = System::open_to_read(directory).await?;
    let account = find(&system, &asked.account).await?;
    let authorisation = system.app.authorisation(account).await?;
    let authorisation = authorisation.with_context(|| format!("there is no account {account}"))?;
    let is_of_company = system.app.company(authorisation.company).await?.state.sites.contains(asked.site);
    if !is_of_company {
        note(format_args!("the company of account {account} has no site {}", asked.site));
    }
    let administrator = administrator_since(&system, account).await?;
    let by_groups = granted_by_groups(&system, &authorisation.company, account, asked).await?;
    let mut rows = table(&["PERMISSION", "ALLOWED", "GRANTED AT", "GRANTED BY", "EVENT"]);
    for (permission, by_group) in Permission::ALL.into_iter().zip(by_groups) {
        let allowed = is_of_company && authorisation.may(permission, asked.site);
        let grant = if authorisation.role == Some(Role::Administrator) { &administrator } else { &by_group };
        let grant = grant.as_ref().filter(|_| allowed);
        if asked.json {
            line(json!({
                "permission": permission, "allowed": allowed,
                "granted_at": grant.map(|grant| grant.at), "granted_by": grant.map(|grant| &grant.actor),
                "event": grant.map(|grant| &grant.name), "position": grant.map(|grant| grant.position),
            }));
            continue;
        }
        let of = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        rows.add_row([
            permission.name().to_owned(),
            if allowed { "yes" } else { "no" }.to_owned(),
            of(grant.map(|grant| moment(grant.at))),
            of(grant.map(|grant| told(&grant.actor))),
            of(grant.map(|grant| format!("{} at position {}", grant.name, grant.position))),
        ]);
    }
    if !asked.json {
        columns(&rows);
    }
    Ok(())
}

fn told(actor: &Actor) -> String {
    match actor {
        Actor::Anonymous => "somebody who was not logged in".to_owned(),
        Actor::Account { account_id } => format!("account {account_id}"),
        Actor::Service { name } => format!("program {name}"),
        Actor::Staff { name, role } => format!("{name} ({role})"),
        Actor::System { reaction } => format!("the system ({reaction})"),
        Actor::Operator => "an operator".to_owned(),
    }
}

fn grant<E>(recorded: &loquet_domain::ports::RecordedEvent, fact: &Fact<E>) -> Grant {
    let Fact { context, .. } = fact;
    Grant {
        position: recorded.position,
        at: context.at,
        actor: context.actor.clone(),
        name: recorded.event.name.clone(),
    }
}

/// The event that made an account an administrator. The account can use the role when it is activated.
async fn administrator_since(system: &System, account: AccountId) -> anyhow::Result<Option<Grant>> {
    let (mut state, mut since) = (account::Account::default(), None);
    for recorded in system.store.read_stream(&account::stream(account), Revision::default()).await? {
        let fact = system.codec.decode_open(&recorded)?;
        let granted = grant(&recorded, &fact);
        if let DomainEvent::Account(event) = fact.event {
            state = state.evolve(&Fact { id: fact.id, context: fact.context, event });
        }
        let is_one = state.profile().is_some_and(|profile| profile.role == Role::Administrator);
        since = is_one.then(|| since.unwrap_or(granted));
    }
    Ok(since)
}

/// For each permission, the event since which groups grant it at the site.
async fn granted_by_groups(
    system: &System,
    company: &loquet_domain::ids::CompanyId,
    account: AccountId,
    asked: &AuditPermissions,
) -> anyhow::Result<Vec<Option<Grant>>> {
    let mut state = Access::default();
    let mut since: Vec<Option<Grant>> = vec![None; Permission::ALL.len()];
    for recorded in system.store.read_stream(&access::stream(*company), Revision::default()).await? {
        let fact = system.codec.decode_open(&recorded)?;
        let granted = grant(&recorded, &fact);
        if let DomainEvent::Access(event) = fact.event {
            state = state.evolve(&Fact { id: fact.id, context: fact.context, event });
        }
        for (since, permission) in since.iter_mut().zip(Permission::ALL) {
            *since = state
                .grants(account, permission, asked.site)
                .then(|| since.take().unwrap_or_else(|| granted.clone()));
        }
    }
    Ok(since)
}
