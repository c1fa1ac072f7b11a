//! Sends the mails that are due: claims a mail, writes it from the log, sends it, and records the result.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use loquet_domain::Moment;
use loquet_domain::account::{Account, Admission, Asker, Device, Event, MailFate, Profile, Role, Rows};
use loquet_domain::app::{App, Failure, Unavailable};
use loquet_domain::fact::{Actor, Context, Fact};
use loquet_domain::ids::{CorrelationId, EventId};
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::ports::{EventCodec, EventStore, LinkClaims, Purpose, Revision};
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::email_address::EmailHash;
use loquet_domain::values::person::Person;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::pace::{Pace, RefusedInARow, Server, doubling, longest, pause_of_perhaps_taken};
use super::software::{Software, UNKNOWN};
use super::{
    Letters, MailKind, Mailboxes, Message, Tidings, Trouble, UnfilledTemplate, effect_of, of_companies,
};
use crate::causes::Causes;
use crate::local_time::Precision;
use crate::people::{Unreadable, event_at, noted_at};
use crate::ports::{
    ClaimedMail, Clock, Fence, Fenced, Hold, MailOutcome, Mailer, QueuedMail, ReactionJournal, SendError,
    UnnotedFate, WriteFailed,
};
use crate::view::EventEnvelope;

/// The maximum number of results that are written to the log at once.
const FATES: usize = 32;
/// The pause after the journal failed.
const RETRY: Duration = Duration::from_secs(2);
/// The longest time between two looks into the queue, because another process may have put a mail back.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);
/// The first pause before a mail is tried again.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
/// The longest pause before a mail is tried again.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// The longest pause before the next try to write a result to the log.
const LONGEST_UNNOTED: TimeDelta = TimeDelta::minutes(5);
/// The age at which a notice is no longer sent. So the loss of a journal does not send old mails again.
const STALE: TimeDelta = TimeDelta::days(7);

/// The settings for sending mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The maximum number of mails at the same time.
    pub at_once: usize,
    /// The maximum number of mails in a second.
    pub per_second: u32,
    /// How long a mail may wait because of its own refusals before it is given up.
    pub give_up_after: TimeDelta,
}

impl Default for Sending {
    fn default() -> Self {
        Self { at_once: 4, per_second: 20, give_up_after: TimeDelta::days(3) }
    }
}

/// Sends the queued mails.
pub struct Sender {
    /// The log. Each mail is written from it.
    pub store: Arc<dyn EventStore>,
    /// Decodes its events.
    pub codec: Arc<dyn EventCodec>,
    /// The use cases: the present state of recipients, the tokens of links, and the recording of results.
    pub app: Arc<App>,
    /// The journal with the queue.
    pub journal: Arc<dyn ReactionJournal>,
    /// The lease under which it sends.
    pub fence: Fence,
    /// Sends a mail to the mail server.
    pub mailer: Arc<dyn Mailer>,
    /// Writes the mails.
    pub letters: Arc<Letters>,
    /// The settings for sending.
    pub sending: Sending,
    /// The time.
    pub clock: Clock,
    /// Notified when mails were queued.
    pub queued: Arc<Notify>,
    /// The mails that each mailbox got recently.
    pub mailboxes: Arc<Mailboxes>,
    /// Publishes why no mail is being sent.
    pub held: watch::Sender<Option<Hold>>,
}

/// The result of writing a mail from the log.
enum Written {
    Mail(Box<Message>, Option<Place>),
    Void,
    /// The mailbox has reached its limit until this time.
    Later(Moment),
}

/// The place of a mail in a mailbox's limit: the address, and when the place was reserved.
type Place = (EmailHash, Moment);

