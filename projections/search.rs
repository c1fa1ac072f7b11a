//! Support's search, with read models that exist for it.
//!
//! The read model of people holds keyed hashes of the beginnings of their names' words. The search finds accounts by
//! these hashes. Then it reads each person from the log with the account's key, and compares the real name.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use loquet_domain::ids::CompanyId;
use loquet_domain::ports::{CodecError, EventCodec, EventStore, ReadError, Tokens};
use loquet_domain::search::Words;
use loquet_domain::values::email_address::EmailAddress;
use loquet_domain::values::person::Person;

use crate::index::Lookup;
use crate::people::{Unreadable, person_at};
use crate::ports::{ReadStore, StoreFailed};
use crate::table::{FoundByWords, Row, RowQuery, find, select};
use crate::views::accounts::AccountRow;
use crate::views::companies::CompanyRow;
use crate::views::people::PersonRow;
use crate::views::sites::SiteRow;
use crate::views::terminals::TerminalRow;

/// The maximum number of rows under one word that are compared with the other words. If there are more, the search
/// says so.
const LOOKED_THROUGH: usize = 1_000;
/// The maximum number of people that one search reads from the log.
const READ: usize = 200;

/// Some of the results.
#[derive(Clone, Debug)]
pub struct Hits<T> {
    /// The results, at most as many as were asked for.
    pub items: Vec<T>,
    /// Whether there are more results, or may be. A search with more words narrows them down.
    pub more: bool,
}

impl<T> Hits<T> {
    fn none() -> Self {
        Self { items: Vec::new(), more: false }
    }

    fn of(mut items: Vec<T>, most: usize, complete: bool) -> Self {
        let more = items.len() > most || !complete;
        items.truncate(most);
        Self { items, more }
    }
}

/// An account that was found.
#[derive(Clone, Debug)]
pub struct AccountHit {
    /// The account.
    pub account: AccountRow,
    /// The account's owner.
    pub person: Person,
    /// The account's company.
    pub company: Option<CompanyRow>,
}

/// A site or terminal that was found.
#[derive(Clone, Debug)]
pub struct CompanyHit<R> {
    /// What was found.
    pub row: R,
    /// The company that it belongs to.
    pub company: Option<CompanyRow>,
}

/// Why a search failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchFailed {
    /// A read model can't be read.
    #[error(transparent)]
    Rows(#[from] StoreFailed),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] Unreadable),
}

/// The sources of a search.
pub struct Search<'a> {
    /// The read models.
    pub rows: &'a dyn ReadStore,
    /// The log.
    pub store: &'a dyn EventStore,
    /// Decodes events, and hashes words in the same way as the read model of people.
    pub codec: &'a dyn EventCodec,
    /// Hashes e-mail addresses.
    pub tokens: &'a dyn Tokens,
    /// The maximum number of results of each kind.
    pub most: usize,
}

/// Rows that may match, and whether there are no others.
struct Candidates<R> {
    rows: Vec<R>,
    complete: bool,
}

/// A word that is searched for in the names of people and companies.
struct Sought {
    /// The keyed hash of its beginning.
    hash: String,
    /// The companies that have it in a name. `None` if there are too many: then any company may have it.
    companies: Option<BTreeSet<CompanyId>>,
}

impl Sought {
    /// Whether the word may be in the person's name or in the name of their company.
    fn may_fit(&self, row: &PersonRow) -> bool {
        let of_company = || self.companies.as_ref().is_none_or(|named| named.contains(&row.company_id));
        row.words.contains(&self.hash) || of_company()
    }
}

