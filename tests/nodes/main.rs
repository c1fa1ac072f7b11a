//! Several nodes on one PostgreSQL: what is right on one node is right on every node, whatever happens to the others.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first thing amiss, and its harness takes what it prints"
)]

mod clocks;
mod cluster;
mod cut_off;
mod faults;
mod guesses;
mod history;
mod moving;
mod network;
mod publishing;
mod sharing;
mod upgrade;
mod writes;
