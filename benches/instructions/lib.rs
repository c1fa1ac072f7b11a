//! The program's use cases and its HTTP interface within one process, for benchmarks.
//!
//! `benches/instructions/instructions.rs` counts the instructions of what the program does most. `engine` and `people`
//! also serve the benchmarks that measure time.
#![forbid(unsafe_code)]

pub mod engine;
pub mod people;
pub mod server;
pub mod world;

use std::error::Error;

/// Any error that stops a benchmark.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Returns how many threads run at once on this machine.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
