//! Access: the administrators of a company, its groups and their members.
//!
//! Each company has one such stream. So the rules "the last administrator stays" and "nobody grants what they lack"
//! see everything that they depend on.

mod command;
mod decide;
mod event;
mod evolve;
mod identity;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, Grantor, GroupChange, Request};
pub use decide::{MOST_GROUPS, Refusal, decide};
pub use event::{Event, NewGroup};
pub use evolve::evolve;
pub use identity::{CATEGORY, stream};
pub use state::{Access, Group, GroupName, GroupText, InvalidGroupText, Where};
