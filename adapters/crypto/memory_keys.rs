//! The account keys in memory, for tests and simulation.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use loquet_domain::ids::AccountId;
use loquet_domain::ports::{BoxFuture, CodecError, KeyVault};
use zeroize::Zeroizing;

use crate::account_keys::{AccountKey, AccountKeys, Held, KeysUnavailable, Noticed};
use crate::sealing::random_key;
use crate::server_key::{Fingerprint, ServerKey};
use crate::tokens::{HmacTokens, TokenKeys};

/// Keys that exist until the process ends. Clones share them, as several nodes do. The server key is never
/// rotated.
#[derive(Clone)]
pub struct MemoryKeys {
    keys: Arc<Mutex<HashMap<AccountId, Held>>>,
    commands: Zeroizing<[u8; 32]>,
    tokens: Arc<RwLock<TokenKeys>>,
}

impl MemoryKeys {
    /// Starts without account keys. Tokens are signed with keys derived from this server key.
    #[must_use]
    pub fn new(server: &ServerKey) -> Self {
        let commands = random_key();
        let tokens = Arc::new(RwLock::new(TokenKeys::of(server)));
        Self { keys: Arc::default(), commands, tokens }
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<AccountId, Held>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh() -> Held {
    let key: AccountKey = Arc::new(random_key());
    Held::Key(key)
}

impl AccountKeys for MemoryKeys {
    fn held(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>> {
        let missing = || CodecError::Keys(format!("the key of account {account} is missing"));
        Box::pin(ready(self.keys().get(&account).cloned().ok_or_else(missing)))
    }

    fn fetch(&self, _: Vec<AccountId>) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }

    fn held_or_made(&self, account: AccountId) -> BoxFuture<'_, Result<Held, CodecError>> {
        Box::pin(ready(Ok(self.keys().entry(account).or_insert_with(fresh).clone())))
    }

    fn make(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<(), CodecError>> {
        let mut keys = self.keys();
        for account in accounts {
            keys.entry(account).or_insert_with(fresh);
        }
        Box::pin(ready(Ok(())))
    }

    fn is_empty(&self) -> BoxFuture<'_, Result<bool, CodecError>> {
        Box::pin(ready(Ok(self.keys().is_empty())))
    }

    fn commands_key(&self) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, KeysUnavailable>> {
        Box::pin(ready(Ok(self.commands.clone())))
    }

    fn refresh(&self) -> BoxFuture<'_, Result<Noticed, KeysUnavailable>> {
        Box::pin(ready(Ok(Noticed::Nothing)))
    }

    fn server_key(&self) -> Option<(u32, Fingerprint)> {
        None
    }

    fn tokens(&self) -> HmacTokens {
        HmacTokens::sharing(self.tokens.clone())
    }
}

impl KeyVault for MemoryKeys {
    fn forget(&self, account: AccountId) -> BoxFuture<'_, Result<(), CodecError>> {
        self.keys().insert(account, Held::Erased);
        Box::pin(ready(Ok(())))
    }

    fn still_held(&self, accounts: Vec<AccountId>) -> BoxFuture<'_, Result<Vec<AccountId>, CodecError>> {
        let keys = self.keys();
        let is_held = |account: &AccountId| matches!(keys.get(account), Some(Held::Key(_)));
        Box::pin(ready(Ok(accounts.into_iter().filter(is_held).collect())))
    }

    fn failure(&self) -> Option<String> {
        None
    }
}
