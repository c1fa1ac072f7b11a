//! The outside: event stores, read store, key store, Argon2, mail, HTTP.
//!
//! Each file implements one port of the domain or of the projections with one technology.
#![forbid(unsafe_code)]

pub mod argon2_pool;
pub mod backup;
pub mod event_codec;
pub mod folds;
pub mod hmac_tokens;
pub mod http;
pub mod idempotency_store;
pub mod identities;
pub mod kept_file;
pub mod key_store;
mod letters;
mod live;
pub mod logo;
pub mod mail_folder;
pub mod mail_journal;
pub mod memory_store;
pub mod metrics;
pub mod one_time_codes;
mod ownership;
pub mod password_blocklist;
pub mod read_store;
pub mod server_key;
pub mod service_tokens;
pub mod session_activity;
pub mod smtp;
mod sqlite;
pub mod sqlite_store;
pub mod strangers;
pub mod turnstile;
pub mod write_ahead_log;
