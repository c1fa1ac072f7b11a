//! The ids of all things. This module imports nothing of the crate.
//!
//! An id that is derived from something else, such as an order, is a UUIDv5 of it (RFC 9562). So an order that is
//! delivered again writes to the same streams. Each aggregate derives its ids in its own `identity.rs`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The namespace of all derived ids. Part of the storage format: never change it.
pub(crate) const LOQUET: Uuid = Uuid::from_u128(0x6c6f_7175_6574_5f8a_9d21_0f5a_1d3b_77c4);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// The id of an account. It is never given to another person.
    AccountId
);
uuid_id!(
    /// The id of a company. It stays when names and numbers change.
    CompanyId
);
uuid_id!(
    /// The id of a site. It stays when the site's name, address or company changes.
    SiteId
);
uuid_id!(
    /// The id of a terminal. It stays wherever the terminal stands.
    TerminalId
);
uuid_id!(
    /// The id of a group of a company's users.
    GroupId
);
uuid_id!(
    /// The id of a picture, derived from its content.
    LogoId
);
uuid_id!(
    /// The id of a take-over.
    TakeOverId
);
uuid_id!(
    /// The id of an event. The same id appended again at the same revision is the same event (law 2).
    EventId
);
uuid_id!(
    /// The id of a session: one login of one account.
    SessionId
);
uuid_id!(
    /// The id of a device that an account trusts.
    DeviceId
);
uuid_id!(
    /// The id of a request. All events that it caused carry it.
    CorrelationId
);

impl EventId {
    /// The id of an effect, such as a mail, that follows from this event. `purpose` tells several effects apart.
    #[must_use]
    pub fn effect(self, purpose: &str) -> Uuid {
        Uuid::new_v5(&self.0, purpose.as_bytes())
    }
}

/// The supplier's own number of an order, such as `SO-2026-000123`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(String);

/// The text is not an order number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order id has 1 to 64 letters, digits, '.', '_' or '-'")]
pub struct InvalidOrderId;

impl OrderId {
    /// Reads 1 to 64 ASCII letters, digits, `.`, `_` or `-`.
    ///
    /// # Errors
    /// [`InvalidOrderId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidOrderId> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=64).contains(&text.len()) && text.chars().all(allowed);
        fits.then(|| Self(text.to_owned())).ok_or(InvalidOrderId)
    }

    /// The number as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CompanyId {
    /// The company of the supplier's own staff: no company of a customer has this id.
    pub const SUPPLIER: Self = Self(Uuid::nil());
}
