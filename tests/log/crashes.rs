//! The program killed, restarted and started wrongly.

use std::collections::BTreeMap;
use std::process::Command;

use futures_util::future::join_all;
use loquet_tests::server::{Server, free_port, order, token_in};
use loquet_tests::skip;
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "Boulange7!";

/// The whole log, read as an auditor would.
#[track_caller]
fn log(server: &Server) -> Vec<Value> {
    let output = server.command().args(["events", "tail", "--after", "0", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Law 1 and law 5: killed in the middle of load again and again, no acknowledged event is lost, no
/// order is done twice, and every effect is mailed; twice only where the kill fell on its sending.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_load_nothing_acknowledged_is_lost_and_nobody_is_mailed_twice() {
    const ROUNDS: u32 = 8;
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let (mut orders, mut logins) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let acknowledged = tokio::sync::watch::Sender::new(0_u32);
        {
            let placing = (0..40_u32).map(|n| {
                let number = 100 + round * 100 + n;
                let body = order(number, 100 + number % 7, &format!("p{number}@example.be"));
                let (server, token, acknowledged) = (&server, server.token(), &acknowledged);
                async move {
                    let placed = server.try_send(Method::POST, "/v1/orders", Some(&token), Some(&body)).await;
                    placed.ok().filter(|answer| answer.status == 201)?;
                    acknowledged.send_modify(|orders| *orders += 1);
                    Some(number)
                }
            });
            let logging_in = (0..10).map(|_| {
                let body = json!({ "email": "marie@example.be", "password": PASSWORD });
                let server = &server;
                async move {
                    let answer = server.try_send(Method::POST, "/v1/logins", None, Some(&body)).await.ok()?;
                    (answer.status == 201).then(|| answer.json())
                }
            });
            let pid = server.pid().to_string();
            let kill = async {
                // Earlier or later in the load, and always while some of it is under way.
                acknowledged.subscribe().wait_for(|orders| *orders > round * 4).await.unwrap();
                assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
            };
            let (placed, logged_in, ()) = tokio::join!(join_all(placing), join_all(logging_in), kill);
            orders.extend(placed.into_iter().flatten());
            logins.extend(logged_in.into_iter().flatten());
        }
        server.kill();
        server.restart().await;
    }
    let log = log(&server);
    let positions: Vec<u64> = log.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (1..=u64::try_from(log.len()).unwrap()).collect::<Vec<_>>(), "no gaps");
    let by_type = |name: &str| log.iter().filter(|event| event["type"] == name).collect::<Vec<_>>();
    for number in &orders {
        let stream = format!("order-SO-{number}");
        let done = by_type("order-onboarded").into_iter().filter(|event| event["stream"] == *stream).count();
        assert_eq!(done, 1, "{stream} was acknowledged");
    }
    for login in &logins {
        let kept = log.iter().find(|event| event["position"] == login["position"]).unwrap();
        assert_eq!(kept["type"], "login-succeeded");
        let path = format!("/v1/accounts/{}", login["account_id"].as_str().unwrap());
        let token = login["session_token"].as_str().unwrap();
        server.send(Method::GET, &path, Some(token), None).await.expect(200);
    }
    // What was taken and not finished is finished by itself.
    let started = std::time::Instant::now();
    loop {
        let log = self::log(&server);
        let count = |name: &str| log.iter().filter(|event| event["type"] == name).count();
        if count("order-received") == count("order-onboarded") {
            break;
        }
        assert!(started.elapsed().as_secs() < 20, "orders are left half-done");
        tokio::task::yield_now().await;
    }
    let mut sent: BTreeMap<String, u32> = BTreeMap::new();
    for event in self::log(&server).iter().filter(|event| event["type"] == "account-created") {
        let email = event["personal"]["email"].as_str().unwrap();
        server.mail(email, "Confirmez", 1).await;
        let mails = server.mails(email).await;
        let links = mails.iter().filter(|mail| mail["subject"].as_str().unwrap().contains("Confirmez"));
        sent.insert(email.to_owned(), u32::try_from(links.count()).unwrap());
    }
    let twice = sent.values().filter(|count| **count > 1).count();
    assert!(sent.values().all(|count| *count <= 1 + ROUNDS));
    // At most the four that one kill can find between the mail's yes and its being written down.
    assert!(twice <= usize::try_from(4 * ROUNDS).unwrap(), "{sent:?}");
    let ready = server.send(Method::GET, "/readyz", None, None).await.expect(200).json();
    assert_eq!(ready["ready"], true);
    assert!(!orders.is_empty() && !logins.is_empty(), "the load never got through");
}

