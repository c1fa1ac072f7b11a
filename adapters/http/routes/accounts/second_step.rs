//! The second step of the own account, and its reset by support.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use loquet_domain::Moment;
use loquet_domain::app::Owner;
use loquet_domain::ids::AccountId;
use loquet_domain::values::one_time_code::OneTimeCode;
use loquet_domain::values::password::Password;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::extractors::devices::Devices;
use crate::extractors::query::{AtLeast, Params};
use crate::pictures::qr_code;
use crate::responses::carry_out::{carry_out, to_its_end};
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::localize::language;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::logins::one_of;
use crate::routes::pages::recovery_codes_page;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// The owner, and nobody else.
fn own(api: &Api, caller: &Caller, at: Moment, devices: &Devices, id: Uuid) -> Result<Owner, Problem> {
    match caller.person()? {
        person if person.account.0 == id => Ok(api.app.owner(at, person.account, person.session, &devices.0)),
        _ => Err(Problem::not_found()),
    }
}

/// Whether the second step is on.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondStep)]
pub(crate) struct StateBody {
    account_id: Uuid,
    on: bool,
    since: Option<DateTime<Utc>>,
    /// The number of unused recovery codes.
    recovery_codes_left: usize,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// Show whether the second step is on.
///
/// Allowed for the account's owner, the administrators of the company, and tokens with the scope `accounts:read`.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/second-step", operation_id = "show_second_step", tag = "second step", security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The state of the second step", body = StateBody),
        (status = 404, description = "The account does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<StateBody>, Problem> {
    let account = AccountId(id);
    let position = api.log_at(at_least.position()).await?;
    let held = api.app.account(account).await?;
    caller.sees(Scope::AccountsRead, account, held.profile().ok_or_else(Problem::not_found)?)?;
    let second = held.active().and_then(|active| active.second_step.as_ref());
    Ok(Tagged(StateBody {
        account_id: id,
        on: second.is_some(),
        since: second.map(|second| second.since),
        recovery_codes_left: second.map_or(0, |second| second.recovery.len()),
        position: position.0,
    }))
}

/// The current password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnPassword {
    #[schema(format = Password)]
    current_password: String,
}

/// A secret for an authenticator app. It is shown only once.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondStepEnrolment)]
pub(crate) struct EnrolmentBody {
    /// The secret as text in base32 (RFC 4648), for people who can't scan the QR code.
    secret: String,
    /// The URI in the QR code.
    otpauth_uri: String,
    /// The QR code as SVG.
    qr_svg: String,
    /// The QR code as PNG, in base64.
    qr_png: String,
    /// The time by which a code must confirm the secret.
    expires_at: DateTime<Utc>,
    /// The position of the event in the log.
    position: u64,
}

