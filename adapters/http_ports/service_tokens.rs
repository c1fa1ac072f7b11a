//! Tokens of programs and of the supplier's people. A program's token names its scopes; a person's token names their
//! role, from which the scopes follow. A store keeps hashes of tokens, and no token.

use std::collections::BTreeSet;
use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::fact::{Actor, StaffRole};
use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::StoreFailed;
use sha2::{Digest, Sha256};

use crate::scope::Scope;

/// With what a service token begins, so that a leaked one can be searched for.
pub const PREFIX: &str = "lqt_";

/// To whom a token is given, and with it what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A program, which may do this.
    Program(BTreeSet<Scope>),
    /// One of the supplier's people, who may do what this role may at any time.
    Staff(StaffRole),
}

/// A program, or one of the supplier's people, that showed a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name that the operator gave it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Of a person, as what they act.
    pub role: Option<StaffRole>,
    /// Whose token it is: a name may be given twice.
    pub family: TokenFamily,
}

impl Service {
    /// As what its acts are noted.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.role {
            Some(role) => Actor::Staff { name: self.name.clone(), role },
            None => Actor::Service { name: self.name.clone() },
        }
    }

    /// To whom its token is given.
    #[must_use]
    pub fn grant(&self) -> Grant {
        self.role.map_or_else(|| Grant::Program(self.scopes.clone()), Grant::Staff)
    }
}

/// A token and those that it was rotated to, and no other of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenFamily(pub [u8; 32]);

impl std::fmt::Display for TokenFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

/// A token as an operator sees it: all but the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TokenEntry {
    /// The beginning of its hash: tells tokens apart and gives nothing away.
    pub id: String,
    pub service: Arc<Service>,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    /// To the minute.
    pub last_used_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
}

impl TokenEntry {
    /// Whether it holds at `at`.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|ends| at < ends)
    }
}

/// Returns what a token is stored as. A token has 256 random bits, so its plain SHA-256 gives nothing away.
#[must_use]
pub fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Returns the id under which a token is listed: twelve hexadecimal digits of its hash.
#[must_use]
pub fn id_of(token: &str) -> String {
    id_of_hash(&hash_of(token))
}

/// Returns the id under which a token with this hash is listed.
#[must_use]
pub fn id_of_hash(hash: &[u8; 32]) -> String {
    base16ct::lower::encode_string(hash.get(..6).unwrap_or(hash))
}

/// The service tokens. Several processes may use one store: what one of them changes, the others see at their next
/// call.
pub trait ServiceTokens: Send + Sync {
    /// Makes a token and stores its hash durably. Returns the token, which is shown this once.
    fn create<'a>(
        &'a self,
        name: &'a str,
        grant: &'a Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> BoxFuture<'a, Result<String, StoreFailed>>;

    /// Returns every token, the oldest first. Tokens that have ended are among them.
    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenEntry>, StoreFailed>>;

    /// Makes a token with the name and the grant of another one, which ends at `old_ends` at the latest. Both happen or
    /// neither. Returns `None` if there is no such token, or if it has ended.
    fn rotate<'a>(
        &'a self,
        id: &'a str,
        now: Moment,
        old_ends: Moment,
    ) -> BoxFuture<'a, Result<Option<String>, StoreFailed>>;

    /// Ends a token at once. Returns `false` if there is no such token, or if it has ended.
    fn revoke<'a>(&'a self, id: &'a str, now: Moment) -> BoxFuture<'a, Result<bool, StoreFailed>>;

    /// Returns whose token it is. Returns `None` if it is none, or does not hold at `at`. The store notes the use to the
    /// minute, and nobody waits for that.
    fn find<'a>(
        &'a self,
        token: &'a str,
        at: Moment,
    ) -> BoxFuture<'a, Result<Option<Arc<Service>>, StoreFailed>>;
}
