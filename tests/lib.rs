//! What the whole-system tests share: a server, an engine within the test's process, and counted skips.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first thing amiss, and its harness takes what it prints"
)]
#![expect(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "names say it; nobody outside this package reads them"
)]

pub mod browser;
mod described;
pub mod environment;
pub mod kafka_broker;
pub mod kit;
pub mod kurrentdb_server;
pub mod postgres_server;
pub mod published_events;
pub mod server;
pub mod skip;
pub mod small_disk;
pub mod watched_store;
pub mod witness;
