//! The account: one person's login. Start at [`decide()`] for its rules and at [`Event`] for what can happen to it.

mod activation;
#[cfg(test)]
mod activation_tests;
mod command;
mod decide;
mod device;
#[cfg(test)]
mod device_tests;
pub mod diagnosis;
mod event;
mod evolve;
mod identity;
mod judging;
mod link;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod profile_tests;
mod refusal;
mod second_step;
#[cfg(test)]
mod second_step_tests;
mod state;
#[cfg(test)]
mod tests;
mod trust;
pub mod what_if;

pub use activation::{ActivationMails, Asker, again_at};
pub use command::{
    Activation, Answer, Attempt, Authority, Command, Creation, MailFate, NewPassword, NewProfile, Opening,
    Proof, Request, Reset, Verdict,
};
pub use decide::decide;
pub use device::{Device, MOST_DEVICES, NewDevice};
pub use event::{
    Admission, Counts, DeviceCount, DeviceEnd, DeviceOrigin, Event, Origin, Role, Rows, SessionEnd,
};
pub use evolve::evolve;
pub use identity::{CATEGORY, of_stream, stream};
pub use link::Link;
pub use refusal::Refusal;
pub use second_step::{Proposal, SecondProof, SecondStep};
pub use state::{Account, Active, Challenge, Credential, Invited, Profile, Session};
