//! `loquet diagnose`: explains why a person cannot log in now, in sentences for a supporter who is on the
//! telephone with that person.

use anyhow::Context;
use loquet_domain::Moment;
use loquet_domain::account::Admission;
use loquet_domain::account::diagnosis::{Administrators, Answer, LoginBlocker, Remedy};
use loquet_domain::fact::Client;
use loquet_domain::ids::{AccountId, DeviceId};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::values::email_address::EmailAddress;
use loquet_http::DiagnosisBody;
use loquet_projections::diagnosis::{
    DeviceDiagnosis, Diagnosis, Evidence, Reason, Sources, WhomToAsk, diagnose,
};
use loquet_projections::mail::{Delivery, MailHelp, MailStatus};
use loquet_projections::ports::ReactionJournal;

use super::config::refuse_faults;
use super::show::moment;
use crate::adapters::{self, Access};
use crate::cli::{DataDirectory, Diagnose};
use crate::config::Config;
use crate::output::line;
use crate::settings::policies;
use crate::system::{Parts, System};

/// The number of events that are listed for a reason.
const MOST_EVENTS: usize = 5;

/// Prints the diagnosis. The server may be running.
pub(crate) async fn run(
    directory: &DataDirectory,
    mut config: Config,
    whose: Diagnose,
) -> anyhow::Result<()> {
    let email = EmailAddress::parse(&whose.email)
        .with_context(|| format!("'{}' is not an e-mail address", whose.email.escape_debug()))?;
    // The answer to a login follows from the rules in force.
    let policies = policies(&mut config);
    refuse_faults(&config)?;
    let policies = policies.context("the configured rules are not valid")?;
    let system = System::open(directory, Access::Read, Parts { policies, ..Parts::default() }).await?;
    let system = system.seen_from(directory).await?;
    let position = system.store.head().await?;
    // The queue of mails knows the present alone.
    let journal = match system.past {
        None => adapters::mail_journal_if_there(directory).await?,
        Some(_) => None,
    };
    let mails: Option<&dyn ReactionJournal> = match &journal {
        Some(journal) => Some(journal.as_ref()),
        None => None,
    };
    let sources =
        Sources { app: &system.app, store: system.store.as_ref(), codec: system.codec.as_ref(), mails };
    let told = diagnose(sources, &email, system.now()).await?;
    let text = match whose.json {
        true => serde_json::to_string_pretty(&DiagnosisBody::of(email.as_str(), told, position.0))?,
        false => sentences(&email, &told).join("\n"),
    };
    line(text);
    system.close().await
}

/// Prints the whole diagnosis.
fn sentences(email: &EmailAddress, told: &Diagnosis) -> Vec<String> {
    let mut lines = vec![format!("{email}: {}", answered(told.answer))];
    if told.administrators == Some(Administrators::Missing) {
        lines.push("The company of this account has no administrator.".to_owned());
    }
    if told.reasons.is_empty() {
        lines.push(
            "Nothing prevents this person from logging in: there are no wrong logins in a row and no lockout.".to_owned(),
        );
    }
    for (number, reason) in (1..).zip(&told.reasons) {
        lines.push(String::new());
        lines.push(format!("{number}. {}", why(reason, &told.devices)));
        lines.push(format!("   Remedy: {}", mends(reason.remedy, email, told.account)));
        lines.extend(
            reason.evidence.iter().take(MOST_EVENTS).map(|event| format!("   - {}", happened(event))),
        );
    }
    if let Some(mail) = &told.awaited {
        lines.push(String::new());
        lines.push(format!(
            "{}. The mail that this person waits for has not reached them.",
            told.reasons.len() + 1
        ));
        lines.push(format!("   {}", delivery(mail)));
    }
    section(&mut lines, "Trusted devices:", told.devices.iter().map(device));
    section(&mut lines, "Newest mails:", told.deliveries.iter().flatten().take(MOST_EVENTS).map(delivery));
    section(&mut lines, "Administrators who can admit this person:", told.whom_to_ask.iter().map(whom));
    lines
}

fn section(lines: &mut Vec<String>, title: &str, items: impl Iterator<Item = String>) {
    let mut items = items.map(|item| format!("- {item}")).peekable();
    if items.peek().is_some() {
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(items);
    }
}

