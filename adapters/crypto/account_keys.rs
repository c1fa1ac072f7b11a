//! The port of the account keys. They encrypt the sealed parts of events.

use std::sync::Arc;

use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, CodecError, KeyVault};
use zeroize::Zeroizing;

use crate::server_key::Fingerprint;
use crate::tokens::HmacTokens;

/// A key of 256 bits that seals and opens. It is wiped from memory when the last reference to it is dropped.
pub type AccountKey = Arc<Zeroizing<[u8; 32]>>;

/// What a key store knows about an account's key.
#[derive(Clone)]
pub enum Held {
    /// The key.
    Key(AccountKey),
    /// The account had a key, and it was erased.
    Erased,
}

/// What [`AccountKeys::refresh`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noticed {
    /// The server key has not changed.
    Nothing,
    /// There is a new server key. It is in use now.
    Rotation,
}

/// The keys can't be used. The cause says why, and how to fix it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KeysUnavailable(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// The keys of all accounts, and the tokens that are signed with the server key that wraps them.
///
/// What a store must keep: a key that was returned by [`AccountKeys::held_or_made`] is durable before it is returned.
/// Two calls for one account, at once or on two nodes, return the same key. After [`KeyVault::forget`] returns, no call
/// makes another key for that account, and none on this node returns the key. Another node may have the key in memory. It
/// returns the key no more after its next [`AccountKeys::refresh`], which every node calls every two seconds.
pub trait AccountKeys: KeyVault {
    /// Returns the account's key.
    ///
    /// # Errors
    /// [`CodecError::Keys`] if the store cannot be used, or has never had a key of this account.
    fn held(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>>;

    /// Brings the keys of these accounts into memory in one step, as far as there is room. Leaves what it can't read to
    /// [`AccountKeys::held`], which says why.
    fn fetch(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, ()>;

    /// Returns the account's key. Makes one, and stores it durably, if the account never had one.
    ///
    /// # Errors
    /// [`CodecError::Keys`] if the store cannot be used.
    fn held_or_made(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>>;

    /// Makes keys for accounts that are about to be created, and stores all of them durably in one step. An
    /// account that has a key keeps it, and an erased key stays erased.
    ///
    /// # Errors
    /// [`CodecError::Keys`] if the store cannot be used. In that case, no key was made.
    fn make(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<(), CodecError>>;

    /// Returns whether the store has never held a key. A key that was erased counts.
    ///
    /// # Errors
    /// [`CodecError::Keys`] if the store cannot be used.
    fn is_empty(&self) -> BoxFuture<'_, Result<bool, CodecError>>;

    /// Returns the key that hashes commands with an idempotency key. It is random and stays the same through every
    /// rotation of the server key. It is made at the first call.
    ///
    /// # Errors
    /// [`KeysUnavailable`] if the store cannot be used.
    fn commands_key(&self) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, KeysUnavailable>>;

    /// Checks whether another process has rotated the server key, and uses the new one from then on. Removes
    /// from memory every account key that another process has erased.
    ///
    /// # Errors
    /// [`KeysUnavailable`] if the new server key is not in its file. The next call looks again.
    fn refresh(&self) -> BoxFuture<'_, Result<Noticed, KeysUnavailable>>;

    /// Returns the number and the fingerprint of the newest server key that this process knows. Returns `None` if the store
    /// is in memory.
    fn server_key(&self) -> Option<(u32, Fingerprint)>;

    /// Returns the tokens that are signed with the server key. They follow every rotation.
    fn tokens(&self) -> HmacTokens;
}
