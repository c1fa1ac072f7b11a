//! What is known: read models and reactions, derived from the log.
//!
//! A view turns events into rows and can be rebuilt at any time; nothing it can name sends anything
//! (law 5). A reaction acts on the outside and has a checkpoint of its own, which no rebuild moves.
#![forbid(unsafe_code)]

pub mod causes;
pub mod diagnosis;
pub mod erased_view;
pub mod event_envelope;
pub mod held_rows;
pub mod index;
pub mod leader;
pub mod mail;
pub mod people;
pub mod ports;
pub mod reactions;
mod reading;
pub mod row;
pub mod runner;
pub mod search;
pub mod table;
pub mod view;
pub mod views;
pub mod words;
