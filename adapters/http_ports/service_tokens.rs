//! Tokens of programs and of the supplier's staff. A program's token names its scopes. A person's token names
//! a role, and the scopes follow from the role. A store keeps only hashes of tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use loquet_domain::Moment;
use loquet_domain::fact::{Actor, StaffRole};
use loquet_domain::ports::BoxFuture;
use loquet_projections::ports::StoreFailed;
use sha2::{Digest, Sha256};

use crate::scope::{Scope, scopes_of};

/// The prefix of every service token. It makes leaked tokens easy to search for.
pub const PREFIX: &str = "lqt_";

/// Who a token is for. This decides what the token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A program with these scopes.
    Program(BTreeSet<Scope>),
    /// A person of the supplier's staff with this role. The role's current scopes apply.
    Staff(StaffRole),
}

impl Grant {
    /// Returns the grant as stores keep it: the names of the scopes of a program, separated by spaces, and the name of
    /// a person's role.
    #[must_use]
    pub fn to_stored(&self) -> (String, Option<&'static str>) {
        match self {
            Self::Program(scopes) => {
                (scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" "), None)
            }
            Self::Staff(role) => (String::new(), Some(role.name())),
        }
    }
}

/// The caller who presented a token: a program, or a person of the supplier's staff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name that the operator gave it.
    pub name: String,
    /// Its scopes.
    pub scopes: BTreeSet<Scope>,
    /// The role of a person. `None` for a program.
    pub role: Option<StaffRole>,
    /// The id of the caller's tokens. It is needed because two tokens can have the same name.
    pub family: TokenFamily,
}

impl Service {
    /// Reads a caller from what [`Grant::to_stored`] returned. A scope or a role that this version does not know grants
    /// nothing.
    #[must_use]
    pub fn of_stored(name: String, scopes: &str, role: Option<&str>, family: TokenFamily) -> Self {
        let role = role.map(|role| role.parse::<StaffRole>().ok());
        let scopes = match role {
            None => scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
            Some(role) => role.map(scopes_of).unwrap_or_default(),
        };
        Self { name, scopes, role: role.flatten(), family }
    }

    /// Returns the actor that events name for this caller.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self.role {
            Some(role) => Actor::Staff { name: self.name.clone(), role },
            None => Actor::Service { name: self.name.clone() },
        }
    }

    /// Returns who the token is for.
    #[must_use]
    pub fn grant(&self) -> Grant {
        self.role.map_or_else(|| Grant::Program(self.scopes.clone()), Grant::Staff)
    }
}

/// The id of a token and of the tokens that replaced it in rotations. Other tokens with the same name have
/// another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenFamily(pub [u8; 32]);

impl std::fmt::Display for TokenFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

/// A token in the operator's list. It does not hold the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TokenEntry {
    /// The first digits of the token's hash. They identify the token and reveal nothing about it.
    pub id: String,
    pub service: Arc<Service>,
    pub created_at: Moment,
    pub expires_at: Option<Moment>,
    /// Accurate to the minute.
    pub last_used_at: Option<Moment>,
    pub revoked_at: Option<Moment>,
    /// The system's user who made it, if known.
    pub created_by: Option<String>,
    /// The system's user who revoked it, if known.
    pub revoked_by: Option<String>,
}

impl TokenEntry {
    /// Returns whether the token is valid at `at`.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|ends| at < ends)
    }
}

/// Returns the hash under which a token is stored. A token has 256 random bits, so a plain SHA-256 reveals
/// nothing about it.
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

/// The service tokens. Several processes may use one store. When one of them changes something, the others
/// see it at their next call.
pub trait ServiceTokens: Send + Sync {
    /// Makes a token and stores its hash durably. Returns the token. It can't be shown again.
    fn create<'a>(
        &'a self,
        name: &'a str,
        grant: &'a Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> BoxFuture<'a, Result<String, StoreFailed>>;

    /// Returns every token, oldest first, including those that have ended.
    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenEntry>, StoreFailed>>;

    /// Makes a token with the name and the grant of an existing one. The existing token ends at `old_ends` at
    /// the latest. Either both happen or neither. Returns `None` if there is no such token, or if it has
    /// ended.
    fn rotate<'a>(
        &'a self,
        id: &'a str,
        now: Moment,
        old_ends: Moment,
    ) -> BoxFuture<'a, Result<Option<String>, StoreFailed>>;

    /// Ends a token at once. Returns `false` if there is no such token, or if it has ended.
    fn revoke<'a>(&'a self, id: &'a str, now: Moment) -> BoxFuture<'a, Result<bool, StoreFailed>>;

    /// Returns the caller that a token belongs to. Returns `None` if the token is unknown or not valid at
    /// `at`. A token that another process ended may be found for a millisecond longer. The store records the use, to the minute. No caller waits for that.
    fn find<'a>(
        &'a self,
        token: &'a str,
        at: Moment,
    ) -> BoxFuture<'a, Result<Option<Arc<Service>>, StoreFailed>>;
}
