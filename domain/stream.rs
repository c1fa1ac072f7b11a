//! Streams: the name of one, and where an event stands in it and in the whole log.
//!
//! Which categories there are is said by the aggregates: each has its `CATEGORY` and makes its streams' names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many events a stream has. What an append states as expected (law 2); zero is "no stream".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// A place in the whole log; zero is before its first event. Greater is later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a stream: its category, a hyphen, and the id of the aggregate, such as `account-<uuid>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(String);

impl StreamId {
    /// One aggregate's stream. An aggregate's own function, such as [`crate::account::stream`], knows the category.
    #[must_use]
    pub fn new(category: &str, id: &str) -> Self {
        Self(format!("{category}-{id}"))
    }

    /// A name as a store gave it back.
    #[must_use]
    pub fn stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first hyphen.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or("", |(category, _)| category)
    }

    /// What stands behind the category.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
