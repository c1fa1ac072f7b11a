//! Connections that are kept open from one mail to the next.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;

/// How long an unused connection stays open.
const IDLE: Duration = Duration::from_secs(30);

/// Connections that wait for a mail.
#[derive(Default)]
pub(super) struct Kept(Mutex<Idle>);

#[derive(Default)]
struct Idle {
    connections: Vec<(Instant, Connection)>,
    closing: Closing,
}

/// Whether a task runs that closes connections after that time.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Closing {
    #[default]
    Nobody,
    ATask,
}

impl Kept {
    /// Returns the connection that was used last. Returns `None` if none is young enough.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.lock();
        // Connections that are too old come after it in the list. The task closes them.
        let young = idle.connections.last().is_some_and(|(since, _)| since.elapsed() < IDLE);
        idle.connections.pop_if(|_| young).map(|(_, connection)| connection)
    }

    /// Keeps a connection, and closes it later if no mail comes.
    pub(super) fn keep(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.lock();
        idle.connections.push((Instant::now(), connection));
        if idle.closing == Closing::Nobody {
            idle.closing = Closing::ATask;
            tokio::spawn(close_what_is_old(Arc::downgrade(self)));
        }
    }

    /// Removes the connections that were open for too long. Returns `None` if no connection is left; then the
    /// task can end.
    fn old(&self) -> Option<Vec<Connection>> {
        let mut idle = self.lock();
        if idle.connections.is_empty() {
            idle.closing = Closing::Nobody;
            return None;
        }
        let old = idle.connections.extract_if(.., |(since, _)| since.elapsed() >= IDLE);
        Some(old.map(|(_, connection)| connection).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close_what_is_old(kept: Weak<Kept>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(old) = kept.upgrade().and_then(|kept| kept.old()) else { return };
        for connection in old {
            connection.quit().await;
        }
    }
}
