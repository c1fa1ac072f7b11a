//! The HTTP API under `/v1`, its documentation, the pages that mailed links lead to, and health. It knows
//! only ports.
//!
//! A request goes from `server` through `middleware` to a handler in `routes`. Handlers read their input with
//! `extractors`, and answer with `responses`. `router` lists every route.
#![forbid(unsafe_code)]

mod authorisation;
mod caller;
mod design;
mod dev_hosts;
mod extractors;
mod limits;
mod middleware;
mod openapi;
mod past;
mod pictures;
mod portal;
mod readiness_probe;
mod request_parts;
mod response_timing;
mod responses;
mod router;
mod routes;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod words;

pub use design::branding::{Branding, BrandingRefused, Colour};
pub use dev_hosts::DevHosts;
pub use limits::company_mails::CompanyMails;
pub use limits::limiter::{Limiter, Limits, Rate};
pub use limits::shares::{Followers, UnderWay};
pub use middleware::stored_answer::{answer_with_positions, positions_of_answer};
pub use past::{History, Past, Pasts};
pub use pictures::logo::Drawing;
pub use readiness_probe::Probe;
pub use response_timing::refusal_step;
pub use router::{openapi, read_order, router};
pub use routes::accounts::personal_data::text::event_in_words;
pub use routes::events::EventBody;
pub use routes::metrics::metrics_router;
pub use routes::search::SearchBody;
pub use routes::support::DiagnosisBody;
pub use server::{Connections, serve};
pub use state::Api;
