//! What lockouts would have done under other policies: the history of guesses is judged again, in one pass over the log.

use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::account;
use loquet_domain::account::what_if::{History, NAMES, Outcome, Trial, WhatIf};
use loquet_domain::fact::Fact;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{CodecError, EventStore, Position, ReadError, RecordedEvent};
use loquet_domain::schema::DomainEvent;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// Events of the log that are read at once.
const PAGE: usize = 2000;
/// Pages that are read and decoded before they are judged.
const AHEAD: usize = 8;

/// The time whose guesses count. Events before it say how many wrong guesses there were when it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first moment. `None`: the beginning of the log.
    pub from: Option<Moment>,
    /// The first moment after it. `None`: the end of the log.
    pub to: Option<Moment>,
}

/// Why a history can't be judged.
#[derive(Debug, thiserror::Error)]
pub enum CannotJudge {
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// An event can't be read.
    #[error(transparent)]
    Event(#[from] CodecError),
    /// Reading ended by itself.
    #[error("the log was not read to its end")]
    Ended(#[from] JoinError),
}

/// An event that changes a verdict.
struct Counted {
    account: AccountId,
    at: Moment,
    event: account::Event,
}

/// A page on its way: where it ends, and its events that count.
struct Page {
    end: Position,
    events: JoinHandle<Result<Vec<Counted>, CodecError>>,
}

/// Judges the guesses of a period under each policy. Returns what really happened, and what each policy would have done, in
/// the order of `trials`. `open` decodes the unencrypted part of an event. `reached` is told the position after each page.
/// Pages are read and decoded on other threads, while the one before them is judged.
///
/// # Errors
/// [`CannotJudge`] if the log or one of its events can't be read.
pub async fn judge(
    store: Arc<dyn EventStore>,
    open: impl Fn(&RecordedEvent) -> Result<Fact<DomainEvent>, CodecError> + Send + Sync + 'static,
    trials: Vec<Trial>,
    period: Period,
    mut reached: impl FnMut(Position),
) -> Result<(History, Vec<Outcome>), CannotJudge> {
    let head = store.head().await?;
    let mut what_if = WhatIf::new(trials);
    let (pages, mut waiting) = mpsc::channel(AHEAD);
    let reading = tokio::spawn(read(store, head, Arc::new(open), pages));
    while let Some(page) = waiting.recv().await {
        let Page { end, events } = page?;
        for Counted { account, at, event } in events.await?? {
            if period.to.is_none_or(|to| at < to) {
                what_if.tell(account, at, &event, period.from.is_none_or(|from| from <= at));
            }
        }
        reached(end);
    }
    reading.await?;
    let (history, outcomes) = what_if.outcomes();
    Ok((history, outcomes.into_iter().map(|(_, outcome)| outcome).collect()))
}

/// Reads the log up to `head`, and has each page decoded. Ends early if nobody waits for the pages any more.
async fn read<Open>(
    store: Arc<dyn EventStore>,
    head: Position,
    open: Arc<Open>,
    pages: mpsc::Sender<Result<Page, ReadError>>,
) where
    Open: Fn(&RecordedEvent) -> Result<Fact<DomainEvent>, CodecError> + Send + Sync + 'static,
{
    let mut at = Position::default();
    while at < head {
        let page = store.read_named(at, PAGE, &NAMES).await;
        let next = page.map(|(page, end)| {
            let open = open.clone();
            end.map(|end| Page { end, events: spawn_blocking(move || counted(&page, open.as_ref())) })
        });
        let (next, goes_on) = match next {
            Ok(None) => return,
            Ok(Some(page)) => {
                at = page.end;
                (Ok(page), true)
            }
            Err(error) => (Err(error), false),
        };
        if pages.send(next).await.is_err() || !goes_on {
            return;
        }
    }
}

/// Decodes events that count.
fn counted(
    page: &[RecordedEvent],
    open: &impl Fn(&RecordedEvent) -> Result<Fact<DomainEvent>, CodecError>,
) -> Result<Vec<Counted>, CodecError> {
    let mut counted = Vec::with_capacity(page.len());
    for recorded in page {
        let fact = open(recorded)?;
        if let (DomainEvent::Account(event), Some(account)) = (fact.event, recorded.stream.account()) {
            counted.push(Counted { account, at: fact.context.at, event });
        }
    }
    Ok(counted)
}
