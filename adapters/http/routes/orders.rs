//! Orders.

use std::collections::HashSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use loquet_domain::Moment;
use loquet_domain::app::{Decision, NewOrder};
use loquet_domain::company::Registration;
use loquet_domain::fact::Actor;
use loquet_domain::ids::OrderId;
use loquet_domain::order::{Channel, Contact, Content, Line, MAX_LINES, Outcome, Resolution};
use loquet_domain::ports::{Position, Tokens};
use loquet_domain::values::enterprise_number::Country;
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::language::Language;
use loquet_domain::values::plain_text::visible;
use loquet_domain::values::serial_number::SerialNumber;
use loquet_domain::values::terminal_model::TerminalModel;
use loquet_projections::people::{event_at, person_at};
use loquet_projections::table::{Row, RowQuery, find, select};
use loquet_projections::views::orders::OrderRow;
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::{Arrival, Because, Caller};
use crate::extractors::body::Body;
use crate::extractors::numbers::whole;
use crate::extractors::query::{AtLeast, Params};
use crate::extractors::shape;
use crate::responses::carry_out::to_its_end;
use crate::responses::created::Created;
use crate::responses::faults::Faults;
use crate::responses::localize::{as_places, say};
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::addresses::AddressBody;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// How many terminals one order has at most: they are added before it is answered.
const MOST_TERMINALS: u64 = 10_000;

/// The company that ordered.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderingCompany)]
pub(crate) struct CompanyBody {
    #[schema(example = "BE")]
    country: String,
    #[schema(example = "0123456749")]
    enterprise_number: String,
    #[schema(example = "Boulangerie Dupont SRL")]
    legal_name: String,
    trading_name: Option<String>,
    registered_office: AddressBody,
}

/// The person who placed the order.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderContact)]
pub(crate) struct ContactBody {
    #[schema(example = "marie@boulangerie.example")]
    email: String,
    #[schema(example = "Marie")]
    given_name: String,
    #[schema(example = "Dupont")]
    family_name: String,
    /// The person's language: fr, nl or en.
    #[schema(example = "fr")]
    language: String,
}

/// Terminals of one model for one address.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderLine)]
pub(crate) struct LineBody {
    #[schema(example = "PAX A920 Mobile")]
    model: String,
    #[schema(minimum = 1, maximum = 10000)]
    #[schema(value_type = u32)]
    quantity: Number,
    /// The serial numbers: as many as the quantity, or none.
    #[serde(default)]
    serials: Option<Vec<String>>,
    delivery_address: AddressBody,
}

/// An order.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Order)]
pub(crate) struct OrderBody {
    #[schema(example = "SO-2026-000123")]
    order_id: String,
    channel: ChannelBody,
    placed_at: DateTime<Utc>,
    company: CompanyBody,
    contact: ContactBody,
    lines: Vec<LineBody>,
}

/// Where an order was placed.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Channel)]
pub(crate) enum ChannelBody {
    /// On the supplier's website.
    Online,
    /// By telephone, by mail or at the counter.
    Offline,
}

/// The result of an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlacedBody {
    order_id: String,
    company_id: Uuid,
    account_id: Uuid,
    #[schema(value_type = OutcomeBody)]
    outcome: Outcome,
    /// Serial numbers that belong to terminals of other companies. The order waits until support checks them. Absent if
    /// there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused_serials: Vec<String>,
    /// Serial numbers that terminals of this company had before. No terminal was added for them. Absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    present_serials: Vec<String>,
    /// The position of the event in the log.
    position: u64,
}

/// What happened to the order's contact.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Outcome)]
#[expect(dead_code, reason = "describes the domain's own enum in the documentation")]
pub(crate) enum OutcomeBody {
    /// The company is new. The contact became its administrator.
    FirstOrder,
    /// The contact became a temporary administrator. An administrator must admit them.
    TemporaryAdministrator,
    /// The contact already has an account of this company.
    KnownContact,
    /// The contact has an account of another company. Support must decide.
    AwaitingSupport,
}

