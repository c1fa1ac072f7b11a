//! Support's search: accounts, companies, sites and terminals by name, address or number.

use std::collections::BTreeSet;

use axum::extract::State;
use loquet_domain::account::Role;
use loquet_domain::ports::Position;
use loquet_domain::search::{InvalidQuery, Query};
use loquet_projections::search::{AccountHit, CompanyHit, Hits, Search, SearchFailed};
use loquet_projections::table::Row;
use loquet_projections::views::accounts::AccountRow;
use loquet_projections::views::companies::CompanyRow;
use loquet_projections::views::people::PersonRow;
use loquet_projections::views::sites::SiteRow;
use loquet_projections::views::terminals::TerminalRow;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::extractors::query::{AtLeast, Params};
use crate::responses::faults::Faults;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::addresses::AddressBody;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;
use loquet_http_ports::service_tokens::Service;

/// The default number of results of each kind.
const USUAL: u32 = 10;

/// What is searched for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Sought {
    /// One of: a whole e-mail address; words, or beginnings of words, of a person's name, a company's name, or a site's
    /// name and address; an enterprise number or its beginning, in any usual spelling; a terminal's serial number or a
    /// part of it. Words of a person and of their company can be combined. Case and accents do not matter. At least one word must have three letters or digits.
    #[param(example = "dupont", min_length = 1, max_length = 200)]
    q: String,
    /// The maximum number of results of each kind: 1 to 200. Default: 10.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// The results of one kind.
#[derive(Serialize, ToSchema)]
pub(crate) struct HitsBody<T> {
    items: Vec<T>,
    /// Whether there may be more results. Search for more words to see them.
    more: bool,
}

/// An account that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundAccount)]
pub(crate) struct AccountBody {
    account_id: Uuid,
    /// The path of the account.
    #[schema(example = "/v1/accounts/0198c0de-0000-4000-8000-000000000000")]
    href: String,
    #[schema(example = "marie@boulangerie.example")]
    email: String,
    #[schema(example = "Marie")]
    given_name: String,
    #[schema(example = "Dupont")]
    family_name: String,
    #[schema(value_type = String, example = "administrator")]
    role: Role,
    /// `awaiting_activation` or `active`.
    #[schema(example = "active")]
    status: &'static str,
    company_id: Uuid,
    company_name: Option<String>,
}

/// A company that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundCompany)]
pub(crate) struct CompanyBody {
    company_id: Uuid,
    href: String,
    /// The path that lists the company's accounts.
    accounts_href: String,
    #[schema(example = "Boulangerie Dupont SRL")]
    legal_name: String,
    trading_name: Option<String>,
    #[schema(example = "BE")]
    country: String,
    #[schema(example = "0123456749")]
    enterprise_number: String,
}

/// A site that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundSite)]
pub(crate) struct SiteBody {
    site_id: Uuid,
    href: String,
    #[schema(example = "Rue Neuve, Bruxelles")]
    name: String,
    address: AddressBody,
    company_id: Uuid,
    company_name: Option<String>,
}

/// A terminal that was found.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundTerminal)]
pub(crate) struct TerminalBody {
    terminal_id: Uuid,
    href: String,
    serial: Option<String>,
    #[schema(example = "PAX A920 Mobile")]
    model: String,
    site_id: Uuid,
    company_id: Uuid,
    company_name: Option<String>,
}

