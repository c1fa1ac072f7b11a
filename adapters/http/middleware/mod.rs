//! Middleware: steps before the handlers, for all requests or for some kinds of requests.

pub(crate) mod as_of;
mod buffered_body;
mod conditional;
pub(crate) mod every_request;
pub(crate) mod idempotency;
pub(crate) mod precondition;
pub(crate) mod rate_limits;
pub(crate) mod request_identity;
pub(crate) mod stored_answer;
