//! The client of the cluster, and the sessions for appends.
//!
//! The client has faults that this module hides from its callers:
//! - It never leaves a server that is gone, and it stops for good when no server answers. So it is replaced then.
//! - A session for appends ends with the first append that fails, and all other appends in it are lost. So each session has
//!   one append at a time.
//! - A session that is dropped stays open on the server until an append in it fails. So it gets an append that must fail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventstore::{
    BatchAppendClient, BatchAppendOptions, BatchWriteResult, Client, ClientSettings, Credentials, EventData,
    ReadAllOptions, StreamPosition, StreamState,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::settings::Connection;
use crate::trouble::{Failure, OpenError};

/// The greatest number of appends at the same time. A server accepts 100 requests on one connection, and reads need some.
const SESSIONS: usize = 64;
/// The pause before a request is repeated for the first time.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause before a request is repeated.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long the server may take to end a session. It ends none while it is stalled.
const FAREWELL: Duration = Duration::from_secs(5);
/// No stream has so many events. An append that expects it fails and writes nothing.
const IMPOSSIBLE: StreamState = StreamState::StreamRevision(i64::MAX.unsigned_abs() - 1);

/// The connection to the cluster. It replaces its client when that can't go on.
pub(crate) struct Link {
    settings: ClientSettings,
    credentials: Option<Credentials>,
    /// The stream to which the appends that must fail are sent.
    scrap: String,
    current: Mutex<Arc<Wire>>,
    /// The leader that a server has named last. Empty if none has.
    leader: Mutex<String>,
    /// Counts how often the client was replaced, or has gone to another leader.
    renewed: watch::Sender<u64>,
}

/// A client, with its sessions that are not in use.
pub(crate) struct Wire {
    pub(crate) client: Client,
    waiting: Mutex<Vec<BatchAppendClient>>,
    free: Arc<Semaphore>,
    scrap: String,
}

/// A session, for one append.
pub(crate) struct Session {
    wire: Arc<Wire>,
    session: Option<BatchAppendClient>,
    _permit: OwnedSemaphorePermit,
}

impl Link {
    pub(crate) fn new(connection: &Connection, scrap: &str) -> Result<Self, OpenError> {
        let (settings, credentials) = connection.client_settings()?;
        let wire = Wire::new(settings.clone(), scrap).map_err(OpenError::Unusable)?;
        Ok(Self {
            settings,
            credentials,
            scrap: scrap.to_owned(),
            current: Mutex::new(Arc::new(wire)),
            leader: Mutex::default(),
            renewed: watch::Sender::new(0),
        })
    }

    fn current(&self) -> MutexGuard<'_, Arc<Wire>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn wire(&self) -> Arc<Wire> {
        self.current().clone()
    }

    /// Tells when the client was replaced, or has gone to another leader.
    pub(crate) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewed.subscribe()
    }

    /// The name and password that each request has.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.credentials.clone()
    }

    /// Prepares for a repeat of the request that failed: replaces the client, or brings it to the new leader.
    pub(crate) async fn mend(&self, failed: &Arc<Wire>, failure: &Failure) {
        if let Failure::NotLeader(leader) = failure {
            // The client goes to the leader when a read fails, but not whenever an append does. So this reads something.
            let mut options =
                ReadAllOptions::default().position(StreamPosition::End).max_count(1).requires_leader(true);
            if let Some(credentials) = self.credentials() {
                options = options.authenticated(credentials);
            }
            let look = async {
                if let Ok(mut read) = failed.client.read_all(&options).await {
                    let _ = read.next().await;
                }
            };
            // If the new leader does not answer, the repeated request finds that out.
            let _ = timeout(LONGEST_PAUSE, look).await;
            self.note_leader(leader);
        } else if failure.needs_a_new_client() {
            self.renew(failed);
        }
    }

    /// Tells the follower that another node leads, so that its subscription leaves the former leader. Many requests find
    /// out at the same time.
    fn note_leader(&self, leader: &str) {
        let mut known = self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != leader {
            leader.clone_into(&mut known);
            self.renewed.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Replaces a client, unless it was replaced already.
    pub(crate) fn renew(&self, failed: &Arc<Wire>) {
        let mut current = self.current();
        if !Arc::ptr_eq(&current, failed) {
            return;
        }
        match Wire::new(self.settings.clone(), &self.scrap) {
            Ok(wire) => {
                *current = Arc::new(wire);
                self.renewed.send_modify(|count| *count = count.wrapping_add(1));
            }
            Err(why) => tracing::error!(
                why,
                "the client of the event store can't be replaced; check the settings of kurrentdb, and start this node again"
            ),
        }
    }

    /// A session for one append.
    pub(crate) async fn session(&self) -> Result<Session, (Arc<Wire>, Failure)> {
        let wire = self.wire();
        let Ok(permit) = wire.free.clone().acquire_owned().await else {
            return Err((wire, Failure::Refused("this node is stopping".to_owned())));
        };
        let waiting = wire.waiting().pop();
        let session = match waiting {
            Some(session) => session,
            None => {
                let mut options = BatchAppendOptions::default().requires_leader(true);
                if let Some(credentials) = self.credentials() {
                    options = options.authenticated(credentials);
                }
                match wire.client.batch_append(&options).await {
                    Ok(session) => session,
                    Err(error) => return Err((wire, Failure::of(&error))),
                }
            }
        };
        Ok(Session { wire, session: Some(session), _permit: permit })
    }

    /// Ends all sessions that are not in use.
    pub(crate) async fn close(&self) {
        let wire = self.wire();
        wire.free.close();
        let sessions = std::mem::take(&mut *wire.waiting());
        for session in sessions {
            end(session, &self.scrap).await;
        }
    }
}

impl Wire {
    fn new(settings: ClientSettings, scrap: &str) -> Result<Self, String> {
        let client = Client::new(settings).map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            client,
            waiting: Mutex::default(),
            free: Arc::new(Semaphore::new(SESSIONS)),
            scrap: scrap.to_owned(),
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<BatchAppendClient>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        std::mem::take(&mut *self.waiting()).into_iter().for_each(|session| retire(session, &self.scrap));
    }
}

impl Session {
    pub(crate) fn wire(&self) -> Arc<Wire> {
        self.wire.clone()
    }

    /// Appends. If the caller is cancelled, the session ends.
    pub(crate) async fn append(
        mut self,
        stream: &str,
        expected: StreamState,
        events: Vec<EventData>,
    ) -> Result<BatchWriteResult, Failure> {
        let Some(session) = &self.session else {
            return Err(Failure::NotTaken("the session has ended".to_owned()));
        };
        let appended = session.append_to_stream(stream, expected, events).await;
        let session = self.session.take();
        match appended {
            Ok(written) => {
                self.wire.waiting().extend(session);
                Ok(written)
            }
            // The failure has ended the session.
            Err(error) => Err(Failure::of(&error)),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            retire(session, &self.wire.scrap);
        }
    }
}

/// Ends a session without waiting for it.
fn retire(session: BatchAppendClient, scrap: &str) {
    let scrap = scrap.to_owned();
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move { end(session, &scrap).await });
    }
}

async fn end(session: BatchAppendClient, scrap: &str) {
    let event = EventData::binary("end-of-session", Vec::new().into());
    let refused = timeout(FAREWELL, session.append_to_stream(scrap, IMPOSSIBLE, vec![event])).await;
    debug_assert!(!matches!(refused, Ok(Ok(_))), "an append that must fail succeeded");
}

/// The next pause after this one.
pub(crate) fn longer(pause: Duration) -> Duration {
    pause.saturating_mul(2).min(LONGEST_PAUSE)
}
