//! The erasure of a company that bears a person's name.

use axum::extract::{Path, State};
use loquet_domain::company::{InUse, Refusal};
use loquet_domain::ids::CompanyId;
use loquet_projections::index::Lookup;
use loquet_projections::table::{Row, RowQuery, select};
use loquet_projections::views::accounts::AccountRow;
use loquet_projections::views::takeovers::TakeOverRow;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::body::Body;
use crate::extractors::query::AtLeast;
use crate::responses::carry_out::carry_out;
use crate::responses::done::Done;
use crate::responses::problem::{Problem, ProblemBody};
use crate::routes::accounts::ending::ReasonBody;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// Erase a company.
///
/// For a sole trader, whose company bears a person's name and may be at their home. This deletes the keys of the company's
/// names, number and addresses, of those of its sites, and of its receipts. It can't be undone. Release its terminals and
/// delete its accounts first. A later order with the same number registers a new company.
#[utoipa::path(
    post, path = "/v1/companies/{company_id}/erasure", operation_id = "erase_company", tag = "companies", request_body = ReasonBody,
    security(("service" = [])), params(("company_id" = Uuid, Path)),
    responses(
        (status = 204, description = "The company is erased"),
        (status = 404, description = "There was never such a company", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It has terminals or accounts, or takes part in an open take-over", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn erase(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Body(body): Body<ReasonBody>,
) -> Result<Done, Problem> {
    caller.service(Scope::AccountsDelete)?;
    let (id, because) = (CompanyId(id), body.check()?);
    api.unused(id).await?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    carry_out(at, async move {
        let erased = api.app.erase_company(&context, id).await?;
        api.history.open.close_all();
        Ok(erased)
    })
    .await
}

impl Api {
    /// Checks that nobody has an account of the company, and that it takes part in no open take-over. The use case checks the
    /// rest.
    async fn unused(&self, company: CompanyId) -> Result<(), Problem> {
        let now = AtLeast { at_least: Some(self.store.head().await?.0) };
        self.reach(AccountRow::VIEW, &now).await?;
        self.reach(TakeOverRow::VIEW, &now).await?;
        for status in ["awaiting_activation", "active"] {
            let accounts = AccountRow::BY_COMPANY_AND_STATUS.under(format_args!("{company}/{status}"));
            self.none(accounts, InUse::Accounts).await?;
        }
        for status in ["open", "completing"] {
            let takeovers = TakeOverRow::BY_COMPANY_AND_STATUS.under(format_args!("{company}/{status}"));
            self.none(takeovers, InUse::TakeOver).await?;
        }
        Ok(())
    }

    async fn none<R: Row>(&self, by: Lookup<R>, otherwise: InUse) -> Result<(), Problem> {
        let wanted = RowQuery { by: Some(by), limit: 1, ..RowQuery::default() };
        match select(self.rows.as_ref(), wanted).await?.is_empty() {
            true => Ok(()),
            false => Err(Problem::of_company(Refusal::InUse(otherwise))),
        }
    }
}