fn answered(answer: Answer) -> String {
    let what = match answer {
        Answer::Refused => "would be refused in the same way as a wrong password".to_owned(),
        Answer::Locked { until } => format!("would not be verified: {}", ends(until)),
        Answer::AwaitingConversion => {
            "would be refused: an administrator must admit this person first".to_owned()
        }
        Answer::SecondStep => "would be followed by a request for a code".to_owned(),
        Answer::Succeeded => "would succeed".to_owned(),
    };
    format!("a login with the right password, from a browser that is new to the account, {what}.")
}

fn ends(end: LockEnd) -> String {
    match end {
        LockEnd::At(until) => format!("a lockout is running until {}", moment(until)),
        LockEnd::AtReset => {
            "a lockout is running that ends only with a new password or by support".to_owned()
        }
    }
}

fn why(reason: &Reason, devices: &[DeviceDiagnosis]) -> String {
    let at = |at: Option<Moment>| at.map_or_else(|| "at an unknown moment".to_owned(), moment);
    match reason.blocker {
        LoginBlocker::NoSuchAccount => "No account has or had this address.".to_owned(),
        LoginBlocker::Deleted => "The account was deleted.".to_owned(),
        LoginBlocker::Erased => "The account was deleted, and the person was erased.".to_owned(),
        LoginBlocker::NotActivated { link_expires_at, link_expired: false } => {
            format!(
                "The account is not activated: no password was chosen yet. The newest link works until {}.",
                moment(link_expires_at)
            )
        }
        LoginBlocker::NotActivated { link_expires_at, link_expired: true } => {
            format!(
                "The account is not activated: no password was chosen yet. The newest link expired {}.",
                moment(link_expires_at)
            )
        }
        LoginBlocker::Locked { since, until } => format!(
            "Too many wrong logins in a row locked the account {}: {}. Trusted devices can still log in.",
            at(since),
            ends(until)
        ),
        LoginBlocker::DeviceLocked { device, until } => {
            format!(
                "Too many wrong logins in a row locked a trusted device ({}): {}.",
                named(device, devices),
                ends(until)
            )
        }
        LoginBlocker::AwaitingConversion => {
            "The account is a temporary administrator: an administrator or support must admit this person."
                .to_owned()
        }
        LoginBlocker::AnonymousLocked { until } => format!(
            "Too many wrong logins with this address, which belongs to no active account: {}. Each node counts them for itself.",
            ends(until)
        ),
        LoginBlocker::SecondStep { recovery_codes_left, wrong_codes, asked_at } => {
            let asked = asked_at.map_or_else(
                || "No code was requested since the last login.".to_owned(),
                |at| format!("A code was last requested {}, and no login was completed since.", moment(at)),
            );
            format!(
                "The second step is on. {asked} Wrong codes that still count: {wrong_codes}. Recovery codes left: {recovery_codes_left}."
            )
        }
        LoginBlocker::WrongGuesses { failures, wrong_codes, last } => format!(
            "Wrong logins in a row: {failures}. Wrong codes that still count: {wrong_codes}.{}",
            last.map(|last| format!(" The last one was {}.", moment(last))).unwrap_or_default()
        ),
        LoginBlocker::DeviceWrongGuesses { device, failures, wrong_codes } => format!(
            "Wrong logins in a row from a trusted device ({}): {failures}. Wrong codes that still count: {wrong_codes}.",
            named(device, devices)
        ),
    }
}

/// What helps, with the command that does it.
fn mends(remedy: Remedy, email: &EmailAddress, account: Option<AccountId>) -> String {
    let whom = account.map_or_else(|| email.to_string(), |account| account.to_string());
    let command = |words: &str, more: &str| format!("`loquet account {words} {whom} --reason \"…\"{more}`");
    match remedy {
        Remedy::CheckAddress => "ask the person to check the spelling of the address.".to_owned(),
        Remedy::CreateAccount { role } => {
            format!(
                "create a new account with the role {}, in the portal or with POST /v1/accounts.",
                role_of(role)
            )
        }
        Remedy::ResendActivation => {
            format!("send the activation mail again: {}.", command("send-activation", ""))
        }
        Remedy::Release => {
            format!(
                "check the person's identity, then end the lockout: {}. Or wait until it ends.",
                command("release", "")
            )
        }
        Remedy::Convert { to } => {
            let role = match to {
                Admission::Administrator => " --to administrator",
                Admission::User => " --to user",
            };
            format!("admit this person as {}: {}.", role_of(to), command("convert", role))
        }
        Remedy::ResetSecondStep => format!(
            "if the phone is lost, check the person's identity, then reset the second step: {}.",
            command("reset-second-step", " --identity-proof \"…\"")
        ),
        Remedy::EnterCode => "ask the person to enter the code of their app, or a recovery code.".to_owned(),
        Remedy::SendReset if account.is_none() => {
            "if the password is forgotten, the person asks for a new one on the login page.".to_owned()
        }
        Remedy::SendReset => {
            format!("if the password is forgotten, send a reset mail: {}.", command("send-reset", ""))
        }
        Remedy::Nothing => "the remedy of the previous reason solves this one too.".to_owned(),
    }
}

