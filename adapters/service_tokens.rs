//! Tokens of programs and of the supplier's people: random, kept as hashes only. A program's names its scopes, a
//! person's names their role, from which the scopes follow.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use loquet_domain::Moment;
use loquet_domain::fact::{Actor, StaffRole};
use rusqlite::{Connection, Row, TransactionBehavior};
use sha2::{Digest, Sha256};

use crate::sqlite::{FileError, Kind, explain};

pub(crate) const TOKENS: Kind = Kind {
    what: "a Loquet token store",
    application_id: 0x4c71_7405,
    version: 4,
    upgrades: &[
        "ALTER TABLE tokens ADD COLUMN last_used_at INTEGER;
         ALTER TABLE tokens ADD COLUMN revoked_at INTEGER;",
        "ALTER TABLE tokens ADD COLUMN family BLOB NOT NULL DEFAULT x'';
         UPDATE tokens SET family = hash;",
        // Deleting and erasing were part of accounts:write: what was made with it goes on as it was.
        "ALTER TABLE tokens ADD COLUMN role TEXT;
         UPDATE tokens SET scopes = scopes || ' accounts:delete'
             WHERE ' ' || scopes || ' ' LIKE '% accounts:write %';",
    ],
    holds_keys: false,
    remedy: "restore it from a backup, or delete it and make new tokens",
    synchronous: "FULL",
    schema: "
        CREATE TABLE IF NOT EXISTS tokens (
            hash       BLOB    PRIMARY KEY,  -- SHA-256 of the token
            name       TEXT    NOT NULL,
            scopes     TEXT    NOT NULL,     -- separated by spaces; of a program's token
            created_at INTEGER NOT NULL,     -- microseconds since 1970
            expires_at INTEGER,
            last_used_at INTEGER,            -- to the minute
            revoked_at INTEGER,
            family     BLOB    NOT NULL,     -- hash of the first token that this one was rotated from
            role       TEXT                  -- of a person's token: what it may do follows from this alone
        ) STRICT, WITHOUT ROWID;",
};

/// With what a service token begins, so that a leaked one can be searched for.
pub const PREFIX: &str = "lqt_";

/// What a program may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Deliver orders.
    OrdersWrite,
    /// See orders.
    OrdersRead,
    /// Decide what becomes of orders that wait for support.
    OrdersResolve,
    /// See accounts, their lockouts and sessions.
    AccountsRead,
    /// Create and convert accounts; have activation and reset mails sent; end sessions.
    AccountsWrite,
    /// Delete accounts, and forget people.
    AccountsDelete,
    /// End lockouts.
    LockoutsRelease,
    /// Read the history of accounts, and follow the log.
    EventsRead,
    /// Read the metrics.
    MetricsRead,
    /// See companies, sites, terminals, groups, receipts and take-overs.
    CompaniesRead,
    /// Change them, as their administrators can.
    CompaniesWrite,
    /// Ask who may do what.
    PermissionsRead,
    /// Open, confirm, complete and cancel take-overs.
    TakeOversWrite,
    /// Fetch receipt layouts: for terminals that synchronise.
    LayoutsRead,
    /// Take a lost second step away.
    SecondStepReset,
    /// Search, and see why a person cannot log in.
    SupportRead,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 16] = [
        Self::OrdersWrite,
        Self::OrdersRead,
        Self::OrdersResolve,
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::AccountsDelete,
        Self::LockoutsRelease,
        Self::EventsRead,
        Self::MetricsRead,
        Self::CompaniesRead,
        Self::CompaniesWrite,
        Self::PermissionsRead,
        Self::TakeOversWrite,
        Self::LayoutsRead,
        Self::SecondStepReset,
        Self::SupportRead,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OrdersWrite => "orders:write",
            Self::OrdersRead => "orders:read",
            Self::OrdersResolve => "orders:resolve",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::AccountsDelete => "accounts:delete",
            Self::LockoutsRelease => "lockouts:release",
            Self::EventsRead => "events:read",
            Self::MetricsRead => "metrics:read",
            Self::CompaniesRead => "companies:read",
            Self::CompaniesWrite => "companies:write",
            Self::PermissionsRead => "permissions:read",
            Self::TakeOversWrite => "takeovers:write",
            Self::LayoutsRead => "layouts:read",
            Self::SecondStepReset => "second-step:reset",
            Self::SupportRead => "support:read",
        }
    }
}

