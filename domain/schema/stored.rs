//! Declares the stored shapes of an aggregate's events, each in one place.

/// Declares how each event of an aggregate is stored: its stored name, the version of its newest shape (1 by
/// default), its variant and its fields. It generates `NAMES`, `Data`, `write` and `read`.
///
/// ```text
/// "login-failed" 3 => LoginFailed { … } sealed { … } before { 1 | 2 => LoginFailedV2 },
/// ```
///
/// - `session as "session_id": SessionId` stores a field under that name and as that type. `From` converts between
///   the field's own type and the stored type, in both directions.
/// - `failures and codes as { failures: Option<u32>, … }` stores one or several fields as several others. [`Spread`]
///   converts them.
/// - `sealed { hash }` names the fields that are stored in the encrypted part. [`Sealable`] converts them.
/// - `subject { about }` names the field with the account whose key encrypts the event's encrypted part.
/// - `before { 1 | 2 => Shape }` names the shapes of older versions. `From` converts each into the newest one.
/// - `opened { 1 => Shape }` names the shapes of older versions that stored in the open what is encrypted today. `From`
///   converts each into the event.
///
/// [`Spread`]: super::Spread
/// [`Sealable`]: super::Sealable
macro_rules! stored_events {
    (@version) => { 1 };
    (@version $version:literal) => { $version };
    ($wrap:ident: $(
        $name:literal $($version:literal)? => $variant:ident {
            $(
                $field:ident $(and $more:ident)* as
                    $($(#[$attribute:meta])* $stored:literal: $type:ty)?
                    $({ $($(#[$of_part:meta])* $part:ident: $part_type:ty),* $(,)? })?
            ),* $(,)?
        }
        $(sealed { $($sealed:ident),* })?
        $(subject { $subject:ident })?
        $(before { $($($old:literal)|+ => $shape:ty),* $(,)? })?
        $(opened { $($oldest:literal => $open_shape:ty),* $(,)? })?
    ),* $(,)?) => {
        pub(super) const NAMES: &[&str] = &[$($name),*];

        #[derive(Debug, serde::Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs, clippy::enum_variant_names, reason = "they are the events' own names, which may be alike")]
        pub enum Data {
            $($variant($variant)),*
        }

        $(
            #[derive(Debug, serde::Serialize, serde::Deserialize)]
            pub struct $variant {
                $(
                    $($(#[$attribute])* #[serde(rename = $stored)] $field: $type,)?
                    $($($(#[$of_part])* $part: $part_type,)*)?
                )*
            }

            impl $variant {
                #[allow(unused_variables, reason = "most events have no sealed part")]
                fn event(self, private: &crate::values::erasable::Erasable<super::Private>) -> Event {
                    $(
                        $(let $field = (<$type as Into<_>>::into(self.$field),);)?
                        $(let $field = super::Spread::gather(($(self.$part,)*));)?
                        let ($field, $($more,)*) = $field;
                    )*
                    $($(let $sealed = super::opened(private);)*)?
                    Event::$variant { $($field, $($more,)*)* $($($sealed),*)? }
                }
            }
        )*

        pub(super) fn write(event: &Event) -> super::Stored {
            let (name, version, data, private, subject) = match event.clone() {
                $(Event::$variant { $($field, $($more,)*)* $($($sealed),*)? } => {
                    let subject: Option<crate::ids::AccountId> = None$(.or($subject))?;
                    $(
                        let $field = ($field, $($more,)*);
                        $(let ($($part,)*) = super::Spread::spread($field);)?
                    )*
                    let data = $variant {
                        $(
                            $($field: Into::<$type>::into($field.0),)?
                            $($($part,)*)?
                        )*
                    };
                    let private = super::Private::default() $($(.sealing($sealed))*)?;
                    ($name, stored_events!(@version $($version)?), Data::$variant(data), private, subject)
                }),*
            };
            super::Stored { name, version, data: super::Data::$wrap(data), private, subject, of_company: None }
        }

        pub(super) fn read<'de, D: serde::Deserializer<'de>>(
            name: &str,
            version: u16,
            data: D,
            private: crate::values::erasable::Erasable<super::Private>,
        ) -> Result<Option<Event>, D::Error> {
            use serde::Deserialize;
            Ok(Some(match (name, version) {
                $(
                    ($name, stored_events!(@version $($version)?)) => {
                        $variant::deserialize(data)?.event(&private)
                    }
                    $($(($name, $($old)|+) => {
                        $variant::from(<$shape>::deserialize(data)?).event(&private)
                    })*)?
                    $($(($name, $oldest) => <$open_shape>::deserialize(data)?.into(),)*)?
                )*
                _ => return Ok(None),
            }))
        }
    };
}
