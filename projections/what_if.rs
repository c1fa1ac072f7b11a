//! What lockouts would have done under other policies: the history of guesses is judged again, in one pass over the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use loquet_domain::Moment;
use loquet_domain::account;
use loquet_domain::account::what_if::{History, NAMES, Outcome, Trial, WhatIf};
use loquet_domain::ids::AccountId;
use loquet_domain::ports::{CodecError, EventStore, OpenEvent, Position, ReadError};
use loquet_domain::schema::DomainEvent;
use tokio::task::JoinError;

/// About as many events are read at once.
const PAGE: usize = 2000;
/// Pages that are read and decoded while the one before them is judged.
const AHEAD: usize = 4;

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

/// What there is between two positions.
struct Page {
    /// The number of all events.
    passed: usize,
    counted: Vec<Counted>,
}

/// Judges the guesses of a period under each policy. Returns what really happened, and what each policy would have done, in
/// the order of `trials`. `open` decodes the unencrypted part of an event. `reached` is told the position after each page.
/// Pages are read and decoded on several threads, while the one before them is judged.
///
/// # Errors
/// [`CannotJudge`] if the log or one of its events can't be read.
pub async fn judge(
    store: Arc<dyn EventStore>,
    open: impl Fn(&OpenEvent<'_>) -> Result<(Moment, DomainEvent), CodecError> + Send + Sync + 'static,
    trials: Vec<Trial>,
    period: Period,
    mut reached: impl FnMut(Position),
) -> Result<(History, Vec<Outcome>), CannotJudge> {
    let head = store.head().await?;
    let open = Arc::new(open);
    let mut what_if = WhatIf::new(trials);
    let mut under_way = VecDeque::new();
    let (mut at, mut step) = (Position::default(), 2000);
    loop {
        while under_way.len() < AHEAD && at < head {
            let end = Position(at.0.saturating_add(step)).min(head);
            under_way.push_back((end, tokio::spawn(page(store.clone(), open.clone(), at, end))));
            at = end;
        }
        let Some((end, next)) = under_way.pop_front() else { break };
        let Page { passed, counted } = next.await??;
        for Counted { account, at, event } in counted {
            if period.to.is_none_or(|to| at < to) {
                what_if.tell(account, at, &event, period.from.is_none_or(|from| from <= at));
            }
        }
        // In some stores positions have gaps, which are wide.
        if passed < PAGE / 2 {
            step = step.saturating_mul(2);
        } else if passed > PAGE * 2 {
            step /= 2;
        }
        reached(end);
    }
    let (history, outcomes) = what_if.outcomes();
    Ok((history, outcomes.into_iter().map(|(_, outcome)| outcome).collect()))
}

/// Reads the events between two positions, and decodes those that count.
async fn page<Open>(
    store: Arc<dyn EventStore>,
    open: Arc<Open>,
    after: Position,
    up_to: Position,
) -> Result<Page, CannotJudge>
where
    Open: Fn(&OpenEvent<'_>) -> Result<(Moment, DomainEvent), CodecError> + Send + Sync + 'static,
{
    let found = Arc::new(Mutex::new(Ok(Vec::new())));
    let finding = found.clone();
    let look = move |event: &OpenEvent<'_>| {
        let mut found = finding.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(counted) = &mut *found else { return };
        match open(event) {
            Ok((at, DomainEvent::Account(of_account))) => {
                counted.extend(account::of_stream(event.stream).map(|account| Counted {
                    account,
                    at,
                    event: of_account,
                }));
            }
            Ok(_) => {}
            Err(error) => *found = Err(error),
        }
    };
    let passed = store.look_at_named(after, up_to, &NAMES, Box::new(look)).await?;
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Page { passed, counted: std::mem::replace(&mut *found, Ok(Vec::new()))? })
}