/// A name that is no scope's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scope '{0}': there are orders:write, orders:read, orders:resolve, accounts:read, accounts:write, accounts:delete, lockouts:release, events:read, metrics:read, companies:read, companies:write, permissions:read, takeovers:write, layouts:read, second-step:reset, support:read"
)]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or_else(|| UnknownScope(name.to_owned()))
    }
}

/// What an auditor sees. Nothing here changes anything.
const AUDITOR: [Scope; 6] = [
    Scope::AccountsRead,
    Scope::CompaniesRead,
    Scope::EventsRead,
    Scope::OrdersRead,
    Scope::PermissionsRead,
    Scope::SupportRead,
];
/// What support does besides: all but delete and erase.
const SUPPORT: [Scope; 6] = [
    Scope::AccountsWrite,
    Scope::CompaniesWrite,
    Scope::LockoutsRelease,
    Scope::OrdersResolve,
    Scope::SecondStepReset,
    Scope::TakeOversWrite,
];

/// What a role may do. It is asked at each use of a token and noted in none: a change here holds at once for
/// everybody who has the role.
#[must_use]
pub fn scopes_of(role: StaffRole) -> BTreeSet<Scope> {
    let support = AUDITOR.iter().chain(&SUPPORT);
    match role {
        StaffRole::Auditor => AUDITOR.into(),
        StaffRole::Support => support.copied().collect(),
        StaffRole::Supervisor => support.copied().chain([Scope::AccountsDelete]).collect(),
    }
}

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

    fn grant(&self) -> Grant {
        self.role.map_or_else(|| Grant::Program(self.scopes.clone()), Grant::Staff)
    }
}

/// A token and those that it was rotated to, and no other of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenFamily([u8; 32]);

impl std::fmt::Display for TokenFamily {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A token as an operator sees it: all but the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
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

/// The tokens. Other processes may change them while this one runs.
#[derive(Clone)]
pub struct ServiceTokens {
    inner: Arc<Mutex<Inner>>,
    uses: Arc<Uses>,
}

/// Uses that are to be noted. They have a connection of their own: whoever asks whose token it is never waits
/// for a write.
struct Uses {
    connection: Mutex<Connection>,
    pending: Mutex<HashMap<[u8; 32], Moment>>,
}

struct Inner {
    connection: Connection,
    /// All of them, as they were at that version of the file: there are few, and asking is part of
    /// every request.
    known: HashMap<[u8; 32], TokenEntry>,
    version: Option<i64>,
}

/// How exactly the last use is noted: writing it down at each use would cost more than the use.
const NOTED: TimeDelta = TimeDelta::minutes(1);

impl ServiceTokens {
    /// Opens the file, making it if there is none.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let inner = Inner { connection: TOKENS.open(path)?, known: HashMap::new(), version: None };
        let connection = TOKENS.open(path)?;
        // A use that a crash forgets is noted again: not worth a wait for the disk.
        let relaxed = connection.execute_batch("PRAGMA synchronous = NORMAL");
        relaxed.map_err(|e| FileError::Unusable { path: path.to_owned(), why: explain(&e) })?;
        let uses = Uses { connection: Mutex::new(connection), pending: Mutex::default() };
        Ok(Self { inner: Arc::new(Mutex::new(inner)), uses: Arc::new(uses) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a token; it is shown this once.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn create(
        &self,
        name: &str,
        grant: &Grant,
        now: Moment,
        expires_at: Option<Moment>,
    ) -> Result<String, String> {
        let mut inner = self.lock();
        let token = inner.insert(name, grant, now, expires_at, None).map_err(|e| explain(&e))?;
        inner.version = None;
        Ok(token)
    }

    /// Every token, the oldest first; those that have ended among them.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn list(&self) -> Result<Vec<TokenEntry>, String> {
        let mut inner = self.lock();
        inner.refresh().map_err(|e| explain(&e))?;
        let mut entries: Vec<_> = inner.known.values().cloned().collect();
        entries.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(entries)
    }

    /// Makes a token with the name and the scopes or the role of another, which ends at `old_ends` at the latest.
    /// None where there is no such token, or it has ended.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn rotate(&self, id: &str, now: Moment, old_ends: Moment) -> Result<Option<String>, String> {
        let mut inner = self.lock();
        let mut rotate = || {
            inner.refresh()?;
            let found = inner.known.iter().find(|(_, entry)| entry.id == id && entry.holds(now));
            let Some((hash, entry)) = found.map(|(hash, entry)| (*hash, entry.clone())) else {
                return Ok(None);
            };
            let ends = entry.expires_at.map_or(old_ends, |ends| ends.min(old_ends));
            let service = &*entry.service;
            let (grant, family) = (service.grant(), Some(service.family));
            let token = inner.insert(&service.name, &grant, now, entry.expires_at, family)?;
            let end = "UPDATE tokens SET expires_at = ? WHERE hash = ?";
            inner.connection.execute(end, (ends.timestamp_micros(), hash))?;
            inner.version = None;
            Ok(Some(token))
        };
        rotate().map_err(|e: rusqlite::Error| explain(&e))
    }

