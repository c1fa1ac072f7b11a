//! Stores events as JSON and seals their private parts.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loquet_domain::Moment;
use loquet_domain::fact::{Actor, Context, Fact};
use loquet_domain::ids::{AccountId, CompanyId, CorrelationId, EventId};
use loquet_domain::ports::{
    BoxFuture, CodecError, EventCodec, NewEvent, OpenEvent, RecordedEvent, Sealed, StreamId,
};
use loquet_domain::schema::{self, DomainEvent, KeyOwner, Private, Stored};
use loquet_domain::values::erasable::Erasable;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::account_keys::{AccountKey, AccountKeys, Held};
use crate::sealing::{open, seal};
use crate::tokens::HmacTokens;

/// The metadata stored beside an event, unencrypted. It is part of the storage format.
#[derive(Serialize, Deserialize)]
struct Metadata {
    at: Moment,
    actor: Actor,
    correlation_id: CorrelationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation_id: Option<EventId>,
    node: String,
    /// What the event says of a company, if it also has private data of a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_for_company: Option<SealedForCompany>,
}

/// A part that is encrypted with the key of a company. It is stored in the metadata, because an event has one encrypted
/// part of its own.
#[derive(Serialize, Deserialize)]
struct SealedForCompany {
    company_id: CompanyId,
    /// The nonce and the ciphertext, in base64.
    sealed: String,
}

/// Encodes and decodes events for one node.
pub struct JsonCodec {
    keys: Arc<dyn AccountKeys>,
    tokens: HmacTokens,
    node: String,
}

impl JsonCodec {
    /// A codec that seals with these keys and writes this node's name into the metadata.
    #[must_use]
    pub fn new(keys: Arc<dyn AccountKeys>, node: String) -> Self {
        let tokens = keys.tokens();
        Self { keys, tokens, node }
    }

    async fn write(&self, stream: &StreamId, fact: Fact<DomainEvent>) -> Result<NewEvent, CodecError> {
        let stored = schema::write(&fact.event);
        let Stored { name, version, private, data, subject, of_company } = stored;
        let sealed_for_company = match of_company {
            Some((company, private)) => {
                Some(self.seal_for_company(fact.id, name, stream, company, &private).await?)
            }
            None => None,
        };
        let metadata = Metadata {
            at: fact.context.at,
            actor: fact.context.actor.clone(),
            correlation_id: fact.context.correlation,
            causation_id: fact.context.causation,
            node: self.node.clone(),
            sealed_for_company,
        };
        let subject = subject.or_else(|| stream.account());
        let data = to_json(fact.id, stream, &data)?;
        let metadata = to_json(fact.id, stream, &metadata)?;
        let sealed = match subject {
            Some(subject) => {
                let private =
                    private.with_client(fact.context.client.as_ref()).with_reason(fact.context.reason);
                match private.is_empty() {
                    true => None,
                    false => Some(self.seal(fact.id, name, stream, subject, &private).await?),
                }
            }
            None => self.seal_for_owner(&fact, name, stream, private).await?,
        };
        Ok(NewEvent { id: fact.id, name: name.to_owned(), version, data, metadata, sealed })
    }

    async fn seal(
        &self,
        id: EventId,
        name: &str,
        stream: &StreamId,
        subject: AccountId,
        private: &Private,
    ) -> Result<Sealed, CodecError> {
        let held = match schema::begins_a_subject(name) {
            true => self.keys.held_or_made(subject).await?,
            false => self.keys.held(subject).await?,
        };
        let Held::Key(key) = held else {
            return Err(CodecError::Erased(subject));
        };
        sealed_with(&key, id, name, stream, subject, private)
    }

    /// Seals what an event says of a company, a site or a take-over, and its reason. If there is only a reason and the key
    /// was erased, the reason is not stored: it was about somebody who is forgotten.
    async fn seal_for_owner(
        &self,
        fact: &Fact<DomainEvent>,
        name: &str,
        stream: &StreamId,
        private: Private,
    ) -> Result<Option<Sealed>, CodecError> {
        let only_reason = private.is_empty();
        let private = private.with_reason(fact.context.reason.clone());
        let Some(owner) = schema::key_owner(&fact.event, stream).filter(|_| !private.is_empty()) else {
            return Ok(None);
        };
        let (subject, held) = match owner {
            KeyOwner::Account(account) => (account, self.keys.held(account).await?),
            KeyOwner::Other(key) => (key, self.keys.held_or_made(key).await?),
        };
        match held {
            Held::Key(key) => sealed_with(&key, fact.id, name, stream, subject, &private).map(Some),
            Held::Erased if only_reason => Ok(None),
            Held::Erased => Err(CodecError::Erased(subject)),
        }
    }

