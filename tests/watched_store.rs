//! A log in memory that a test can watch. It counts the events that are read from streams, and can make
//! appends and readers wait.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use loquet_domain::ports::{
    AppendError, Appended, BoxFuture, BoxStream, EventStore, NewEvent, Position, ReadError, RecordedEvent,
    Revision, StreamId, Subscribed,
};
use loquet_memory::event_store::MemoryStore;

type Hook<T> = Box<dyn Fn(&T) -> BoxFuture<'static, ()> + Send + Sync>;

pub struct WatchedStore {
    store: MemoryStore,
    before_append: Hook<StreamId>,
    before_read: Hook<Position>,
    read: AtomicUsize,
}

impl WatchedStore {
    pub fn new(store: &MemoryStore) -> Self {
        Self {
            store: store.clone(),
            before_append: Box::new(|_| Box::pin(std::future::ready(()))),
            before_read: Box::new(|_| Box::pin(std::future::ready(()))),
            read: 0.into(),
        }
    }

    /// Makes every append wait for the future that `hook` returns.
    pub fn before_append(
        mut self,
        hook: impl Fn(&StreamId) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        self.before_append = Box::new(hook);
        self
    }

    /// Makes every reader of the whole log wait for the future that `hook` returns.
    pub fn before_read(
        mut self,
        hook: impl Fn(&Position) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        self.before_read = Box::new(hook);
        self
    }

    /// Returns how many events were read from streams.
    pub fn read(&self) -> usize {
        self.read.load(Ordering::SeqCst)
    }
}

impl EventStore for WatchedStore {
    fn append<'a>(
        &'a self,
        stream: &'a StreamId,
        expected: Revision,
        events: Vec<NewEvent>,
    ) -> BoxFuture<'a, Result<Appended, AppendError>> {
        Box::pin(async move {
            (self.before_append)(stream).await;
            self.store.append(stream, expected, events).await
        })
    }
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        after: Revision,
    ) -> BoxFuture<'a, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            let read = self.store.read_stream(stream, after).await?;
            self.read.fetch_add(read.len(), Ordering::SeqCst);
            Ok(read)
        })
    }
    fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        Box::pin(async move {
            (self.before_read)(&after).await;
            self.store.read_all(after, limit).await
        })
    }
    fn event_at(&self, position: Position) -> BoxFuture<'_, Result<Option<RecordedEvent>, ReadError>> {
        self.store.event_at(position)
    }
    fn newest(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RecordedEvent>, ReadError>> {
        self.store.newest(limit)
    }
    fn subscribe(&self, after: Position) -> BoxStream<'static, Result<Subscribed, ReadError>> {
        let (waits, log) = ((self.before_read)(&after), self.store.subscribe(after));
        Box::pin(futures_util::stream::once(waits).flat_map(|()| futures_util::stream::empty()).chain(log))
    }
    fn head(&self) -> BoxFuture<'_, Result<Position, ReadError>> {
        self.store.head()
    }
    fn decoy(&self) -> BoxFuture<'_, Result<(), AppendError>> {
        self.store.decoy()
    }
}