/// Start to turn the second step on.
///
/// Returns a secret for an authenticator app (RFC 6238: SHA-1, 6 digits, 30 s). A wrong password counts as a wrong
/// login.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/second-step", operation_id = "propose_second_step", tag = "second step", request_body = OwnPassword,
    security(("session" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 201, description = "Scan the QR code with the app, then confirm with a code", body = EnrolmentBody),
        (status = 403, description = "The current password is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The second step is already on", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "The account is locked. Nothing was verified", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn propose(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    devices: Devices,
    Path(id): Path<Uuid>,
    Body(body): Body<OwnPassword>,
) -> Result<(StatusCode, Json<EnrolmentBody>), Problem> {
    let owner = own(&api, &caller, arrival.at, &devices, id)?;
    let current = Password::new(body.current_password);
    let (at, context, acting) = (arrival.at, arrival.of(caller.person()?), api.clone());
    let proposed = to_its_end(async move { acting.app.propose_second_step(&context, owner, current).await });
    let enrolment = proposed.await?.map_err(|failure| Problem::of(failure, at))?;
    let email = email(&api, owner.account).await?;
    let internal = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal");
    let shown = api.codes.otp_auth(&enrolment.secret, &api.brand, &email).ok_or_else(internal)?;
    let picture = qr_code::draw(&shown.uri).ok_or_else(internal)?;
    let body = EnrolmentBody {
        secret: shown.secret,
        otpauth_uri: shown.uri,
        qr_svg: picture.svg,
        qr_png: STANDARD.encode(picture.png),
        expires_at: enrolment.expires_at,
        position: enrolment.position.0,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

async fn email(api: &Api, account: AccountId) -> Result<String, Problem> {
    let profile = api.profile(account).await?;
    let person = profile.person.known().ok_or_else(Problem::not_found)?;
    Ok(person.email.to_string())
}

/// A code that was made with the new secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmationBody {
    /// The six digits that the app shows.
    #[schema(example = "123456")]
    code: String,
}

/// Ten recovery codes. Each is valid for one login. They are shown only once.
#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub(crate) struct RecoveryBody {
    #[schema(example = json!(["4ZK9-0PQR-77TV-1XAB"]))]
    recovery_codes: Vec<String>,
    /// The position of the event in the log.
    position: u64,
}

/// The codes: as a page to print if the client accepts HTML, otherwise as JSON.
fn recovery(api: &Api, headers: &HeaderMap, codes: Vec<String>, position: u64) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let wanted = accepts.contains("text/html");
    match wanted {
        true => recovery_codes_page(api, language(headers), &codes),
        false => Json(RecoveryBody { recovery_codes: codes, position }).into_response(),
    }
}

/// Turn the second step on with a code of the app.
///
/// Returns ten recovery codes; with `Accept: text/html`, as a page to print. A wrong code counts as a wrong login.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/second-step/confirmation", operation_id = "confirm_second_step", tag = "second step", request_body = ConfirmationBody,
    security(("session" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The second step is on", body = RecoveryBody),
        (status = 403, description = "The code is wrong", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "No secret was shown, or it has expired", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "The account is locked. Nothing was verified", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn confirm(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    headers: HeaderMap,
    devices: Devices,
    Path(id): Path<Uuid>,
    Body(body): Body<ConfirmationBody>,
) -> Result<Response, Problem> {
    let owner = own(&api, &caller, arrival.at, &devices, id)?;
    let (at, context, acting) = (arrival.at, arrival.of(caller.person()?), api.clone());
    let confirmed =
        to_its_end(async move { acting.app.confirm_second_step(&context, owner, &body.code).await });
    let (codes, position) = confirmed.await?.map_err(|failure| Problem::of(failure, at))?;
    Ok(recovery(&api, &headers, codes, position.0))
}

/// The current password, and a code or a recovery code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BothBody {
    #[schema(format = Password)]
    current_password: String,
    /// The six digits that the app shows.
    #[schema(example = "123456")]
    code: Option<String>,
    /// A recovery code, instead of a code.
    recovery_code: Option<String>,
}

impl BothBody {
    fn check(self) -> Result<(Password, OneTimeCode), Problem> {
        let mut faults = Faults::default();
        let code = one_of(&mut faults, self.code, self.recovery_code);
        Ok((Password::new(self.current_password), faults.finish(code)?))
    }
}

/// Create ten new recovery codes.
///
/// The old ones become invalid.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/second-step/recovery-codes", operation_id = "replace_recovery_codes", tag = "second step", request_body = BothBody,
    security(("session" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 200, description = "The new codes. The old ones are invalid", body = RecoveryBody),
        (status = 403, description = "The password or the code is wrong. It counts as a wrong login", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The second step is not on", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "The account is locked. Nothing was verified", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn replace_recovery_codes(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    headers: HeaderMap,
    devices: Devices,
    Path(id): Path<Uuid>,
    Body(body): Body<BothBody>,
) -> Result<Response, Problem> {
    let owner = own(&api, &caller, arrival.at, &devices, id)?;
    let (current, code) = body.check()?;
    let (at, context, acting) = (arrival.at, arrival.of(caller.person()?), api.clone());
    let replaced =
        to_its_end(async move { acting.app.replace_recovery_codes(&context, owner, current, code).await });
    let (codes, position) = replaced.await?.map_err(|failure| Problem::of(failure, at))?;
    Ok(recovery(&api, &headers, codes, position.0))
}

/// Turn the second step off.
///
/// This requires the password and a code. The owner gets a mail.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/second-step/removal", operation_id = "disable_second_step", tag = "second step", request_body = BothBody,
    security(("session" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The second step is off"),
        (status = 403, description = "The password or the code is wrong. It counts as a wrong login", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The second step is not on", body = ProblemBody, content_type = "application/problem+json"),
        (status = 423, description = "The account is locked. Nothing was verified", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn disable(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    devices: Devices,
    Path(id): Path<Uuid>,
    Body(body): Body<BothBody>,
) -> Result<Done, Problem> {
    let owner = own(&api, &caller, arrival.at, &devices, id)?;
    let (current, code) = body.check()?;
    let (at, context) = (arrival.at, arrival.of(caller.person()?));
    carry_out(at, async move { api.app.disable_second_step(&context, owner, current, code).await }).await
}

/// Why a second step is reset, and how support checked the person's identity.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecondStepReset)]
pub(crate) struct ResetBody {
    #[schema(required = true, value_type = String, example = "Phone stolen")]
    reason: Option<String>,
    /// How support checked that the caller is the account's owner.
    #[schema(required = true, value_type = String, example = "Called back on the number on file; two invoices named")]
    identity_proof: Option<String>,
}

/// Turn off the second step of an owner who has lost their phone.
///
/// Only support can do this, after it has checked the person's identity: it requires the scope `second-step:reset`. The
/// owner gets a mail, and all sessions end. The password stays the same.
#[utoipa::path(
    post, path = "/v1/accounts/{account_id}/second-step/reset", operation_id = "reset_second_step", tag = "second step", request_body = ResetBody,
    security(("service" = [])), params(("account_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The second step is off"),
        (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The second step is not on", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A reason and a proof of identity are required", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn reset(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ResetBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::SecondStepReset)?;
    let mut faults = Faults::default();
    let because = faults.because_stated("/reason", body.reason);
    let proof = faults.proof_stated("/identity_proof", body.identity_proof);
    let because = faults.finish(Some(because))?.and(proof.text());
    let reason = because.text().to_owned();
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.reset_second_step(&context, AccountId(id), &reason).await }).await
}
