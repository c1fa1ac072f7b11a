//! Keeps the end of the log current.
//!
//! A subscription tells the follower what all nodes append. That is not enough: a server that was cut off from its cluster,
//! or is no longer the leader, leaves a subscription open and sends nothing. So the follower also asks the leader at
//! intervals for what the subscription has missed. The end of the log counts as current only for a short time after such an
//! answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventstore::{StreamPosition, SubscribeToAllOptions, SubscriptionEvent};
use loquet_domain::ports::Position;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::connection::{FIRST_PAUSE, Wire, longer};
use crate::encoding;
use crate::reading::{Part, Reader, both_halves};
use crate::trouble::Failure;

/// The pause between two questions to the leader.
const LOOK: Duration = Duration::from_secs(1);
/// How long the end of the log counts as current after the leader was asked.
const CURRENT_FOR: Duration = Duration::from_secs(3);

/// The end of the log, as far as it is known here. It only goes forward.
pub(crate) struct Head {
    position: Mutex<Option<watch::Sender<Position>>>,
    receiver: watch::Receiver<Position>,
    /// When the leader was asked last, if it answered. `None` while the log can't be followed.
    confirmed_at: Mutex<Option<Instant>>,
}

impl Head {
    pub(crate) fn at(position: Position) -> Self {
        let sender = watch::Sender::new(position);
        let receiver = sender.subscribe();
        Self { position: Mutex::new(Some(sender)), receiver, confirmed_at: Mutex::default() }
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

    /// Whether the leader has confirmed the position a short time ago.
    pub(crate) fn is_current(&self) -> bool {
        let confirmed_at = *self.confirmed_at.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed_at.is_some_and(|at| at.elapsed() < CURRENT_FOR)
    }

    fn confirm(&self, at: Option<Instant>) {
        *self.confirmed_at.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&self) {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The position up to which the subscription has delivered. It moves on with other programs' events too.
struct Heard(AtomicU64);

impl Heard {
    fn position(&self) -> Position {
        Position(self.0.load(Ordering::Acquire))
    }

    fn note(&self, position: Position) {
        self.0.fetch_max(position.0, Ordering::AcqRel);
    }
}

/// Follows the log for ever. Events may come twice or in another order: only the greatest position counts.
pub(crate) async fn follow(reader: Reader, head: Arc<Head>) {
    let mut pause = FIRST_PAUSE;
    let mut told = None;
    let heard = Heard(AtomicU64::new(head.position().0));
    loop {
        let mut renewals = reader.link.renewals();
        let wire = reader.link.wire();
        let (begun, opened) = (Instant::now(), Notify::new());
        let failure = tokio::select! {
            failure = listen(&reader, &wire, &head, &heard, &opened) => Some(failure),
            failure = look(&reader, &wire, &head, &heard, &opened, &mut told) => Some(failure),
            // The subscription would stay with the former leader.
            _ = renewals.changed() => None,
        };
        head.confirm(None);
        let Some(failure) = failure else { continue };
        tell(&failure, &mut told);
        if begun.elapsed() > CURRENT_FOR {
            pause = FIRST_PAUSE;
        }
        sleep(pause).await;
        reader.link.mend(&wire, &failure).await;
        pause = longer(pause);
    }
}

/// Says once that the log can't be followed, and once more if the server refuses for good.
fn tell(failure: &Failure, told: &mut Option<bool>) {
    let (why, may_pass) = (failure.words(), failure.may_pass());
    // The follower goes to the new leader at once.
    if !matches!(failure, Failure::NotLeader(_)) && *told != Some(may_pass) {
        tracing::warn!(why, "the event store can't be followed; trying again");
        *told = Some(may_pass);
    } else {
        tracing::debug!(why, "the event store can't be followed; trying again");
    }
}

/// Notes what the subscription delivers, until it ends.
async fn listen(reader: &Reader, wire: &Wire, head: &Head, heard: &Heard, opened: &Notify) -> Failure {
    let start = match heard.position() {
        Position(0) => StreamPosition::Start,
        position => StreamPosition::Position(both_halves(position)),
    };
    let mut options =
        SubscribeToAllOptions::default().position(start).filter(reader.ours()).requires_leader(true);
    if let Some(credentials) = reader.link.credentials() {
        options = options.authenticated(credentials);
    }
    let mut subscription = wire.client.subscribe_to_all(&options).await;
    loop {
        let delivered = subscription.next_subscription_event().await;
        opened.notify_one();
        let passed = match delivered {
            Ok(SubscriptionEvent::EventAppeared(event)) => event.event.map(|event| event.position),
            Ok(SubscriptionEvent::Checkpoint(position)) => {
                // A checkpoint may be at the event of another program, and its halves may differ.
                encoding::position(position).into_iter().for_each(|position| heard.note(position));
                None
            }
            Ok(_) => None,
            Err(error) => return Failure::of(&error),
        };
        match passed.map(encoding::position).transpose() {
            Ok(Some(position)) => {
                heard.note(position);
                head.note(position);
            }
            Ok(None) => {}
            Err(why) => tracing::error!(
                why,
                "the log of the event store has an event that this program did not write; it is ignored"
            ),
        }
    }
}

/// Asks the leader at intervals for what the open subscription has missed. Returns why it is of no use any more.
async fn look(
    reader: &Reader,
    wire: &Wire,
    head: &Head,
    heard: &Heard,
    opened: &Notify,
    told: &mut Option<bool>,
) -> Failure {
    if timeout(reader.deadline, opened.notified()).await.is_err() {
        return Failure::no_answer();
    }
    let mut missing_after = None;
    loop {
        let (asked_at, from) = (Instant::now(), heard.position());
        // The server searches from where the subscription is. Nearly always, that is the end.
        let further = match reader.look(wire, Part::From(from), 2).await {
            Ok(further) => further.iter().any(|event| event.position.commit > from.0),
            Err(failure) => return failure,
        };
        if further {
            if missing_after == Some(from) {
                return Failure::Lost("the subscription delivers no events".to_owned());
            }
            match reader.look(wire, Part::Newest, 1).await {
                Ok(newest) => newest.iter().for_each(|event| head.note(Position(event.position.commit))),
                Err(failure) => return failure,
            }
        }
        missing_after = further.then_some(from);
        head.confirm(Some(asked_at));
        if told.take().is_some() {
            tracing::info!("the event store is followed again");
        }
        sleep(LOOK).await;
    }
}
