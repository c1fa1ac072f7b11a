//! The domain: decides who has an account, who can log in and who is locked out.
//!
//! This crate is pure. It has no clock, no randomness, no I/O and no async runtime. The caller gives it the time and
//! new ids. It reaches the outside through the traits in [`ports`]. The aggregates and policies import neither
//! [`ports`] nor [`app`]; `tests/rooms.rs` checks this.
#![forbid(unsafe_code)]

pub mod access;
pub mod account;
pub mod administration;
pub mod app;
pub mod clock_history;
pub mod company;
pub mod decider;
pub mod email_claim;
pub mod fact;
pub mod ids;
pub mod logo;
pub mod order;
pub mod persistent_map;
pub mod policies;
pub mod ports;
pub mod receipt;
pub mod schema;
pub mod search;
pub mod serial_claim;
pub mod stream;
pub mod takeover;
pub mod terminals;
pub mod values;

/// A moment in UTC with microseconds. The caller always supplies it (law 7).
pub type Moment = chrono::DateTime<chrono::Utc>;
