//! An event in the form that views and reactions see.

use std::sync::Arc;

use loquet_domain::account;
use loquet_domain::fact::Fact;
use loquet_domain::ports::{CodecError, EventCodec, Position, RecordedEvent, Revision, StreamId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::search;

/// An event in the form that views and reactions see.
#[derive(Clone, Debug)]
pub struct EventEnvelope {
    /// Its position in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its revision in the stream.
    pub revision: Revision,
    /// The event and its context.
    pub fact: Fact<DomainEvent>,
    /// The keyed hashes of the first letters of the words of the owner's name, for an account that was created. Empty
    /// for views that do not ask for them, and if the account's key is missing.
    pub name_words: Vec<String>,
}

/// How much of an event a view sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The unencrypted part. No key is needed.
    #[default]
    Open,
    /// Also what the events of companies say of names, numbers and addresses. A view that holds them deletes them when the
    /// company is erased.
    Companies,
    /// Also the keyed hashes of the words of names, by which people are found. No view sees the names.
    HashedNames,
}

impl Sight {
    /// Whether it sees what is encrypted in this event.
    fn opens(self, event: &DomainEvent) -> bool {
        match event {
            DomainEvent::Company(_) => self > Self::Open,
            DomainEvent::Account(
                account::Event::AccountCreated { .. } | account::Event::ProfileChanged { .. },
            ) => self == Self::HashedNames,
            _ => false,
        }
    }
}

/// The number of events that are decoded before other tasks may run, such as logins.
const AT_A_TIME: usize = 64;

impl EventEnvelope {
    /// Reads the unencrypted part of an event. No key is needed, and a view may see no more.
    ///
    /// # Errors
    /// [`CodecError`] if it can't be read.
    pub fn read_open(codec: &dyn EventCodec, recorded: RecordedEvent) -> Result<Self, CodecError> {
        let fact = codec.decode_open(&recorded)?;
        Ok(Self::new(recorded, fact))
    }

    /// Reads as much of each event as this sight allows. Stops at the first event that can't be read, and returns why.
    ///
    /// The failures are those of [`EventEnvelope::read_open`]. A name that can't be read has no hashes: the loss of one
    /// account's key stops no view.
    pub(crate) async fn read_page(
        codec: &dyn EventCodec,
        page: Vec<RecordedEvent>,
        sight: Sight,
    ) -> (Vec<Arc<Self>>, Option<CodecError>) {
        let (mut read, mut failure) = (Vec::with_capacity(page.len()), None);
        for (n, recorded) in page.into_iter().enumerate() {
            if n % AT_A_TIME == 0 {
                tokio::task::yield_now().await;
            }
            match codec.decode_open(&recorded) {
                Ok(fact) => read.push((recorded, fact)),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let sealed = read.iter().filter(|(_, fact)| sight.opens(&fact.event)).map(|(recorded, _)| recorded);
        codec.prepare(&sealed.collect::<Vec<_>>()).await;
        let mut events = Vec::with_capacity(read.len());
        for (recorded, fact) in read {
            let envelope = match sight.opens(&fact.event) {
                true => Self::opened(codec, recorded, fact).await,
                false => Self::new(recorded, fact),
            };
            events.push(Arc::new(envelope));
        }
        (events, failure)
    }

    /// An event with what its sealed part adds.
    async fn opened(codec: &dyn EventCodec, recorded: RecordedEvent, mut fact: Fact<DomainEvent>) -> Self {
        let mut name_words = Vec::new();
        if matches!(fact.event, DomainEvent::Company(_)) {
            fact.event = of_company(codec, &recorded).await.unwrap_or(fact.event);
        } else {
            name_words = hashed_names(codec, &recorded).await;
        }
        Self { name_words, ..Self::new(recorded, fact) }
    }

    pub(crate) fn new(recorded: RecordedEvent, fact: Fact<DomainEvent>) -> Self {
        let RecordedEvent { position, stream, revision, .. } = recorded;
        Self { position, stream, revision, fact, name_words: Vec::new() }
    }
}

/// The whole event of a company, without its context. Returns `None` if the company's key is missing: the loss of one
/// company's key stops no view.
async fn of_company(codec: &dyn EventCodec, recorded: &RecordedEvent) -> Option<DomainEvent> {
    match codec.decode(recorded).await {
        Ok(fact) => Some(fact.event),
        Err(error) => {
            let (stream, position) = (&recorded.stream, recorded.position);
            tracing::error!(%stream, %position, %error, "an event of a company can't be read: lists and searches leave out what it says");
            None
        }
    }
}

/// The hashes by which the owner of an account is found. Empty if the owner's data was erased.
async fn hashed_names(codec: &dyn EventCodec, recorded: &RecordedEvent) -> Vec<String> {
    let person = match codec.decode(recorded).await.map(|fact| fact.event) {
        Ok(DomainEvent::Account(
            account::Event::AccountCreated { person, .. } | account::Event::ProfileChanged { person, .. },
        )) => person,
        Ok(_) => return Vec::new(),
        Err(error) => {
            let (stream, position) = (&recorded.stream, recorded.position);
            tracing::error!(%stream, %position, %error, "the owner of an account can't be read: a search by name does not find this person");
            return Vec::new();
        }
    };
    let names = person.known().map(|person| [person.given_name.as_str(), person.family_name.as_str()]);
    let beginnings = names.map(|names| search::beginnings_of(&names)).unwrap_or_default();
    beginnings.iter().map(|beginning| codec.hash_word(beginning)).collect()
}
