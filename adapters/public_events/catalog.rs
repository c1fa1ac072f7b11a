//! The table of all types of public event.

use std::collections::BTreeSet;

use crate::personal_fields::{PersonalFields, UnknownField};
use crate::public_event::EventType;
use crate::topic::Topic;
use crate::{accounts, companies};

/// All types of public event, topic by topic.
pub fn types() -> impl Iterator<Item = &'static EventType> {
    accounts::TYPES.iter().chain(companies::TYPES)
}

/// The type under which an event with this stored name is published. Returns `None` if it is not public.
#[must_use]
pub fn type_of(stored: &str) -> Option<&'static EventType> {
    types().find(|known| known.stored.contains(&stored))
}

impl PersonalFields {
    /// Reads names of personal fields of a topic, separated by commas. An empty text publishes none.
    ///
    /// # Errors
    /// [`UnknownField`] for the first name that the topic does not have.
    pub fn parse(topic: Topic, names: &str) -> Result<Self, UnknownField> {
        let known = Self::of(topic);
        let given = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let find = |name: &str| {
            let unknown =
                || UnknownField { field: name.to_owned(), topic, known: known.iter().copied().collect() };
            known.get(name).copied().ok_or_else(unknown)
        };
        given.map(find).collect::<Result<_, _>>().map(Self::named)
    }

    /// The names of all personal fields of a topic.
    #[must_use]
    pub fn of(topic: Topic) -> BTreeSet<&'static str> {
        let types = types().filter(|known| known.topic == topic);
        types.flat_map(|known| known.personal).copied().collect()
    }
}
