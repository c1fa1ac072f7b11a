//! Mail servers as they are: what Exim does not say, said by a server of the test's own to the real program.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, order};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// At which command a server does otherwise, and what it says then; nothing, where it closes. "" is the
/// greeting, "." the end of a message.
type Script = Vec<(&'static str, &'static [u8])>;

/// A mail server that does as its script says, and the usual otherwise.
struct MailServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    script: Script,
    connections: usize,
    /// How many messages may come over one connection.
    per_connection: Option<usize>,
    /// The recipients of messages that came to their end, and those that were told yes.
    ended: Vec<String>,
    taken: Vec<String>,
    /// The Message-IDs that were sent.
    ids: Vec<String>,
}

impl MailServer {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(Mutex::new(State { script, ..State::default() }));
        let server = Self { port: listener.local_addr().unwrap().port(), state: state.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, state.clone()));
            }
        });
        server
    }

    #[track_caller]
    fn become_well(&self) {
        self.state.lock().unwrap().script.clear();
    }

    #[track_caller]
    fn taken(&self) -> Vec<String> {
        let mut taken = self.state.lock().unwrap().taken.clone();
        taken.sort();
        taken
    }

    /// The real program, which hands its mails over here.
    async fn program(&self, more: &[&str]) -> Server {
        let port = self.port.to_string();
        let here = ["--smtp-host", "127.0.0.1", "--smtp-port", &port, "--smtp-security", "none"];
        let arguments: Vec<_> = here.iter().chain(more).copied().collect();
        Server::start_with(&arguments).await
    }
}

async fn serve(mut client: TcpStream, state: Arc<Mutex<State>>) {
    state.lock().unwrap().connections += 1;
    let (reader, mut writer) = client.split();
    let mut reader = BufReader::new(reader);
    let (mut command, mut recipient, mut first, mut messages) = (String::new(), String::new(), true, 0);
    loop {
        let said: &[u8] = {
            let mut state = state.lock().unwrap();
            let usual: &[u8] = match command.get(..4) {
                None if first => b"220 mail.example ESMTP\r\n",
                Some("EHLO") => b"250-mail.example\r\n250 SIZE 1000000\r\n",
                Some("DATA") => b"354 go on\r\n",
                Some("QUIT") => b"221 2.0.0 bye\r\n",
                Some("MAIL") if state.per_connection.is_some_and(|most| messages >= most) => {
                    b"421 4.7.0 enough over this connection\r\n"
                }
                _ => b"250 2.0.0 ok\r\n",
            };
            let scripted = state.script.iter().find(|(at, _)| {
                if first { at.is_empty() } else { !at.is_empty() && command.starts_with(at) }
            });
            let said = scripted.map_or(usual, |(_, said)| said);
            if command == ".\r\n" {
                messages += 1;
                state.ended.push(recipient.clone());
                if said.starts_with(b"2") {
                    state.taken.push(recipient.clone());
                }
            }
            said
        };
        first = false;
        let closes = said.is_empty() || command.starts_with("QUIT") || said.starts_with(b"421");
        if writer.write_all(said).await.is_err() || closes {
            return;
        }
        let in_message = command.starts_with("DATA") && said.starts_with(b"354");
        loop {
            command.clear();
            // A message is not always UTF-8; these are.
            if reader.read_line(&mut command).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(id) = command.strip_prefix("Message-ID:") {
                state.lock().unwrap().ids.push(id.trim().to_owned());
            }
            if !in_message || command == ".\r\n" {
                break;
            }
        }
        if let Some(to) = command.strip_prefix("RCPT TO:") {
            recipient = to.trim().trim_matches(['<', '>']).to_owned();
        }
    }
}

const THREE: [&str; 3] = ["p1@shop.example", "p2@shop.example", "p3@shop.example"];

async fn three_orders(program: &Server) {
    for (n, who) in (1..).zip(THREE) {
        program.service_post("/v1/orders", order(n, n, who)).await.expect(201);
    }
}

async fn until(program: &Server, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < Duration::from_secs(40), "never: {what}\n{}", program.errors());
        tokio::task::yield_now().await;
    }
}

