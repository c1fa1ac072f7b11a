//! Errors as RFC 9457 problems.

use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use loquet_domain::Moment;
use loquet_domain::account::Refusal;
use loquet_domain::app::{Failure, LinkRefused, ReceiptRefused, Unavailable};
use loquet_domain::ids::SiteId;
use loquet_domain::policies::lockout::LockEnd;
use loquet_domain::policies::password_policy::PasswordRule;
use loquet_domain::ports::{AppendError, ReadError};
use loquet_domain::{access, company, takeover, terminals};
use loquet_http_ports::dead_letters::DeadLettersUnreadable;
use loquet_http_ports::exports::{ArchiveUnreadable, NotBegun};
use loquet_http_ports::log_proof::ProofUnreadable;
use loquet_http_ports::scope::Scope;
use loquet_projections::causes::Causes;
use loquet_projections::people::Unreadable;
use loquet_projections::ports::StoreFailed;
use loquet_projections::runner::NotThere;
use loquet_projections::what_if::CannotJudge;
use serde::Serialize;
use utoipa::ToSchema;

/// The header that says which limit is used up.
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// A problem, before it is translated into the reader's language.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// The last part of its type, which is also the name of its texts.
    pub(crate) slug: &'static str,
    /// The values of the sentence's variables.
    pub(crate) places: Vec<(&'static str, String)>,
    /// Every broken rule.
    pub(crate) faults: Vec<Fault>,
    /// The number of seconds after which to try again.
    pub(crate) retry_after: Option<i64>,
    /// The limit that is used up.
    pub(crate) limit: Option<&'static str>,
    /// The end of a lockout.
    pub(crate) locked_until: Option<DateTime<Utc>>,
}

/// One broken rule of the body.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The field, as a JSON pointer (RFC 6901).
    pub(crate) pointer: String,
    /// The name of the rule, which is also the name of its message.
    pub(crate) rule: &'static str,
    /// The values of the sentence's variables.
    pub(crate) places: Vec<(&'static str, String)>,
}

/// An error, as RFC 9457 writes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// The kind of problem. It never changes between versions.
    #[schema(example = "urn:loquet:problem:locked")]
    pub(crate) r#type: String,
    /// The problem in a few words, in the reader's language.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// An explanation, and what to do, in the reader's language.
    pub(crate) detail: String,
    /// The id of the request: the same as in `X-Request-Id`, in the program's log and in events.
    #[schema(example = "urn:uuid:0198c0de-0000-4000-8000-000000000000")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<String>,
    /// Every rule that the request breaks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FaultBody>,
    /// The end of the lockout. Absent if only a new password or support ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) locked_until: Option<DateTime<Utc>>,
}

