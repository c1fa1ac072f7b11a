//! Read models and reactions: everything that is derived from the log.
//!
//! A view turns events into rows and can be rebuilt at any time. It has no access to anything that sends (law 5). A
//! reaction acts on the outside world. Its checkpoint is separate, and a rebuild does not move it.
#![forbid(unsafe_code)]

pub mod as_of;
pub mod causes;
pub mod collation;
pub mod diagnosis;
pub mod erased_view;
pub mod event_envelope;
pub mod held_rows;
pub mod index;
pub mod leader;
pub mod local_time;
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
pub mod what_if;
pub mod words;
