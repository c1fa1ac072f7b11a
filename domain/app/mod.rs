//! The use cases: each loads an aggregate, decides, appends the events, and retries if another append came first.
//! They are async, but need no particular runtime.

mod access_changes;
mod account_changes;
mod administration;
mod company_changes;
mod create_account;
mod devices;
mod equip_order;
mod erasure;
mod followed_links;
mod log_in;
mod mailbox;
mod new_passwords;
mod permissions;
mod place_order;
mod receipt_layouts;
mod reset_request;
mod resolve_order;
mod second_step;
mod send_reset;
mod sessions;
mod streams;
mod take_over;
mod terminal_changes;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use create_account::{NewColleague, NewStaff};
pub use followed_links::LinkRefused;
pub use log_in::{Credentials, GivenDevice, Login};
pub use permissions::Authorisation;
pub use place_order::{NewOrder, PlacedOrder};
pub use receipt_layouts::ReceiptRefused;
pub use resolve_order::Decision;
pub use second_step::Enrolment;
pub use sessions::{Authenticated, Owner};
pub use streams::{Aggregate, Committed, Streams, TransactError};
pub use take_over::NewTakeOver;

use crate::Moment;
use crate::access::{self, Access};
use crate::account::{self, Account};
use crate::administration::Administration;
use crate::clock_history::ClockHistory;
use crate::company::{self, Company};
use crate::email_claim::EmailClaim;
use crate::ids::{AccountId, CompanyId};
use crate::logo::KeptLogo;
use crate::order::Order;
use crate::policies::Policies;
use crate::policies::password_policy::PasswordRule;
use crate::ports::{
    AnonymousGuesses, AppendError, Blocklist, BlocklistUnreadable, Busy, CodecError, EventCodec, EventStore,
    GuessesUnavailable, Identities, KeyVault, KeyedLock, OneTimeCodes, PasswordHasher, ReadError,
    SessionUses, SessionUsesUnavailable, StateCache, Tokens,
};
use crate::receipt::Receipt;
use crate::serial_claim::SerialClaim;
use crate::takeover::{self, TakeOver};
use crate::terminals::{self, Terminals};

/// How many streams a use case writes to at the same time: about as many as one commit of the store can take.
const SIDE_BY_SIDE: usize = 64;

/// The ports that the use cases need.
#[derive(Clone)]
#[expect(missing_docs, reason = "each port says what it is")]
pub struct Ports {
    pub store: Arc<dyn EventStore>,
    pub codec: Arc<dyn EventCodec>,
    pub keys: Arc<dyn KeyVault>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub tokens: Arc<dyn Tokens>,
    pub codes: Arc<dyn OneTimeCodes>,
    pub identities: Arc<dyn Identities>,
    pub keyed_lock: Arc<dyn KeyedLock>,
    pub guesses: Arc<dyn AnonymousGuesses>,
    pub session_uses: Arc<dyn SessionUses>,
    pub blocklist: Arc<dyn Blocklist>,
    pub accounts: Arc<dyn StateCache<Account>>,
    pub claims: Arc<dyn StateCache<EmailClaim>>,
    pub companies: Arc<dyn StateCache<Company>>,
    pub orders: Arc<dyn StateCache<Order>>,
    pub terminals: Arc<dyn StateCache<Terminals>>,
    pub serials: Arc<dyn StateCache<SerialClaim>>,
    pub access: Arc<dyn StateCache<Access>>,
    pub receipts: Arc<dyn StateCache<Receipt>>,
    pub logos: Arc<dyn StateCache<KeptLogo>>,
    pub takeovers: Arc<dyn StateCache<TakeOver>>,
    pub administration: Arc<dyn StateCache<Administration>>,
}

/// The use cases and their ports.
pub struct App {
    policies: Arc<Policies>,
    ports: Ports,
    clock: ClockHistory,
    /// Whether the last verdict on a password could not be written to the log.
    verdict_lost: AtomicBool,
    /// Whether the last access to the guesses at unknown addresses failed.
    guesses_lost: AtomicBool,
    accounts: Streams<Account>,
    claims: Streams<EmailClaim>,
    companies: Streams<Company>,
    orders: Streams<Order>,
    terminals: Streams<Terminals>,
    serials: Streams<SerialClaim>,
    access: Streams<Access>,
    receipts: Streams<Receipt>,
    logos: Streams<KeptLogo>,
    takeovers: Streams<TakeOver>,
    administration: Streams<Administration>,
}

