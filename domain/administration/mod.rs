//! What operators do to the system itself: the tokens that they make and end, the keys that they change, the backups that
//! they restore, and the policies that they put in force.
//!
//! All of it has one stream. An operator makes a token at the command line, maybe while no server runs. So a server
//! compares what it finds with what the stream says, and records what is new. Each change is recorded once, however many
//! servers look.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Moment;
use crate::decider::Decider;
use crate::fact::{Fact, StaffRole};
use crate::policies::Policies;
use crate::policies::in_force::PoliciesInForce;
use crate::stream::StreamId;

/// The category of this stream: the first part of its name. Part of the storage format: never change it.
pub const CATEGORY: &str = "administration";

/// The stream of all acts of administration.
#[must_use]
pub fn stream() -> StreamId {
    StreamId::new(CATEGORY, "system")
}

/// A service token, as its store lists it. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenNotice {
    /// The id under which the token is listed.
    pub id: String,
    /// The id of the first token that this one was rotated from. It is the token's own id if it was not rotated.
    pub first: String,
    /// Who uses the token, as the operator named them.
    pub name: String,
    /// The role of a person. `None` for a program.
    pub role: Option<StaffRole>,
    /// The scopes of a program. Empty for a person: the scopes follow from the role.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Moment,
    /// When it ends.
    pub expires_at: Option<Moment>,
    /// The system's user who made it, if known.
    pub created_by: Option<String>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Moment>,
    /// The system's user who revoked it, if known.
    pub revoked_by: Option<String>,
}

/// The key that wraps all other keys, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerKeyNotice {
    /// Its number. A rotation raises it.
    pub generation: u32,
    /// The fingerprint of the key, in hexadecimal digits.
    pub fingerprint: String,
    /// Whether it was changed because others may know the one before. `None` if that is not known.
    pub compromised: Option<bool>,
    /// When the key was put in use, if known.
    pub rotated_at: Option<Moment>,
    /// The system's user who rotated it, if known.
    pub rotated_by: Option<String>,
}

/// A backup that was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreNotice {
    /// When it was restored.
    pub restored_at: Moment,
    /// The system's user who restored it, if known.
    pub restored_by: Option<String>,
    /// When the backup was taken.
    pub taken_at: Moment,
    /// The last position of the log in the backup. Later events were lost.
    pub position: u64,
    /// The version of the program that took the backup.
    pub version: String,
}

/// An extract of the history that an operator or an auditor took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportNotice {
    /// The id of the extract.
    pub id: Uuid,
    /// When it was taken.
    pub at: Moment,
    /// The system's user who took it, if known.
    pub by: Option<String>,
    /// Why, in their words. It is not encrypted.
    pub reason: Option<String>,
    /// Whether it has what is encrypted in the log, such as names and addresses.
    pub personal: bool,
    /// The first moment that was asked for. `None`: the beginning of the log.
    pub from: Option<Moment>,
    /// The first moment that no longer counts. `None`: the end of the log.
    pub to: Option<Moment>,
    /// The position of the end of the log at that time.
    pub head: u64,
}

/// What a server finds. `None` stands for what it did not look at, or does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// All service tokens, the oldest first.
    pub tokens: Vec<TokenNotice>,
    /// The newest server key.
    pub server_key: Option<ServerKeyNotice>,
    /// The last restore.
    pub restore: Option<RestoreNotice>,
    /// The policies of this server, and the name of its node.
    pub policies: Option<(PoliciesInForce, String)>,
    /// The extracts of the history that were taken.
    pub exports: Vec<ExportNotice>,
}

/// What the stream says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Administration {
    /// The tokens by their ids, and whether each was revoked.
    tokens: BTreeMap<String, bool>,
    /// The fingerprint of the server key.
    server_key: Option<String>,
    restored_at: Option<Moment>,
    policies: Option<PoliciesInForce>,
    exports: BTreeSet<Uuid>,
}

