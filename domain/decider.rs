//! The interface of an aggregate to the loop of the use cases: it decides commands, and its state is computed from
//! events.

use crate::Moment;
use crate::fact::{Actor, Fact};
use crate::policies::Policies;
use crate::stream::StreamId;

/// An aggregate: its state, its decisions, and how events change it.
///
/// Both functions are synchronous and pure, because the loop calls them again each time another append came first.
/// Anything slow, such as verifying a password, happens before; its result is part of the command.
pub trait Decider: Clone + Default + Send + Sync + 'static {
    /// The category of its streams: the first part of their names.
    const CATEGORY: &'static str;
    /// The commands that it decides.
    type Command: Clone + Send + Sync;
    /// The events that happen to it.
    type Event: Clone + Send + Sync;
    /// Why a command is refused. [`std::convert::Infallible`] if no command is refused.
    type Refusal: Send;

    /// Decides a command. Returns the events that follow; the list is empty if nothing has to change. The same state,
    /// policies, moment and command always give the same answer (law 7).
    ///
    /// # Errors
    /// The rule that refuses.
    fn decide(
        &self,
        policies: &Policies,
        at: Moment,
        command: Self::Command,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Who caused these events, if the events themselves prove it: somebody who was not known at first is known by what they
    /// did. `None`: whoever the context of the command names.
    #[must_use]
    fn proven_actor(_: &StreamId, _: &[Self::Event]) -> Option<Actor> {
        None
    }

    /// The state after one more event. It accepts every event (law 8).
    #[must_use]
    fn evolve(self, fact: &Fact<Self::Event>) -> Self;
}
