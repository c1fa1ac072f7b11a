//! A log from which the server may remove events is refused at start, in words.

use std::path::Path;
use std::process::Command;

use loquet_domain::ports::{EventStore, Revision};
use loquet_event_store_server::Options;
use loquet_kurrentdb::{KurrentStore, OpenError};
use loquet_tests::kurrentdb_server::KurrentServer;
use loquet_tests::skip;

use crate::world::{event, open, stream};

/// Does something to a stream as an operator would, with the client for Python.
#[track_caller]
fn operate(python: &Path, server: &mut KurrentServer, code: &str) {
    let program = format!(
        "import sys, kurrentdbclient as k\nc = k.KurrentDBClient(uri=sys.argv[1])\nANY = k.StreamState.ANY\n{code}\nc.close()"
    );
    let url = server.ours().url();
    let did = Command::new(python).args(["-c", &program, &url]).output().unwrap();
    assert!(did.status.success(), "{}", String::from_utf8_lossy(&did.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_metadata_lets_the_server_remove_events_is_refused() {
    let test = "kurrentdb_whole";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    for (stream_name, metadata, what) in [
        ("loquet-test-a", "{'$maxAge': 60}", "$maxAge"),
        ("loquet-test-a", "{'$maxCount': 1000}", "$maxCount"),
        ("loquet-test-never", "{'$tb': 1}", "$tb"),
        ("$all", "{'$maxCount': 5}", "$maxCount"),
    ] {
        let Some(mut server) = KurrentServer::start(test, Options::default()) else { return };
        let store = open(&server.connection()).await;
        store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
        let set = format!("c.set_stream_metadata('{stream_name}', metadata={metadata}, current_version=ANY)");
        operate(&python, &mut server, &set);
        let refused = KurrentStore::open(&server.connection()).await.map(drop).unwrap_err();
        let words = refused.to_string();
        assert!(words.contains(stream_name) && words.contains(what) && words.contains("scavenge"), "{words}");
        assert!(matches!(refused, OpenError::NotWhole { .. }));
        let take_out = format!(
            "c.set_stream_metadata('{stream_name}', metadata={{'$cacheControl': 9}}, current_version=ANY)"
        );
        operate(&python, &mut server, &take_out);
        open(&server.connection()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_deleted_stream_is_refused_and_a_truncated_stream_is_noticed_by_its_reader() {
    let test = "kurrentdb_deleted";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    for delete in ["delete", "tombstone"] {
        let Some(mut server) = KurrentServer::start(test, Options::default()) else { return };
        let store = open(&server.connection()).await;
        store.append(&stream("a"), Revision(0), vec![event(1), event(2)]).await.unwrap();
        operate(
            &python,
            &mut server,
            "c.set_stream_metadata('loquet-test-a', metadata={'$tb': 1}, current_version=ANY)",
        );
        let gone = store.read_stream(&stream("a"), Revision(0)).await.unwrap_err();
        assert!(gone.0.contains("revision 1 of the stream loquet-test-a is gone"), "{gone}");
        operate(&python, &mut server, &format!("c.{delete}_stream('loquet-test-a', current_version=ANY)"));
        let refused = KurrentStore::open(&server.connection()).await.map(drop).unwrap_err();
        assert!(matches!(&refused, OpenError::Deleted { stream } if stream == "loquet-test-a"), "{refused}");
        let unwritten = store.append(&stream("a"), Revision(0), vec![event(9)]).await;
        assert!(unwritten.is_err(), "{unwritten:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_others_may_be_as_they_like_and_are_not_read() {
    let test = "kurrentdb_others";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    let Some(mut server) = KurrentServer::start(test, Options::default()) else { return };
    operate(
        &python,
        &mut server,
        "c.append_to_stream('orders-1', current_version=ANY, events=[k.NewEvent(type='x', data=b'{}')] * 1)\n\
         c.set_stream_metadata('orders-1', metadata={'$maxAge': 1}, current_version=ANY)\n\
         c.delete_stream('orders-1', current_version=ANY)",
    );
    let store = open(&server.connection()).await;
    let appended = store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    assert_eq!(crate::world::ids(&store).await, [1]);
    assert_eq!(store.head().await, Ok(appended.position));
}