impl Search<'_> {
    /// The account with this address.
    ///
    /// # Errors
    /// [`SearchFailed`] if a read model or the log can't be read.
    pub async fn account_of(&self, email: &EmailAddress) -> Result<Hits<AccountHit>, SearchFailed> {
        let by = AccountRow::BY_EMAIL.under(self.tokens.email_hash(email));
        let found = self.first(by, self.most).await?;
        let mut items = Vec::new();
        for account in found.rows {
            let person = person_at(self.store, self.codec, account.person_at).await?;
            if let Some(person) = person.known().filter(|person| person.email == *email) {
                let (person, company) = (person.clone(), self.company(&account.company_id).await?);
                items.push(AccountHit { account, person, company });
            }
        }
        Ok(Hits::of(items, self.most, found.complete))
    }

    /// The accounts of people with this name. Some of the words may be words of the person's company instead.
    ///
    /// # Errors
    /// The same as [`Search::account_of`].
    pub async fn people(&self, words: &Words) -> Result<Hits<AccountHit>, SearchFailed> {
        let mut sought = Vec::new();
        for (word, beginning) in words.looked_for().zip(words.beginnings()) {
            sought.push(Sought {
                hash: self.codec.hash_word(&beginning),
                companies: if words.is_one() {
                    Some(BTreeSet::new())
                } else {
                    self.companies_named(word).await?
                },
            });
        }
        let (mut candidates, mut complete) = (Vec::new(), true);
        for word in &sought {
            let found = self.first(PersonRow::BY_WORD.beginning(word.hash.as_str()), LOOKED_THROUGH).await?;
            complete &= found.complete;
            candidates
                .extend(found.rows.into_iter().filter(|row| sought.iter().all(|word| word.may_fit(row))));
        }
        // Those whose own name has the most words come first.
        let own = |row: &PersonRow| sought.iter().filter(|word| row.words.contains(&word.hash)).count();
        candidates.sort_by_cached_key(|row| (Reverse(own(row)), row.account_id));
        candidates.dedup_by_key(|row| row.account_id);
        let (mut items, mut read) = (Vec::new(), 0);
        for row in &candidates {
            if items.len() > self.most || read == READ {
                return Ok(Hits::of(items, self.most, false));
            }
            read += 1;
            items.extend(self.named(row, words).await?);
        }
        Ok(Hits::of(items, self.most, complete))
    }

    /// The companies that have this word in a name. Returns `None` if there are too many.
    async fn companies_named(&self, word: &str) -> Result<Option<BTreeSet<CompanyId>>, StoreFailed> {
        let found = self.first(CompanyRow::BY_WORD.beginning(word), LOOKED_THROUGH).await?;
        Ok(found.complete.then(|| found.rows.iter().map(|row| row.company_id).collect()))
    }

    /// The account of a row, if its owner's name matches, or that name and the company's names together. If the key
    /// of one account is missing, other people are still found.
    async fn named(&self, row: &PersonRow, words: &Words) -> Result<Option<AccountHit>, SearchFailed> {
        let person = match person_at(self.store, self.codec, row.person_at).await {
            Err(Unreadable::Codec(CodecError::Keys(_))) => return Ok(None),
            person => person?,
        };
        let Some(person) = person.known() else { return Ok(None) };
        let Some(account) = find::<AccountRow>(self.rows, row.account_id.to_string()).await? else {
            return Ok(None);
        };
        let company = self.company(&account.company_id).await?;
        let names = [person.given_name.as_str(), person.family_name.as_str()];
        let of_company = company.as_ref().map(CompanyRow::names).unwrap_or_default();
        let fits = words.fit_with(&names, &of_company);
        Ok(fits.then(|| AccountHit { account, person: person.clone(), company }))
    }

    /// The companies with this name or number.
    ///
    /// # Errors
    /// The same as [`Search::account_of`].
    pub async fn companies(&self, words: &Words) -> Result<Hits<CompanyRow>, SearchFailed> {
        let mut numbered = Vec::new();
        let whole =
            words.numbers.iter().map(|number| (CompanyRow::BY_NUMBER, number.country(), number.digits()));
        let parts = words.number_parts.iter();
        let parts = parts.map(|(country, digits)| (CompanyRow::BY_NUMBER_PART, *country, digits.as_str()));
        for (index, country, digits) in whole.chain(parts) {
            let by = index.beginning(format!("{country}/{digits}"));
            numbered.extend(self.first(by, self.most).await?.rows);
        }
        let mut once = BTreeSet::new();
        numbered.retain(|row| once.insert(row.company_id));
        let named = self.in_words::<CompanyRow>(words, |row| words.fit(&row.names()));
        let Hits { items, more } = named.await?;
        let known: BTreeSet<_> = numbered.iter().map(|row| row.company_id).collect();
        numbered.extend(items.into_iter().filter(|row| !known.contains(&row.company_id)));
        Ok(Hits::of(numbered, self.most, !more))
    }

    /// The sites with this address or name.
    ///
    /// # Errors
    /// The same as [`Search::account_of`].
    pub async fn sites(&self, words: &Words) -> Result<Hits<CompanyHit<SiteRow>>, SearchFailed> {
        let Hits { items, more } = self
            .in_words::<SiteRow>(words, |row| {
                row.place.as_ref().is_some_and(|place| words.fit(&place.texts()))
            })
            .await?;
        let mut hits = Vec::with_capacity(items.len());
        for row in items {
            let company = self.company(&row.company_id).await?;
            hits.push(CompanyHit { row, company });
        }
        Ok(Hits { items: hits, more })
    }

    /// The terminals with this serial number, or with this part in it. The one with the whole number comes first.
    ///
    /// # Errors
    /// The same as [`Search::account_of`].
    pub async fn terminals(&self, words: &Words) -> Result<Hits<CompanyHit<TerminalRow>>, SearchFailed> {
        let Some(serial) = &words.serial else { return Ok(Hits::none()) };
        let whole = self.first(TerminalRow::BY_SERIAL.under(serial.key()), self.most).await?;
        let part = self.first(TerminalRow::BY_SERIAL_PART.beginning(serial.key()), self.most + 1).await?;
        let (mut items, mut seen) = (Vec::new(), BTreeSet::new());
        for row in whole.rows.into_iter().chain(part.rows).filter(|row| seen.insert(row.terminal_id)) {
            let company = self.company(&row.company_id).await?;
            items.push(CompanyHit { row, company });
        }
        Ok(Hits::of(items, self.most, part.complete))
    }

    async fn company(&self, id: &CompanyId) -> Result<Option<CompanyRow>, StoreFailed> {
        find::<CompanyRow>(self.rows, id.to_string()).await
    }

    /// The rows that match all words. The words are stored unhashed.
    async fn in_words<R: FoundByWords>(
        &self,
        words: &Words,
        fits: impl Fn(&R) -> bool,
    ) -> Result<Hits<R>, StoreFailed> {
        let looked_for: Vec<String> = words.looked_for().map(ToOwned::to_owned).collect();
        // With one word everything that begins with it matches, so only as many rows are read as are shown.
        let at_most = if words.is_one() { LOOKED_THROUGH.min((self.most + 1) * 4) } else { LOOKED_THROUGH };
        let found = self.narrowest::<R>(&looked_for, at_most).await?;
        let fitting = found.rows.into_iter().filter(fits).take(self.most + 1).collect();
        Ok(Hits::of(fitting, self.most, found.complete))
    }

    /// The rows under the first word that does not have too many. If all have too many, some rows under the first
    /// word.
    async fn narrowest<R: FoundByWords>(
        &self,
        words: &[String],
        at_most: usize,
    ) -> Result<Candidates<R>, StoreFailed> {
        let mut some = None;
        for word in words {
            let found = self.first(R::BY_WORD.beginning(word.as_str()), at_most).await?;
            if found.complete {
                return Ok(found);
            }
            some = some.or(Some(found));
        }
        Ok(some.unwrap_or(Candidates { rows: Vec::new(), complete: true }))
    }

    /// The first rows of an index, each once, and whether there are no others.
    async fn first<R: Row>(&self, by: Lookup<R>, at_most: usize) -> Result<Candidates<R>, StoreFailed> {
        let wanted = RowQuery { by: Some(by), limit: at_most + 1, ..RowQuery::default() };
        let mut found = select(self.rows, wanted).await?;
        let complete = found.len() <= at_most;
        found.truncate(at_most);
        let mut seen = BTreeSet::new();
        found.retain(|(cursor, _)| seen.insert(cursor.key.clone()));
        Ok(Candidates { rows: found.into_iter().map(|(_, row)| row).collect(), complete })
    }
}

impl From<ReadError> for SearchFailed {
    fn from(error: ReadError) -> Self {
        Self::Log(error.into())
    }
}
