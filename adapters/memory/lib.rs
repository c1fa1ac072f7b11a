//! What is kept in memory: an event store and a mail journal for tests and simulation, the state cache, keyed
//! locks, guesses at unknown addresses, and when sessions were last used.
#![forbid(unsafe_code)]

pub mod anonymous_guesses;
pub mod event_store;
pub mod keyed_lock;
pub mod mail_journal;
pub mod session_activity;
pub mod state_cache;