fn role_of(role: Admission) -> &'static str {
    match role {
        Admission::Administrator => "administrator, since the company has none",
        Admission::User => "user or administrator",
    }
}

fn device(told: &DeviceDiagnosis) -> String {
    let locked = told.locked_until.map(|end| format!(", {}", ends(end))).unwrap_or_default();
    let login = match told.answer {
        Answer::Locked { .. } => "would not be verified",
        Answer::Succeeded => "would succeed",
        Answer::SecondStep => "would be asked for a code",
        Answer::AwaitingConversion | Answer::Refused => "would be refused",
    };
    let only_codes = told.codes_locked_until.filter(|_| told.locked_until.is_none());
    let codes = only_codes.map(|end| format!("; for codes, {}", ends(end))).unwrap_or_default();
    format!(
        "{}: wrong logins in a row: {}{locked}; a login from it {login}{codes}",
        client(told.device.client.as_ref()),
        told.failures
    )
}

fn named(device: DeviceId, devices: &[DeviceDiagnosis]) -> String {
    let known = devices.iter().find(|told| told.device.id == device);
    client(known.and_then(|told| told.device.client.as_ref()))
}

fn client(client: Option<&Client>) -> String {
    let parts = client.into_iter().flat_map(|client| [client.agent.as_ref(), client.address.as_ref()]);
    let text = parts.flatten().map(|part| part.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
    if text.is_empty() { "unknown client".to_owned() } else { text }
}

fn delivery(mail: &MailStatus) -> String {
    let where_it_is = match mail.delivery {
        Delivery::Waiting => "it waits in the queue".to_owned(),
        Delivery::Sending => "it is being handed over".to_owned(),
        Delivery::Held { since } => {
            format!("it waits, because no mail could be sent since {}", moment(since))
        }
        Delivery::Deferred { until } => format!("it is tried again {}", moment(until)),
        Delivery::Sent { at } => format!("it was sent {}", moment(at)),
        Delivery::GivenUp { at } => format!("it was given up {}", moment(at)),
        Delivery::Void { at } => format!("its contents were out of date {}, so it was not sent", moment(at)),
    };
    let why = mail.trouble.as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default();
    let helps: Vec<_> = mail.what_helps().into_iter().map(helps).collect();
    let helps = if helps.is_empty() { String::new() } else { format!(" What helps: {}.", helps.join("; ")) };
    format!("{} of {}: {where_it_is}{why}.{helps}", mail.kind.name(), moment(mail.queued_at))
}

fn helps(help: MailHelp) -> &'static str {
    match help {
        MailHelp::Wait => "wait",
        MailHelp::LookForIt => "look for it in the mailbox, and in the spam folder",
        MailHelp::CorrectAddress => {
            "the address is wrong: delete the account and create one with the right address"
        }
        MailHelp::AskTheirProvider => "the person asks the provider of their mailbox",
        MailHelp::TellOperator => "tell the operator to check the mail server (loquet doctor)",
        MailHelp::SendAgain => "send a new link",
    }
}

fn happened(event: &Evidence) -> String {
    let from =
        event.client.as_ref().map(|known| format!(", from {}", client(Some(known)))).unwrap_or_default();
    format!("{} {}{from}", moment(event.at), event.name)
}

fn whom(told: &WhomToAsk) -> String {
    match &told.person {
        Some(person) => {
            format!(
                "{} {} ({})",
                person.given_name.as_str(),
                person.family_name.as_str(),
                person.email.masked()
            )
        }
        None => format!("account {} (the person was erased)", told.account),
    }
}
