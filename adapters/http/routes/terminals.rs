//! Terminals, their sites and their history.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::app::Failure;
use loquet_domain::company;
use loquet_domain::fact::Actor;
use loquet_domain::ids::{SiteId, TerminalId};
use loquet_domain::ports::Position;
use loquet_domain::terminals::{self, Assignment};
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

    async fn terminal_known(&self, named: &str) -> Result<Option<TerminalRow>, Problem> {
        if let Ok(id) = named.parse::<TerminalId>() {
            return Ok(find(self.rows.as_ref(), id.to_string()).await?);
        }
        let Ok(serial) = SerialNumber::parse(named) else { return Ok(None) };
        let by = Some(TerminalRow::BY_SERIAL.under(serial.key()));
        let rows = select(self.rows.as_ref(), RowQuery { by, limit: 1, ..RowQuery::default() }).await?;
        Ok(rows.into_iter().next().map(|(_, row)| row))
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
    /// `ordered` to a site, `assigned` from one site to another, or `taken_over` by another company.
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

async fn history(
    api: &Api,
    by: Option<Lookup<AssignmentRow>>,
    filter: HistoryFilter,
    of: impl Fn(&AssignmentRow) -> bool,
) -> Result<Tagged<Page<StepBody>>, Problem> {
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    let position = api.reach(AssignmentRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let wanted = RowQuery { by, order: Order::Descending, after, limit: size + 1 };
    let rows = select_where(api.rows.as_ref(), wanted, of).await?.into_iter();
    let step = |row: AssignmentRow| StepBody {
        terminal_id: row.terminal_id.0,
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
/// Only the two companies of a take-over see it in the list.
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
    let terminal = api.terminal_in_sight(&caller, &named).await?.terminal_id;
    let by = Some(AssignmentRow::BY_TERMINAL.under(terminal));
    let known = |row: &AssignmentRow| match row.cause {
        Cause::TakenOver { from_company_id, to_company_id, .. } => {
            caller.has_part(from_company_id, to_company_id)
        }
        Cause::Ordered { .. } | Cause::Assigned { .. } => true,
    };
    history(&api, by, filter, |row| row.terminal_id == terminal && known(row)).await
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
    history(&api, Some(AssignmentRow::BY_SITE.under(id)), filter, |_| true).await
}

/// The new site of a terminal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAssignment)]
pub(crate) struct AssignmentBody {
    site_id: Uuid,
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
    let (at, context) = (arrival.at, caller.context(&arrival));
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
    let serial = faults.finish(serial)?;
    let row = api.terminal(&named).await?;
    let (terminal, company) = (row.terminal_id, row.company_id);
    let (at, context) = (arrival.at, caller.context(&arrival));
    carry_out(at, async move { api.app.note_serial(&context, company, terminal, serial).await }).await
}
