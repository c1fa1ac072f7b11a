//! An event as views and reactions see it.

use loquet_domain::account;
use loquet_domain::fact::Fact;
use loquet_domain::ports::{CodecError, EventCodec, Position, RecordedEvent, Revision, StreamId};
use loquet_domain::schema::DomainEvent;
use loquet_domain::search;

/// An event as views and reactions see it.
#[derive(Clone, Debug)]
pub struct EventEnvelope {
    /// Where in the log.
    pub position: Position,
    /// Of which stream.
    pub stream: StreamId,
    /// Where in its stream.
    pub revision: Revision,
    /// What happened.
    pub fact: Fact<DomainEvent>,
    /// Of an account that was created, keyed hashes of the first letters of the words of its owner's name: for views
    /// that see as much, and where the account's key is there.
    pub name_words: Vec<String>,
}

/// How much of events views see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The open part. No key is asked for.
    #[default]
    Open,
    /// And keyed hashes of the words of names, by which people are found. The names themselves no view sees.
    HashedNames,
}

impl EventEnvelope {
    /// Reads the open part of an event: all that a view may see, and no key is asked for.
    ///
    /// # Errors
    /// [`CodecError`] where it can't be read.
    pub fn read_open(codec: &dyn EventCodec, recorded: RecordedEvent) -> Result<Self, CodecError> {
        let fact = codec.decode_open(&recorded)?;
        Ok(Self::new(recorded, fact))
    }

    /// Reads as much of an event as views of that sight may see.
    ///
    /// # Errors
    /// As [`EventEnvelope::read_open`]. A name that can't be read is none: the loss of one account's key stops no view.
    pub(crate) async fn read(
        codec: &dyn EventCodec,
        recorded: RecordedEvent,
        sight: Sight,
    ) -> Result<Self, CodecError> {
        let fact = codec.decode_open(&recorded)?;
        let named = matches!(fact.event, DomainEvent::Account(account::Event::AccountCreated { .. }));
        let name_words = match sight {
            Sight::HashedNames if named => hashed_names(codec, &recorded).await,
            Sight::HashedNames | Sight::Open => Vec::new(),
        };
        Ok(Self { name_words, ..Self::new(recorded, fact) })
    }

    pub(crate) fn new(recorded: RecordedEvent, fact: Fact<DomainEvent>) -> Self {
        let RecordedEvent { position, stream, revision, .. } = recorded;
        Self { position, stream, revision, fact, name_words: Vec::new() }
    }
}

/// What finds the person whose account was created; nothing where they were erased.
async fn hashed_names(codec: &dyn EventCodec, recorded: &RecordedEvent) -> Vec<String> {
    let person = match codec.decode(recorded).await.map(|fact| fact.event) {
        Ok(DomainEvent::Account(account::Event::AccountCreated { person, .. })) => person,
        Ok(_) => return Vec::new(),
        Err(error) => {
            let (stream, position) = (&recorded.stream, recorded.position);
            tracing::error!(%stream, %position, %error, "whose account this is can't be read: they are not found by name");
            return Vec::new();
        }
    };
    let names = person.known().map(|person| [person.given_name.as_str(), person.family_name.as_str()]);
    let beginnings = names.map(|names| search::beginnings_of(&names)).unwrap_or_default();
    beginnings.iter().map(|beginning| codec.hash_word(beginning)).collect()
}
