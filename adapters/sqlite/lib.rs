//! Everything that is stored in SQLite files: the event log, read models, account keys, the mail journal,
//! service tokens, and answers to commands with idempotency keys. Also their backups. Each source file
//! implements one port.
#![forbid(unsafe_code)]

pub mod answers;
pub mod backup;
mod database;
pub mod event_store;
pub mod key_store;
pub mod mail_journal;
pub mod moved_rows;
pub mod read_store;
pub mod service_tokens;
pub mod webhooks;
pub mod write_ahead_log;

pub use database::FileError;
