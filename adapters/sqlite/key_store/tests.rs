use chrono::TimeDelta;
use loquet_domain::ids::{EventId, SessionId};
use loquet_domain::ports::{LinkClaims, Purpose, SessionClaims, Tokens};
use loquet_domain::values::email_address::EmailAddress;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use loquet_crypto::server_key::ServerKey;
use loquet_domain::Moment;

const ACCOUNTS: u128 = 1200;

struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        let house = Self { folder: tempfile::tempdir().unwrap() };
        ServerKey::create(&house.server_key()).unwrap();
        house
    }

    fn server_key(&self) -> std::path::PathBuf {
        self.folder.path().join("server.key")
    }

    fn file(&self) -> KeyFile {
        KeyFile::load(&self.server_key()).unwrap()
    }

    fn lines(&self) -> usize {
        std::fs::read_to_string(self.server_key()).unwrap().lines().count()
    }

    fn keys(&self) -> std::path::PathBuf {
        self.folder.path().join("keys.db")
    }

    fn open(&self) -> KeyStore {
        KeyStore::open(&self.keys(), self.file()).unwrap()
    }

    fn begin(&self, cause: Cause) -> Rotation {
        Rotation::begin(&self.keys(), self.file(), now(), cause).unwrap()
    }

    /// Runs a rotation to its end. Returns what it did last.
    fn rotate(&self, cause: Cause) -> RotationReport {
        let mut rotation = self.begin(cause);
        loop {
            while rotation.step().unwrap() > 0 {}
            let report = rotation.report();
            match rotation.finish(now()).unwrap() {
                Some(next) => rotation = next,
                None => return report,
            }
        }
    }
}

fn now() -> Moment {
    Moment::from_timestamp(1_800_000_000, 0).unwrap()
}

fn account(n: u128) -> AccountId {
    AccountId(Uuid::from_u128(n))
}

fn email() -> EmailAddress {
    EmailAddress::parse("marie@boulangerie.example").unwrap()
}

fn link() -> LinkClaims {
    let (account, event) = (account(1), EventId(Uuid::from_u128(2)));
    LinkClaims { purpose: Purpose::Activation, account, event, expires_at: now() + TimeDelta::days(90) }
}

fn session() -> SessionClaims {
    let (account, session) = (account(1), SessionId(Uuid::from_u128(3)));
    SessionClaims { account, session, expires_at: now() + TimeDelta::hours(12) }
}

async fn make(keys: &KeyStore, accounts: std::ops::Range<u128>) -> Vec<[u8; 32]> {
    let mut made = Vec::new();
    for n in accounts {
        let Ok(Held::Key(key)) = keys.held_or_made(account(n)).await else { panic!("no key") };
        made.push(**key);
    }
    made
}

#[tokio::test]
async fn a_rotation_keeps_keys_links_sessions_and_hashes_of_addresses() {
    let house = House::new();
    let before = house.open();
    let made = make(&before, 0..ACCOUNTS).await;
    before.forget(account(7)).await.unwrap();
    let (mailed, opened) = (before.tokens().link(&link()), before.tokens().session(&session()));
    let hash = before.tokens().email_hash(&email());
    drop(before);
    let old = house.file().newest;
    for generation in 2..5 {
        assert_eq!(house.rotate(Cause::Routine), RotationReport { generation, resumed: false });
        let after = house.open();
        assert_eq!(house.lines(), 1, "the old key is gone from its file");
        for (n, key) in (0_u128..).zip(&made) {
            match after.held(account(n)).await.unwrap() {
                Held::Key(held) => assert!(**held == *key && n != 7),
                Held::Erased => assert_eq!(n, 7, "the erased stays so"),
            }
        }
        let tokens = after.tokens();
        assert_eq!(tokens.email_hash(&email()), hash, "stream names hold");
        assert_eq!(tokens.read_link(Purpose::Activation, &mailed), Some(link()));
        assert_eq!(tokens.read_session(&opened), Some(session()));
        assert_eq!(tokens.read_link(Purpose::PasswordReset, &mailed), None);
        assert_ne!(tokens.link(&link()), mailed, "what is signed now is signed with the new key");
    }
    assert!(matches!(KeyStore::open(&house.keys(), &old), Err(KeyStoreError::WrongServerKey(_))));
}

#[tokio::test]
async fn after_a_compromise_what_the_old_key_signed_holds_no_more() {
    let house = House::new();
    let before = house.open();
    let mailed = before.tokens().link(&link());
    let hash = before.tokens().email_hash(&email());
    drop(before);
    house.rotate(Cause::Compromise);
    let tokens = house.open().tokens();
    assert_eq!(tokens.read_link(Purpose::Activation, &mailed), None);
    assert_eq!(tokens.email_hash(&email()), hash);
}

