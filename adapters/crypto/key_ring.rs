//! The keys derived from the server key, by generation: for wrapping account keys, for signing links and
//! sessions, and for hashing addresses. Every key store that outlives its process uses them.
//!
//! A rotation makes a new generation. Wrapped keys are wrapped again. Mailed links can't be mailed again, so
//! the keys that signed them are kept, wrapped, until everything they signed has ended. The key that hashes
//! addresses is part of stream names, so it is kept for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use loquet_domain::Moment;
use zeroize::Zeroizing;

use crate::sealing::{open, seal};
use crate::server_key::{Fingerprint, KeyFile, ServerKey};
use crate::tokens::{Signing, TokenKeys};

/// A number that grows with each rotation.
pub type Generation = u32;
/// The name under which the key that hashes addresses is stored once its server key is gone.
pub const EMAIL: &str = "email";
/// The name under which the key that hashes commands is stored. It is not derived from a server key.
pub const COMMANDS: &str = "commands";

/// The entries of a key store can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// The newest generation is not of a key in the file.
    #[error("the server key is not the one that the keys were wrapped with: restore the right one")]
    WrongServerKey,
    /// An entry has changed since it was written.
    #[error("the entry '{0}' of the key store was altered: restore the key store from a backup")]
    Altered(String),
}

/// What a key store holds beside the account keys, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// A number that the store changes when other processes have changed anything else here.
    pub changes: i64,
    /// The generations, with the fingerprints of their server keys.
    pub generations: BTreeMap<Generation, Vec<u8>>,
    /// What does not follow from the server key, or from an earlier one.
    pub secrets: Vec<StoredSecret>,
}

/// A secret of the server. It is wrapped like an account's key.
#[derive(Clone, Debug)]
pub struct StoredSecret {
    /// The name. It is bound to the ciphertext.
    pub name: String,
    /// The nonce and the ciphertext.
    pub wrapped: Vec<u8>,
    /// The generation of the server key that wraps it.
    pub generation: Generation,
    /// When it is needed no more. `None` for what is needed for ever.
    pub ends_at: Option<Moment>,
}

impl Stored {
    /// Returns the newest generation.
    #[must_use]
    pub fn newest(&self) -> Option<Generation> {
        self.generations.last_key_value().map(|(generation, _)| *generation)
    }

    /// Returns the generation of a server key. Returns `None` if the store does not know the key.
    #[must_use]
    pub fn generation_of(&self, key: &ServerKey) -> Option<Generation> {
        let print = key.fingerprint();
        self.generations.iter().find(|(_, known)| **known == print).map(|(generation, _)| *generation)
    }
}

/// The current keys.
pub struct Ring {
    newest: Generation,
    /// The fingerprint of the newest server key.
    print: Fingerprint,
    changes: i64,
    file: KeyFile,
    wrapping: BTreeMap<Generation, Zeroizing<[u8; 32]>>,
    /// The keys that sign links and sessions and hash addresses. All users of the keys share them.
    tokens: Arc<RwLock<TokenKeys>>,
}

impl Ring {
    /// Makes the ring of a store that is not empty.
    ///
    /// # Errors
    /// [`RingError`] says what does not fit.
    pub fn of(file: KeyFile, stored: &Stored) -> Result<Self, RingError> {
        let newest = stored.newest().ok_or(RingError::WrongServerKey)?;
        let mut by_generation = BTreeMap::new();
        for key in file.keys() {
            by_generation.extend(stored.generation_of(key).map(|generation| (generation, key)));
        }
        let current = *by_generation.get(&newest).ok_or(RingError::WrongServerKey)?;
        let wrapping = by_generation.iter().map(|(generation, key)| (*generation, key.wrapping())).collect();
        let tokens = Arc::new(RwLock::new(TokenKeys::of(current)));
        let print = Fingerprint::from(current);
        let ring = Self { newest, print, changes: stored.changes, wrapping, tokens, file: file.clone() };
        let tokens = TokenKeys {
            email: ring.kept_key(stored, EMAIL)?.unwrap_or_else(|| TokenKeys::email_of(current)),
            current: Signing::of(current),
            older: ring.older(stored)?,
        };
        *ring.tokens.write().unwrap_or_else(PoisonError::into_inner) = tokens;
        Ok(ring)
    }

