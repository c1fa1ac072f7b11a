//! Explains why a person cannot log in now: the state of the account, the mails to its owner, and the events behind
//! each reason.

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

/// The maximum number of events to show. The newest are shown.
const MOST_TOLD: usize = 50;
/// The maximum number of mails to show. The newest are shown.
const MOST_MAILS: u32 = 20;
/// The maximum number of administrators to name.
const MOST_TO_ASK: usize = 20;

/// An event behind a reason.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Its position in the log.
    pub position: Position,
    /// Its stored name.
    pub name: String,
    /// When it happened.
    pub at: Moment,
    /// The client, if it is known and not erased.
    pub client: Option<Client>,
    /// When the lockout ends, if the event is a lockout.
    locks_until: Option<LockEnd>,
    /// Its effect on the counts of wrong guesses.
    does: Does,
}

/// The effect of an event on the counts of wrong guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It adds to the counts of these rows, or locks them.
    Counts(Rows),
    /// It sets the counts of these rows to zero.
    Clears(Rows),
    /// It sets all counts to zero.
    ClearsAll,
    /// It sets all counts to zero except the wrong codes.
    ClearsAllButCodes,
    Nothing,
}

/// A reason, and the events behind it, newest first.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The login blocker.
    pub blocker: LoginBlocker,
    /// What removes it.
    pub remedy: Remedy,
    /// The events that show it.
    pub evidence: Vec<Evidence>,
}

/// A trusted device, and the answer that a login from it would get.
#[derive(Clone, Debug)]
pub struct DeviceDiagnosis {
    /// The device.
    pub device: Device,
    /// The wrong guesses in a row from it that count now.
    pub failures: u32,
    /// When its lockout ends. `None` if it is not locked.
    pub locked_until: Option<LockEnd>,
    /// The answer that a login with the right password would get now.
    pub answer: Answer,
    /// When codes from it are judged again. `None` if they are judged now.
    pub codes_locked_until: Option<LockEnd>,
}

/// A person who can admit a temporary administrator.
#[derive(Clone, Debug)]
pub struct WhomToAsk {
    /// Their account.
    pub account: AccountId,
    /// Their name and address. `None` if their data was erased.
    pub person: Option<Person>,
}

/// Why a person cannot log in now.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The account. `None` if no account has or had the address.
    pub account: Option<AccountId>,
    /// Its company.
    pub company: Option<CompanyId>,
    /// Whether that company has an administrator. `None` if there is no account.
    pub administrators: Option<Administrators>,
    /// The answer that a login with the right password would get now from a browser that the account does not trust.
    pub answer: Answer,
    /// What keeps the person out. The blocker to solve first comes first. Empty if nothing keeps them out.
    pub reasons: Vec<Reason>,
    /// The devices that the account trusts, newest first.
    pub devices: Vec<DeviceDiagnosis>,
    /// The mails to the owner, newest first: events `mail-sent` and `mail-given-up`.
    pub mails: Vec<Evidence>,
    /// The delivery status of the newest mails, newest first. `None` if this process has no access to the mail queue.
    pub deliveries: Option<Vec<MailStatus>>,
    /// The mail with the link that the person needs, if it has not been delivered.
    pub awaited: Option<MailStatus>,
    /// The people who can admit a temporary administrator.
    pub whom_to_ask: Vec<WhomToAsk>,
}

/// The sources of a diagnosis.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The use cases, for the state of accounts.
    pub app: &'a App,
    /// The log.
    pub store: &'a dyn EventStore,
    /// Decodes its events.
    pub codec: &'a dyn EventCodec,
    /// The mail queue, if this process has access to it.
    pub mails: Option<&'a dyn ReactionJournal>,
}

/// Diagnoses the login for an e-mail address. Uses the account that has the address, or the deleted account that last
/// had it.
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

/// The newest mail with the link that the person needs now, if it has not been delivered.
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

/// The trusted devices, each with the answer that a login from it would get. Empty if the trusting of devices is
/// switched off.
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

/// Why a diagnosis failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotTell {
    /// The state of an account can't be read.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// An event can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The mail queue can't be read.
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

/// A row of wrong guesses: the account's, or a device's.
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

/// The events behind a login blocker.
fn behind(blocker: LoginBlocker, history: &[Evidence]) -> Vec<Evidence> {
    let names: &[&str] = match blocker {
        // Guesses at unknown addresses are not in the log.
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

/// The history up to the newest lockout of a row. A complete login from a trusted device may have set the count to
/// zero after it, and the lockout goes on.
fn up_to_the_lockout(history: &[Evidence], row: Row) -> &[Evidence] {
    let locks = |event: &Evidence| {
        event.locks_until.is_some() && matches!(event.does, Does::Counts(rows) if row.is_of(rows))
    };
    history.iter().rposition(locks).and_then(|last| history.get(..=last)).unwrap_or(history)
}

/// The guesses that count in a row, and the lockout that they caused.
fn guesses(history: &[Evidence], row: Row) -> Vec<Evidence> {
    let counted = since_cleared(history, row, A_RESET_CLEARS);
    newest_first(since_a_lockouts_end(counted).iter())
}

/// A new password through a mailed link sets the count of guesses to zero.
const A_RESET_CLEARS: Does = Does::ClearsAllButCodes;
/// It does not set the count of wrong codes to zero. Only an event that clears all counts does.
const A_RESET_LEAVES_CODES: Does = Does::ClearsAll;

/// The events that count in a row since its count was last set to zero.
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

/// The guesses after the end of the newest lockout that has ended. Guesses before it no longer count.
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
