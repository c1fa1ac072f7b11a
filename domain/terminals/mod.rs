//! All terminals of one company. They share one stream.
//!
//! A terminal has no stream of its own. An order of a thousand terminals, or a file that assigns ten thousand, is one
//! decision and one append. So either all of it happens or nothing.

mod decide;
mod event;
mod evolve;
mod identity;
mod state;
#[cfg(test)]
mod tests;

pub use decide::{Assignment, Command, Refusal, Unit, decide};
pub use event::{Event, MovedTerminal, ReleaseCause};
pub use evolve::evolve;
pub use identity::{CATEGORY, stream};
pub use state::{Terminal, Terminals};
