//! Callers that append one event after another, each waiting for the one before to be durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::ports::{EventStore, NewEvent, Revision, Sealed, StreamId};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{Outcome, rate_since};

/// The number of events in a stream before its caller begins another one.
pub const STREAM: u64 = 20;

/// One of the two sides of a comparison.
pub trait Log: Clone + Send + Sync + 'static {
    /// Returns once the event is durable.
    ///
    /// # Errors
    /// Whatever kept it from being written.
    fn append(
        &self,
        stream: &StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> impl Future<Output = Outcome<()>> + Send;
}

impl<S: EventStore + Clone + 'static> Log for S {
    async fn append(&self, stream: &StreamId, expected: Revision, events: Vec<NewEvent>) -> Outcome<()> {
        EventStore::append(self, stream, expected, events).await?;
        Ok(())
    }
}

/// Lets callers append one event after another until the window ends. Every append that began is counted. Returns the
/// number of appends a second.
///
/// # Errors
/// Those of [`Log::append`].
pub fn appends_a_second(
    runtime: &Runtime,
    log: &impl Log,
    streams: &Arc<AtomicU64>,
    callers: u64,
    window: Duration,
) -> Outcome<f64> {
    let start = Instant::now();
    runtime.block_on(async {
        let mut calling = JoinSet::new();
        for _ in 0..callers {
            let (log, streams) = (log.clone(), streams.clone());
            calling.spawn(async move { append_until(&log, &streams, start + window).await });
        }
        let appends = calling.join_all().await.into_iter().sum::<Outcome<u32>>()?;
        Ok(rate_since(start, appends))
    })
}

async fn append_until(log: &impl Log, streams: &AtomicU64, end: Instant) -> Outcome<u32> {
    let mut appends = 0;
    loop {
        let (number, stream) = fresh_stream(streams);
        for revision in 0..STREAM {
            if Instant::now() >= end {
                return Ok(appends);
            }
            let id = Uuid::from_u64_pair(number, revision);
            log.append(&stream, Revision(revision), vec![event(id)]).await?;
            appends += 1;
        }
    }
}

/// A stream that no caller has used, and its number.
pub fn fresh_stream(streams: &AtomicU64) -> (u64, StreamId) {
    let number = streams.fetch_add(1, Ordering::Relaxed);
    (number, StreamId::new("account", &Uuid::from_u64_pair(number, 0).to_string()))
}

/// A successful login as the log stores it, with its address and user agent sealed.
#[must_use]
pub fn event(id: Uuid) -> NewEvent {
    NewEvent {
        id: EventId(id),
        name: "login-succeeded".to_owned(),
        version: 1,
        data: br#"{"session_id":"6c6f7175-6574-4f8a-9d21-0f5a1d3b77c4","session_expires_at":"2026-11-23T21:30:00.000000Z"}"#
            .to_vec(),
        metadata: br#"{"at":"2026-11-23T09:30:00.000000Z","actor":{"kind":"stranger"},"correlation_id":"6c6f7175-6574-4f8a-9d21-0f5a1d3b77c4","node":"n1"}"#
            .to_vec(),
        sealed: Some(Sealed { subject: AccountId(id), bytes: vec![0x5a; 110] }),
    }
}