/// The results. A kind that the token may not see is null.
#[derive(Serialize, ToSchema)]
#[schema(as = SearchResult)]
pub struct SearchBody {
    accounts: Option<HitsBody<AccountBody>>,
    companies: Option<HitsBody<CompanyBody>>,
    sites: Option<HitsBody<SiteBody>>,
    terminals: Option<HitsBody<TerminalBody>>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// Search for accounts, companies, sites and terminals by what a person on the telephone knows.
///
/// Requires the scope `support:read`. Accounts are shown only with the scope `accounts:read`, and companies, sites and
/// terminals only with `companies:read`. The program's log records who searched and the number of results, but not the
/// search text.
#[utoipa::path(
    get, path = "/v1/support/search", operation_id = "search", tag = "support", params(Sought), security(("service" = [])),
    responses(
        (status = 200, description = "The results, by kind", body = SearchBody),
        (status = 422, description = "The text is too short or too long to search for", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn search(
    State(api): Shared,
    caller: Caller,
    Params(sought): Params<Sought>,
) -> Result<Tagged<SearchBody>, Problem> {
    let service = caller.service(Scope::SupportRead)?;
    let mut faults = Faults::default();
    let most = faults.limit(sought.limit.or(Some(USUAL)));
    faults.finish_query()?;
    let mut faults = Faults::default();
    let query = faults.check("?q", Query::parse(&sought.q), |error| match error {
        InvalidQuery::TooShort => "search-too-short",
        InvalidQuery::TooLong => "search-too-long",
    });
    let query = faults.finish(query)?;
    api.admit_search(service)?;
    let at_least = AtLeast { at_least: sought.at_least };
    let position = api.searchable(&at_least).await?;
    let search = Search {
        rows: api.rows.as_ref(),
        store: api.store.as_ref(),
        codec: api.codec.as_ref(),
        tokens: api.app.tokens(),
        most,
    };
    let found = SearchBody::find(&search, &query, &service.scopes, position).await;
    let found = found.map_err(|why| match why {
        SearchFailed::Rows(why) => Problem::from(why),
        SearchFailed::Log(why) => Problem::from(why),
    })?;
    found.note(service);
    Ok(Tagged(found))
}

impl Api {
    /// Waits until all searched views have reached the position of the query. Returns the position that all have
    /// reached.
    async fn searchable(&self, at_least: &AtLeast) -> Result<Position, Problem> {
        let views = [PersonRow::VIEW, AccountRow::VIEW, CompanyRow::VIEW, SiteRow::VIEW, TerminalRow::VIEW];
        let mut furthest_behind = Position(u64::MAX);
        for view in views {
            furthest_behind = furthest_behind.min(self.reach(view, at_least).await?);
        }
        Ok(furthest_behind)
    }
}

impl SearchBody {
    /// Searches everything that these scopes may see.
    ///
    /// # Errors
    /// [`SearchFailed`].
    pub async fn find(
        search: &Search<'_>,
        query: &Query,
        scopes: &BTreeSet<Scope>,
        position: Position,
    ) -> Result<Self, SearchFailed> {
        let nothing = SearchBody {
            accounts: None,
            companies: None,
            sites: None,
            terminals: None,
            position: position.0,
        };
        let accounts = match (scopes.contains(&Scope::AccountsRead), query) {
            (false, _) => None,
            (true, Query::Email(email)) => Some(search.account_of(email).await?),
            (true, Query::Words(words)) => Some(search.people(words).await?),
        };
        let accounts = accounts.map(|hits| HitsBody::of(hits, |hit| Some(AccountBody::of(hit))));
        if !scopes.contains(&Scope::CompaniesRead) {
            return Ok(Self { accounts, ..nothing });
        }
        let Query::Words(words) = query else {
            let (companies, sites, terminals) = (HitsBody::none(), HitsBody::none(), HitsBody::none());
            let (companies, sites, terminals) = (Some(companies), Some(sites), Some(terminals));
            return Ok(Self { accounts, companies, sites, terminals, ..nothing });
        };
        let companies = HitsBody::of(search.companies(words).await?, CompanyBody::of);
        let sites = HitsBody::of(search.sites(words).await?, SiteBody::of);
        let terminals = HitsBody::of(search.terminals(words).await?, |hit| Some(TerminalBody::of(hit)));
        let (companies, sites, terminals) = (Some(companies), Some(sites), Some(terminals));
        Ok(Self { accounts, companies, sites, terminals, ..nothing })
    }

    /// Logs who searched and the number of results. It leaves out the search text, which may be a customer's name.
    fn note(&self, service: &Service) {
        let count = |items: Option<usize>| items.unwrap_or_default();
        tracing::info!(
            target: "loquet_access",
            name = service.name,
            role = service.role.map_or("program", loquet_domain::fact::StaffRole::name),
            accounts = count(self.accounts.as_ref().map(|hits| hits.items.len())),
            companies = count(self.companies.as_ref().map(|hits| hits.items.len())),
            sites = count(self.sites.as_ref().map(|hits| hits.items.len())),
            terminals = count(self.terminals.as_ref().map(|hits| hits.items.len())),
            "somebody searched"
        );
    }
}

impl<T> HitsBody<T> {
    fn none() -> Self {
        Self { items: Vec::new(), more: false }
    }

    fn of<H>(hits: Hits<H>, body: impl Fn(H) -> Option<T>) -> Self {
        Self { items: hits.items.into_iter().filter_map(body).collect(), more: hits.more }
    }
}

fn name_of(company: Option<CompanyRow>) -> Option<String> {
    company.and_then(|company| company.legal_name().map(ToOwned::to_owned))
}

impl AccountBody {
    fn of(hit: AccountHit) -> Self {
        let AccountHit { account, person, company } = hit;
        Self {
            account_id: account.account_id.0,
            href: format!("/v1/accounts/{}", account.account_id),
            email: person.email.to_string(),
            given_name: person.given_name.as_str().to_owned(),
            family_name: person.family_name.as_str().to_owned(),
            role: account.role,
            status: account.status.word(),
            company_id: account.company_id.0,
            company_name: name_of(company),
        }
    }
}

impl CompanyBody {
    /// Returns `None` if the company's key is missing.
    fn of(row: CompanyRow) -> Option<Self> {
        let details = row.details?;
        Some(Self {
            company_id: row.company_id.0,
            href: format!("/v1/companies/{}", row.company_id),
            accounts_href: format!("/v1/accounts?company={}", row.company_id),
            legal_name: details.legal_name.as_str().to_owned(),
            trading_name: details.trading_name.map(|name| name.as_str().to_owned()),
            country: details.country.to_string(),
            enterprise_number: details.enterprise_number,
        })
    }
}

impl SiteBody {
    /// Returns `None` if the company's key is missing.
    fn of(hit: CompanyHit<SiteRow>) -> Option<Self> {
        let CompanyHit { row, company } = hit;
        let place = row.place?;
        Some(Self {
            site_id: row.site_id.0,
            href: format!("/v1/sites/{}", row.site_id),
            name: place.name.as_str().to_owned(),
            address: place.address.into(),
            company_id: row.company_id.0,
            company_name: name_of(company),
        })
    }
}

impl TerminalBody {
    fn of(hit: CompanyHit<TerminalRow>) -> Self {
        let CompanyHit { row, company } = hit;
        Self {
            terminal_id: row.terminal_id.0,
            href: format!("/v1/terminals/{}", row.terminal_id),
            serial: row.serial.map(|serial| serial.to_string()),
            model: row.model.as_str().to_owned(),
            site_id: row.site_id.0,
            company_id: row.company_id.0,
            company_name: name_of(company),
        }
    }
}
