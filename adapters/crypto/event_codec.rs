//! Stores events as JSON and seals their private parts.

use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::fact::{Actor, Context, Fact};
use loquet_domain::ids::{AccountId, CorrelationId, EventId};
use loquet_domain::ports::{BoxFuture, CodecError, EventCodec, NewEvent, RecordedEvent, Sealed, StreamId};
use loquet_domain::schema::{self, DomainEvent, Private, ReasonKey, Stored};
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
        let metadata = Metadata {
            at: fact.context.at,
            actor: fact.context.actor,
            correlation_id: fact.context.correlation,
            causation_id: fact.context.causation,
            node: self.node.clone(),
        };
        let subject = stored.subject.or_else(|| stream.account());
        let data = to_json(fact.id, stream, &stored.data)?;
        let metadata = to_json(fact.id, stream, &metadata)?;
        let Stored { name, version, private, .. } = stored;
        let sealed = match subject {
            Some(subject) => {
                let private =
                    private.with_client(fact.context.client.as_ref()).with_reason(fact.context.reason);
                match private.is_empty() {
                    true => None,
                    false => Some(self.seal(fact.id, name, stream, subject, &private).await?),
                }
            }
            None => self.seal_reason(fact.id, name, stream, &fact.event, fact.context.reason).await?,
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

    /// Seals the reason of an event that has nothing else to seal. If the key was erased, the reason is not stored: it
    /// was about somebody who is forgotten.
    async fn seal_reason(
        &self,
        id: EventId,
        name: &str,
        stream: &StreamId,
        event: &DomainEvent,
        reason: Option<String>,
    ) -> Result<Option<Sealed>, CodecError> {
        let private = Private::default().with_reason(reason);
        let Some(owner) = schema::reason_key(event, stream).filter(|_| !private.is_empty()) else {
            return Ok(None);
        };
        let (subject, held) = match owner {
            ReasonKey::OfAccount(account) => (account, self.keys.held(account).await?),
            ReasonKey::OfStream(key) => (key, self.keys.held_or_made(key).await?),
        };
        match held {
            Held::Key(key) => sealed_with(&key, id, name, stream, subject, &private).map(Some),
            Held::Erased => Ok(None),
        }
    }

    async fn read(&self, recorded: &RecordedEvent) -> Result<Fact<DomainEvent>, CodecError> {
        parse(recorded, self.open(recorded).await?)
    }

    /// Checks that the sealed part of an event is as it was written. An event whose key is missing or erased
    /// passes, since it can't be checked.
    ///
    /// # Errors
    /// [`CodecError::Unreadable`] names the event.
    pub async fn check(&self, recorded: &RecordedEvent) -> Result<(), CodecError> {
        match self.open(recorded).await {
            Err(altered @ CodecError::Unreadable { .. }) => Err(altered),
            _ => Ok(()),
        }
    }

    async fn open(&self, recorded: &RecordedEvent) -> Result<Erasable<Private>, CodecError> {
        let Some(sealed) = &recorded.event.sealed else {
            return Ok(Erasable::Known(Private::default()));
        };
        let Held::Key(key) = self.keys.held(sealed.subject).await? else {
            return Ok(Erasable::Erased);
        };
        let event = &recorded.event;
        let private = open(&key, &sealed.bytes, &associated(event.id, &event.name))
            .map(Zeroizing::new)
            .and_then(|message| serde_json::from_slice(&message).ok());
        private.map(Erasable::Known).ok_or_else(|| CodecError::Unreadable {
            id: event.id,
            place: format!("{}@{}", recorded.stream, recorded.revision.0),
            why: "its sealed part was altered, or is another event's".to_owned(),
        })
    }
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
fn parse(recorded: &RecordedEvent, private: Erasable<Private>) -> Result<Fact<DomainEvent>, CodecError> {
    let event = &recorded.event;
    let place = || format!("{}@{}", recorded.stream, recorded.revision.0);
    let unreadable = |why: String| CodecError::Unreadable { id: event.id, place: place(), why };
    let metadata: Metadata =
        serde_json::from_slice(&event.metadata).map_err(|e| unreadable(e.to_string()))?;
    let client = private.known().and_then(Private::client);
    let reason = private.known().and_then(|private| private.reason.clone());
    let mut json = serde_json::Deserializer::from_slice(&event.data);
    let domain_event = schema::read(&event.name, event.version, &mut json, private)
        .map_err(|e| unreadable(e.to_string()))?;
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

    fn decode_open(&self, recorded: &RecordedEvent) -> Result<Fact<DomainEvent>, CodecError> {
        parse(recorded, Erasable::Erased)
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
