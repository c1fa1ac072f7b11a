//! What must hold of any history, whatever a model says: read from the log alone.

use std::collections::BTreeMap;

use loquet_adapters::memory_store::MemoryStore;
use loquet_domain::Moment;
use loquet_domain::account::{self, Account, DeviceOrigin, Event};
use loquet_domain::fact;
use loquet_domain::ids::{AccountId, CorrelationId, DeviceId, SessionId};
use loquet_domain::lockout::LockEnd;
use loquet_domain::ports::{EventCodec, EventStore, Revision, StreamId};
use loquet_domain::schema::DomainEvent;
use loquet_tests::kit::Node;

pub(crate) type Fact = fact::Fact<Event>;

const GUESSES: u32 = 7;

/// An account's events as the log has them, after so many.
pub(crate) async fn history(store: &MemoryStore, node: &Node, account: AccountId, after: usize) -> Vec<Fact> {
    let stream = StreamId::new("account", &account.to_string());
    let after = Revision(u64::try_from(after).unwrap());
    let mut history = Vec::new();
    for recorded in store.read_stream(&stream, after).await.unwrap() {
        let fact = node.codec.decode(&recorded).await.unwrap();
        let DomainEvent::Account(event) = fact.event.clone() else { panic!("not an account's: {fact:?}") };
        history.push(fact.map(|_| event));
    }
    history
}

/// The account that follows from its events, from the first on.
pub(crate) fn folded(history: &[Fact]) -> Account {
    history.iter().fold(Account::default(), account::evolve)
}

/// Judged guesses that came after one another without a success, a release or a lockout's end between them.
#[derive(Default)]
struct Row {
    judged: u32,
    locked_until: Option<Moment>,
}

impl Row {
    fn judged(&mut self, at: Moment, what: &str) {
        if let Some(until) = self.locked_until {
            assert!(at >= until, "{what}: judged at {at}, locked until {until}");
            *self = Self::default();
        }
        self.judged += 1;
        assert!(self.judged <= GUESSES, "{what}: {} guesses were judged in a row", self.judged);
    }
}

/// What reading a history in its order comes to.
#[derive(Default)]
pub(crate) struct Audit {
    /// The guesses on the account (none), and on each device.
    rows: BTreeMap<Option<DeviceId>, Row>,
    /// Wrong codes of the second step that is on, from wherever no login was completed.
    codes: u32,
    codes_until: Option<Moment>,
    /// Devices on which a login was completed.
    opened_on: Vec<DeviceId>,
    second_step: bool,
    /// The request whose code was accepted last.
    proved: Option<CorrelationId>,
    opened: Vec<SessionId>,
}

impl Audit {
    pub(crate) fn of(history: &[Fact]) -> Self {
        let mut audit = Self::default();
        for fact in history {
            audit.read(&fact.event, fact.context.at, fact.context.correlation);
        }
        audit
    }

    /// No session stands that a complete login did not open.
    pub(crate) fn check(&self, held: &Account) {
        for session in held.active().into_iter().flat_map(|active| &active.sessions) {
            assert!(self.opened.contains(&session.id), "a session that no login opened");
        }
    }

    fn read(&mut self, event: &Event, at: Moment, request: CorrelationId) {
        match event {
            Event::LoginFailed { device, .. } => self.wrong(*device, at),
            Event::SecondStepFailed { device, .. } => {
                let apart = device.is_none_or(|device| !self.opened_on.contains(&device));
                if apart && self.second_step {
                    self.wrong_code(at);
                }
                self.wrong(*device, at);
            }
            Event::AccountLocked { until: LockEnd::At(until), device, .. } => {
                self.rows.entry(*device).or_default().locked_until = Some(*until);
                let apart = device.is_none_or(|device| !self.opened_on.contains(&device));
                if apart && self.codes >= GUESSES {
                    self.codes_until = Some(*until);
                }
            }
            Event::CodeAccepted { .. } | Event::RecoveryCodeUsed { .. } => self.proved = Some(request),
            Event::LoginSucceeded { session, device, on, .. } => {
                self.succeeded(*session, *device, request);
                if on.is_some() {
                    self.rows.remove(on);
                    self.opened_on.extend(*on);
                }
            }
            Event::DeviceTrusted { device, by: DeviceOrigin::ResetLink, .. } => {
                self.opened_on.retain(|held| held != device);
                self.rows.remove(&Some(*device));
            }
            Event::LockoutReleased { .. } => {
                self.rows.clear();
                (self.codes, self.codes_until) = (0, None);
            }
            Event::PasswordReset { .. } => {
                // Its end would have taken the codes with it.
                let over = self.rows.remove(&None).and_then(|row| row.locked_until);
                if over.is_some_and(|until| at >= until) && self.codes_are_open(at) {
                    (self.codes, self.codes_until) = (0, None);
                }
            }
            Event::SecondStepEnabled { .. } => (self.second_step, self.codes) = (true, 0),
            Event::SecondStepDisabled | Event::SecondStepReset { .. } => self.second_step = false,
            _ => {}
        }
    }

    /// Whether no lockout of the codes' own is running.
    fn codes_are_open(&self, at: Moment) -> bool {
        self.codes_until.is_none_or(|until| at >= until)
    }

    fn wrong(&mut self, device: Option<DeviceId>, at: Moment) {
        let row = self.rows.entry(device).or_default();
        let over = device.is_none() && row.locked_until.is_some_and(|until| at >= until);
        if over && self.codes_until.is_none_or(|until| at >= until) {
            (self.codes, self.codes_until) = (0, None);
        }
        row.judged(at, device.map_or("the account", |_| "a device"));
    }

    fn wrong_code(&mut self, at: Moment) {
        let account = self.rows.entry(None).or_default();
        if account.locked_until.is_some_and(|until| at >= until) {
            *account = Row::default();
            if self.codes_are_open(at) {
                (self.codes, self.codes_until) = (0, None);
            }
        }
        if let Some(until) = self.codes_until.take() {
            assert!(at >= until, "a code was judged at {at}, none may be until {until}");
            self.codes = 0;
        }
        self.codes += 1;
        assert!(self.codes <= GUESSES, "{} codes were judged in a row", self.codes);
    }

    fn succeeded(&mut self, session: SessionId, device: Option<DeviceId>, request: CorrelationId) {
        assert!(!self.second_step || self.proved == Some(request), "half a login opened a session");
        self.rows.remove(&device);
        if device.is_none_or(|device| !self.opened_on.contains(&device)) {
            (self.codes, self.codes_until) = (0, None);
        }
        self.opened_on.extend(device);
        self.opened.push(session);
    }
}