    /// Takes over what another ring holds. All users of this ring's tokens use those keys from now on.
    pub fn become_like(&mut self, other: Self) {
        let theirs = other.token_keys();
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = theirs;
        let tokens = self.tokens.clone();
        *self = Self { tokens, ..other };
    }

    /// Returns the newest generation. It wraps new keys.
    #[must_use]
    pub fn newest(&self) -> Generation {
        self.newest
    }

    /// Returns the number and the fingerprint of the newest server key.
    #[must_use]
    pub fn newest_key(&self) -> (Generation, Fingerprint) {
        (self.newest, self.print.clone())
    }

    /// Returns the number of changes ([`Stored::changes`]) that this ring was made from.
    #[must_use]
    pub fn changes(&self) -> i64 {
        self.changes
    }

    /// Returns the file of the server key.
    #[must_use]
    pub fn file(&self) -> &KeyFile {
        &self.file
    }

    /// Returns the keys of tokens. They follow every change of this ring.
    #[must_use]
    pub fn tokens(&self) -> Arc<RwLock<TokenKeys>> {
        self.tokens.clone()
    }

    /// Returns the keys of tokens as they are now.
    pub(crate) fn token_keys(&self) -> TokenKeys {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether the file has the server key of a generation.
    #[must_use]
    pub fn knows(&self, generation: Generation) -> bool {
        self.wrapping.contains_key(&generation)
    }

    /// Wraps a key with the newest server key, and binds it to `context`. Returns `None` if that can't be done.
    #[must_use]
    pub fn wrap(&self, key: &[u8; 32], context: &[u8]) -> Option<Vec<u8>> {
        seal(self.wrapping.get(&self.newest)?, key.as_slice(), context)
    }

    /// Unwraps a key. Returns `None` if the file does not have the server key of its generation, or if the key was
    /// altered.
    #[must_use]
    pub fn unwrap(
        &self,
        wrapped: &[u8],
        generation: Generation,
        context: &[u8],
    ) -> Option<Zeroizing<[u8; 32]>> {
        let key = Zeroizing::new(open(self.wrapping.get(&generation)?, wrapped, context)?);
        <[u8; 32]>::try_from(key.as_slice()).ok().map(Zeroizing::new)
    }

    /// Returns the key that is stored under a name.
    ///
    /// # Errors
    /// [`RingError::Altered`] if it can't be unwrapped.
    pub fn kept_key(&self, stored: &Stored, name: &str) -> Result<Option<Zeroizing<[u8; 32]>>, RingError> {
        let kept = stored.secrets.iter().find(|secret| secret.name == name);
        let altered = |_| RingError::Altered(name.to_owned());
        kept.map(|kept| self.secret(kept)?.as_slice().try_into().map(Zeroizing::new).map_err(altered))
            .transpose()
    }

    fn secret(&self, stored: &StoredSecret) -> Result<Zeroizing<Vec<u8>>, RingError> {
        let key = self.wrapping.get(&stored.generation);
        let secret = key.and_then(|key| open(key, &stored.wrapped, stored.name.as_bytes()));
        secret.map(Zeroizing::new).ok_or_else(|| RingError::Altered(stored.name.clone()))
    }

    /// Returns the keys that still verify links and sessions of earlier generations, and until when. Newest
    /// first.
    fn older(&self, stored: &Stored) -> Result<Vec<(Signing, Moment)>, RingError> {
        let mut older = Vec::new();
        for secret in &stored.secrets {
            if let Some(ends_at) = secret.ends_at {
                older.extend(Signing::from_bytes(&self.secret(secret)?).map(|signing| (signing, ends_at)));
            }
        }
        older.sort_by_key(|(_, ends_at)| std::cmp::Reverse(*ends_at));
        Ok(older)
    }
}
