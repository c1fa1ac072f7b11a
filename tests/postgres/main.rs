//! What PostgreSQL does to the log, and what the program says about it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first thing amiss, and its harness takes what it prints"
)]

mod connections;
mod log;
mod tables;
