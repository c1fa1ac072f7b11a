//! The stored shapes of aggregates whose events hold nothing private: each event one shape, written down as
//! its fields are, under names that are frozen.

/// Declares the stored shape of every event of an aggregate: its stored name, its variant, and for each field
/// the name and the type that it is stored under. Gives `NAMES`, `Data`, `write` and `read`. An event that
/// gets a second version leaves this macro and is read by hand.
macro_rules! stored_events {
    ($wrap:ident: $($name:literal => $variant:ident { $($field:ident as $stored:literal: $type:ty),* $(,)? }),* $(,)?) => {
        pub(super) const NAMES: &[&str] = &[$($name),*];

        #[derive(Debug, serde::Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs, clippy::enum_variant_names)] // they are the events' own names
        pub enum Data {
            $($variant($variant)),*
        }

        $(
            #[derive(Debug, serde::Serialize, serde::Deserialize)]
            #[allow(missing_docs)]
            pub struct $variant {
                $(#[serde(rename = $stored)] $field: $type),*
            }
        )*

        pub(super) fn write(event: &Event) -> super::Stored {
            let (name, data) = match event.clone() {
                $(Event::$variant { $($field),* } => {
                    ($name, Data::$variant($variant { $($field: $field.into()),* }))
                }),*
            };
            super::Stored {
                name,
                version: 1,
                data: super::Data::$wrap(data),
                private: super::Private::default(),
                subject: None,
            }
        }

        pub(super) fn read<'de, D: serde::Deserializer<'de>>(
            name: &str,
            version: u16,
            data: D,
            _: crate::erasable::Erasable<super::Private>,
        ) -> Result<Option<Event>, D::Error> {
            use serde::Deserialize;
            let event = match (name, version) {
                $(($name, 1) => {
                    let $variant { $($field),* } = $variant::deserialize(data)?;
                    Event::$variant { $($field: $field.into()),* }
                })*
                _ => return Ok(None),
            };
            Ok(Some(event))
        }
    };
}
