//! What lockouts would have done under other policies: the history of guesses is judged again, in one pass over the log.

use loquet_domain::Moment;
use loquet_domain::account::what_if::{History, NAMES, Outcome, Trial, WhatIf};
use loquet_domain::fact::Fact;
use loquet_domain::ports::{CodecError, EventStore, Position, ReadError, RecordedEvent};
use loquet_domain::schema::DomainEvent;

/// Events that are read at once.
const PAGE: usize = 5000;

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
}

/// Judges the guesses of a period under each policy. Returns what really happened, and what each policy would have done, in
/// the order of `trials`. `open` decodes the unencrypted part of an event. `reached` is told the position after each page.
///
/// # Errors
/// [`CannotJudge`] if the log or one of its events can't be read.
pub async fn judge(
    store: &dyn EventStore,
    open: impl Fn(&RecordedEvent) -> Result<Fact<DomainEvent>, CodecError>,
    trials: Vec<Trial>,
    period: Period,
    mut reached: impl FnMut(Position),
) -> Result<(History, Vec<Outcome>), CannotJudge> {
    let head = store.head().await?;
    let mut what_if = WhatIf::new(trials);
    let mut at = Position::default();
    while at < head {
        let page = store.read_all(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for recorded in &page {
            if !NAMES.contains(&recorded.event.name.as_str()) {
                continue;
            }
            let fact = open(recorded)?;
            let (when, account) = (fact.context.at, recorded.stream.account());
            if let (DomainEvent::Account(event), Some(account)) = (&fact.event, account)
                && period.to.is_none_or(|to| when < to)
            {
                what_if.tell(account, when, event, period.from.is_none_or(|from| from <= when));
            }
        }
        reached(at);
    }
    let (history, outcomes) = what_if.outcomes();
    Ok((history, outcomes.into_iter().map(|(_, outcome)| outcome).collect()))
}