#[tokio::test]
async fn every_state_of_an_account_survives_a_kill() {
    let mut server = Server::start().await;
    let restart = async |server: &mut Server| {
        server.kill();
        server.restart().await;
    };
    let email = "marie@example.be";
    server.service_post("/v1/orders", order(1, 1, email)).await.expect(201);
    restart(&mut server).await;
    let link = token_in(&server.mail(email, "Confirmez", 1).await);
    restart(&mut server).await;
    server.post("/v1/activations", json!({ "token": link, "password": PASSWORD })).await.expect(204);
    restart(&mut server).await;
    server.post("/v1/activations", json!({ "token": link, "password": PASSWORD })).await.expect(410);
    for _ in 0..6 {
        server.login(email, "Wrong1!!").await.expect(401);
        restart(&mut server).await;
    }
    server.login(email, "Wrong1!!").await.expect(401);
    let before = server.login(email, PASSWORD).await.expect(423).json();
    restart(&mut server).await;
    let after = server.login(email, PASSWORD).await.expect(423).json();
    assert_eq!(before["locked_until"], after["locked_until"], "the count and the lock survive");
    server.post("/v1/password-resets", json!({ "email": email })).await.expect(202);
    restart(&mut server).await;
    let link = token_in(&server.mail(email, "nouveau", 1).await);
    server
        .post("/v1/password-resets/confirm", json!({ "token": link, "password": PASSWORD }))
        .await
        .expect(204);
    restart(&mut server).await;
    let session = server.login(email, PASSWORD).await.expect(201).json();
    restart(&mut server).await;
    let path = format!("/v1/accounts/{}", session["account_id"].as_str().unwrap());
    let token = session["session_token"].as_str().unwrap();
    server.send(Method::GET, &path, Some(token), None).await.expect(200);
    // A kill between the mail's yes and our noting it has it sent again, the same to the letter (law 5).
    let mails = server.mails(email).await;
    let letters: std::collections::BTreeSet<_> =
        mails.iter().map(|mail| mail["text"].as_str().unwrap()).collect();
    assert_eq!(letters.len(), 4, "activation, lockout, reset, notice: {mails:?}");
}

#[tokio::test]
async fn what_is_wrong_at_the_start_is_named_with_its_remedy() {
    let mut server = Server::start().await;
    let fails = |server: &Server, arguments: &[&str]| {
        let output = server.command().args(["serve"]).args(arguments).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let port = free_port();
    let elsewhere = format!("127.0.0.1:{port}");
    let taken = format!("127.0.0.1:{}", server.port);
    let said = fails(&server, &["--dev", "--listen", &taken]);
    assert!(said.contains(&taken) && said.contains("LOQUET_HTTP_LISTEN"), "{said}");
    let said = fails(&server, &["--dev", "--listen", &elsewhere]);
    assert!(said.contains("in use by another Loquet process"), "{said}");
    server.stop();
    for (arguments, named) in [
        (&["--listen", &elsewhere][..], "LOQUET_PUBLIC_URL"),
        (&["--public-url", "http://portal.example"], "https://"),
        (&["--public-url", "https://portal.example"], "LOQUET_SMTP_HOST"),
        (&["--dev", "--listen", "0.0.0.0:8080"], "listen on 127.0.0.1:8080"),
        (&["--dev", "--lockout-attempts", "0"], "from 1 to 100"),
        (&["--dev", "--lockout-duration", "0s"], "from 1s to 30d"),
        (&["--dev", "--lockout-duration", "99999999999d"], "--lockout-duration"),
        (&["--dev", "--argon2-memory-kib", "8"], "--argon2-memory-kib"),
    ] {
        let said = fails(&server, arguments);
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
    let key = server.folder.join("server.key");
    let right = std::fs::read(&key).unwrap();
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let said = fails(&server, &["--dev", "--listen", &elsewhere]);
    assert!(said.contains("server key is not the one"), "{said}");
    std::fs::write(&key, "short\n").unwrap();
    assert!(fails(&server, &["--dev", "--listen", &elsewhere]).contains("is no server key"));
    std::fs::remove_file(&key).unwrap();
    let production =
        ["--public-url", "https://portal.example", "--smtp-host", "localhost", "--listen", &elsewhere];
    let said = fails(&server, &production);
    assert!(said.contains("no server key") && said.contains("loquet keys create"), "{said}");
    std::fs::write(&key, right).unwrap();
    std::fs::write(server.folder.join("log.db"), "Dear diary").unwrap();
    assert!(fails(&server, &["--dev", "--listen", &elsewhere]).contains("log.db"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let name = "a_folder_that_cannot_be_written_is_named";
    let folder = tempfile::tempdir().unwrap();
    if skip::is_root() {
        // Root writes everywhere but on a file system mounted to be read.
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "ro", "tmpfs"]).arg(folder.path()).status();
        if !mount.is_ok_and(|status| status.success()) {
            return skip::skipped(name, "a read-only file system can't be mounted here");
        }
    } else {
        let mut permissions = std::fs::metadata(folder.path()).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o500);
        std::fs::set_permissions(folder.path(), permissions).unwrap();
    }
    let mut command = Command::new(loquet_tests::server::binary());
    command.arg("--data-dir").arg(folder.path().join("var"));
    let output =
        command.args(["serve", "--dev", "--listen", &format!("127.0.0.1:{}", free_port())]).output().unwrap();
    let _ = Command::new("umount").arg(folder.path()).output();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("can't create the data directory"), "{said}");
    assert!(said.contains("--data-dir"), "{said}");
}