/// An interrupted rotation leaves its new key in the file beside the old one. After a compromise, neither key
/// is trusted. A server that runs meanwhile trusts neither as well.
#[tokio::test]
async fn after_a_compromise_a_rotation_that_was_interrupted_is_finished_and_a_whole_new_one_made() {
    let house = House::new();
    let running = house.open();
    let tokens = running.tokens();
    let made = make(&running, 0..3).await;
    let mailed = tokens.link(&link());
    drop(house.begin(Cause::Routine));
    assert_eq!(running.refresh_now().unwrap(), Noticed::Rotation);
    let half_way = tokens.session(&session());
    assert_eq!(tokens.read_link(Purpose::Activation, &mailed), Some(link()));
    let mut finishing = house.begin(Cause::Compromise);
    running.refresh_now().unwrap();
    assert_eq!(tokens.read_link(Purpose::Activation, &mailed), None, "at once, before a key is wrapped anew");
    finishing.step().unwrap();
    let second = finishing.finish(now()).unwrap().expect("another rotation");
    assert_eq!(second.report(), RotationReport { generation: 3, resumed: false });
    assert!(second.finish(now()).unwrap().is_none());
    assert_eq!(house.lines(), 1);
    assert_eq!(running.refresh_now().unwrap(), Noticed::Rotation);
    assert_eq!(tokens.read_link(Purpose::Activation, &mailed), None);
    assert_eq!(tokens.read_session(&half_way), None);
    running.cache.clear();
    assert_eq!(make(&running, 0..3).await, made);
}

/// Law: a rotation may be killed at any instruction. Everything can still be read, and starting it again
/// finishes it.
#[tokio::test]
async fn a_rotation_killed_half_way_goes_on_where_it_stopped() {
    for steps in 0..5 {
        let house = House::new();
        let made = make(&house.open(), 0..ACCOUNTS).await;
        let mut killed = house.begin(Cause::Routine);
        for _ in 0..steps {
            killed.step().unwrap();
        }
        drop(killed);
        assert_eq!(house.lines(), 2);
        let between = house.open();
        assert_eq!(make(&between, 0..ACCOUNTS).await, made, "readable after {steps} steps");
        let again = house.begin(Cause::Routine);
        assert_eq!(again.report(), RotationReport { generation: 2, resumed: true });
        let batches = u64::try_from(steps).unwrap() * 500;
        assert_eq!(again.left().unwrap(), 1200_u64.saturating_sub(batches));
        assert!(again.finish(now()).unwrap().is_none());
        assert_eq!(house.lines(), 1);
        assert_eq!(make(&house.open(), 0..ACCOUNTS).await, made);
    }
}

#[tokio::test]
async fn a_rotation_killed_between_its_files_goes_on() {
    let house = House::new();
    let made = make(&house.open(), 0..3).await;
    // Killed after the new key was written, before the store recorded it.
    house.file().put_above(ServerKey::random()).unwrap();
    assert_eq!(make(&house.open(), 0..3).await, made, "the store goes on with the key it knows");
    assert!(house.rotate(Cause::Routine).resumed);
    // Killed after the store deleted the old key, before the key file did.
    let spent = house.file().newest;
    house.rotate(Cause::Routine);
    let file = KeyFile { older: vec![spent], ..house.file() };
    file.put_above(house.file().newest).unwrap();
    assert!(house.rotate(Cause::Routine).resumed);
    assert_eq!(house.lines(), 1);
    assert_eq!(make(&house.open(), 0..3).await, made);
}

#[tokio::test]
async fn a_server_that_runs_meanwhile_reads_and_makes_keys_and_signs_with_the_new_one() {
    let house = House::new();
    let running = house.open();
    let tokens = running.tokens();
    let made = make(&running, 0..ACCOUNTS).await;
    let mailed = tokens.link(&link());
    let mut rotation = house.begin(Cause::Routine);
    rotation.step().unwrap();
    running.cache.clear();
    assert_eq!(make(&running, 0..ACCOUNTS).await, made);
    let late = make(&running, 5000..5003).await;
    rotation.finish(now()).unwrap();
    running.cache.clear();
    assert_eq!(make(&running, 5000..5003).await, late, "made during the rotation, wrapped by the new key");
    assert_eq!(tokens.read_link(Purpose::Activation, &mailed), Some(link()));
    assert_ne!(tokens.link(&link()), mailed);
    house.rotate(Cause::Routine);
    assert_eq!(running.refresh_now().unwrap(), Noticed::Rotation, "a look now and then is enough");
    assert_eq!(running.refresh_now().unwrap(), Noticed::Nothing);
}

