//! Tokens that another process, an older version or a rotation has changed.

use std::collections::BTreeSet;

use loquet_domain::fact::Actor;
use loquet_domain::fact::StaffRole;
use loquet_http_ports::scope::{Scope, scopes_of};

use super::*;

fn at(minute: i64) -> Moment {
    Moment::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
}

fn open(folder: &tempfile::TempDir) -> SqliteServiceTokens {
    SqliteServiceTokens::open(&folder.path().join("tokens.db")).unwrap()
}

#[test]
fn a_token_that_another_process_revokes_or_makes_is_known_a_millisecond_later() {
    let folder = tempfile::tempdir().unwrap();
    let (server, operator) = (open(&folder), open(&folder));
    let scopes = BTreeSet::from([Scope::OrdersWrite]);
    let token = operator.create_now("shop", &Grant::Program(scopes.clone()), at(0), None).unwrap();
    let service = server.find_now(&token, at(0)).unwrap().unwrap();
    assert_eq!((service.name.as_str(), &service.scopes), ("shop", &scopes));
    let id = operator.list_now().unwrap()[0].id.clone();
    assert_eq!(operator.revoke_now(&id, at(1)), Ok(true));
    let looked_at = Instant::now();
    while looked_at.elapsed() < FRESH {
        std::hint::spin_loop();
    }
    assert_eq!(server.find_now(&token, at(1)), Ok(None));
    assert_eq!(operator.revoke_now(&id, at(1)), Ok(false));
}

#[test]
fn a_rotated_token_holds_for_as_long_as_was_said_and_never_longer_than_it_would_have() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let scopes = Grant::Program([Scope::EventsRead].into());
    let old = tokens.create_now("audit", &scopes, at(0), Some(at(100))).unwrap();
    let id = tokens.list_now().unwrap()[0].id.clone();
    let new = tokens.rotate_now(&id, at(1), at(10)).unwrap().unwrap();
    for (token, minute, holds) in
        [(&old, 9, true), (&old, 10, false), (&new, 10, true), (&new, 99, true), (&new, 100, false)]
    {
        assert_eq!(tokens.find_now(token, at(minute)).unwrap().is_some(), holds, "minute {minute}");
    }
    assert_eq!(tokens.rotate_now(&id, at(20), at(30)), Ok(None), "it has ended");
    assert_eq!(tokens.rotate_now("nonsense", at(2), at(30)), Ok(None));
}

#[test]
fn a_token_and_what_it_was_rotated_to_are_one_program_and_another_of_its_name_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let scopes = Grant::Program([Scope::EventsRead].into());
    let old = tokens.create_now("audit", &scopes, at(0), None).unwrap();
    let id = tokens.list_now().unwrap()[0].id.clone();
    let new = tokens.rotate_now(&id, at(1), at(10)).unwrap().unwrap();
    let namesake = tokens.create_now("audit", &scopes, at(0), None).unwrap();
    let family = |token: &str| tokens.find_now(token, at(1)).unwrap().unwrap().family;
    assert_eq!(family(&old), family(&new));
    assert_ne!(family(&old), family(&namesake));
}

#[test]
fn tokens_that_an_older_version_made_hold_on_each_a_program_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    let older = Connection::open(&path).unwrap();
    let version_2 = "CREATE TABLE tokens (hash BLOB PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL,
        created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER, revoked_at INTEGER
        ) STRICT, WITHOUT ROWID; PRAGMA user_version = 2;";
    older.execute_batch(&format!("PRAGMA application_id = {}; {version_2}", TOKENS.application_id)).unwrap();
    for token in ["lqt_a", "lqt_b"] {
        let row = (hash_of(token), "shop", "orders:write");
        older.execute("INSERT INTO tokens VALUES (?, ?, ?, 0, NULL, NULL, NULL)", row).unwrap();
    }
    drop(older);
    let tokens = open(&folder);
    let family = |token: &str| tokens.find_now(token, at(0)).unwrap().unwrap().family;
    assert_ne!(family("lqt_a"), family("lqt_b"));
}

