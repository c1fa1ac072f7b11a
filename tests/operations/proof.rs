//! The proof of the log: what was changed is found and named, by the program and by a script that has none of its code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, binary, order};
use loquet_tests::skip;
use loquet_tests::witness::Witness;
use mailparse::MailHeaderMap;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use crate::audit::{head, json, said};

const PASSWORD: &str = "Boulange7!";

/// A stopped server's data with some history, and what an auditor kept of it elsewhere.
struct Evidence {
    folder: TempDir,
    public_key: String,
}

impl Evidence {
    fn data(&self) -> PathBuf {
        self.folder.path().join("var")
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept.jsonl")
    }

    fn loquet(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(binary())
            .env_clear()
            .arg("--data-dir")
            .arg(self.data())
            .args(arguments)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    /// What the program and the script say of the log: that everything fits, or what does not.
    fn verify(&self) -> [(bool, String); 2] {
        let checkpoints = self.kept();
        let arguments = ["audit", "verify", "--public-key", &self.public_key, "--checkpoints"];
        let ours = self.loquet(&[&arguments[..], &[checkpoints.to_str().unwrap()]].concat());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verify_log.py");
        let output = Command::new("python3")
            .arg(script)
            .arg(&self.public_key)
            .arg(self.data().join("log.db"))
            .arg(checkpoints)
            .arg(self.data().join("proof/level-0"))
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        [ours, (output.status.success(), String::from_utf8(text).unwrap())]
    }

    fn sql(&self, script: &str) {
        let connection = Connection::open(self.data().join("log.db")).unwrap();
        connection.execute_batch(script).unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    /// The same evidence again, for the next one who changes something.
    fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copied =
            Command::new("cp").arg("-a").arg(self.data()).arg(self.kept()).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        Self { folder, public_key: self.public_key.clone() }
    }
}

/// Runs a server, and stops it twice: each time it signs a checkpoint.
async fn evidence() -> Evidence {
    let folder = tempfile::tempdir().unwrap();
    let copied = folder.path().join("copied.jsonl");
    let copy_to = ["--proof-copy-to", copied.to_str().unwrap()];
    let mut server = Server::over(folder.path().join("var"), &copy_to).await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.restart_with(&copy_to).await;
    for _ in 0..8 {
        server.login("marie@example.be", "Wrong1!!").await;
    }
    server.service_post("/v1/orders", order(2, 2, "jan@example.be")).await.expect(201);
    server.stop();
    let data = folder.path().join("var");
    std::fs::copy(&copied, folder.path().join("kept.jsonl")).unwrap();
    let own = std::fs::read_to_string(data.join("proof/checkpoints.jsonl")).unwrap();
    // The first line says that there were no events.
    let (_, own) = own.split_once('\n').unwrap();
    assert_eq!(std::fs::read_to_string(copied).unwrap(), own, "each checkpoint is in both files");
    let public_key = std::fs::read_to_string(data.join("proof/public.key")).unwrap().trim().to_owned();
    let evidence = Evidence { folder, public_key };
    // The write-ahead log is copied into the file, so that the file alone can be changed.
    evidence.sql("PRAGMA wal_checkpoint(TRUNCATE);");
    evidence
}

fn events(evidence: &Evidence) -> u64 {
    let log = Connection::open(evidence.data().join("log.db")).unwrap();
    log.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

/// A change of the evidence, and words of what both verifiers say then.
type Tampering = (&'static str, Box<dyn Fn(&Evidence)>, [&'static str; 2]);

/// What somebody with the machine in their hands would try.
#[expect(clippy::too_many_lines, reason = "a table: a row for each change")]
fn tamperings() -> Vec<Tampering> {
    let sql = |name, script: &'static str, found| -> Tampering {
        (name, Box::new(move |evidence: &Evidence| evidence.sql(script)), found)
    };
    let altered = ["altered", "altered"];
    vec![
        sql(
            "a count of wrong guesses",
            "UPDATE events SET data = replace(data, '\"failures\":7', '\"failures\":1') WHERE name = 'login-failed'",
            altered,
        ),
        sql(
            "one digit of a moment",
            "UPDATE events SET metadata = replace(metadata, '\"at\":\"20', '\"at\":\"21') WHERE position = 5",
            altered,
        ),
        sql(
            "one bit of an encrypted part",
            "UPDATE events SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'00' AS BLOB)
                WHERE position = (SELECT min(position) FROM events WHERE sealed IS NOT NULL)",
            altered,
        ),
        sql("the account of an event", "UPDATE events SET subject = zeroblob(16) WHERE position = 9", altered),
        sql("the name of an event", "UPDATE events SET name = 'login-succeeded' WHERE name = 'login-failed'", altered),
        sql(
            "a row is deleted, and the later ones are renumbered",
            "DELETE FROM events WHERE position = 6; UPDATE events SET position = position - 1 WHERE position > 6;",
            ["was recorded at position", "was recorded at position"],
        ),
        sql(
            "a row is inserted, and the later ones are renumbered",
            "UPDATE events SET position = -position - 1 WHERE position > 6;
             UPDATE events SET position = -position WHERE position < 0;
             INSERT INTO events SELECT 7, stream, revision, previous, zeroblob(16), name, version, data, metadata, subject,
                sealed FROM events WHERE position = 6;",
            ["was recorded at position", "was recorded at position"],
        ),
        sql(
            "a row is deleted",
            "DELETE FROM events WHERE position = 6",
            ["1 events before position 7 were removed", "events before it were removed or inserted"],
        ),
        sql(
            "a row before the first",
            "INSERT INTO events SELECT 0, stream, revision, previous, zeroblob(16), name, version, data, metadata, subject,
                sealed FROM events WHERE position = 6;",
            ["1 rows stand before the first position", "was recorded as event"],
        ),
        sql(
            "two rows are swapped",
            "UPDATE events SET position = -1 WHERE position = 5; UPDATE events SET position = 5 WHERE position = 8;
             UPDATE events SET position = 8 WHERE position = -1;",
            ["was recorded at position", "was recorded at position"],
        ),
        sql(
            "the end is cut off",
            "DELETE FROM events WHERE position > (SELECT max(position) - 3 FROM events)",
            ["removed from its end", "removed from its end"],
        ),
        sql(
            "the end is cut off, and other events follow",
            "CREATE TEMP TABLE other AS SELECT * FROM events WHERE position > (SELECT max(position) - 3 FROM events);
             UPDATE other SET event_id = zeroblob(16);
             DELETE FROM events WHERE position IN (SELECT position FROM other);
             INSERT INTO events SELECT * FROM other;",
            altered,
        ),
        (
            "a checkpoint is forged with another key",
            Box::new(|evidence| {
                let kept = std::fs::read_to_string(evidence.kept()).unwrap();
                let last = kept.lines().last().unwrap();
                let mut forged: Value = serde_json::from_str(last).unwrap();
                let note = forged["note"].as_str().unwrap();
                let (text, _) = note.rsplit_once("\n\n").unwrap();
                let name = text.lines().next().unwrap();
                let signer = loquet_proof::note::SignerKey::new(name, &[7; 32]).unwrap();
                forged["note"] = signer.sign(&format!("{text}\n")).into();
                std::fs::write(evidence.kept(), kept.replace(last, &forged.to_string())).unwrap();
            }),
            ["has no signature", "not signed by the key"],
        ),
        (
            "a checkpoint says another size",
            Box::new(|evidence| {
                let kept = std::fs::read_to_string(evidence.kept()).unwrap();
                let size = events(evidence);
                std::fs::write(evidence.kept(), kept.replace(&format!("\\n{size}\\n"), &format!("\\n{}\\n", size - 1)))
                    .unwrap();
            }),
            ["the signature of", "not signed by the key"],
        ),
        (
            "the event and the tree beside the log",
            Box::new(|evidence| {
                evidence.sql("UPDATE events SET name = 'login-succeeded' WHERE name = 'login-failed'");
                let path = evidence.data().join("proof/level-0");
                let mut leaves = std::fs::read(&path).unwrap();
                leaves[32 * 12] ^= 1;
                leaves[0] ^= 1;
                std::fs::write(path, leaves).unwrap();
            }),
            ["at least one was", "at least one was"],
        ),
    ]
}

