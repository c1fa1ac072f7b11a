//! The stores that several nodes share, in PostgreSQL 15 or later: the event log, the accounts' keys, the mail journal with
//! its lease, webhooks, service tokens, answers to commands with idempotency keys, wrong guesses at unknown addresses, the
//! last use of sessions, and locks. Each of these modules implements one port.
#![forbid(unsafe_code)]

pub mod anonymous_guesses;
pub mod answers;
mod connection;
mod database;
mod error;
pub mod event_store;
pub mod key_store;
pub mod keyed_locks;
pub mod mail_journal;
mod migrations;
pub mod moved_rows;
mod numbers;
pub mod service_tokens;
pub mod session_uses;
mod statements;
mod tls;
pub mod webhooks;

pub use connection::{Connection, Protection};
pub use database::Database;
pub use error::PostgresError;
pub use migrations::Part;
pub use tls::{Identity, Tls};