/// One broken rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BrokenRule)]
pub(crate) struct FaultBody {
    /// The field: a JSON pointer into the body (RFC 6901), `?name` for a query parameter, or `{name}` for a part of
    /// the path.
    #[schema(example = "/contact/email")]
    pub(crate) pointer: String,
    /// The rule. Its name never changes between versions.
    #[schema(example = "email-malformed")]
    pub(crate) rule: String,
    /// The rule in words, in the reader's language.
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, slug: &'static str) -> Self {
        let (places, faults) = (Vec::new(), Vec::new());
        Self { status, slug, places, faults, retry_after: None, limit: None, locked_until: None }
    }

    pub(crate) fn with(mut self, place: &'static str, text: impl ToString) -> Self {
        self.places.push((place, text.to_string()));
        self
    }

    /// The body breaks these rules.
    pub(crate) fn invalid(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid") }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden")
    }

    /// The token lacks this scope (RFC 6750, 3.1).
    pub(crate) fn scope_missing(scope: Scope) -> Self {
        Self::new(StatusCode::FORBIDDEN, "scope-missing").with("scope", scope.name())
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated")
    }

    /// The one answer to every refused login whose reason an anonymous caller may not learn (law 11).
    pub(crate) fn wrong_credentials() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "wrong-credentials")
    }

    /// A lockout. A lockout that only a reset ends has no end time to name.
    pub(crate) fn locked(until: LockEnd, now: Moment) -> Self {
        let Some(until) = until.moment() else {
            return Self::new(StatusCode::LOCKED, "locked-until-reset");
        };
        let seconds = (until - now).num_milliseconds().max(0);
        let seconds = seconds.saturating_add(999) / 1000;
        Self {
            retry_after: Some(seconds),
            locked_until: Some(until),
            ..Self::new(StatusCode::LOCKED, "locked")
        }
    }

    /// The limit of activation mails in one hour is reached.
    pub(crate) fn enough_mails(later: Moment, now: Moment) -> Self {
        let wait = (later - now).num_milliseconds().max(0).saturating_add(999) / 1000;
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "enough-activation-mails");
        Self { retry_after: Some(wait), ..problem.with("minutes", wait.saturating_add(59) / 60) }
    }

    pub(crate) fn unavailable(slug: &'static str, why: impl ToString) -> Self {
        tracing::error!(why = %why.to_string(), slug, "a request could not be served");
        Self { retry_after: Some(2), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, slug) }
    }

    /// The problem for a failure of a use case. Some problems name a time that is counted from `now`.
    pub(crate) fn of(failure: Failure, now: Moment) -> Self {
        let conflict = |slug| Self::new(StatusCode::CONFLICT, slug);
        match failure {
            Failure::Refused(Refusal::Locked { until }) => Self::locked(until, now),
            Failure::Refused(Refusal::NoSuchAccount | Refusal::NoSuchSession | Refusal::NoSuchDevice) => {
                Self::not_found()
            }
            Failure::Refused(Refusal::EnoughActivationMails { again_at }) => {
                Self::enough_mails(again_at, now)
            }
            Failure::Refused(Refusal::NotActive) => conflict("not-active"),
            Failure::Refused(Refusal::AlreadyActive) => conflict("already-active"),
            Failure::Refused(Refusal::NotTemporary) => conflict("not-temporary"),
            Failure::Refused(Refusal::OfStaff) => conflict("of-staff"),
            Failure::Refused(Refusal::NotLocked) => conflict("not-locked"),
            Failure::Refused(Refusal::AlreadyExists) | Failure::EmailTaken => conflict("email-taken"),
            Failure::Refused(Refusal::LinkVoid) | Failure::Link(LinkRefused::Used) => {
                Self::new(StatusCode::GONE, "link-used")
            }
            Failure::Refused(Refusal::LinkExpired) | Failure::Link(LinkRefused::Expired) => {
                Self::new(StatusCode::GONE, "link-expired")
            }
            Failure::Link(LinkRefused::Invalid) => Self::new(StatusCode::BAD_REQUEST, "link-invalid"),
            Failure::Refused(Refusal::StaleProof) => Self::unavailable("busy", "a proof went stale"),
            // A route whose request names it in a field says in which one; otherwise the path names it.
            Failure::NoSuchCompany(_) | Failure::NoSuchMember(_) => Self::not_found(),
            Failure::WeakPassword(rules) => Self::weak_password("/password", &rules),
            Failure::WrongCode => Self::new(StatusCode::FORBIDDEN, "wrong-code"),
            Failure::Refused(Refusal::ChallengeVoid) => Self::challenge_void(),
            Failure::Refused(Refusal::SecondStepOn) => conflict("second-step-on"),
            Failure::Refused(Refusal::NoSecondStep) => conflict("no-second-step"),
            Failure::Refused(Refusal::NoProposal) => conflict("no-proposal"),
            Failure::WrongPassword => Self::new(StatusCode::FORBIDDEN, "wrong-password"),
            Failure::Order(loquet_domain::order::Refusal::Differs) => conflict("order-differs"),
            Failure::Order(loquet_domain::order::Refusal::NoSuchOrder) => Self::not_found(),
            Failure::Order(loquet_domain::order::Refusal::CompanyErased) => conflict("order-company-erased"),
            Failure::Order(loquet_domain::order::Refusal::NotAwaiting) => conflict("order-not-waiting"),
            Failure::Order(loquet_domain::order::Refusal::Resolved) => conflict("order-resolved"),
            Failure::Refused(Refusal::AwaitingConversion) => conflict("awaits-conversion"),
            Failure::NotAUser => conflict("not-a-user"),
            Failure::SerialTaken => conflict("serial-taken"),
            Failure::Receipt(ReceiptRefused::ContactSupport) => Self::contact_support(),
            Failure::Receipt(ReceiptRefused::NoTerminal) => conflict("no-terminal"),
            Failure::Company(refusal) => Self::of_company(refusal),
            Failure::Terminals(refusal) => Self::of_terminals(refusal),
            Failure::Access(refusal) => Self::of_access(refusal),
            Failure::TakeOver(refusal) => Self::of_take_over(refusal),
            Failure::Unavailable(unavailable) => unavailable.into(),
        }
    }

    /// A challenge that is expired, void or forged. All get the same answer.
    pub(crate) fn challenge_void() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "challenge-void")
    }

    /// The caller must contact support.
    pub(crate) fn contact_support() -> Self {
        Self::new(StatusCode::CONFLICT, "contact-support")
    }

    /// One field breaks a rule. `pointer` is a JSON pointer into the body (RFC 6901), or `?name` for a parameter.
    pub(crate) fn at(pointer: impl Into<String>, rule: &'static str) -> Self {
        Self::invalid(vec![Fault { pointer: pointer.into(), rule, places: Vec::new() }])
    }

    /// A field names a site that the company does not have. `pointer` is as in [`Problem::at`].
    pub(crate) fn site_unknown(pointer: impl Into<String>, site: SiteId) -> Self {
        Self::at(pointer, "site-unknown").with("site", site)
    }

    /// A refusal about a field of the request, of which its route should have said the name.
    fn of_some_field(refusal: impl ToString) -> Self {
        Self::unavailable("internal", refusal)
    }

    pub(crate) fn of_company(refusal: company::Refusal) -> Self {
        match refusal {
            company::Refusal::NoSuchCompany | company::Refusal::NoSuchSite(_) => Self::not_found(),
            company::Refusal::AddressInUse(site) => {
                Self::new(StatusCode::CONFLICT, "address-in-use").with("site", site)
            }
            company::Refusal::SiteNameTaken(site) => {
                Self::new(StatusCode::CONFLICT, "site-name-taken").with("site", site)
            }
            company::Refusal::NumberTaken(company) => {
                Self::new(StatusCode::CONFLICT, "enterprise-number-taken").with("company", company)
            }
            company::Refusal::SitePromised(_) => Self::new(StatusCode::CONFLICT, "takeover-overlaps"),
            company::Refusal::InUse(by) => {
                let slug = match by {
                    company::InUse::Terminals => "company-has-terminals",
                    company::InUse::Accounts => "company-has-accounts",
                    company::InUse::TakeOver => "company-in-takeover",
                };
                Self::new(StatusCode::CONFLICT, slug)
            }
        }
    }

    fn of_terminals(refusal: terminals::Refusal) -> Self {
        match refusal {
            terminals::Refusal::NoSuchTerminal(_) => Self::not_found(),
            // A take-over carries the site away at this moment. Afterwards the order opens another one.
            terminals::Refusal::SiteGone(_) | terminals::Refusal::TerminalGone(_) => {
                Self::unavailable("busy", refusal)
            }
            terminals::Refusal::Twice(_) => Self::of_some_field(refusal),
            terminals::Refusal::OtherSerial => Self::new(StatusCode::CONFLICT, "terminal-has-serial"),
        }
    }

    fn of_access(refusal: access::Refusal) -> Self {
        let conflict = |slug| Self::new(StatusCode::CONFLICT, slug);
        match refusal {
            access::Refusal::NoSuchGroup(_) | access::Refusal::NotMember => Self::not_found(),
            access::Refusal::NameTaken => conflict("group-name-taken"),
            access::Refusal::HasMembers(members) => conflict("group-has-members").with("members", members),
            access::Refusal::SameGroup => Self::of_some_field(refusal),
            access::Refusal::Beyond(permission) => {
                Self::new(StatusCode::FORBIDDEN, "beyond-own-permissions").with("permission", permission)
            }
            access::Refusal::LastAdministrator => conflict("last-administrator"),
            access::Refusal::Leaving => conflict("account-leaving"),
            access::Refusal::TooManyGroups => conflict("too-many-groups").with("most", access::MOST_GROUPS),
        }
    }

    fn of_take_over(refusal: takeover::Refusal) -> Self {
        let conflict = |slug| Self::new(StatusCode::CONFLICT, slug);
        match refusal {
            takeover::Refusal::NoSuchTakeOver => Self::not_found(),
            takeover::Refusal::SameCompany | takeover::Refusal::Nothing => Self::of_some_field(refusal),
            takeover::Refusal::Circular => conflict("takeover-circular"),
            takeover::Refusal::NotConfirmed(_) => conflict("takeover-waits"),
            takeover::Refusal::Completed => conflict("takeover-completed"),
            takeover::Refusal::Cancelled => conflict("takeover-cancelled"),
            takeover::Refusal::AlreadyOpened => conflict("takeover-completed"),
        }
    }

    pub(crate) fn weak_password(pointer: &str, rules: &[PasswordRule]) -> Self {
        let fault = |rule: &PasswordRule| {
            let (rule, places) = match rule {
                PasswordRule::TooShort(least) => {
                    ("password-too-short", vec![("characters", least.to_string())])
                }
                PasswordRule::TooLong(most) => ("password-too-long", vec![("characters", most.to_string())]),
                PasswordRule::UpperCase => ("password-upper-case", Vec::new()),
                PasswordRule::LowerCase => ("password-lower-case", Vec::new()),
                PasswordRule::Digit => ("password-digit", Vec::new()),
                PasswordRule::Special => ("password-special", Vec::new()),
                PasswordRule::Letter => ("password-letter", Vec::new()),
                PasswordRule::Common => ("password-common", Vec::new()),
                PasswordRule::Context => ("password-context", Vec::new()),
                PasswordRule::Reused(last) => ("password-reused", vec![("passwords", last.to_string())]),
            };
            Fault { pointer: pointer.to_owned(), rule, places }
        };
        Self::invalid(rules.iter().map(fault).collect())
    }
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::Busy(_) => Self { retry_after: Some(1), ..Self::unavailable("busy", unavailable) },
            Unavailable::Append(AppendError::Conflict { .. }) => Self::unavailable("busy", unavailable),
            Unavailable::Append(AppendError::Unknown(_)) => Self::unavailable("fate-unknown", unavailable),
            Unavailable::Append(_)
            | Unavailable::Read(_)
            | Unavailable::Blocklist(_)
            | Unavailable::Guesses(_)
            | Unavailable::SessionUses(_) => Self::unavailable("store-unavailable", unavailable),
            Unavailable::Codec(loquet_domain::ports::CodecError::Erased(_)) => Self::not_found(),
            Unavailable::Codec(_) => Self::unavailable("store-unavailable", unavailable),
        }
    }
}

