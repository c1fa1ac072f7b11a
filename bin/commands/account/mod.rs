//! `loquet account`. What support does for a person is in [`support`].

use anyhow::{Context, bail, ensure};
use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::account;
use loquet_domain::account::{Account, Role};
use loquet_domain::fact::{Actor, Context as CommandContext};
use loquet_domain::ids::{AccountId, CorrelationId};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::ports::{Identities, Revision};
use loquet_domain::values::email_address::EmailAddress;
use serde_json::{Value, json};

use self::support::{Act, help};
use super::events_tail::{bodies, print};
use super::remote::Running;
use crate::adapters::Access;
use crate::cli::{AccountCommand, DataDirectory, Erase, Export, Output, Which};
use crate::clock;
use crate::config::Config;
use crate::output::{Reader, agreed, document, line, note, result};
use crate::settings;
use crate::system::{Parts, System};

mod list;
mod support;

pub(crate) async fn run(
    directory: &DataDirectory,
    config: &mut Config,
    command: AccountCommand,
) -> anyhow::Result<()> {
    match command {
        AccountCommand::List(which) => list::list(directory, &which).await,
        AccountCommand::Show(which) => show(directory, which).await,
        AccountCommand::History(which) => history(directory, which).await,
        AccountCommand::Release(whom) => help(directory, config, whom, Act::Release).await,
        AccountCommand::SendActivation(whom) => help(directory, config, whom, Act::SendActivation).await,
        AccountCommand::SendReset(whom) => help(directory, config, whom, Act::SendReset).await,
        AccountCommand::Convert(how) => help(directory, config, how.whom, Act::Convert(how.to)).await,
        AccountCommand::ResetSecondStep(how) => {
            let act = Act::ResetSecondStep { identity_proof: how.identity_proof };
            help(directory, config, how.whom, act).await
        }
        AccountCommand::Export(which) => export(which).await,
        AccountCommand::Erase(which) => erase(directory, config, which).await,
    }
}

/// Returns the account with this id or e-mail address.
pub(super) async fn find(system: &System, which: &str) -> anyhow::Result<AccountId> {
    if let Ok(id) = which.parse() {
        return Ok(id);
    }
    let email = EmailAddress::parse(which)
        .with_context(|| format!("'{which}' is neither an id nor an e-mail address"))?;
    let found = system.app.account_of(&email).await?;
    found
        .with_context(|| format!("no account has the address {email} (use the id to find a deleted account)"))
}

pub(super) async fn show(directory: &DataDirectory, which: Which) -> anyhow::Result<()> {
    let system = System::open_to_read(directory).await?;
    let id = find(&system, &which.account).await?;
    let Some(shown) = told(&system, id).await? else { bail!("there is no account {id}") };
    if which.json {
        line(&shown);
        return Ok(());
    }
    for (name, value) in shown.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        line(format_args!("{name:<20} {value}"));
    }
    Ok(())
}

/// What is known of an account. `None` if it does not exist.
pub(super) async fn told(system: &System, id: AccountId) -> anyhow::Result<Option<Value>> {
    let account = system.app.account(id).await?;
    let Some(profile) = account.profile() else { return Ok(None) };
    let now = system.now();
    let status = match &account {
        Account::Absent => "absent",
        Account::Invited(_) => "awaiting_activation",
        Account::Active(_) => "active",
        Account::Deleted(profile) if profile.erased => "erased",
        Account::Deleted(_) => "deleted",
    };
    let person = profile.person.known();
    let active = account.active();
    let locked = active.and_then(|active| active.lockout.locked_until(now));
    Ok(Some(json!({
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
        "locked_until": locked.and_then(LockEnd::moment),
        "locked_until_reset": active.map(|_| locked == Some(LockEnd::AtReset)),
        "failures_across_lockouts": active.map(|a| a.lockout.failures_across()),
        "sessions": active.map(|a| a.sessions_at(now).count()),
    })))
}

async fn history(directory: &DataDirectory, which: Which) -> anyhow::Result<()> {
    let system = System::open_to_read(directory).await?;
    let id = find(&system, &which.account).await?;
    let stream = account::stream(id);
    let events = system.store.read_stream(&stream, Revision::default()).await?;
    if events.is_empty() {
        bail!("there is no account {id}");
    }
    for body in bodies(&system, &events).await? {
        if print(&body, Output::of(which.json))? == Reader::Gone {
            break;
        }
    }
    Ok(())
}

/// Writes everything that is held on a person to standard output.
async fn export(which: Export) -> anyhow::Result<()> {
    let server = Running::at(&which.url, &which.token_file)?;
    let id = account_at(&server, &which.account).await?;
    let body = serde_json::to_vec(&json!({ "reason": which.reason }))?;
    let kind = if which.text { "text/plain" } else { "application/json" };
    let file = server.file(&format!("/v1/accounts/{id}/data-export"), kind, body).await?;
    document(&file);
    Ok(())
}

/// Returns the account with this id or e-mail address, as a running server knows it.
async fn account_at(server: &Running, which: &str) -> anyhow::Result<AccountId> {
    if let Ok(id) = which.parse() {
        return Ok(id);
    }
    let found = server.get("/v1/accounts", &[("email", which)]).await?;
    ensure!(found.status == 200, found.refusal());
    let id = found.body.pointer("/items/0/account_id").and_then(Value::as_str);
    id.and_then(|id| id.parse().ok())
        .with_context(|| format!("no account has the address {which} (use the id to find a deleted account)"))
}

/// Erases a person, if the operator gave `--yes` or agrees at the terminal.
async fn erase(directory: &DataDirectory, config: &mut Config, which: Erase) -> anyhow::Result<()> {
    let known = System::open_to_read(directory).await?;
    let id = find(&known, &which.account).await?;
    let company = known.app.account(id).await?.profile().map(|profile| profile.company);
    drop(known);
    agreed(format_args!("This deletes account {id} and erases the person for ever."), which.yes)?;
    if let Some(server) = Running::open(&which.remote)? {
        let body = serde_json::to_vec(&json!({ "reason": which.reason }))?;
        let answer = server.post(&format!("/v1/accounts/{id}/erasure"), body).await?;
        ensure!(answer.status == 204, answer.refusal());
    } else {
        let policies = settings::policies(config).context("the configuration is not valid")?;
        let parts = Parts { policies, ..Parts::default() };
        let system = System::open(directory, Access::Write, parts).await.context(
            "can't erase in the data directory (if a server is running, use --url and --token-file)",
        )?;
        let erased = system.app.erase_account(&operator(), id, &which.reason).await;
        system.close().await?;
        erased?;
    }
    let erased = json!({ "account_id": id, "company_id": company, "erased": true });
    result(
        format_args!(
            "Account {id} is erased. Backups of keys.db still hold its key until they are destroyed."
        ),
        &erased,
    );
    if let Some(company) = company {
        note(format_args!(
            "The company keeps its names and addresses. If they are this person's, run `loquet company erase {company}`."
        ));
    }
    Ok(())
}

/// Returns the context of a command that an operator runs.
pub(super) fn operator() -> CommandContext {
    CommandContext {
        at: clock::now(),
        actor: Actor::Operator,
        correlation: CorrelationId(RandomIdentities.fresh()),
        causation: None,
        client: None,
        reason: None,
    }
}
