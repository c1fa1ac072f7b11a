//! Sites.

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::company::{InvalidSiteName, SiteName};
use loquet_domain::ids::SiteId;
use loquet_domain::ports::Position;
use loquet_domain::values::permission::Permission;
use loquet_projections::table::{Row, RowQuery, select_where};
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::sites::SiteRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Needed;
use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::to_its_end;
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::addresses::AddressBody;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// A site: a place where a company uses terminals.
#[derive(Serialize, ToSchema)]
#[schema(as = Site)]
pub(crate) struct SiteBody {
    site_id: Uuid,
    company_id: Uuid,
    /// What the company is called over the door.
    #[schema(example = "Le Fournil")]
    company_name: Option<String>,
    #[schema(example = "Rue Neuve, Bruxelles")]
    name: String,
    address: AddressBody,
    opened_at: DateTime<Utc>,
    /// The order that opened it.
    order_id: String,
    /// The position of the log that the answer is at.
    position: u64,
}

async fn body(api: &Api, row: SiteRow, position: Position) -> Result<SiteBody, Problem> {
    let company = api.company_row(row.company_id).await?;
    Ok(SiteBody {
        site_id: row.site_id.0,
        company_id: row.company_id.0,
        company_name: company.map(called),
        name: row.name.as_str().to_owned(),
        address: row.address.into(),
        opened_at: row.opened_at,
        order_id: row.order_id.to_string(),
        position: position.0,
    })
}

fn called(company: CompanyRow) -> String {
    company.trading_name.unwrap_or(company.legal_name).as_str().to_owned()
}

impl Api {
    /// The site of an id.
    pub(crate) async fn site(&self, id: SiteId) -> Result<SiteRow, Problem> {
        self.known(id.to_string()).await
    }

    /// The site of an id, for whoever sees it.
    pub(crate) async fn site_in_sight(&self, caller: &Caller, id: Uuid) -> Result<SiteRow, Problem> {
        let row = self.site(SiteId(id)).await?;
        match self.sight(caller, row.company_id).await?.includes(row.site_id) {
            true => Ok(row),
            false => Err(Problem::not_found()),
        }
    }
}

/// Which sites.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SiteFilter {
    /// The sites of this company. A person sees those of their own.
    company: Option<Uuid>,
    /// `opened_at` or `-opened_at`; or, for one company, `name` or `-name`.
    sort: Option<String>,
    /// From `next_cursor` of the page before; with the same filter and order.
    cursor: Option<String>,
    /// 1 to 200; 50 unless said.
    limit: Option<u32>,
    /// Wait until the answer is at this position of the log.
    at_least: Option<u64>,
}

/// List sites. A user sees those at which they may do something. Nobody opens one by hand: a site opens by itself when a
/// terminal is ordered to an address where the company has none yet.
#[utoipa::path(
    get, path = "/v1/sites", operation_id = "list_sites", tag = "sites", params(SiteFilter), security(("session" = []), ("service" = [])),
    responses((status = 200, description = "A page of sites", body = Page<SiteBody>))
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<SiteFilter>,
) -> Result<Tagged<Page<SiteBody>>, Problem> {
    let company = Api::company_asked(&caller, filter.company)?;
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    let by_name = company.is_some() && filter.sort.as_deref().is_some_and(|sort| sort.ends_with("name"));
    let order = faults.order(filter.sort.as_deref(), if by_name { "name" } else { "opened_at" });
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    let position = api.reach(SiteRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let by = match company {
        Some(company) if by_name => SiteRow::BY_COMPANY_AND_NAME.under(company),
        Some(company) => SiteRow::BY_COMPANY.under(company),
        None => SiteRow::BY_OPENING.all(),
    };
    let wanted = RowQuery { by: Some(by), order, after, limit: size + 1 };
    let sight = api.sight_of(&caller, company).await?;
    let seen = |row: &SiteRow| sight.includes(row.site_id);
    let rows = select_where(api.rows.as_ref(), wanted, seen).await?;
    let mut items = Vec::with_capacity(rows.len());
    for (cursor, row) in rows {
        items.push((cursor, body(&api, row, position).await?));
    }
    Ok(Tagged(Page::of(items, size, position)))
}

/// One site.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}", operation_id = "show_site", tag = "sites", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The site", body = SiteBody),
        (status = 404, description = "There is none to see", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<SiteBody>, Problem> {
    let position = api.reach(SiteRow::VIEW, &at_least).await?;
    let row = api.site_in_sight(&caller, id).await?;
    Ok(Tagged(body(&api, row, position).await?))
}

/// What of a site is to be otherwise; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SiteChange)]
pub(crate) struct ChangeBody {
    #[schema(example = "Boutique du centre")]
    name: Option<String>,
    address: Option<AddressBody>,
}

/// Name a site, or change its address: for administrators, or a user with *manage company* there.
#[utoipa::path(
    patch, path = "/v1/sites/{site_id}", operation_id = "change_site", tag = "sites", request_body = ChangeBody,
    security(("session" = []), ("service" = [])), params(("site_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Changed"),
        (status = 404, description = "There is none to see", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another site is at that address", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules; all of them are listed", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn change(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ChangeBody>,
) -> Result<Done, Problem> {
    let row = api.site(SiteId(id)).await?;
    let (site, company) = (row.site_id, row.company_id);
    let needed = (Permission::ManageCompany, Needed::At(site));
    api.permit(&caller, Scope::CompaniesWrite, company, needed).await?;
    let mut faults = Faults::default();
    let name = body.name.map(|name| {
        faults.check("/name", SiteName::parse(&name), |fault| match fault {
            InvalidSiteName::Text => "site-name-invalid",
            InvalidSiteName::Link => "name-with-scheme",
        })
    });
    let address = body.address.map(|address| address.check("/address", &mut faults));
    faults.finish(Some(()))?;
    let (at, context) = (arrival.at, caller.context(&arrival));
    let changed = to_its_end(async move {
        let mut position = Position::default();
        if let Some(Some(address)) = address {
            position = api.app.move_site(&context, company, site, address).await?;
        }
        if let Some(Some(name)) = name {
            position = api.app.name_site(&context, company, site, name).await?;
        }
        Ok(position)
    });
    changed.await?.map(Done).map_err(|failure| Problem::of(failure, at))
}
