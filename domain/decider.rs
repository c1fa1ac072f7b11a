//! What an aggregate is to the loop of the use cases: something that decides commands and is folded from facts.

use crate::Moment;
use crate::fact::Fact;
use crate::policies::Policies;

/// An aggregate: its state, how it decides, and how it changes.
///
/// Both functions are synchronous and pure: the loop calls them again whenever somebody else's append came first.
/// Whatever needs waiting for, such as verifying a password, is done before, and its outcome is part of the command.
pub trait Decider: Clone + Default + Send + Sync + 'static {
    /// What the names of its streams begin with.
    const CATEGORY: &'static str;
    /// What can be asked of it.
    type Command: Clone + Send + Sync;
    /// What can happen to it.
    type Event: Clone + Send + Sync;
    /// Why a command changes nothing. [`std::convert::Infallible`] if it refuses nothing.
    type Refusal: Send;

    /// Decides a command: the events that follow from it, none if nothing has to change. The same state, policies,
    /// moment and command always give the same answer (law 7).
    ///
    /// # Errors
    /// The rule that refuses.
    fn decide(
        &self,
        policies: &Policies,
        at: Moment,
        command: Self::Command,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// The state after one more fact. Total (law 8).
    #[must_use]
    fn evolve(self, fact: &Fact<Self::Event>) -> Self;
}
