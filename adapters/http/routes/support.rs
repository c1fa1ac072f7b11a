//! The login diagnosis, for support.

use axum::extract::State;
use chrono::{DateTime, Utc};
use loquet_domain::account::diagnosis::{Administrators, Answer, LoginBlocker, Remedy};
use loquet_domain::ids::AccountId;
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::values::person::Person;
use loquet_projections::diagnosis::{
    CannotTell, DeviceDiagnosis, Diagnosis, Evidence, Reason, Sources, WhomToAsk, diagnose,
};
use loquet_projections::mail::{Delivery, MailHelp, MailKind, MailStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// The person whose login is diagnosed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// The e-mail address with which the person logs in.
    email: String,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// An event behind a reason.
#[derive(Serialize, ToSchema)]
#[schema(as = Evidence)]
pub(super) struct EvidenceBody {
    /// The position of the event in the log.
    event_position: u64,
    /// The type of event.
    #[schema(example = "login-failed")]
    r#type: String,
    at: DateTime<Utc>,
    /// The client's address. Absent if the person was erased.
    client_address: Option<String>,
    client_agent: Option<String>,
}

/// A reason, and the one action that helps.
#[derive(Serialize, ToSchema)]
#[schema(as = LoginHindrance)]
pub(super) struct ReasonBody {
    /// `no_such_account`, `deleted`, `erased`, `not_activated`, `locked`, `locked_until_reset`, `device_locked`,
    /// `device_locked_until_reset`, `awaiting_conversion`, `second_step`, `wrong_guesses`, `device_wrong_guesses`,
    /// `mail_not_delivered` (the mail with the link that they need) or `locked_on_this_node`. The last one counts
    /// guesses at an address without an active account; each node counts them in memory.
    #[schema(example = "locked")]
    reason: &'static str,
    /// Further facts, such as an end, a count, or whether a link is still valid.
    #[schema(value_type = Object)]
    details: Value,
    /// The action that helps.
    remedy: RemedyBody,
    /// The events behind it, the newest first.
    evidence: Vec<EvidenceBody>,
}

/// An action, ready to run.
#[derive(Serialize, ToSchema)]
#[schema(as = Remedy)]
pub(super) struct RemedyBody {
    /// `check_address`, `create_account`, `resend_activation`, `release`, `convert`, `reset_second_step`,
    /// `enter_code` (the person enters a code of their app or a recovery code), `send_reset`, or `none` if the remedy
    /// for the reason before it helps here too. For a mail, also the values of `what_helps` of a delivery.
    #[schema(example = "release")]
    action: &'static str,
    /// The request for this action. Absent if the action is not a request.
    #[schema(value_type = Option<Object>)]
    request: Option<Value>,
}

/// Why a person cannot log in now.
#[derive(Serialize, ToSchema)]
#[schema(as = Diagnosis)]
pub struct DiagnosisBody {
    account_id: Option<Uuid>,
    company_id: Option<Uuid>,
    /// Whether the company has an administrator. With `false`, somebody must become one. Absent if there is no account.
    company_has_administrator: Option<bool>,
    /// The result of a login with the right password now, from a browser that is new to the account: `refused`,
    /// `locked`, `awaiting_conversion`, `second_step` or `succeeded`.
    #[schema(example = "locked")]
    login_would_be: &'static str,
    /// What prevents the person from logging in, or may prevent it. The reason to solve first comes first. Empty if
    /// nothing prevents it.
    reasons: Vec<ReasonBody>,
    /// The account's trusted devices, the newest first, each with the result of a login from it now.
    devices: Vec<DeviceDiagnosisBody>,
    /// The mails to the person that were sent or given up, the newest first: events `mail-sent` and `mail-given-up`.
    mails: Vec<EvidenceBody>,
    /// The delivery status of the newest mails to them, the newest first. Absent from `loquet diagnose` if no server
    /// has run in its data directory.
    deliveries: Option<Vec<DeliveryBody>>,
    /// The accounts that can admit a temporary administrator.
    administrators: Vec<Uuid>,
    /// The same people, by name and masked address.
    whom_to_ask: Vec<WhomToAskBody>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// A trusted device, and what prevents a login from it.
#[derive(Serialize, ToSchema)]
#[schema(as = DeviceDiagnosis)]
pub(super) struct DeviceDiagnosisBody {
    device_id: Uuid,
    trusted_since: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
    /// The number of wrong logins in a row from this device that count now.
    failures: u32,
    /// The end of the device's lockout. Absent if it is not locked, or if only a new password or support unlocks it.
    locked_until: Option<DateTime<Utc>>,
    /// Until when the device's codes of the second step are not accepted.
    codes_locked_until: Option<DateTime<Utc>>,
    /// Whether only a new password or support ends the device's lockout for passwords.
    locked_until_reset: bool,
    /// Whether only a new password or support ends the device's lockout for codes.
    codes_locked_until_reset: bool,
    /// The same as `login_would_be` of the diagnosis, for a login from this device.
    #[schema(example = "succeeded")]
    login_would_be: &'static str,
    client_address: Option<String>,
    client_agent: Option<String>,
}

/// A person to ask.
#[derive(Serialize, ToSchema)]
#[schema(as = WhomToAsk)]
pub(super) struct WhomToAskBody {
    account_id: Uuid,
    /// Absent if the person was erased.
    #[schema(example = "Marie Dupont")]
    name: Option<String>,
    /// The address with most of its name masked.
    #[schema(example = "m***@boulangerie.example")]
    email: Option<String>,
}

fn device(told: DeviceDiagnosis) -> DeviceDiagnosisBody {
    let (device, at_moment) = (told.device, |end: LockEnd| end.moment());
    let client = device.client.unwrap_or_default();
    DeviceDiagnosisBody {
        device_id: device.id.0,
        trusted_since: device.since,
        last_login_at: device.last_login_at,
        failures: told.failures,
        locked_until: told.locked_until.and_then(at_moment),
        locked_until_reset: told.locked_until == Some(LockEnd::AtReset),
        codes_locked_until: told.codes_locked_until.and_then(at_moment),
        codes_locked_until_reset: told.codes_locked_until == Some(LockEnd::AtReset),
        login_would_be: would_be(told.answer),
        client_address: client.address,
        client_agent: client.agent,
    }
}

/// The delivery status of a mail.
#[derive(Serialize, ToSchema)]
#[schema(as = MailDelivery)]
pub(super) struct DeliveryBody {
    mail_id: Uuid,
    /// The kind of mail.
    #[schema(value_type = String, example = "activation")]
    kind: MailKind,
    queued_at: DateTime<Utc>,
    /// The number of attempts to send it.
    tries: u32,
    tried_at: Option<DateTime<Utc>>,
    /// `waiting`, `sending`, `held` (no mail can be sent since `at`), `deferred` (until `at`), `sent`, `given_up` or
    /// `void` (it was out of date, and was not sent). The last three happened at `at`.
    #[schema(example = "deferred")]
    state: &'static str,
    at: Option<DateTime<Utc>>,
    /// The stage of the SMTP conversation at which the mail server answered, such as `recipient`.
    stage: Option<&'static str>,
    /// The mail server's reply code (RFC 5321).
    #[schema(example = 451)]
    code: Option<u16>,
    /// The mail server's enhanced status code (RFC 3463).
    #[schema(example = "4.7.1")]
    enhanced_code: Option<String>,
    /// The reason in words. They name no person.
    why: Option<String>,
    /// The actions that help, in order: `wait`, `look_for_it` (in the spam folder too), `correct_address`,
    /// `ask_their_provider`, `tell_operator` or `send_again`.
    #[schema(example = json!(["wait"]))]
    what_helps: Vec<&'static str>,
}

fn delivery(mail: &MailStatus) -> DeliveryBody {
    let (state, at) = match mail.delivery {
        Delivery::Waiting => ("waiting", None),
        Delivery::Sending => ("sending", None),
        Delivery::Held { since } => ("held", Some(since)),
        Delivery::Deferred { until } => ("deferred", Some(until)),
        Delivery::Sent { at } => ("sent", Some(at)),
        Delivery::GivenUp { at } => ("given_up", Some(at)),
        Delivery::Void { at } => ("void", Some(at)),
    };
    let verdict = mail.trouble.as_ref().and_then(|trouble| trouble.verdict);
    DeliveryBody {
        mail_id: mail.mail,
        kind: mail.kind,
        queued_at: mail.queued_at,
        tries: mail.tries,
        tried_at: mail.tried_at,
        state,
        at,
        stage: verdict.map(|verdict| verdict.stage.name()),
        code: verdict.and_then(|verdict| verdict.code()),
        enhanced_code: verdict.and_then(|verdict| verdict.enhanced()).map(|code| code.to_string()),
        why: mail.trouble.as_ref().map(|trouble| trouble.why.clone()),
        what_helps: mail.what_helps().into_iter().map(helps).collect(),
    }
}

fn helps(help: MailHelp) -> &'static str {
    match help {
        MailHelp::Wait => "wait",
        MailHelp::LookForIt => "look_for_it",
        MailHelp::CorrectAddress => "correct_address",
        MailHelp::AskTheirProvider => "ask_their_provider",
        MailHelp::TellOperator => "tell_operator",
        MailHelp::SendAgain => "send_again",
    }
}

/// The mail that they wait for has not been delivered.
fn not_delivered(account: Option<AccountId>, email: &str, mail: &MailStatus) -> ReasonBody {
    let remedy = match mail.what_helps().first() {
        Some(MailHelp::SendAgain) if mail.kind == MailKind::Activation => {
            remedy(account, email, Remedy::ResendActivation)
        }
        Some(MailHelp::SendAgain) => remedy(account, email, Remedy::SendReset),
        other => RemedyBody { action: other.map_or("none", |help| helps(*help)), request: None },
    };
    let details = serde_json::to_value(delivery(mail)).unwrap_or_default();
    ReasonBody { reason: "mail_not_delivered", details, remedy, evidence: Vec::new() }
}

fn whom_to_ask(told: WhomToAsk) -> WhomToAskBody {
    let name = |person: &Person| format!("{} {}", person.given_name.as_str(), person.family_name.as_str());
    WhomToAskBody {
        account_id: told.account.0,
        name: told.person.as_ref().map(name),
        email: told.person.as_ref().map(|person| person.email.masked()),
    }
}

fn would_be(answer: Answer) -> &'static str {
    match answer {
        Answer::Refused => "refused",
        Answer::Locked { .. } => "locked",
        Answer::AwaitingConversion => "awaiting_conversion",
        Answer::SecondStep => "second_step",
        Answer::Succeeded => "succeeded",
    }
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
    let (name, details) = match reason.blocker {
        LoginBlocker::NoSuchAccount => ("no_such_account", json!({})),
        LoginBlocker::Deleted => ("deleted", json!({})),
        LoginBlocker::Erased => ("erased", json!({})),
        LoginBlocker::NotActivated { link_expires_at, link_expired } => {
            ("not_activated", json!({ "link_expires_at": link_expires_at, "link_expired": link_expired }))
        }
        LoginBlocker::Locked { since, until: LockEnd::At(until) } => {
            ("locked", json!({ "since": since, "until": until }))
        }
        LoginBlocker::Locked { since, until: LockEnd::AtReset } => {
            ("locked_until_reset", json!({ "since": since }))
        }
        LoginBlocker::DeviceLocked { device, until: LockEnd::At(until) } => {
            ("device_locked", json!({ "device_id": device, "until": until }))
        }
        LoginBlocker::DeviceLocked { device, until: LockEnd::AtReset } => {
            ("device_locked_until_reset", json!({ "device_id": device }))
        }
        LoginBlocker::AwaitingConversion => ("awaiting_conversion", json!({})),
        LoginBlocker::AnonymousLocked { until } => {
            ("locked_on_this_node", json!({ "until": until.moment() }))
        }
        LoginBlocker::SecondStep { recovery_codes_left, wrong_codes, asked_at } => {
            let details = json!({ "recovery_codes_left": recovery_codes_left, "wrong_codes": wrong_codes, "asked_at": asked_at });
            ("second_step", details)
        }
        LoginBlocker::WrongGuesses { failures, wrong_codes, last } => {
            ("wrong_guesses", json!({ "failures": failures, "wrong_codes": wrong_codes, "last": last }))
        }
        LoginBlocker::DeviceWrongGuesses { device, failures, wrong_codes } => {
            let details = json!({ "device_id": device, "failures": failures, "wrong_codes": wrong_codes });
            ("device_wrong_guesses", details)
        }
    };
    let remedy = remedy(account, email, reason.remedy);
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
        Remedy::CreateAccount { role } => {
            let create =
                json!({ "method": "POST", "path": "/v1/accounts", "body": { "role": role, "reason": why } });
            ("create_account", Some(create))
        }
        Remedy::ResendActivation => ("resend_activation", post("activation-mail", json!({ "reason": why }))),
        Remedy::Release => ("release", post("release", json!({ "reason": why }))),
        Remedy::Convert { to } => ("convert", post("conversion", json!({ "to": to, "reason": why }))),
        Remedy::EnterCode => ("enter_code", None),
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
            company_has_administrator: told.administrators.map(|has| has == Administrators::Present),
            login_would_be: would_be(told.answer),
            reasons: {
                let awaited = told.awaited.as_ref().map(|mail| not_delivered(account, email, mail));
                told.reasons.into_iter().map(|one| reason(account, email, one)).chain(awaited).collect()
            },
            devices: told.devices.into_iter().map(device).collect(),
            mails: evidence(told.mails),
            deliveries: told.deliveries.map(|mails| mails.iter().map(delivery).collect()),
            administrators: told.whom_to_ask.iter().map(|whom| whom.account.0).collect(),
            whom_to_ask: told.whom_to_ask.into_iter().map(whom_to_ask).collect(),
            position,
        }
    }
}

/// Explain why a person cannot log in now: the reasons, the events behind them, the one action that helps, and the
/// mails to the person with their delivery status.
///
/// The answer contains no secret. Requires the scope `support:read`.
#[utoipa::path(
    get, path = "/v1/support/diagnosis", operation_id = "diagnose_login", tag = "support", params(Whose), security(("service" = [])),
    responses(
        (status = 200, description = "The result of a login, and the reasons", body = DiagnosisBody),
        (status = 422, description = "This is not an e-mail address", body = ProblemBody, content_type = "application/problem+json")
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
    let sources = Sources {
        app: &api.app,
        store: api.store.as_ref(),
        codec: api.codec.as_ref(),
        // The queue knows the present alone.
        mails: match api.history.as_of {
            None => Some(api.mails.as_ref()),
            Some(_) => None,
        },
    };
    let told = diagnose(sources, &email, (api.clock)()).await;
    let told = told.map_err(|why| match why {
        CannotTell::Unavailable(why) => Problem::from(why),
        CannotTell::Unreadable(why) => Problem::from(why),
        CannotTell::Mails(why) => Problem::from(why),
    })?;
    Ok(Tagged(DiagnosisBody::of(email.as_str(), told, position.0)))
}
