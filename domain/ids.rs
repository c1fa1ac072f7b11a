//! Identities. This module imports nothing of the crate.
//!
//! An identity that follows from something else, such as an order, is a UUIDv5 of it (RFC 9562), so that delivering the
//! order again meets the same streams instead of making new ones. Each is derived in its aggregate's `identity.rs`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The namespace of every derived identity. Part of the storage format: never change it.
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
    /// One account, for ever: it is never given to another person.
    AccountId
);
uuid_id!(
    /// One company, whatever its names and numbers become.
    CompanyId
);
uuid_id!(
    /// One site of a company, whatever its name and address become, and whoever's it becomes.
    SiteId
);
uuid_id!(
    /// One terminal, wherever it stands.
    TerminalId
);
uuid_id!(
    /// One group of a company's users.
    GroupId
);
uuid_id!(
    /// One picture, by what is in it.
    LogoId
);
uuid_id!(
    /// One take-over.
    TakeOverId
);
uuid_id!(
    /// One event. The same id appended again at the same revision is the same event (law 2).
    EventId
);
uuid_id!(
    /// One login of one account.
    SessionId
);
uuid_id!(
    /// One device that an account trusts.
    DeviceId
);
uuid_id!(
    /// What belongs to one request: every event that it caused carries it.
    CorrelationId
);

impl EventId {
    /// The identity of an effect (an e-mail, say) that `purpose` derives from this event.
    #[must_use]
    pub fn effect(self, purpose: &str) -> Uuid {
        Uuid::new_v5(&self.0, purpose.as_bytes())
    }
}

/// The supplier's own number of an order, such as `SO-2026-000123`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(String);

/// Why a text is no order number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order id has 1 to 64 characters out of letters, digits, '.', '_' and '-'")]
pub struct InvalidOrderId;

impl OrderId {
    /// Takes 1 to 64 ASCII letters, digits, `.`, `_` or `-`.
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
