//! Sends what is due: claims a mail, writes it from the log, hands it over, notes what became of it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream;
use loquet_domain::Moment;
use loquet_domain::account::{Account, Event, Profile};
use loquet_domain::app::App;
use loquet_domain::fact::Fact;
use loquet_domain::ids::EventId;
use loquet_domain::person::Person;
use loquet_domain::ports::{EventCodec, EventStore, LinkClaims, Purpose};
use loquet_domain::schema::DomainEvent;
use tokio::sync::{Notify, watch};

use super::{Letters, MailKind, Message, effect_of};
use crate::people::event_at;
use crate::ports::{Clock, MailOutcome, Mailer, QueuedMail, ReactionJournal, SendError};

/// How many mails are handed over at once.
const AT_ONCE: usize = 4;
/// How many mails are claimed at once.
const CLAIMED: usize = 32;
/// How long noting what became of a mail waits before it is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// A notice older than this says nothing new: a journal that was lost must not mail the past again.
const STALE: TimeDelta = TimeDelta::days(7);

/// Sends queued mails.
pub struct Sender {
    /// The log, from which each mail is written.
    pub store: Arc<dyn EventStore>,
    /// Reads its events.
    pub codec: Arc<dyn EventCodec>,
    /// Recipients as they are now, and the tokens of links.
    pub app: Arc<App>,
    /// What is due.
    pub journal: Arc<dyn ReactionJournal>,
    /// Hands mails over.
    pub mailer: Arc<dyn Mailer>,
    /// Writes them.
    pub letters: Letters,
    /// The time.
    pub clock: Clock,
    /// Rung when mails were queued.
    pub queued: Arc<Notify>,
}

/// A mail as the log says it should be, or why it should not be.
enum Written {
    Mail(Box<Message>),
    Void,
}

impl Sender {
    /// Runs until told to stop; what is being handed over is then finished, and nothing more begun. What
    /// fails is reported and tried again. A mail server that is away is tried for ever: what a mail says
    /// may come to be void meanwhile, and then it is not sent.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut reclaimed = false;
        while !*stop.borrow_and_update() {
            let round = async {
                if !reclaimed {
                    self.journal.reclaim().await?;
                    reclaimed = true;
                }
                self.send_due(&mut stop).await
            };
            if let Err(error) = round.await {
                tracing::error!(%error, "the mail queue can't be used; trying again");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        }
    }

    /// Sends what is due, then waits until something may be.
    async fn send_due(&self, stop: &mut watch::Receiver<bool>) -> Result<(), crate::ports::StoreFailed> {
        let due = self.journal.claim_due((self.clock)(), CLAIMED).await?;
        if due.is_empty() {
            let next = self.journal.next_due().await?;
            let pause = next.map_or(TimeDelta::seconds(60), |next| next - (self.clock)());
            let pause = pause.clamp(TimeDelta::milliseconds(10), TimeDelta::seconds(60));
            tokio::select! {
                () = tokio::time::sleep(pause.to_std().unwrap_or_default()) => {}
                () = self.queued.notified() => {}
                _ = stop.changed() => {}
            }
            return Ok(());
        }
        stream::iter(due).for_each_concurrent(AT_ONCE, |(mail, tries)| self.deliver(mail, tries)).await;
        Ok(())
    }