#[tokio::test]
async fn whatever_is_changed_in_a_log_is_found_and_named_by_two_verifiers() {
    let whole = evidence().await;
    for (is_well, said) in whole.verify() {
        assert!(is_well && said.contains("The log is the one that was signed"), "{said}");
    }
    for (name, change, found) in tamperings() {
        let changed = whole.copy();
        change(&changed);
        for ((is_well, said), found) in changed.verify().into_iter().zip(found) {
            assert!(!is_well && said.contains(found), "{name}: {said}");
        }
    }
}

/// Whoever writes the right hash of an altered event into the tree is found, whichever of the tree's files they change: more
/// than 256 events have two of them.
#[tokio::test]
async fn an_altered_event_with_its_own_leaf_in_the_tree_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::over(folder.path().join("var"), &[]).await;
    for n in 1..=40 {
        server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
    }
    server.stop();
    let data = folder.path().join("var");
    std::fs::copy(data.join("proof/checkpoints.jsonl"), folder.path().join("kept.jsonl")).unwrap();
    let public_key = std::fs::read_to_string(data.join("proof/public.key")).unwrap().trim().to_owned();
    let evidence = Evidence { folder, public_key };
    evidence.sql("PRAGMA wal_checkpoint(TRUNCATE);");
    assert!(events(&evidence) > 300 && data.join("proof/level-8").metadata().unwrap().len() >= 32);
    for (is_well, said) in evidence.verify() {
        assert!(is_well, "{said}");
    }
    evidence.sql("UPDATE events SET metadata = replace(metadata, '\"node\":\"', '\"node\":\"other-') WHERE position = 12");
    let (_, said) = evidence.loquet(&["audit", "verify", "--json"]);
    assert!(said.contains("position 12"), "{said}");
    // The leaf of the altered event, as the program itself hashes it.
    let store = loquet_sqlite::event_store::SqliteStore::open_to_read(&data.join("log.db")).unwrap();
    let altered =
        loquet_domain::ports::EventStore::event_at(&store, loquet_domain::ports::Position(12)).await;
    let leaf = loquet_proof::leaf::hash_of(&altered.unwrap().unwrap());
    let path = data.join("proof/level-0");
    let mut leaves = std::fs::read(&path).unwrap();
    leaves[32 * 11..32 * 12].copy_from_slice(&leaf.0);
    std::fs::write(path, leaves).unwrap();
    for (is_well, said) in evidence.verify() {
        assert!(!is_well && said.contains("at least one was"), "{said}");
    }
}

