//! How each event is stored.
//!
//! **The names and shapes in this folder are the storage format.** A stored name is never changed or reused. A
//! changed shape is a new version beside the old one, and the old one is upcast when it is read. `golden/` holds one
//! file for every version that was ever written. `tests.rs` fails if one of them reads or writes differently.
//!
//! An event has two parts: `data`, which every reader of the log may see, and [`Private`], which is encrypted with
//! the key of the account that it concerns (law 6). This module knows neither JSON nor cryptography. It returns serde
//! values and reads from deserializers.

#[macro_use]
mod stored;

mod access;
mod account;
mod administration;
mod company;
mod email_claim;
mod logo;
mod order;
mod receipt;
mod serial_claim;
#[cfg(test)]
mod stream_name_tests;
mod takeover;
mod terminals;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize};

use company::{StoredNumber, StoredRegistration};
use receipt::StoredLayout;

use crate::company::{CompanyName, MovedSite, SiteName};
use crate::fact::Client;
use crate::ids::{AccountId, CompanyId};
use crate::logo::Logo;
use crate::stream::StreamId;
use crate::values::address::Address;
use crate::values::email_address::EmailAddress;
use crate::values::erasable::Erasable;
use crate::values::one_time_code::{RecoveryHash, TotpSecret};
use crate::values::password::PasswordHash;
use crate::values::person::{Person, PersonName};

/// Declares the aggregates. Each has its variant of [`DomainEvent`] and the name of its module, here and in the
/// crate.
macro_rules! aggregates {
    ($($(#[$doc:meta])* $variant:ident: $module:ident),* $(,)?) => {
        /// Any event of any aggregate.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum DomainEvent {
            $($(#[$doc])* $variant(crate::$module::Event)),*
        }

        /// The unencrypted part of an event, in its newest shape.
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

        /// The categories of all streams, one for each aggregate.
        pub const CATEGORIES: &[&str] = &[$(crate::$module::CATEGORY),*];

        /// All stored names, for the event catalogue and its test.
        #[must_use]
        pub fn names() -> Vec<&'static str> {
            [$($module::NAMES),*].concat()
        }

        /// Returns an event in its newest stored shape.
        #[must_use]
        pub fn write(event: &DomainEvent) -> Stored {
            match event {
                $(DomainEvent::$variant(event) => $module::write(event)),*
            }
        }

        /// Reads an event of any version that was ever written. Upcasts old shapes.
        ///
        /// # Errors
        /// [`ReadError`] for an unknown name or version, or for data that does not have the shape of its version.
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
    /// An event of an account.
    Account: account,
    /// An event of the claim on an e-mail address.
    EmailClaim: email_claim,
    /// An event of a company.
    Company: company,
    /// An event of an order.
    Order: order,
    /// An event of a company's terminals.
    Terminals: terminals,
    /// An event of the claim on a serial number.
    SerialClaim: serial_claim,
    /// An event of a company's access rights.
    Access: access,
    /// An event of a site's receipt layout.
    Receipt: receipt,
    /// An event of a receipt logo.
    Logo: logo,
    /// An event of a take-over.
    TakeOver: takeover,
    /// An act of administration.
    Administration: administration,
}

/// Converts between the events of one aggregate and the events of all.
pub trait AggregateEvent: Sized {
    /// Converts to the type of all events.
    fn wrap(self) -> DomainEvent;
    /// Converts from the type of all events. Returns `None` for an event of another aggregate.
    fn unwrap(event: DomainEvent) -> Option<Self>;
}

/// An event ready to be encoded.
#[derive(Debug)]
pub struct Stored {
    /// Its stored name. It never changes.
    pub name: &'static str,
    /// The version of its shape.
    pub version: u16,
    /// The part that every reader of the log may see.
    pub data: Data,
    /// The part to encrypt.
    pub private: Private,
    /// The account whose key encrypts it, if the event names one. Otherwise it is the account of the stream.
    pub subject: Option<AccountId>,
    /// The part to encrypt with the key of a company, in an event that has private data of a person and of a company.
    pub of_company: Option<(CompanyId, Private)>,
}

/// The encrypted part: personal data, password hashes, reasons given by support, and what names a company or tells where it
/// is. Absent fields are not written.
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<StoredRegistration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<StoredNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_name: Option<CompanyName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trading_name: Option<CompanyName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_name: Option<SiteName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sites: Option<Vec<MovedSite>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_addresses: Option<Vec<Address>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<StoredLayout>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
}

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Private(…)")
    }
}

/// Why an event in the log can't be read. The reader stops: no event is skipped (law 8).
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// A newer version of this software wrote it, or another program did.
    #[error("unknown event {name} version {version}: written by a newer version, or not by Loquet")]
    Unknown {
        /// The name that was found.
        name: String,
        /// The version that was found.
        version: u16,
    },
    /// The data does not have the shape of its name and version.
    #[error("malformed event {name} version {version}: {source}")]
    Malformed {
        /// The name that was found.
        name: String,
        /// The version that was found.
        version: u16,
        /// The error of the deserializer.
        source: E,
    },
}

