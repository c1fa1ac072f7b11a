//! Keeps the end of the log current. One subscription tells it what all nodes append.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eventstore::{StreamPosition, SubscribeToAllOptions, SubscriptionEvent};
use loquet_domain::ports::Position;
use tokio::sync::watch;

use crate::connection::{FIRST_PAUSE, longer};
use crate::encoding;
use crate::reading::{Reader, both_halves};
use crate::trouble::Failure;

/// The end of the log, as far as it is known here. It only goes forward.
pub(crate) struct Head {
    position: Mutex<Option<watch::Sender<Position>>>,
    receiver: watch::Receiver<Position>,
    /// Why nothing is heard from the server. `None` while the subscription runs.
    deaf: watch::Sender<bool>,
}

impl Head {
    pub(crate) fn at(position: Position) -> Self {
        let sender = watch::Sender::new(position);
        let receiver = sender.subscribe();
        Self { position: Mutex::new(Some(sender)), receiver, deaf: watch::Sender::new(true) }
    }

    pub(crate) fn position(&self) -> Position {
        *self.receiver.borrow()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Position> {
        self.receiver.clone()
    }

    /// Notes an event. One that was noted before, or that is older, changes nothing.
    pub(crate) fn note(&self, position: Position) {
        let sender = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref() {
            sender.send_if_modified(|head| {
                let moved = position > *head;
                *head = position.max(*head);
                moved
            });
        }
    }

    /// Whether the server can't be heard at the moment.
    pub(crate) fn is_deaf(&self) -> bool {
        *self.deaf.borrow()
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Follows the log for ever. Events may come twice or in another order: only the greatest position counts.
pub(crate) async fn follow(reader: Reader, head: std::sync::Arc<Head>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut renewals = reader.link.renewals();
        let wire = reader.link.wire();
        let start = match head.position() {
            Position(0) => StreamPosition::Start,
            position => StreamPosition::Position(both_halves(position)),
        };
        let mut options =
            SubscribeToAllOptions::default().position(start).filter(reader.ours()).requires_leader(true);
        if let Some(credentials) = reader.link.credentials() {
            options = options.authenticated(credentials);
        }
        let mut subscription = wire.client.subscribe_to_all(&options).await;
        let failure = loop {
            let next = tokio::select! {
                next = subscription.next_subscription_event() => next,
                // The appends found out that this client leads nowhere.
                _ = renewals.changed() => break None,
            };
            match next {
                Ok(event) => {
                    if let Err(why) = heard(&head, &event) {
                        tracing::error!(why, "the event store has an event that can't be ours");
                    }
                    head.deaf.send_replace(false);
                    pause = FIRST_PAUSE;
                }
                Err(error) => break Some(Failure::of(&error)),
            }
        };
        head.deaf.send_replace(true);
        if let Some(failure) = failure {
            tracing::warn!(why = failure.words(), "the event store can't be followed; it is tried again");
            wait(pause).await;
            reader.link.mend(&wire, &failure).await;
            pause = longer(pause);
        }
    }
}

fn heard(head: &Head, event: &SubscriptionEvent) -> Result<(), String> {
    if let SubscriptionEvent::EventAppeared(event) = event
        && let Some(event) = &event.event
    {
        head.note(encoding::position(event.position)?);
    }
    Ok(())
}

async fn wait(pause: Duration) {
    tokio::time::sleep(pause).await;
}
