//! Reads of streams and of the whole log. A read that fails is repeated until its deadline.

use std::sync::Arc;
use std::time::Duration;

use eventstore::{
    ReadAllOptions, ReadStream, ReadStreamOptions, RecordedEvent, StreamPosition, SubscriptionFilter,
};
use loquet_domain::ports::{Position, ReadError};
use tokio::time::{Instant, timeout};

use crate::connection::{FIRST_PAUSE, Link, Wire, longer};
use crate::trouble::Failure;

/// How long the server may search for an event of this program among those of others.
const SEARCH: Duration = Duration::from_mins(1);
/// The greatest number of events that the server searches between two checkpoints.
const WINDOW: u32 = 1000;

/// Reads from the event store.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) link: Arc<Link>,
    pub(crate) prefix: String,
    pub(crate) deadline: Duration,
}

/// Which part of the whole log is read.
#[derive(Clone)]
pub(crate) enum Part {
    /// From a position, which is included. Zero is the start.
    From(Position),
    /// Back from the end.
    Newest,
}

enum Request {
    All(ReadAllOptions),
    Stream(String, ReadStreamOptions),
}

/// Makes the server's form of a position. Both halves are equal.
pub(crate) fn both_halves(position: Position) -> eventstore::Position {
    eventstore::Position { commit: position.0, prepare: position.0 }
}

impl Reader {
    /// A filter for the streams of this program.
    pub(crate) fn ours(&self) -> SubscriptionFilter {
        SubscriptionFilter::on_stream_name().add_prefix(&self.prefix).max(WINDOW)
    }

    /// A filter for events of these types.
    pub(crate) fn of_types(types: &[&str]) -> SubscriptionFilter {
        let filter = SubscriptionFilter::on_event_type().max(WINDOW);
        types.iter().fold(filter, |filter, name| filter.add_prefix(name))
    }

    /// Reads at most `count` events of the whole log.
    pub(crate) async fn all(
        &self,
        part: Part,
        count: usize,
        filter: Option<SubscriptionFilter>,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        self.patiently(self.request(part, count, filter)).await
    }

    /// Reads at most `count` events of this program. Asks once, and waits no longer than for an append.
    pub(crate) async fn look(
        &self,
        wire: &Wire,
        part: Part,
        count: usize,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let request = self.request(part, count, Some(self.ours()));
        timeout(self.deadline, self.once(wire, &request)).await.unwrap_or_else(|_| Err(Failure::no_answer()))
    }

    fn request(&self, part: Part, count: usize, filter: Option<SubscriptionFilter>) -> Request {
        let options = ReadAllOptions::default().max_count(count).requires_leader(true).deadline(SEARCH);
        let mut options = match part {
            Part::From(Position(0)) => options.position(StreamPosition::Start),
            Part::From(position) => {
                options.forwards().position(StreamPosition::Position(both_halves(position)))
            }
            Part::Newest => options.position(StreamPosition::End),
        };
        if let Some(filter) = filter {
            options = options.filter(filter);
        }
        if let Some(credentials) = self.link.credentials() {
            options = options.authenticated(credentials);
        }
        Request::All(options)
    }

    /// Reads at most `count` events of a stream: forwards from a revision of the server, or backwards from the end.
    pub(crate) async fn stream(
        &self,
        name: &str,
        from: StreamPosition<u64>,
        count: usize,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let mut options = ReadStreamOptions::default().position(from).max_count(count).requires_leader(true);
        if let Some(credentials) = self.link.credentials() {
            options = options.authenticated(credentials);
        }
        self.patiently(Request::Stream(name.to_owned(), options)).await
    }

    async fn once(&self, wire: &Wire, request: &Request) -> Result<Vec<RecordedEvent>, Failure> {
        match request {
            Request::All(options) => {
                let read = timeout(SEARCH, wire.client.read_all(options)).await;
                collect(read, SEARCH).await
            }
            Request::Stream(name, options) => {
                let read = timeout(self.deadline, wire.client.read_stream(name.as_str(), options)).await;
                collect(read, self.deadline).await
            }
        }
    }

    /// Reads, and repeats a read that may succeed later.
    async fn patiently(&self, request: Request) -> Result<Vec<RecordedEvent>, Failure> {
        let until = Instant::now() + self.deadline;
        let mut pause = FIRST_PAUSE;
        loop {
            let wire = self.link.wire();
            let failure = match self.once(&wire, &request).await {
                Ok(events) => return Ok(events),
                Err(failure) => failure,
            };
            if !failure.may_pass() || Instant::now() + pause > until {
                if failure.needs_a_new_client() {
                    self.link.renew(&wire);
                }
                return Err(failure);
            }
            tracing::debug!(why = failure.words(), "a read of the event store failed; trying again");
            self.link.mend(&wire, &failure).await;
            tokio::time::sleep(pause).await;
            pause = longer(pause);
        }
    }
}

type Begun = Result<eventstore::Result<ReadStream>, tokio::time::error::Elapsed>;

/// Collects the events of a read. None may take longer than `each`.
async fn collect(begun: Begun, each: Duration) -> Result<Vec<RecordedEvent>, Failure> {
    let late = |_| Failure::no_answer();
    let mut read = begun.map_err(late)?.map_err(|error| Failure::of(&error))?;
    let mut events = Vec::new();
    loop {
        match timeout(each, read.next()).await.map_err(late)? {
            Ok(Some(event)) => events.extend(event.event),
            Ok(None) => return Ok(events),
            Err(error) => return Err(Failure::of(&error)),
        }
    }
}

impl From<Failure> for ReadError {
    fn from(failure: Failure) -> Self {
        Self(failure.words())
    }
}
