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

use crate::batch::Batch;
use crate::ports::IndexEntry;
use crate::table::{Row, Table};
use crate::view::{CannotApply, Noted, Sight, View, ViewId};

/// Somebody with an account. Who they are is at `person_at` in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub struct PersonRow {
    pub account_id: AccountId,
    pub person_at: Position,
    /// Keyed hashes of the first letters of the words of their name.
    pub words: Vec<String>,
}

impl Row for PersonRow {
    const VIEW: ViewId = ViewId { name: "people", version: 1 };

    fn indexes(&self) -> Vec<IndexEntry> {
        self.words.iter().map(|word| ("word", word.clone())).collect()
    }
}

/// The view.
pub struct People;

impl View for People {
    fn id(&self) -> ViewId {
        PersonRow::VIEW
    }

    fn sight(&self) -> Sight {
        Sight::HashedNames
    }

    fn apply(&self, rows: &mut Batch<'_>, noted: &Noted) -> Result<(), CannotApply> {
        let (DomainEvent::Account(event), Some(account_id)) = (&noted.fact.event, noted.stream.account())
        else {
            return Ok(());
        };
        let mut table = Table::<PersonRow>::new(rows);
        let key = noted.stream.id();
        match event {
            Event::AccountCreated { .. } if !noted.name_words.is_empty() => {
                let words = noted.name_words.clone();
                table.put(key, PersonRow { account_id, person_at: noted.position, words })
            }
            Event::AccountDeleted { .. } | Event::AccountErased => table.delete(key),
            _ => Ok(()),
        }
    }
}
