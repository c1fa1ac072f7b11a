//! What every adapter of a port keeps: a suite a port. A new adapter adds one line to the suite of each port that it
//! implements, and runs all of it: what the trait's documentation promises, races between two nodes, a kill at any moment,
//! and a stop.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test stops at the first thing amiss

mod account_keys;
mod anonymous_guesses;
mod answers;
mod event_store;
mod kills;
mod lease;
mod mail_journal;
mod read_store;
mod service_tokens;
mod session_uses;
mod store;