/// What `loquet mail list --json` says.
#[track_caller]
fn mails(program: &Server) -> Vec<Value> {
    let listed = program.command().args(["mail", "list", "--json"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The activation mails in a state: all mails go to three accounts, one each.
#[track_caller]
fn activations(program: &Server, state: &str) -> usize {
    mails(program).iter().filter(|mail| mail["kind"] == "activation" && mail["state"] == state).count()
}

/// What `loquet doctor` says of whether mails go.
#[track_caller]
fn doctor(program: &Server, port: u16) -> Option<Value> {
    let port = port.to_string();
    let mut doctor = program.command();
    doctor.args(["doctor", "--json", "--dev", "--smtp-host", "127.0.0.1", "--smtp-security", "none"]);
    let found = doctor.args(["--smtp-port", &port]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let mut findings = found.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    findings.find(|finding| finding["what"] == "mail queue")
}

/// A yes in any words is a yes: each mail goes once.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_may_say_its_yes_in_any_words_and_each_mail_goes_once() {
    static LONG: [u8; 10_000] = [b'x'; 10_000];
    let long: &'static [u8] = Box::leak([b"250 2.0.0 ", &LONG[..], b"\r\n"].concat().into_boxed_slice());
    let scripts: [Script; 6] = [
        vec![(".", b"250 2.0.0 message re\xe7u\r\n")],
        vec![("", b"220 \xc9lys\xe9e\r\n"), ("MAIL", b"250 \xe7a va\r\n"), ("RCPT", b"250 \xff\xfe\r\n")],
        vec![("", b"220\r\n"), ("EHLO", b"250\r\n"), ("MAIL", b"250\r\n"), (".", b"250\r\n")],
        vec![("DATA", b"354 \r\n"), (".", b"250 \r\n")],
        vec![(".", b"250-2.0.0 one\r\n250-\r\n250 2.0.0 two\r\n")],
        vec![("MAIL", long), (".", long)],
    ];
    for script in scripts {
        let server = MailServer::start(script).await;
        let program = server.program(&[]).await;
        three_orders(&program).await;
        until(&program, "all sent", async || activations(&program, "sent") == 3).await;
        assert_eq!(server.taken(), THREE, "{}", program.errors());
        assert!(!program.errors().contains("mail not sent"), "{}", program.errors());
    }
}

/// What a server says of the session, of our sender or of our quota gives no mail up, alarms, and is over when
/// it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_on_the_session_the_sender_or_a_quota_holds_the_queue_alarms_and_gives_no_mail_up() {
    let scripts: [(&str, &'static [u8], &str); 7] = [
        ("", b"554 5.7.1 no service for p1@shop.example\r\n", "554 5.7.1 at its greeting"),
        ("EHLO", b"550 5.7.0 not you\r\n", "550 5.7.0 at EHLO"),
        ("MAIL", b"553 5.7.1 sender not owned by user\r\n", "553 5.7.1 at MAIL FROM"),
        ("MAIL", b"550 5.1.8 exp\xe9diteur inconnu\r\n", "550 5.1.8 at MAIL FROM"),
        (".", b"550 5.4.5 daily sending limit exceeded\r\n", "550 5.4.5 after the message"),
        ("RCPT", b"550 5.7.26 DMARC\r\n", "550 5.7.26 at RCPT TO"),
        // It may be each recipient's rule, until three have it.
        ("RCPT", b"550 5.7.1 relaying denied\r\n", "550 5.7.1 at RCPT TO"),
    ];
    for (at, reply, said) in scripts {
        let server = MailServer::start(vec![(at, reply)]).await;
        let program = server.program(&[]).await;
        three_orders(&program).await;
        let refused = "loquet_mails_held{state=\"refused\"}";
        until(&program, "the metric says that mails are held", async || {
            program.service_get("/metrics").await.text.contains(&format!("{refused} 1"))
        })
        .await;
        let found = doctor(&program, server.port).unwrap_or_else(|| panic!("{said}: {}", program.errors()));
        assert_eq!(found["state"], "failing", "{found}");
        let ready = program.service_get("/readyz").await.expect(200).json();
        assert!(ready["mails"].as_str().unwrap().contains(said), "{ready}");
        assert!(found["found"].as_str().unwrap().contains(said), "{said}: {found}");
        let errors = program.errors();
        assert!(
            errors.contains("the mail server refuses us: all mails wait") && errors.contains(said),
            "{errors}"
        );
        assert!(!errors.contains("shop.example"), "the server's words name people: {errors}");
        assert_eq!((activations(&program, "dead"), server.taken().len()), (0, 0), "{errors}");
        server.become_well();
        until(&program, "all sent", async || activations(&program, "sent") == 3).await;
        assert_eq!(server.taken(), THREE);
        until(&program, "the metric says that mails go", async || {
            program.service_get("/metrics").await.text.contains(&format!("{refused} 0"))
        })
        .await;
        assert_eq!(doctor(&program, server.port), None);
        assert!(!program.errors().contains("mail given up"), "{}", program.errors());
    }
}

/// One recipient's or one message's verdict is theirs: it is kept with its stage and codes, and the others go.
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_on_one_recipient_is_that_mails_and_the_others_go() {
    let table: [(&'static [u8], &str, Value); 5] = [
        (b"550 5.1.1 p1@shop.example: bo\xeete inconnue\r\n", "dead", "5.1.1".into()),
        (b"550\r\n", "dead", Value::Null),
        (b"552 5.2.2 full\r\n", "dead", "5.2.2".into()),
        (b"451 4.7.1 greylisted, come back\r\n", "pending", "4.7.1".into()),
        (b"550 5.7.1 this person takes nothing from you\r\n", "pending", "5.7.1".into()),
    ];
    for (reply, state, enhanced) in table {
        let server = MailServer::start(vec![("RCPT TO:<p1@", reply)]).await;
        let program = server.program(&[]).await;
        three_orders(&program).await;
        until(&program, "two sent, one not", async || {
            let tried = |mail: &Value| mail["state"] == state && mail["code"].is_u64();
            activations(&program, "sent") == 2 && mails(&program).iter().any(tried)
        })
        .await;
        let mails = mails(&program);
        let mail = mails.iter().find(|mail| mail["state"] == state).unwrap();
        let code: u16 = String::from_utf8_lossy(&reply[..3]).parse().unwrap();
        assert_eq!((&mail["stage"], &mail["code"]), (&"recipient".into(), &code.into()), "{mail}");
        assert_eq!(mail["enhanced_code"], enhanced, "{mail}");
        assert_eq!(server.taken(), THREE[1..]);
        assert_eq!(doctor(&program, server.port), None);
        let kept = format!("{}{mail}", program.errors());
        assert!(!kept.contains("shop.example") && !kept.contains("greylisted, come"), "{kept}");
    }
}

/// Who closes after the final dot may have taken the mail: it is not sent again at once, whatever else goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_answer_is_lost_after_the_final_dot_is_sent_again_later_and_the_others_go() {
    let server = MailServer::start(vec![(".", b"")]).await;
    let program = server.program(&[]).await;
    program.service_post("/v1/orders", order(1, 1, THREE[0])).await.expect(201);
    until(&program, "tried", async || mails(&program).iter().any(|mail| mail["stage"] == "end")).await;
    let mail = mails(&program).remove(0);
    assert_eq!((&mail["state"], &mail["code"]), (&"pending".into(), &Value::Null), "{mail}");
    let at = |name: &str| mail[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!(at("due_at") - at("queued_at") >= chrono::TimeDelta::seconds(20), "{mail}");
    server.become_well();
    program.service_post("/v1/orders", order(2, 2, THREE[1])).await.expect(201);
    until(&program, "another is sent", async || activations(&program, "sent") == 1).await;
    assert_eq!(server.state.lock().unwrap().ended, THREE[..2], "each once so far");
    until(&program, "both are sent", async || activations(&program, "sent") == 2).await;
    let state = server.state.lock().unwrap();
    assert_eq!(state.ended, [THREE[0], THREE[1], THREE[0]]);
    assert_eq!(state.ids[0], state.ids[2], "the copy has the same Message-ID");
}

/// A server that closes connections after some mails, or when nothing comes for a while, is not away.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_for_the_next_mail_and_one_that_the_server_closes_is_no_absence() {
    let server = MailServer::start(Vec::new()).await;
    server.state.lock().unwrap().per_connection = Some(4);
    let program = server.program(&["--mail-connections", "1"]).await;
    for n in 1..=10 {
        program.service_post("/v1/orders", order(n, n, &format!("p{n}@shop.example"))).await.expect(201);
    }
    until(&program, "all sent", async || activations(&program, "sent") == 10).await;
    assert_eq!(server.taken().len(), 10);
    assert_eq!(server.state.lock().unwrap().connections, 3, "ten mails, four over each connection");
    let errors = program.errors();
    assert!(!errors.contains("mail not sent") && !errors.contains("all mails wait"), "{errors}");
}

/// A stop waits ten seconds for the mail server, not ten minutes; the mail goes after the next start.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_mail_server_that_thinks() {
    // It says no more than the beginning of a reply, and never its end.
    let server = MailServer::start(vec![(".", b"2")]).await;
    let mut program = server.program(&[]).await;
    program.service_post("/v1/orders", order(1, 1, THREE[0])).await.expect(201);
    until(&program, "the message is sent", async || server.state.lock().unwrap().ended.len() == 1).await;
    let begun = Instant::now();
    program.stop();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(activations(&program, "sending"), 1, "it is claimed still");
    server.become_well();
    program.restart().await;
    until(&program, "sent", async || activations(&program, "sent") == 1).await;
    assert_eq!(server.state.lock().unwrap().ended.len(), 2);
}

/// Support is told of the mail that a person waits for: which, what the server said, and what helps.
#[tokio::test(flavor = "multi_thread")]
async fn the_diagnosis_tells_of_a_mail_that_was_put_off_or_refused_and_what_helps() {
    let server = MailServer::start(vec![("RCPT", b"451 4.7.1 greylisted, come later\r\n")]).await;
    let program = server.program(&[]).await;
    program.service_post("/v1/orders", order(1, 1, THREE[0])).await.expect(201);
    let diagnosis = async || {
        let path = format!("/v1/support/diagnosis?email={}", THREE[0]);
        program.service_get(&path).await.expect(200).json()
    };
    let undelivered = async || {
        let told = diagnosis().await;
        let reasons = told["reasons"].as_array().unwrap().clone();
        reasons.into_iter().find(|reason| reason["reason"] == "mail_not_delivered")
    };
    until(&program, "the mail is put off", async || undelivered().await.is_some()).await;
    let told = diagnosis().await;
    assert_eq!(told["reasons"][0]["reason"], "not_activated", "what must be mended first stands first");
    let reason = undelivered().await.unwrap();
    let shown = |of: &Value| ["kind", "state", "stage", "code", "enhanced_code"].map(|part| of[part].clone());
    let put_off = ["activation", "deferred", "recipient"].map(Value::from);
    assert_eq!(shown(&reason["details"])[..3], put_off, "{reason}");
    assert_eq!(shown(&reason["details"])[3..], [Value::from(451), Value::from("4.7.1")], "{reason}");
    assert_eq!(reason["remedy"]["action"], "wait", "{reason}");
    assert!(!told.to_string().contains("greylisted"), "the server's own words may name people: {told}");

    server.state.lock().unwrap().script = vec![("RCPT", b"550 5.1.1 no such user p1@shop.example\r\n")];
    until(&program, "the mail is given up", async || {
        undelivered().await.is_some_and(|reason| reason["details"]["state"] == "given_up")
    })
    .await;
    let reason = undelivered().await.unwrap();
    assert_eq!(
        (reason["remedy"]["action"].as_str(), reason["details"]["code"].as_u64()),
        (Some("correct_address"), Some(550))
    );
    let said = program.command().args(["diagnose", THREE[0]]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("The mail that this person waits for has not reached them."), "{said}");
    assert!(said.contains("What helps: the address is wrong"), "{said}");
}
