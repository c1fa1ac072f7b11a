//! Shares of limited resources: how much of a resource one address, token or person may hold at the same
//! time. The rest stays available for others.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use loquet_http_ports::service_tokens::{Service, TokenFamily};

/// How much each key holds.
#[derive(Debug)]
pub(crate) struct Shares<K> {
    held: Mutex<HashMap<K, usize>>,
}

/// What one caller holds. Dropping it releases it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Share<K: Eq + Hash> {
    keys: Vec<K>,
    shares: Arc<Shares<K>>,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self { held: Mutex::default() }
    }
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// Takes one unit for each of these keys. Each key comes with the most that it may hold. Returns `None`, and
    /// takes nothing, if one of the keys already holds as much.
    pub(crate) fn take(self: &Arc<Self>, wanted: &[(K, usize)]) -> Option<Share<K>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.iter().any(|(key, most)| held.get(key).copied().unwrap_or_default() >= *most) {
            return None;
        }
        for (key, _) in wanted {
            *held.entry(key.clone()).or_default() += 1;
        }
        Some(Share { keys: wanted.iter().map(|(key, _)| key.clone()).collect(), shares: self.clone() })
    }
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut held = self.shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            let Some(count) = held.get_mut(key) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(key);
            }
        }
    }
}

/// Places for programs that follow the events.
#[derive(Debug)]
pub struct Followers {
    places: Arc<Semaphore>,
    tokens: Arc<Shares<TokenFamily>>,
    most_per_token: usize,
}

/// One token holds at most a quarter of the places, so that others can always follow the events.
const SHARE_OF_A_TOKEN: usize = 4;

/// A place of a program that follows the events. It also counts for the program's token.
#[derive(Debug)]
pub(crate) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_token: Share<TokenFamily>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    /// The token and the tokens of its rotation together already hold as many places as they may.
    #[error("the token already follows the events {most} times")]
    Token {
        /// How many places they hold.
        most: usize,
    },
    /// All places are taken.
    #[error("all places for following the events are taken")]
    All,
}

impl Followers {
    /// Makes this many places. One token may hold a quarter of them, and at least one.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most_per_token = (most / SHARE_OF_A_TOKEN).max(1);
        Self { places: Arc::new(Semaphore::new(most)), tokens: Arc::default(), most_per_token }
    }

    pub(crate) fn admit(&self, service: &Service) -> Result<Place, NoPlace> {
        let most = self.most_per_token;
        let of_token = self.tokens.take(&[(service.family, most)]).ok_or(NoPlace::Token { most })?;
        let of_all = self.places.clone().try_acquire_owned().map_err(|_| NoPlace::All)?;
        Ok(Place { _of_all: of_all, _of_token: of_token })
    }
}

/// Requests that keep a core or the disk busy for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Costly {
    /// Decoding a picture and drawing it again.
    Picture,
    /// Reading a file of up to ten thousand lines.
    Import,
    /// Filtering up to five thousand events.
    Feed,
    /// Reading every event that concerns a person.
    Export,
    /// Reading the whole log.
    Trial,
}

impl Costly {
    /// The most of these requests that one caller may have in progress.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Feed => 4,
            Self::Picture => 2,
            Self::Import | Self::Export | Self::Trial => 1,
        }
    }
}

/// The requests that callers have in progress. Programs are counted by the family of their token, people by
/// their account.
#[derive(Debug, Default)]
pub struct UnderWay(Arc<Shares<(Costly, String)>>);

impl UnderWay {
    /// Takes a share for a caller. Returns `None` if the caller has the most that it may have in progress.
    pub(crate) fn take(&self, kind: Costly, caller: String) -> Option<Share<(Costly, String)>> {
        self.0.take(&[((kind, caller), kind.most())])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_share_is_taken_of_every_key_or_of_none_and_is_given_back() {
        let shares = Arc::new(Shares::default());
        let both = [("near", 1), ("wide", 2)];
        let first = shares.take(&both).unwrap();
        assert!(shares.take(&both).is_none(), "`near` holds one already");
        let second = shares.take(&[("other", 1), ("wide", 2)]).unwrap();
        assert!(shares.take(&[("third", 1), ("wide", 2)]).is_none(), "`wide` holds two already");
        drop(second);
        let third = shares.take(&[("third", 1), ("wide", 2)]).unwrap();
        drop((first, third));
        assert!(shares.held.lock().unwrap().is_empty(), "nothing is kept of who holds nothing");
    }

    #[test]
    fn one_token_with_those_it_was_rotated_to_never_takes_the_places_of_all_followers() {
        // A rotated token has the family of the old one. The conformance suite of service tokens tests that.
        let of_family = |family: u8| Service {
            name: "greedy".to_owned(),
            scopes: BTreeSet::new(),
            role: None,
            family: TokenFamily([family; 32]),
        };
        let (greedy, rotated, other) = (of_family(1), of_family(1), of_family(2));
        for most in [1, 2, 3, 4, 64, 4096] {
            let followers = Followers::new(most);
            let mut held = Vec::new();
            let refused = loop {
                // Alternates between the old token and the new one.
                let token = if held.len() % 2 == 0 { &greedy } else { &rotated };
                match followers.admit(token) {
                    Ok(place) => held.push(place),
                    Err(refused) => break refused,
                }
            };
            let share = (most / 4).max(1);
            assert_eq!((held.len(), refused), (share, NoPlace::Token { most: share }), "of {most}");
            let another = followers.admit(&other);
            assert_eq!(another.is_ok(), most > 1, "another token of the same name, of {most}");
            held.pop();
            drop(another);
            assert!(followers.admit(&rotated).is_ok(), "a place that was left, of {most}");
        }
    }
}
