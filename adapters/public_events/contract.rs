//! Makes public events of events in the log.

use loquet_domain::fact::Fact;
use loquet_domain::ports::{CodecError, EventCodec, RecordedEvent};
use loquet_domain::schema::DomainEvent;
use uuid::Uuid;

use crate::catalog::type_of;
use crate::cloud_event::CloudEvent;
use crate::personal_fields::PersonalFields;
use crate::public_event::{EventType, PublicEvent};
use crate::topic::Topic;
use crate::{accounts, company_mapping};

/// The contract as an operator configures it.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The attribute `source` of each event: a URI reference (RFC 3986) that names this installation.
    pub source: String,
    /// The personal fields that are published in the topic of accounts.
    pub of_accounts: PersonalFields,
    /// The personal fields that are published in the topic of companies.
    pub of_companies: PersonalFields,
}

/// Why a public event could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The event can't be read, or its key can't be fetched.
    #[error(transparent)]
    Unreadable(#[from] CodecError),
    /// The event's stream is not named as its category asks.
    #[error("the stream {0} has no id that an event of it could be published under")]
    NoSubject(String),
    /// The data can't be written as JSON.
    #[error("the data of a public event can't be written")]
    Unwritable(#[from] serde_json::Error),
}

impl Contract {
    /// A contract that publishes no personal data.
    #[must_use]
    pub fn without_personal_data(source: String) -> Self {
        Self { source, of_accounts: PersonalFields::default(), of_companies: PersonalFields::default() }
    }

    fn personal(&self, topic: Topic) -> &PersonalFields {
        match topic {
            Topic::Accounts => &self.of_accounts,
            Topic::Companies => &self.of_companies,
        }
    }

    /// The public event of a recorded event. Returns `None` if that is not public. Opens the sealed part only if a
    /// field of it is published.
    ///
    /// # Errors
    /// [`ContractError`] if the event can't be read.
    pub async fn publish(
        &self,
        codec: &dyn EventCodec,
        recorded: &RecordedEvent,
    ) -> Result<Option<CloudEvent>, ContractError> {
        let Some(known) = type_of(&recorded.event.name) else { return Ok(None) };
        let has_personal = match known.topic {
            Topic::Accounts => !known.personal.is_empty(),
            // Some of these events have personal fields in their parts.
            Topic::Companies => recorded.stream.category() == loquet_domain::company::CATEGORY,
        };
        let sealed = has_personal && !self.personal(known.topic).is_empty();
        let fact = match sealed {
            true => codec.decode(recorded).await?,
            false => codec.decode_open(recorded)?,
        };
        self.wrap(known, recorded, &fact)
    }

    /// The public event of an event that was read.
    pub(crate) fn wrap(
        &self,
        known: &EventType,
        recorded: &RecordedEvent,
        fact: &Fact<DomainEvent>,
    ) -> Result<Option<CloudEvent>, ContractError> {
        let id = recorded.stream.id();
        let own = || id.parse().map_err(|_| ContractError::NoSubject(recorded.stream.to_string()));
        let Some((subject, public)) = subject_and_event(id, own, &fact.event, self.personal(known.topic))?
        else {
            return Ok(None);
        };
        Ok(Some(CloudEvent {
            id: fact.id.0,
            source: self.source.clone(),
            name: public.name,
            topic: known.topic,
            subject,
            time: fact.context.at,
            position: recorded.position,
            data: public.data?,
            forgets: loquet_domain::schema::ends_a_subject(&recorded.event.name),
        }))
    }
}

/// The aggregate that a public event concerns, and the event. `own` is the id in the name of the stream.
fn subject_and_event(
    id: &str,
    own: impl Fn() -> Result<Uuid, ContractError>,
    event: &DomainEvent,
    personal: &PersonalFields,
) -> Result<Option<(Uuid, PublicEvent)>, ContractError> {
    let with = |subject: Uuid| move |event: PublicEvent| (subject, event);
    Ok(match event {
        DomainEvent::Account(event) => accounts::public(own()?, event, personal).map(with(own()?)),
        DomainEvent::Company(event) => company_mapping::of_company(own()?, event, personal).map(with(own()?)),
        DomainEvent::Terminals(event) => Some((own()?, company_mapping::of_terminals(own()?, event))),
        DomainEvent::Access(event) => company_mapping::of_access(own()?, event).map(with(own()?)),
        DomainEvent::TakeOver(event) => company_mapping::of_takeover(own()?, event).map(with(own()?)),
        DomainEvent::Receipt(event) => Some(company_mapping::of_receipt(own()?, event)),
        DomainEvent::Order(event) => company_mapping::of_order(id, event),
        // Claims are how a name stays unique. A logo is part of a layout. What operators do concerns no customer.
        DomainEvent::EmailClaim(_)
        | DomainEvent::SerialClaim(_)
        | DomainEvent::Logo(_)
        | DomainEvent::Administration(_) => None,
    })
}
