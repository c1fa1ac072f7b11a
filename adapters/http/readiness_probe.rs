//! Whether the log can be written, asked at most once a second.

use loquet_domain::ports::{AppendError, EventStore};
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

/// How often readiness writes to the log at most.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// What the log said when it was last written to: asking often does not write often.
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
