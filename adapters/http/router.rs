//! All routes, and the middleware in front of them.

use std::future::ready;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::{Router, middleware};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use loquet_domain::Moment;
use loquet_domain::app::NewOrder;
use loquet_domain::ports::Tokens;

use crate::extractors::shape;
use crate::middleware::precondition::Commands;
use crate::middleware::{every_request, idempotency, rate_limits};
use crate::openapi as description;
use crate::portal;
use crate::responses::problem;
use crate::routes::orders::OrderBody;
use crate::routes::{
    accounts, activity, audit, bulk, companies, dead_letters, dev_mail, devices, events, feed, groups,
    health, links, lockouts, logins, metrics, orders, pages, permissions, problems, receipts, search,
    sessions, sites, staff, support, takeovers, terminals,
};
use crate::state::Api;

/// Where the description of the API is, if it is served.
const DESCRIPTION_URL: &str = "/openapi.json";

fn described() -> OpenApiRouter<Arc<Api>> {
    description::begun()
        .routes(routes!(orders::place, orders::list))
        .routes(routes!(orders::show))
        .routes(routes!(orders::resolve))
        .routes(routes!(dead_letters::list))
        .routes(routes!(sessions::log_out))
        .routes(routes!(accounts::finding::list, accounts::admission::create))
        .routes(routes!(accounts::finding::show, accounts::profile::change, accounts::ending::delete))
        .routes(routes!(accounts::history::lockout))
        .routes(routes!(accounts::admission::convert))
        .routes(routes!(accounts::admission::activation_mail))
        .routes(routes!(accounts::admission::password_reset_mail))
        .routes(routes!(accounts::ending::release))
        .routes(routes!(accounts::ending::erase))
        .routes(routes!(accounts::history::logins))
        .routes(routes!(accounts::history::mails))
        .routes(routes!(events::of_account))
        .routes(routes!(events::of_company))
        .routes(routes!(feed::feed))
        .routes(routes!(sessions::list, sessions::end_all))
        .routes(routes!(sessions::end))
        .routes(routes!(devices::list, devices::forget_all))
        .routes(routes!(devices::forget))
        .routes(routes!(accounts::admission::change_role))
        .routes(routes!(staff::list, staff::invite))
        .routes(routes!(support::diagnosis))
        .routes(routes!(lockouts::list))
        .routes(routes!(activity::count))
        .routes(routes!(audit::checkpoints::list))
        .routes(routes!(audit::what_if::ask))
        .routes(routes!(audit::exports::begin, audit::exports::list))
        .routes(routes!(audit::exports::show))
        .routes(routes!(audit::exports::download))
        .routes(routes!(search::search))
        .routes(routes!(accounts::second_step::show))
        .routes(routes!(accounts::second_step::reset))
        .merge(of_companies())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::readyz_for_logins))
        .routes(routes!(metrics::metrics))
}

/// Companies, their sites, terminals, groups, receipts and take-overs.
fn of_companies() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(companies::list))
        .routes(routes!(companies::show, companies::change))
        .routes(routes!(companies::erasure::erase))
        .routes(routes!(sites::list))
        .routes(routes!(sites::show, sites::change))
        .routes(routes!(terminals::of_site))
        .routes(routes!(terminals::list))
        .routes(routes!(terminals::show))
        .routes(routes!(terminals::of_terminal))
        .routes(routes!(terminals::assign))
        .routes(routes!(terminals::note_serial))
        .routes(routes!(terminals::release))
        .routes(routes!(bulk::assign))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::show, groups::change, groups::delete))
        .routes(routes!(groups::members))
        .routes(routes!(groups::set_member, groups::remove_member))
        .routes(routes!(permissions::ask))
        .routes(routes!(permissions::of_account))
        .routes(routes!(permissions::at_site))
        .routes(routes!(receipts::show, receipts::save))
        .routes(routes!(receipts::preview_text, receipts::try_text))
        .routes(routes!(receipts::preview_picture, receipts::try_picture))
        .routes(routes!(receipts::of_terminal))
        .routes(routes!(takeovers::list, takeovers::open))
        .routes(routes!(takeovers::show))
        .routes(routes!(takeovers::confirm))
        .routes(routes!(takeovers::complete))
        .routes(routes!(takeovers::cancel))
}

