//! Everything that is kept in SQLite files, a file for each port: the event log, read models, accounts' keys, the mail
//! journal, service tokens, answers to idempotency keys. Their backups.
#![forbid(unsafe_code)]

pub mod answers;
pub mod backup;
mod database;
pub mod event_store;
pub mod key_store;
pub mod mail_journal;
pub mod read_store;
pub mod service_tokens;
pub mod write_ahead_log;

pub use database::FileError;
