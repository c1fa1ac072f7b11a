//! Who may do what in a company: its administrators, its groups and their members.
//!
//! One stream a company, so that "the last administrator stays" and "nobody grants what they lack" are
//! decided on everything that they depend on.

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
