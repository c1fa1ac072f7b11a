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
mod fleet;
mod logo;
mod order;
mod receipt;
mod serial_claim;
mod takeover;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize};

use crate::email_address::EmailAddress;
use crate::erasable::Erasable;
use crate::fact::Client;
use crate::ids::AccountId;
use crate::one_time_code::{RecoveryHash, TotpSecret};
use crate::password::PasswordHash;
use crate::person::{Person, PersonName};

/// Any event of any aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainEvent {
    /// Of an account.
    Account(crate::account::Event),
    /// Of the claim on an address.
    EmailClaim(crate::email_claim::Event),
    /// Of a company.
    Company(crate::company::Event),
    /// Of an order.
    Order(crate::order::Event),
    /// Of a company's terminals.
    Fleet(crate::fleet::Event),
    /// Of the claim on a serial number.
    SerialClaim(crate::serial_claim::Event),
    /// Of who may do what in a company.
    Access(crate::access::Event),
    /// Of a site's receipt layout.
    Receipt(crate::receipt::Event),
    /// Of a logo of receipts.
    Logo(crate::logo::Event),
    /// Of a take-over.
    TakeOver(crate::takeover::Event),
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

/// The open part of an event, in its newest shape.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)] // one variant a shape; the shapes are documented where they stand
pub enum Data {
    Account(account::Data),
    EmailClaim(email_claim::Claim),
    Company(company::Data),
    Order(order::Data),
    Fleet(fleet::Data),
    SerialClaim(serial_claim::Data),
    Access(access::Data),
    Receipt(receipt::Data),
    Logo(logo::Data),
    TakeOver(takeover::Data),
}

/// The sealed part: personal data, password hashes, support's words. Absent fields are not written.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
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

/// Gives an event in its newest stored shape.
#[must_use]
pub fn write(event: &DomainEvent) -> Stored {
    match event {
        DomainEvent::Account(event) => account::write(event),
        DomainEvent::EmailClaim(event) => email_claim::write(event),
        DomainEvent::Company(event) => company::write(event),
        DomainEvent::Order(event) => order::write(event),
        DomainEvent::Fleet(event) => fleet::write(event),
        DomainEvent::SerialClaim(event) => serial_claim::write(event),
        DomainEvent::Access(event) => access::write(event),
        DomainEvent::Receipt(event) => receipt::write(event),
        DomainEvent::Logo(event) => logo::write(event),
        DomainEvent::TakeOver(event) => takeover::write(event),
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
        name if account::NAMES.contains(&name) => account::read(name, version, data, private),
        name if email_claim::NAMES.contains(&name) => email_claim::read(name, version, data),
        name if company::NAMES.contains(&name) => company::read(name, version, data),
        name if order::NAMES.contains(&name) => order::read(name, version, data, private),
        name if fleet::NAMES.contains(&name) => fleet::read(name, version, data),
        name if serial_claim::NAMES.contains(&name) => serial_claim::read(name, version, data),
        name if access::NAMES.contains(&name) => access::read(name, version, data),
        name if receipt::NAMES.contains(&name) => receipt::read(name, version, data),
        name if logo::NAMES.contains(&name) => logo::read(name, version, data),
        name if takeover::NAMES.contains(&name) => takeover::read(name, version, data),
        _ => Ok(None),
    };
    match read {
        Ok(Some(event)) => Ok(event),
        Ok(None) => Err(ReadError::Unknown { name: name.to_owned(), version }),
        Err(source) => Err(ReadError::Malformed { name: name.to_owned(), version, source }),
    }
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

/// Every stored name, for the event catalogue and its test.
#[must_use]
pub fn names() -> Vec<&'static str> {
    [
        account::NAMES,
        email_claim::NAMES,
        company::NAMES,
        order::NAMES,
        fleet::NAMES,
        serial_claim::NAMES,
        access::NAMES,
        receipt::NAMES,
        logo::NAMES,
        takeover::NAMES,
    ]
    .concat()
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

    fn of_person(person: &Erasable<Person>) -> Self {
        person.known().map_or_else(Self::default, |person| Self {
            email: Some(person.email.as_str().to_owned()),
            given_name: Some(person.given_name.as_str().to_owned()),
            family_name: Some(person.family_name.as_str().to_owned()),
            ..Self::default()
        })
    }

    fn of_hash(hash: &Erasable<PasswordHash>) -> Self {
        Self { password_hash: hash.known().map(|hash| hash.expose().to_owned()), ..Self::default() }
    }

    /// Hexadecimal, as the log has no bytes.
    fn of_secret(secret: &Erasable<TotpSecret>) -> Self {
        let hex = |secret: &TotpSecret| secret.expose().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { totp_secret: secret.known().map(hex), ..Self::default() }
    }

    fn of_recovery(recovery: &Erasable<Vec<RecoveryHash>>) -> Self {
        let texts = |hashes: &Vec<RecoveryHash>| hashes.iter().map(|hash| hash.expose().to_owned()).collect();
        Self { recovery_hashes: recovery.known().map(texts), ..Self::default() }
    }

    fn of_reason(reason: &Erasable<String>) -> Self {
        Self { reason: reason.known().cloned(), ..Self::default() }
    }
}

/// What of the sealed part can still be read; a field that is not there counts as erased.
fn person(private: &Erasable<Private>) -> Erasable<Person> {
    private
        .known()
        .and_then(|private| {
            Some(Person {
                email: EmailAddress::stored(private.email.clone()?),
                given_name: PersonName::stored(private.given_name.clone()?),
                family_name: PersonName::stored(private.family_name.clone()?),
            })
        })
        .into()
}

fn hash(private: &Erasable<Private>) -> Erasable<PasswordHash> {
    private.known().and_then(|private| private.password_hash.clone()).map(PasswordHash::new).into()
}

fn secret(private: &Erasable<Private>) -> Erasable<TotpSecret> {
    let hex = private.known().and_then(|private| private.totp_secret.clone());
    hex.as_deref().and_then(bytes).map(TotpSecret::new).into()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn recovery(private: &Erasable<Private>) -> Erasable<Vec<RecoveryHash>> {
    let hashes = private.known().and_then(|private| private.recovery_hashes.clone());
    hashes.map(|hashes| hashes.into_iter().map(RecoveryHash::new).collect::<Vec<_>>()).into()
}

fn reason(private: &Erasable<Private>) -> Erasable<String> {
    private.known().and_then(|private| private.reason.clone()).into()
}
