//! Commits the appends of many callers in one transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use loquet_domain::ports::{AppendError, Appended, NewEvent, Position, Revision, StreamId};
use loquet_projections::causes::Causes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_postgres::Statement;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{advance, reader};
use crate::database::Database;
use crate::error::{PostgresError, is_refusal};
use crate::numbers::{at_most, number};

/// The greatest number of appends in one transaction.
const APPENDS: usize = 512;
/// A transaction takes no further append once it has so many bytes.
const BYTES: usize = 8 << 20;
/// What a caller asks of the writer.
pub(super) enum Request {
    Append(Append),
    Decoy(oneshot::Sender<Result<(), AppendError>>),
}

/// Events for one stream.
pub(super) struct Append {
    stream: StreamId,
    expected: Revision,
    events: Vec<NewEvent>,
    reply: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Request {
    pub(super) fn append(
        stream: StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
        reply: oneshot::Sender<Result<Appended, AppendError>>,
    ) -> Self {
        Self::Append(Append { stream, expected, events, reply })
    }

    fn stream(&self) -> Option<&StreamId> {
        match self {
            Self::Append(append) => Some(&append.stream),
            Self::Decoy(_) => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Append(append) => append.events.iter().map(size).sum(),
            Self::Decoy(_) => 0,
        }
    }
}

fn size(event: &NewEvent) -> usize {
    event.data.len() + event.metadata.len() + event.sealed.as_ref().map_or(0, |sealed| sealed.bytes.len())
}

pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) head: Arc<watch::Sender<Position>>,
    /// What this node has written, to be announced.
    pub(super) written: watch::Sender<Position>,
}

/// What becomes of each append of a batch: its answer, if the batch is committed.
type Answers = Vec<Result<Appended, AppendError>>;

impl Writer {
    /// Commits batches until the last caller is gone.
    pub(super) async fn run(self, mut requests: mpsc::Receiver<Request>) {
        let mut first = requests.recv().await;
        while let Some(request) = first.take() {
            let (mut batch, mut decoys) = (Vec::new(), Vec::new());
            let mut streams = HashSet::new();
            let (mut bytes, mut next) = (0, Some(request));
            while let Some(request) = next.take() {
                // A stream is named once in a batch. The second append waits, and so does everything after it.
                if request.stream().is_some_and(|stream| !streams.insert(stream.clone())) {
                    first = Some(request);
                    break;
                }
                bytes += request.bytes();
                match request {
                    Request::Append(append) => batch.push(append),
                    Request::Decoy(reply) => decoys.push(reply),
                }
                if batch.len() + decoys.len() < APPENDS && bytes < BYTES {
                    next = requests.try_recv().ok();
                }
            }
            self.answer(batch, decoys).await;
            if first.is_none() {
                first = requests.recv().await;
            }
        }
    }

    async fn answer(&self, batch: Vec<Append>, decoys: Vec<oneshot::Sender<Result<(), AppendError>>>) {
        match self.commit(&batch, !decoys.is_empty()).await {
            Ok(answers) => {
                for (append, answer) in batch.into_iter().zip(answers) {
                    drop(append.reply.send(answer));
                }
                decoys.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
            }
            Err(told) => {
                batch.into_iter().for_each(|append| drop(append.reply.send(Err(told.clone()))));
                decoys.into_iter().for_each(|reply| drop(reply.send(Err(told.clone()))));
            }
        }
    }

    /// Commits a batch in one transaction. Returns what each caller is told.
    async fn commit(&self, batch: &[Append], decoy: bool) -> Result<Answers, AppendError> {
        let unavailable = |error: &PostgresError| AppendError::Unavailable(Causes(error).to_string());
        let client = self.database.client().await.map_err(|error| unavailable(&error))?;
        // The server ends a statement that takes too long, but a server that is stalled ends nothing.
        let patience = self.database.statement_timeout() + Duration::from_secs(1);
        let statement = match timeout(patience, client.prepare_cached(APPEND)).await {
            Ok(Ok(statement)) => statement,
            Ok(Err(error)) => return Err(unavailable(&error.into())),
            Err(_) => {
                drop(Object::take(client));
                return Err(unavailable(&PostgresError::NoAnswer));
            }
        };
        let heads = match timeout(patience, write(&client, &statement, batch, decoy)).await {
            Ok(Ok(heads)) => heads,
            Ok(Err(error)) => {
                let refused = is_refusal(&error);
                let why = Causes(&PostgresError::from(error)).to_string();
                drop(Object::take(client));
                return Err(if refused { AppendError::Unavailable(why) } else { AppendError::Unknown(why) });
            }
            Err(_) => {
                drop(Object::take(client));
                return Err(AppendError::Unknown(PostgresError::NoAnswer.to_string()));
            }
        };
        drop(client);
        self.judge(batch, heads).await.map_err(|error| AppendError::Unknown(Causes(&error).to_string()))
    }

