//! Checks whether the log can be written, at most once a second.

use loquet_domain::ports::{AppendError, EventStore};
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

/// The shortest time between two writes to the log.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The result of the last write to the log. Frequent checks do not write more often.
#[derive(Default)]
pub struct Probe(Mutex<Option<(Instant, Result<(), AppendError>)>>);

impl Probe {
    pub(crate) async fn write(&self, store: &dyn EventStore) -> Result<(), AppendError> {
        let mut last = self.0.lock().await;
        if let Some((_, said)) = last.as_ref().filter(|(at, _)| at.elapsed() < PROBE_EVERY) {
            return said.clone();
        }
        let said = store.decoy().await;
        *last = Some((Instant::now(), said.clone()));
        said
    }
}
