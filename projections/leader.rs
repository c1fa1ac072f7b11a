//! Runs the reactions and the mail sender, while this process holds the lease.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use loquet_domain::Moment;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::causes::Causes;
use crate::ports::{Acquired, Clock, Fence, Fenced, Lease, WriteFailed};

/// The longest pause before the lease is asked for again: after it was lost, after a failure, and while another node
/// holds it.
const RETRY: Duration = Duration::from_secs(2);
/// The shortest pause before the lease is asked for again.
const SHORTEST: Duration = Duration::from_millis(10);
/// How long the end of a term waits for mails that are being sent. A mail server may take ten minutes, and a stop
/// does not wait that long. Such a mail stays claimed. The next term sends it again with the same Message-ID.
const HAND_OVER: Duration = Duration::from_secs(10);

/// Whether this process may do what one node at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// No other process can use the store.
    Sole,
    /// This process holds the lease, under this fence.
    Held(Fence),
    /// Another process holds the lease, or nobody does.
    NotHeld,
}

impl Leadership {
    /// The fence of the lease. Returns `None` if this process does not hold one.
    #[must_use]
    pub fn fence(self) -> Option<Fence> {
        match self {
            Self::Held(fence) => Some(fence),
            Self::Sole | Self::NotHeld => None,
        }
    }
}

/// Shows [`Leadership::Held`] until this value is dropped, and [`Leadership::NotHeld`] after that. A term keeps it.
#[derive(Debug)]
pub struct ShownLeadership(watch::Sender<Leadership>);

impl ShownLeadership {
    /// Shows that this process holds the lease.
    #[must_use]
    pub fn new(shown: watch::Sender<Leadership>, fence: Fence) -> Self {
        shown.send_replace(Leadership::Held(fence));
        Self(shown)
    }
}

impl Drop for ShownLeadership {
    fn drop(&mut self) {
        self.0.send_replace(Leadership::NotHeld);
    }
}

/// Holds the lease and runs what only its holder may run. On all other nodes it waits for the lease.
pub struct Leader {
    /// The lease.
    pub lease: Arc<dyn Lease>,
    /// The name under which this process holds it.
    pub holder: String,
    /// The duration of the lease. It is renewed after a third of this time. `None`: the lease has no end, for a store
    /// that no other process can use.
    pub lasts: Option<TimeDelta>,
    /// The time.
    pub clock: Clock,
}

/// The tasks that run under one fence, while the lease holds.
pub struct Term {
    /// The reactions. The end of the term stops them immediately, as a crash would. They start again at their
    /// checkpoints.
    pub reactions: JoinSet<Result<(), Fenced>>,
    /// The mail sender. The end of the term waits for the mails that it is sending.
    pub sender: JoinSet<Result<(), Fenced>>,
    /// Tells the sender to stop.
    pub stop_sender: watch::Sender<bool>,
}

/// A reaction or the mail sender ended while the lease held. They are meant to run as long as the process, so this is
/// an unexpected failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reaction or the mail sender ended unexpectedly")]
pub struct EndedByItself;

/// Why a term ends.
enum End {
    Stopped,
    /// Another node has the lease.
    Lost,
    /// The lease was not renewed before its end.
    Expired,
    ByItself,
}

impl Leader {
    /// Starts a term with `begin` each time this process gets the lease, and ends the term when the lease is over.
    /// Runs until told to stop. Then gives the lease back.
    ///
    /// # Errors
    /// [`EndedByItself`] if a task of a term ended unexpectedly.
    pub async fn run(
        self,
        begin: impl Fn(Fence) -> Term + Send + Sync,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), EndedByItself> {
        loop {
            let (fence, asked_at) = tokio::select! {
                given = self.acquire() => given,
                () = told(&mut stop) => return Ok(()),
            };
            let mut term = begin(fence);
            let end = tokio::select! {
                () = told(&mut stop) => End::Stopped,
                end = self.hold(fence, asked_at) => end,
                end = term.ended() => end,
            };
            term.end().await;
            self.release(fence).await;
            match end {
                End::Stopped => return Ok(()),
                End::ByItself => return Err(EndedByItself),
                End::Lost => {
                    tracing::warn!(%fence, "another node runs the reactions now; this node waits for the lease");
                }
                End::Expired => tracing::warn!(
                    %fence,
                    "the lease on the reactions was not renewed in time, so another node runs the reactions now or soon; this \
                     node waits for the lease"
                ),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = told(&mut stop) => return Ok(()),
            }
        }
    }

