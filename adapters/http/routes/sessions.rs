//! Sessions: list them and end them.

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use loquet_domain::account::{Session, SessionEnd};
use loquet_domain::ids::{AccountId, SessionId};
use loquet_projections::people::client_at;
use loquet_projections::table::{Row, find};
use loquet_projections::views::sessions::SessionsRow;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::{Arrival, Caller};
use crate::extractors::query::{AtLeast, Params};
use crate::responses::carry_out::carry_out;
use crate::responses::done::Done;
use crate::responses::page::Page;
use crate::responses::problem::{Problem, ProblemBody};
use crate::responses::tagged::Tagged;
use crate::routes::reasons::Why;
use crate::state::Shared;
use loquet_http_ports::scope::Scope;

/// A valid session.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedSession)]
pub(crate) struct SessionBody {
    session_id: Uuid,
    started_at: DateTime<Utc>,
    /// When it was last used, accurate to a few seconds.
    last_seen_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// Whether this request was made with this session.
    current: bool,
    /// The address from which the session was opened.
    client_address: Option<String>,
    client_agent: Option<String>,
}

/// List the valid sessions of an account, the newest first.
#[utoipa::path(
    get, path = "/v1/accounts/{account_id}/sessions", operation_id = "list_sessions", tag = "logins",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), AtLeast),
    responses(
        (status = 200, description = "The sessions", body = Page<SessionBody>),
        (status = 404, description = "The account does not exist, or you may not see it", body = ProblemBody, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    State(api): Shared,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(at_least): Params<AtLeast>,
) -> Result<Tagged<Page<SessionBody>>, Problem> {
    let id = AccountId(id);
    caller.owns(Scope::AccountsRead, id)?;
    api.profile(id).await?;
    let position = api.reach(SessionsRow::VIEW, &at_least).await?;
    let current = caller.person().ok().map(|person| person.session);
    let now = (api.clock)();
    let row = find::<SessionsRow>(api.rows.as_ref(), id.to_string()).await?;
    let held = row.into_iter().flat_map(|row| row.sessions).filter(|session| now < session.expires_at);
    let mut items = Vec::new();
    for session in held.collect::<Vec<_>>().into_iter().rev() {
        let held = Session {
            id: session.session_id,
            started_at: session.started_at,
            expires_at: session.expires_at,
            device: None,
        };
        let Some(last_seen_at) = api.app.last_use(&held, now).await? else {
            continue;
        };
        let client =
            client_at(api.store.as_ref(), api.codec.as_ref(), session.client_at).await?.unwrap_or_default();
        items.push(SessionBody {
            session_id: session.session_id.0,
            started_at: session.started_at,
            last_seen_at,
            expires_at: session.expires_at,
            current: current == Some(session.session_id),
            client_address: client.address,
            client_agent: client.agent,
        });
    }
    Ok(Tagged(Page { items, next_cursor: None, position: position.0 }))
}

/// End every session of an account.
#[utoipa::path(
    delete, path = "/v1/accounts/{account_id}/sessions", operation_id = "end_all_sessions", tag = "logins",
    security(("session" = []), ("service" = [])), params(("account_id" = Uuid, Path), Why),
    responses((status = 204, description = "Ended"), (status = 404, description = "There is no such account", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn end_all(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path(id): Path<Uuid>,
    Params(why): Params<Why>,
) -> Result<Done, Problem> {
    let id = AccountId(id);
    caller.owns(Scope::AccountsWrite, id)?;
    let (at, context) = (arrival.at, caller.context(&arrival, why.check(&caller)?));
    carry_out(at, async move { api.app.end_sessions(&context, id).await }).await
}

/// End one session of an account.
#[utoipa::path(
    delete, path = "/v1/accounts/{account_id}/sessions/{session_id}", operation_id = "end_session", tag = "logins",
    security(("session" = []), ("service" = [])),
    params(("account_id" = Uuid, Path), ("session_id" = Uuid, Path), Why),
    responses((status = 204, description = "Ended"), (status = 404, description = "There is no such session", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn end(
    State(api): Shared,
    caller: Caller,
    arrival: Arrival,
    Path((id, session)): Path<(Uuid, Uuid)>,
    Params(why): Params<Why>,
) -> Result<Done, Problem> {
    let (id, session) = (AccountId(id), SessionId(session));
    caller.owns(Scope::AccountsWrite, id)?;
    let (at, context) = (arrival.at, caller.context(&arrival, why.check(&caller)?));
    carry_out(at, async move { api.app.end_session(&context, id, session, SessionEnd::Revoked).await }).await
}

/// Log out: end the session of this request.
#[utoipa::path(
    delete, path = "/v1/sessions/current", operation_id = "log_out", tag = "logins", security(("session" = [])),
    responses((status = 204, description = "Logged out"), (status = 401, description = "No session", body = ProblemBody, content_type = "application/problem+json"))
)]
pub(crate) async fn log_out(State(api): Shared, caller: Caller, arrival: Arrival) -> Result<Done, Problem> {
    let person = caller.person()?;
    let (account, session) = (person.account, person.session);
    let (at, context) = (arrival.at, arrival.of(person));
    carry_out(at, async move { api.app.end_session(&context, account, session, SessionEnd::LoggedOut).await })
        .await
}