/// The program looks at the end of the log and at the tree when it starts. It says what to do.
#[tokio::test]
async fn a_server_does_not_start_on_a_log_that_contradicts_its_last_checkpoint() {
    let whole = evidence().await;
    for script in [
        "UPDATE events SET metadata = replace(metadata, '\"node\":\"', '\"node\":\"other-')
            WHERE position = (SELECT max(position) FROM events)",
        "DELETE FROM events WHERE position > (SELECT max(position) - 2 FROM events)",
        "UPDATE events SET data = replace(data, '\"failures\":7', '\"failures\":1') WHERE name = 'login-failed'",
    ] {
        let changed = whole.copy();
        changed.sql(script);
        let (started, said) = changed.loquet(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
        assert!(!started && said.contains("loquet audit verify"), "{script}: {said}");
    }
    // Nor without its checkpoints, if the key that signed them is there.
    for content in ["", "{\"at\":\"20"] {
        let removed = whole.copy();
        std::fs::write(removed.data().join("proof/checkpoints.jsonl"), content).unwrap();
        let (started, said) = removed.loquet(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
        assert!(!started && said.contains("somebody removed them"), "{said}");
    }
    // A line that was cut off in a crash stops nothing.
    let cut = whole.copy();
    let kept = std::fs::read(cut.data().join("proof/checkpoints.jsonl")).unwrap();
    std::fs::write(cut.data().join("proof/checkpoints.jsonl"), &kept[..kept.len() - 20]).unwrap();
    std::fs::remove_file(cut.data().join("proof/public.key")).unwrap();
    let mut server = Server::over(cut.data(), &[]).await;
    server.login("marie@example.be", "Wrong1!!").await;
    server.stop();
    let (is_well, said) = cut.loquet(&["audit", "verify"]);
    assert!(is_well, "{said}");
    let altered = whole.copy();
    altered.sql("UPDATE events SET data = replace(data, '\"failures\":7', '\"failures\":1') WHERE name = 'login-failed'");
    let (is_well, said) = altered.loquet(&["doctor", "--dev"]);
    assert!(!is_well && said.contains("proof") && said.contains("was altered"), "{said}");
    // The tree itself follows from the log. If it is lost or damaged, it is built again.
    let damaged = whole.copy();
    std::fs::write(damaged.data().join("proof/level-0"), "").unwrap();
    let mut server = Server::over(damaged.data(), &[]).await;
    server.login("marie@example.be", "Wrong1!!").await;
    server.stop();
    let (is_well, said) = damaged.loquet(&["audit", "verify"]);
    assert!(is_well, "{said}");
}

#[tokio::test]
async fn a_proof_that_an_event_is_in_the_log_is_checked_without_the_log() {
    let whole = evidence().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("event.tlog-proof");
    let path = file.to_str().unwrap();
    for position in 1..=events(&whole) {
        let (is_well, proof) = whole.loquet(&["audit", "prove", &position.to_string()]);
        assert!(is_well && proof.starts_with("c2sp.org/tlog-proof@v1\n"), "{proof}");
        std::fs::write(&file, &proof).unwrap();
        // On a machine without the data.
        let output = Command::new(binary())
            .env_clear()
            .arg("--data-dir")
            .arg(elsewhere.path().join("nothing"))
            .args(["audit", "check-proof", path, "--public-key", &whole.public_key, "--json"])
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&said["included"], &said["event"]["position"]), (&true.into(), &position.into()));
    }
    let sizes: Vec<u64> = std::fs::read_to_string(whole.kept())
        .unwrap()
        .lines()
        .map(|line| {
            let kept: Value = serde_json::from_str(line).unwrap();
            kept["note"].as_str().unwrap().lines().nth(1).unwrap().parse().unwrap()
        })
        .collect();
    let (first, last) = (sizes[0].to_string(), sizes[sizes.len() - 1].to_string());
    assert_ne!(first, last);
    let (is_well, proof) = whole.loquet(&["audit", "consistency", &first, &last]);
    assert!(is_well && proof.contains("\"proof\""), "{proof}");
    let checked = |proof: &str, key: &str| {
        std::fs::write(&file, proof).unwrap();
        whole.loquet(&["audit", "check-consistency", path, "--public-key", key])
    };
    let (is_well, said) = checked(&proof, &whole.public_key);
    assert!(is_well && said.contains(&format!("of {last} events begins with its {first} events")), "{said}");
    let mut other: Value = serde_json::from_str(&proof).unwrap();
    other["proof"].as_array_mut().unwrap().pop();
    let (is_well, said) = checked(&other.to_string(), &whole.public_key);
    assert!(!is_well && said.contains("does not begin with"), "{said}");
    let stranger = loquet_proof::note::SignerKey::fresh("portal.example").unwrap().verifier().to_string();
    let (is_well, said) = checked(&proof, &stranger);
    assert!(!is_well && said.contains("has no signature"), "{said}");
    let (is_well, said) = whole.loquet(&["audit", "consistency", "1", &last]);
    assert!(!is_well && said.contains("there is no checkpoint of 1 events"), "{said}");
}

