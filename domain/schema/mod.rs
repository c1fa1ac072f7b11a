//! How each event is written down.
//!
//! **The names and shapes in this folder are the storage format.** A stored name is never changed
//! or reused. A shape changes by a new version beside the old one, and the old one is upcast when
//! it is read. `golden/` holds one file for every version that was ever written; `tests.rs` fails
//! when one of them reads or writes differently.
//!
//! An event has two parts: `data`, which anybody who reads the log may see, and [`Private`], which
//! is sealed under a key of the account it concerns (law 6). This module knows neither JSON nor
//! cryptography: it gives serde values and takes deserializers.

#[macro_use]
mod stored;

mod access;
mod account;
mod company;
mod email_claim;
mod logo;
mod order;
mod receipt;
mod serial_claim;
#[cfg(test)]
mod stream_names;
mod takeover;
mod terminals;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize};

use crate::fact::Client;
use crate::ids::AccountId;
use crate::values::email_address::EmailAddress;
use crate::values::erasable::Erasable;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::password::PasswordHash;
use crate::values::person::{Person, PersonName};

/// Declares the aggregates: for each the variant of its events, and the module that it has in this crate and in this
/// folder.
macro_rules! aggregates {
    ($($(#[$doc:meta])* $variant:ident: $module:ident),* $(,)?) => {
        /// Any event of any aggregate.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum DomainEvent {
            $($(#[$doc])* $variant(crate::$module::Event)),*
        }

        /// The open part of an event, in its newest shape.
        #[derive(Debug, Serialize)]
        #[serde(untagged)]
        #[expect(missing_docs, reason = "one variant a shape; the shapes are documented where they stand")]
        pub enum Data {
            $($variant($module::Data)),*
        }

        $(impl AggregateEvent for crate::$module::Event {
            fn wrap(self) -> DomainEvent {
                DomainEvent::$variant(self)
            }

            fn unwrap(event: DomainEvent) -> Option<Self> {
                match event {
                    DomainEvent::$variant(event) => Some(event),
                    _ => None,
                }
            }
        })*

        /// What the names of streams begin with, one an aggregate.
        pub const CATEGORIES: &[&str] = &[$(crate::$module::CATEGORY),*];

        /// Every stored name, for the event catalogue and its test.
        #[must_use]
        pub fn names() -> Vec<&'static str> {
            [$($module::NAMES),*].concat()
        }

        /// Gives an event in its newest stored shape.
        #[must_use]
        pub fn write(event: &DomainEvent) -> Stored {
            match event {
                $(DomainEvent::$variant(event) => $module::write(event)),*
            }
        }

        /// Reads an event of any version ever written, upcasting old shapes.
        ///
        /// # Errors
        /// [`ReadError`] for an unknown name or version, or a shape that does not fit.
        pub fn read<'de, D: Deserializer<'de>>(
            name: &str,
            version: u16,
            data: D,
            private: Erasable<Private>,
        ) -> Result<DomainEvent, ReadError<D::Error>> {
            let read = match name {
                $(name if $module::NAMES.contains(&name) => {
                    let read = $module::read(name, version, data, private);
                    read.map(|event| event.map(DomainEvent::$variant))
                })*
                _ => Ok(None),
            };
            match read {
                Ok(Some(event)) => Ok(event),
                Ok(None) => Err(ReadError::Unknown { name: name.to_owned(), version }),
                Err(source) => Err(ReadError::Malformed { name: name.to_owned(), version, source }),
            }
        }
    };
}

aggregates! {
    /// Of an account.
    Account: account,
    /// Of the claim on an address.
    EmailClaim: email_claim,
    /// Of a company.
    Company: company,
    /// Of an order.
    Order: order,
    /// Of a company's terminals.
    Terminals: terminals,
    /// Of the claim on a serial number.
    SerialClaim: serial_claim,
    /// Of who may do what in a company.
    Access: access,
    /// Of a site's receipt layout.
    Receipt: receipt,
    /// Of a logo of receipts.
    Logo: logo,
    /// Of a take-over.
    TakeOver: takeover,
}

/// An event of one aggregate, among the events of all.
pub trait AggregateEvent: Sized {
    /// The same event among all events.
    fn wrap(self) -> DomainEvent;
    /// The event out of all events. `None`: it is another aggregate's.
    fn unwrap(event: DomainEvent) -> Option<Self>;
}

/// An event ready to be encoded.
#[derive(Debug)]
pub struct Stored {
    /// Its name in the log, for ever.
    pub name: &'static str,
    /// The version of its shape.
    pub version: u16,
    /// What anybody who reads the log may see.
    pub data: Data,
    /// What is sealed.
    pub private: Private,
    /// Under whose key, where the event itself says so; otherwise under its stream's account's.
    pub subject: Option<AccountId>,
}

/// The sealed part: personal data, password hashes, support's words. Absent fields are not written.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Private {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_hashes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_agent: Option<String>,
}

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Private(…)")
    }
}

