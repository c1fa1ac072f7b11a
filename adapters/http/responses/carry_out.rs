//! Runs commands to their end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use loquet_domain::app::Failure;
use loquet_domain::ports::Position;
use tokio::runtime::Handle;
use tracing::Instrument;

use crate::responses::done::Done;
use crate::responses::problem::Problem;

/// What must hold before a command is run.
pub(crate) type Check = Pin<Box<dyn Future<Output = Result<(), Problem>> + Send>>;

tokio::task_local! {
    /// The check of the request that this task answers, until it is made.
    static CHECK: Mutex<Option<Check>>;
}

/// Answers a request whose command is run only if a check allows it. The check is made last, right before the command: a
/// request that is refused anyway is refused for that reason (RFC 9110, 13.2.1).
pub(crate) async fn on_condition<T>(check: Check, answer: impl Future<Output = T>) -> T {
    CHECK.scope(Mutex::new(Some(check)), answer).await
}

/// Runs a command to its end, whether or not the caller waits for it. A caller who hangs up must not leave a
/// password check unfinished, nor get it for free.
///
/// # Errors
/// The problem of the request's condition, if it does not hold. The command is then not run.
pub(crate) async fn to_its_end<T: Send + 'static>(
    command: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    let take = |check: &Mutex<Option<Check>>| check.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Ok(Some(check)) = CHECK.try_with(take) {
        check.await?;
    }
    Ok(Unstoppable(Some(Box::pin(command))).await)
}

/// A command that can't be cancelled. Its caller's task runs it, which needs no other task and wakes no other thread. If
/// that task is dropped first, a new task runs the rest.
struct Unstoppable<F: Future<Output: Send + 'static> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send + 'static> + Send + 'static> Future for Unstoppable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // A command that panics, or that has ended, is not put back.
        let Some(mut command) = self.0.take() else { return Poll::Pending };
        let polled = command.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(command);
        }
        polled
    }
}

impl<F: Future<Output: Send + 'static> + Send + 'static> Drop for Unstoppable<F> {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest.in_current_span());
        }
    }
}

/// Runs a command to its end. Returns the position of its events. `refused` turns a refusal into the route's
/// own problem.
pub(crate) async fn carry_out_or(
    command: impl Future<Output = Result<Position, Failure>> + Send + 'static,
    refused: impl FnOnce(Failure) -> Problem,
) -> Result<Done, Problem> {
    to_its_end(command).await?.map(Done).map_err(refused)
}

/// Runs a command to its end. Returns the position of its events. A refusal concerns what the path names.
pub(crate) async fn carry_out(
    at: loquet_domain::Moment,
    command: impl Future<Output = Result<Position, Failure>> + Send + 'static,
) -> Result<Done, Problem> {
    carry_out_or(command, |failure| Problem::of(failure, at)).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Notify, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_command_whose_caller_hangs_up_runs_to_its_end() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (ended, end) = oneshot::channel();
        let (has_begun, may_go_on) = (begun.clone(), go_on.clone());
        let command = async move {
            has_begun.notify_one();
            may_go_on.notified().await;
            ended.send("done").unwrap();
        };
        let caller = tokio::spawn(async move { to_its_end(command).await.is_ok() });
        begun.notified().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        go_on.notify_one();
        assert_eq!(end.await, Ok("done"));
    }

    #[tokio::test]
    async fn a_command_that_panics_is_not_run_again() {
        let command = async {
            tokio::task::yield_now().await;
            panic!("as a command might");
        };
        let caller = tokio::spawn(async move { to_its_end::<()>(command).await.is_ok() });
        assert!(caller.await.unwrap_err().is_panic());
    }
}
