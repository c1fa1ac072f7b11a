//! Terminals, their sites and their history.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::access::Grantor;
use loquet_domain::app::Failure;
use loquet_domain::company;
use loquet_domain::fact::Actor;
use loquet_domain::ids::{CompanyId, SiteId, TerminalId};
use loquet_domain::ports::Position;
use loquet_domain::terminals::{self, Assignment, ReleaseCause};
use loquet_domain::values::permission::Permission;
use loquet_domain::values::serial_number::SerialNumber;
use loquet_projections::index::Lookup;
use loquet_projections::ports::Order;
use loquet_projections::table::{Row, RowQuery, find, select, select_where};
use loquet_projections::views::assignments::{AssignmentRow, Cause};
use loquet_projections::views::terminals::TerminalRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::{carry_out, carry_out_or};
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// A terminal.
#[derive(Serialize, ToSchema)]
#[schema(as = Terminal)]
pub(crate) struct TerminalBody {
    terminal_id: Uuid,
    company_id: Uuid,
    site_id: Uuid,
    #[schema(example = "PAX A920 Mobile")]
    model: String,
    /// Absent while it is not known.
    #[schema(example = "1850012345")]
    serial: Option<String>,
    added_at: DateTime<Utc>,
    /// The order that created it.
    order_id: String,
    /// The log position up to which the answer includes all events.
    position: u64,
}

fn body(row: TerminalRow, position: Position) -> TerminalBody {
    TerminalBody {
        terminal_id: row.terminal_id.0,
        company_id: row.company_id.0,
        site_id: row.site_id.0,
        model: row.model.to_string(),
        serial: row.serial.map(|serial| serial.to_string()),
        added_at: row.added_at,
        order_id: row.order_id.to_string(),
        position: position.0,
    }
}

impl Api {
    /// The terminal with an id or a serial number. Waits for a terminal that the view does not know yet.
    pub(crate) async fn terminal(&self, named: &str) -> Result<TerminalRow, Problem> {
        if let Some(row) = self.terminal_known(named).await? {
            return Ok(row);
        }
        let head = self.store.head().await?;
        self.reach(TerminalRow::VIEW, &AtLeast { at_least: Some(head.0) }).await?;
        self.terminal_known(named).await?.ok_or_else(Problem::not_found)
    }

    /// The terminal with an id or a serial number, and its site. Both are read from the log: a view may be a moment
    /// behind, and must not show a terminal that was released.
    pub(crate) async fn terminal_now(&self, named: &str) -> Result<(TerminalRow, SiteId), Problem> {
        let mut row = self.terminal(named).await?;
        let mut state = self.app.terminals(row.company_id).await?.state;
        if state.freed(row.terminal_id).is_some() {
            let head = self.store.head().await?;
            self.reach(TerminalRow::VIEW, &AtLeast { at_least: Some(head.0) }).await?;
            row = self.terminal_known(named).await?.ok_or_else(Problem::not_found)?;
            state = self.app.terminals(row.company_id).await?.state;
        }
        if state.freed(row.terminal_id).is_some() {
            return Err(Problem::not_found());
        }
        let site = state.held.get(row.terminal_id).map_or(row.site_id, |held| held.site);
        Ok((row, site))
    }

    async fn terminal_known(&self, named: &str) -> Result<Option<TerminalRow>, Problem> {
        if let Ok(id) = named.parse::<TerminalId>() {
            return Ok(find(self.rows.as_ref(), id.to_string()).await?);
        }
        let Ok(serial) = SerialNumber::parse(named) else { return Ok(None) };
        let by = Some(TerminalRow::BY_SERIAL.under(serial.key()));
        let rows = select(self.rows.as_ref(), RowQuery { by, limit: 1, ..RowQuery::default() }).await?;
        Ok(rows.into_iter().next().map(|(_, row)| row))
    }

    /// The terminals with an id or a serial number whose history the caller may see, the newest first. A company sees
    /// the terminals that it has, and those that it had when they were released.
    async fn histories(&self, caller: &Caller, named: &str) -> Result<Vec<TerminalId>, Problem> {
        let ids = match (named.parse::<TerminalId>(), SerialNumber::parse(named)) {
            (Ok(id), _) => vec![id],
            (Err(_), Ok(serial)) => self.app.terminals_with_serial(&serial).await?,
            (Err(_), Err(_)) => Vec::new(),
        };
        let mut seen = Vec::new();
        for id in ids {
            if self.sees_history(caller, id).await? {
                seen.push(id);
            }
        }
        Ok(seen)
    }