    /// Says what became of each append of a batch that was committed.
    async fn judge(&self, batch: &[Append], heads: Heads) -> Result<Answers, PostgresError> {
        let mut position = Position(number(heads.before)?);
        let mut answers = Vec::with_capacity(batch.len());
        for (append, head) in batch.iter().zip(heads.of_streams) {
            let actual = Revision(number(head)?);
            if actual != append.expected {
                answers.push(self.repeated(append, actual).await);
                continue;
            }
            let length = u64::try_from(append.events.len()).unwrap_or(u64::MAX);
            position = Position(position.0.saturating_add(length));
            answers.push(Ok(Appended { position, revision: Revision(actual.0.saturating_add(length)) }));
        }
        advance(&self.head, position);
        advance(&self.written, position);
        Ok(answers)
    }

    /// The answer to an append whose stream is at another revision: the same as before, if these same events were appended
    /// at this same revision before.
    async fn repeated(&self, append: &Append, actual: Revision) -> Result<Appended, AppendError> {
        let conflict = AppendError::Conflict { actual };
        let length = u64::try_from(append.events.len()).unwrap_or(u64::MAX);
        let Some(end) = append.expected.0.checked_add(length).filter(|end| *end <= actual.0) else {
            return Err(conflict);
        };
        let held = reader::stream(&self.database, &append.stream, append.expected).await;
        let mut held = held.map_err(|error| AppendError::Unavailable(Causes(&error).to_string()))?;
        held.retain(|recorded| recorded.revision.0 <= end);
        let same = held.len() == append.events.len()
            && held.iter().zip(&append.events).all(|(held, new)| held.event.id == new.id);
        let last = held.last().filter(|_| same).ok_or(conflict)?;
        Ok(Appended { position: last.position, revision: last.revision })
    }
}

/// Appends a batch, in one transaction of its own.
const APPEND: &str = "
    SELECT before, heads FROM loquet.append_batch($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[],
        $6::uuid[], $7::text[], $8::int[], $9::bytea[], $10::bytea[], $11::uuid[], $12::bytea[], $13::boolean)";

/// What a batch found in the log.
struct Heads {
    /// The position of the last event before the batch.
    before: i64,
    /// The revision that the stream of each append was at.
    of_streams: Vec<i64>,
}

/// Sends a batch, column by column.
async fn write(
    client: &Object,
    statement: &Statement,
    batch: &[Append],
    decoy: bool,
) -> Result<Heads, tokio_postgres::Error> {
    let streams: Vec<&str> = batch.iter().map(|append| append.stream.as_str()).collect();
    let expected: Vec<i64> = batch.iter().map(|append| at_most(append.expected.0)).collect();
    let mut events = Columns::default();
    for (place, append) in (1..).zip(batch) {
        for (own, event) in (1..).zip(&append.events) {
            events.add(place, append.stream.as_str(), at_most(append.expected.0.saturating_add(own)), event);
        }
    }
    let Columns {
        appends,
        streams: event_streams,
        revisions,
        ids,
        names,
        versions,
        data,
        metadata,
        subjects,
        sealed,
    } = events;
    let values: [&(dyn ToSql + Sync); 13] = [
        &streams,
        &expected,
        &appends,
        &event_streams,
        &revisions,
        &ids,
        &names,
        &versions,
        &data,
        &metadata,
        &subjects,
        &sealed,
        &decoy,
    ];
    let row = client.query_one(statement, &values).await?;
    Ok(Heads { before: row.try_get(0)?, of_streams: row.try_get(1)? })
}

/// The events of a batch, column by column.
#[derive(Default)]
struct Columns<'a> {
    appends: Vec<i64>,
    streams: Vec<&'a str>,
    revisions: Vec<i64>,
    ids: Vec<Uuid>,
    names: Vec<&'a str>,
    versions: Vec<i32>,
    data: Vec<&'a [u8]>,
    metadata: Vec<&'a [u8]>,
    subjects: Vec<Option<Uuid>>,
    sealed: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, append: i64, stream: &'a str, revision: i64, event: &'a NewEvent) {
        self.appends.push(append);
        self.streams.push(stream);
        self.revisions.push(revision);
        self.ids.push(event.id.0);
        self.names.push(&event.name);
        self.versions.push(event.version.into());
        self.data.push(&event.data);
        self.metadata.push(&event.metadata);
        self.subjects.push(event.sealed.as_ref().map(|sealed| sealed.subject.0));
        self.sealed.push(event.sealed.as_ref().map(|sealed| sealed.bytes.as_slice()));
    }
}
