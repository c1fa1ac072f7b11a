//! Logging in, in one request or in two.

use std::future::Future;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use loquet_domain::Moment;
use loquet_domain::app::{Credentials, Login, Unavailable};
use loquet_domain::values::one_time_code::OneTimeCode;
use loquet_domain::values::password::Password;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Arrival;
use crate::extractors::body::Body;
use crate::extractors::devices;
use crate::extractors::devices::Devices;
use crate::response_timing;
use crate::responses::carry_out::to_its_end;
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::state::{Api, Shared};
use loquet_metrics::Outcome;

/// Who somebody says they are, and how they prove it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    #[schema(example = "marie@boulangerie.example")]
    email: String,
    #[schema(example = "Boulange7!", format = Password)]
    password: String,
    /// For programs that log in in one request: the code of the second step, where it is on.
    #[schema(example = "123456")]
    code: Option<String>,
    /// A recovery code in place of the code.
    recovery_code: Option<String>,
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
    /// For clients without cookies: send it as `Loquet-Device: …` with later logins of this account, so that whoever
    /// guesses at its password elsewhere does not lock you out. Given where the device was not trusted yet. Browsers get
    /// the same as a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
    /// Until when it is trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_expires_at: Option<DateTime<Utc>>,
}

/// The password was right; the second step is yet to come.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChallengeBody {
    /// Send it with the code. It authorises nothing else.
    challenge: String,
    /// When it no longer works.
    expires_at: DateTime<Utc>,
}

/// A code, or a recovery code: one of the two.
pub(crate) fn one_of(
    faults: &mut Faults,
    code: Option<String>,
    recovery_code: Option<String>,
) -> Option<OneTimeCode> {
    let short = |text: &str| (1..=100).contains(&text.len());
    let given = match (code, recovery_code) {
        (Some(code), None) if short(&code) => Some(OneTimeCode::Totp(code)),
        (None, Some(code)) if short(&code) => Some(OneTimeCode::Recovery(code)),
        _ => None,
    };
    faults.check("/code", given.ok_or(()), |()| "code-required")
}

/// Log in.
///
/// Unknown, unactivated and deleted accounts are answered exactly as a wrong password is. Where the second step is on,
/// a right password alone is answered 200 with a challenge.
#[utoipa::path(
    post, path = "/v1/logins", tag = "logins", request_body = LoginBody,
    params(("Loquet-Device" = Option<String>, Header, description = "What an earlier login gave to this device; browsers send the cookie instead")),
    responses(
        (status = 200, description = "The password was right; the second step is yet to come", body = ChallengeBody),
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
    Devices(devices): Devices,
    Body(body): Body<LoginBody>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let email = faults.email("/email", &body.email);
    let second = match (&body.code, &body.recovery_code) {
        (None, None) => None,
        _ => one_of(&mut faults, body.code, body.recovery_code),
    };
    let email = faults.finish(email)?;
    api.admit(&arrival)?;
    let credentials = Credentials { email, password: Password::new(body.password), second, devices };
    let (at, context, acting) = (arrival.at, arrival.stranger(), api.clone());
    answer(&api, at, async move { acting.app.log_in(&context, credentials).await }).await
}

/// The second step of a login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondStepBody {
    challenge: String,
    /// Six digits of the app.
    #[schema(example = "123456")]
    code: Option<String>,
    /// Or one of the recovery codes.
    recovery_code: Option<String>,
}

/// Finish a login with the code of an app, or with a recovery code. A wrong one counts as a wrong password does.
#[utoipa::path(
    post, path = "/v1/logins/second-step", operation_id = "answer_challenge", tag = "logins", request_body = SecondStepBody,
    responses(
        (status = 201, description = "In", body = SessionBody),
        (status = 401, description = "A wrong code; or the challenge is over or void: log in again", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks a rule", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "Locked; nothing was verified", body = ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds until the lockout ends"))),
        (status = 503, description = "Not now; nothing was counted", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn second_step(
    State(api): Shared,
    arrival: Arrival,
    Body(body): Body<SecondStepBody>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let code = one_of(&mut faults, body.code, body.recovery_code);
    let code = faults.finish(code)?;
    // Whoever shows a challenge that this server never gave costs nothing.
    if api.app.tokens().read_challenge(&body.challenge).is_none() {
        return Err(Problem::challenge_void());
    }
    api.admit(&arrival)?;
    let (at, context, acting) = (arrival.at, arrival.stranger(), api.clone());
    answer(&api, at, async move { acting.app.answer_challenge(&context, &body.challenge, code).await }).await
}

/// Carries a login out to its end, counts what came of it, and says so.
async fn answer(
    api: &Api,
    at: Moment,
    login: impl Future<Output = Result<Login, Unavailable>> + Send + 'static,
) -> Result<Response, Problem> {
    let begun = std::time::Instant::now();
    let logins = api.metrics.http.logins.clone();
    let count = |outcome: &str| {
        logins.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    };
    let login = to_its_end(login).await?.inspect_err(|_| count("unavailable"))?;
    count(match login {
        Login::Succeeded { .. } => "succeeded",
        Login::Refused => "refused",
        Login::SecondStep { .. } => "second_step_asked",
        Login::WrongCode => "wrong_code",
        Login::ChallengeVoid => "challenge_void",
        Login::AwaitingConversion => "awaiting_conversion",
        Login::Locked { .. } => "locked",
    });
    if login == Login::Refused {
        response_timing::wait(api.refusal_step, begun).await;
    }
    match login {
        Login::Succeeded { account, session_token, expires_at, position, device } => {
            let session = SessionBody {
                account_id: account.0,
                session_token,
                expires_at,
                position: position.0,
                device_token: device.as_ref().map(|device| device.token.clone()),
                device_expires_at: device.as_ref().map(|device| device.expires_at),
            };
            let response = (StatusCode::CREATED, Json(session)).into_response();
            Ok(devices::keep(response, device.as_ref(), at))
        }
        Login::SecondStep { challenge, expires_at } => {
            Ok(Json(ChallengeBody { challenge, expires_at }).into_response())
        }
        Login::Refused => Err(Problem::wrong_credentials()),
        Login::WrongCode => Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong-code")),
        Login::ChallengeVoid => Err(Problem::challenge_void()),
        Login::AwaitingConversion => Err(Problem::new(StatusCode::FORBIDDEN, "awaiting-conversion")),
        Login::Locked { until } => Err(Problem::locked(until, at)),
    }
}
