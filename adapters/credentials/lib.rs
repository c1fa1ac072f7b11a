//! How people prove who they are: password hashes (Argon2id), the password blocklist, and one-time codes.
#![forbid(unsafe_code)]

pub mod one_time_codes;
pub mod password_blocklist;
pub mod password_hasher;
