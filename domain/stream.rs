//! Streams: their names, and the place of an event in its stream and in the whole log.
//!
//! Each aggregate has its own category, `CATEGORY`, and makes the names of its streams.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of events in a stream. Zero means that the stream does not exist. An append states the revision that it
/// expects (law 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// A position in the whole log. Zero is before the first event. A later event has a greater position.
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
    /// The stream of one aggregate. Prefer the aggregate's own function, such as [`crate::account::stream`], which
    /// knows the category.
    #[must_use]
    pub fn new(category: &str, id: &str) -> Self {
        Self(format!("{category}-{id}"))
    }

    /// A stream name that a store returned.
    #[must_use]
    pub fn stored(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The category: the part before the first hyphen.
    #[must_use]
    pub fn category(&self) -> &str {
        self.parts().map_or("", |(category, _)| category)
    }

    /// The id: the part after the first hyphen.
    #[must_use]
    pub fn id(&self) -> &str {
        self.parts().map_or("", |(_, id)| id)
    }

    /// Every view asks this of every event. For the few letters of a category this is quicker than `str::split_once`.
    fn parts(&self) -> Option<(&str, &str)> {
        let hyphen = self.0.bytes().position(|byte| byte == b'-')?;
        Some((self.0.get(..hyphen)?, self.0.get(hyphen + 1..)?))
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
