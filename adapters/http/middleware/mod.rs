//! What every request, or every request of a kind, goes through before its handler.

mod buffered_body;
mod conditional;
pub(crate) mod every_request;
pub(crate) mod idempotency;
pub(crate) mod rate_limits;
pub(crate) mod request_identity;
