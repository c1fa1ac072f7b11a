//! The rules for every adapter of a port, in one suite for each port. A new adapter adds one line to the
//! suite of each port that it implements. Then the whole suite runs against it: the promises in the trait's
//! documentation, races between two nodes, a kill at any moment, and a stop.
#![cfg(test)]

mod account_keys;
mod anonymous_guesses;
mod answers;
mod event_store;
mod key_rotation;
mod kills;
mod lease;
mod mail_journal;
mod read_store;
mod service_tokens;
mod session_uses;
mod store;
mod webhooks;
