//! What support sees.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loquet_domain::diagnosis::{Answer, Hindrance, Remedy};
use loquet_domain::ids::AccountId;
use loquet_domain::lockout::LockEnd;
use loquet_projections::diagnosis::{CannotTell, Diagnosis, Evidence, Reason, diagnose};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Shared;
use super::answers::AtLeast;
use super::body::Faults;
use super::caller::Caller;
use super::conditional::Tagged;
use super::problem::Problem;
use super::query::Params;
use crate::service_tokens::Scope;

/// Whose login.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// The e-mail address that they log in with.
    email: String,
    /// Wait until the answer is at this position of the log.
    at_least: Option<u64>,
}

/// An event behind a reason.
#[derive(Serialize, ToSchema)]
#[schema(as = Evidence)]
pub(super) struct EvidenceBody {
    /// Where it stands in the log.
    event_position: u64,
    /// Which event.
    #[schema(example = "login-failed")]
    r#type: String,
    at: DateTime<Utc>,
    /// From where, unless erased.
    client_address: Option<String>,
    client_agent: Option<String>,
}

/// A reason, and the one action that mends it.
#[derive(Serialize, ToSchema)]
#[schema(as = LoginHindrance)]
pub(super) struct ReasonBody {
    /// `no_such_account`, `deleted`, `erased`, `not_activated`, `locked`, `locked_until_reset`, `awaiting_conversion`,
    /// `second_step_locked`, `second_step`, `wrong_guesses` or `locked_on_this_node`: guesses at an address that nobody
    /// gets in with are counted in the memory of each node.
    #[schema(example = "locked")]
    reason: &'static str,
    /// What else is known of it: until when, how many, whether a link still works.
    #[schema(value_type = Object)]
    details: Value,
    /// What mends it.
    remedy: RemedyBody,
    /// The events behind it, the newest first.
    evidence: Vec<EvidenceBody>,
}

/// An action, ready to run.
#[derive(Serialize, ToSchema)]
#[schema(as = Remedy)]
pub(super) struct RemedyBody {
    /// `check_address`, `create_account`, `resend_activation`, `release`, `convert`, `reset_second_step`,
    /// `send_reset`, or `none` where what mends the reason before it mends this one.
    #[schema(example = "release")]
    action: &'static str,
    /// The request that does it, where one does.
    #[schema(value_type = Option<Object>)]
    request: Option<Value>,
}

/// Why a person cannot log in now.
#[derive(Serialize, ToSchema)]
#[schema(as = Diagnosis)]
pub struct DiagnosisBody {
    account_id: Option<Uuid>,
    company_id: Option<Uuid>,
    /// What a login with the right password would be answered now: `refused`, `locked`, `awaiting_conversion`,
    /// `second_step` or `succeeded`.
    #[schema(example = "locked")]
    login_would_be: &'static str,
    /// What keeps them out; what must be mended first stands first. Empty where nothing does.
    reasons: Vec<ReasonBody>,
    /// What was mailed to them, the newest first.
    mails: Vec<EvidenceBody>,
    /// Who can admit a temporary administrator.
    administrators: Vec<Uuid>,
    /// The position of the log that the answer is at.
    position: u64,
}

fn evidence(told: Vec<Evidence>) -> Vec<EvidenceBody> {
    let body = |event: Evidence| {
        let client = event.client.unwrap_or_default();
        EvidenceBody {
            event_position: event.position.0,
            r#type: event.name,
            at: event.at,
            client_address: client.address,
            client_agent: client.agent,
        }
    };
    told.into_iter().map(body).collect()
}

