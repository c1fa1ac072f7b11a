//! Connections that several callers share.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{FileError, Kind, SqliteFailed};

/// A few connections for reading. A caller waits if all are in use.
#[derive(Clone)]
pub(crate) struct ReaderPool {
    free: Arc<Mutex<Vec<Connection>>>,
    places: Arc<Semaphore>,
    /// How many of the next reads of a few rows must expect to wait for the disk.
    careful: Arc<AtomicU32>,
}

/// A read of a few rows that takes longer has probably waited for the disk.
const QUICK: Duration = Duration::from_millis(1);
/// How many reads after such a read expect to wait, too.
const CAREFUL_READS: u32 = 100;

/// A connection from the pool. It returns to the pool when this is dropped, also after a failure.
struct Borrowed {
    connection: Option<Connection>,
    free: Arc<Mutex<Vec<Connection>>>,
    _place: OwnedSemaphorePermit,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let connection = self.connection.take();
        self.free.lock().unwrap_or_else(PoisonError::into_inner).extend(connection);
    }
}

impl ReaderPool {
    const CONNECTIONS: usize = 4;

    pub(crate) fn open(kind: &Kind, path: &Path) -> Result<Self, FileError> {
        let connections =
            (0..Self::CONNECTIONS).map(|_| kind.open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        let places = Arc::new(Semaphore::new(connections.len()));
        Ok(Self { free: Arc::new(Mutex::new(connections)), places, careful: Arc::default() })
    }

    /// Reads on the current thread, which may block. Most reads are served from memory, and take less time
    /// than waking another thread. If the runtime has several threads, its other work moves to another thread
    /// while this one waits for the disk.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SqliteFailed> {
        let read = self.prepared(read).await?;
        if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
            return tokio::task::block_in_place(read);
        }
        tokio::task::spawn_blocking(read).await?
    }

    /// Reads a few rows on the current thread, while nothing else runs on it. This is quicker than [`Self::read`], as
    /// long as the rows are in memory. After a read that waited for the disk, the next ones are made as by
    /// [`Self::read`].
    pub(crate) async fn read_few<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SqliteFailed> {
        let begun = Instant::now();
        let result = match self.careful.load(Ordering::Relaxed) {
            0 => self.prepared(read).await?(),
            _ => self.read(read).await,
        };
        if begun.elapsed() > QUICK {
            self.careful.store(CAREFUL_READS, Ordering::Relaxed);
        } else {
            let one_less = |left: u32| left.checked_sub(1);
            let _ = self.careful.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        }
        result
    }

    /// Reads on a thread that may block, for reads that take long.
    pub(crate) async fn read_apart<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SqliteFailed> {
        tokio::task::spawn_blocking(self.prepared(read).await?).await?
    }

    /// Waits for a connection. Returns the reading with it.
    async fn prepared<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<impl FnOnce() -> Result<T, SqliteFailed> + Send + 'static, SqliteFailed> {
        let place = self.places.clone().acquire_owned().await?;
        let free = self.free.clone();
        Ok(move || {
            let connection = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let borrowed = Borrowed { connection, free, _place: place };
            match &borrowed.connection {
                Some(connection) => Ok(read(connection)?),
                None => Err(SqliteFailed::NoConnection),
            }
        })
    }
}

/// Uses a shared connection on a thread that may block.
pub(crate) async fn work_on<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, SqliteFailed> {
    let connection = connection.clone();
    let done = tokio::task::spawn_blocking(move || {
        work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
    });
    Ok(done.await??)
}
