//! Logins, in one request or in two.

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

/// An e-mail address, a password and optionally a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    #[schema(example = "marie@boulangerie.example")]
    email: String,
    #[schema(example = "Boulange7!", format = Password)]
    password: String,
    /// The code of the second step, to log in with one request when the second step is on.
    #[schema(example = "123456")]
    code: Option<String>,
    /// A recovery code, instead of `code`.
    recovery_code: Option<String>,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionBody {
    account_id: Uuid,
    /// The session token. Send it as `Authorization: Bearer …`. It is shown only once.
    session_token: String,
    /// When the session expires.
    expires_at: DateTime<Utc>,
    /// The position of the login in the log.
    position: u64,
    /// A token for clients without cookies. Send it as `Loquet-Device: …` with later logins of this account: then wrong
    /// guesses from other devices do not lock you out. Present only if the device was not trusted before. Browsers get
    /// the same value as a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
    /// When the trust in the device ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_expires_at: Option<DateTime<Utc>>,
}

/// The password was right. The second step must follow.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChallengeBody {
    /// Send this value with the code. It is valid for nothing else.
    challenge: String,
    /// When the challenge expires.
    expires_at: DateTime<Utc>,
}

/// Either a code or a recovery code.
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
/// A login to an unknown, unactivated or deleted account gets exactly the same answer as a wrong password. When the
/// second step is on, a right password without a code is answered with 200 and a challenge.
#[utoipa::path(
    post, path = "/v1/logins", tag = "logins", request_body = LoginBody,
    params(("Loquet-Device" = Option<String>, Header, description = "The `device_token` of an earlier login. Browsers send a cookie instead")),
    responses(
        (status = 200, description = "The password was right. The second step must follow", body = ChallengeBody),
        (status = 201, description = "Logged in", body = SessionBody),
        (status = 401, description = "The login was refused", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The password was right, but an administrator must admit this account first", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks a rule", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "The account is locked. Nothing was verified", body = ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds until the lockout ends. Absent if only a new password or support ends it"))),
        (status = 503, description = "The server can't answer now. Nothing was counted; try again later", body = ProblemBody, content_type = "application/problem+json")
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
    let (at, context, acting) = (arrival.at, arrival.anonymous(), api.clone());
    answer(&api, at, async move { acting.app.log_in(&context, credentials).await }).await
}

/// The second step of a login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondStepBody {
    challenge: String,
    /// The six digits that the app shows.
    #[schema(example = "123456")]
    code: Option<String>,
    /// A recovery code, instead of a code.
    recovery_code: Option<String>,
}

/// Complete a login with the code of an authenticator app, or with a recovery code.
///
/// A wrong code counts as a wrong login.
#[utoipa::path(
    post, path = "/v1/logins/second-step", operation_id = "answer_challenge", tag = "logins", request_body = SecondStepBody,
    responses(
        (status = 201, description = "Logged in", body = SessionBody),
        (status = 401, description = "The code is wrong, or the challenge is no longer valid: log in again", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks a rule", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "The account is locked. Nothing was verified", body = ProblemBody, content_type = "application/problem+json",
            headers(("Retry-After" = u64, description = "Seconds until the lockout ends"))),
        (status = 503, description = "The server can't answer now. Nothing was counted; try again later", body = ProblemBody, content_type = "application/problem+json")
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
    // A challenge that this server did not make is refused without a hash, so it does not count towards the
    // common limit.
    if api.app.tokens().read_challenge(&body.challenge).is_none() {
        return Err(Problem::challenge_void());
    }
    api.admit(&arrival)?;
    let (at, context, acting) = (arrival.at, arrival.anonymous(), api.clone());
    answer(&api, at, async move { acting.app.answer_challenge(&context, &body.challenge, code).await }).await
}

/// Runs a login to its end, counts its result in the metrics, and answers.
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