    /// Ends a token at once. No, where there is no such token, or it has ended.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn revoke(&self, id: &str, now: Moment) -> Result<bool, String> {
        let mut inner = self.lock();
        let mut revoke = || {
            inner.refresh()?;
            let found = inner.known.iter().find(|(_, entry)| entry.id == id && entry.holds(now));
            let Some(hash) = found.map(|(hash, _)| *hash) else { return Ok(false) };
            let end = "UPDATE tokens SET revoked_at = ? WHERE hash = ?";
            inner.connection.execute(end, (now.timestamp_micros(), hash))?;
            inner.version = None;
            Ok(true)
        };
        revoke().map_err(|e: rusqlite::Error| explain(&e))
    }

    /// Whose token it is, if it is one and holds at `at`. Another process's change is seen at once.
    ///
    /// # Errors
    /// What SQLite said.
    pub fn find(&self, token: &str, at: Moment) -> Result<Option<Arc<Service>>, String> {
        let hash = hash(token);
        let mut inner = self.lock();
        inner.refresh().map_err(|e| explain(&e))?;
        let Some(entry) = inner.known.get_mut(&hash).filter(|entry| entry.holds(at)) else { return Ok(None) };
        let service = entry.service.clone();
        if entry.last_used_at.is_none_or(|last| at - last >= NOTED) {
            entry.last_used_at = Some(at);
            self.note_use(hash, at);
        }
        Ok(Some(service))
    }

    /// Notes a use beside whoever waits for the answer, together with others. One that is lost is noted a
    /// minute later.
    fn note_use(&self, hash: [u8; 32], at: Moment) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut pending = self.uses.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = pending.is_empty();
        pending.insert(hash, at);
        if is_first {
            let uses = self.uses.clone();
            drop(runtime.spawn_blocking(move || {
                if let Err(error) = uses.write() {
                    tracing::warn!(error = %explain(&error), "the use of some tokens was not noted");
                }
            }));
        }
    }
}

impl Uses {
    fn write(&self) -> rusqlite::Result<()> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (hash, at) in pending {
            let note = "UPDATE tokens SET last_used_at = ? WHERE hash = ?";
            transaction.prepare_cached(note)?.execute((at.timestamp_micros(), hash))?;
        }
        transaction.commit()
    }
}

