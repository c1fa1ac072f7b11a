//! The event log in PostgreSQL.
//!
//! One task of each node commits the appends of many callers in one transaction (group commit). The transaction takes an
//! advisory lock first, and holds it until it has committed. So positions are given and become visible in the same order,
//! on whatever node, and a reader that asks for what comes after a position never misses an event. A sequence would not
//! do: a transaction that takes a smaller number may commit later than one that takes a greater number.
//!
//! After a commit, the end of the log is announced (`NOTIFY`). Nobody waits for that, and one announcement stands for all
//! commits since the one before: it takes a lock of the whole server. Nodes that miss an announcement look every second.

mod reader;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use loquet_domain::ports::{
    AppendError, Appended, BoxFuture, BoxStream, EventStore, NewEvent, Position, ReadError, RecordedEvent,
    Revision, StreamId, Subscribed,
};
use loquet_projections::causes::Causes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::database::Database;
use crate::error::PostgresError;
use writer::{Request, Writer};

/// The channel on which committed batches are announced.
const CHANNEL: &str = "loquet_events";
/// How often the end of the log is looked at when no announcement comes.
const POLL: Duration = Duration::from_secs(1);
/// The pause after an announcement. What is written in it is announced at its end, all at once.
const ANNOUNCING: Duration = Duration::from_millis(5);
/// The pause before the connection for announcements is opened again.
const RECONNECT: Duration = Duration::from_millis(500);
/// The number of appends that may wait. Further callers wait before they hand theirs over.
const WAITING: usize = 4096;

/// The event log in PostgreSQL. A clone is the same log.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    told: Arc<watch::Sender<Position>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    _tasks: [AbortOnDrop; 2],
}

/// Ends a task when it is dropped.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl PostgresStore {
    /// Opens the log. Its tables must have been prepared. No connection is made yet. Must be called within a Tokio runtime.
    #[must_use]
    pub fn open(database: Database) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let told = Arc::new(watch::Sender::new(Position::default()));
        let (written, own) = watch::channel(Position::default());
        let announcing = AbortOnDrop(tokio::spawn(announce(database.clone(), own)));
        let writer = Writer { database: database.clone(), head: told.clone(), written };
        let writer = tokio::spawn(writer.run(receiver));
        let following = AbortOnDrop(tokio::spawn(follow(database.clone(), told.clone())));
        let (requests, writer) = (Mutex::new(Some(sender)), Mutex::new(Some(writer)));
        let tasks = [following, announcing];
        Self { inner: Arc::new(Inner { database, requests, told, writer, _tasks: tasks }) }
    }

    /// Finishes the accepted appends. Later ones are refused.
    pub async fn close(&self) {
        self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            drop(writer.await);
        }
    }

    async fn request<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, AppendError>>) -> Request,
    ) -> Result<T, AppendError> {
        let requests = self.inner.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || AppendError::Unavailable("the log is closed".to_owned());
        let requests = requests.ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        requests.send(make(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| AppendError::Unknown("the writer stopped".to_owned()))?
    }
}

/// Keeps the known end of the log up to date with what other nodes append.
async fn follow(database: Database, head: Arc<watch::Sender<Position>>) {
    let announced = async {
        loop {
            let heard = |payload: &str| {
                if let Ok(position) = payload.parse() {
                    advance(&head, Position(position));
                }
            };
            if let Err(error) = database.listen(CHANNEL, heard).await {
                tracing::debug!(error = %Causes(&error), "announcements of PostgreSQL can't be heard; trying again");
            }
            tokio::time::sleep(RECONNECT).await;
        }
    };
    let looked_at = async {
        loop {
            match reader::head(&database).await {
                Ok(position) => advance(&head, position),
                Err(error) => tracing::debug!(error = %Causes(&error), "the end of the log can't be read"),
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::join!(announced, looked_at);
}

/// Announces the end of the log after this node has written.
async fn announce(database: Database, mut written: watch::Receiver<Position>) {
    while written.changed().await.is_ok() {
        let position = *written.borrow_and_update();
        let announcement = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_notify('{CHANNEL}', '{position}'); COMMIT",
            position = position.0
        );
        let announced = database.work(async |client| Ok(client.batch_execute(&announcement).await?));
        if let Err(error) = announced.await {
            tracing::debug!(error = %Causes(&error), "the end of the log can't be announced");
        }
        tokio::time::sleep(ANNOUNCING).await;
    }
}

/// Moves the known end of the log forward.
fn advance(head: &watch::Sender<Position>, to: Position) {
    head.send_if_modified(|head| {
        let moved = to > *head;
        *head = to.max(*head);
        moved
    });
}

fn unreadable(error: &PostgresError) -> ReadError {
    ReadError(Causes(error).to_string())
}

impl EventStore for PostgresStore {
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>> {
        let stream = stream.clone();
        Box::pin(self.request(move |reply| Request::append(stream, expected, events, reply)))
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            reader::stream(&self.inner.database, stream, after).await.map_err(|e| unreadable(&e))
        })
    }

    fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(
            async move { reader::all(&self.inner.database, after, limit).await.map_err(|e| unreadable(&e)) },
        )
    }

    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>> {
        Box::pin(async move { reader::at(&self.inner.database, position).await.map_err(|e| unreadable(&e)) })
    }

    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move { reader::newest(&self.inner.database, limit).await.map_err(|e| unreadable(&e)) })
    }

    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>> {
        loquet_subscription::subscribe(Arc::new(self.clone()), self.inner.told.subscribe(), after)
    }

    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        Box::pin(async move {
            let head = reader::head(&self.inner.database).await.map_err(|e| unreadable(&e))?;
            // Subscribers must not be told that they have caught up before they have seen this.
            advance(&self.inner.told, head);
            Ok(head)
        })
    }

    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>> {
        Box::pin(self.request(Request::Decoy))
    }
}
