//! The links in mails: activation and password reset.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use loquet_domain::app::Failure;
use loquet_domain::ports::Purpose;
use loquet_domain::values::password::Password;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::caller::Arrival;
use crate::extractors::body::Body;
use crate::extractors::devices;
use crate::extractors::devices::Devices;
use crate::response_timing;
use crate::responses::carry_out::{carry_out, to_its_end};
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::state::Shared;

/// The token of a link, and the chosen password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChosenPassword {
    /// The value of `?token=` in the link.
    token: String,
    #[schema(example = "Boulange7!", format = Password)]
    password: String,
}

impl ChosenPassword {
    fn check(self) -> Result<(String, Password), Problem> {
        let mut faults = Faults::default();
        faults.token(&self.token);
        faults.finish(Some((self.token, Password::new(self.password))))
    }
}

/// Activate an account with the token of its activation mail.
#[utoipa::path(
    post, path = "/v1/activations", operation_id = "activate", tag = "links", request_body = ChosenPassword,
    responses(
        (status = 204, description = "The account is active", headers(("Loquet-Position" = u64, description = "The position of the event in the log"))),
        (status = 400, description = "The token is not valid, or the request can't be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "The token has expired, was used, or was replaced by a newer one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The password breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn activate(
    State(api): Shared,
    arrival: Arrival,
    Body(body): Body<ChosenPassword>,
) -> Result<Done, Problem> {
    let (token, password) = body.check()?;
    api.admit_with_link(&arrival, Purpose::Activation, &token)?;
    let (at, context) = (arrival.at, arrival.anonymous());
    carry_out(at, async move { api.app.activate(&context, &token, password).await }).await
}

/// The account whose password is forgotten.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgottenPassword {
    #[schema(example = "marie@boulangerie.example")]
    email: String,
}

/// Request a password reset mail.
///
/// The answer is the same for every address.
#[utoipa::path(
    post, path = "/v1/password-resets", operation_id = "request_password_reset", tag = "links", request_body = ForgottenPassword,
    responses(
        (status = 202, description = "If an active account has this address, a mail is sent"),
        (status = 422, description = "This is not an e-mail address", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn request_reset(
    State(api): Shared,
    arrival: Arrival,
    Body(body): Body<ForgottenPassword>,
) -> Result<StatusCode, Problem> {
    let mut faults = Faults::default();
    let email = faults.email("/email", &body.email);
    let email = faults.finish(email)?;
    api.admit(&arrival)?;
    let context = arrival.anonymous();
    let begun = std::time::Instant::now();
    let asked = to_its_end(async move { api.app.request_password_reset(&context, &email).await }).await?;
    response_timing::wait(response_timing::RESET, begun).await;
    asked?;
    Ok(StatusCode::ACCEPTED)
}

/// Set a new password with the token of a reset mail.
///
/// This ends all sessions and the lockout.
#[utoipa::path(
    post, path = "/v1/password-resets/confirm", operation_id = "confirm_password_reset", tag = "links", request_body = ChosenPassword,
    responses(
        (status = 204, description = "The password is set", headers(("Loquet-Position" = u64, description = "The position of the event in the log"))),
        (status = 400, description = "The token is not valid, or the request can't be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "The token has expired, was used, or was replaced by a newer one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The password breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn confirm_reset(
    State(api): Shared,
    arrival: Arrival,
    Devices(devices): Devices,
    Body(body): Body<ChosenPassword>,
) -> Result<Response, Problem> {
    let (token, password) = body.check()?;
    api.admit_with_link(&arrival, Purpose::PasswordReset, &token)?;
    let (at, context) = (arrival.at, arrival.anonymous());
    let reset = to_its_end(async move {
        // Some clients have no page for the link. For them, this request counts as opening it.
        let given = api.app.open_reset_link(&context, &token, &devices).await?;
        Ok::<_, Failure>((given, api.app.reset_password(&context, &token, password).await?))
    });
    let (given, position) = reset.await?.map_err(|failure| Problem::of(failure, at))?;
    Ok(devices::keep(Done(position).into_response(), given.as_ref(), at))
}