/// Deliver an order.
///
/// If the same order is delivered again, nothing changes. Requires the scope `orders:write`.
#[utoipa::path(
    post, path = "/v1/orders", operation_id = "place_order", tag = "orders", request_body = OrderBody, security(("service" = [])),
    responses(
        (status = 201, description = "The order was accepted", body = PlacedBody, headers(("Location" = String, description = "The place of what was made, relative to this request"))),
        (status = 200, description = "The order was delivered before", body = PlacedBody),
        (status = 409, description = "Another order has this number", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The order breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn place(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Body(body): Body<OrderBody>,
) -> Result<Response, Problem> {
    caller.service(Scope::OrdersWrite)?;
    let order = body.check(api.app.tokens(), arrival.at)?;
    let order_id = order.content.id.to_string();
    // No role of the supplier's staff delivers orders. Should one ever do so, it has to give a reason.
    let mut faults = Faults::default();
    let because = faults.because(&caller, "/reason", None);
    let because = faults.finish(Some(because))?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let placed = to_its_end(async move { api.app.place_order(&context, order).await }).await?;
    let placed = placed.map_err(|failure| Problem::of(failure, at))?;
    let body = PlacedBody {
        order_id: order_id.clone(),
        company_id: placed.onboarded.company.0,
        account_id: placed.onboarded.account.0,
        outcome: placed.onboarded.outcome,
        refused_serials: placed.refused.iter().map(ToString::to_string).collect(),
        present_serials: placed.present.iter().map(ToString::to_string).collect(),
        position: placed.position.0,
    };
    Ok(match placed.new {
        true => Created::new("orders", order_id, body).into_response(),
        false => Json(body).into_response(),
    })
}

impl OrderBody {
    /// Reads an order as it is delivered, by HTTP or in a file.
    ///
    /// # Errors
    /// Every fault, each as `pointer: rule`.
    pub(crate) fn read(json: &[u8], tokens: &dyn Tokens, now: Moment) -> Result<NewOrder, Vec<String>> {
        let operation = shape::operation(&Method::POST, "/v1/orders");
        let checked =
            crate::extractors::body::read::<Self>(json, operation).and_then(|body| body.check(tokens, now));
        checked.map_err(|problem| {
            let whys = problem.places.into_iter().map(|(_, why)| visible(&why).into_owned());
            whys.chain(problem.faults.into_iter().map(|fault| {
                let said = say(Language::En, fault.rule, &as_places(&fault.places));
                format!("{}: {said}", visible(&fault.pointer))
            }))
            .collect()
        })
    }

    fn check(self, tokens: &dyn Tokens, now: Moment) -> Result<NewOrder, Problem> {
        let mut faults = Faults::default();
        let id = faults.check("/order_id", OrderId::parse(&self.order_id), |_| "order-id-invalid");
        let earliest = Moment::from_timestamp(946_684_800, 0).unwrap_or(Moment::MIN_UTC);
        if self.placed_at < earliest || self.placed_at > now + TimeDelta::days(1) {
            faults.add("/placed_at", "date-absurd");
        }
        let company = self.company.check(&mut faults);
        let contact = self.contact.check(&mut faults);
        let lines = check_lines(self.lines, &mut faults);
        let order = id.zip(company).zip(contact).map(|((id, company), contact)| NewOrder {
            content: Content {
                id,
                channel: match self.channel {
                    ChannelBody::Online => Channel::Online,
                    ChannelBody::Offline => Channel::Offline,
                },
                placed_at: self.placed_at,
                company: Erasable::Known(company),
                language: contact.language,
                email_hash: tokens.email_hash(&contact.person.email),
                lines,
            },
            contact,
        });
        faults.finish(order)
    }
}

impl CompanyBody {
    fn check(self, faults: &mut Faults) -> Option<Registration> {
        let country =
            faults.check("/company/country", Country::parse(&self.country).ok_or(()), |()| "country-unknown");
        let number = country.and_then(|country| {
            faults.enterprise_number("/company/enterprise_number", country, &self.enterprise_number)
        });
        let mut name = |pointer: &str, text: &str| faults.company_name(pointer, text);
        let legal_name = name("/company/legal_name", &self.legal_name);
        let trading_name = self.trading_name.as_deref().map(|text| name("/company/trading_name", text));
        let registered_office = self.registered_office.check("/company/registered_office", faults);
        Some(Registration {
            number: number?,
            legal_name: legal_name?,
            trading_name: trading_name.flatten(),
            registered_office: registered_office?,
        })
    }
}

impl ContactBody {
    fn check(self, faults: &mut Faults) -> Option<Contact> {
        let person = faults.person("/contact", &self.email, &self.given_name, &self.family_name);
        let language = faults.language("/contact/language", &self.language);
        Some(Contact { person: person?, language: language? })
    }
}

fn check_lines(lines: Vec<LineBody>, faults: &mut Faults) -> Vec<Line> {
    if lines.is_empty() || lines.len() > MAX_LINES {
        faults.add_with("/lines", "lines-count", "most", MAX_LINES);
        return Vec::new();
    }
    let quantities = lines.iter().filter_map(|line| whole(&line.quantity)).map(u64::from);
    if quantities.fold(0, u64::saturating_add) > MOST_TERMINALS {
        faults.add_with("/lines", "terminals-count", "most", MOST_TERMINALS);
    }
    let mut seen = HashSet::new();
    let lines = lines.into_iter().enumerate();
    lines.filter_map(|(n, line)| line.check(&format!("/lines/{n}"), &mut seen, faults)).collect()
}

impl LineBody {
    fn check(self, under: &str, seen: &mut HashSet<SerialNumber>, faults: &mut Faults) -> Option<Line> {
        let model =
            faults.check(&format!("{under}/model"), TerminalModel::parse(&self.model), |_| "model-unknown");
        let quantity = whole(&self.quantity).filter(|quantity| (1..=10_000).contains(quantity));
        if quantity.is_none() {
            faults.add(format!("{under}/quantity"), "quantity-range");
        }
        let written = self.serials.unwrap_or_default();
        if !written.is_empty() && u32::try_from(written.len()).ok() != quantity {
            faults.add(format!("{under}/serials"), "serials-count");
        }
        let mut serials = Vec::with_capacity(written.len());
        for (n, serial) in written.iter().enumerate() {
            match SerialNumber::parse(serial) {
                Ok(serial) if seen.insert(serial.clone()) => serials.push(serial),
                _ => faults.add(format!("{under}/serials/{n}"), "serial-invalid"),
            }
        }
        let delivery_address = self.delivery_address.check(&format!("{under}/delivery_address"), faults)?;
        let delivery_address = Erasable::Known(delivery_address);
        Some(Line { model: model?.as_str().to_owned(), quantity: quantity?, serials, delivery_address })
    }
}

/// An order.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderSummary {
    order_id: String,
    company_id: Uuid,
    account_id: Uuid,
    /// Absent until the order is processed.
    #[schema(value_type = Option<OutcomeBody>)]
    outcome: Option<Outcome>,
    placed_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    /// The contact's e-mail address. Absent if the person was erased.
    contact_email: Option<String>,
    /// Serial numbers of the order that belong to terminals of other companies. These terminals were not added.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused_serials: Vec<String>,
    /// Support's decision about the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<ResolutionBody>,
    /// The log position up to which the answer includes all events.
    position: u64,
}

/// Support's decision: what, by whom, when and why.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderResolution)]
pub(crate) struct ResolutionBody {
    decision: DecisionBody,
    /// The account of the contact who was named.
    account_id: Option<Uuid>,
    /// The person or program that decided.
    #[schema(value_type = Object, example = json!({ "kind": "staff", "name": "Sofie Maes", "role": "support" }))]
    by: Actor,
    at: DateTime<Utc>,
    /// The reason. Absent if the person concerned was erased, or if the caller lacks the scope `support:read`.
    reason: Option<String>,
}

/// The possible decisions about an order that waits for support.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrderDecision)]
pub(crate) enum DecisionBody {
    /// Another person of the company becomes its temporary administrator. If the order registered the company and nobody
    /// administers it yet, this person becomes its administrator. If this person already has an account of the company,
    /// the account stays as it is.
    ContactNamed,
    /// No account is created. If the order waits for serial numbers of other companies' terminals, it gives them up: those
    /// terminals are not added, even when the other companies release them.
    NobodyAdded,
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrderToResolve)]
pub(crate) struct ToResolve {
    decision: DecisionBody,
    /// Required with `contact_named`: the person. This can't be the contact of the order, who has an account of another
    /// company.
    contact: Option<ContactBody>,
    #[schema(required = true, value_type = String, example = "Called the company: Jan runs this shop")]
    reason: Option<String>,
}

