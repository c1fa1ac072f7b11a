//! `UmaDB`, as it comes from crates.io.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use loquet_benches::append_load::Log;
use loquet_benches::{Outcome, pause};
use loquet_domain::ports::{NewEvent, Revision, StreamId};
use loquet_tests::server::free_port;
use tokio::runtime::Runtime;
use umadb_client::{AsyncUmaDbClient, UmaDbClient};
use umadb_dcb::{DcbAppendCondition, DcbEvent, DcbEventStoreAsync, DcbQuery, DcbQueryItem};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. It is killed when this is dropped.
pub(crate) struct UmaDb {
    child: Child,
    pub(crate) log: UmaLog,
}

/// Its log, and the position of the last event of each stream. It has no revisions.
#[derive(Clone)]
pub(crate) struct UmaLog {
    client: Arc<AsyncUmaDbClient>,
    last: Arc<Mutex<HashMap<StreamId, u64>>>,
}

impl UmaDb {
    /// Starts the server. `None`: it is not installed.
    pub(crate) fn start(runtime: &Runtime, program: &Path, folder: &Path) -> Outcome<Option<Self>> {
        if !program.exists() {
            return Ok(None);
        }
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(program)
            .args(["--listen", &address, "--db-path"])
            .arg(folder.join("umadb.db"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let begun = Instant::now();
        let client = loop {
            match runtime.block_on(UmaDbClient::new(format!("http://{address}")).connect_async()) {
                Ok(client) => break client,
                Err(error) if begun.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => pause(Duration::from_millis(100)),
            }
        };
        Ok(Some(Self { child, log: UmaLog { client: Arc::new(client), last: Arc::default() } }))
    }
}

impl Drop for UmaDb {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Log for UmaLog {
    async fn append(&self, stream: &StreamId, expected: Revision, events: Vec<NewEvent>) -> Outcome<()> {
        let known = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing may have come in this stream since its last event that the caller knows.
        let after = if expected.0 == 0 { None } else { known().get(stream).copied() };
        let condition = DcbAppendCondition {
            fail_if_events_match: DcbQuery::new().item(DcbQueryItem::new().tags([stream.as_str()])),
            after,
        };
        let events = events.into_iter().map(|event| {
            let NewEvent { id, name, data, metadata, sealed, .. } = event;
            let sealed = sealed.map(|sealed| sealed.bytes).unwrap_or_default();
            let data = [data, metadata, sealed].concat();
            DcbEvent::default().event_type(name).tags([stream.as_str()]).data(data).uuid(id.0)
        });
        let position = self.client.append(events.collect(), Some(condition), None).await?;
        known().insert(stream.clone(), position);
        Ok(())
    }
}
