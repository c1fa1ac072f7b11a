//! Commits the appends of many callers in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::future::join4;
use loquet_domain::ports::{AppendError, Appended, NewEvent, Position, Revision, StreamId};
use loquet_projections::causes::Causes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::reader::{at_most, number};
use super::{CHANNEL, advance};
use crate::database::{Database, PostgresError, is_refusal};

/// The greatest number of appends in one transaction.
const APPENDS: usize = 512;
/// A transaction takes no further append once it has so many bytes.
const BYTES: usize = 8 << 20;
/// Held from before positions are given until the commit. The number is this program's own.
const LOCK: i64 = 0x6c6f_7175_6574_0002;

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
}

/// The fate of a batch that did not succeed.
enum Failed {
    /// Nothing was written.
    Refused(PostgresError),
    /// It is not known whether it was written.
    Unknown(PostgresError),
}

impl<E: Into<PostgresError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl Failed {
    fn told(&self) -> AppendError {
        match self {
            Self::Refused(error) => AppendError::Unavailable(Causes(error).to_string()),
            Self::Unknown(error) => AppendError::Unknown(Causes(error).to_string()),
        }
    }
}

/// What becomes of each append of a batch: its answer, if the batch is committed.
type Answers = Vec<Result<Appended, AppendError>>;

impl Writer {
    /// Commits batches until the last caller is gone.
    pub(super) async fn run(self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.recv().await {
            let (mut appends, mut decoys) = (Vec::new(), Vec::new());
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(request) = next.take() {
                bytes += request.bytes();
                match request {
                    Request::Append(append) => appends.push(append),
                    Request::Decoy(reply) => decoys.push(reply),
                }
                if appends.len() + decoys.len() < APPENDS && bytes < BYTES {
                    next = requests.try_recv().ok();
                }
            }
            self.answer(appends, decoys).await;
        }
    }

    async fn answer(&self, appends: Vec<Append>, decoys: Vec<oneshot::Sender<Result<(), AppendError>>>) {
        match self.commit(&appends, !decoys.is_empty()).await {
            Ok(answers) => {
                for (append, answer) in appends.into_iter().zip(answers) {
                    drop(append.reply.send(answer));
                }
                decoys.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
            }
            Err(failed) => {
                let told = failed.told();
                appends.into_iter().for_each(|append| drop(append.reply.send(Err(told.clone()))));
                decoys.into_iter().for_each(|reply| drop(reply.send(Err(told.clone()))));
            }
        }
    }

    /// Commits a batch in one transaction. A connection on which something failed is not used again.
    async fn commit(&self, appends: &[Append], decoy: bool) -> Result<Answers, Failed> {
        let client = self.database.client().await?;
        let patience = self.database.statement_timeout() + Duration::from_secs(1);
        let prepared = match timeout(patience, prepare(&client, appends)).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => {
                drop(Object::take(client));
                return Err(error.into());
            }
            Err(_) => {
                drop(Object::take(client));
                return Err(Failed::Refused(late()));
            }
        };
        let Batch { answers, rows, last } = prepared;
        match timeout(patience, finish(&client, &rows, last, decoy)).await {
            Ok(Ok(())) => {
                if !rows.positions.is_empty() {
                    advance(&self.head, last);
                }
                Ok(answers)
            }
            Ok(Err(failed)) => {
                drop(Object::take(client));
                Err(failed)
            }
            Err(_) => {
                drop(Object::take(client));
                Err(Failed::Unknown(late()))
            }
        }
    }
}

fn late() -> PostgresError {
    PostgresError::Unexpected("no answer within the time limit of a statement".to_owned())
}

/// A batch, decided: what each caller is told, and the rows to write.
struct Batch<'a> {
    answers: Answers,
    rows: Rows<'a>,
    last: Position,
}

/// The columns of the new rows.
#[derive(Default)]
struct Rows<'a> {
    positions: Vec<i64>,
    ids: Vec<Uuid>,
    streams: Vec<&'a str>,
    revisions: Vec<i64>,
    names: Vec<&'a str>,
    versions: Vec<i32>,
    data: Vec<&'a [u8]>,
    metadata: Vec<&'a [u8]>,
    subjects: Vec<Option<Uuid>>,
    sealed: Vec<Option<&'a [u8]>>,
}

impl<'a> Rows<'a> {
    fn add(&mut self, position: Position, stream: &'a StreamId, revision: Revision, event: &'a NewEvent) {
        self.positions.push(at_most(position.0));
        self.ids.push(event.id.0);
        self.streams.push(stream.as_str());
        self.revisions.push(at_most(revision.0));
        self.names.push(&event.name);
        self.versions.push(event.version.into());
        self.data.push(&event.data);
        self.metadata.push(&event.metadata);
        self.subjects.push(event.sealed.as_ref().map(|sealed| sealed.subject.0));
        self.sealed.push(event.sealed.as_ref().map(|sealed| sealed.bytes.as_slice()));
    }
}

const HEADS: &str = "
    SELECT asked.stream, newest.revision
    FROM unnest($1::text[]) AS asked (stream)
    CROSS JOIN LATERAL (
        SELECT revision FROM loquet.events WHERE events.stream = asked.stream ORDER BY revision DESC LIMIT 1
    ) AS newest";
const END: &str = "SELECT coalesce(max(position), 0) FROM loquet.events";
const INSERT: &str = "
    INSERT INTO loquet.events
        (position, event_id, stream, revision, name, version, data, metadata, subject, sealed)
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::int[], $7::bytea[],
                         $8::bytea[], $9::uuid[], $10::bytea[])";
