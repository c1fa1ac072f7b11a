//! The system as it was at an earlier position of the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use loquet_domain::app::App;
use loquet_domain::ports::{BoxFuture, EventStore, Position};
use loquet_projections::ports::{ReadStore, StoreFailed};
use loquet_projections::runner::Status;

/// The use cases, the log and the read models of an earlier position. Commands fail there.
pub struct Past {
    /// The use cases.
    pub app: Arc<App>,
    /// The log up to the position.
    pub store: Arc<dyn EventStore>,
    /// The read models.
    pub rows: Arc<dyn ReadStore>,
    /// It says that all read models are at the position.
    pub status: Status,
}

/// Opens the system as it was.
pub trait Pasts: Send + Sync {
    /// The system as of a position, which the log has reached.
    fn open(&self, position: Position) -> BoxFuture<'_, Result<Past, StoreFailed>>;
}

/// The parameter that asks about the past.
pub(crate) const PARAMETER: &str = "as_of";

/// The most characters of its value.
pub(crate) const LONGEST: usize = 40;

/// How many pasts are kept open. An auditor who asks about one moment asks again.
const OPEN: usize = 4;

/// Whether an interface shows the present or a past.
#[derive(Clone)]
pub struct History {
    /// Opens the system as it was. `None` in the past itself.
    pub(crate) pasts: Option<Arc<dyn Pasts>>,
    /// The pasts that were asked for last.
    pub(crate) open: OpenPasts,
    /// The position of the past that is shown. `None` for the present.
    pub(crate) as_of: Option<Position>,
}

impl History {
    /// The present. Pasts are opened by this.
    #[must_use]
    pub fn present(pasts: Arc<dyn Pasts>) -> Self {
        Self { pasts: Some(pasts), open: OpenPasts::default(), as_of: None }
    }

    /// A past. It opens no other.
    pub(crate) fn past(position: Position) -> Self {
        Self { pasts: None, open: OpenPasts::default(), as_of: Some(position) }
    }
}

/// The pasts that were asked for last, each with its routes.
#[derive(Clone, Default)]
pub(crate) struct OpenPasts {
    held: Arc<Mutex<Held>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Held {
    open: VecDeque<(Position, Router)>,
    /// The position up to which the log has no erasure that these pasts do not know. `None`: none was opened yet.
    seen: Option<Position>,
}

impl OpenPasts {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn to open a past.
    pub(crate) async fn turn(&self) -> impl Drop + use<> {
        self.turn.clone().lock_owned().await
    }

    pub(crate) fn get(&self, position: Position) -> Option<Router> {
        self.held().open.iter().find(|(at, _)| *at == position).map(|(_, routes)| routes.clone())
    }

    /// The position up to which the log was searched for erasures.
    pub(crate) fn seen(&self) -> Option<Position> {
        self.held().seen
    }

    pub(crate) fn see(&self, position: Position) {
        self.held().seen = Some(position);
    }

    /// Closes all. A past that was opened before an erasure still names whom it erased.
    pub(crate) fn close_all(&self) {
        self.held().open.clear();
    }

    pub(crate) fn put(&self, position: Position, routes: Router) {
        let mut held = self.held();
        held.open.push_front((position, routes));
        held.open.truncate(OPEN);
    }
}
