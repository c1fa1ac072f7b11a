//! The history of an account or of a company, event by event.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::fact::{Actor, Fact};
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::ports::{EventCodec, Position, RecordedEvent, Revision};
use loquet_domain::schema::{self, DomainEvent};
use loquet_domain::{access, account, company, terminals};
use loquet_projections::people::Unreadable;
use loquet_projections::ports::{Cursor, Order};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::extractors::query::Params;
use crate::responses::faults::Faults;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::state::{Api, Shared};
use loquet_http_ports::scope::Scope;

/// An event, as people and programs may read it. It contains no password hash and no data of an erased person.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    /// The event's position in the log.
    position: u64,
    /// The stream to which the event belongs.
    #[schema(example = "account-0198c0de-0000-4000-8000-000000000000")]
    stream: String,
    /// The event's number in its stream, from 1.
    revision: u64,
    event_id: Uuid,
    /// The type of event, such as `account-locked`.
    #[schema(example = "login-failed")]
    r#type: String,
    /// The version of the event's format.
    version: u16,
    at: DateTime<Utc>,
    /// Who acted: `stranger` (an anonymous caller), `account`, `service`, `staff`, `system` or `operator`, with an id
    /// or a name.
    #[schema(value_type = Object, example = json!({ "kind": "staff", "name": "Sofie Maes", "role": "support" }))]
    actor: Actor,
    correlation_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<Uuid>,
    /// The open part of the event, which every reader of the log can see.
    #[schema(value_type = Object)]
    data: Value,
    /// The part that is encrypted with the account's key. Absent if it can no longer be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    personal: Option<Value>,
}

impl EventBody {
    /// Reads an event for programs: without its sealed part, and without a key.
    ///
    /// # Errors
    /// [`Unreadable`] where it can't be read.
    pub fn open(codec: &dyn EventCodec, recorded: &RecordedEvent) -> Result<Self, Unreadable> {
        Ok(Self::of(recorded, codec.decode_open(recorded)?, None))
    }

    /// Reads an event for showing it.
    ///
    /// # Errors
    /// [`Unreadable`] where it can't be read.
    pub async fn read(codec: &dyn EventCodec, recorded: &RecordedEvent) -> Result<Self, Unreadable> {
        let fact = codec.decode(recorded).await?;
        let personal = personal(&fact);
        Ok(Self::of(recorded, fact, personal))
    }

    fn of(recorded: &RecordedEvent, fact: Fact<DomainEvent>, personal: Option<Value>) -> Self {
        Self {
            position: recorded.position.0,
            stream: recorded.stream.to_string(),
            revision: recorded.revision.0,
            event_id: fact.id.0,
            r#type: recorded.event.name.clone(),
            version: recorded.event.version,
            at: fact.context.at,
            actor: fact.context.actor,
            correlation_id: fact.context.correlation.0,
            causation_id: fact.context.causation.map(|id| id.0),
            data: serde_json::from_slice(&recorded.event.data).unwrap_or(Value::Null),
            personal,
        }
    }
}

impl EventBody {
    /// The event as a company's people see it: without support's reason, and without how support checked who asked. A
    /// reason that the company's own people gave stays.
    pub(crate) fn without_proofs(mut self) -> Self {
        if !matches!(self.actor, Actor::Account { .. })
            && let Some(fields) = self.personal.as_mut().and_then(Value::as_object_mut)
        {
            fields.remove("reason");
            self.personal =
                self.personal.filter(|fields| fields.as_object().is_some_and(|held| !held.is_empty()));
        }
        self
    }