#[tokio::test]
async fn a_clean_stop_finishes_what_was_accepted() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    let mut positions = Vec::new();
    {
        let body = json!({ "email": "marie@example.be", "password": PASSWORD });
        let first = tokio::sync::Notify::new();
        let tried = (0..30).map(|_| async {
            let answer = server.try_send(Method::POST, "/v1/logins", None, Some(&body)).await;
            first.notify_one();
            answer
        });
        let stop = async {
            // With one answered, the others are on their way.
            first.notified().await;
            server.terminate();
        };
        let (answers, ()) = tokio::join!(join_all(tried), stop);
        for answer in answers.into_iter().flatten() {
            positions.push(answer.expect(201).position());
        }
    }
    server.wait();
    assert!(!positions.is_empty(), "nothing was accepted before the stop");
    let log = log(&server);
    for position in positions {
        let kept = log.iter().find(|event| event["position"] == position).unwrap();
        assert_eq!(kept["type"], "login-succeeded");
    }
    assert!(server.folder.join("log.db.heads").exists(), "the heads are noted for a quick start");
}

/// A log put back to an earlier backup, beside read models and mails that had gone on: what comes next
/// is neither passed over nor mailed to the wrong people.
#[tokio::test]
async fn a_log_put_back_to_a_backup_is_noticed_by_views_and_reactions() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let backup = std::fs::read(server.folder.join("log.db")).unwrap();
    server.restart().await;
    for n in 10..15 {
        server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
    }
    server.mail("p14@example.be", "Confirmez", 1).await;
    server.stop();
    std::fs::write(server.folder.join("log.db"), backup).unwrap();
    // Otherwise the server would notice that the log contradicts its last checkpoint.
    std::fs::remove_dir_all(server.folder.join("proof")).unwrap();
    server.restart().await;
    let placed = server.service_post("/v1/orders", order(20, 20, "new@example.be")).await.expect(201);
    let path = format!(
        "/v1/accounts/{}?at_least={}",
        placed.json()["account_id"].as_str().unwrap(),
        placed.position()
    );
    server.service_get(&path).await.expect(200);
    server.mail("new@example.be", "Confirmez", 1).await;
    let lost = server.service_get("/v1/accounts?email=p14@example.be").await.expect(200).json();
    assert_eq!(lost["items"], json!([]), "what was undone is known no more");
    assert_eq!(server.mails("marie@example.be").await.len(), 1);
    assert!(server.errors().contains("ahead of the log"), "{}", server.errors());
}

#[tokio::test]
async fn a_log_without_its_keys_and_keys_without_their_log_are_refused() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    server.stop();
    let file = |name: &str| server.folder.join(name);
    let fails = || {
        let listen = format!("127.0.0.1:{}", free_port());
        let output = server.command().args(["serve", "--dev", "--listen", &listen]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    std::fs::rename(file("keys.db"), file("kept")).unwrap();
    assert!(fails().contains("restore keys.db"));
    std::fs::rename(file("kept"), file("keys.db")).unwrap();
    std::fs::remove_file(file("log.db")).unwrap();
    let _ = std::fs::remove_file(file("log.db.heads"));
    assert!(fails().contains("restore log.db"));
    std::fs::remove_file(file("server.key")).unwrap();
    assert!(fails().contains("there is no server key"), "a new key beside old data would never fit");
    assert!(!file("server.key").exists());
}

/// A connection that sends half a request is closed after a while, and keeps no server from stopping.
#[tokio::test]
async fn half_a_request_holds_nothing_up() {
    use std::io::{Read, Write};
    let other = Server::start().await;
    let mut abandoned = std::net::TcpStream::connect(("127.0.0.1", other.port)).unwrap();
    abandoned.write_all(b"POST /v1/logins HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    abandoned.set_read_timeout(Some(std::time::Duration::from_mins(1))).unwrap();
    let closed = tokio::task::spawn_blocking(move || abandoned.read_to_end(&mut Vec::new()));
    let mut server = Server::start().await;
    let mut half = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    half.write_all(b"POST /v1/logins HTTP/1.1\r\nHost: localhost\r\n").unwrap();
    server.login("nobody@example.be", "x").await.expect(401);
    let stopping = std::time::Instant::now();
    server.stop();
    assert!(stopping.elapsed().as_secs() < 60);
    closed.await.unwrap().expect("the server closes a connection whose request never comes");
    drop(half);
}

/// A clean restart does not tell unknown addresses from known ones.
#[tokio::test]
async fn wrong_guesses_at_unknown_addresses_survive_a_clean_restart() {
    let mut server = Server::start().await;
    server.active(1, "marie@example.be", PASSWORD).await;
    for email in ["marie@example.be", "nobody@example.be"] {
        for _ in 0..6 {
            server.login(email, "Wrong1!!").await.expect(401);
        }
    }
    server.stop();
    server.restart().await;
    for email in ["marie@example.be", "nobody@example.be"] {
        server.login(email, "Wrong1!!").await.expect(401);
        server.login(email, "Wrong1!!").await.expect(423);
    }
}
