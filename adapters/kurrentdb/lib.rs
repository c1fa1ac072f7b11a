//! The event log in EventStoreDB or KurrentDB.
//!
//! [`KurrentStore`] implements the port with the client of the maker. `connection` does what that client does not do by
//! itself, such as leaving a server that is gone. `encoding` has the stored form of events. `reading` repeats reads that fail.
//! `follower` keeps the end of the log current. `wholeness` refuses a log from which the server may remove events. `diagnosis`
//! finds out why no server answers. [`OpenError`] says what is wrong, and what to do.

#![forbid(unsafe_code)]

mod connection;
mod diagnosis;
mod encoding;
mod event_store;
mod follower;
mod reading;
mod settings;
mod trouble;
mod wholeness;

pub use event_store::KurrentStore;
pub use settings::{Connection, DEADLINE, STREAM_PREFIX};
pub use trouble::OpenError;