fn reason(account: Option<AccountId>, email: &str, reason: Reason) -> ReasonBody {
    let (name, details) = match reason.hindrance {
        Hindrance::NoSuchAccount => ("no_such_account", json!({})),
        Hindrance::Deleted => ("deleted", json!({})),
        Hindrance::Erased => ("erased", json!({})),
        Hindrance::NotActivated { link_expires_at, link_expired } => {
            ("not_activated", json!({ "link_expires_at": link_expires_at, "link_expired": link_expired }))
        }
        Hindrance::Locked { since, until: LockEnd::At(until) } => {
            ("locked", json!({ "since": since, "until": until }))
        }
        Hindrance::Locked { since, until: LockEnd::AtReset } => {
            ("locked_until_reset", json!({ "since": since }))
        }
        Hindrance::AwaitingConversion => ("awaiting_conversion", json!({})),
        Hindrance::StrangersLocked { until } => ("locked_on_this_node", json!({ "until": until.moment() })),
        Hindrance::SecondStepLocked { until } => ("second_step_locked", json!({ "until": until.moment() })),
        Hindrance::SecondStep { recovery_codes_left } => {
            ("second_step", json!({ "recovery_codes_left": recovery_codes_left }))
        }
        Hindrance::WrongGuesses { failures, last } => {
            ("wrong_guesses", json!({ "failures": failures, "last": last }))
        }
    };
    let remedy = remedy(account, email, reason.hindrance.remedy());
    ReasonBody { reason: name, details, remedy, evidence: evidence(reason.evidence) }
}

fn remedy(account: Option<AccountId>, email: &str, remedy: Remedy) -> RemedyBody {
    let known = account.is_some();
    let account = account.map(|account| account.to_string()).unwrap_or_default();
    let post = |path: &str, body: Value| {
        Some(json!({ "method": "POST", "path": format!("/v1/accounts/{account}/{path}"), "body": body }))
    };
    let why = "…";
    let (action, request) = match remedy {
        Remedy::CheckAddress => ("check_address", None),
        Remedy::CreateAccount => ("create_account", None),
        Remedy::ResendActivation => ("resend_activation", post("activation-mail", json!({ "reason": why }))),
        Remedy::Release => ("release", post("release", json!({ "reason": why }))),
        Remedy::Convert => ("convert", post("conversion", json!({ "to": "user", "reason": why }))),
        Remedy::ResetSecondStep => {
            ("reset_second_step", post("second-step/reset", json!({ "reason": why, "identity_proof": why })))
        }
        Remedy::SendReset if known => ("send_reset", post("password-reset-mail", json!({ "reason": why }))),
        Remedy::SendReset => {
            let request =
                json!({ "method": "POST", "path": "/v1/password-resets", "body": { "email": email } });
            ("send_reset", Some(request))
        }
        Remedy::Nothing => ("none", None),
    };
    RemedyBody { action, request }
}

impl DiagnosisBody {
    /// A diagnosis as it is shown.
    #[must_use]
    pub fn of(email: &str, told: Diagnosis, position: u64) -> Self {
        let account = told.account;
        Self {
            account_id: account.map(|account| account.0),
            company_id: told.company.map(|company| company.0),
            login_would_be: match told.answer {
                Answer::Refused => "refused",
                Answer::Locked { .. } => "locked",
                Answer::AwaitingConversion => "awaiting_conversion",
                Answer::SecondStep => "second_step",
                Answer::Succeeded => "succeeded",
            },
            reasons: told.reasons.into_iter().map(|one| reason(account, email, one)).collect(),
            mails: evidence(told.mails),
            administrators: told.administrators.into_iter().map(|account| account.0).collect(),
            position,
        }
    }
}

/// Why this person cannot log in now, the events behind it, what was mailed to them and what became of it, and the one
/// action that mends it. For programs with `support:read`. Support never sees a secret.
#[utoipa::path(
    get, path = "/v1/support/diagnosis", operation_id = "diagnose_login", tag = "support", params(Whose), security(("service" = [])),
    responses(
        (status = 200, description = "What a login would be answered, and why", body = DiagnosisBody),
        (status = 422, description = "This is no e-mail address", body = super::problem::ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn diagnosis(
    State(api): Shared,
    caller: Caller,
    Params(whose): Params<Whose>,
) -> Result<Tagged<DiagnosisBody>, Problem> {
    caller.service(Scope::SupportRead)?;
    let mut faults = Faults::default();
    let email = faults.email("?email", &whose.email);
    let email = faults.finish(email)?;
    let at_least = AtLeast { at_least: whose.at_least };
    let position = api.log_at(at_least.position()).await?;
    let told = diagnose(&api.app, &api.store, api.codec.as_ref(), &email, (api.clock)()).await;
    let told = told.map_err(|why| match why {
        CannotTell::Unavailable(why) => Problem::from(why),
        CannotTell::Unreadable(why) => Problem::from(why),
    })?;
    Ok(Tagged(DiagnosisBody::of(email.as_str(), told, position.0)))
}