    /// Asks for the lease until it is given. Returns its fence, and the instant before the request was sent.
    async fn acquire(&self) -> (Fence, Instant) {
        loop {
            let asked_at = Instant::now();
            let now = (self.clock)();
            let until = self.end_of_a_lease(now);
            let pause = match self.lease.acquire(&self.holder, now, until).await {
                Ok(Acquired::Given(fence)) => return (fence, asked_at),
                Ok(Acquired::Taken { until }) => (until - now).to_std().unwrap_or(SHORTEST),
                Err(error) => {
                    tracing::error!(error = %Causes(&error), "can't ask for the lease on the reactions; trying again");
                    RETRY
                }
            };
            tokio::time::sleep(pause.clamp(SHORTEST, RETRY)).await;
        }
    }

    fn end_of_a_lease(&self, now: Moment) -> Moment {
        self.lasts.and_then(|lasts| now.checked_add_signed(lasts)).unwrap_or(Moment::MAX_UTC)
    }

    /// Renews the lease until it is over, or until its end has passed without a successful renewal. The end is measured
    /// with the monotonic clock, since the time of day may be set meanwhile. It is measured from before the request was
    /// sent, since the store may have given the lease long before its answer arrives.
    async fn hold(&self, fence: Fence, asked_at: Instant) -> End {
        let Some(lasts) = self.lasts else { return std::future::pending().await };
        let lasts = lasts.to_std().unwrap_or_default();
        let pause = (lasts / 3).max(SHORTEST);
        let mut ends_at = asked_at + lasts;
        loop {
            sleep_until(ends_at.min(Instant::now() + pause)).await;
            let asked_at = Instant::now();
            if asked_at >= ends_at {
                return End::Expired;
            }
            let until = self.end_of_a_lease((self.clock)());
            match timeout_at(ends_at.min(asked_at + pause), self.lease.renew(fence, until)).await {
                Ok(Ok(())) => ends_at = asked_at + lasts,
                Ok(Err(WriteFailed::Fenced(_))) => return End::Lost,
                Ok(Err(WriteFailed::Store(error))) => {
                    tracing::error!(error = %Causes(&error), "can't renew the lease on the reactions; trying again");
                }
                Err(_) => tracing::error!("the lease on the reactions was not renewed in time; trying again"),
            }
        }
    }

    async fn release(&self, fence: Fence) {
        if let Err(error) = self.lease.release(fence).await {
            tracing::warn!(error = %Causes(&error), "can't give back the lease on the reactions; it ends by itself");
        }
    }
}

impl Term {
    async fn ended(&mut self) -> End {
        let ended = tokio::select! {
            Some(ended) = self.reactions.join_next() => ended,
            Some(ended) = self.sender.join_next() => ended,
            else => return End::ByItself,
        };
        match ended {
            Ok(Err(Fenced { .. })) => End::Lost,
            Ok(Ok(())) | Err(_) => End::ByItself,
        }
    }

    /// Waits for the mails that are being sent, so that none is sent twice. Then ends the reactions.
    async fn end(mut self) {
        self.stop_sender.send_replace(true);
        if tokio::time::timeout(HAND_OVER, self.sender.join_next()).await.is_err() {
            tracing::warn!("the mail server did not answer in time: some mails may be sent again");
        }
        self.sender.shutdown().await;
        self.reactions.shutdown().await;
    }
}

/// Waits until told to stop, or until the sender of that signal is gone.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopping| *stopping).await;
}
