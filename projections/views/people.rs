//! People by the words of their names, of which a row holds keyed hashes alone.
//!
//! Whoever has this file and no key learns that two names begin alike, and not how. A row is there for as long as the
//! account is live: deleting or erasing it takes the row away. That verifying gives the same takes the key of every
//! account: of one that is erased while it is verified, the row is told to differ.

use loquet_domain::account::Event;
use loquet_domain::ids::AccountId;
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::table::{FoundByWords, Row, Table};
use crate::view::{CannotApply, EventEnvelope, Sight, View, ViewId};

/// Somebody with an account. Who they are is at `person_at` in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PersonRow {
    pub account_id: AccountId,
    pub person_at: Position,
    /// Keyed hashes of the first letters of the words of their name.
    pub words: Vec<String>,
}

impl FoundByWords for PersonRow {
    /// The hashes of the words of their name.
    const BY_WORD: Index<Self> = Index::new("word");
}

impl Row for PersonRow {
    const VIEW: ViewId = ViewId { name: "people", version: 1 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        self.words.iter().map(|word| Self::BY_WORD.entry(word.as_str())).collect()
    }
}

/// The view.
pub struct People;

impl View for People {
    type Row = PersonRow;

    fn sight(&self) -> Sight {
        Sight::HashedNames
    }

    fn apply(&self, rows: &mut Table<'_, PersonRow>, envelope: &EventEnvelope) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account_id)) =
            (&envelope.fact.event, envelope.stream.account())
        else {
            return Ok(());
        };
        let key = envelope.stream.id();
        match event {
            Event::AccountCreated { .. } if !envelope.name_words.is_empty() => {
                let words = envelope.name_words.clone();
                rows.put(key, PersonRow { account_id, person_at: envelope.position, words })
            }
            Event::AccountDeleted { .. } | Event::AccountErased => rows.delete(key),
            _ => Ok(()),
        }
    }
}
