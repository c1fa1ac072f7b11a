//! What these tests share: a node's store, and events.

use std::time::Duration;

use loquet_domain::ids::{AccountId, EventId};
use loquet_domain::ports::{EventStore, NewEvent, Position, Sealed, StreamId};
use loquet_kurrentdb::{Connection, KurrentStore};
use loquet_tests::kurrentdb_server::KurrentServer;
use uuid::Uuid;

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::new("test", name)
}

pub(crate) fn event(n: u128) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(n)),
        name: "login-failed".to_owned(),
        version: 3,
        data: format!("{{\"n\":{n},  \"é\":\"ü\",\"n\":1.0}}").into_bytes(),
        metadata: b"{\"correlation_id\":\"c-1\",\"causation_id\":\"c-2\", \"node\" : \"a\"}".to_vec(),
        sealed: n
            .is_multiple_of(2)
            .then(|| Sealed { subject: AccountId(Uuid::from_u128(9)), bytes: vec![0, 255, 7] }),
    }
}

/// A connection that gives up soon, for tests in which it has to.
pub(crate) fn hasty(server: &KurrentServer) -> Connection {
    Connection { deadline: Duration::from_millis(700), ..server.connection() }
}

pub(crate) async fn open(connection: &Connection) -> KurrentStore {
    KurrentStore::open(connection).await.unwrap()
}

pub(crate) async fn ids(store: &dyn EventStore) -> Vec<u128> {
    let all = store.read_all(Position(0), 10_000).await.unwrap();
    all.iter().map(|recorded| recorded.event.id.0.as_u128()).collect()
}
