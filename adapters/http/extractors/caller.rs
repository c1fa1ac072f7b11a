//! Reads the caller of a request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use loquet_domain::app::Authenticated;
use loquet_domain::fact::{Client, StaffRole};
use loquet_domain::ids::CorrelationId;
use loquet_http_ports::scope::scopes_of;
use loquet_http_ports::service_tokens::{PREFIX, Service, TokenFamily, hash_of};

use crate::caller::{Arrival, Caller};
use crate::request_parts::{ClientAddress, RequestId, bearer};
use crate::responses::problem::Problem;
use crate::state::Api;

impl FromRequestParts<Arc<Api>> for Arrival {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<ClientAddress>().map(|client| client.0);
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        // `to_str` accepts ASCII only.
        let agent = agent.map(|agent| agent.get(..256).unwrap_or(agent).to_owned());
        let id = parts.extensions.get::<RequestId>().map_or_else(|| api.identities.fresh(), |id| id.0);
        let correlation = CorrelationId(id);
        let client = Client { address: address.map(|address| address.to_string()), agent };
        Ok(Self { at: (api.clock)(), address, correlation, client })
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        // A past does not know the tokens of now.
        if let Some(KnownCaller(service)) = parts.extensions.get() {
            let caller = Self::Service(service.clone());
            note_look(&caller, parts);
            return Ok(caller);
        }
        let token = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let caller = caller_of(api, token, parts.uri.path()).await?;
        note_look(&caller, parts);
        Ok(caller)
    }
}

/// Logs what a member of the staff asks for. The query is left out, because it may be a customer's name.
fn note_look(caller: &Caller, parts: &Parts) {
    if let Caller::Service(service) = caller
        && let Some(role) = service.role
    {
        tracing::info!(
            target: "loquet_access",
            name = service.name,
            role = role.name(),
            method = parts.method.as_str(),
            path = parts.uri.path(),
            "staff asked"
        );
    }
}

/// A caller who was identified in the present, for a question about the past.
#[derive(Clone)]
pub(crate) struct KnownCaller(pub(crate) Arc<Service>);

/// The caller whose token this is, at a path.
pub(crate) async fn caller_of(api: &Api, token: &str, path: &str) -> Result<Caller, Problem> {
    let now = (api.clock)();
    if token.starts_with(PREFIX) {
        let service = api.service_tokens.find(token, now).await?;
        return service.map(Caller::Service).ok_or_else(Problem::unauthenticated);
    }
    let person = api.app.authenticate(now, token).await?.ok_or_else(Problem::unauthenticated)?;
    let role = person.profile.role.of_staff();
    match role.filter(|_| !is_about(path, &person)) {
        Some(role) => of_staff(api, person, role).await,
        None => Ok(Caller::Person(Box::new(person))),
    }
}

/// Whether a request is about the caller's own account. There, a member of the staff is a person like others.
fn is_about(path: &str, person: &Authenticated) -> bool {
    let own = path.strip_prefix("/v1/accounts/").and_then(|rest| rest.split('/').next());
    own.and_then(|id| id.parse().ok()) == Some(person.account) || path == "/v1/sessions/current"
}

/// A member of the staff acts with the scopes of their role. Without the second step, they act for nobody but themselves.
async fn of_staff(api: &Api, person: Authenticated, role: StaffRole) -> Result<Caller, Problem> {
    let account = api.app.account(person.account).await?;
    let has_second_step = account.active().is_some_and(|active| active.second_step.is_some());
    let Some(known) = person.profile.person.known().filter(|_| has_second_step) else {
        return Ok(Caller::Person(Box::new(person)));
    };
    // Their name is in the log in the open, as that of whoever has a personal token: see [`Actor::Staff`].
    let name = format!("{} {}", known.given_name.as_str(), known.family_name.as_str());
    let family = TokenFamily(hash_of(&person.account.to_string()));
    Ok(Caller::Service(Arc::new(Service { name, scopes: scopes_of(role), role: Some(role), family })))
}