/// The three formats of each table have the same rows, as `DuckDB` reads them.
fn read_by_duckdb(extract: &Path) {
    let test = "an_extract_of_the_history_is_signed_and_is_itself_an_event";
    let Some(python) = skip::unless_tool(test, "venv/bin/python3") else { return };
    let script = r#"
import duckdb, sys
for table in ["events", "accounts", "companies", "sites", "terminals"]:
    path = f"{sys.argv[1]}/{table}"
    count = lambda read: duckdb.sql(f"SELECT count(*) FROM {read}").fetchall()[0][0]
    counts = {count(f"read_json_auto('{path}.jsonl')"), count(f"read_csv('{path}.csv', header=true)"), count(f"'{path}.parquet'")}
    print(table, counts)
    assert len(counts) == 1 and counts != {0}, (table, counts)
first = duckdb.sql(f"""SELECT min("at") FROM '{sys.argv[1]}/events.parquet'""").fetchall()[0][0]
assert first.year >= 2026 and first.tzinfo is not None, first
failed = duckdb.sql(f"""SELECT count(*) FROM '{sys.argv[1]}/events.parquet' WHERE "type" = 'login-failed' AND json_extract(data, '$.failures') IS NOT NULL""").fetchall()[0][0]
assert failed >= 7, failed
named = duckdb.sql(f"SELECT count(*) FROM '{sys.argv[1]}/companies.parquet' WHERE json_extract(details, '$.legal_name') IS NOT NULL").fetchall()[0][0]
assert named >= 1, named
"#;
    let read = Command::new(python).args(["-c", script]).arg(extract).output().unwrap();
    assert!(
        read.status.success(),
        "{}{}",
        String::from_utf8_lossy(&read.stdout),
        String::from_utf8_lossy(&read.stderr)
    );
}

