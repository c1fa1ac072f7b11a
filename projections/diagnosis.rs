//! Why this person cannot log in now: the account as the log has it, what was mailed and what became of it, and the
//! events behind each reason.

use loquet_domain::Moment;
use loquet_domain::account::diagnosis::{
    Administrators, Answer, LoginBlocker, Remedy, answer, login_blockers,
};
use loquet_domain::account::{self, Account, Counts, Device, Event, Role, Rows};
use loquet_domain::app::{App, Unavailable};
use loquet_domain::fact::Client;
use loquet_domain::ids::{AccountId, CompanyId, DeviceId};
use loquet_domain::policies::lockout::{LockEnd, Lockout};
use loquet_domain::ports::{EventCodec, EventStore, Position, Revision};
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::person::Person;

use crate::mail::{Delivery, MailKind, MailStatus};
use crate::people::Unreadable;
use crate::ports::{ReactionJournal, StoreFailed};

/// How many events are told at most, the newest.
const MOST_TOLD: usize = 50;
/// How many mails are told at most, the newest.
const MOST_MAILS: u32 = 20;
/// How many administrators are named at most.
const MOST_TO_ASK: usize = 20;

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
    locks_until: Option<LockEnd>,
    /// What it does to the counts of wrong guesses.
    does: Does,
}

/// What an event does to the counts of wrong guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It adds to these counts, or locks these rows.
    Counts(Rows),
    /// It sets these to zero.
    Clears(Rows),
    /// It sets all to zero.
    ClearsAll,
    /// It sets all to zero except the wrong codes.
    ClearsAllButCodes,
    Nothing,
}

/// A reason, and the events behind it, the newest first.
#[derive(Clone, Debug)]
pub struct Reason {
    /// What keeps them out.
    pub blocker: LoginBlocker,
    /// What solves it.
    pub remedy: Remedy,
    /// Why that is known.
    pub evidence: Vec<Evidence>,
}

/// A trusted device, and what a login from it would be answered.
#[derive(Clone, Debug)]
pub struct DeviceDiagnosis {
    /// The device.
    pub device: Device,
    /// Wrong guesses in a row from it that count now.
    pub failures: u32,
    /// Until when it is locked.
    pub locked_until: Option<LockEnd>,
    /// What a login with the right password would be answered now.
    pub answer: Answer,
    /// Until when a code from it would not be judged.
    pub codes_locked_until: Option<LockEnd>,
}

/// Somebody who can admit a temporary administrator.
#[derive(Clone, Debug)]
pub struct WhomToAsk {
    /// Their account.
    pub account: AccountId,
    /// Their name and address, unless they were erased.
    pub person: Option<Person>,
}

/// Why a person cannot log in now.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The account. `None` if nobody has or had the address.
    pub account: Option<AccountId>,
    /// Of which company.
    pub company: Option<CompanyId>,
    /// Whether that company has an administrator. `None` if there is no account, and so no company.
    pub administrators: Option<Administrators>,
    /// What a login with the right password would be answered now, from a browser that the account does not trust.
    pub answer: Answer,
    /// What keeps the person out. What must be solved first stands first. Empty if nothing keeps them out.
    pub reasons: Vec<Reason>,
    /// The devices that the account trusts, the newest first.
    pub devices: Vec<DeviceDiagnosis>,
    /// What was mailed to them, the newest first: events `mail-sent` and `mail-given-up`.
    pub mails: Vec<Evidence>,
    /// The delivery status of the newest mails to them, the newest first. `None` if the mail queue can't be asked
    /// here.
    pub deliveries: Option<Vec<MailStatus>>,
    /// The mail that they wait for, if it has not been delivered. It holds the link that they need.
    pub awaited: Option<MailStatus>,
    /// Who can admit a temporary administrator.
    pub whom_to_ask: Vec<WhomToAsk>,
}

/// What a diagnosis is made from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The accounts.
    pub app: &'a App,
    /// The log.
    pub store: &'a dyn EventStore,
    /// Reads its events.
    pub codec: &'a dyn EventCodec,
    /// The mail queue, if there is one here.
    pub mails: Option<&'a dyn ReactionJournal>,
}