impl Inner {
    fn insert(
        &self,
        name: &str,
        grant: &Grant,
        now: Moment,
        expires_at: Option<Moment>,
        family: Option<TokenFamily>,
    ) -> rusqlite::Result<String> {
        let secret: [u8; 32] = rand::random();
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let (scopes, role) = match grant {
            Grant::Program(scopes) => (scopes.iter().map(|scope| scope.name()).collect(), None),
            Grant::Staff(role) => (Vec::new(), Some(role.name())),
        };
        let expires_at = expires_at.map(|moment| moment.timestamp_micros());
        let hash = hash(&token);
        let family = family.map_or(hash, |family| family.0);
        let row = (hash, name, scopes.join(" "), now.timestamp_micros(), expires_at, family, role);
        self.connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, NULL, NULL, ?, ?)", row)?;
        Ok(token)
    }

    /// Reads the tokens again if another process has written to the file.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get::<_, i64>(0))?;
        if self.version == Some(version) {
            return Ok(());
        }
        let mut select = self.connection.prepare_cached(
            "SELECT hash, name, scopes, created_at, expires_at, last_used_at, revoked_at, family, role FROM tokens",
        )?;
        self.known = select.query_map([], entry)?.collect::<rusqlite::Result<_>>()?;
        self.version = Some(version);
        Ok(())
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<([u8; 32], TokenEntry)> {
    let hash: [u8; 32] = row.get(0)?;
    let moment = |column| {
        let micros: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(micros.and_then(Moment::from_timestamp_micros))
    };
    // A scope or a role that this version does not know grants nothing.
    let role: Option<String> = row.get(8)?;
    let role = role.map(|role| role.parse::<StaffRole>().ok());
    let scopes = match role {
        None => row.get_ref(2)?.as_str()?.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
        Some(role) => role.map(scopes_of).unwrap_or_default(),
    };
    let entry = TokenEntry {
        id: hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect(),
        service: Arc::new(Service {
            name: row.get(1)?,
            scopes,
            role: role.flatten(),
            family: TokenFamily(row.get(7)?),
        }),
        created_at: moment(3)?.unwrap_or(Moment::MIN_UTC),
        expires_at: moment(4)?,
        last_used_at: moment(5)?,
        revoked_at: moment(6)?,
    };
    Ok((hash, entry))
}