/// Law 6: an erasure deletes a key and changes no event, so that every proof still holds.
#[tokio::test]
async fn after_an_erasure_the_log_verifies_and_old_checkpoints_hold() {
    let whole = evidence().await;
    let mut server = Server::over(whole.data(), &[]).await;
    let begun = Instant::now();
    // The lockout of before ends by support.
    let erased = loop {
        let erased = Command::new(binary())
            .env_clear()
            .arg("--data-dir")
            .arg(whole.data())
            .args(["account", "erase", "jan@example.be", "--reason", "asked", "--yes", "--url", &server.url])
            .arg("--token-file")
            .arg(whole.data().join("dev-token"))
            .output()
            .unwrap();
        if erased.status.success() || begun.elapsed() > Duration::from_secs(20) {
            break erased;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(erased.status.success(), "{}", String::from_utf8_lossy(&erased.stderr));
    server.stop();
    for (is_well, said) in whole.verify() {
        assert!(is_well, "the checkpoints from before: {said}");
    }
    let (is_well, said) = whole.loquet(&["audit", "verify"]);
    assert!(is_well && said.contains("0 later events"), "{said}");
}

/// An extract says of which log it is, and an altered one is refused. The look is itself an event.
#[tokio::test]
async fn an_extract_of_the_history_is_signed_and_is_itself_an_event() {
    let whole = evidence().await;
    let extract = whole.folder.path().join("extract");
    let path = extract.to_str().unwrap();
    let (is_well, said) = whole.loquet(&["audit", "export", path, "--personal"]);
    assert!(!is_well && said.contains("--reason"), "personal data is for a reason alone: {said}");
    let (is_well, said) = whole.loquet(&["audit", "export", path]);
    assert!(is_well, "{said}");
    let lines = std::fs::read_to_string(extract.join("events.jsonl")).unwrap();
    assert_eq!(u64::try_from(lines.lines().count()).unwrap(), events(&whole));
    assert!(!lines.contains("marie") && !lines.contains("personal"), "{lines}");
    // Read back by a program that nobody here wrote.
    let csv = extract.join("events.csv");
    let count =
        "import csv, sys; rows = list(csv.DictReader(open(sys.argv[1]))); print(len(rows), rows[0]['type'])";
    let read = Command::new("python3").args(["-c", count]).arg(&csv).output().unwrap();
    let read = String::from_utf8(read.stdout).unwrap();
    assert!(read.starts_with(&format!("{} ", events(&whole))), "{read}");
    let check = |key: &str| whole.loquet(&["audit", "check-export", path, "--public-key", key]);
    let (is_well, said) = check(&whole.public_key);
    assert!(is_well && said.contains("This extract is of the log"), "{said}");
    std::fs::write(extract.join("events.jsonl"), lines.replacen("login-failed", "login-succeeded", 1))
        .unwrap();
    let (is_well, said) = check(&whole.public_key);
    assert!(!is_well && said.contains("is not the file that was signed"), "{said}");
    let other = loquet_proof::note::SignerKey::fresh("portal.example").unwrap().verifier().to_string();
    let (is_well, said) = check(&other);
    assert!(!is_well && said.contains("has no signature"), "{said}");
    // With what is encrypted, for a reason, and with the states of that time.
    let personal = whole.folder.path().join("personal");
    let arguments =
        ["audit", "export", personal.to_str().unwrap(), "--personal", "--states", "--reason", "yearly audit"];
    let (is_well, said) = whole.loquet(&arguments);
    assert!(is_well, "{said}");
    read_by_duckdb(&personal);
    assert!(std::fs::read_to_string(personal.join("events.jsonl")).unwrap().contains("marie@example.be"));
    let mut server = Server::over(whole.data(), &[]).await;
    let begun = Instant::now();
    loop {
        let (_, told) = whole.loquet(&["audit", "timeline", "administration", "--json"]);
        let exports: Vec<Value> = told
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| event["type"] == "history-exported")
            .collect();
        if let [first, second] = &exports[..] {
            assert_eq!(first["data"]["export"]["personal"], false);
            assert_eq!(second["data"]["export"]["reason"], "yearly audit");
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{told}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    server.stop();
}

/// A checkpoint that left the machine holds against whoever has the machine.
// The witness answers while this test waits for the server to stop.
#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_reach_a_mailbox_and_a_witness_who_refuses_a_log_that_was_put_back() {
    let whole = evidence().await;
    let witness = Witness::start(&whole.public_key).await;
    let witnesses = format!("{} http://{}/tlog/", witness.public_key(), witness.address);
    let places =
        ["--proof-witnesses", &witnesses, "--proof-mail-to", "audit@example.be", "--proof-mail-every", "1h"];
    let before = whole.copy();
    let mut server = Server::over(whole.data(), &places).await;
    let first = events(&whole);
    until("the witness signs", || witness.size() >= first).await;
    server.service_post("/v1/orders", order(3, 3, "piet@example.be")).await.expect(201);
    server.stop();
    assert_eq!(witness.size(), events(&whole), "a stop signs a last checkpoint, and the witness gets it");
    // Whoever has the keys of both, and the mail, needs nothing else of this machine.
    let key = witness.public_key();
    let (is_well, said) =
        whole.loquet(&["audit", "verify", "--witness", &key, "--public-key", &whole.public_key]);
    assert!(is_well && said.contains(&format!("{} events", witness.size())), "{said}");
    let (is_well, said) = whole.loquet(&["audit", "verify", "--witness", &whole.public_key]);
    assert!(is_well, "the log's own key signed them too: {said}");
    let other = "other.example+c8ee5dc4+BAWWDYkWVx0SmJDIgDu1Pdvm5nqKGZIQ2Y3x6wCj3Hhk";
    let (is_well, said) = whole.loquet(&["audit", "verify", "--witness", other]);
    assert!(!is_well, "{said}");
    let mails = checkpoint_mails(&whole.data());
    assert_eq!(mails.len(), 1, "one in an hour: {mails:?}");
    let mail = mails[0].replace("\r\n", "\n");
    let (_, note) = mail.split_once("\n\n").unwrap();
    let kept = whole.folder.path().join("mailed.checkpoint");
    std::fs::write(&kept, note).unwrap();
    let arguments = ["audit", "verify", "--public-key", &whole.public_key, "--checkpoints"];
    let (is_well, said) = whole.loquet(&[&arguments[..], &[kept.to_str().unwrap()]].concat());
    assert!(is_well, "the checkpoint in the mail is a file of checkpoints: {said}");
    // An older copy of the whole directory fits its own checkpoints. The witness has seen more.
    let server = Server::over(before.data(), &places).await;
    let refusal = "the witness witness.example has seen this log with";
    until("the witness refuses", || server.errors().contains(refusal)).await;
    let ready = server.service_get("/readyz").await.json();
    assert!(ready["services"]["proof-witness"].as_str().unwrap().contains(refusal), "{ready:#}");
    assert_eq!(ready["services"]["proof-mail"], "ok", "other places are not held up: {ready:#}");
    // The next witness does not know this log.
    witness.know(&loquet_proof::note::SignerKey::fresh("portal.example").unwrap().verifier().to_string());
    until("the witness does not know it", || server.errors().contains("answers 403: it does not know")).await;
}

/// The texts of the mails with checkpoints.
fn checkpoint_mails(data: &Path) -> Vec<String> {
    let mails = std::fs::read_dir(data.join("mail")).unwrap();
    let mails = mails.map(|mail| std::fs::read(mail.unwrap().path()).unwrap());
    let texts = mails.filter_map(|mail| {
        let mail = mailparse::parse_mail(&mail).unwrap();
        let subject = mail.headers.get_first_value("Subject").unwrap();
        subject.starts_with("Checkpoint of the log").then(|| mail.subparts[0].get_body().unwrap())
    });
    texts.collect()
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nobody has to wait for the next checkpoint: the server signs one, or the command does if no server runs.
#[tokio::test]
async fn a_checkpoint_that_is_asked_for_covers_every_event_beside_a_server_and_without_one() {
    let mut server = Server::start().await;
    let data = server.folder.clone();
    let asked = || json(&data, &["audit", "checkpoint", "--now"]);
    let covers = |checkpoint: &Value, head: &str| checkpoint["position"].as_u64() >= head.parse().ok();
    for n in 1..3 {
        server.service_post("/v1/orders", order(n, n, "jan@example.be")).await.expect(201);
        let end = head(&server);
        assert!(covers(&asked(), &end), "{n}: {}", server.errors());
    }
    server.service_post("/v1/orders", order(3, 3, "an@example.be")).await.expect(201);
    let end = head(&server);
    // A kill leaves no time for a last checkpoint.
    server.kill();
    let before = json(&data, &["audit", "checkpoint"]);
    assert!(!covers(&before, &end), "{before} {end}");
    let now = asked();
    assert!(covers(&now, &end), "{now} {end}");
    assert_eq!(asked(), now, "there is nothing new to sign");
    assert!(!data.join("proof/sign-now").exists());
    let folder = tempfile::tempdir().unwrap();
    let (extract, key) = (folder.path().join("history"), said(&data, &["audit", "key"]));
    let extract = extract.to_str().unwrap();
    said(&data, &["audit", "export", extract, "--reason", "Yearly audit"]);
    let checked = said(&data, &["audit", "check-export", extract, "--public-key", key.trim()]);
    assert!(checked.contains("It covers all events of this extract."), "{checked}");
    assert!(said(&data, &["audit", "verify"]).contains("0 later events"));
    server.restart().await;
    server.service_post("/v1/orders", order(4, 4, "piet@example.be")).await.expect(201);
    let (end, extract) = (head(&server), folder.path().join("later"));
    let extract = extract.to_str().unwrap();
    said(&data, &["audit", "export", extract, "--reason", "Yearly audit"]);
    let checked = said(&data, &["audit", "check-export", extract, "--public-key", key.trim()]);
    assert!(checked.contains("It covers all events of this extract."), "{end}: {checked}");
}
