//! Orders that came as messages and could not be taken.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loquet_http_ports::dead_letters::DeadLetter;
use loquet_http_ports::scope::Scope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::state::Shared;

/// An order that could not be taken.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct DeadLetterBody {
    /// Where the order is: topic, partition and offset.
    #[schema(example = "loquet.orders.v1/3/1042")]
    id: String,
    /// When it was found that it can't be taken.
    since: DateTime<Utc>,
    /// Why it can't be taken, in English.
    reason: String,
}

impl From<DeadLetter> for DeadLetterBody {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { id, since, reason } = letter;
        Self { id, since, reason }
    }
}

/// List the orders from Kafka that could not be taken.
///
/// The list is empty if no orders are taken from Kafka. An operator sees their contents, and sends them again
/// (`loquet order dead-letters`). Requires the scope `orders:read`.
#[utoipa::path(
    get, path = "/v1/dead-letters", operation_id = "list_dead_letters", tag = "orders", security(("service" = [])),
    responses(
        (status = 200, description = "The dead letters, the oldest first", body = Page<DeadLetterBody>),
        (status = 503, description = "Kafka can't be read now", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(State(api): Shared, caller: Caller) -> Result<Json<Page<DeadLetterBody>>, Problem> {
    caller.service(Scope::OrdersRead)?;
    let position = api.store.head().await?;
    let letters = match &api.dead_letters {
        Some(dead_letters) => dead_letters.list().await?,
        None => Vec::new(),
    };
    // A past knows of no later ones.
    let now = (api.clock)();
    let items = letters.into_iter().filter(|letter| letter.since <= now).map(DeadLetterBody::from).collect();
    Ok(Json(Page::whole(items, position)))
}