    async fn sees_history(&self, caller: &Caller, terminal: TerminalId) -> Result<bool, Problem> {
        let row: Option<TerminalRow> = find(self.rows.as_ref(), terminal.to_string()).await?;
        let place = match row {
            Some(row) => Some((row.company_id, row.site_id)),
            None => self.released_from(terminal).await?,
        };
        let Some((company, site)) = place else { return Ok(false) };
        match caller {
            Caller::Person(person) if person.profile.company != company => Ok(false),
            _ => Ok(self.sight(caller, company).await?.includes(site)),
        }
    }

    /// The company and the site from which a terminal was released.
    async fn released_from(&self, terminal: TerminalId) -> Result<Option<(CompanyId, SiteId)>, Problem> {
        let by = Some(AssignmentRow::BY_TERMINAL.under(terminal));
        let newest = RowQuery { by, order: Order::Descending, limit: 1, ..RowQuery::default() };
        let newest = select(self.rows.as_ref(), newest).await?.into_iter().next();
        Ok(newest.and_then(|(_, row)| match row.cause {
            Cause::Released { site_id, .. } => row.company_id.map(|company| (company, site_id)),
            _ => None,
        }))
    }

    async fn terminal_in_sight(&self, caller: &Caller, named: &str) -> Result<TerminalRow, Problem> {
        let row = self.terminal(named).await?;
        match self.sight(caller, row.company_id).await?.includes(row.site_id) {
            true => Ok(row),
            false => Err(Problem::not_found()),
        }
    }
}

/// A filter for terminals.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TerminalFilter {
    /// Only the terminals of this company. A person sees only the terminals of their own company.
    company: Option<Uuid>,
    /// Only the terminals at this site. The answer is 404 if the caller may not see the site.
    site: Option<Uuid>,
    /// Only the terminal with this serial number.
    serial: Option<String>,
    /// `added_at`: the oldest first. `-added_at`: the newest first.
    sort: Option<String>,
    /// `next_cursor` of the previous page. Send it with the same filter and the same order.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// List terminals.
