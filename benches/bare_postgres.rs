//! The limit of a log in PostgreSQL: the driver, and one statement for what many callers want.

use std::sync::Arc;
use std::time::Instant;

use loquet_domain::ports::{NewEvent, Revision, StreamId};
use loquet_tests::postgres_server::PostgresServer;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

use crate::append_load::Log;
use crate::{Outcome, rate_since};

/// The same as the store's.
const BATCH: usize = 512;

/// A row to write, and where its caller waits.
struct Asked {
    stream: StreamId,
    revision: Revision,
    events: Vec<NewEvent>,
    reply: oneshot::Sender<()>,
}

/// A client that checks no revisions, takes no lock and announces nothing.
#[derive(Clone)]
pub struct BarePostgres {
    requests: mpsc::Sender<Asked>,
    reader: Arc<Client>,
}

const INSERT: &str = "
    INSERT INTO bare (event_id, stream, revision, name, version, data, metadata, subject, sealed)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::int[], $6::bytea[], $7::bytea[],
                         $8::uuid[], $9::bytea[])";

impl BarePostgres {
    /// Makes the table on a server whose log is there, and connects.
    ///
    /// # Errors
    /// The server's error.
    pub async fn connect(server: &PostgresServer) -> Outcome<Self> {
        server.sql(
            "CREATE TABLE bare (LIKE loquet.events INCLUDING ALL);
             ALTER TABLE bare ALTER COLUMN position ADD GENERATED ALWAYS AS IDENTITY",
        );
        let (writer, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
        tokio::spawn(connection);
        let (reader, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
        tokio::spawn(connection);
        let (requests, queue) = mpsc::channel(4096);
        tokio::spawn(write(writer, queue));
        Ok(Self { requests, reader: Arc::new(reader) })
    }

    /// Reads the whole log in pages of 500 rows, and leaves each row as the driver gives it. Returns the rows a second.
    ///
    /// # Errors
    /// The server's error.
    pub async fn read_all(&self) -> Outcome<f64> {
        let query =
            "SELECT position, stream, revision, event_id, name, version, data, metadata, subject, sealed
                     FROM loquet.events WHERE position > $1 ORDER BY position LIMIT 500";
        let query = self.reader.prepare(query).await?;
        let (start, mut at, mut rows) = (Instant::now(), 0_i64, 0);
        loop {
            let page = self.reader.query(&query, &[&at]).await?;
            let Some(last) = page.last() else { return Ok(rate_since(start, rows)) };
            at = last.try_get(0)?;
            rows += u32::try_from(page.len())?;
        }
    }
}

async fn write(client: Client, mut queue: mpsc::Receiver<Asked>) -> Outcome<()> {
    let insert = client.prepare(INSERT).await?;
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let rows: Vec<(&Asked, &NewEvent)> =
            batch.iter().flat_map(|asked| asked.events.iter().map(move |event| (asked, event))).collect();
        let ids: Vec<_> = rows.iter().map(|(_, event)| event.id.0).collect();
        let streams: Vec<_> = rows.iter().map(|(asked, _)| asked.stream.as_str()).collect();
        let revisions = rows.iter().map(|(asked, _)| i64::try_from(asked.revision.0 + 1));
        let revisions = revisions.collect::<Result<Vec<_>, _>>()?;
        let names: Vec<_> = rows.iter().map(|(_, event)| event.name.as_str()).collect();
        let versions: Vec<_> = rows.iter().map(|(_, event)| i32::from(event.version)).collect();
        let data: Vec<_> = rows.iter().map(|(_, event)| event.data.as_slice()).collect();
        let metadata: Vec<_> = rows.iter().map(|(_, event)| event.metadata.as_slice()).collect();
        let subjects: Vec<_> =
            rows.iter().map(|(_, event)| event.sealed.as_ref().map(|s| s.subject.0)).collect();
        let sealed: Vec<_> =
            rows.iter().map(|(_, event)| event.sealed.as_ref().map(|s| s.bytes.as_slice())).collect();
        let columns: [&(dyn ToSql + Sync); 9] =
            [&ids, &streams, &revisions, &names, &versions, &data, &metadata, &subjects, &sealed];
        client.execute(&insert, &columns).await?;
        batch.drain(..).for_each(|asked| asked.reply.send(()).unwrap_or(()));
    }
    Ok(())
}

impl Log for BarePostgres {
    async fn append(&self, stream: &StreamId, expected: Revision, events: Vec<NewEvent>) -> Outcome<()> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Asked { stream: stream.clone(), revision: expected, events, reply }).await?;
        Ok(answer.await?)
    }
}
