//! Runs commands to their end.

use std::future::Future;

use loquet_domain::app::Failure;
use loquet_domain::ports::Position;
use tracing::Instrument;

use crate::responses::done::Done;
use crate::responses::problem::Problem;

/// Runs a command to its end, whether or not the caller waits for it. A caller who hangs up must not leave a
/// password check unfinished, nor get it for free.
pub(crate) async fn to_its_end<T: Send + 'static>(
    command: impl Future<Output = T> + Send + 'static,
) -> Result<T, Problem> {
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
