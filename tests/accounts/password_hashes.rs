//! Argon2id held against an implementation that nobody here wrote: argon2-cffi, over the reference code in C.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use std::sync::Arc;

use loquet_credentials::password_hasher::{Argon2Pool, Cost};
use loquet_crypto::event_codec::JsonCodec;
use loquet_crypto::server_key::KeyFile;
use loquet_domain::account::Event;
use loquet_domain::ports::{EventCodec, EventStore, PasswordHasher, Revision, StreamId, Verification};
use loquet_domain::schema::DomainEvent;
use loquet_domain::values::password::PasswordHash;
use loquet_sqlite::event_store::SqliteStore;
use loquet_sqlite::key_store::KeyStore;
use loquet_tests::kit::password;
use loquet_tests::server::Server;
use loquet_tests::skip;
use serde_json::{Value, json};

/// Python with argon2-cffi, as `tests/install` puts it beside what is built.
fn python(test: &str) -> Option<PathBuf> {
    let python = skip::unless_tool(test, "venv/bin/python3")?;
    let imported = Command::new(&python).args(["-c", "import argon2"]).stderr(Stdio::null()).status();
    if imported.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    skip::skipped(test, "argon2-cffi is not installed: tests/install puts it there");
    None
}

/// What a script prints that is told this on its input. Nothing of it is on a command line.
#[track_caller]
fn told(python: &Path, script: &str, input: &Value) -> Value {
    let mut child = Command::new(python);
    child
        .args(["-X", "utf8", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

const VERIFY: &str = r#"
import argon2, json, sys
told = json.load(sys.stdin)
def verified(password):
    try:
        return argon2.PasswordHasher().verify(told["hash"], password)
    except argon2.exceptions.VerifyMismatchError:
        return False
read = argon2.extract_parameters(told["hash"])
cost = [read.type.name, read.version, read.memory_cost, read.time_cost, read.parallelism, read.salt_len, read.hash_len]
print(json.dumps({"cost": cost, "verified": [verified(password) for password in told["passwords"]]}))
"#;

const HASH: &str = r#"
import argon2, json, sys
told = json.load(sys.stdin)
costs = told["costs"]
hashed = [argon2.PasswordHasher(t, m, p, length, salt).hash(told["password"]) for m, t, p, length, salt in costs]
print(json.dumps(hashed))
"#;

/// As an operator reads it who has the key store at hand: nothing else opens the sealed part of an event.
async fn exported(folder: &Path, account: &str) -> String {
    let key = KeyFile::load(&folder.join("server.key")).unwrap();
    let keys = KeyStore::open_to_read(&folder.join("keys.db"), key).unwrap();
    let codec = JsonCodec::new(Arc::new(keys), "test".to_owned());
    let store = SqliteStore::open_to_read(&folder.join("log.db")).unwrap();
    let history = store.read_stream(&StreamId::new("account", account), Revision::default()).await.unwrap();
    for recorded in &history {
        if let DomainEvent::Account(Event::AccountActivated { hash, .. }) =
            codec.decode(recorded).await.unwrap().event
        {
            return hash.known().unwrap().expose().to_owned();
        }
    }
    panic!("{account} was never activated")
}

#[tokio::test]
async fn argon2_cffi_verifies_an_exported_hash() {
    let Some(python) = python("argon2_cffi_verifies_an_exported_hash") else { return };
    let mut server = Server::start().await;
    let long = format!("Aa1!{}", "é€🔑".repeat(60));
    let chosen = ["Boulange7!", "  Élan-été 2026\t", long.as_str()];
    let mut accounts = Vec::new();
    for (n, chosen) in (1..).zip(chosen) {
        accounts.push(server.active(n, &format!("marie{n}@example.be"), chosen).await);
    }
    server.stop();
    for (account, chosen) in accounts.iter().zip(chosen) {
        let hash = exported(&server.folder, account).await;
        let mut cut = chosen.to_owned();
        cut.pop();
        let wrong =
            [chosen.to_lowercase(), format!("{chosen} "), chosen.trim_start().replace('É', "E\u{301}"), cut];
        let wrong = wrong.iter().map(String::as_str).filter(|wrong| *wrong != chosen);
        let passwords: Vec<_> = [chosen].into_iter().chain(wrong).collect();
        assert!(passwords.len() > 3, "wrong ones are tried too");
        let told = told(&python, VERIFY, &json!({ "hash": hash, "passwords": passwords }));
        let expected: Vec<_> = passwords.iter().map(|tried| *tried == chosen).collect();
        assert_eq!(told["verified"], json!(expected), "{passwords:?}");
        assert_eq!(told["cost"], json!(["ID", 19, 7168, 1, 1, 16, 32]), "what the server was told");
    }
}

/// The other way round, for who brings their hashes along.
#[tokio::test]
async fn hashes_of_argon2_cffi_are_verified_whatever_their_cost() {
    let Some(python) = python("hashes_of_argon2_cffi_are_verified_whatever_their_cost") else { return };
    let newest = Cost { memory_kib: 1024, passes: 2, lanes: 1 };
    let pool = Argon2Pool::start(newest, 1, 16).unwrap();
    // Memory, passes, lanes, length of the hash and of the salt; the first is as ours are.
    let costs = json!([[1024, 2, 1, 32, 16], [8, 1, 1, 32, 16], [4096, 3, 4, 32, 16], [512, 1, 2, 64, 32]]);
    let text = "Élan-été 2026";
    let hashed = told(&python, HASH, &json!({ "password": text, "costs": costs }));
    let hashed = hashed.as_array().unwrap();
    assert_eq!(hashed.len(), 4);
    for (index, hash) in hashed.iter().map(|hash| hash.as_str().unwrap()).enumerate() {
        let verify = |text: &str| pool.verify(password(text), PasswordHash::new(hash.to_owned()));
        let right = verify(text).await.unwrap();
        let Verification::Match { rehashed } = right else { panic!("{hash} is not verified") };
        assert_eq!(rehashed.is_none(), index == 0, "{hash} is made anew under the newest cost");
        for wrong in ["Elan-été 2026", "Élan-été 2026 ", ""] {
            assert_eq!(verify(wrong).await, Ok(Verification::Mismatch), "{wrong:?} for {hash}");
        }
    }
}