    async fn deliver(&self, mail: QueuedMail, tries: u32) {
        let outcome = match self.write(&mail).await {
            Ok(Written::Mail(message)) => self.hand_over(*message, tries).await,
            Ok(Written::Void) => MailOutcome::Void,
            Err(why) => self.retry(tries, why),
        };
        match &outcome {
            MailOutcome::Sent => {
                tracing::info!(mail = %mail.effect, kind = mail.kind.name(), "mail sent")
            }
            MailOutcome::Void => {
                tracing::info!(mail = %mail.effect, kind = mail.kind.name(), "mail is void")
            }
            MailOutcome::Retry { at, why } => {
                tracing::warn!(mail = %mail.effect, kind = mail.kind.name(), again_at = %at, %why, "mail not sent");
            }
            MailOutcome::Dead { why } => {
                tracing::error!(mail = %mail.effect, kind = mail.kind.name(), %why, "mail given up");
            }
        }
        // Until it is noted nothing else may be concluded from it: neither that it is to be sent again
        // nor that it was sent.
        while let Err(error) = self.journal.conclude(mail.effect, outcome.clone(), (self.clock)()).await {
            tracing::error!(%error, mail = %mail.effect, "what became of a mail can't be noted; trying again");
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn hand_over(&self, message: Message, tries: u32) -> MailOutcome {
        match self.mailer.send(message).await {
            Ok(()) => MailOutcome::Sent,
            Err(SendError::Permanent(why)) => MailOutcome::Dead { why },
            Err(SendError::Transient(why)) => self.retry(tries, why),
        }
    }

    /// Again after 5 seconds, then twice as long each time, up to an hour.
    fn retry(&self, tries: u32, why: String) -> MailOutcome {
        let doubled = 1_i64 << tries.saturating_sub(1).min(10);
        let pause = TimeDelta::seconds(doubled.saturating_mul(5).min(3600));
        MailOutcome::Retry { at: (self.clock)() + pause, why }
    }

    async fn write(&self, mail: &QueuedMail) -> Result<Written, String> {
        let fact = event_at(self.store.as_ref(), self.codec.as_ref(), mail.position).await;
        let Some(fact) = fact.map_err(|e| e.to_string())? else {
            return Ok(Written::Void);
        };
        let Fact { id, context, event: DomainEvent::Account(event) } = &fact else {
            return Ok(Written::Void);
        };
        let recipient = self.app.account(mail.recipient).await.map_err(|e| e.to_string())?;
        if recipient == Account::Absent {
            return Err("the recipient's account is not there yet".to_owned());
        }
        let own = mail.effect == effect_of(*id, mail.kind, mail.recipient);
        let Some((person, profile)) = reader(&recipient).filter(|_| own) else {
            return Ok(Written::Void);
        };
        let stale = (self.clock)() - context.at > STALE;
        let letter = match (mail.kind, event) {
            (MailKind::Activation, _) => {
                self.with_link(mail, Purpose::Activation, *id, newest_link(&recipient))
            }
            (MailKind::PasswordReset, _) => {
                self.with_link(mail, Purpose::PasswordReset, *id, newest_link(&recipient))
            }
            (_, _) if stale => None,
            (MailKind::LockedOut, Event::AccountLocked { until, .. }) => Some((None, *until, None)),
            (MailKind::PasswordChanged, _) => Some((None, context.at, None)),
            (MailKind::AwaitingConversion, Event::AccountCreated { person, .. }) => {
                person.known().map(|about| (None, context.at, Some(about)))
            }
            _ => None,
        };
        let Some((link, moment, about)) = letter else {
            return Ok(Written::Void);
        };
        let message = self.letters.write(mail.effect, mail.kind, (person, profile), link, moment, about);
        message
            .map(|message| Written::Mail(Box::new(message)))
            .ok_or_else(|| "a template can't be filled".to_owned())
    }

    /// A link is mailed only while it is the newest of its account and still works.
    fn with_link(
        &self,
        mail: &QueuedMail,
        purpose: Purpose,
        event: EventId,
        newest: Option<(Purpose, EventId, Moment)>,
    ) -> Option<(Option<String>, Moment, Option<&'static Person>)> {
        let (_, _, expires_at) = newest
            .filter(|(of, newest, ends)| (*of, *newest) == (purpose, event) && (self.clock)() < *ends)?;
        let claims = LinkClaims { purpose, account: mail.recipient, event, expires_at };
        let page = match purpose {
            Purpose::Activation => "activate",
            Purpose::PasswordReset => "reset",
        };
        let link = self.letters.link(page, &self.app.tokens().link(&claims));
        Some((Some(link), expires_at, None))
    }
}

/// Who reads a mail to this account, if anybody still does.
fn reader(account: &Account) -> Option<(&Person, &Profile)> {
    let profile = account.profile().filter(|_| account.is_live())?;
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