/// Why a mail can't be written now, or its result can't be recorded in the log now.
#[derive(Debug, thiserror::Error)]
enum NotNow {
    #[error(transparent)]
    Log(#[from] Unreadable),
    #[error(transparent)]
    App(#[from] Unavailable),
    #[error("the recipient's account does not exist yet")]
    NoRecipient,
    #[error(transparent)]
    Letter(#[from] UnfilledTemplate),
}

/// The claimed mails, and information about the rest of the queue.
struct Taken {
    mails: Vec<ClaimedMail>,
    look_again: Duration,
    waiting: Waiting,
}

/// Whether any mail waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Some,
    None,
}

/// Whether it is known which mails are claimed. It is not known at the start, because another process may have left
/// claims, nor after a claim that failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claims {
    Known,
    Unsure,
}

impl Sender {
    /// Runs until told to stop. Then it finishes the mails that are being sent and starts no others.
    ///
    /// A mail that is refused for now is tried again, with longer and longer pauses, and given up after a while. A
    /// mail that is refused for good is given up at once. No mail waits for the pause of another. If the mail server
    /// is away or refuses us, one mail at a time is tried, however long it takes. Then only mails wait, and none is
    /// given up.
    ///
    /// # Errors
    /// [`Fenced`] when the journal says that the lease is over. Then too it finishes the mails that are being sent
    /// and starts no others. The next holder of the lease sends those mails again, with the same Message-ID.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Result<(), Fenced> {
        let refused = Mutex::new(RefusedInARow::default());
        let mut flying = FuturesUnordered::new();
        let mut pace = Pace::new(self.sending.per_second, self.held_before().await);
        let mut claims = Claims::Unsure;
        let mut lease = Ok(());
        loop {
            let stopping = *stop.borrow_and_update() || lease.is_err();
            if stopping && flying.is_empty() {
                return lease;
            }
            let mut pause = RETRY;
            // While it is not known which mails are claimed, no mail is claimed until those being sent have ended.
            if !stopping && (claims == Claims::Known || flying.is_empty()) {
                let free = self.sending.at_once.saturating_sub(flying.len());
                match self.take(&mut claims, &mut pace, free).await {
                    Ok(Taken { mails, look_again, waiting }) => {
                        if waiting == Waiting::None && flying.is_empty() {
                            pace.release();
                            self.tell(&pace).await;
                        }
                        flying.extend(mails.into_iter().map(|mail| self.deliver(mail, &refused)));
                        pause = look_again;
                    }
                    Err(WriteFailed::Fenced(fenced)) => {
                        lease = Err(fenced);
                        continue;
                    }
                    Err(WriteFailed::Store(error)) => {
                        tracing::error!(error = %Causes(&error), "the mail queue can't be used; trying again");
                    }
                }
            }
            tokio::select! {
                Some(delivered) = flying.next(), if !flying.is_empty() => match delivered {
                    Ok(server) => {
                        pace.learn(server, (self.clock)());
                        self.tell(&pace).await;
                    }
                    Err(fenced) => lease = Err(fenced),
                },
                () = tokio::time::sleep(pause), if !stopping => {}
                () = self.queued.notified(), if !stopping => {}
                _ = stop.changed(), if !stopping => {}
            }
        }
    }

    /// Why no mail was being sent when this program last ran.
    async fn held_before(&self) -> Option<Hold> {
        let held = self.journal.held().await.unwrap_or_else(|error| {
            tracing::error!(error = %Causes(&error), "can't read from the mail queue why no mails were sent before");
            None
        });
        if held.is_some() {
            self.held.send_replace(held.clone());
        }
        held
    }

    /// Tells the journal, the program's log and all watchers when mails are no longer sent, why, and when they are
    /// sent again.
    async fn tell(&self, pace: &Pace) {
        let (before, now) = (self.held.borrow().clone(), pace.hold().cloned());
        if before == now {
            return;
        }
        match &now {
            Some(hold) if hold.is_refusal() => {
                tracing::error!(why = %hold.trouble, "the mail server refuses us: all mails wait");
            }
            Some(hold) => tracing::warn!(why = %hold.trouble, "the mail server is away: all mails wait"),
            None => tracing::info!("mails are being sent again"),
        }
        if let Err(error) = self.journal.hold(self.fence, now.clone()).await {
            tracing::error!(error = %Causes(&error), "can't record in the mail queue whether mails are being sent");
        }
        self.held.send_replace(now);
    }

