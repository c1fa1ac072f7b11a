//! Who runs the reactions and the mail sender.

use std::fmt;

use loquet_domain::Moment;
use loquet_domain::ports::BoxFuture;

use super::StoreFailed;

/// A fencing token: a number that grows each time the lease is given. Whoever writes shows it, and a store refuses an older
/// one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The lease that a caller acts under is over: it was given to somebody else, or given back. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process no longer holds the lease on the reactions (fence {shown}, the newest is {newest})")]
pub struct Fenced {
    /// The fence that the caller showed.
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

/// What asking for the lease came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is given. The fence is greater than every one before.
    Given(Fence),
    /// Somebody else holds it until then, unless they renew it or give it back.
    Taken {
        /// When it ends.
        until: Moment,
    },
}

/// The lease on the reactions: of all nodes, one at a time runs the reactions and sends the mails.
///
/// A lease ends in three ways: its moment has passed and somebody else takes it, its holder gives it back, or its holder
/// takes it anew. Time alone takes nothing away. A holder that is late can still renew, as long as nobody else asked.
///
/// The clocks of two nodes differ, and a process may stand still for any time between two instructions. So a node may
/// believe that it holds a lease that another one has. What keeps them apart is the fence: every writing method of the
/// [`ReactionJournal`](super::ReactionJournal) takes it, and compares it with the newest one **in the transaction that it
/// guards**. So a journal and its lease are in one store. A lease that is given while such a transaction is open either
/// waits for it or makes it fail.
///
/// **Durable**: a fence is never given twice, whatever crashes. Every method fails with [`StoreFailed`] if the store can't
/// be used; then the change may have been made or not, and the caller may repeat the call.
pub trait Lease: Send + Sync {
    /// Takes the lease until `until`, under a new fence. It is free at `now` if it was never given, was given back, or has
    /// ended. It is free for `holder` at any time if `holder` has it: a process that was killed and starts again does not
    /// wait for itself. Of several that ask at once, one gets it.
    fn acquire<'a>(
        &'a self,
        holder: &'a str,
        now: Moment,
        until: Moment,
    ) -> BoxFuture<'a, Result<Acquired, StoreFailed>>;

    /// Lets the lease end at `until`.
    ///
    /// # Errors
    /// [`WriteFailed::Fenced`] if the lease under this fence is over.
    fn renew(&self, fence: Fence, until: Moment) -> BoxFuture<'_, Result<(), WriteFailed>>;

    /// Gives the lease back, so that the next one need not wait for its end. Does nothing if the lease under this fence is
    /// over.
    fn release(&self, fence: Fence) -> BoxFuture<'_, Result<(), StoreFailed>>;
}
