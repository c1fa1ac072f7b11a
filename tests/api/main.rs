//! What programs and support ask over HTTP: the description, lists, events, repeated commands, bounds.
#![cfg(test)]

mod bounds;
mod created;
mod edges;
mod facade;
mod idempotency;
mod openapi;
mod reasons;
mod shape;
mod support;
mod webhooks;