/// Something that an operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A service token was made.
    TokenCreated {
        /// The id under which it is listed.
        token: String,
        /// Who uses it.
        name: String,
        /// The role of a person.
        role: Option<StaffRole>,
        /// The scopes of a program.
        scopes: Vec<String>,
        /// When it was made.
        created_at: Moment,
        /// When it ends.
        expires_at: Option<Moment>,
        /// The system's user who made it.
        by: Option<String>,
    },
    /// A service token got a successor, with the same name and rights. The old one ends soon after.
    TokenRotated {
        /// The id of the new token.
        token: String,
        /// The id of the first token of this row.
        first: String,
        /// Who uses it.
        name: String,
        /// When the new token was made.
        created_at: Moment,
        /// When the new token ends.
        expires_at: Option<Moment>,
        /// The system's user who rotated it.
        by: Option<String>,
    },
    /// A service token was revoked.
    TokenRevoked {
        /// The id under which it is listed.
        token: String,
        /// Who used it.
        name: String,
        /// When it was revoked.
        revoked_at: Moment,
        /// The system's user who revoked it.
        by: Option<String>,
    },
    /// A server key was put in use: the first one, or the next one after a rotation.
    ServerKeyPutInUse {
        /// The key.
        key: ServerKeyNotice,
    },
    /// A backup was restored: events after its position were lost.
    BackupRestored {
        /// What was restored.
        restore: RestoreNotice,
    },
    /// A server started with other policies than those before.
    PoliciesPutInForce {
        /// The name of its node.
        node: String,
        /// The policies.
        policies: PoliciesInForce,
    },
    /// An extract of the history was taken.
    HistoryExported {
        /// Which, by whom and why.
        export: ExportNotice,
    },
}

/// The commands of the administration.
#[derive(Clone, Debug)]
pub enum Command {
    /// Record what is new in this.
    Record(Box<Observed>),
}

/// Decides a command: an event for each thing that the stream does not say yet.
#[must_use]
pub fn decide(known: &Administration, command: Command) -> Vec<Event> {
    let Command::Record(observed) = command;
    let Observed { tokens, server_key, restore, policies, exports } = *observed;
    let restore = restore.filter(|restore| known.restored_at.is_none_or(|at| at < restore.restored_at));
    let key = server_key.filter(|key| known.server_key.as_ref() != Some(&key.fingerprint));
    let policies = policies.filter(|(policies, _)| known.policies.as_ref() != Some(policies));
    let restore = restore.map(|restore| Event::BackupRestored { restore });
    let key = key.map(|key| Event::ServerKeyPutInUse { key });
    let policies = policies.map(|(policies, node)| Event::PoliciesPutInForce { node, policies });
    let tokens = tokens.into_iter().flat_map(|token| of_token(known, token));
    let exports = exports.into_iter().filter(|export| !known.exports.contains(&export.id));
    let exports = exports.map(|export| Event::HistoryExported { export });
    restore.into_iter().chain(key).chain(policies).chain(tokens).chain(exports).collect()
}

fn of_token(known: &Administration, token: TokenNotice) -> impl Iterator<Item = Event> {
    let recorded = known.tokens.get(&token.id).copied();
    let revoked = match (recorded, token.revoked_at) {
        (None | Some(false), Some(revoked_at)) => Some(Event::TokenRevoked {
            token: token.id.clone(),
            name: token.name.clone(),
            revoked_at,
            by: token.revoked_by,
        }),
        _ => None,
    };
    let TokenNotice { id, first, name, role, scopes, created_at, expires_at, created_by: by, .. } = token;
    let made = match (recorded, first == id) {
        (Some(_), _) => None,
        (None, true) => {
            Some(Event::TokenCreated { token: id, name, role, scopes, created_at, expires_at, by })
        }
        (None, false) => Some(Event::TokenRotated { token: id, first, name, created_at, expires_at, by }),
    };
    made.into_iter().chain(revoked)
}

impl Decider for Administration {
    const CATEGORY: &'static str = CATEGORY;
    type Command = Command;
    type Event = Event;
    type Refusal = Infallible;

    fn decide(&self, _: &Policies, _: Moment, command: Command) -> Result<Vec<Event>, Infallible> {
        Ok(decide(self, command))
    }

    fn evolve(mut self, fact: &Fact<Event>) -> Self {
        match &fact.event {
            Event::TokenCreated { token, .. } | Event::TokenRotated { token, .. } => {
                self.tokens.entry(token.clone()).or_insert(false);
            }
            Event::TokenRevoked { token, .. } => {
                self.tokens.insert(token.clone(), true);
            }
            Event::ServerKeyPutInUse { key } => self.server_key = Some(key.fingerprint.clone()),
            Event::BackupRestored { restore } => self.restored_at = Some(restore.restored_at),
            Event::PoliciesPutInForce { policies, .. } => self.policies = Some(policies.clone()),
            Event::HistoryExported { export } => {
                self.exports.insert(export.id);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;