    /// Claims the mails that may be sent now, and says when to look again.
    async fn take(&self, claims: &mut Claims, pace: &mut Pace, free: usize) -> Result<Taken, WriteFailed> {
        if *claims == Claims::Unsure {
            self.journal.reclaim(self.fence).await?;
            *claims = Claims::Known;
        }
        self.note_fates().await?;
        let now = (self.clock)();
        let allowed = pace.allowed(free);
        let taken = match allowed {
            0 => Vec::new(),
            allowed => {
                let claimed = self.journal.claim_due(self.fence, now, allowed).await;
                claimed.inspect_err(|_| *claims = Claims::Unsure)?
            }
        };
        if !taken.is_empty() {
            pace.took(taken.len());
        }
        // The claimed mails are sent even if the time of the next one can't be read.
        let next = self.journal.next_due().await.unwrap_or_else(|error| {
            tracing::error!(error = %Causes(&error), "can't read from the mail queue when the next mail is due; looking again soon");
            Some(now)
        });
        let waiting = match next {
            None if taken.is_empty() => Waiting::None,
            _ => Waiting::Some,
        };
        let next = next
            .map_or(LOOK_AGAIN, |next| next - now)
            .clamp(TimeDelta::milliseconds(10), LOOK_AGAIN)
            .to_std()
            .unwrap_or(RETRY);
        let look_again = next.max(pace.next.saturating_duration_since(Instant::now()));
        Ok(Taken { mails: taken, look_again, waiting })
    }

