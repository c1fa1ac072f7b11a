//! What must hold of any history, whatever a model says: read from the log alone.

use std::collections::BTreeMap;

use loquet_domain::Moment;
use loquet_domain::account::{self, Account, Counts, DeviceOrigin, Event};
use loquet_domain::fact;
use loquet_domain::ids::{AccountId, CorrelationId, DeviceId, SessionId};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::ports::{EventCodec, EventStore, Revision};
use loquet_domain::schema::DomainEvent;
use loquet_memory::event_store::MemoryStore;
use loquet_tests::kit::Node;

pub(crate) type Fact = fact::Fact<Event>;

const GUESSES: u32 = 7;

/// An account's events as the log has them, after so many.
pub(crate) async fn history(store: &MemoryStore, node: &Node, account: AccountId, after: usize) -> Vec<Fact> {
    let stream = account::stream(account);
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

/// Guesses that were judged wrong one after the other, without a success, a reset, a release or a lockout's end between them.
#[derive(Default)]
struct Row {
    /// From callers without a trusted device; of the row of a device, from there.
    judged: u32,
    /// Wrong codes, which no reset forgives.
    codes: u32,
    /// Codes that may be judged though there were seven: one for each reset since.
    codes_more: u32,
    locked_until: Option<Moment>,
}

impl Row {
    /// A lockout that is over takes with it what led to it.
    fn settle(&mut self, at: Moment) {
        if self.locked_until.is_some_and(|until| at >= until) {
            *self = Self::default();
        }
    }

    #[track_caller]
    fn judged(&mut self, at: Moment, what: &str) {
        if let Some(until) = self.locked_until {
            panic!("{what}: judged at {at}, locked until {until}");
        }
        self.judged += 1;
        assert!(self.judged <= GUESSES, "{what}: {} guesses were judged in a row", self.judged);
    }

    #[track_caller]
    fn code(&mut self, what: &str) {
        self.codes += 1;
        let most = GUESSES + self.codes_more;
        assert!(self.codes <= most, "{what}: {} codes were judged in a row, of {most}", self.codes);
    }

    /// A complete login ends no lockout that others caused.
    fn log_in(&mut self, at: Moment) {
        self.settle(at);
        *self = Self { locked_until: self.locked_until, ..Self::default() };
    }

    fn reset(&mut self) {
        let (codes, codes_more) = (self.codes, self.codes_more + 1);
        *self = Self { codes, codes_more, ..Self::default() };
    }
}

/// What reading a history in its order comes to.
#[derive(Default)]
pub(crate) struct Audit {
    /// The guesses of callers without a trusted device (none), and of each device.
    rows: BTreeMap<Option<DeviceId>, Row>,
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
    #[track_caller]
    pub(crate) fn check(&self, held: &Account) {
        for session in held.active().into_iter().flat_map(|active| &active.sessions) {
            assert!(self.opened.contains(&session.id), "a session that no login opened");
        }
    }

    #[track_caller]
    fn read(&mut self, event: &Event, at: Moment, request: CorrelationId) {
        match event {
            Event::LoginFailed { failures } => self.wrong(failures, at),
            Event::SecondStepFailed { failures, .. } => {
                if self.second_step {
                    self.wrong_code(failures, at);
                }
                self.wrong(failures, at);
            }
            Event::AccountLocked { until: LockEnd::At(until), rows, .. } => {
                if rows.has_account() {
                    self.rows.entry(None).or_default().locked_until = Some(*until);
                }
                if let Some(device) = rows.device() {
                    self.rows.entry(Some(device)).or_default().locked_until = Some(*until);
                }
            }
            Event::CodeAccepted { .. } | Event::RecoveryCodeUsed { .. } => self.proved = Some(request),
            Event::LoginSucceeded { session, cleared, on, .. } => {
                assert!(
                    cleared.has_account(),
                    "a complete login from anywhere sets the account's count to zero"
                );
                assert!(!self.second_step || self.proved == Some(request), "half a login opened a session");
                self.rows.entry(None).or_default().log_in(at);
                for device in cleared.device().into_iter().chain(*on) {
                    self.rows.remove(&Some(device));
                    self.opened_on.push(device);
                }
                self.opened.push(*session);
            }
            Event::DeviceTrusted { device, by: DeviceOrigin::ResetLink, .. } => {
                self.opened_on.retain(|held| held != device);
                self.rows.remove(&Some(*device));
            }
            Event::LockoutReleased { .. } => self.rows.clear(),
            Event::PasswordReset { .. } => {
                self.rows.values_mut().for_each(|row| row.settle(at));
                self.rows.values_mut().for_each(Row::reset);
            }
            Event::SecondStepEnabled { .. } => {
                self.second_step = true;
                self.rows.values_mut().for_each(|row| (row.codes, row.codes_more) = (0, 0));
            }
            Event::SecondStepDisabled | Event::SecondStepReset { .. } => self.second_step = false,
            _ => {}
        }
    }

    /// Each wrong guess counts on the account. The bound is on those who have no trusted device, and on each device.
    #[track_caller]
    fn wrong(&mut self, failures: &Counts, at: Moment) {
        let device = failures.device.map(|counted| counted.device);
        assert!(failures.account.is_some(), "a wrong guess that does not count on the account");
        // It counts on the account too. So if the account's lockout is over, the log has seen its end: a clock that is set
        // back afterwards does not bring the lockout back.
        self.row(None, at);
        let row = self.row(device, at);
        row.judged(at, device.map_or("without a device", |_| "a device"));
    }

    fn wrong_code(&mut self, failures: &Counts, at: Moment) {
        let device = failures.device.map(|counted| counted.device);
        // A device that has only opened a link guesses on the account's codes.
        let own = device.filter(|device| self.opened_on.contains(device));
        if own.is_none() {
            self.row(None, at).code("without a device");
        } else {
            self.row(own, at).code("a device");
        }
    }

    fn row(&mut self, device: Option<DeviceId>, at: Moment) -> &mut Row {
        let row = self.rows.entry(device).or_default();
        row.settle(at);
        row
    }
}
