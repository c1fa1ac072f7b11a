//! What the whole-system tests share: a server of one's own, an engine in process, counted skips.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // the harness of the tests takes it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test stops at the first thing amiss
#![allow(missing_docs)] // names say it; nobody outside this package reads them

pub mod kit;
pub mod server;
pub mod skip;
pub mod small_disk;
pub mod watched_store;
