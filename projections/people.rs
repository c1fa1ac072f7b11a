//! Reads the owner of an account from the log, each time it is asked for.
//!
//! Views hold no personal data, only the position of the event that does. So when the account's key is deleted, no
//! read model can show the person any more (law 6).

use loquet_domain::account;
use loquet_domain::fact::Client;
use loquet_domain::ports::{CodecError, EventCodec, EventStore, Position, ReadError};
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::erasable::Erasable;
use loquet_domain::values::person::Person;

use crate::view::EventEnvelope;

/// The log could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] ReadError),
    /// The event can't be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The event at a position, with its envelope.
///
/// # Errors
/// [`Unreadable`] if the log can't be read there.
pub async fn event_at(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    position: Position,
) -> Result<Option<EventEnvelope>, Unreadable> {
    match store.event_at(position).await? {
        Some(recorded) => {
            let fact = codec.decode(&recorded).await?;
            Ok(Some(EventEnvelope::new(recorded, fact)))
        }
        None => Ok(None),
    }
}

/// The unencrypted part of the event at a position, with its envelope. No key is needed.
///
/// # Errors
/// The same as [`event_at`].
pub async fn noted_at(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    position: Position,
) -> Result<Option<EventEnvelope>, Unreadable> {
    let found = store.event_at(position).await?;
    Ok(found.map(|recorded| EventEnvelope::read_open(codec, recorded)).transpose()?)
}

/// The person whom the event at a position describes: the owner of an account, or the contact of an order.
///
/// # Errors
/// The same as [`event_at`].
pub async fn person_at(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    position: Position,
) -> Result<Erasable<Person>, Unreadable> {
    let event = event_at(store, codec, position).await?.map(|envelope| envelope.fact.event);
    Ok(match event {
        Some(DomainEvent::Account(
            account::Event::AccountCreated { person, .. } | account::Event::ProfileChanged { person, .. },
        )) => person,
        Some(DomainEvent::Order(loquet_domain::order::Event::OrderReceived { person, .. })) => person,
        _ => Erasable::Erased,
    })
}

/// The client that sent the command of the event at a position.
///
/// # Errors
/// The same as [`event_at`].
pub async fn client_at(
    store: &dyn EventStore,
    codec: &dyn EventCodec,
    position: Position,
) -> Result<Option<Client>, Unreadable> {
    Ok(event_at(store, codec, position).await?.and_then(|envelope| envelope.fact.context.client))
}
