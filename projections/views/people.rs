//! People by the words of their names. Of the name, a row holds only keyed hashes of the words.
//!
//! Somebody who has this file but not the key can learn that two names begin with the same letters, but not which
//! letters. A row exists while its account does: deleting or erasing the account removes it. `loquet projections
//! verify` needs the keys of all accounts. If an account is erased during a verification, its row is reported as
//! different.

use loquet_domain::account::Event;
use loquet_domain::ids::{AccountId, CompanyId};
use loquet_domain::ports::Position;
use loquet_domain::schema::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::index::{Entry, Index};
use crate::table::{FoundByWords, Row, Table};
use crate::view::{CannotApply, EventEnvelope, Sight, View, ViewId};

/// A person with an account. The event at `person_at` in the log holds the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct PersonRow {
    pub account_id: AccountId,
    /// The company of the account. A search looks for words in its names too.
    pub company_id: CompanyId,
    pub person_at: Position,
    /// The keyed hashes of the first letters of the words of their name.
    pub words: Vec<String>,
}

impl FoundByWords for PersonRow {
    /// The keyed hashes of the words of their name.
    const BY_WORD: Index<Self> = Index::new("word");
}

impl Row for PersonRow {
    const VIEW: ViewId = ViewId { name: "people", version: 4 };

    fn indexes(&self) -> Vec<Entry<Self>> {
        self.words.iter().map(|word| Self::BY_WORD.entry(word.as_str())).collect()
    }
}

/// The view of people.
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
            Event::AccountCreated { company, .. } => {
                let (company_id, words) = (*company, envelope.name_words.clone());
                rows.put(key, PersonRow { account_id, company_id, person_at: envelope.position, words })
            }
            Event::ProfileChanged { .. } => rows.change(key, |row| {
                row.person_at = envelope.position;
                row.words = envelope.name_words.clone();
            }),
            Event::AccountMoved { company, .. } => rows.change(key, |row| row.company_id = *company),
            Event::AccountDeleted { .. } | Event::AccountErased => rows.delete(key),
            _ => Ok(()),
        }
    }
}