    /// Sends a mail and records the result.
    async fn deliver(&self, claimed: ClaimedMail, refused: &Mutex<RefusedInARow>) -> Result<Server, Fenced> {
        let mail = &claimed.mail;
        let (outcome, server) = match self.write(mail).await {
            Ok(Written::Mail(message, place)) => {
                let handed = self.hand_over(*message, &claimed, refused).await;
                if let (Some((address, entered)), true) = (place, handed.0 != MailOutcome::Sent) {
                    self.mailboxes.leave(&address, entered);
                }
                handed
            }
            Ok(Written::Void) => (MailOutcome::Void, Server::NotKnown),
            Ok(Written::Later(at)) => {
                let trouble = "this address was sent enough activation mails within the hour".into();
                (MailOutcome::Retry { at, waited: claimed.waited, trouble }, Server::NotKnown)
            }
            Err(why) => (self.retry(&claimed, Causes(&why).to_string().into()), Server::NotKnown),
        };
        let (id, kind) = (mail.effect, mail.kind.name());
        match &outcome {
            MailOutcome::Sent => tracing::info!(mail = %id, kind, "mail sent"),
            MailOutcome::Void => tracing::info!(mail = %id, kind, "mail is out of date and was not sent"),
            MailOutcome::Retry { at, trouble, .. } => {
                tracing::warn!(mail = %id, kind, again_at = %at, why = %trouble, "mail not sent");
            }
            MailOutcome::Dead { trouble } => {
                tracing::error!(mail = %id, kind, why = %trouble, "mail given up");
            }
        }
        // Until the result is recorded, nothing else may happen with this mail: neither a second try nor a note that
        // it was sent.
        loop {
            let error = match self.journal.conclude(self.fence, id, outcome.clone(), (self.clock)()).await {
                Ok(()) => return Ok(server),
                Err(WriteFailed::Fenced(fenced)) => {
                    tracing::warn!(mail = %id, kind, "another node sends the mails now, and may send this one again");
                    return Err(fenced);
                }
                Err(WriteFailed::Store(error)) => error,
            };
            tracing::error!(error = %Causes(&error), mail = %id, "can't record the result of a mail; trying again");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn hand_over(
        &self,
        message: Message,
        claimed: &ClaimedMail,
        refused: &Mutex<RefusedInARow>,
    ) -> (MailOutcome, Server) {
        let sent = self.mailer.send(message).await;
        let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
        let recipient = claimed.mail.recipient;
        match sent {
            Ok(()) => {
                refused.end();
                (MailOutcome::Sent, Server::Answered)
            }
            Err(SendError::Transient(trouble)) => (self.retry(claimed, trouble), Server::Answered),
            Err(SendError::Permanent(trouble))
                if is_unexplained(&trouble) && refused.unexplained(recipient) =>
            {
                self.wait_for_the_server(claimed, trouble)
            }
            Err(SendError::Permanent(trouble)) => (MailOutcome::Dead { trouble }, Server::Answered),
            Err(SendError::Unclear(trouble)) if refused.unclear(recipient) => {
                self.wait_for_the_server(claimed, trouble)
            }
            Err(SendError::Unclear(trouble)) => (self.retry(claimed, trouble), Server::NotKnown),
            Err(SendError::Away(trouble)) => self.wait_for_the_server(claimed, trouble),
        }
    }

    /// Tries the mail again when the server accepts mails again. The waiting time does not count for this mail,
    /// because the mail is not the cause.
    fn wait_for_the_server(&self, claimed: &ClaimedMail, trouble: Trouble) -> (MailOutcome, Server) {
        let pause = match may_be_taken(&trouble) {
            true => pause_of_perhaps_taken(claimed.tries),
            false => doubling(TimeDelta::seconds(1), claimed.tries, longest(&trouble)),
        };
        let (at, waited) = ((self.clock)() + pause, claimed.waited);
        (MailOutcome::Retry { at, waited, trouble: trouble.clone() }, Server::Away(trouble))
    }

    /// Tries the mail again after 5 seconds, and then after pauses that double each time, up to an hour. Gives it up
    /// if the next try would be too late.
    fn retry(&self, claimed: &ClaimedMail, trouble: Trouble) -> MailOutcome {
        let pause = match may_be_taken(&trouble) {
            true => pause_of_perhaps_taken(claimed.tries),
            // All earlier pauses together are as long as this pause, less the first.
            false => (claimed.waited + FIRST_PAUSE).min(LONGEST_PAUSE),
        };
        let waited = claimed.waited + pause;
        if waited > self.sending.give_up_after {
            let why = format!("{trouble} ({} tries)", claimed.tries);
            return MailOutcome::Dead { trouble: Trouble { why, ..trouble } };
        }
        MailOutcome::Retry { at: (self.clock)() + pause, waited, trouble }
    }

    /// Writes the results of mails into the log, so that support sees them in the account's history. It reads the
    /// journal for them, so results from before a crash are included. If a result can't be written, for example
    /// because its account's key is missing, it is tried again later. Other results do not wait for it.
    async fn note_fates(&self) -> Result<(), WriteFailed> {
        for ended in self.journal.unnoted((self.clock)(), FATES).await? {
            let (effect, at) = (ended.mail.effect, ended.at);
            if let Err(why) = self.note_fate(ended).await {
                let why = Causes(&why).to_string();
                tracing::error!(mail = %effect, %why, "the result of a mail can't be written to the log");
                let now = (self.clock)();
                let pause = (now - at).clamp(TimeDelta::seconds(5), LONGEST_UNNOTED);
                self.journal.not_noted(self.fence, effect, why, now + pause).await?;
                continue;
            }
            self.journal.noted(self.fence, effect).await?;
        }
        Ok(())
    }

    async fn note_fate(&self, ended: UnnotedFate) -> Result<(), NotNow> {
        let UnnotedFate { mail, at, given_up } = ended;
        let about = noted_at(self.store.as_ref(), self.codec.as_ref(), mail.position).await?;
        let Some(about) = about else { return Ok(()) };
        let Fact { id, context, .. } = about.fact;
        let context = Context {
            at,
            actor: Actor::System { reaction: "mail".to_owned() },
            correlation: CorrelationId(context.correlation.0),
            causation: Some(id),
            client: None,
            reason: None,
        };
        let fate = MailFate { mail: mail.effect, kind: mail.kind, about: id, given_up };
        // The result can only come after the event in the event's own stream. In another stream the place is not
        // known.
        let since =
            if about.stream.account() == Some(mail.recipient) { about.revision } else { Revision::default() };
        match self.app.note_mail(&context, mail.recipient, fate, since).await {
            Err(Failure::Unavailable(why)) => Err(why.into()),
            // An account that does not exist has no history for the result.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn write(&self, mail: &QueuedMail) -> Result<Written, NotNow> {
        let Some(envelope) = event_at(self.store.as_ref(), self.codec.as_ref(), mail.position).await? else {
            return Ok(Written::Void);
        };
        let recipient = self.app.account(mail.recipient).await?;
        if recipient == Account::Absent {
            return Err(NotNow::NoRecipient);
        }
        let own = mail.effect == effect_of(envelope.fact.id, mail.kind, mail.recipient);
        let Some((person, profile)) = reader(&recipient, mail.kind).filter(|_| own) else {
            return Ok(Written::Void);
        };
        let Some(tidings) = self.tidings(mail, &envelope, &recipient).await? else {
            return Ok(Written::Void);
        };
        let message = self.letters.write(mail.effect, mail.kind, (person, profile), tidings)?;
        let message = Box::new(message);
        let asker = Asker::of(&envelope.fact.context.actor);
        if (mail.kind, asker) != (MailKind::Activation, Asker::Company) {
            return Ok(Written::Mail(message, None));
        }
        Ok(match self.enter_mailbox(&profile.email_hash).await? {
            Ok(place) => Written::Mail(message, Some(place)),
            Err(later) => Written::Later(later),
        })
    }

    /// Reserves a place in a mailbox for one more activation mail that a company requested. If there is none, returns
    /// the time at which there is one.
    async fn enter_mailbox(&self, address: &EmailHash) -> Result<Result<Place, Moment>, NotNow> {
        let (now, most) = ((self.clock)(), self.app.policies().activation_mails_per_hour);
        let known = self.app.activation_mails_sent_to(address, now).await?;
        let entered = self.mailboxes.enter(address, &known, most, now);
        Ok(entered.map(|()| (address.clone(), now)))
    }

    /// The contents of a mail. Returns `None` if the mail is out of date.
    async fn tidings(
        &self,
        mail: &QueuedMail,
        envelope: &EventEnvelope,
        recipient: &Account,
    ) -> Result<Option<Tidings>, NotNow> {
        let (fact, at) = (&envelope.fact, envelope.fact.context.at);
        let stale = (self.clock)() - at > STALE;
        Ok(match (mail.kind, &fact.event) {
            (MailKind::Activation, DomainEvent::Account(_)) => {
                let waits =
                    recipient.profile().map(|profile| profile.role) == Some(Role::TemporaryAdministrator);
                let places = vec![("waits", if waits { "yes" } else { "no" }.to_owned())];
                let linked = self.with_link(mail, Purpose::Activation, fact.id, newest_link(recipient));
                linked.map(|tidings| Tidings { places, ..tidings })
            }
            (MailKind::PasswordReset | MailKind::PasswordResetBySupport, DomainEvent::Account(_)) => {
                self.with_link(mail, Purpose::PasswordReset, fact.id, newest_link(recipient))
            }
            (_, _) if stale => None,
            (
                MailKind::LockedOut | MailKind::LockedUntilReset | MailKind::DeviceLocked,
                DomainEvent::Account(Event::AccountLocked { until, rows, .. }),
            ) => {
                let ends = if until.moment().is_some() { "time" } else { "reset" };
                let who = self.locked_out(*rows, *until, recipient).to_owned();
                let places = vec![("who", who), ("ends", ends.to_owned())];
                let precision = Precision::NextMinute;
                let link = Some(self.letters.page("forgot"));
                Some(Tidings { link, precision, places, ..Tidings::of(until.moment().unwrap_or(at)) })
            }
            (MailKind::NewDevice, DomainEvent::Account(_)) => {
                let client = fact.context.client.clone().unwrap_or_default();
                let software = Software::of(client.agent.as_deref().unwrap_or_default());
                let known = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
                let places = vec![
                    ("browser", known(software.browser)),
                    ("system", known(software.system)),
                    ("address", known(client.address)),
                ];
                Some(Tidings { places, ..Tidings::of(at) })
            }
            (MailKind::Admitted, DomainEvent::Account(Event::AccountConverted { to })) => {
                let role = match to {
                    Admission::Administrator => "administrator",
                    Admission::User => "user",
                };
                let first = if recipient.active().is_some() { "login" } else { "password" };
                let places = vec![("role", role.to_owned()), ("first", first.to_owned())];
                Some(Tidings { places, ..Tidings::of(at) })
            }
            (MailKind::AccountDeleted, DomainEvent::Account(Event::AccountDeleted { .. })) => {
                let by = match fact.context.actor {
                    Actor::Account { .. } => "company",
                    _ => "support",
                };
                Some(Tidings { places: vec![("by", by.to_owned())], ..Tidings::of(at) })
            }
            (
                MailKind::PasswordChanged
                | MailKind::SecondStepOn
                | MailKind::SecondStepOff
                | MailKind::SecondStepReset
                | MailKind::LockoutReleased,
                DomainEvent::Account(_),
            ) => Some(Tidings::of(at)),
            (MailKind::AwaitingConversion, DomainEvent::Account(Event::AccountCreated { person, .. })) => {
                person.known().map(|about| Tidings { about: Some(about.clone()), ..Tidings::of(at) })
            }
            (MailKind::AdministratorBySupport, DomainEvent::Account(_)) => {
                let Some(account) = envelope.stream.account() else { return Ok(None) };
                let about = self.app.account(account).await?;
                let about = about.profile().and_then(|profile| profile.person.known().cloned());
                about.map(|about| Tidings { about: Some(about), ..Tidings::of(at) })
            }
            (_, event) => of_companies::tidings(&self.app, event, &envelope.stream, at).await?,
        })
    }

    /// Who is locked out, as a word for the texts of a mail. `everybody`. `others`: the recipient has a trusted
    /// device that is not locked. `browser`: the device of the guesses is locked out too. `over`: the lockout has
    /// ended.
    fn locked_out(&self, rows: Rows, until: LockEnd, recipient: &Account) -> &'static str {
        let now = (self.clock)();
        let Some(active) = recipient.active() else { return "over" };
        let device = rows.device().and_then(|device| active.device(device, now));
        let of_account = rows.has_account().then_some(active.lockout);
        let mut locked = of_account.into_iter().chain(device.map(|device| device.lockout));
        if !locked.any(|row| row.locked_until(now) == Some(until)) {
            return "over";
        }
        let is_open =
            |device: &Device| device.last_login_at.is_some() && device.lockout.locked_until(now).is_none();
        let open = self.app.policies().trusted_devices.is_some() && active.devices_at(now).any(is_open);
        match (rows.device(), open) {
            (_, false) => "everybody",
            (None, true) => "others",
            (Some(_), true) => "browser",
        }
    }

    /// The contents of a mail with a link. A link is mailed only while it is the newest of its account and works.
    fn with_link(
        &self,
        mail: &QueuedMail,
        purpose: Purpose,
        event: EventId,
        newest: Option<(Purpose, EventId, Moment)>,
    ) -> Option<Tidings> {
        let (_, _, expires_at) = newest
            .filter(|(of, newest, ends)| (*of, *newest) == (purpose, event) && (self.clock)() < *ends)?;
        let claims = LinkClaims { purpose, account: mail.recipient, event, expires_at };
        let page = match purpose {
            Purpose::Activation => "activate",
            Purpose::PasswordReset => "reset",
        };
        let link = self.letters.link(page, &self.app.tokens().link(&claims));
        Some(Tidings { link: Some(link), ..Tidings::of(expires_at) })
    }
}

/// Whether the server refused a mail for good without saying why.
fn is_unexplained(trouble: &Trouble) -> bool {
    trouble.verdict.is_some_and(|verdict| verdict.code().is_some() && !verdict.is_explained())
}

/// Whether the server may have accepted the mail. Then each further try may deliver a copy.
fn may_be_taken(trouble: &Trouble) -> bool {
    trouble.verdict.is_some_and(|verdict| verdict.may_be_taken())
}

/// The recipient of mails to this account. Returns `None` if nobody reads them any more. Whoever was deleted still reads
/// that they were.
fn reader(account: &Account, kind: MailKind) -> Option<(&Person, &Profile)> {
    let profile = account.profile().filter(|_| account.is_live() || kind == MailKind::AccountDeleted)?;
    Some((profile.person.known()?, profile))
}

fn newest_link(account: &Account) -> Option<(Purpose, EventId, Moment)> {
    match account {
        Account::Invited(invited) => {
            Some((Purpose::Activation, invited.activation.event, invited.activation.expires_at))
        }
        Account::Active(active) => {
            active.reset.map(|link| (Purpose::PasswordReset, link.event, link.expires_at))
        }
        Account::Absent | Account::Deleted(_) => None,
    }
}
