//! Take-overs: support opens, completes and cancels them; both companies agree to them.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::Moment;
use loquet_domain::account::Role;
use loquet_domain::app::{Failure, NewTakeOver};
use loquet_domain::company;
use loquet_domain::ids::{AccountId, CompanyId, SiteId, TakeOverId};
use loquet_domain::ports::Position;
use loquet_domain::takeover::{self, Cancellation, Side};
use loquet_projections::table::{Row, RowQuery, select};
use loquet_projections::views::accounts::{AccountRow, live_accounts};
use loquet_projections::views::takeovers::TakeOverRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::{Arrival, Because, Caller};
use crate::extractors::body::{Body, MaybeBody};
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::{carry_out, to_its_end};
use crate::responses::created::Created;
use crate::responses::done::Done;
use crate::responses::faults::{Faults, item};
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::reasons::WhyBody;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// A take-over.
#[derive(Serialize, ToSchema)]
#[schema(as = TakeOver)]
pub(crate) struct TakeOverBody {
    takeover_id: Uuid,
    from_company_id: Uuid,
    to_company_id: Uuid,
    /// Support's own reference number.
    #[schema(example = "T-2026-0042")]
    reference: String,
    /// `open`, `completing`, `completed` or `cancelled`.
    #[schema(example = "open")]
    status: &'static str,
    /// The next steps: `transferor_confirmation`, `acquirer_confirmation` or `support_completion`.
    waits_for: Vec<&'static str>,
    opened_at: DateTime<Utc>,
    /// The expected end: four weeks after the take-over was opened.
    due_at: DateTime<Utc>,
    /// Whether the take-over is still open after `due_at`.
    overdue: bool,
    ended_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CancellationBody>)]
    cancellation: Option<Cancellation>,
    site_ids: Vec<Uuid>,
    account_ids: Vec<Uuid>,
    /// The terminals that moved. Empty until the take-over is completed.
    terminal_ids: Vec<Uuid>,
    /// The sites that became one with a site that the acquiring company had at the same address. Empty until the take-over
    /// is completed.
    merged_sites: Vec<MergedBody>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// A site that became one with another.
#[derive(Serialize, ToSchema)]
#[schema(as = MergedSite)]
pub(crate) struct MergedBody {
    /// The site that moved. It exists no more.
    site_id: Uuid,
    /// The site that was at the same address. It has the terminals of both.
    into_site_id: Uuid,
}

fn body(row: TakeOverRow, now: DateTime<Utc>, position: Position) -> TakeOverBody {
    TakeOverBody {
        waits_for: row.waits_for(),
        overdue: row.ended_at.is_none() && now > row.due_at,
        takeover_id: row.takeover_id.0,
        from_company_id: row.from_company_id.0,
        to_company_id: row.to_company_id.0,
        reference: row.reference,
        status: row.status.word(),
        opened_at: row.opened_at,
        due_at: row.due_at,
        ended_at: row.ended_at,
        cancellation: row.cancellation,
        site_ids: row.site_ids.iter().map(|id| id.0).collect(),
        account_ids: row.account_ids.iter().map(|id| id.0).collect(),
        terminal_ids: row.terminal_ids.iter().map(|id| id.0).collect(),
        merged_sites: row
            .merged
            .iter()
            .map(|merged| MergedBody { site_id: merged.site.0, into_site_id: merged.into.0 })
            .collect(),
        position: position.0,
    }
}

/// Why a take-over was cancelled.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Cancellation)]
pub(crate) enum CancellationBody {
    /// The companies no longer want it.
    Withdrawn,
    /// One of the companies did not agree.
    Refused,
    /// It was opened by mistake.
    Mistake,
}

/// The statuses of a take-over.
pub(crate) const STATUSES: [&str; 4] = ["open", "completing", "completed", "cancelled"];

/// A filter for take-overs.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TakeOverFilter {
    /// Only the take-overs of this company, on either side. A person sees only those of their own company.
    company: Option<Uuid>,
    /// `open`, `completing`, `completed` or `cancelled`.
    status: Option<String>,
    /// `opened_at`: the oldest first. `-opened_at`: the newest first.
    sort: Option<String>,
    /// `next_cursor` of the previous page. Send it with the same filter and the same order.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// List take-overs.
