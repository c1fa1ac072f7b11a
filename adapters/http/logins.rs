//! Logging in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use loquet_domain::app::{Credentials, Login};
use loquet_domain::password::Password;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::{Body, Faults};
use super::caller::{Arrival, to_its_end};
use super::problem::{Problem, ProblemBody};
use super::{Shared, even_time};
use crate::metrics::Outcome;

/// Who somebody says they are, and how they prove it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    #[schema(example = "marie@boulangerie.example")]
    email: String,
    #[schema(example = "Boulange7!", format = Password)]
    password: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionBody {
    account_id: Uuid,
    /// Send it as `Authorization: Bearer …`. It is shown this once.
    session_token: String,
    /// When it ends by itself.
    expires_at: DateTime<Utc>,
    /// Where the login stands in the log.
    position: u64,
}

/// Log in.
///
/// Unknown, unactivated and deleted accounts are answered exactly as a wrong password is.
#[utoipa::path(
    post, path = "/v1/logins", tag = "logins", request_body = LoginBody,
    responses(
        (status = 201, description = "In", body = SessionBody),
        (status = 401, description = "Refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The password was right, but nobody has admitted this account yet", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks a rule", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "Locked; nothing was verified", body = ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds until the lockout ends; absent where only a new password ends it"))),
        (status = 503, description = "Not now; nothing was counted", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn log_in(
    State(api): Shared,
    arrival: Arrival,
    Body(body): Body<LoginBody>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let email = faults.email("/email", &body.email);
    let email = faults.finish(email)?;
    api.admit(&arrival)?;
    let credentials = Credentials { email, password: Password::new(body.password) };
    let (at, context) = (arrival.at, arrival.stranger());
    let begun = tokio::time::Instant::now();
    let logins = api.metrics.http.logins.clone();
    let count = |outcome: &str| {
        logins.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    };
    let judged = to_its_end(async move { api.app.log_in(&context, credentials).await }).await?;
    let login = judged.inspect_err(|_| count("unavailable"))?;
    count(match login {
        Login::Succeeded { .. } => "succeeded",
        Login::Refused => "refused",
        Login::AwaitingConversion => "awaiting_conversion",
        Login::Locked { .. } => "locked",
    });
    if login == Login::Refused {
        even_time::wait(even_time::LOGIN, begun).await;
    }
    match login {
        Login::Succeeded { account, session_token, expires_at, position } => {
            let session =
                SessionBody { account_id: account.0, session_token, expires_at, position: position.0 };
            Ok((StatusCode::CREATED, Json(session)).into_response())
        }
        Login::Refused => Err(Problem::wrong_credentials()),
        Login::AwaitingConversion => Err(Problem::new(StatusCode::FORBIDDEN, "awaiting-conversion")),
        Login::Locked { until } => Err(Problem::locked(until, at)),
    }
}
