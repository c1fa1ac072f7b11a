//! Changing the own password.

use axum::extract::{Path, State};
use loquet_domain::app::Failure;
use loquet_domain::ids::AccountId;
use loquet_domain::values::password::Password;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::extractors::devices::Devices;
use crate::responses::carry_out::to_its_end;
use crate::responses::done::Done;
use crate::responses::problem::{Problem, ProblemBody};
use crate::state::Shared;

/// The current password and a new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordBody {
    #[schema(format = Password)]
    current_password: String,
    #[schema(format = Password)]
    new_password: String,
}

/// Change your own password.
///
/// This ends all sessions. A wrong current password counts as a wrong login.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/password", operation_id = "change_password", tag = "accounts", request_body = PasswordBody,
    security(("session" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The password is changed. Log in again"),
        (status = 403, description = "The current password is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The new password breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "The account is locked. Nothing was verified", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn change(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Devices(devices): Devices,
    Path(id): Path<Uuid>,
    Body(body): Body<PasswordBody>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    let person = caller.person()?;
    if person.account != id {
        return Err(Problem::not_found());
    }
    let owner = api.app.owner(arrival.at, id, person.session, &devices);
    let (current, new) = (Password::new(body.current_password), Password::new(body.new_password));
    let (at, context) = (arrival.at, arrival.of(person));
    let changed =
        to_its_end(async move { api.app.change_password(&context, owner, current, new).await }).await?;
    match changed {
        Err(Failure::WeakPassword(rules)) => Err(Problem::weak_password("/new_password", &rules)),
        other => other.map(Done).map_err(|failure| Problem::of(failure, at)),
    }
}