///
/// An administrator sees those of their own company. A token with the scope `companies:read` sees all.
#[utoipa::path(
    get, path = "/v1/takeovers", operation_id = "list_takeovers", tag = "takeovers", params(TakeOverFilter), security(("session" = []), ("service" = [])),
    responses((status = 200, description = "A page of take-overs", body = Page<TakeOverBody>))
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<TakeOverFilter>,
) -> Result<Tagged<Page<TakeOverBody>>, Problem> {
    let company = Api::company_asked(&caller, filter.company)?;
    administers(&caller)?;
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    faults.one_of("status", filter.status.as_deref(), &STATUSES);
    let order = faults.order(filter.sort.as_deref(), "opened_at");
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    let position = api.reach(TakeOverRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let by = match (company, filter.status) {
        (Some(company), Some(status)) => {
            TakeOverRow::BY_COMPANY_AND_STATUS.under(format_args!("{company}/{status}"))
        }
        (Some(company), None) => TakeOverRow::BY_COMPANY.under(company),
        (None, Some(status)) => TakeOverRow::BY_STATUS.under(status),
        (None, None) => TakeOverRow::BY_OPENING.all(),
    };
    let wanted = RowQuery { by: Some(by), order, after, limit: size + 1 };
    let rows = select(api.rows.as_ref(), wanted).await?;
    let now = (api.clock)();
    let items = rows.into_iter().map(|(cursor, row)| (cursor, body(row, now, position)));
    Ok(Tagged(Page::of(items.collect(), size, position)))
}

/// Refuses a person who is not an administrator.
fn administers(caller: &Caller) -> Result<(), Problem> {
    match caller {
        Caller::Person(person) if person.profile.role != Role::Administrator => Err(Problem::forbidden()),
        _ => Ok(()),
    }
}

impl Api {
    /// Returns the take-over of an id to a caller who may know of it: a program with the scope, or an administrator
    /// of a company that has part in it. Permissions are checked first, so that the answer does not show whether a
    /// take-over exists.
    async fn take_over(&self, caller: &Caller, scope: Scope, id: Uuid) -> Result<TakeOverRow, Problem> {
        match caller {
            Caller::Service(_) => drop(caller.service(scope)?),
            Caller::Person(_) => {
                administers(caller)?;
                // The time does not show it either: the wait for a take-over that does not exist is as long as for
                // another company's.
                let head = self.store.head().await?;
                self.reach(TakeOverRow::VIEW, &AtLeast { at_least: Some(head.0) }).await?;
            }
        }
        let row: TakeOverRow = self.known(id.to_string()).await?;
        match caller.has_part(row.from_company_id, row.to_company_id) {
            true => Ok(row),
            false => Err(Problem::not_found()),
        }
    }
}

/// The side of a take-over on which a person's company is.
fn side_of(caller: &Caller, row: &TakeOverRow) -> Result<Side, Problem> {
    match caller.person()?.profile.company {
        company if company == row.from_company_id => Ok(Side::Transferor),
        company if company == row.to_company_id => Ok(Side::Acquirer),
        _ => Err(Problem::not_found()),
    }
}

/// Show a take-over.
#[utoipa::path(
    get, path = "/v1/takeovers/{takeover_id}", operation_id = "show_takeover", tag = "takeovers", security(("session" = []), ("service" = [])),
    params(("takeover_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The take-over", body = TakeOverBody),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<TakeOverBody>, Problem> {
    let position = api.reach(TakeOverRow::VIEW, &at_least).await?;
    let row = api.take_over(&caller, Scope::CompaniesRead, id).await?;
    Ok(Tagged(body(row, (api.clock)(), position)))
}

/// The take-over to open.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTakeOver)]
pub(crate) struct NewBody {
    /// The company that gives the sites away (the transferor).
    from_company_id: Uuid,
    /// The company that gets the sites (the acquirer).
    to_company_id: Uuid,
    /// The sites that move, each with its terminals. Default: all sites.
    site_ids: Option<Vec<Uuid>>,
    /// The accounts that move. Default: all accounts if `site_ids` is absent, otherwise none.
    account_ids: Option<Vec<Uuid>>,
    /// Support's own reference number: 1 to 64 characters.
    #[schema(example = "T-2026-0042")]
    reference: String,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Both companies wrote that the bakery was sold")]
    reason: Option<String>,
}

/// A take-over that was opened.
#[derive(Serialize, ToSchema)]
pub(crate) struct TakeOverOpened {
    takeover_id: Uuid,
    /// The position of the event in the log.
    position: u64,
}

/// Open a take-over.
///
/// Only support can do this: it requires the scope `takeovers:write`. The administrators of both companies get a mail.
#[utoipa::path(
    post, path = "/v1/takeovers", operation_id = "open_takeover", tag = "takeovers", request_body = NewBody, security(("service" = [])),
    responses(
        (status = 201, description = "Opened", body = TakeOverOpened, headers(("Location" = String, description = "The place of what was made, relative to this request"))),
        (status = 409, description = "One of the two companies has an open take-over that conflicts with this one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn open(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Body(body): Body<NewBody>,
) -> Result<Created<TakeOverOpened>, Problem> {
    caller.service(Scope::TakeOversWrite)?;
    let (from, to) = (CompanyId(body.from_company_id), CompanyId(body.to_company_id));
    let mut faults = Faults::default();
    let reference = body.reference.trim().to_owned();
    if !loquet_domain::values::plain_text::is_text(&reference, 64) {
        faults.add("/reference", "reference-invalid");
    }
    let because = faults.because(&caller, "/reason", body.reason);
    let because = faults.finish(Some(because))?;
    let asked = Asked { from, sites: body.site_ids.clone(), accounts: body.account_ids.clone() };
    let sites: Option<Vec<SiteId>> = body.site_ids.map(|sites| sites.into_iter().map(SiteId).collect());
    let accounts = match body.account_ids {
        Some(accounts) => accounts.into_iter().map(AccountId).collect(),
        None if sites.is_none() => api.accounts_of(from).await?,
        None => Vec::new(),
    };
    let accounts = BTreeSet::<AccountId>::from_iter(accounts).into_iter().collect();
    let new = NewTakeOver { from, to, sites, accounts, reference };
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let opened = to_its_end(async move { api.app.open_take_over(&context, new).await }).await?;
    let (id, position) = opened.map_err(|failure| asked.refused(failure, at))?;
    Ok(Created::new("takeovers", id.0, TakeOverOpened { takeover_id: id.0, position: position.0 }))
}

/// What a request to open a take-over named, for refusals to point at.
struct Asked {
    from: CompanyId,
    sites: Option<Vec<Uuid>>,
    accounts: Option<Vec<Uuid>>,
}

impl Asked {
    fn refused(&self, failure: Failure, at: Moment) -> Problem {
        match failure {
            Failure::NoSuchCompany(company) if company == self.from => {
                Problem::at("/from_company_id", "company-unknown")
            }
            Failure::NoSuchCompany(_) => Problem::at("/to_company_id", "company-unknown"),
            Failure::NoSuchMember(account) => {
                Problem::at(item("/account_ids", self.accounts.as_deref(), account.0), "account-unknown")
            }
            Failure::Company(company::Refusal::NoSuchSite(site)) => {
                Problem::site_unknown(item("/site_ids", self.sites.as_deref(), site.0), site)
            }
            Failure::TakeOver(takeover::Refusal::SameCompany) => {
                Problem::at("/to_company_id", "takeover-same-company")
            }
            Failure::TakeOver(takeover::Refusal::Nothing) => Problem::at("/site_ids", "takeover-nothing"),
            failure => Problem::of(failure, at),
        }
    }
}

impl Api {
    /// The accounts of a company that are not deleted.
    async fn accounts_of(&self, company: CompanyId) -> Result<Vec<AccountId>, Problem> {
        let head = self.store.head().await?;
        self.reach(AccountRow::VIEW, &AtLeast { at_least: Some(head.0) }).await?;
        Ok(live_accounts(self.rows.as_ref(), company).await?)
    }
}

/// The company that agrees. Only programs name it; for a person it is their own company.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForSide {
    /// `transferor` or `acquirer`.
    side: Option<String>,
}

/// Agree to a take-over, as an administrator of one of the two companies.
///
/// A token with the scope `takeovers:write` can record the agreement of either company.
#[utoipa::path(
    post, path = "/v1/takeovers/{takeover_id}/confirmation", operation_id = "confirm_takeover", tag = "takeovers", request_body = Option<WhyBody>,
    security(("session" = []), ("service" = [])), params(("takeover_id" = Uuid, Path), ForSide),
    responses(
        (status = 204, description = "The agreement is recorded"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The take-over is completed or cancelled", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A program must name the company that agrees", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn confirm(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Params(wanted): Params<ForSide>,
    MaybeBody(why): MaybeBody<WhyBody>,
) -> Result<Done, Problem> {
    let row = api.take_over(&caller, Scope::TakeOversWrite, id).await?;
    let mut faults = Faults::default();
    let because = WhyBody::check(why, &caller, &mut faults);
    let side = match &caller {
        Caller::Person(_) => Some(side_of(&caller, &row)?),
        Caller::Service(_) => {
            let side = match wanted.side.as_deref() {
                Some("transferor") => Ok(Side::Transferor),
                Some("acquirer") => Ok(Side::Acquirer),
                _ => Err(()),
            };
            faults.check("?side", side, |()| "side-required")
        }
    };
    let side = faults.finish(side)?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.confirm_take_over(&context, TakeOverId(id), side).await }).await
}

/// Complete a take-over: sites, terminals and accounts move, with their history.
///
/// Both companies must have agreed. Requires the scope `takeovers:write`.
#[utoipa::path(
    post, path = "/v1/takeovers/{takeover_id}/completion", operation_id = "complete_takeover", tag = "takeovers", request_body = Option<WhyBody>,
    security(("service" = [])), params(("takeover_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Everything has moved"),
        (status = 404, description = "There is no such take-over", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "A company has not agreed yet, or the take-over was cancelled", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn complete(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    MaybeBody(why): MaybeBody<WhyBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::TakeOversWrite)?;
    let mut faults = Faults::default();
    let because = WhyBody::check(why, &caller, &mut faults);
    let because = faults.finish(Some(because))?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.complete_take_over(&context, TakeOverId(id)).await }).await
}

/// Why a take-over is cancelled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyCancelled {
    /// Why it is cancelled. Required, unless `reason` is one of these words, as programs sent it before there was `cause`.
    #[schema(value_type = Option<CancellationBody>)]
    cause: Option<CancellationBody>,
    /// The reason in your own words. Required from the supplier's staff.
    #[schema(example = "The buyer did not get the loan")]
    reason: Option<String>,
}

