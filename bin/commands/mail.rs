//! `loquet mail list`, `show` and `retry`.

use anyhow::{Context, bail};
use loquet_projections::mail::{LedgerEntry, MailLedger, MailState};
use loquet_projections::people::event_at;
use serde_json::{Value, json};

use super::account;
use super::show::{moment, moment_or_dash, table};
use crate::adapters::{self, Access};
use crate::cli::{DataDirectory, ListMails, MailCommand, RetryMails, WhichMail};
use crate::clock;
use crate::output::{Reader, columns, line, result};
use crate::system::System;

pub(crate) async fn run(directory: &DataDirectory, command: MailCommand) -> anyhow::Result<()> {
    // Opened for reading first: a file with an older format is upgraded by the server, which may be running.
    let journal = adapters::mail_journal(directory, Access::Read).await?;
    match command {
        MailCommand::List(which) => list(directory, journal.as_ref(), &which).await,
        MailCommand::Show(which) => show(directory, journal.as_ref(), &which).await,
        MailCommand::Retry(which) => {
            retry(adapters::mail_journal(directory, Access::Write).await?.as_ref(), &which).await
        }
    }
}

async fn list(directory: &DataDirectory, journal: &dyn MailLedger, which: &ListMails) -> anyhow::Result<()> {
    let state = which.state.as_deref().and_then(MailState::parse);
    let recipient = match &which.account {
        Some(account) => Some(account::find(&System::open_to_read(directory).await?, account).await?),
        None => None,
    };
    let entries = journal.list(state, recipient, which.limit).await?;
    let mut rows =
        table(&["MAIL", "KIND", "STATE", "TRIES", "QUEUED", "NEXT TRY OR END", "TO ACCOUNT", "WHY"]);
    for entry in entries {
        if which.json {
            if line(as_json(&entry)) == Reader::Gone {
                break;
            }
            continue;
        }
        rows.add_row([
            entry.mail.effect.to_string(),
            entry.mail.kind.name().to_owned(),
            entry.state.name().to_owned(),
            entry.tries.to_string(),
            moment(entry.queued_at),
            entry.ended_at.map_or_else(|| moment(entry.due_at), moment),
            entry.mail.recipient.to_string(),
            why(&entry),
        ]);
    }
    if !which.json {
        columns(&rows);
    }
    Ok(())
}

fn why(entry: &LedgerEntry) -> String {
    let unnoted = entry.unnoted.as_ref().map(|why| format!("not in the log yet: {why}"));
    entry.why.iter().cloned().chain(unnoted).collect::<Vec<_>>().join("; ")
}

fn as_json(entry: &LedgerEntry) -> Value {
    json!({
        "mail_id": entry.mail.effect,
        "kind": entry.mail.kind.name(),
        "state": entry.state,
        "tries": entry.tries,
        "account_id": entry.mail.recipient,
        "about_position": entry.mail.position,
        "queued_at": entry.queued_at,
        "due_at": entry.ended_at.is_none().then_some(entry.due_at),
        "ended_at": entry.ended_at,
        "why": entry.why,
        "stage": entry.verdict.map(|verdict| verdict.stage.name()),
        "code": entry.verdict.and_then(|verdict| verdict.code()),
        "enhanced_code": entry.verdict.and_then(|verdict| verdict.enhanced()).map(|code| code.to_string()),
        "not_in_the_log": entry.unnoted,
    })
}

/// Prints one mail, with its address and the event that caused it.
async fn show(directory: &DataDirectory, journal: &dyn MailLedger, which: &WhichMail) -> anyhow::Result<()> {
    let entry = journal.entry(which.mail).await?;
    let entry = entry.with_context(|| format!("there is no mail {}", which.mail))?;
    let system = System::open_to_read(directory).await?;
    let recipient = system.app.account(entry.mail.recipient).await?;
    let person = recipient.profile().and_then(|profile| profile.person.known());
    let about = event_at(system.store.as_ref(), system.codec.as_ref(), entry.mail.position).await?;
    let mut shown = as_json(&entry);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("to".to_owned(), json!(person.map(|person| person.email.to_string())));
        let about = about.map(|envelope| {
            json!({ "event_id": envelope.fact.id, "at": envelope.fact.context.at, "request_id": envelope.fact.context.correlation })
        });
        fields.insert("about".to_owned(), json!(about));
    }
    if which.json {
        line(&shown);
        return Ok(());
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    for (name, value) in shown.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        line(format_args!("{name:<16} {}", text(value)));
    }
    if entry.state == MailState::Dead {
        line(format_args!("\nTo try it again: loquet mail retry {}", entry.mail.effect));
    }
    if entry.state == MailState::Pending && entry.tries > 0 {
        line(format_args!("\nIt is tried again at {}", moment_or_dash(Some(entry.due_at))));
    }
    Ok(())
}

async fn retry(journal: &dyn MailLedger, which: &RetryMails) -> anyhow::Result<()> {
    if which.all_dead {
        let retried = journal.retry_all_dead(clock::now()).await?;
        result(format_args!("{retried} mails are tried again"), &json!({ "retried": retried }));
        return Ok(());
    }
    let mut unknown = Vec::new();
    for mail in &which.mails {
        match journal.retry(*mail, clock::now()).await? {
            true => {
                result(format_args!("{mail} is tried again"), &json!({ "mail_id": mail, "retried": true }));
            }
            false => unknown.push(mail.to_string()),
        }
    }
    if !unknown.is_empty() {
        bail!("nothing to try again: {} (already sent, out of date, or unknown)", unknown.join(", "));
    }
    Ok(())
}
