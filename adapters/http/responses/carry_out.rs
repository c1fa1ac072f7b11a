//! Runs commands to their end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use loquet_domain::app::Failure;
use loquet_domain::ports::Position;
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
pub(crate) async fn to_its_end<T: Send + 'static>(
    command: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
    let take = |check: &Mutex<Option<Check>>| check.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Ok(Some(check)) = CHECK.try_with(take) {
        check.await?;
    }
    tokio::spawn(command.in_current_span())
        .await
        .map_err(|_| Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, "internal"))
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