impl From<StoreFailed> for Problem {
    fn from(error: StoreFailed) -> Self {
        Self::unavailable("store-unavailable", Causes(&error))
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::unavailable("store-unavailable", error)
    }
}

impl From<ProofUnreadable> for Problem {
    fn from(error: ProofUnreadable) -> Self {
        Self::unavailable("store-unavailable", error)
    }
}

impl From<NotBegun> for Problem {
    fn from(error: NotBegun) -> Self {
        match error {
            NotBegun::TooMany(under_way) => {
                let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-exports");
                Self { retry_after: Some(30), ..problem.with("most", under_way) }
            }
            NotBegun::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

impl From<DeadLettersUnreadable> for Problem {
    fn from(error: DeadLettersUnreadable) -> Self {
        Self::unavailable("store-unavailable", error)
    }
}

impl From<ArchiveUnreadable> for Problem {
    fn from(error: ArchiveUnreadable) -> Self {
        Self::unavailable("store-unavailable", error)
    }
}

impl From<CannotJudge> for Problem {
    fn from(error: CannotJudge) -> Self {
        Self::unavailable("store-unavailable", error)
    }
}

impl From<Unreadable> for Problem {
    fn from(error: Unreadable) -> Self {
        Self::unavailable("store-unavailable", error)
    }
}

impl From<NotThere> for Problem {
    /// A position that the log has not reached is the caller's fault, and is not logged as an error.
    fn from(error: NotThere) -> Self {
        match error {
            NotThere::Stopped(_) => Self::unavailable("view-behind", error),
            NotThere::Behind(_) => {
                Self { retry_after: Some(2), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "view-behind") }
            }
        }
    }
}

/// The problem travels beside an empty response; [`super::localize`] writes it out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // The header that the IETF draft "RateLimit header fields for HTTP" describes: nothing remains of this limit, and
        // so many seconds must pass.
        if let (Some(limit), Some(seconds)) = (self.limit, self.retry_after)
            && let Ok(used_up) = HeaderValue::try_from(format!("\"{limit}\";r=0;t={seconds}"))
        {
            response.headers_mut().insert(RATE_LIMIT, used_up);
        }
        if self.slug == "content-coding" {
            // Tells the client which codings are accepted (RFC 9110, 12.5.3).
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.slug == "scope-missing"
            && let Some((_, scope)) = self.places.first()
            && let Ok(needed) =
                HeaderValue::try_from(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, needed);
        }
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) async fn no_such_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no-such-route").with("path", uri.path())
}

pub(crate) async fn no_such_method(method: Method, uri: Uri) -> Problem {
    // Sites can't be created by hand. The answer says what opens one.
    let slug = match (method, uri.path()) {
        (Method::POST, "/v1/sites") => "sites-open-themselves",
        _ => "no-such-method",
    };
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, slug)
}

/// A bug. The log line leaves out the message of the panic, which may contain personal data.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::unavailable("internal", "a handler panicked").into_response()
}
