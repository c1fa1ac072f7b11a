//! Why this person cannot log in now: the account as the log has it, what was mailed and what became of it, and the
//! events behind each reason.

use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::account::{Account, Role};
use loquet_domain::app::{App, Unavailable};
use loquet_domain::diagnosis::{Answer, Hindrance, answer, hindrances};
use loquet_domain::email_address::EmailAddress;
use loquet_domain::fact::Client;
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::ports::{EventCodec, EventStore, Position, Revision, StreamId};

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
        answer: answer(&account, at),
        reasons: hindrances(&account, at).into_iter().map(reason).collect(),
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
        let (at, client) = (fact.context.at, fact.context.client);
        told.push(Evidence { position: recorded.position, name: recorded.event.name, at, client });
    }
    Ok(told)
}

/// The events that speak for a hindrance.
fn behind(hindrance: Hindrance, history: &[Evidence]) -> Vec<Evidence> {
    let names: &[&str] = match hindrance {
        Hindrance::NoSuchAccount => &[],
        Hindrance::Deleted => &["account-deleted"],
        Hindrance::Erased => &["account-deleted", "account-erased"],
        Hindrance::NotActivated { .. } => &["account-created", "activation-requested"],
        Hindrance::Locked { .. } | Hindrance::WrongGuesses { .. } => {
            &["account-locked", "login-failed", "second-step-failed"]
        }
        Hindrance::AwaitingConversion => &["account-created", "login-awaited-conversion"],
        Hindrance::SecondStep { .. } => &["second-step-enabled", "second-step-asked", "second-step-failed"],
    };
    let since = match hindrance {
        // What counts are the guesses since the count was last zero.
        Hindrance::Locked { .. } | Hindrance::WrongGuesses { .. } => {
            let zero = ["login-succeeded", "lockout-released", "password-reset", "account-activated"];
            history.iter().rposition(|event| zero.contains(&event.name.as_str())).map_or(0, |last| last + 1)
        }
        _ => 0,
    };
    newest(history.get(since..).unwrap_or_default(), names)
}

fn newest(history: &[Evidence], names: &[&str]) -> Vec<Evidence> {
    let fitting = history.iter().rev().filter(|event| names.contains(&event.name.as_str()));
    fitting.take(MOST_TOLD).cloned().collect()
}