fn scopes(tokens: &SqliteServiceTokens, token: &str) -> BTreeSet<Scope> {
    tokens.find_now(token, at(0)).unwrap().map(|service| service.scopes.clone()).unwrap_or_default()
}

#[test]
fn what_could_delete_before_that_was_a_scope_of_its_own_goes_on_and_nothing_else_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.db");
    let older = Connection::open(&path).unwrap();
    let version_3 = "CREATE TABLE tokens (hash BLOB PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL,
        created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER, revoked_at INTEGER,
        family BLOB NOT NULL) STRICT, WITHOUT ROWID; PRAGMA user_version = 3;";
    older.execute_batch(&format!("PRAGMA application_id = {}; {version_3}", TOKENS.application_id)).unwrap();
    for (token, granted) in [("lqt_a", "orders:read accounts:write"), ("lqt_b", "accounts:read")] {
        let row = (hash_of(token), "crm", granted);
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
        let token = tokens.create_now("Sofie Maes", &Grant::Staff(role), at(0), Some(at(100))).unwrap();
        assert_eq!(scopes(&tokens, &token), scopes_of(role));
        let service = tokens.find_now(&token, at(0)).unwrap().unwrap();
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
    assert!(!tokens.list_now().unwrap().iter().any(deletes));
    let unknown = "UPDATE tokens SET role = 'janitor'";
    Connection::open(folder.path().join("tokens.db")).unwrap().execute(unknown, []).unwrap();
    assert!(tokens.list_now().unwrap().iter().all(|entry| entry.service.scopes.is_empty()));
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
    tokens.create_now("Sofie Maes", &old, at(0), Some(at(100))).unwrap();
    let id = tokens.list_now().unwrap()[0].id.clone();
    let new = tokens.rotate_now(&id, at(1), at(1)).unwrap().unwrap();
    let service = tokens.find_now(&new, at(2)).unwrap().unwrap();
    let role = StaffRole::Support;
    assert_eq!(service.actor(), Actor::Staff { name: "Sofie Maes".to_owned(), role });
    assert_eq!(tokens.find_now(&new, at(100)).unwrap(), None, "it ends when the old one would have");
}

/// Recording a use waits for another process's write. The caller does not wait for the recording.
#[tokio::test]
async fn whose_token_it_is_is_told_while_the_file_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let token = tokens.create_now("audit", &Grant::Program([Scope::EventsRead].into()), at(0), None).unwrap();
    let forever = std::time::Duration::from_hours(1);
    tokens.lock().connection.busy_timeout(forever).unwrap();
    tokens.uses.connection.lock().unwrap().busy_timeout(forever).unwrap();
    let other = Connection::open(folder.path().join("tokens.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    tokens.find_now(&token, at(0)).unwrap();
    // The use was accepted and waits for the file.
    while !tokens.uses.pending.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let (told, asked) = std::sync::mpsc::channel();
    let asking = tokens.clone();
    std::thread::spawn(move || told.send(asking.find_now(&token, at(0)).unwrap().is_some()));
    assert_eq!(asked.recv_timeout(std::time::Duration::from_secs(30)), Ok(true));
    other.execute_batch("COMMIT").unwrap();
    while tokens.list_now().unwrap()[0].last_used_at != Some(at(0)) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_last_use_is_noted_to_the_minute_and_no_token_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = open(&folder);
    let token = tokens.create_now("audit", &Grant::Program([Scope::EventsRead].into()), at(0), None).unwrap();
    assert_eq!(tokens.list_now().unwrap()[0].last_used_at, None);
    tokens.find_now(&token, at(5)).unwrap();
    let other = open(&folder);
    while other.list_now().unwrap()[0].last_used_at != Some(at(5)) {
        tokio::task::yield_now().await;
    }
    for file in ["tokens.db", "tokens.db-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "{file}");
    }
}
