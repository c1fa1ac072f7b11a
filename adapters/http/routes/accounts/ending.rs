//! Ending a lockout, deleting an account, erasing a person: each with a reason.

use axum::extract::{Path, State};
use loquet_domain::ids::AccountId;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Arrival, Because, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::Params;
use crate::responses::carry_out::carry_out;
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::routes::reasons::Why;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// Why something is done to an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// The reason, in your own words. It is stored in the log, encrypted with the account's key.
    #[schema(required = true, value_type = String, example = "Called from the number on file")]
    reason: Option<String>,
}

impl ReasonBody {
    pub(crate) fn check(self) -> Result<Because, Problem> {
        let mut faults = Faults::default();
        let because = faults.because_stated("/reason", self.reason);
        faults.finish(Some(because))
    }
}

/// End a lockout early.
///
/// Only support can do this: it requires the scope `lockouts:release`. The owner gets a mail.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/release", operation_id = "release_lockout", tag = "accounts", request_body = ReasonBody,
    security(("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The lockout is ended"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The account is not locked", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn release(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ReasonBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::LockoutsRelease)?;
    let (id, because) = (AccountId(id), body.check()?);
    let reason = because.text().to_owned();
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.release(&context, id, &reason).await }).await
}

/// Delete an account.
///
/// Its e-mail address can then be used for a new account.
#[utoipa::path(
    delete, path = "/v1/accounts/{account_id}", operation_id = "delete_account", tag = "accounts",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), Why),
    responses(
        (status = 204, description = "Deleted"),
        (status = 403, description = "You are not an administrator", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A reason is required", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn delete(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Params(why): Params<Why>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    let authority = caller.administers(Scope::AccountsDelete, &api.profile(id).await?)?;
    let because = why.check(&caller)?;
    let reason = because.text().to_owned();
    let reason = if reason.is_empty() { "not given".to_owned() } else { reason };
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.delete_account(&context, authority, id, &reason).await }).await
}

/// Erase a person.
///
/// This deletes the account, and then the key of the person's data. It can't be undone.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/erasure", operation_id = "erase_person", tag = "accounts", request_body = ReasonBody,
    security(("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The person is erased"),
        (status = 404, description = "There was never such an account", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn erase(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ReasonBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::AccountsDelete)?;
    let (id, because) = (AccountId(id), body.check()?);
    let reason = because.text().to_owned();
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.erase_account(&context, id, &reason).await }).await
}
