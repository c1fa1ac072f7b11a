//! Declares public events, each in one place.

/// Declares the public events of a topic: the type name, the struct of the data, the stored names of the events that
/// are published under this type, and the fields.
///
/// ```text
/// "loquet.account.created.v1" AccountCreated "account-created" { … } optional { … } personal { … },
/// ```
///
/// The fields of `optional` may be absent. The fields of `personal` are present only if the operator publishes them.
macro_rules! public_events {
    ($topic:ident: $(
        $(#[$doc:meta])*
        $name:literal $event:ident $($stored:literal)|+ { $($(#[$of_field:meta])* $field:ident: $type:ty),* $(,)? }
        $(optional { $($(#[$of_optional:meta])* $optional:ident: $optional_type:ty),* $(,)? })?
        $(personal { $($(#[$of_personal:meta])* $personal:ident: $personal_type:ty),* $(,)? })?
    ),* $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
            pub struct $event {
                $($(#[$of_field])* pub $field: $type,)*
                $($($(#[$of_optional])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $optional: Option<$optional_type>,)*)?
                $($($(#[$of_personal])*
                #[serde(skip_serializing_if = "Option::is_none")]
                #[schemars(extend("x-personal-data" = true))]
                pub $personal: Option<$personal_type>,)*)?
            }

            impl crate::public_event::Published for $event {
                const NAME: &'static str = $name;
            }
        )*

        /// The types of event in this topic.
        pub(crate) const TYPES: &[crate::public_event::EventType] = &[$(
            crate::public_event::EventType {
                name: $name,
                topic: crate::topic::Topic::$topic,
                stored: &[$($stored),+],
                personal: &[$($(stringify!($personal)),*)?],
                schema: crate::json_schema::of::<$event>,
            }
        ),*];
    };
}
