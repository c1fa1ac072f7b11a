//! The rules for a rotation of the server key under several nodes, in PostgreSQL. Each node has a key file of its own.
//! Those of SQLite are in `adapters/sqlite/key_store/tests.rs`.

use std::path::PathBuf;

use chrono::TimeDelta;
use futures_util::future::join_all;
use loquet_crypto::account_keys::{AccountKeys, Held, Noticed};
use loquet_crypto::key_rotation::prepare;
use loquet_crypto::server_key::{KeyFile, ServerKey};
use loquet_domain::ids::{AccountId, EventId, SessionId};
use loquet_domain::ports::{KeyVault, LinkClaims, Purpose, SessionClaims, Tokens};
use loquet_domain::values::email_address::EmailAddress;
use loquet_postgres::Database;
use loquet_postgres::key_store::{Cause, KeyStoreError, PostgresKeyStore, Rotation, RotationReport};
use loquet_tests::postgres_server::PostgresServer;
use tempfile::TempDir;
use uuid::Uuid;

use crate::store::second;

const ACCOUNTS: u128 = 1200;

/// Two nodes with a key file each, and the server that they share.
struct Nodes {
    server: PostgresServer,
    database: Database,
    folder: TempDir,
}

impl Nodes {
    fn start(test: &str) -> Option<Self> {
        let server = PostgresServer::start(test)?;
        let nodes = Self { database: server.database(), server, folder: tempfile::tempdir().unwrap() };
        ServerKey::create(&nodes.path(0)).unwrap();
        nodes.copy_the_file();
        Some(nodes)
    }

    fn path(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("server-{node}.key"))
    }

    /// Copies the file of the first node to the second one, as an operator does.
    fn copy_the_file(&self) {
        std::fs::copy(self.path(0), self.path(1)).unwrap();
    }

    fn file(&self, node: usize) -> KeyFile {
        KeyFile::load(&self.path(node)).unwrap()
    }

    fn lines(&self, node: usize) -> usize {
        std::fs::read_to_string(self.path(node)).unwrap().lines().count()
    }

    async fn open(&self, node: usize) -> PostgresKeyStore {
        PostgresKeyStore::open(self.database.clone(), self.file(node)).await.unwrap()
    }

    /// Begins a rotation on the first node.
    async fn begin(&self, cause: Cause) -> Rotation {
        Rotation::begin(&self.database, &self.file(0), second(0), cause).await.unwrap()
    }

    /// Runs a rotation to its end on the first node. Returns what it did last.
    async fn rotate(&self, cause: Cause) -> RotationReport {
        to_its_end(self.begin(cause).await).await
    }
}

async fn to_its_end(mut rotation: Rotation) -> RotationReport {
    loop {
        while rotation.step().await.unwrap() > 0 {}
        let report = rotation.report();
        match rotation.finish(second(0)).await.unwrap() {
            Some(next) => rotation = next,
            None => return report,
        }
    }
}

fn account(n: u128) -> AccountId {
    AccountId(Uuid::from_u128(n))
}

fn link() -> LinkClaims {
    let (account, event) = (account(1), EventId(Uuid::from_u128(2)));
    LinkClaims { purpose: Purpose::Activation, account, event, expires_at: second(0) + TimeDelta::days(90) }
}

fn session() -> SessionClaims {
    let (account, session) = (account(1), SessionId(Uuid::from_u128(3)));
    SessionClaims { account, session, expires_at: second(0) + TimeDelta::hours(12) }
}

fn email() -> EmailAddress {
    EmailAddress::parse("marie@boulangerie.example").unwrap()
}

