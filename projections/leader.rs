//! Runs the reactions and the mail sender, while this process holds the lease.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use loquet_domain::Moment;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::causes::Causes;
use crate::ports::{Acquired, Clock, Fence, Fenced, Lease, WriteFailed};

/// How long the lease is left alone after it was lost, after asking for it failed, and at most while somebody else holds it.
const RETRY: Duration = Duration::from_secs(2);
/// The shortest pause before the lease is asked for again.
const SHORTEST: Duration = Duration::from_millis(10);
/// How long the end of a term waits for mails that are being handed over. A mail server may take ten minutes, and a stop
/// does not wait for that. Such a mail stays claimed, and is sent again in the next term with the same Message-ID.
const HAND_OVER: Duration = Duration::from_secs(10);

/// Leads: holds the lease, and runs what only its holder may run. On all other nodes it waits for its turn.
pub struct Leader {
    /// The lease.
    pub lease: Arc<dyn Lease>,
    /// Under which name this process holds it.
    pub holder: String,
    /// For how long it is taken. It is renewed three times as often. `None` takes it without an end, for a store that no
    /// other process can use.
    pub lasts: Option<TimeDelta>,
    /// The time.
    pub clock: Clock,
}

/// What runs under one fence, from the moment at which the lease is given until it is over.
pub struct Term {
    /// The reactions. The end of the term drops them in the middle of their work, as a crash would: they begin again at
    /// their checkpoints.
    pub reactions: JoinSet<Result<(), Fenced>>,
    /// The mail sender. The end of the term lets it finish the mails that it is handing over.
    pub sender: JoinSet<Result<(), Fenced>>,
    /// Tells the sender to stop.
    pub stop_sender: watch::Sender<bool>,
}

/// A reaction or the mail sender has ended while the lease held. They run for as long as the process does, so it failed in a
/// way that nobody foresaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reaction or the mail sender ended by itself")]
pub struct EndedByItself;

/// Why a term ends.
enum End {
    Stopped,
    Lost,
    ByItself,
}

impl Leader {
    /// Begins a term with `begin` each time the lease is given, and ends it when the lease is over. Runs until told to stop,
    /// and then gives the lease back.
    ///
    /// # Errors
    /// [`EndedByItself`].
    pub async fn run(
        self,
        begin: impl Fn(Fence) -> Term + Send + Sync,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), EndedByItself> {
        loop {
            let (fence, until) = tokio::select! {
                given = self.acquire() => given,
                () = told(&mut stop) => return Ok(()),
            };
            let mut term = begin(fence);
            let end = tokio::select! {
                () = told(&mut stop) => End::Stopped,
                () = self.hold(fence, until) => End::Lost,
                end = term.ended() => end,
            };
            term.end().await;
            self.release(fence).await;
            match end {
                End::Stopped => return Ok(()),
                End::ByItself => return Err(EndedByItself),
                End::Lost => {
                    tracing::warn!(%fence, "another node runs the reactions now; this one waits for its turn");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = told(&mut stop) => return Ok(()),
            }
        }
    }

    /// Asks for the lease until it is given. Returns its fence and its end.
    async fn acquire(&self) -> (Fence, Moment) {
        loop {
            let now = (self.clock)();
            let until = self.end_of_a_lease(now);
            let pause = match self.lease.acquire(&self.holder, now, until).await {
                Ok(Acquired::Given(fence)) => return (fence, until),
                Ok(Acquired::Taken { until }) => (until - now).to_std().unwrap_or(SHORTEST),
                Err(error) => {
                    tracing::error!(error = %Causes(&error), "the lease on the reactions can't be had; trying again");
                    RETRY
                }
            };
            tokio::time::sleep(pause.clamp(SHORTEST, RETRY)).await;
        }
    }

    fn end_of_a_lease(&self, now: Moment) -> Moment {
        self.lasts.and_then(|lasts| now.checked_add_signed(lasts)).unwrap_or(Moment::MAX_UTC)
    }

    /// Renews the lease until it is over, or until its end has come and it is not known whether it still holds.
    async fn hold(&self, fence: Fence, mut until: Moment) {
        let Some(lasts) = self.lasts else { return std::future::pending().await };
        let pause = (lasts / 3).to_std().unwrap_or(SHORTEST).max(SHORTEST);
        loop {
            tokio::time::sleep(pause).await;
            let next = self.end_of_a_lease((self.clock)());
            match tokio::time::timeout(pause, self.lease.renew(fence, next)).await {
                Ok(Ok(())) => until = next,
                Ok(Err(WriteFailed::Fenced(_))) => return,
                Ok(Err(WriteFailed::Store(error))) => {
                    tracing::error!(error = %Causes(&error), "the lease on the reactions can't be renewed; trying again");
                }
                Err(_) => tracing::error!("the lease on the reactions is not renewed in time; trying again"),
            }
            if (self.clock)() >= until {
                return;
            }
        }
    }

    async fn release(&self, fence: Fence) {
        if let Err(error) = self.lease.release(fence).await {
            tracing::warn!(error = %Causes(&error), "the lease on the reactions was not given back; it ends by itself");
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

    /// Lets the mails that are being handed over end, so that none is sent again, and then ends the reactions.
    async fn end(mut self) {
        self.stop_sender.send_replace(true);
        if tokio::time::timeout(HAND_OVER, self.sender.join_next()).await.is_err() {
            tracing::warn!("the mail server did not answer in time: what it was given may be sent again");
        }
        self.sender.shutdown().await;
        self.reactions.shutdown().await;
    }
}

/// Waits until told to stop. Whoever could tell and is gone has told.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopping| *stopping).await;
}