/// The system could not do what was asked. No rule refused it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The store did not write. Nothing was acknowledged to the caller.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event or a key cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Too many passwords are being verified at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// A new password cannot be compared with the blocklist.
    #[error(transparent)]
    Blocklist(#[from] BlocklistUnreadable),
    /// The guesses at unknown addresses cannot be read or counted.
    #[error(transparent)]
    Guesses(#[from] GuessesUnavailable),
    /// The times at which sessions were used cannot be read or written.
    #[error(transparent)]
    SessionUses(#[from] SessionUsesUnavailable),
}

/// Why a use case did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A rule of the account refuses it.
    #[error(transparent)]
    Refused(#[from] account::Refusal),
    /// The e-mail address belongs to an account already.
    #[error("this e-mail address belongs to an account already")]
    EmailTaken,
    /// There is no such company.
    #[error("there is no company {0}")]
    NoSuchCompany(CompanyId),
    /// The company has no such account, or the account is deleted.
    #[error("the company has no account {0}")]
    NoSuchMember(AccountId),
    /// The new password breaks these rules.
    #[error("the password breaks {} rule(s)", .0.len())]
    WeakPassword(Vec<PasswordRule>),
    /// The current password is wrong. This counts as a wrong login.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The code is wrong. This counts as a wrong login.
    #[error("the code is wrong")]
    WrongCode,
    /// A mailed link is forged, used, replaced or expired.
    #[error(transparent)]
    Link(#[from] LinkRefused),
    /// The order's number was used for another order.
    #[error(transparent)]
    Order(#[from] crate::order::Refusal),
    /// A rule of companies and sites refuses it.
    #[error(transparent)]
    Company(#[from] company::Refusal),
    /// A rule of terminals refuses it.
    #[error(transparent)]
    Terminals(#[from] terminals::Refusal),
    /// Another terminal has this serial number.
    #[error("another terminal has this serial number")]
    SerialTaken,
    /// A rule of access refuses it.
    #[error(transparent)]
    Access(#[from] access::Refusal),
    /// A member of a group must be a user of the company. Administrators need no group. Temporary administrators have
    /// no access yet.
    #[error("the account is not a user of this company")]
    NotAUser,
    /// No receipt layout can be set at this site.
    #[error(transparent)]
    Receipt(#[from] ReceiptRefused),
    /// A rule of take-overs refuses it.
    #[error(transparent)]
    TakeOver(#[from] takeover::Refusal),
    /// The system could not do it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<Infallible> for Failure {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl App {
    /// Waits for a turn of this name. It ends when the returned value is dropped.
    pub async fn turn(&self, name: String) -> Box<dyn Send> {
        self.ports.keyed_lock.acquire(name).await
    }

    /// Makes the use cases with these policies and ports.
    #[must_use]
    pub fn new(policies: Policies, ports: Ports) -> Self {
        let log = streams::Log {
            store: ports.store.clone(),
            codec: ports.codec.clone(),
            identities: ports.identities.clone(),
        };
        let policies = Arc::new(policies);
        Self {
            accounts: Streams::new(log.clone(), policies.clone(), ports.accounts.clone()),
            claims: Streams::new(log.clone(), policies.clone(), ports.claims.clone()),
            companies: Streams::new(log.clone(), policies.clone(), ports.companies.clone()),
            orders: Streams::new(log.clone(), policies.clone(), ports.orders.clone()),
            terminals: Streams::new(log.clone(), policies.clone(), ports.terminals.clone()),
            serials: Streams::new(log.clone(), policies.clone(), ports.serials.clone()),
            access: Streams::new(log.clone(), policies.clone(), ports.access.clone()),
            receipts: Streams::new(log.clone(), policies.clone(), ports.receipts.clone()),
            logos: Streams::new(log.clone(), policies.clone(), ports.logos.clone()),
            takeovers: Streams::new(log.clone(), policies.clone(), ports.takeovers.clone()),
            administration: Streams::new(log, policies.clone(), ports.administration.clone()),
            policies,
            ports,
            clock: ClockHistory::default(),
            verdict_lost: AtomicBool::new(false),
            guesses_lost: AtomicBool::new(false),
        }
    }

    /// Records the time that the clock of this process shows. So it is noticed when the clock is set back.
    pub fn note_time(&self, at: Moment) {
        self.clock.note(at);
    }

    /// The history of the clock of this process.
    #[must_use]
    pub fn clock_history(&self) -> &ClockHistory {
        &self.clock
    }

    /// The policies in force.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    /// The port that signs links and hashes addresses.
    #[must_use]
    pub fn tokens(&self) -> &dyn Tokens {
        self.ports.tokens.as_ref()
    }
}
