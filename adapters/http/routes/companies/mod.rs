//! Companies.

pub(crate) mod erasure;

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::company::{AddressKind, Description, SiteAtOffice};
use loquet_domain::ids::CompanyId;
use loquet_domain::ports::Position;
use loquet_domain::values::address::Address;
use loquet_domain::values::enterprise_number::{Country, EnterpriseNumber};
use loquet_domain::values::permission::Permission;
use loquet_projections::collation::{beginning_of_name, name_begins};
use loquet_projections::ports::Order;
use loquet_projections::table::{Row, RowQuery, find, select_where};
use loquet_projections::views::companies::CompanyRow;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::authorisation::Need;
use crate::caller::{Arrival, Because, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::carry_out;
use crate::responses::done::Done;
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::addresses::AddressBody;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// A company.
#[derive(Serialize, ToSchema)]
#[schema(as = Company)]
pub(crate) struct CompanyBody {
    company_id: Uuid,
    #[schema(example = "BE")]
    country: String,
    #[schema(example = "0123456749")]
    enterprise_number: String,
    #[schema(example = "Boulangerie Dupont SRL")]
    legal_name: String,
    trading_name: Option<String>,
    registered_office: Option<AddressBody>,
    invoicing_address: Option<AddressBody>,
    correspondence_address: Option<AddressBody>,
    registered_at: DateTime<Utc>,
    /// The order that created it.
    order_id: String,
    /// The number of the company's administrators. If there is none, support admits or creates one.
    administrators: usize,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// Returns `None` if the company's key is missing.
fn body(row: CompanyRow, position: Position) -> Option<CompanyBody> {
    let mut details = row.details?;
    let mut address = |kind| details.addresses.remove(&kind).map(AddressBody::from);
    Some(CompanyBody {
        registered_office: address(AddressKind::RegisteredOffice),
        invoicing_address: address(AddressKind::Invoicing),
        correspondence_address: address(AddressKind::Correspondence),
        company_id: row.company_id.0,
        country: details.country.to_string(),
        enterprise_number: details.enterprise_number,
        legal_name: details.legal_name.as_str().to_owned(),
        trading_name: details.trading_name.map(|name| name.as_str().to_owned()),
        registered_at: row.registered_at,
        order_id: row.order_id.to_string(),
        administrators: row.administrators.len(),
        position: position.0,
    })
}

/// A filter for companies.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CompanyFilter {
    /// Only the company with this enterprise number, in any of the usual spellings.
    enterprise_number: Option<String>,
    /// Only companies whose legal or trading name begins with this text. Case and accents do not matter.
    name: Option<String>,
    /// With `true`, only companies without an administrator: support must give them one.
    without_administrator: Option<bool>,
    /// `registered_at`: the oldest first. `-registered_at`: the newest first. With `name`, the list is sorted by name.
    sort: Option<String>,
    /// `next_cursor` of the previous page. Send it with the same filter and the same order.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// List companies.
///
/// Requires the scope `companies:read`.
#[utoipa::path(
    get, path = "/v1/companies", operation_id = "list_companies", tag = "companies", params(CompanyFilter), security(("service" = [])),
    responses((status = 200, description = "A page of companies", body = Page<CompanyBody>))
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<CompanyFilter>,
) -> Result<Tagged<Page<CompanyBody>>, Problem> {
    caller.service(Scope::CompaniesRead)?;
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    let order = faults.order(filter.sort.as_deref(), "registered_at");
    let after = faults.cursor(filter.cursor.as_deref());
    let alone = filter.without_administrator == Some(true);
    faults.finish_query()?;
    let position = api.reach(CompanyRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    // A text that is no number of a register finds nothing.
    let numbered = filter.enterprise_number.as_deref().map(|text| {
        let countries = [Country::Belgium, Country::Netherlands];
        let mut read =
            countries.into_iter().filter_map(|country| EnterpriseNumber::parse(country, text).ok());
        read.next()
            .map_or_else(|| text.to_owned(), |number| format!("{}/{}", number.country(), number.digits()))
    });
    let by = match (&numbered, &filter.name) {
        (Some(number), _) => CompanyRow::BY_NUMBER.beginning(number.as_str()),
        (None, Some(name)) => CompanyRow::BY_NAME.beginning(beginning_of_name(name)),
        (None, None) if alone => CompanyRow::WITHOUT_ADMINISTRATOR.all(),
        (None, None) => CompanyRow::BY_REGISTRATION.all(),
    };
    // Rows by name come in the order of names; only ascending makes sense of a beginning.
    let order = if filter.name.is_some() { Order::Ascending } else { order };
    let wanted = RowQuery { by: Some(by), order, after, limit: size + 1 };
    let fits = |row: &CompanyRow| {
        let has = |number: &String| {
            row.details
                .as_ref()
                .is_some_and(|held| *number == format!("{}/{}", held.country, held.enterprise_number))
        };
        numbered.as_ref().is_none_or(has)
            && (!alone || row.administrators.is_empty())
            && filter.name.as_ref().is_none_or(|text| row.names().iter().any(|name| name_begins(name, text)))
    };
    let rows = select_where(api.rows.as_ref(), wanted, fits).await?.into_iter();
    let companies = rows.filter_map(|(cursor, row)| Some((cursor, body(row, position)?)));
    Ok(Tagged(Page::of(companies.collect(), size, position)))
}

/// Show a company.
///
/// A person sees their own company. A token with the scope `companies:read` sees every company.
#[utoipa::path(
    get, path = "/v1/companies/{company_id}", operation_id = "show_company", tag = "companies", security(("session" = []), ("service" = [])),
    params(("company_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The company", body = CompanyBody),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<CompanyBody>, Problem> {
    Api::company_asked(&caller, Some(id))?;
    let position = api.reach(CompanyRow::VIEW, &at_least).await?;
    let row = find::<CompanyRow>(api.rows.as_ref(), id.to_string()).await?;
    Ok(Tagged(row.and_then(|row| body(row, position)).ok_or_else(Problem::not_found)?))
}

/// Fields to change. Omitted fields keep their value. `null` removes the value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CompanyChange)]
#[expect(clippy::option_option, reason = "a field left out keeps its value, and `null` removes it")]
pub(crate) struct ChangeBody {
    legal_name: Option<String>,
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    trading_name: Option<Option<String>>,
    registered_office: Option<AddressBody>,
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<AddressBody>)]
    invoicing_address: Option<Option<AddressBody>>,
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<AddressBody>)]
    correspondence_address: Option<Option<AddressBody>>,
    /// When the registered office changes and a site has the old address: the site gets the new address (`moves`, the
    /// default) or keeps the old one (`stays`).
    #[serde(default)]
    site_at_office: SiteAtOfficeBody,
    /// The reason. Required from the supplier's staff.
    #[schema(example = "Their administrator asked for it by telephone")]
    reason: Option<String>,
    /// The number in the register of the company's country. Only support changes it. The present number, in any spelling,
    /// changes nothing.
    #[schema(example = "0123.456.749")]
    enterprise_number: Option<String>,
}