/// Whether an event may be the first with data encrypted for its account. Only then a key is created. For any other
/// event a missing key is a lost key, and a new key would hide that.
#[must_use]
pub fn begins_a_subject(name: &str) -> bool {
    matches!(name, "account-created" | "order-received")
}

/// Whose key encrypts an event that names no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOwner {
    /// A person: the event is about the owner of this account.
    Account(AccountId),
    /// A company, a site or a take-over, by its id. The streams of a company, of its terminals and of its access have one
    /// id, and so one key. It is made when it is first needed.
    Other(AccountId),
}

/// Returns whose key encrypts the private part of an event without a subject, and its reason. Returns `None` for an event
/// that has neither.
#[must_use]
pub fn key_owner(event: &DomainEvent, stream: &StreamId) -> Option<KeyOwner> {
    use crate::access::Event as Access;
    match event {
        DomainEvent::Access(
            Access::AdministratorAdmitted { account }
            | Access::AdministratorActivated { account }
            | Access::AdministratorRemoved { account }
            | Access::MemberAdded { account, .. }
            | Access::MemberRemoved { account, .. },
        ) => Some(KeyOwner::Account(*account)),
        DomainEvent::Company(_)
        | DomainEvent::Terminals(_)
        | DomainEvent::Access(_)
        | DomainEvent::Receipt(_)
        | DomainEvent::TakeOver(_) => stream.id().parse().ok().map(KeyOwner::Other),
        DomainEvent::Logo(crate::logo::Event::LogoKept { site, .. }) => {
            site.map(|site| KeyOwner::Other(AccountId(site.0)))
        }
        DomainEvent::Account(_)
        | DomainEvent::EmailClaim(_)
        | DomainEvent::Order(_)
        | DomainEvent::SerialClaim(_)
        | DomainEvent::Administration(_) => None,
    }
}

/// The keys that an event says are deleted.
#[must_use]
pub fn ended_keys(event: &DomainEvent, stream: &StreamId) -> Vec<AccountId> {
    use crate::{account, company};
    match event {
        DomainEvent::Account(account::Event::AccountErased) => stream.account().into_iter().collect(),
        DomainEvent::Company(company::Event::CompanyErased { sites, takeovers }) => {
            let own = stream.id().parse().ok();
            let sites = sites.iter().map(|site| AccountId(site.0));
            own.into_iter().chain(sites).chain(takeovers.iter().map(|id| AccountId(id.0))).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether an event of this name says that keys are deleted. [`ended_keys`] returns which.
#[must_use]
pub fn ends_a_subject(name: &str) -> bool {
    matches!(name, "account-erased" | "company-erased")
}

impl Private {
    /// Whether there is nothing to encrypt.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the client that the event's command came from.
    #[must_use]
    pub fn with_client(self, client: Option<&Client>) -> Self {
        let client = client.cloned().unwrap_or_default();
        Self { client_address: client.address, client_agent: client.agent, ..self }
    }

    /// Adds the reason of its command, unless the event has a reason of its own.
    #[must_use]
    pub fn with_reason(self, reason: Option<String>) -> Self {
        Self { reason: self.reason.or(reason), ..self }
    }

    /// Adds the part that was encrypted with the key of a company.
    #[must_use]
    pub fn with_company(self, company: Self) -> Self {
        let Self { registration, delivery_addresses, .. } = company;
        Self { registration, delivery_addresses, ..self }
    }

    /// The client, if one was stored.
    #[must_use]
    pub fn client(&self) -> Option<Client> {
        let client = Client { address: self.client_address.clone(), agent: self.client_agent.clone() };
        (client != Client::default()).then_some(client)
    }

    /// Adds an event's private data, unless it was erased.
    fn sealing<T: Sealable>(mut self, sealed: Erasable<T>) -> Self {
        if let Erasable::Known(known) = sealed {
            known.seal(&mut self);
        }
        self
    }
}

/// An event's private data, if it can still be read.
fn opened<T: Sealable>(private: &Erasable<Private>) -> Erasable<T> {
    private.known().and_then(T::open).into()
}

/// A value that is stored in the encrypted part of an event.
trait Sealable: Sized {
    /// Writes it into the encrypted part.
    fn seal(self, private: &mut Private);
    /// Reads it from the encrypted part. Returns `None` if something is missing: then it counts as erased.
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

/// As hexadecimal text, because the log contains JSON and no bytes.
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

/// A reason, in the words of the person who gave it.
impl Sealable for String {
    fn seal(self, private: &mut Private) {
        private.reason = Some(self);
    }

    fn open(private: &Private) -> Option<Self> {
        private.reason.clone()
    }
}

/// Fields of an event that are stored as several other fields.
trait Spread<Parts> {
    /// The stored fields.
    fn spread(self) -> Parts;
    /// The fields of the event.
    fn gather(parts: Parts) -> Self;
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
