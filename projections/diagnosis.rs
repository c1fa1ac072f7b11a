//! Why this person cannot log in now: the account as the log has it, what was mailed and what became of it, and the
//! events behind each reason.

use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::account::{Account, Event, Role};
use loquet_domain::app::{App, Unavailable};
use loquet_domain::diagnosis::{Answer, Hindrance, answer, hindrances};
use loquet_domain::email_address::EmailAddress;
use loquet_domain::fact::Client;
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::lockout::LockEnd;
use loquet_domain::ports::{EventCodec, EventStore, Position, Revision, StreamId};
use loquet_domain::schema::DomainEvent;

use crate::people::Unreadable;

/// How many events are told at most, the newest.
const MOST_TOLD: usize = 50;

/// An event behind a reason.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Where in the log.
    pub position: Position,
    /// Which event.
    pub name: String,
    /// When.
    pub at: Moment,
    /// From where, where that is known and not erased.
    pub client: Option<Client>,
    /// Until when it locks, where it does.
    pub locks_until: Option<LockEnd>,
}

/// A reason, and the events behind it, the newest first.
#[derive(Clone, Debug)]
pub struct Reason {
    /// What keeps them out.
    pub hindrance: Hindrance,
    /// Why that is known.
    pub evidence: Vec<Evidence>,
}

/// Why a person cannot log in now.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The account; none where nobody has the address, nor had it.
    pub account: Option<AccountId>,
    /// Of which company.
    pub company: Option<CompanyId>,
    /// What a login with the right password would be answered now.
    pub answer: Answer,
    /// What keeps them out; what must be mended first stands first. Empty where nothing does.
    pub reasons: Vec<Reason>,
    /// What was mailed to them, the newest first: events `mail-sent` and `mail-given-up`.
    pub mails: Vec<Evidence>,
    /// Who can admit a temporary administrator.
    pub administrators: Vec<AccountId>,
}

/// Diagnoses the login of whoever has an e-mail address, or had it last.
///
/// # Errors
/// [`Unreadable`] or [`Unavailable`] where the log can't be read.
pub async fn diagnose(
    app: &App,
    store: &Arc<dyn EventStore>,
    codec: &dyn EventCodec,
    email: &EmailAddress,
    at: Moment,
) -> Result<Diagnosis, CannotTell> {
    let found = match app.account_of(email).await? {
        Some(account) => Some(account),
        None => app.former_account_of(email).await?,
    };
    let account = match found {
        Some(id) => app.account(id).await?,
        None => Account::Absent,
    };
    let history = match found {
        Some(id) => history(store.as_ref(), codec, id).await?,
        None => Vec::new(),
    };
    let strangers = app.guesses_of_strangers(email);
    let reason = |hindrance: Hindrance| Reason { hindrance, evidence: behind(hindrance, &history) };
    let company = account.profile().map(|profile| profile.company);
    let waits = account.profile().is_some_and(|profile| profile.role == Role::TemporaryAdministrator);
    let administrators = match company.filter(|_| waits) {
        Some(company) => app.access(company).await?.state.administrators.into_iter().collect(),
        None => Vec::new(),
    };
    Ok(Diagnosis {
        account: found,
        company,
        answer: answer(&account, &strangers, at),
        reasons: hindrances(&account, &strangers, at).into_iter().map(reason).collect(),
        mails: newest(&history, &["mail-sent", "mail-given-up"]),
        administrators,
    })
}

/// The log could not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotTell {
    /// A fold.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// An event.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

async fn history(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    account: AccountId,
) -> Result<Vec<Evidence>, Unreadable> {
    let stream = StreamId::new("account", &account.to_string());
    let mut told = Vec::new();
    for recorded in store.read_stream(&stream, Revision::default()).await? {
        let fact = codec.decode(&recorded).await?;
        let locks_until = match fact.event {
            DomainEvent::Account(Event::AccountLocked { until, .. }) => Some(until),
            _ => None,
        };
        let (at, client) = (fact.context.at, fact.context.client);
        told.push(Evidence {
            position: recorded.position,
            name: recorded.event.name,
            at,
            client,
            locks_until,
        });
    }
    Ok(told)
}

/// Guesses, and the lock that they lead to.
const GUESSES: [&str; 3] = ["account-locked", "login-failed", "second-step-failed"];

/// The events that speak for a hindrance.
fn behind(hindrance: Hindrance, history: &[Evidence]) -> Vec<Evidence> {
    let names: &[&str] = match hindrance {
        // What is known of strangers is in no log.
        Hindrance::NoSuchAccount | Hindrance::StrangersLocked { .. } => &[],
        Hindrance::Deleted => &["account-deleted"],
        Hindrance::Erased => &["account-deleted", "account-erased"],
        Hindrance::NotActivated { .. } => &["account-created", "activation-requested"],
        Hindrance::Locked { until: LockEnd::AtReset, .. } => {
            return newest(since_forgiven(history, &FORGIVES), &GUESSES);
        }
        Hindrance::Locked { .. } | Hindrance::WrongGuesses { .. } => {
            return newest(since_a_lockouts_end(since_forgiven(history, &FORGIVES)), &GUESSES);
        }
        Hindrance::SecondStepLocked { .. } => {
            let counted = since_a_lockouts_end(since_forgiven(history, &FORGIVES_CODES));
            return newest(counted, &["account-locked", "second-step-failed", "password-reset"]);
        }
        Hindrance::AwaitingConversion => &["account-created", "login-awaited-conversion"],
        Hindrance::SecondStep { .. } => &["second-step-enabled", "second-step-asked", "second-step-failed"],
    };
    newest(history, names)
}

/// What sets the count of wrong guesses to zero.
const FORGIVES: [&str; 4] = ["login-succeeded", "lockout-released", "password-reset", "account-activated"];
/// What sets that of wrong codes to zero.
const FORGIVES_CODES: [&str; 3] = ["login-succeeded", "lockout-released", "second-step-enabled"];

fn since_forgiven<'a>(history: &'a [Evidence], forgives: &[&str]) -> &'a [Evidence] {
    let last = history.iter().rposition(|event| forgives.contains(&event.name.as_str()));
    history.get(last.map_or(0, |last| last + 1)..).unwrap_or_default()
}

/// The guesses from the first on that was judged after the newest lockout that had ended by then: those before it
/// count no more.
fn since_a_lockouts_end(history: &[Evidence]) -> &[Evidence] {
    let mut ends = None;
    let mut first = 0;
    for (index, event) in
        history.iter().enumerate().filter(|(_, event)| GUESSES.contains(&event.name.as_str()))
    {
        if ends.and_then(LockEnd::moment).is_some_and(|end| event.at >= end) {
            (first, ends) = (index, None);
        }
        ends = event.locks_until.or(ends);
    }
    history.get(first..).unwrap_or_default()
}

fn newest(history: &[Evidence], names: &[&str]) -> Vec<Evidence> {
    let fitting = history.iter().rev().filter(|event| names.contains(&event.name.as_str()));
    fitting.take(MOST_TOLD).cloned().collect()
}
