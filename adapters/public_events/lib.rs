//! The contract with other services: which events are public, under which types, with which fields, and in which
//! envelope (CloudEvents 1.0).
//!
//! The contract is separate from the stored events. An event that is not mapped here is not public, and a stored field
//! that is not mapped is not published. A published type never changes in a way that breaks its consumers; `published/`
//! holds its schema as it was first published, and a test compares. A change that would break consumers is a new type
//! with the next version in its name.

#![forbid(unsafe_code)]

#[macro_use]
mod declare;

pub mod accounts;
pub mod asyncapi;
pub mod catalog;
pub mod cloud_event;
pub mod companies;
mod company_mapping;
pub mod company_values;
pub mod contract;
mod json_schema;
pub mod personal_fields;
pub mod public_event;
#[cfg(test)]
mod tests;
pub mod topic;

pub use catalog::{type_of, types};
pub use cloud_event::{CloudEvent, Mode};
pub use contract::{Contract, ContractError};
pub use personal_fields::PersonalFields;
pub use public_event::EventType;
pub use topic::Topic;