/// A decision that was carried out.
#[derive(Serialize, ToSchema)]
#[schema(as = ResolvedOrder)]
pub(crate) struct ResolvedBody {
    order_id: String,
    decision: DecisionBody,
    /// The account of the contact who was named.
    account_id: Option<Uuid>,
    /// The position of the event in the log.
    position: u64,
}

impl ToResolve {
    fn check(self) -> Result<(Decision, Because), Problem> {
        let mut faults = Faults::default();
        let because = faults.because_stated("/reason", self.reason);
        let decision = match (self.decision, self.contact) {
            (DecisionBody::NobodyAdded, None) => Some(Decision::AddNobody),
            (DecisionBody::NobodyAdded, Some(_)) => {
                faults.add("/contact", "contact-unwanted");
                None
            }
            (DecisionBody::ContactNamed, Some(contact)) => {
                contact.check(&mut faults).map(Decision::NameContact)
            }
            (DecisionBody::ContactNamed, None) => {
                faults.add("/contact", "contact-required");
                None
            }
        };
        Ok((faults.finish(decision)?, because))
    }
}

fn decided(resolution: Resolution) -> (DecisionBody, Option<Uuid>) {
    match resolution {
        Resolution::ContactNamed { account_id } => (DecisionBody::ContactNamed, Some(account_id.0)),
        Resolution::NobodyAdded => (DecisionBody::NobodyAdded, None),
    }
}

