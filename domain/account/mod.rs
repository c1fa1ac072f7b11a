//! The account: one person's login.

mod command;
mod decide;
mod event;
mod evolve;
#[cfg(test)]
mod profile_tests;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Activation, Attempt, Command, Creation, MailFate, NewPassword, Proof, Reset, Verdict};
pub use decide::{Refusal, decide};
pub use event::{Admission, Event, Origin, Role, SessionEnd};
pub use evolve::evolve;
pub use state::{Account, Active, Credential, Invited, Link, Profile, Session};