/// Routes whose requests contain a password, or whose answers contain a person's data. They accept no idempotency
/// key: not even a keyed hash of a password is stored, a wrong password is checked again each time, and no copy of a
/// person's data stays behind.
fn with_secrets() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::password::change))
        .routes(routes!(accounts::personal_data::export))
        .routes(routes!(accounts::second_step::propose))
        .routes(routes!(accounts::second_step::confirm))
        .routes(routes!(accounts::second_step::replace_recovery_codes))
        .routes(routes!(accounts::second_step::disable))
}

/// Routes for callers without a token. Their requests are limited, because answering one costs more than
/// sending it, or because the answer depends on a secret.
fn for_anonymous() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(links::activate))
        .routes(routes!(links::request_reset))
        .routes(routes!(links::confirm_reset))
        .routes(routes!(logins::log_in))
        .routes(routes!(logins::second_step))
}

/// Returns the description of the API (OpenAPI 3.1) that `/openapi.json` serves.
#[must_use]
pub fn openapi() -> serde_json::Value {
    description::complete(&described().merge(with_secrets()).merge(for_anonymous()).into_openapi())
}

/// Reads an order as it is delivered in a file or by Kafka: the body of `place_order` (JSON).
///
/// # Errors
/// Every fault in English, each as `pointer: what is wrong`.
pub fn read_order(json: &[u8], tokens: &dyn Tokens, now: Moment) -> Result<NewOrder, Vec<String>> {
    shape::describe_by(openapi);
    OrderBody::read(json, tokens, now)
}

/// The routes of callers with a token, without middleware.
pub(crate) fn queries(api: Arc<Api>) -> Router {
    let (routes, _) = described().split_for_parts();
    routes
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(api)
}

/// Returns all routes.
pub fn router(api: Arc<Api>) -> Router {
    shape::describe_by(openapi);
    let limited = middleware::from_fn_with_state(api.clone(), rate_limits::anonymous);
    let anonymous = for_anonymous().layer(limited.clone());
    // Only these routes store answers: an answer to an anonymous caller may contain a session token, and must
    // not be stored.
    let commands = Commands { api: api.clone(), queries: queries(api.clone()) };
    let once = middleware::from_fn_with_state(commands, idempotency::once);
    let described = described().layer(once).merge(with_secrets()).merge(anonymous);
    let (described, description) = described.split_for_parts();
    let viewer = api.docs.then(|| {
        // As text, the description takes a tenth of the memory that it would take as values.
        let description = Bytes::from(description::complete(&description).to_string());
        let answer = move || ready(([(CONTENT_TYPE, "application/json")], description.clone()));
        let viewer = SwaggerUi::new("/docs").config(Config::from(DESCRIPTION_URL));
        Router::from(viewer).route(DESCRIPTION_URL, get(answer))
    });
    // The pages ask the same routes as programs do, within this process.
    let inner = described.clone().with_state(api.clone());
    let portal = portal::routes(api.clone(), inner, queries);
    let mut router = described
        .merge(pages::routes().layer(limited))
        .merge(problems::routes())
        .fallback(problem::no_such_route);
    if api.dev_mail.is_some() {
        router = router.merge(dev_mail::routes());
    }
    let around = every_request::Around { api: api.clone(), past: queries };
    let around = middleware::from_fn_with_state(around, every_request::every_request);
    let router = router.with_state(api).merge(portal).method_not_allowed_fallback(problem::no_such_method);
    let router = match viewer {
        Some(viewer) => router.merge(viewer),
        None => router,
    };
    router.layer(around)
}