/// Decide about an order that waits for support.
///
/// Its contact already has an account of another company, and a person has only one login. If the same decision is sent
/// again, nothing changes. Requires the scope `orders:resolve`.
#[utoipa::path(
    post, path = "/v1/orders/{order_id}/resolution", operation_id = "resolve_order", tag = "orders", request_body = ToResolve,
    security(("service" = [])), params(("order_id" = String, Path, description = "The order's number")),
    responses(
        (status = 200, description = "The decision is made. The order no longer waits", body = ResolvedBody),
        (status = 404, description = "There is no such order", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The order does not wait for this decision, another decision was made, or the contact has an account of another company", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The decision breaks rules. The answer lists all of them", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn resolve(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<String>,
    Body(body): Body<ToResolve>,
) -> Result<Json<ResolvedBody>, Problem> {
    caller.service(Scope::OrdersResolve)?;
    let id = OrderId::parse(&id).map_err(|_| Problem::not_found())?;
    let order_id = id.to_string();
    let (decision, because) = body.check()?;
    let (at, context) = (arrival.at, caller.context(&arrival, because));
    let resolved = to_its_end(async move { api.app.resolve_order(&context, &id, decision).await }).await?;
    let (resolution, position) = resolved.map_err(|failure| Problem::of(failure, at))?;
    let (decision, account_id) = decided(resolution);
    Ok(Json(ResolvedBody { order_id, decision, account_id, position: position.0 }))
}

/// The statuses of an order.
pub(crate) const STATUSES: [&str; 4] = ["awaiting_support", "resolved", "onboarded", "received"];

/// A filter for orders.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrderFilter {
    /// `awaiting_support`, `resolved` (by support), `onboarded` or `received`.
    status: Option<String>,
    /// Only the orders of this company.
    company: Option<Uuid>,
    /// `received_at`: the oldest first. `-received_at`: the newest first.
    sort: Option<String>,
    /// `next_cursor` of the previous page. Send it with the same filter and the same order.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// List orders, for example those that wait for support.
#[utoipa::path(
    get, path = "/v1/orders", operation_id = "list_orders", tag = "orders", params(OrderFilter), security(("service" = [])),
    responses((status = 200, description = "A page of orders", body = Page<OrderSummary>))
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Params(filter): Params<OrderFilter>,
) -> Result<Tagged<Page<OrderSummary>>, Problem> {
    caller.service(Scope::OrdersRead)?;
    let mut faults = Faults::default();
    let size = faults.limit(filter.limit);
    faults.one_of("status", filter.status.as_deref(), &STATUSES);
    let order = faults.order(filter.sort.as_deref(), "received_at");
    let after = faults.cursor(filter.cursor.as_deref());
    faults.finish_query()?;
    let position = api.reach(OrderRow::VIEW, &AtLeast { at_least: filter.at_least }).await?;
    let by = match (filter.company, filter.status) {
        (Some(company), Some(status)) => {
            OrderRow::BY_COMPANY_AND_STATUS.under(format_args!("{company}/{status}"))
        }
        (Some(company), None) => OrderRow::BY_COMPANY.under(company),
        (None, Some(status)) => OrderRow::BY_STATUS.under(status),
        (None, None) => OrderRow::BY_RECEIPT.all(),
    };
    let wanted = RowQuery { by: Some(by), order, after, limit: size + 1 };
    let rows = select(api.rows.as_ref(), wanted).await?;
    let mut orders = Vec::with_capacity(rows.len());
    for (key, row) in rows {
        orders.push((key, summary(&api, &caller, row, position.0).await?));
    }
    Ok(Tagged(Page::of(orders, size, position)))
}

/// Show an order.
#[utoipa::path(
    get, path = "/v1/orders/{order_id}", operation_id = "show_order", tag = "orders", security(("service" = [])),
    params(("order_id" = String, Path, description = "The order's number"), AtLeast),
    responses(
        (status = 200, description = "The order", body = OrderSummary),
        (status = 404, description = "It does not exist", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn show(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<String>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<OrderSummary>, Problem> {
    caller.service(Scope::OrdersRead)?;
    let position = api.reach(OrderRow::VIEW, &at_least).await?;
    let row = find::<OrderRow>(api.rows.as_ref(), id).await?.ok_or_else(Problem::not_found)?;
    Ok(Tagged(summary(&api, &caller, row, position.0).await?))
}

async fn summary(api: &Api, caller: &Caller, row: OrderRow, position: u64) -> Result<OrderSummary, Problem> {
    let person = person_at(api.store.as_ref(), api.codec.as_ref(), row.person_at).await?;
    let resolution = match row.resolved {
        Some((resolution, at)) => resolution_at(api, caller, resolution, at).await?,
        None => None,
    };
    Ok(OrderSummary {
        order_id: row.order_id.to_string(),
        company_id: row.company_id.0,
        account_id: row.account_id.0,
        outcome: row.outcome,
        placed_at: row.placed_at,
        received_at: row.received_at,
        contact_email: person.known().map(|person| person.email.to_string()),
        refused_serials: row.refused_serials.iter().map(ToString::to_string).collect(),
        resolution,
        position,
    })
}

/// Reads a decision from the log.
async fn resolution_at(
    api: &Api,
    caller: &Caller,
    resolution: Resolution,
    position: Position,
) -> Result<Option<ResolutionBody>, Problem> {
    let noted = event_at(api.store.as_ref(), api.codec.as_ref(), position).await?;
    let (decision, account_id) = decided(resolution);
    Ok(noted.map(|noted| {
        let context = noted.fact.context;
        let reason = context.reason.filter(|_| caller.reads_proofs());
        ResolutionBody { decision, account_id, by: context.actor, at: context.at, reason }
    }))
}