    async fn seal_for_company(
        &self,
        id: EventId,
        name: &str,
        stream: &StreamId,
        company: CompanyId,
        private: &Private,
    ) -> Result<SealedForCompany, CodecError> {
        let subject = AccountId(company.0);
        match self.keys.held_or_made(subject).await? {
            Held::Key(key) => {
                let sealed = sealed_with(&key, id, name, stream, subject, private)?;
                Ok(SealedForCompany { company_id: company, sealed: STANDARD.encode(sealed.bytes) })
            }
            Held::Erased => Err(CodecError::Erased(subject)),
        }
    }

    async fn read(&self, recorded: &RecordedEvent) -> Result<Fact<DomainEvent>, CodecError> {
        let metadata = metadata(recorded)?;
        let private = self.open(recorded, metadata.sealed_for_company.as_ref()).await?;
        parse(recorded, metadata, private)
    }

    /// Checks that the sealed part of an event is as it was written. An event whose key is missing or erased
    /// passes, since it can't be checked.
    ///
    /// # Errors
    /// [`CodecError::Unreadable`] names the event.
    pub async fn check(&self, recorded: &RecordedEvent) -> Result<(), CodecError> {
        let metadata = metadata(recorded)?;
        match self.open(recorded, metadata.sealed_for_company.as_ref()).await {
            Err(altered @ CodecError::Unreadable { .. }) => Err(altered),
            _ => Ok(()),
        }
    }

    async fn open(
        &self,
        recorded: &RecordedEvent,
        of_company: Option<&SealedForCompany>,
    ) -> Result<Erasable<Private>, CodecError> {
        let own = match &recorded.event.sealed {
            Some(sealed) => self.open_part(recorded, sealed).await?,
            None => Erasable::Known(Private::default()),
        };
        let Some(part) = of_company else { return Ok(own) };
        let subject = AccountId(part.company_id.0);
        let bytes = STANDARD.decode(&part.sealed).map_err(|_| altered(recorded))?;
        let Erasable::Known(of_company) = self.open_part(recorded, &Sealed { subject, bytes }).await? else {
            return Ok(own);
        };
        Ok(Erasable::Known(own.known().cloned().unwrap_or_default().with_company(of_company)))
    }

    async fn open_part(
        &self,
        recorded: &RecordedEvent,
        sealed: &Sealed,
    ) -> Result<Erasable<Private>, CodecError> {
        let Held::Key(key) = self.keys.held(sealed.subject).await? else {
            return Ok(Erasable::Erased);
        };
        let event = &recorded.event;
        let private = open(&key, &sealed.bytes, &associated(event.id, &event.name))
            .map(Zeroizing::new)
            .and_then(|message| serde_json::from_slice(&message).ok());
        private.map(Erasable::Known).ok_or_else(|| altered(recorded))
    }
}

/// Decodes only the unencrypted part of an event, without a key ([`EventCodec::decode_open`]).
///
/// # Errors
/// [`CodecError`] if it can't be read.
pub fn decode_open(recorded: &RecordedEvent) -> Result<Fact<DomainEvent>, CodecError> {
    parse(recorded, metadata(recorded)?, Erasable::Erased)
}

/// Decodes only the moment and the unencrypted part of an event ([`EventCodec::decode_briefly`]).
///
/// # Errors
/// [`CodecError`] if they can't be read.
pub fn decode_briefly(event: &OpenEvent<'_>) -> Result<(Moment, DomainEvent), CodecError> {
    #[derive(Deserialize)]
    struct Brief {
        at: Moment,
    }
    let unreadable = |why: String| CodecError::Unreadable {
        id: event.id,
        place: format!("{}@{}", event.stream, event.revision.0),
        why,
    };
    let Brief { at } = serde_json::from_slice(event.metadata).map_err(|e| unreadable(e.to_string()))?;
    let mut json = serde_json::Deserializer::from_slice(event.data);
    let read = schema::read(event.name, event.version, &mut json, Erasable::Erased);
    Ok((at, read.map_err(|e| unreadable(e.to_string()))?))
}

fn place_of(recorded: &RecordedEvent) -> String {
    format!("{}@{}", recorded.stream, recorded.revision.0)
}

fn unreadable(recorded: &RecordedEvent, why: String) -> CodecError {
    CodecError::Unreadable { id: recorded.event.id, place: place_of(recorded), why }
}

fn altered(recorded: &RecordedEvent) -> CodecError {
    unreadable(recorded, "its sealed part was altered, or is another event's".to_owned())
}

fn metadata(recorded: &RecordedEvent) -> Result<Metadata, CodecError> {
    serde_json::from_slice(&recorded.event.metadata).map_err(|error| unreadable(recorded, error.to_string()))
}

