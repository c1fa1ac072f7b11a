//! Reads the caller of a request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use loquet_domain::fact::Client;
use loquet_domain::ids::CorrelationId;
use loquet_http_ports::service_tokens::PREFIX;

use crate::caller::{Arrival, Caller};
use crate::request_parts::{ClientAddress, RequestId, bearer};
use crate::responses::problem::Problem;
use crate::state::Api;

impl FromRequestParts<Arc<Api>> for Arrival {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<ClientAddress>().map(|client| client.0);
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent = agent.map(|agent| agent.chars().take(256).collect());
        let id = parts.extensions.get::<RequestId>().map_or_else(|| api.identities.fresh(), |id| id.0);
        let correlation = CorrelationId(id);
        let client = Client { address: address.map(|address| address.to_string()), agent };
        Ok(Self { at: (api.clock)(), address, correlation, client })
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let now = (api.clock)();
        if token.starts_with(PREFIX) {
            // A past has the time of its own, and a token is valid or not now.
            let now = api.history.present.as_ref().map_or(now, |present| present());
            let service = api.service_tokens.find(token, now).await?;
            return service.map(Self::Service).ok_or_else(Problem::unauthenticated);
        }
        let person = api.app.authenticate(now, token).await?;
        person.map(|person| Self::Person(Box::new(person))).ok_or_else(Problem::unauthenticated)
    }
}
