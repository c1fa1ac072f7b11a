//! A log from which the server may remove events is refused at start, in words.

use std::path::Path;
use std::process::Command;

use loquet_domain::ports::{EventStore, Revision};
use loquet_kurrentdb::{KurrentStore, OpenError};
use loquet_tests::kurrentdb_server::KurrentServer;
use loquet_tests::skip;

use crate::world::{event, open, stream};

/// Does something to a stream as an operator would, with the client for Python.
#[track_caller]
fn operate(python: &Path, server: &KurrentServer, code: &str) {
    let program = format!(
        "import sys, kurrentdbclient as k\nc = k.KurrentDBClient(uri=sys.argv[1])\nANY = k.StreamState.ANY\n{code}\nc.close()"
    );
    let did = Command::new(python).args(["-c", &program, server.url()]).output().unwrap();
    assert!(did.status.success(), "{}", String::from_utf8_lossy(&did.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_metadata_lets_the_server_remove_events_is_refused() {
    let test = "kurrentdb_whole";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    for (stream_name, metadata, what) in [
        ("test-a", "{'$maxAge': 60}", "$maxAge"),
        ("test-a", "{'$maxCount': 1000}", "$maxCount"),
        ("test-never", "{'$tb': 1}", "$tb"),
        ("$all", "{'$maxCount': 5}", "$maxCount"),
    ] {
        let server = KurrentServer::fresh();
        let stream_name = match stream_name {
            // The log of everybody is not for a test to cut.
            "$all" if server.is_real() => continue,
            "$all" => "$all".to_owned(),
            ours => format!("{}{ours}", server.prefix()),
        };
        let store = open(&server.connection()).await;
        store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
        let set = format!("c.set_stream_metadata('{stream_name}', metadata={metadata}, current_version=ANY)");
        operate(&python, &server, &set);
        let refused = KurrentStore::open(&server.connection()).await.map(drop).unwrap_err();
        let words = refused.to_string();
        assert!(
            words.contains(&stream_name) && words.contains(what) && words.contains("scavenge"),
            "{words}"
        );
        assert!(matches!(refused, OpenError::NotWhole { .. }));
        let take_out = format!(
            "c.set_stream_metadata('{stream_name}', metadata={{'$cacheControl': 9}}, current_version=ANY)"
        );
        operate(&python, &server, &take_out);
        open(&server.connection()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_with_a_deleted_stream_is_refused_and_a_truncated_stream_is_noticed_by_its_reader() {
    let test = "kurrentdb_deleted";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    for delete in ["delete", "tombstone"] {
        let server = KurrentServer::fresh();
        let name = format!("{}test-a", server.prefix());
        let store = open(&server.connection()).await;
        store.append(&stream("a"), Revision(0), vec![event(1), event(2)]).await.unwrap();
        operate(
            &python,
            &server,
            &format!("c.set_stream_metadata('{name}', metadata={{'$tb': 1}}, current_version=ANY)"),
        );
        let gone = store.read_stream(&stream("a"), Revision(0)).await.unwrap_err();
        assert!(gone.0.contains(&format!("revision 1 of the stream {name} is gone")), "{gone}");
        operate(&python, &server, &format!("c.{delete}_stream('{name}', current_version=ANY)"));
        let refused = KurrentStore::open(&server.connection()).await.map(drop).unwrap_err();
        assert!(matches!(&refused, OpenError::Deleted { stream } if *stream == name), "{refused}");
        let unwritten = store.append(&stream("a"), Revision(0), vec![event(9)]).await;
        assert!(unwritten.is_err(), "{unwritten:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_others_may_be_as_they_like_and_are_not_read() {
    let test = "kurrentdb_others";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    let server = KurrentServer::fresh();
    let other = format!("orders{}1", server.prefix());
    let others = format!(
        "c.append_to_stream('{other}', current_version=ANY, events=[k.NewEvent(type='x', data=b'{{}}')])\n\
         c.set_stream_metadata('{other}', metadata={{'$maxAge': 1}}, current_version=ANY)\n\
         c.delete_stream('{other}', current_version=ANY)"
    );
    operate(&python, &server, &others);
    let store = open(&server.connection()).await;
    let appended = store.append(&stream("a"), Revision(0), vec![event(1)]).await.unwrap();
    assert_eq!(crate::world::ids(&store).await, [1]);
    assert_eq!(store.head().await, Ok(appended.position));
}
