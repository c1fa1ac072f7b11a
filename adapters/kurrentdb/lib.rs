//! The event log in EventStoreDB or KurrentDB.
//!
//! [`KurrentStore`] implements the port on the maker's own client. `connection` gets around what that client does not do
//! by itself, such as leaving a node that is gone. `encoding` says how an event is stored. `follower` keeps the end of the
//! log current. `diagnosis` finds out why no node answers. `wholeness` refuses a log from which the server may remove events. [`OpenError`] says in words what is
//! wrong.

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