    /// The event on one line, for a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        let at = self.at.format("%Y-%m-%dT%H:%M:%SZ");
        let actor = match &self.actor {
            Actor::Anonymous => "stranger".to_owned(),
            Actor::Account { account_id } => format!("account {account_id}"),
            Actor::Service { name } => format!("service {name}"),
            Actor::Staff { name, role } => format!("{role} {name}"),
            Actor::System { reaction } => format!("reaction {reaction}"),
            Actor::Operator => "operator".to_owned(),
        };
        let personal = self.personal.as_ref().map(|fields| format!(" {fields}")).unwrap_or_default();
        let (position, stream, revision, name) = (self.position, &self.stream, self.revision, &self.r#type);
        format!("{position:>8}  {at}  {name:<26} {stream}@{revision}  by {actor}  {}{personal}", self.data)
    }
}

/// The fields of the sealed part that are shown. All other fields stay hidden: password hashes, secrets of the second
/// step, recovery codes, and fields that a later version adds.
const SHOWN: [&str; 16] = [
    "email",
    "given_name",
    "family_name",
    "reason",
    "client_address",
    "client_agent",
    "registration",
    "number",
    "legal_name",
    "trading_name",
    "address",
    "site_name",
    "sites",
    "delivery_addresses",
    "layout",
    "logo",
];

fn personal(fact: &Fact<DomainEvent>) -> Option<Value> {
    let schema::Stored { private, of_company, .. } = schema::write(&fact.event);
    let private = match of_company {
        Some((_, of_company)) => private.with_company(of_company),
        None => private,
    };
    let private = private.with_client(fact.context.client.as_ref()).with_reason(fact.context.reason.clone());
    let mut fields = serde_json::to_value(&private).ok()?;
    let object = fields.as_object_mut()?;
    object.retain(|name, _| SHOWN.contains(&name.as_str()));
    (!object.is_empty()).then(|| json!(object))
}

/// The part of a history to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventFilter {
    /// `position`: the oldest first. `-position`: the newest first.
    sort: Option<String>,
    /// `next_cursor` of the previous page.
    cursor: Option<String>,
    /// The maximum number of items: 1 to 200. Default: 50.
    limit: Option<u32>,
    /// Answer only when all events up to this log position are included.
    at_least: Option<u64>,
}

/// Which events a page has: those after a place, in the order that was asked for.
struct Wanted {
    order: Order,
    size: usize,
    /// The place of the last event on the page before.
    after: Option<u64>,
}

impl EventFilter {
    fn check(&self) -> Result<Wanted, Problem> {
        let mut faults = Faults::default();
        let size = faults.limit(self.limit);
        let order = faults.order(self.sort.as_deref(), "position");
        let after = faults.number_cursor(self.cursor.as_deref());
        faults.finish_query()?;
        Ok(Wanted { order, size, after: self.cursor.is_some().then_some(after) })
    }
}

impl Wanted {
    /// The page's events of some that are in ascending order. `place` says where an event is. There is one more than the page
    /// has, if more follow.
    fn of<'a>(
        &self,
        events: &'a [RecordedEvent],
        place: fn(&RecordedEvent) -> u64,
        is_shown: impl Fn(&RecordedEvent) -> bool,
    ) -> Vec<&'a RecordedEvent> {
        let follows = |event: &&RecordedEvent| match (self.order, self.after) {
            (_, None) => true,
            (Order::Ascending, Some(after)) => place(event) > after,
            (Order::Descending, Some(after)) => place(event) < after,
        };
        let shown = events.iter().filter(|event| is_shown(event)).filter(follows);
        match self.order {
            Order::Ascending => shown.take(self.size + 1).collect(),
            Order::Descending => shown.rev().take(self.size + 1).collect(),
        }
    }

    /// The page that answers.
    async fn page(
        &self,
        api: &Api,
        caller: &Caller,
        events: Vec<&RecordedEvent>,
        place: fn(&RecordedEvent) -> u64,
        position: Position,
    ) -> Result<Tagged<Page<EventBody>>, Problem> {
        let mut rows = Vec::with_capacity(events.len());
        for recorded in events {
            let body = EventBody::read(api.codec.as_ref(), recorded).await?;
            let body = if caller.reads_proofs() { body } else { body.without_proofs() };
            rows.push((Cursor { value: String::new(), key: place(recorded).to_string() }, body));
        }
        Ok(Tagged(Page::of(rows, self.size, position)))
    }
}