/// Diagnoses the login of whoever has an e-mail address, or had it last.
///
/// # Errors
/// [`CannotTell`] if the log or the mail queue can't be read.
pub async fn diagnose(
    sources: Sources<'_>,
    email: &EmailAddress,
    at: Moment,
) -> Result<Diagnosis, CannotTell> {
    let Sources { app, store, codec, mails } = sources;
    let found = match app.account_of(email).await? {
        Some(account) => Some(account),
        None => app.former_account_of(email).await?,
    };
    let account = match found {
        Some(id) => app.account(id).await?,
        None => Account::Absent,
    };
    let history = match found {
        Some(id) => history(store, codec, id).await?,
        None => Vec::new(),
    };
    let anonymous = app.anonymous_guesses_at(email).await?;
    let company = account.profile().map(|profile| profile.company);
    let admins: Vec<AccountId> = match company {
        Some(company) => app.access(company).await?.state.administrators.iter().copied().collect(),
        None => Vec::new(),
    };
    let has = |admins: &[AccountId]| {
        if admins.is_empty() { Administrators::Missing } else { Administrators::Present }
    };
    let administrators = company.map(|_| has(&admins));
    let reason = |blocker: LoginBlocker| Reason {
        blocker,
        remedy: blocker.remedy(administrators.unwrap_or(Administrators::Present)),
        evidence: behind(blocker, &history),
    };
    let waits = account.profile().is_some_and(|profile| profile.role == Role::TemporaryAdministrator);
    let mut whom_to_ask = Vec::new();
    for id in admins.into_iter().filter(|_| waits).take(MOST_TO_ASK) {
        let person = app.account(id).await?.profile().and_then(|profile| profile.person.known().cloned());
        whom_to_ask.push(WhomToAsk { account: id, person });
    }
    let deliveries = match (mails, found) {
        (Some(mails), Some(id)) => Some(mails.mails_of(id, MOST_MAILS).await?),
        (Some(_), None) => Some(Vec::new()),
        (None, _) => None,
    };
    Ok(Diagnosis {
        account: found,
        company,
        awaited: deliveries.as_deref().and_then(|mails| awaited(&account, mails, at)),
        deliveries,
        administrators,
        answer: answer(&account, &anonymous, app.policies(), None, at),
        reasons: login_blockers(&account, &anonymous, app.policies(), at).into_iter().map(reason).collect(),
        devices: devices(app, &account, &anonymous, at),
        mails: newest(&history, &["mail-sent", "mail-given-up"]),
        whom_to_ask,
    })
}

/// The newest mail with the link that a person needs now, if it has not been delivered.
fn awaited(account: &Account, mails: &[MailStatus], at: Moment) -> Option<MailStatus> {
    let needed: &[MailKind] = match account {
        Account::Invited(_) => &[MailKind::Activation],
        Account::Active(active) if active.reset.is_some_and(|link| at < link.expires_at) => {
            &[MailKind::PasswordReset, MailKind::PasswordResetBySupport]
        }
        _ => &[],
    };
    let newest = mails.iter().find(|mail| needed.contains(&mail.kind))?;
    let is_late = matches!(
        newest.delivery,
        Delivery::Held { .. } | Delivery::Deferred { .. } | Delivery::GivenUp { .. }
    );
    is_late.then(|| newest.clone())
}