async fn make(keys: &PostgresKeyStore, accounts: std::ops::Range<u128>) -> Vec<[u8; 32]> {
    let mut made = Vec::new();
    for n in accounts {
        match keys.held_or_made(account(n)).await.unwrap() {
            Held::Key(key) => made.push(**key),
            Held::Erased => panic!("the key of account {n} is erased"),
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_keeps_keys_links_sessions_and_hashes_of_addresses() {
    let Some(nodes) = Nodes::start("a_rotation_keeps_keys") else { return };
    let before = nodes.open(0).await;
    before.make((0..ACCOUNTS).map(account).collect()).await.unwrap();
    let made = make(&before, 0..ACCOUNTS).await;
    before.forget(account(ACCOUNTS)).await.unwrap();
    let commands = before.commands_key().await.unwrap();
    let (mailed, opened) = (before.tokens().link(&link()), before.tokens().session(&session()));
    let hash = before.tokens().email_hash(&email());
    let old = nodes.file(0).newest;
    for generation in 2..4 {
        let rotated = nodes.rotate(Cause::Routine).await;
        assert_eq!(rotated, RotationReport { generation, resumed: false });
        assert_eq!(nodes.lines(0), 1, "the old key is gone from its file");
        let after = nodes.open(0).await;
        assert_eq!(make(&after, 0..ACCOUNTS).await, made);
        assert!(matches!(after.held(account(ACCOUNTS)).await, Ok(Held::Erased)));
        assert_eq!(*after.commands_key().await.unwrap(), *commands);
        let tokens = after.tokens();
        assert_eq!(tokens.email_hash(&email()), hash, "stream names hold");
        assert_eq!(tokens.read_link(Purpose::Activation, &mailed), Some(link()));
        assert_eq!(tokens.read_session(&opened), Some(session()));
        assert_ne!(tokens.link(&link()), mailed, "what is signed now is signed with the new key");
    }
    let refused = PostgresKeyStore::open(nodes.database.clone(), &old).await;
    assert!(matches!(refused.err(), Some(KeyStoreError::Ring(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_prepared_key_that_every_node_has_is_used_by_all_as_soon_as_it_is_announced() {
    let Some(nodes) = Nodes::start("a_prepared_key") else { return };
    let [one, other] = [nodes.open(0).await, nodes.open(1).await];
    let made = make(&one, 0..3).await;
    prepare(&nodes.file(0)).unwrap();
    prepare(&nodes.file(0)).unwrap();
    assert_eq!(nodes.lines(0), 2);
    nodes.copy_the_file();
    assert_eq!(make(&nodes.open(1).await, 0..4).await[..3], made, "the store goes on with the key it knows");
    let mailed = other.tokens().link(&link());
    assert!(nodes.rotate(Cause::Routine).await.resumed);
    assert_eq!(other.refresh().await.unwrap(), Noticed::Rotation);
    assert_eq!(other.refresh().await.unwrap(), Noticed::Nothing);
    assert_eq!(one.refresh().await.unwrap(), Noticed::Rotation);
    assert_eq!((one.failure(), other.failure()), (None, None));
    assert_ne!(other.tokens().link(&link()), mailed);
    assert_eq!(one.tokens().read_link(Purpose::Activation, &mailed), Some(link()));
    make(&other, 10..13).await;
    assert_eq!(make(&nodes.open(1).await, 0..3).await, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_without_the_new_key_says_so_and_makes_no_key_until_it_has_it() {
    let Some(nodes) = Nodes::start("a_node_without_the_new_key") else { return };
    let [one, other] = [nodes.open(0).await, nodes.open(1).await];
    let made = make(&one, 0..600).await;
    make(&other, 0..1).await;
    let mut rotation = nodes.begin(Cause::Routine).await;
    rotation.step().await.unwrap();
    assert!(other.refresh().await.is_err());
    assert!(other.failure().unwrap().contains("copy the file"), "{:?}", other.failure());
    assert_eq!(make(&other, 0..1).await, made[..1], "it has this one in memory");
    assert_eq!(make(&other, 599..600).await, made[599..], "the old key wraps this one still");
    assert!(other.held(account(1)).await.is_err(), "the new key wraps this one");
    assert!(other.held_or_made(account(5000)).await.is_err());
    let opened = PostgresKeyStore::open(nodes.database.clone(), nodes.file(1)).await;
    assert!(matches!(opened.err(), Some(KeyStoreError::NotDistributed)));
    one.refresh().await.unwrap();
    let signed = one.tokens().session(&session());
    assert_eq!(other.tokens().read_session(&signed), None);
    assert_eq!(one.tokens().read_session(&other.tokens().session(&session())), Some(session()));
    nodes.copy_the_file();
    assert_eq!(other.refresh().await.unwrap(), Noticed::Rotation);
    assert_eq!(other.failure(), None);
    assert_eq!(other.tokens().read_session(&signed), Some(session()));
    make(&other, 5000..5001).await;
    to_its_end(rotation).await;
    assert_eq!(make(&other, 0..600).await, made);
    assert_eq!(nodes.lines(1), 2, "the operator deletes the old key here");
}

/// Law: a rotation may be killed at any instruction. Everything can still be read, and starting it again
/// finishes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_killed_half_way_goes_on_where_it_stopped() {
    let Some(nodes) = Nodes::start("a_rotation_killed_half_way") else { return };
    let first = nodes.open(0).await;
    first.make((0..ACCOUNTS).map(account).collect()).await.unwrap();
    let made = make(&first, 0..ACCOUNTS).await;
    for steps in 0..4 {
        let mut killed = nodes.begin(Cause::Routine).await;
        for _ in 0..steps {
            killed.step().await.unwrap();
        }
        drop(killed);
        assert_eq!(nodes.lines(0), 2);
        assert_eq!(make(&nodes.open(0).await, 0..ACCOUNTS).await, made, "readable after {steps} steps");
        let again = nodes.begin(Cause::Routine).await;
        assert!(again.report().resumed);
        let wrapped = u64::try_from(steps).unwrap() * 500;
        assert_eq!(again.left().await.unwrap(), 1200_u64.saturating_sub(wrapped));
        assert!(again.finish(second(0)).await.unwrap().is_none());
        assert_eq!(nodes.lines(0), 1);
        assert_eq!(make(&nodes.open(0).await, 0..ACCOUNTS).await, made);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_rotation_at_once_is_refused() {
    let Some(nodes) = Nodes::start("a_second_rotation_at_once") else { return };
    let made = make(&nodes.open(0).await, 0..3).await;
    let first = nodes.begin(Cause::Routine).await;
    let before = nodes.file(0);
    let second_one = Rotation::begin(&nodes.database, &nodes.file(1), second(0), Cause::Routine).await;
    assert!(matches!(second_one.err(), Some(KeyStoreError::UnderWay)));
    assert_eq!(nodes.lines(1), 1, "it wrote nothing");
    first.finish(second(0)).await.unwrap();
    // It begins with what the file held before. It must read the file again.
    let third = Rotation::begin(&nodes.database, &before, second(0), Cause::Routine).await.unwrap();
    assert_eq!(third.report(), RotationReport { generation: 3, resumed: false });
    third.finish(second(0)).await.unwrap();
    assert_eq!(make(&nodes.open(0).await, 0..3).await, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_compromise_nothing_that_the_old_keys_signed_is_valid() {
    let Some(nodes) = Nodes::start("after_a_compromise") else { return };
    let one = nodes.open(0).await;
    let made = make(&one, 0..3).await;
    let mailed = one.tokens().link(&link());
    let hash = one.tokens().email_hash(&email());
    // An interrupted rotation leaves its new key in the file. It is not trusted either.
    drop(nodes.begin(Cause::Routine).await);
    one.refresh().await.unwrap();
    assert_eq!(one.tokens().read_link(Purpose::Activation, &mailed), Some(link()));
    let half_way = one.tokens().session(&session());
    let rotation = nodes.begin(Cause::Compromise).await;
    one.refresh().await.unwrap();
    assert_eq!(one.tokens().read_link(Purpose::Activation, &mailed), None, "before a key is wrapped anew");
    assert_eq!(to_its_end(rotation).await, RotationReport { generation: 3, resumed: false });
    assert_eq!(one.refresh().await.unwrap(), Noticed::Rotation);
    assert_eq!(one.tokens().read_session(&half_way), None);
    assert_eq!(one.tokens().email_hash(&email()), hash);
    assert_eq!(make(&nodes.open(0).await, 0..3).await, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_key_is_lost_that_is_made_while_a_rotation_runs() {
    let Some(nodes) = Nodes::start("no_key_is_lost") else { return };
    let first = nodes.open(0).await;
    first.make((0..ACCOUNTS).map(account).collect()).await.unwrap();
    prepare(&nodes.file(0)).unwrap();
    nodes.copy_the_file();
    let mut stores = Vec::new();
    for node in [0, 1, 0, 1] {
        stores.push(nodes.open(node).await);
    }
    let making = (0..4_u128).zip(stores).map(|(task, keys)| {
        tokio::spawn(async move {
            let range = 10_000 * (task + 1)..10_000 * (task + 1) + 150;
            (range.clone(), make(&keys, range).await)
        })
    });
    let making: Vec<_> = making.collect();
    nodes.rotate(Cause::Routine).await;
    let made = join_all(making).await;
    nodes.rotate(Cause::Routine).await;
    let after = nodes.open(0).await;
    for made in made {
        let (range, keys) = made.unwrap();
        assert_eq!(make(&after, range).await, keys);
    }
    let generations = nodes.server.sql("SELECT count(DISTINCT generation) FROM loquet.account_keys");
    assert_eq!(
        (generations.as_str(), nodes.server.sql("SELECT count(*) FROM loquet.server_keys").as_str()),
        ("1", "1")
    );
}

/// A node begins to store a key, and a whole rotation passes before it commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_does_not_end_before_a_key_that_is_being_stored() {
    let Some(nodes) = Nodes::start("a_rotation_does_not_end") else { return };
    make(&nodes.open(0).await, 0..1).await;
    let taken = nodes.server.sql("SELECT encode(wrapped, 'hex') FROM loquet.account_keys");
    let slow = format!(
        "BEGIN; INSERT INTO loquet.account_keys (account, wrapped, generation)
             VALUES ('{}', '\\x{taken}', 1); SELECT pg_sleep(1); COMMIT",
        account(1).0
    );
    let (server, rotation) = (&nodes.server, nodes.begin(Cause::Routine));
    let ended = std::thread::scope(|scope| {
        let storing = scope.spawn(move || server.sql(&slow));
        while server.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0" {}
        let ended = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { rotation.await.finish(second(0)).await })
        });
        storing.join().unwrap();
        ended
    });
    // The key of one account can't be another's, so this rotation must fail. What counts is that it saw the row, and did
    // not delete the key that wraps it.
    assert!(matches!(ended.err(), Some(KeyStoreError::Ring(_))));
    assert_eq!(nodes.lines(0), 2);
    assert_eq!(nodes.server.sql("SELECT count(*) FROM loquet.server_keys"), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn another_node_forgets_an_erased_key_at_its_next_refresh_and_keeps_the_others_in_memory() {
    let Some(nodes) = Nodes::start("another_node_forgets") else { return };
    let [one, other] = [nodes.open(0).await, nodes.open(1).await];
    let made = make(&one, 0..3).await;
    assert_eq!(make(&other, 0..3).await, made);
    one.forget(account(1)).await.unwrap();
    assert_eq!(other.refresh().await.unwrap(), Noticed::Nothing);
    nodes.server.sql("ALTER TABLE loquet.account_keys RENAME TO elsewhere");
    assert!(matches!(other.held(account(0)).await, Ok(Held::Key(_))), "in memory");
    assert!(other.held(account(1)).await.is_err(), "not in memory");
    nodes.server.sql("ALTER TABLE loquet.elsewhere RENAME TO account_keys");
    assert!(matches!(other.held(account(1)).await, Ok(Held::Erased)));
    let row = nodes.server.sql("SELECT count(*) FROM loquet.account_keys WHERE wrapped IS NULL");
    assert_eq!(row, "1");
}