impl WhyCancelled {
    fn check(self, caller: &Caller) -> Result<(Cancellation, Because), Problem> {
        let mut faults = Faults::default();
        // Before `cause` there was only `reason`, with one of these words.
        let (cause, reason) = match (self.cause, self.reason.as_deref()) {
            (None, Some("withdrawn")) => (Some(CancellationBody::Withdrawn), None),
            (None, Some("refused")) => (Some(CancellationBody::Refused), None),
            (None, Some("mistake")) => (Some(CancellationBody::Mistake), None),
            (cause, _) => (cause, self.reason),
        };
        let because = faults.because(caller, "/reason", reason);
        let cause = faults.check("/cause", cause.ok_or(()), |()| "cause-required").map(|cause| match cause {
            CancellationBody::Withdrawn => Cancellation::Withdrawn,
            CancellationBody::Refused => Cancellation::Refused,
            CancellationBody::Mistake => Cancellation::Mistake,
        });
        faults.finish(cause.map(|cause| (cause, because)))
    }
}

/// Cancel a take-over.
///
/// Requires the scope `takeovers:write`.
#[utoipa::path(
    post, path = "/v1/takeovers/{takeover_id}/cancellation", operation_id = "cancel_takeover", tag = "takeovers", request_body = WhyCancelled,
    security(("service" = [])), params(("takeover_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Cancelled"),
        (status = 404, description = "There is no such take-over", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The take-over is completed", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn cancel(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<WhyCancelled>,
) -> Result<Done, Problem> {
    caller.service(Scope::TakeOversWrite)?;
    let (cause, because) = body.check(&caller)?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.cancel_take_over(&context, TakeOverId(id), cause).await }).await
}
