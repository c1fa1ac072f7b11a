//! Sites.

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::company::{InvalidSiteName, SiteName};
use loquet_domain::ids::SiteId;
use loquet_domain::ports::Position;
use loquet_domain::values::permission::Permission;
use loquet_projections::table::{Row, RowQuery, select_where};
use loquet_projections::views::sites::SiteRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Need;
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
    /// The company's trading name.
    #[schema(example = "Le Fournil")]
    company_name: Option<String>,
    #[schema(example = "Rue Neuve, Bruxelles")]
    name: String,
    address: AddressBody,
    opened_at: DateTime<Utc>,
    /// The order that opened the site.
    order_id: String,
    /// The log position up to which the answer includes all events.
    position: u64,
}

async fn body(api: &Api, row: SiteRow, position: Position) -> Result<SiteBody, Problem> {
    let company = api.company_row(row.company_id).await?;
    let place = row.place.ok_or_else(Problem::not_found)?;
    Ok(SiteBody {
        site_id: row.site_id.0,
        company_id: row.company_id.0,
        company_name: company.and_then(|row| row.known_as().map(ToOwned::to_owned)),
        name: place.name.as_str().to_owned(),
        address: place.address.into(),
        opened_at: row.opened_at,
        order_id: row.order_id.to_string(),
        position: position.0,
    })
}

impl Api {
    /// The site with an id.
    pub(crate) async fn site(&self, id: SiteId) -> Result<SiteRow, Problem> {
        self.known(id.to_string()).await
    }

    /// The site with an id, if the caller may see it.
    pub(crate) async fn site_in_sight(&self, caller: &Caller, id: Uuid) -> Result<SiteRow, Problem> {
        let row = self.site(SiteId(id)).await?;
        match self.sight(caller, row.company_id).await?.includes(row.site_id) {
            true => Ok(row),
            false => Err(Problem::not_found()),
        }
    }
}

/// A filter for sites.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SiteFilter {
    /// Only the sites of this company. A person sees only the sites of their own company.
    company: Option<Uuid>,
    /// `opened_at`: the oldest first. `-opened_at`: the newest first. For one company also `name` and `-name`.
    sort: Option<String>,
    /// `next_cursor` of the previous page. Send it with the same filter and the same order.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// List sites.
///
/// A user sees the sites where they have a permission. Nobody can create a site by hand: a site opens automatically
/// when a terminal is ordered to an address where the company has no site yet.
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
    let by_name = filter.sort.as_deref().is_some_and(|sort| matches!(sort, "name" | "-name"));
    if by_name && company.is_none() {
        return Err(Problem::at("?sort", "sort-needs-company"));
    }
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

/// Show a site.
#[utoipa::path(
    get, path = "/v1/sites/{site_id}", operation_id = "show_site", tag = "sites", security(("session" = []), ("service" = [])),
    params(("site_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The site", body = SiteBody),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
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

/// Fields to change. Omitted fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SiteChange)]
pub(crate) struct ChangeBody {
    #[schema(example = "Boutique du centre")]
    name: Option<String>,
    address: Option<AddressBody>,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
}

/// Change a site's name or address.
///
/// Allowed for administrators, and for users with *manage company* at the site.
#[utoipa::path(
    patch, path = "/v1/sites/{site_id}", operation_id = "change_site", tag = "sites", request_body = ChangeBody,
    security(("session" = []), ("service" = [])), params(("site_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Changed"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Another site of the company has this address, or a name that is alike", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
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
    let needed = Need::at(Permission::ManageCompany, site);
    api.permit(&caller, Scope::CompaniesWrite, company, needed).await?;
    let mut faults = Faults::default();
    let name = body.name.map(|name| {
        faults.check("/name", SiteName::parse(&name), |fault| match fault {
            InvalidSiteName::Text => "site-name-invalid",
            InvalidSiteName::Link => "name-with-scheme",
        })
    });
    let address = body.address.map(|address| address.check("/address", &mut faults));
    let because = faults.because(&caller, "/reason", body.reason);
    let because = faults.finish(Some(because))?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let (address, name) = (address.flatten(), name.flatten());
    let changed =
        to_its_end(async move { api.app.change_site(&context, company, site, address, name).await });
    changed.await?.map(Done).map_err(|failure| Problem::of(failure, at))
}