/// A token has 256 random bits, so its plain hash gives nothing away.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Moment {
        Moment::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
    }

    fn open(folder: &tempfile::TempDir) -> ServiceTokens {
        ServiceTokens::open(&folder.path().join("tokens.db")).unwrap()
    }

    #[test]
    fn a_token_that_another_process_revokes_or_makes_is_known_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (server, operator) = (open(&folder), open(&folder));
        let scopes = BTreeSet::from([Scope::OrdersWrite]);
        let token = operator.create("shop", &Grant::Program(scopes.clone()), at(0), None).unwrap();
        let service = server.find(&token, at(0)).unwrap().unwrap();
        assert_eq!((service.name.as_str(), &service.scopes), ("shop", &scopes));
        let id = operator.list().unwrap()[0].id.clone();
        assert_eq!(operator.revoke(&id, at(1)), Ok(true));
        assert_eq!(server.find(&token, at(1)), Ok(None));
        assert_eq!(operator.revoke(&id, at(1)), Ok(false));
    }

    #[test]
    fn a_rotated_token_holds_for_as_long_as_was_said_and_never_longer_than_it_would_have() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(&folder);
        let scopes = Grant::Program([Scope::EventsRead].into());
        let old = tokens.create("audit", &scopes, at(0), Some(at(100))).unwrap();
        let id = tokens.list().unwrap()[0].id.clone();
        let new = tokens.rotate(&id, at(1), at(10)).unwrap().unwrap();
        for (token, minute, holds) in
            [(&old, 9, true), (&old, 10, false), (&new, 10, true), (&new, 99, true), (&new, 100, false)]
        {
            assert_eq!(tokens.find(token, at(minute)).unwrap().is_some(), holds, "minute {minute}");
        }
        assert_eq!(tokens.rotate(&id, at(20), at(30)), Ok(None), "it has ended");
        assert_eq!(tokens.rotate("nonsense", at(2), at(30)), Ok(None));
    }

    #[test]
    fn a_token_and_what_it_was_rotated_to_are_one_program_and_another_of_its_name_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(&folder);
        let scopes = Grant::Program([Scope::EventsRead].into());
        let old = tokens.create("audit", &scopes, at(0), None).unwrap();
        let id = tokens.list().unwrap()[0].id.clone();
        let new = tokens.rotate(&id, at(1), at(10)).unwrap().unwrap();
        let namesake = tokens.create("audit", &scopes, at(0), None).unwrap();
        let family = |token: &str| tokens.find(token, at(1)).unwrap().unwrap().family;
        assert_eq!(family(&old), family(&new));
        assert_ne!(family(&old), family(&namesake));
    }

    #[test]
    fn tokens_that_an_older_version_made_hold_on_each_a_program_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.db");
        let older = Connection::open(&path).unwrap();
        let version_2 =
            "CREATE TABLE tokens (hash BLOB PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL,
            created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER, revoked_at INTEGER
            ) STRICT, WITHOUT ROWID; PRAGMA user_version = 2;";
        older
            .execute_batch(&format!("PRAGMA application_id = {}; {version_2}", TOKENS.application_id))
            .unwrap();
        for token in ["lqt_a", "lqt_b"] {
            let row = (hash(token), "shop", "orders:write");
            older.execute("INSERT INTO tokens VALUES (?, ?, ?, 0, NULL, NULL, NULL)", row).unwrap();
        }
        drop(older);
        let tokens = open(&folder);
        let family = |token: &str| tokens.find(token, at(0)).unwrap().unwrap().family;
        assert_ne!(family("lqt_a"), family("lqt_b"));
    }

    fn scopes(tokens: &ServiceTokens, token: &str) -> BTreeSet<Scope> {
        tokens.find(token, at(0)).unwrap().map(|service| service.scopes.clone()).unwrap_or_default()
    }

    #[test]
    fn what_could_delete_before_that_was_a_scope_of_its_own_goes_on_and_nothing_else_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.db");
        let older = Connection::open(&path).unwrap();
        let version_3 =
            "CREATE TABLE tokens (hash BLOB PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL,
            created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER, revoked_at INTEGER,
            family BLOB NOT NULL) STRICT, WITHOUT ROWID; PRAGMA user_version = 3;";
        older
            .execute_batch(&format!("PRAGMA application_id = {}; {version_3}", TOKENS.application_id))
            .unwrap();
        for (token, granted) in [("lqt_a", "orders:read accounts:write"), ("lqt_b", "accounts:read")] {
            let row = (hash(token), "crm", granted);
            older.execute("INSERT INTO tokens VALUES (?1, ?2, ?3, 0, NULL, NULL, NULL, ?1)", row).unwrap();
        }
        drop(older);
        let tokens = open(&folder);
        let both = [Scope::OrdersRead, Scope::AccountsWrite, Scope::AccountsDelete];
        assert_eq!(scopes(&tokens, "lqt_a"), both.into());
        assert_eq!(scopes(&tokens, "lqt_b"), [Scope::AccountsRead].into());
    }

    #[test]
    fn what_a_persons_token_may_do_follows_from_the_role_and_is_noted_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(&folder);
        for role in StaffRole::ALL {
            let token = tokens.create("Sofie Maes", &Grant::Staff(role), at(0), Some(at(100))).unwrap();
            assert_eq!(scopes(&tokens, &token), scopes_of(role));
            let service = tokens.find(&token, at(0)).unwrap().unwrap();
            assert_eq!(service.actor(), Actor::Staff { name: "Sofie Maes".to_owned(), role });
        }
        let noted: i64 = tokens
            .lock()
            .connection
            .query_row("SELECT count(*) FROM tokens WHERE scopes <> ''", [], |row| row.get(0))
            .unwrap();
        assert_eq!(noted, 0);
        let change = "UPDATE tokens SET role = 'auditor' WHERE role = 'supervisor'";
        Connection::open(folder.path().join("tokens.db")).unwrap().execute(change, []).unwrap();
        let deletes = |entry: &TokenEntry| entry.service.scopes.contains(&Scope::AccountsDelete);
        assert!(!tokens.list().unwrap().iter().any(deletes));
        let unknown = "UPDATE tokens SET role = 'janitor'";
        Connection::open(folder.path().join("tokens.db")).unwrap().execute(unknown, []).unwrap();
        assert!(tokens.list().unwrap().iter().all(|entry| entry.service.scopes.is_empty()));
    }

    #[test]
    fn an_auditor_changes_nothing_and_support_neither_deletes_nor_erases() {
        let writes = |role| scopes_of(role).into_iter().filter(|scope| !scope.name().ends_with(":read"));
        assert_eq!(writes(StaffRole::Auditor).count(), 0);
        assert!(!scopes_of(StaffRole::Support).contains(&Scope::AccountsDelete));
        let more: BTreeSet<_> = &scopes_of(StaffRole::Supervisor) - &scopes_of(StaffRole::Support);
        assert_eq!(more, [Scope::AccountsDelete].into());
    }

    #[test]
    fn a_rotated_persons_token_is_the_same_persons_in_the_same_role() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(&folder);
        let old = Grant::Staff(StaffRole::Support);
        tokens.create("Sofie Maes", &old, at(0), Some(at(100))).unwrap();
        let id = tokens.list().unwrap()[0].id.clone();
        let new = tokens.rotate(&id, at(1), at(1)).unwrap().unwrap();
        let service = tokens.find(&new, at(2)).unwrap().unwrap();
        let role = StaffRole::Support;
        assert_eq!(service.actor(), Actor::Staff { name: "Sofie Maes".to_owned(), role });
        assert_eq!(tokens.find(&new, at(100)).unwrap(), None, "it ends when the old one would have");
    }

    /// The noting of a use waits for another process's write; nobody waits for the noting.
    #[tokio::test]
    async fn whose_token_it_is_is_told_while_the_file_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(&folder);
        let token = tokens.create("audit", &Grant::Program([Scope::EventsRead].into()), at(0), None).unwrap();
        let forever = std::time::Duration::from_secs(3600);
        tokens.lock().connection.busy_timeout(forever).unwrap();
        tokens.uses.connection.lock().unwrap().busy_timeout(forever).unwrap();
        let other = Connection::open(folder.path().join("tokens.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        tokens.find(&token, at(0)).unwrap();
        // Taken up, and waiting for the file.
        while !tokens.uses.pending.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let (told, asked) = std::sync::mpsc::channel();
        let asking = tokens.clone();
        std::thread::spawn(move || told.send(asking.find(&token, at(0)).unwrap().is_some()));
        assert_eq!(asked.recv_timeout(std::time::Duration::from_secs(30)), Ok(true));
        other.execute_batch("COMMIT").unwrap();
        while tokens.list().unwrap()[0].last_used_at != Some(at(0)) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn the_last_use_is_noted_to_the_minute_and_no_token_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(&folder);
        let token = tokens.create("audit", &Grant::Program([Scope::EventsRead].into()), at(0), None).unwrap();
        assert_eq!(tokens.list().unwrap()[0].last_used_at, None);
        tokens.find(&token, at(5)).unwrap();
        let other = open(&folder);
        while other.list().unwrap()[0].last_used_at != Some(at(5)) {
            tokio::task::yield_now().await;
        }
        for file in ["tokens.db", "tokens.db-wal"] {
            let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
            assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{file}");
        }
    }
}
