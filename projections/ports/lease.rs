//! The lease: decides which node runs the reactions and the mail sender.

use std::fmt;

use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;

use super::StoreFailed;

/// A fencing token: a number that grows each time the lease is given. Every write carries it, and a store refuses an
/// older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The lease under which a caller acts is over: another node got it, or it was given back. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process no longer holds the lease on the reactions (fence {shown}, the newest is {newest})")]
pub struct Fenced {
    /// The caller's fence.
    pub shown: Fence,
    /// The newest fence that was given. Zero if none ever was.
    pub newest: Fence,
}

/// Why a write under the lease was not made, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteFailed {
    /// The lease is over. Nothing was written, and trying again is useless.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The store can't be used. The write may have been made or not.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// The result of asking for the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// The caller got it. The fence is greater than all before.
    Given(Fence),
    /// Another node holds it until this time, unless it renews the lease or gives it back.
    Taken {
        /// When it ends.
        until: Moment,
    },
}

/// The lease on the reactions: one node at a time runs the reactions and sends the mails.
///
/// A lease ends in three ways: its time has passed and another node takes it, its holder gives it back, or its holder
/// takes it again. It does not end by the passing of time alone. A holder that is late can still renew it if no other
/// node has taken it.
///
/// The clocks of two nodes differ, and a process may be paused at any instruction. So a node may believe that it
/// holds a lease that another node has. The fence keeps them apart. Every writing method of the
/// [`ReactionJournal`](super::ReactionJournal) takes it, and compares it with the newest one **in the same
/// transaction as the write**. So a journal and its lease are in one store. Giving a lease while such a transaction
/// is open either waits for it or makes it fail.
///
/// **Durable**: a fence is never given twice, even after a crash. Every method fails with [`StoreFailed`] if the
/// store can't be used. Then the change may have been made or not, and the caller may repeat the call.
pub trait Lease: Send + Sync {
    /// Takes the lease until `until`, under a new fence. The lease is free at `now` if it was never given, was given
    /// back, or has ended. It is always free for the `holder` that has it, so a process that was killed and restarted
    /// does not wait for itself. If several ask at once, one gets it.
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        now: Moment,
        until: Moment,
    ) -> BoxFuture<'a, Result<Acquired, StoreFailed>>;

    /// Extends the lease to `until`.
    ///
    /// # Errors
    /// [`WriteFailed::Fenced`] if the lease under this fence is over.
    fn renew(&self, fence: Fence, until: Moment) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Gives the lease back, so that the next node need not wait for its end. Does nothing if the lease under this
    /// fence is over.
    fn release(&self, fence: Fence) -> BoxFuture<'_, Result<(), StoreFailed>>;
}
