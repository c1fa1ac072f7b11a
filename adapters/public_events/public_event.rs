//! A public event, and what is known about its type.

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::topic::Topic;

/// The data of one type of public event.
pub(crate) trait Published: Serialize + JsonSchema {
    /// The name of the type.
    const NAME: &'static str;
}

/// A type of public event.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// Its name, which ends with its version: `loquet.account.locked.v1`.
    pub name: &'static str,
    /// The topic in which it is published.
    pub topic: Topic,
    /// The stored names of the events that are published under this type.
    pub stored: &'static [&'static str],
    /// The names of its personal fields.
    pub personal: &'static [&'static str],
    pub(crate) schema: fn() -> Schema,
}

impl EventType {
    /// The JSON Schema (2020-12) of its data.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let mut schema = (self.schema)();
        schema.insert("$id".to_owned(), format!("{}.json", self.name).into());
        schema.insert("title".to_owned(), self.name.into());
        schema
    }
}

/// A public event without its envelope.
pub(crate) struct PublicEvent {
    pub(crate) name: &'static str,
    pub(crate) data: Result<Vec<u8>, serde_json::Error>,
}

impl PublicEvent {
    pub(crate) fn of<T: Published>(data: &T) -> Self {
        Self { name: T::NAME, data: serde_json::to_vec(data) }
    }
}