/// Two rotations at once would each write a key to the file. One would overwrite the other, and everything
/// wrapped with the lost key would be lost too.
#[tokio::test]
async fn a_second_rotation_at_once_is_refused() {
    let house = House::new();
    let made = make(&house.open(), 0..3).await;
    let first = house.begin(Cause::Routine);
    let second = Rotation::begin(&house.keys(), house.file(), now(), Cause::Routine);
    assert!(matches!(second.err(), Some(KeyStoreError::UnderWay)));
    // This rotation begins with what the file held before the first one. It must read the file again.
    let before = house.file();
    first.finish(now()).unwrap();
    let third = Rotation::begin(&house.keys(), before, now(), Cause::Routine).unwrap();
    third.finish(now()).unwrap();
    assert_eq!(make(&house.open(), 0..3).await, made);
}

/// A process may not have checked since the rotation. It must not wrap a key with the old server key.
#[tokio::test]
async fn a_key_made_by_who_has_not_heard_of_a_rotation_is_wrapped_by_the_new_server_key() {
    let house = House::new();
    let stale = house.open();
    house.rotate(Cause::Routine);
    let made = make(&stale, 0..3).await;
    drop(stale);
    assert_eq!(make(&house.open(), 0..3).await, made);
}

/// Root rotates the key beside a server that runs as another user. The key file is a link to a mounted file.
#[test]
fn a_rotation_leaves_the_key_file_where_it_is_and_to_whom_it_belongs() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    let house = House::new();
    drop(house.open());
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("key");
    std::fs::rename(house.server_key(), &real).unwrap();
    symlink(&real, house.server_key()).unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o440)).unwrap();
    for path in [&real, &house.keys()] {
        // Without root, a test can't give files to another user.
        let _ = chown(path, Some(65_533), Some(65_534));
    }
    let of = |path: &Path| {
        let held = std::fs::metadata(path).unwrap();
        (held.uid(), held.gid(), held.mode())
    };
    let before = of(&real);
    house.rotate(Cause::Routine);
    assert!(std::fs::symlink_metadata(house.server_key()).unwrap().is_symlink());
    assert_eq!(of(&real), before);
    let (lock, keys) = (of(&house.folder.path().join("keys.db.rotation")), of(&house.keys()));
    assert_eq!(lock, keys);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_rotation_with_another_servers_key_is_refused_and_changes_nothing() {
    let house = House::new();
    drop(house.open());
    let right = std::fs::read(house.server_key()).unwrap();
    std::fs::remove_file(house.server_key()).unwrap();
    ServerKey::create(&house.server_key()).unwrap();
    let refused = Rotation::begin(&house.keys(), house.file(), now(), Cause::Routine);
    assert!(matches!(refused.err(), Some(KeyStoreError::WrongServerKey(_))));
    assert_eq!(house.lines(), 1);
    std::fs::write(house.server_key(), right).unwrap();
    drop(house.open());
}

#[tokio::test]
async fn keys_that_are_made_together_are_kept_and_none_is_made_anew() {
    let house = House::new();
    let keys = house.open();
    let of = |held: Held| match held {
        Held::Key(key) => **key,
        Held::Erased => panic!("erased"),
    };
    let first = of(keys.held_or_made(account(1)).await.unwrap());
    keys.forget(account(2)).await.unwrap();
    keys.make((1..=200).map(account).collect()).await.unwrap();
    keys.make(Vec::new()).await.unwrap();
    let again = house.open();
    assert_eq!(of(again.held(account(1)).await.unwrap()), first);
    assert!(matches!(again.held(account(2)).await.unwrap(), Held::Erased));
    for n in 3..=200 {
        assert_eq!(of(again.held(account(n)).await.unwrap()), of(keys.held(account(n)).await.unwrap()));
    }
}

#[test]
fn commands_are_known_by_the_same_key_after_every_rotation_and_to_every_process() {
    let house = House::new();
    let server = house.open();
    let key = server.commands_key_now().unwrap();
    assert_eq!(house.open().commands_key_now().unwrap(), key);
    for compromised in [Cause::Routine, Cause::Compromise] {
        house.rotate(compromised);
        assert_eq!(house.open().commands_key_now().unwrap(), key, "after a restart");
        assert_eq!(server.commands_key_now().unwrap(), key, "beside it");
    }
    let kept = std::fs::read(house.keys()).unwrap();
    assert!(!kept.windows(key.len()).any(|window| window == key.as_slice()), "it is wrapped");
}

#[test]
fn the_key_for_commands_that_is_first_made_during_a_rotation_outlives_it() {
    let house = House::new();
    let server = house.open();
    let rotation = house.begin(Cause::Routine);
    let key = server.commands_key_now().unwrap();
    rotation.finish(now()).unwrap();
    assert_eq!(house.open().commands_key_now().unwrap(), key);
}