const ANNOUNCE: &str = "SELECT pg_notify($1, $2)";
const DECOY: &str = "UPDATE loquet.decoys SET counted = counted + 1";

/// Begins the transaction, takes the lock, and decides each append in the order of the batch.
async fn prepare<'a>(client: &Object, appends: &'a [Append]) -> Result<Batch<'a>, PostgresError> {
    let mut streams: Vec<&str> = appends.iter().map(|append| append.stream.as_str()).collect();
    streams.sort_unstable();
    streams.dedup();
    let (heads, end) = (client.prepare_cached(HEADS).await?, client.prepare_cached(END).await?);
    let lock = client.prepare_cached("SELECT pg_advisory_xact_lock($1)").await?;
    let (asked, locked): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&streams], [&LOCK]);
    // The client sends all of them at once, and the server runs them one after the other. Each sees what was committed
    // before it began, and so before the lock was free.
    let (begun, locked, heads, end) = join4(
        client.batch_execute("BEGIN"),
        client.execute(&lock, &locked),
        client.query(&heads, &asked),
        client.query_one(&end, &[]),
    )
    .await;
    begun?;
    locked?;
    let mut revisions = BTreeMap::new();
    for row in heads? {
        revisions.insert(row.try_get::<_, String>(0)?, number(row.try_get(1)?)?);
    }
    let mut last = Position(number(end?.try_get(0)?)?);
    let mut rows = Rows::default();
    let mut answers = Vec::with_capacity(appends.len());
    for append in appends {
        let stream = append.stream.as_str();
        let actual = Revision(revisions.get(stream).copied().unwrap_or_default());
        if actual != append.expected {
            let repeated = repeated(client, &rows, append, actual).await?;
            answers.push(repeated.ok_or(AppendError::Conflict { actual }));
            continue;
        }
        let mut appended = Appended { position: Position::default(), revision: actual };
        for event in &append.events {
            last = Position(last.0 + 1);
            appended = Appended { position: last, revision: Revision(appended.revision.0 + 1) };
            rows.add(last, &append.stream, appended.revision, event);
        }
        revisions.insert(stream.to_owned(), appended.revision.0);
        answers.push(Ok(appended));
    }
    Ok(Batch { answers, rows, last })
}

/// The answer to an append of these same events at this same revision, if there was one: in this batch, or before.
async fn repeated(
    client: &Object,
    rows: &Rows<'_>,
    append: &Append,
    actual: Revision,
) -> Result<Option<Appended>, PostgresError> {
    let length = u64::try_from(append.events.len()).unwrap_or(u64::MAX);
    let Some(end) = append.expected.0.checked_add(length).filter(|end| *end <= actual.0) else {
        return Ok(None);
    };
    let query = "
        SELECT position, event_id FROM loquet.events
        WHERE stream = $1 AND revision > $2::bigint AND revision <= $3::bigint ORDER BY revision";
    let (stream, from, to) = (append.stream.as_str(), at_most(append.expected.0), at_most(end));
    let mut held: Vec<(i64, Uuid)> = Vec::new();
    for row in client.query(query, &[&stream, &from, &to]).await? {
        held.push((row.try_get(0)?, row.try_get(1)?));
    }
    let of_batch = rows.streams.iter().zip(&rows.revisions).zip(rows.positions.iter().zip(&rows.ids));
    for ((of, revision), (position, id)) in of_batch {
        if *of == stream && *revision > from && *revision <= to {
            held.push((*position, *id));
        }
    }
    let same = held.len() == append.events.len()
        && held.iter().zip(&append.events).all(|((_, held), new)| *held == new.id.0);
    let Some((position, _)) = held.last().filter(|_| same) else { return Ok(None) };
    Ok(Some(Appended { position: Position(number(*position)?), revision: Revision(end) }))
}

/// Writes the rows, announces them, and commits.
async fn finish(client: &Object, rows: &Rows<'_>, last: Position, decoy: bool) -> Result<(), Failed> {
    let (insert, announce) = (client.prepare_cached(INSERT).await?, client.prepare_cached(ANNOUNCE).await?);
    let decoy_statement = client.prepare_cached(DECOY).await?;
    let announced = last.0.to_string();
    let columns: [&(dyn ToSql + Sync); 10] = [
        &rows.positions,
        &rows.ids,
        &rows.streams,
        &rows.revisions,
        &rows.names,
        &rows.versions,
        &rows.data,
        &rows.metadata,
        &rows.subjects,
        &rows.sealed,
    ];
    let said: [&(dyn ToSql + Sync); 2] = [&CHANNEL, &announced];
    let writes = !rows.positions.is_empty();
    let insert = async { if writes { client.execute(&insert, &columns).await.map(|_| ()) } else { Ok(()) } };
    let announce = async { if writes { client.execute(&announce, &said).await.map(|_| ()) } else { Ok(()) } };
    let decoy =
        async { if decoy { client.execute(&decoy_statement, &[]).await.map(|_| ()) } else { Ok(()) } };
    // All are sent at once. If one fails, the server rolls back at COMMIT.
    let (inserted, announced, decoyed, committed) =
        join4(insert, announce, decoy, client.batch_execute("COMMIT")).await;
    for written in [inserted, announced, decoyed] {
        if let Err(error) = written {
            let refused = is_refusal(&error);
            let error = PostgresError::Statement(error);
            return Err(if refused { Failed::Refused(error) } else { Failed::Unknown(error) });
        }
    }
    committed.map_err(|error| Failed::Unknown(error.into()))
}