/// The take-overs of an account in which the reader's company had no part: they are hidden from the reader. A person
/// who was moved sees their own take-over.
fn others_take_overs(
    caller: &Caller,
    id: AccountId,
    codec: &dyn EventCodec,
    events: &[RecordedEvent],
) -> Result<BTreeSet<Revision>, Unreadable> {
    let mut hidden = BTreeSet::new();
    if matches!(caller, Caller::Person(person) if person.account != id) {
        let mut held = None;
        for recorded in events.iter().filter(|event| OF_COMPANIES.contains(&event.event.name.as_str())) {
            match codec.decode_open(recorded)?.event {
                DomainEvent::Account(account::Event::AccountCreated { company, .. }) => held = Some(company),
                DomainEvent::Account(account::Event::AccountMoved { company, .. }) => {
                    if held.is_some_and(|from| !caller.has_part(from, company)) {
                        hidden.insert(recorded.revision);
                    }
                    held = Some(company);
                }
                _ => {}
            }
        }
    }
    Ok(hidden)
}

/// The events that say to which company an account belongs.
const OF_COMPANIES: [&str; 2] = ["account-created", "account-moved"];

/// List all events of an account.
///
/// Only callers with the scope `support:read` see why the supplier's staff did something, and how they checked the
/// person's identity. Only the two companies of a take-over, and a person who moved with it, see it in the list.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/events", operation_id = "list_account_events", tag = "accounts",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), EventFilter),
    responses(
        (status = 200, description = "A page of events", body = Page<EventBody>),
        (status = 404, description = "The account does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn of_account(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(filter): Params<EventFilter>,
) -> Result<Tagged<Page<EventBody>>, Problem> {
    let id = AccountId(id);
    caller.sees(Scope::EventsRead, id, &api.profile(id).await?)?;
    let wanted = filter.check()?;
    let stream = account::stream(id);
    let position = api.log_at(Position(filter.at_least.unwrap_or(0))).await?;
    let events = api.store.read_stream(&stream, Revision::default()).await?;
    let hidden = others_take_overs(&caller, id, api.codec.as_ref(), &events)?;
    let place = |event: &RecordedEvent| event.revision.0;
    let shown = wanted.of(&events, place, |event| !hidden.contains(&event.revision));
    wanted.page(&api, &caller, shown, place, position).await
}

/// List all events of a company.
///
/// They are the events of the company itself, of its sites, terminals and groups. Only programs and the supplier's staff can read
/// them: they also tell of take-overs, in which another company has a part. Requires the scope `events:read`.
#[utoipa::path(
    get, path = "/v1/companies/{company_id}/events", operation_id = "list_company_events", tag = "companies",
    security(("service" = [])),
    params(("company_id" = Uuid, Path), EventFilter),
    responses(
        (status = 200, description = "A page of events", body = Page<EventBody>),
        (status = 403, description = "You may not see it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "The company does not exist", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn of_company(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(filter): Params<EventFilter>,
) -> Result<Tagged<Page<EventBody>>, Problem> {
    caller.service(Scope::EventsRead)?;
    let wanted = filter.check()?;
    let id = CompanyId(id);
    let position = api.log_at(Position(filter.at_least.unwrap_or(0))).await?;
    let mut events = api.store.read_stream(&company::stream(id), Revision::default()).await?;
    if events.is_empty() {
        return Err(Problem::not_found());
    }
    for stream in [terminals::stream(id), access::stream(id)] {
        events.extend(api.store.read_stream(&stream, Revision::default()).await?);
    }
    events.sort_unstable_by_key(|event| event.position);
    let place = |event: &RecordedEvent| event.position.0;
    let shown = wanted.of(&events, place, |_| true);
    wanted.page(&api, &caller, shown, place, position).await
}