/// What happens to a site at the address of the registered office when the office moves.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SiteAtOffice)]
pub(crate) enum SiteAtOfficeBody {
    /// The site gets the new address.
    #[default]
    Moves,
    /// The site keeps its address.
    Stays,
}

/// Reads a field that is present. Tells `null` from an omitted field.
pub(crate) fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

impl ChangeBody {
    fn check(self, caller: &Caller, present: &EnterpriseNumber) -> Result<(Description, Because), Problem> {
        let mut faults = Faults::default();
        let number = self.enterprise_number.as_deref();
        let number =
            number.and_then(|text| faults.enterprise_number("/enterprise_number", present.country(), text));
        let because = faults.because(caller, "/reason", self.reason);
        let mut name = |pointer: &str, text: &str| faults.company_name(pointer, text);
        let legal_name = self.legal_name.as_deref().and_then(|text| name("/legal_name", text));
        let trading_name =
            self.trading_name.map(|text| text.as_deref().and_then(|text| name("/trading_name", text)));
        let mut addresses: BTreeMap<AddressKind, Option<Address>> = BTreeMap::new();
        let wanted = [
            (AddressKind::RegisteredOffice, "/registered_office", self.registered_office.map(Some)),
            (AddressKind::Invoicing, "/invoicing_address", self.invoicing_address),
            (AddressKind::Correspondence, "/correspondence_address", self.correspondence_address),
        ];
        for (kind, pointer, address) in wanted {
            if let Some(address) = address {
                let address = address.and_then(|address| address.check(pointer, &mut faults));
                addresses.insert(kind, address);
            }
        }
        let site_at_office = match self.site_at_office {
            SiteAtOfficeBody::Moves => SiteAtOffice::Moves,
            SiteAtOfficeBody::Stays => SiteAtOffice::Stays,
        };
        let addresses = addresses.into_iter().collect();
        let description = Description { legal_name, trading_name, number, addresses, site_at_office };
        faults.finish(Some((description, because)))
    }
}

/// Change a company's names and addresses: all given fields, or none of them.
///
/// Allowed for the company's administrators. Support can also change the enterprise number. The company keeps its id, its
/// sites and its people, and orders with its former numbers are still its own.
#[utoipa::path(
    patch, path = "/v1/companies/{company_id}", operation_id = "change_company", tag = "companies", request_body = ChangeBody,
    security(("session" = []), ("service" = [])), params(("company_id" = Uuid, Path)),
    responses(
        (status = 204, description = "Changed"),
        (status = 404, description = "It does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "Only support can change the enterprise number, another company has the number, or another site has the address of the new office", body = ProblemBody, content_type = "application/problem+json"),
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
    let id = CompanyId(id);
    let needed = Need::everywhere(Permission::ManageCompany);
    api.permit(&caller, Scope::CompaniesWrite, id, needed).await?;
    let held = api.app.company(id).await?.state;
    let present = &held.registered.as_deref().ok_or_else(Problem::not_found)?.number;
    let (description, because) = body.check(&caller, present)?;
    let other = description.number.as_ref().is_some_and(|number| number != present);
    if other && caller.person().is_ok() {
        return Err(Problem::contact_support());
    }
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move { api.app.describe_company(&context, id, description).await }).await
}

impl Api {
    /// The company's row, for answers that show a part of it.
    pub(crate) async fn company_row(&self, company: CompanyId) -> Result<Option<CompanyRow>, Problem> {
        Ok(find::<CompanyRow>(self.rows.as_ref(), company.to_string()).await?)
    }
}