/// The trusted devices, if any are trusted at all, each with what a login from it would be answered.
fn devices(app: &App, account: &Account, anonymous: &Lockout, at: Moment) -> Vec<DeviceDiagnosis> {
    let policies = app.policies();
    let active = account.active().filter(|_| policies.trusted_devices.is_some());
    let diagnosed = active.into_iter().flat_map(|active| {
        active.devices_at(at).map(move |device| DeviceDiagnosis {
            device: device.clone(),
            failures: device.lockout.failures_at(at),
            locked_until: device.lockout.locked_until(at),
            answer: answer(account, anonymous, policies, Some(device.id), at),
            codes_locked_until: active.codes_locked_for(Some(device.id), &policies.lockout, at),
        })
    });
    let mut all: Vec<_> = diagnosed.collect();
    all.reverse();
    all
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
    /// The mail queue.
    #[error(transparent)]
    Mails(#[from] StoreFailed),
}

async fn history(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    account: AccountId,
) -> Result<Vec<Evidence>, Unreadable> {
    let stream = account::stream(account);
    let mut told = Vec::new();
    for recorded in store.read_stream(&stream, Revision::default()).await? {
        let fact = codec.decode(&recorded).await?;
        let (locks_until, does) = match &fact.event {
            DomainEvent::Account(Event::AccountLocked { until, rows, .. }) => {
                (Some(*until), Does::Counts(*rows))
            }
            DomainEvent::Account(event) => (None, does(event)),
            _ => (None, Does::Nothing),
        };
        let (at, client) = (fact.context.at, fact.context.client);
        let (position, name) = (recorded.position, recorded.event.name);
        told.push(Evidence { position, name, at, client, locks_until, does });
    }
    Ok(told)
}

fn does(event: &Event) -> Does {
    let counts = |counts: &Counts| match (counts.account, counts.device) {
        (Some(_), device) => Does::Counts(Rows::of(device.map(|count| count.device))),
        (None, Some(count)) => Does::Counts(Rows::Device(count.device)),
        (None, None) => Does::Nothing,
    };
    match event {
        Event::LoginFailed { failures } | Event::SecondStepFailed { failures, .. } => counts(failures),
        Event::LoginSucceeded { cleared: Rows::Account, on: Some(device), .. } => {
            Does::Clears(Rows::Both(*device))
        }
        Event::LoginSucceeded { cleared, .. } => Does::Clears(*cleared),
        Event::LockoutReleased { .. } | Event::AccountActivated { .. } => Does::ClearsAll,
        Event::PasswordReset { .. } => Does::ClearsAllButCodes,
        _ => Does::Nothing,
    }
}

/// One row of wrong guesses: the account's, or that of a device.
#[derive(Clone, Copy)]
enum Row {
    Account,
    Device(DeviceId),
}

impl Row {
    fn is_of(self, rows: Rows) -> bool {
        match self {
            Self::Account => rows.has_account(),
            Self::Device(device) => rows.device() == Some(device),
        }
    }
}

/// The events that speak for a login blocker.
fn behind(blocker: LoginBlocker, history: &[Evidence]) -> Vec<Evidence> {
    let names: &[&str] = match blocker {
        // What is known of anonymous callers is in no log.
        LoginBlocker::NoSuchAccount | LoginBlocker::AnonymousLocked { .. } => &[],
        LoginBlocker::Deleted => &["account-deleted"],
        LoginBlocker::Erased => &["account-deleted", "account-erased"],
        LoginBlocker::NotActivated { .. } => &["account-created", "activation-requested"],
        LoginBlocker::Locked { until: LockEnd::AtReset, .. } => {
            let led_to_it = up_to_the_lockout(history, Row::Account);
            return newest_first(since_cleared(led_to_it, Row::Account, A_RESET_CLEARS).iter());
        }
        LoginBlocker::WrongGuesses { failures, wrong_codes, .. } if wrong_codes > failures => {
            let counted = since_cleared(history, Row::Account, A_RESET_LEAVES_CODES);
            return newest_first(since_a_lockouts_end(counted).iter());
        }
        LoginBlocker::Locked { .. } => {
            return guesses(up_to_the_lockout(history, Row::Account), Row::Account);
        }
        LoginBlocker::DeviceLocked { device, .. } => {
            let row = Row::Device(device);
            return guesses(up_to_the_lockout(history, row), row);
        }
        LoginBlocker::WrongGuesses { .. } => return guesses(history, Row::Account),
        LoginBlocker::DeviceWrongGuesses { device, .. } => return guesses(history, Row::Device(device)),
        LoginBlocker::AwaitingConversion => &["account-created", "login-awaited-conversion"],
        LoginBlocker::SecondStep { .. } => {
            &["second-step-enabled", "second-step-asked", "second-step-failed"]
        }
    };
    newest(history, names)
}

/// The history up to the newest lockout of a row. A complete login from a trusted device may have set the count to zero
/// since, and the lockout goes on.
fn up_to_the_lockout(history: &[Evidence], row: Row) -> &[Evidence] {
    let locks = |event: &Evidence| {
        event.locks_until.is_some() && matches!(event.does, Does::Counts(rows) if row.is_of(rows))
    };
    history.iter().rposition(locks).and_then(|last| history.get(..=last)).unwrap_or(history)
}

/// The guesses that count on a row, and the lockout that they led to.
fn guesses(history: &[Evidence], row: Row) -> Vec<Evidence> {
    let counted = since_cleared(history, row, A_RESET_CLEARS);
    newest_first(since_a_lockouts_end(counted).iter())
}

/// What a new password through a mailed link does to the count of guesses.
const A_RESET_CLEARS: Does = Does::ClearsAllButCodes;
/// What it does to the count of wrong codes: nothing.
const A_RESET_LEAVES_CODES: Does = Does::ClearsAll;

/// The events that count on a row since it was last set to zero.
fn since_cleared(history: &[Evidence], row: Row, also_clears: Does) -> Vec<Evidence> {
    let clears = |event: &Evidence| match event.does {
        Does::ClearsAll => true,
        Does::ClearsAllButCodes => event.does == also_clears,
        Does::Clears(rows) => row.is_of(rows),
        Does::Counts(_) | Does::Nothing => false,
    };
    let since = history.iter().rposition(clears).map_or(0, |last| last + 1);
    let counts = |event: &&Evidence| matches!(event.does, Does::Counts(rows) if row.is_of(rows));
    history.get(since..).unwrap_or_default().iter().filter(counts).cloned().collect()
}

/// The guesses from the first on that was judged after the newest lockout that had ended by then: those before it
/// count no more.
fn since_a_lockouts_end(counted: Vec<Evidence>) -> Vec<Evidence> {
    let mut ends = None;
    let mut first = 0;
    for (index, event) in counted.iter().enumerate() {
        if ends.and_then(LockEnd::moment).is_some_and(|end| event.at >= end) {
            (first, ends) = (index, None);
        }
        ends = event.locks_until.or(ends);
    }
    counted.into_iter().skip(first).collect()
}

fn newest_first<'a>(events: impl DoubleEndedIterator<Item = &'a Evidence>) -> Vec<Evidence> {
    events.rev().take(MOST_TOLD).cloned().collect()
}

fn newest(history: &[Evidence], names: &[&str]) -> Vec<Evidence> {
    newest_first(history.iter().filter(|event| names.contains(&event.name.as_str())))
}