/// Why something in the log can't be read. The reader stops: nothing is skipped (law 8).
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// No version of this software wrote it, or only a newer one.
    #[error("unknown event {name} version {version}: written by a newer version, or not by Loquet")]
    Unknown {
        /// The name found.
        name: String,
        /// The version found.
        version: u16,
    },
    /// The shape is not that of its name and version.
    #[error("malformed event {name} version {version}: {source}")]
    Malformed {
        /// The name found.
        name: String,
        /// The version found.
        version: u16,
        /// What the deserializer said.
        source: E,
    },
}

/// Whether an event may be the first that is sealed for its account: only then is a key made. For any
/// other, a missing key is a lost one, and a new one would hide it.
#[must_use]
pub fn begins_a_subject(name: &str) -> bool {
    matches!(name, "account-created" | "order-received")
}

/// Whether an event says that its account's key is no more.
#[must_use]
pub fn ends_a_subject(name: &str) -> bool {
    name == "account-erased"
}

impl Private {
    /// Whether there is nothing to seal.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// With the client from which the event's command came.
    #[must_use]
    pub fn with_client(self, client: Option<&Client>) -> Self {
        let client = client.cloned().unwrap_or_default();
        Self { client_address: client.address, client_agent: client.agent, ..self }
    }

    /// With why its command was made, unless the event itself says why.
    #[must_use]
    pub fn with_reason(self, reason: Option<String>) -> Self {
        Self { reason: self.reason.or(reason), ..self }
    }

    /// The client, where one was noted.
    #[must_use]
    pub fn client(&self) -> Option<Client> {
        let client = Client { address: self.client_address.clone(), agent: self.client_agent.clone() };
        (client != Client::default()).then_some(client)
    }

    /// With what is sealed of an event, unless it is erased.
    fn sealing<T: Sealable>(mut self, sealed: Erasable<T>) -> Self {
        if let Erasable::Known(known) = sealed {
            known.seal(&mut self);
        }
        self
    }
}

/// What is sealed of an event, where it can still be read.
fn opened<T: Sealable>(private: &Erasable<Private>) -> Erasable<T> {
    private.known().and_then(T::open).into()
}

/// Something that stands in the sealed part of an event.
trait Sealable: Sized {
    /// Writes it into the sealed part.
    fn seal(self, private: &mut Private);
    /// Reads it out of the sealed part. `None`: something of it is not there, and it counts as erased.
    fn open(private: &Private) -> Option<Self>;
}

impl Sealable for Person {
    fn seal(self, private: &mut Private) {
        private.email = Some(self.email.as_str().to_owned());
        private.given_name = Some(self.given_name.as_str().to_owned());
        private.family_name = Some(self.family_name.as_str().to_owned());
    }

    fn open(private: &Private) -> Option<Self> {
        Some(Self {
            email: EmailAddress::stored(private.email.clone()?),
            given_name: PersonName::stored(private.given_name.clone()?),
            family_name: PersonName::stored(private.family_name.clone()?),
        })
    }
}

impl Sealable for PasswordHash {
    fn seal(self, private: &mut Private) {
        private.password_hash = Some(self.expose().to_owned());
    }

    fn open(private: &Private) -> Option<Self> {
        private.password_hash.clone().map(Self::new)
    }
}

/// Hexadecimal, as the log has no bytes.
impl Sealable for TotpSecret {
    fn seal(self, private: &mut Private) {
        private.totp_secret = Some(self.expose().iter().map(|byte| format!("{byte:02x}")).collect());
    }

    fn open(private: &Private) -> Option<Self> {
        bytes(private.totp_secret.as_deref()?).map(Self::new)
    }
}

impl Sealable for Vec<RecoveryHash> {
    fn seal(self, private: &mut Private) {
        private.recovery_hashes = Some(self.iter().map(|hash| hash.expose().to_owned()).collect());
    }

    fn open(private: &Private) -> Option<Self> {
        Some(private.recovery_hashes.clone()?.into_iter().map(RecoveryHash::new).collect())
    }
}

/// Why something was done, in the words of who did it.
impl Sealable for String {
    fn seal(self, private: &mut Private) {
        private.reason = Some(self);
    }

    fn open(private: &Private) -> Option<Self> {
        private.reason.clone()
    }
}

/// Fields of an event that are stored as several others.
trait Spread<Parts> {
    /// The fields as they are stored.
    fn spread(self) -> Parts;
    /// The event's own fields.
    fn gather(parts: Parts) -> Self;
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
