//! Webhooks: public events by HTTP, for services without Kafka.
//!
//! [`sender`] reads the log for each endpoint, and sends each event that the endpoint asks for, at least once.
//! [`signature`] signs a delivery as Standard Webhooks says. [`guard`] keeps deliveries out of the operator's network.
#![forbid(unsafe_code)]

pub mod guard;
pub mod schedule;
pub mod sender;
pub mod signature;

pub use guard::Guard;
pub use sender::{NAME, Secrets, Troubles, WebhookSender, event_id_at};
