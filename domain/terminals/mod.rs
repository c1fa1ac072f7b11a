//! The terminals: all terminals of one company, one stream for them all.
//!
//! A terminal is not a stream of its own: an order of a thousand terminals, or a file that assigns ten
//! thousand of them, is one decision and one append, so that either all of it happens or nothing does.

mod decide;
mod event;
mod evolve;
mod identity;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Assignment, Command, Refusal, Unit, decide};
pub use event::{Event, MovedTerminal};
pub use evolve::evolve;
pub use identity::{CATEGORY, stream};
pub use state::{Terminal, Terminals};
