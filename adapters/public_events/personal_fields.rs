//! Personal data in public events. None is published unless the operator names the field.

use std::collections::BTreeSet;

use crate::topic::Topic;

/// The personal fields that the operator publishes in one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonalFields(BTreeSet<&'static str>);

/// A field that cannot be published in a topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{field}' is no personal field of {}. The personal fields are {}", .topic.word(), .known.join(", "))]
pub struct UnknownField {
    /// The name that was given.
    pub field: String,
    /// The topic.
    pub topic: Topic,
    /// The names of the topic's personal fields.
    pub known: Vec<&'static str>,
}

impl PersonalFields {
    /// Publishes these fields.
    pub(crate) fn named(names: BTreeSet<&'static str>) -> Self {
        Self(names)
    }

    /// Whether no personal field is published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a personal field. Returns `None` if it is not published.
    pub(crate) fn value<T>(&self, field: &str, value: impl FnOnce() -> T) -> Option<T> {
        self.0.contains(field).then(value)
    }

    /// The text of a personal field. Returns `None` if it is not published or not known any more.
    pub(crate) fn text<'a>(&self, field: &str, text: impl FnOnce() -> Option<&'a str>) -> Option<String> {
        self.value(field, text).flatten().map(ToOwned::to_owned)
    }
}
