//! The portal: pages for people, rendered on the server. They work without JavaScript.
//!
//! A page asks the routes of the API within this process, as the person who is logged in. So each rule is decided where it is
//! for programs too, and a page decides none.

mod audit;
mod entry;
mod exports;
mod groups;
mod help;
mod numbers;
mod overview;
mod own;
mod paging;
mod second_step;
mod sites;
mod support;
mod takeovers;
mod terminals;
mod users;
mod visit;

use std::sync::Arc;

use axum::Router;

#[cfg(test)]
pub(crate) use help::ARTICLES;

use crate::design::assets;
use crate::middleware::as_of::Routes;
use crate::state::Api;

/// What the pages use.
pub(crate) struct Portal {
    pub(crate) api: Arc<Api>,
    /// The routes of the API.
    pub(crate) inner: Router,
    /// Makes the routes of the API over a past.
    pub(crate) past: Routes,
}

/// The routes of all pages. `inner` has the routes of the API, and `past` makes those over a past.
pub(crate) fn routes(api: Arc<Api>, inner: Router, past: Routes) -> Router {
    Router::new()
        .merge(entry::routes())
        .merge(help::routes())
        .merge(own::routes())
        .merge(second_step::routes())
        .merge(overview::routes())
        .merge(sites::routes())
        .merge(terminals::routes())
        .merge(users::routes())
        .merge(groups::routes())
        .merge(takeovers::routes())
        .merge(support::routes())
        .merge(numbers::routes())
        .merge(audit::routes())
        .merge(exports::routes())
        .merge(assets::routes())
        .merge(api.branding.routes())
        .with_state(Arc::new(Portal { api, inner, past }))
}