fn sealed_with(
    key: &AccountKey,
    id: EventId,
    name: &str,
    stream: &StreamId,
    subject: AccountId,
    private: &Private,
) -> Result<Sealed, CodecError> {
    let message = Zeroizing::new(to_json(id, stream, private)?);
    let bytes = seal(key, &message, &associated(id, name))
        .ok_or_else(|| CodecError::Keys("an event could not be sealed".to_owned()))?;
    Ok(Sealed { subject, bytes })
}

/// Reads the open part of an event and adds `private` to it. The caller has opened the private part, or passes a
/// value for one that stays closed.
fn parse(
    recorded: &RecordedEvent,
    metadata: Metadata,
    private: Erasable<Private>,
) -> Result<Fact<DomainEvent>, CodecError> {
    let event = &recorded.event;
    let client = private.known().and_then(Private::client);
    let reason = private.known().and_then(|private| private.reason.clone());
    let mut json = serde_json::Deserializer::from_slice(&event.data);
    let domain_event = schema::read(&event.name, event.version, &mut json, private)
        .map_err(|error| unreadable(recorded, error.to_string()))?;
    let context = Context {
        at: metadata.at,
        actor: metadata.actor,
        correlation: metadata.correlation_id,
        causation: metadata.causation_id,
        client,
        reason,
    };
    Ok(Fact { id: event.id, context, event: domain_event })
}

/// The context that a sealed part is bound to. It can be opened only as part of this event.
fn associated(id: EventId, name: &str) -> Vec<u8> {
    [id.0.as_bytes().as_slice(), name.as_bytes()].concat()
}

fn to_json<T: Serialize>(id: EventId, stream: &StreamId, value: &T) -> Result<Vec<u8>, CodecError> {
    serde_json::to_vec(value).map_err(|e| CodecError::Unreadable {
        id,
        place: stream.to_string(),
        why: e.to_string(),
    })
}

impl EventCodec for JsonCodec {
    fn encode<'a>(
        &'a self,
        stream: &'a StreamId,
        facts: Vec<Fact<DomainEvent>>,
    ) -> BoxFuture<'a, Result<Vec<NewEvent>, CodecError>> {
        Box::pin(async move {
            let mut encoded = Vec::with_capacity(facts.len());
            for fact in facts {
                encoded.push(self.write(stream, fact).await?);
            }
            Ok(encoded)
        })
    }

    fn decode<'a>(
        &'a self,
        recorded: &'a RecordedEvent,
    ) -> BoxFuture<'a, Result<Fact<DomainEvent>, CodecError>> {
        Box::pin(self.read(recorded))
    }

    fn prepare<'a>(&'a self, events: &'a [&'a RecordedEvent]) -> BoxFuture<'a, ()> {
        let subjects = events.iter().filter_map(|event| Some(event.event.sealed.as_ref()?.subject));
        self.keys.fetch(subjects.collect())
    }

    fn decode_open(&self, recorded: &RecordedEvent) -> Result<Fact<DomainEvent>, CodecError> {
        decode_open(recorded)
    }

    fn decode_briefly(&self, event: &OpenEvent<'_>) -> Result<(Moment, DomainEvent), CodecError> {
        decode_briefly(event)
    }

    fn hash_word(&self, word: &str) -> String {
        self.tokens.hash_word(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Law 8: the metadata of stored events stays readable. Each kind of actor is here as it was first
    /// written.
    #[test]
    fn every_kind_of_actor_ever_written_is_read_and_written_alike() {
        let id = "00000000-0000-0000-0000-000000000001";
        for actor in [
            json!({ "kind": "stranger" }),
            json!({ "kind": "account", "account_id": id }),
            json!({ "kind": "service", "name": "web shop" }),
            json!({ "kind": "staff", "name": "Sofie Maes", "role": "support" }),
            json!({ "kind": "staff", "name": "Sofie Maes", "role": "supervisor" }),
            json!({ "kind": "staff", "name": "Sofie Maes", "role": "auditor" }),
            json!({ "kind": "system", "reaction": "mail" }),
            json!({ "kind": "operator" }),
        ] {
            let frozen = json!({
                "at": "2026-11-23T09:30:00.123456Z", "actor": actor, "correlation_id": id, "node": "one",
            });
            let read: Metadata = serde_json::from_value(frozen.clone()).unwrap();
            assert_eq!(serde_json::to_value::<Metadata>(read).unwrap(), frozen);
        }
        let unknown: Result<Actor, _> = serde_json::from_value::<Actor>(Value::from("janitor"));
        assert!(unknown.is_err());
    }
}
