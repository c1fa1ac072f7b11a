//! How events are stored, as somebody else's client reads them.

use std::process::Command;

use loquet_domain::ports::{EventStore, Position, Revision};
use loquet_tests::kurrentdb_server::KurrentServer;
use loquet_tests::skip;

use crate::world::{event, open, stream};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_comes_back_byte_for_byte_and_is_json_for_other_tools() {
    let test = "kurrentdb_storage";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    let server = KurrentServer::fresh();
    let name = format!("{}test-a", server.prefix());
    let store = open(&server.connection()).await;
    store.append(&stream("a"), Revision(0), vec![event(1), event(2)]).await.unwrap();
    for read in [
        store.read_stream(&stream("a"), Revision(0)).await.unwrap(),
        store.read_all(Position(0), 10).await.unwrap(),
        store.newest(10).await.unwrap(),
    ] {
        assert_eq!(read.into_iter().map(|recorded| recorded.event).collect::<Vec<_>>(), [event(1), event(2)]);
    }
    let program = "import sys, json, kurrentdbclient as k\n\
        c = k.KurrentDBClient(uri=sys.argv[1])\n\
        e = c.get_stream(sys.argv[2])[1]\n\
        c.close()\n\
        m = json.loads(e.metadata)\n\
        print(json.dumps([e.type, e.content_type, e.data.decode(), m['$correlationId'], m['$causationId'], m['version'], \
        m['subject'], m['sealed'], m['metadata']['node']]))";
    let read = Command::new(python).args(["-c", program, server.url(), &name]).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: serde_json::Value = serde_json::from_slice(&read.stdout).unwrap();
    let data = String::from_utf8(event(2).data).unwrap();
    let subject = "00000000-0000-0000-0000-000000000009";
    assert_eq!(
        read,
        serde_json::json!(["login-failed", "application/json", data, "c-1", "c-2", 3, subject, "AP8H", "a"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_event_in_a_stream_of_ours_stops_the_reader_in_words() {
    let test = "kurrentdb_foreign";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    let server = KurrentServer::fresh();
    let name = format!("{}test-a", server.prefix());
    let store = open(&server.connection()).await;
    let program = "import sys, kurrentdbclient as k\n\
        c = k.KurrentDBClient(uri=sys.argv[1])\n\
        c.append_to_stream(sys.argv[2], current_version=k.StreamState.ANY, events=[k.NewEvent(type='x', data=b'{}')])\n\
        c.close()";
    assert!(Command::new(python).args(["-c", program, server.url(), &name]).status().unwrap().success());
    let unread = store.read_all(Position(0), 10).await.unwrap_err();
    assert!(unread.0.contains(&name) && unread.0.contains("another program wrote it"), "{unread}");
}