///
/// A user sees the terminals at sites where they have a permission.
#[utoipa::path(
    get, path = "/v1/terminals", operation_id = "list_terminals", tag = "terminals", params(TerminalFilter), security(("session" = []), ("service" = [])),
    responses(
        (status = 200, description = "A page of terminals", body = Page<TerminalBody>),
        (status = 404, description = "The company or site does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<TerminalFilter>,
) -> Result<Tagged<Page<TerminalBody>>, Problem> {
    let company = Api::company_asked(&caller, filter.company)?;
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    let order = faults.order(filter.sort.as_deref(), "added_at");
    let after = faults.cursor(filter.cursor.as_deref());
    let serial = filter
        .serial
        .as_deref()
        .map(|text| faults.check("?serial", SerialNumber::parse(text), |_| "serial-number-invalid"));
    faults.finish_query()?;
    let sight = api.sight_of(&caller, company).await?;
    if let (Some(site), Caller::Person(_)) = (filter.site, &caller) {
        api.site_in_sight(&caller, site).await?;
    }
    let position = api.reach(TerminalRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let by = match (serial.flatten(), filter.site, company) {
        (Some(serial), ..) => TerminalRow::BY_SERIAL.under(serial.key()),
        (None, Some(site), _) => TerminalRow::BY_SITE.under(site),
        (None, None, Some(company)) => TerminalRow::BY_COMPANY.under(company),
        (None, None, None) => TerminalRow::BY_ADDITION.all(),
    };
    let wanted = RowQuery { by: Some(by), order, after, limit: size + 1 };
    let seen = |row: &TerminalRow| {
        company.is_none_or(|company| row.company_id == company)
            && filter.site.is_none_or(|site| row.site_id.0 == site)
            && sight.includes(row.site_id)
    };
    let rows = select_where(api.rows.as_ref(), wanted, seen).await?.into_iter();
    let terminals = rows.map(|(cursor, row)| (cursor, body(row, position)));
    Ok(Tagged(Page::of(terminals.collect(), size, position)))
}

/// Show a terminal, by its id or serial number.
#[utoipa::path(
    get, path = "/v1/terminals/{terminal}", operation_id = "show_terminal", tag = "terminals", security(("session" = []), ("service" = [])),
    params(("terminal" = String, Path, description = "The terminal's id or serial number"), AtLeast),
    responses(
        (status = 200, description = "The terminal", body = TerminalBody),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(named): Path<String>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<TerminalBody>, Problem> {
    let position = api.reach(TerminalRow::VIEW, &at_least).await?;
    Ok(Tagged(body(api.terminal_in_sight(&caller, &named).await?, position)))
}

/// A step in the history of a terminal.
#[derive(Serialize, ToSchema)]
#[schema(as = TerminalStep)]
pub(crate) struct StepBody {
    terminal_id: Uuid,
    at: DateTime<Utc>,
    /// The position of the event in the log.
    event_position: u64,
    /// The person or program that did it.
    #[schema(value_type = Object)]
    actor: Actor,
    /// The company that has the terminal after this step, or had it until it was released. Absent for persons.
    #[serde(skip_serializing_if = "Option::is_none")]
    company_id: Option<Uuid>,
    /// `ordered` to a site, `assigned` from one site to another, `taken_over` by another company, or `released` from
    /// its company.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    cause: Cause,
}

/// The part of a history to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryFilter {
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// The steps under each lookup, in the order of the lookups. Each lookup begins with a text of its own.
async fn history(
    api: &Api,
    caller: &Caller,
    parts: Vec<(Uuid, Lookup<AssignmentRow>)>,
    filter: HistoryFilter,
    of: impl Fn(&AssignmentRow) -> bool,
) -> Result<Tagged<Page<StepBody>>, Problem> {
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    let position = api.reach(AssignmentRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let mut after = after;
    let mut rows = Vec::new();
    for (begins, by) in parts {
        // The page begins in the part that the cursor names.
        let begins = format!("{begins}/");
        if rows.len() > size || after.as_ref().is_some_and(|after| !after.value.starts_with(&begins)) {
            continue;
        }
        let limit = size + 1 - rows.len();
        let wanted = RowQuery { by: Some(by), order: Order::Descending, after: after.take(), limit };
        rows.extend(select_where(api.rows.as_ref(), wanted, &of).await?);
    }
    let told = matches!(caller, Caller::Service(_));
    let rows = rows.into_iter();
    let step = |row: AssignmentRow| StepBody {
        terminal_id: row.terminal_id.0,
        company_id: row.company_id.filter(|_| told).map(|company| company.0),
        at: row.at,
        event_position: row.position.0,
        actor: row.actor,
        cause: row.cause,
    };
    let steps = rows.map(|(cursor, row)| (cursor, step(row)));
    Ok(Tagged(Page::of(steps.collect(), size, position)))
}

/// List the sites of a terminal over time, the newest first.
///
/// A serial number names all terminals that have or had it: support and programs see the steps of all owners, and a
/// company sees its own part. An id names one of them. Only the two companies of a take-over see it in the list.
#[utoipa::path(
    get, path = "/v1/terminals/{terminal}/assignments", operation_id = "list_terminal_assignments", tag = "terminals", security(("session" = []), ("service" = [])),
    params(("terminal" = String, Path, description = "The terminal's id or serial number"), HistoryFilter),
    responses(
        (status = 200, description = "A page of the history", body = Page<StepBody>),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn of_terminal(
    State(api): Shared,
    caller: Caller,
    Path(named): Path<String>,
    Params(filter): Params<HistoryFilter>,
) -> Result<Tagged<Page<StepBody>>, Problem> {
    let mut terminals = api.histories(&caller, &named).await?;
    if terminals.is_empty() {
        let head = AtLeast { at_least: Some(api.store.head().await?.0) };
        api.reach(TerminalRow::VIEW, &head).await?;
        api.reach(AssignmentRow::VIEW, &head).await?;
        terminals = api.histories(&caller, &named).await?;
    }
    if terminals.is_empty() {
        return Err(Problem::not_found());
    }
    let part = |terminal: &TerminalId| (terminal.0, AssignmentRow::BY_TERMINAL.under(terminal));
    let parts = terminals.iter().map(part).collect();
    let known = |row: &AssignmentRow| match row.cause {
        Cause::TakenOver { from_company_id, to_company_id, .. } => {
            caller.has_part(from_company_id, to_company_id)
        }
        Cause::Ordered { .. } | Cause::Assigned { .. } | Cause::Released { .. } => true,
    };
    history(&api, &caller, parts, filter, |row| known(row)).await
}

/// List the terminals that came to a site or left it, the newest first.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}/assignments", operation_id = "list_site_assignments", tag = "sites", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path), HistoryFilter),
    responses(
        (status = 200, description = "A page of the history", body = Page<StepBody>),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn of_site(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(filter): Params<HistoryFilter>,
) -> Result<Tagged<Page<StepBody>>, Problem> {
    api.site_in_sight(&caller, id).await?;
    history(&api, &caller, vec![(id, AssignmentRow::BY_SITE.under(id))], filter, |_| true).await
}

/// The new site of a terminal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAssignment)]
pub(crate) struct AssignmentBody {
    site_id: Uuid,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Assign a terminal to another site of its company.
///
/// Allowed for administrators, and for users with *manage terminals* at both sites.
#[utoipa::path(
    post, path = "/v1/terminals/{terminal}/assignment", operation_id = "assign_terminal", tag = "terminals", request_body = AssignmentBody,
    security(("session" = []), ("service" = [])), params(("terminal" = String, Path, description = "The terminal's id or serial number")),
    responses(
        (status = 204, description = "The terminal is assigned to the site"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The company has no such site", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn assign(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(named): Path<String>,
    Body(body): Body<AssignmentBody>,
) -> Result<Done, Problem> {
    let row = api.terminal(&named).await?;
    let (to, company) = (SiteId(body.site_id), row.company_id);
    // The current site is read from the aggregate, because a view may be a moment behind.
    let stands = api.app.terminals(company).await?.state.held.get(row.terminal_id).map(|held| held.site);
    for site in BTreeSet::from([stands.unwrap_or(row.site_id), to]) {
        let needed = Need::at(Permission::ManageTerminals, site);
        api.permit(&caller, Scope::CompaniesWrite, company, needed).await?;
    }
    let assignments = vec![Assignment { terminal: row.terminal_id, to }];
    let mut faults = Faults::default();
    let because = faults.because(&caller, "/reason", body.reason);
    let because = faults.finish(Some(because))?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let assigned = async move { api.app.assign(&context, company, assignments).await };
    carry_out_or(assigned, |failure| match failure {
        Failure::Company(company::Refusal::NoSuchSite(site))
        | Failure::Terminals(terminals::Refusal::SiteGone(site)) => Problem::site_unknown("/site_id", site),
        failure => Problem::of(failure, at),
    })
    .await
}

/// The serial number of a terminal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SerialNumber)]
pub(crate) struct SerialBody {
    #[schema(example = "1850012345")]
    serial: String,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Set the serial number of a terminal that was ordered without one: the supplier knows which terminal it sent.
///
/// Requires the scope `companies:write`.
#[utoipa::path(
    post, path = "/v1/terminals/{terminal}/serial", operation_id = "note_serial", tag = "terminals", request_body = SerialBody,
    security(("service" = [])), params(("terminal" = String, Path, description = "The terminal's id")),
    responses(
        (status = 204, description = "The serial number is set"),
        (status = 404, description = "There is no such terminal", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another terminal has this number, or this terminal has another number", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "This is not a serial number", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn note_serial(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(named): Path<String>,
    Body(body): Body<SerialBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::CompaniesWrite)?;
    let mut faults = Faults::default();
    let serial = faults.check("/serial", SerialNumber::parse(&body.serial), |_| "serial-number-invalid");
    let because = faults.because(&caller, "/reason", body.reason);
    let serial = faults.finish(serial)?;
    let row = api.terminal(&named).await?;
    let (terminal, company) = (row.terminal_id, row.company_id);
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.note_serial(&context, company, terminal, serial).await }).await
}

/// Why a terminal is released.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TerminalRelease)]
pub(crate) struct ReleaseBody {
    /// `returned` to the supplier, `replaced` by another terminal, or `sold_on`.
    #[schema(value_type = ReleaseCauseBody, example = "sold_on")]
    cause: ReleaseCause,
    /// The reason, in your own words. Required from the supplier's staff.
    #[schema(example = "Sold to the bakery across the street")]
    reason: Option<String>,
}

/// Why a terminal is released.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReleaseCause)]
#[expect(dead_code, reason = "describes the domain's own enum in the documentation")]
pub(crate) enum ReleaseCauseBody {
    /// The company sent it back to the supplier.
    Returned,
    /// Another terminal took its place.
    Replaced,
    /// The company sold it on.
    SoldOn,
}

/// Release a terminal from its company: it was returned, replaced or sold on.
///
/// From then on it shows nothing of the company, and another company's order can name its serial number. If an order
/// waits for the number, the order gets the terminal. The history stays. Allowed for administrators, and for programs
/// with the scope `companies:write`.
#[utoipa::path(
    post, path = "/v1/terminals/{terminal}/release", operation_id = "release_terminal", tag = "terminals", request_body = ReleaseBody,
    security(("session" = []), ("service" = [])), params(("terminal" = String, Path, description = "The terminal's id or serial number")),
    responses(
        (status = 204, description = "The terminal is released"),
        (status = 403, description = "Only an administrator of the company, or support, can release a terminal", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The reason is missing or too long", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "A take-over moves the terminal now. `Retry-After` says when to try again", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn release(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(named): Path<String>,
    Body(body): Body<ReleaseBody>,
) -> Result<Done, Problem> {
    let row = api.terminal(&named).await?;
    let (terminal, company) = (row.terminal_id, row.company_id);
    let needed = Need::everywhere(Permission::ManageTerminals);
    let Grantor::Anything = api.permit(&caller, Scope::CompaniesWrite, company, needed).await? else {
        return Err(Problem::forbidden());
    };
    let mut faults = Faults::default();
    let because = faults.because(&caller, "/reason", body.reason);
    let context = caller.context(&arrival, faults.finish(Some(because))?);
    let (at, cause) = (arrival.at, body.cause);
    carry_out(at, async move { api.app.release_terminal(&context, company, terminal, cause).await }).await
}
