//! Mail through a real mail server: Exim, with STARTTLS, authentication and refusals.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loquet_tests::server::{Server, free_port, order, token_in};
use loquet_tests::skip;
use mailparse::MailHeaderMap;
use serde_json::json;

const EXIM: &str = "/usr/sbin/exim4";

struct Exim {
    folder: tempfile::TempDir,
    port: u16,
    /// Here TLS begins with the first byte.
    tls_port: u16,
    child: Option<Child>,
}

impl Exim {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let exim = Self { folder, port: free_port(), tls_port: free_port(), child: None };
        let mut certificate = Command::new("openssl");
        certificate.args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ]);
        certificate.args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
        certificate.arg("-keyout").arg(exim.path("key.pem")).arg("-out").arg(exim.path("cert.pem"));
        assert!(certificate.output().unwrap().status.success());
        std::fs::write(exim.path("exim.conf"), exim.configuration()).unwrap();
        let user =
            Command::new("chown").arg("-R").arg("Debian-exim:Debian-exim").arg(exim.folder.path()).status();
        assert!(user.unwrap().success());
        // Exim refuses a configuration that anybody but root could have written.
        assert!(
            Command::new("chown").arg("root:root").arg(exim.path("exim.conf")).status().unwrap().success()
        );
        exim
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes mail for anybody from whoever authenticates; `refused@` and `unknown@` never, `busy@` and `full@`
    /// not yet; and from nobody while there is a file `blocked`.
    fn configuration(&self) -> String {
        let folder = self.folder.path().display();
        let (port, tls_port) = (self.port, self.tls_port);
        format!(
            "primary_hostname = localhost
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/exim.pid
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
smtp_accept_max = 50
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
mail:
  deny  condition = ${{if exists{{{folder}/blocked}}}}
        message = 553 5.7.1 expéditeur refusé
  accept
rcpt:
  deny  !authenticated = *
        message = authenticate first
  deny  local_parts = unknown
        message = 550 5.1.1 boîte inconnue: $local_part@$domain
  defer local_parts = full
        message = 452 4.2.2 boîte pleine
  deny  local_parts = refused
        condition = ${{if exists{{{folder}/recovered}}{{no}}{{yes}}}}
        message = no such mailbox
  defer local_parts = busy
        condition = ${{if exists{{{folder}/recovered}}{{no}}{{yes}}}}
        message = come back later
  accept
begin routers
everybody:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {folder}/Maildir
  maildir_format
  envelope_to_add
  user = Debian-exim
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{loquet}}}}{{eq{{$auth3}}{{s3cret}}}}}}}}
  server_advertise_condition = ${{if def:tls_in_cipher}}
"
        )
    }

    #[track_caller]
    fn start(&mut self) {
        let mut exim = Command::new(EXIM);
        exim.arg("-C").arg(self.path("exim.conf")).args(["-bdf"]).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(exim.spawn().unwrap());
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "{}", self.log());
            std::thread::yield_now();
        }
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.path(name)).unwrap_or_default();
        read("mainlog") + &read("paniclog")
    }

    /// What arrived, raw.
    fn arrived(&self, to: &str) -> Vec<Vec<u8>> {
        let files = std::fs::read_dir(self.path("Maildir/new")).into_iter().flatten().flatten();
        let mails = files.filter_map(|file| std::fs::read(file.path()).ok());
        mails.filter(|mail| String::from_utf8_lossy(mail).contains(&format!("Envelope-to: {to}"))).collect()
    }

    /// Waits until it has noted something.
    async fn says(&self, what: &str) {
        let start = Instant::now();
        while !self.log().contains(what) {
            assert!(start.elapsed() < Duration::from_secs(40), "never '{what}':\n{}", self.log());
            tokio::task::yield_now().await;
        }
    }

    async fn wait_for(&self, to: &str, count: usize, server: &Server) -> Vec<Vec<u8>> {
        let start = Instant::now();
        loop {
            let mails = self.arrived(to);
            if mails.len() >= count {
                return mails;
            }
            let patience = start.elapsed() < Duration::from_secs(40);
            assert!(patience, "no mail to {to}\n{}\n{}", self.log(), server.errors());
            tokio::task::yield_now().await;
        }
    }

    #[track_caller]
    fn arguments(&self, secret: &Path, port: u16) -> Vec<String> {
        std::fs::write(secret, "s3cret\n").unwrap();
        let port = port.to_string();
        let (ca, secret) = (self.path("cert.pem").display().to_string(), secret.display().to_string());
        let arguments = [
            "--smtp-host",
            "localhost",
            "--smtp-port",
            &port,
            "--smtp-user",
            "loquet",
            "--smtp-password-file",
            &secret,
            "--smtp-ca-file",
            &ca,
            "--smtp-from",
            "MyCCV <no-reply@portal.example>",
            "--smtp-timeout",
            "5s",
        ];
        arguments.map(ToOwned::to_owned).to_vec()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        self.stop();
    }
}

fn exim(test: &str) -> Option<Exim> {
    if !skip::unless_installed(test, EXIM) || !skip::unless_installed(test, "openssl") {
        return None;
    }
    if !skip::is_root() {
        skip::skipped(test, "Exim changes its user, which takes root");
        return None;
    }
    Some(Exim::new())
}

async fn server(exim: &Exim) -> Server {
    server_by(exim, exim.port, &[]).await
}

/// A server whose mails go to Exim by way of a port.
async fn server_by(exim: &Exim, port: u16, more: &[&str]) -> Server {
    let secret = exim.path("secret");
    let arguments = exim.arguments(&secret, port);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Server::start_with(&arguments).await
}

/// What stands between the program and the mail server, and what is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Good,
    /// Takes connections and says nothing.
    Silent,
    /// Breaks off when the client has sent so many bytes: in the middle of a message.
    Breaks(usize),
}

struct Wire {
    port: u16,
    line: std::sync::Arc<std::sync::Mutex<Line>>,
    connections: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Wire {
    async fn to(exim: &Exim, line: Line) -> Self {
        use std::sync::atomic::Ordering;
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            port: listener.local_addr().unwrap().port(),
            line: std::sync::Arc::new(std::sync::Mutex::new(line)),
            connections: std::sync::Arc::default(),
        };
        let (line, connections, port) = (wire.line.clone(), wire.connections.clone(), exim.port);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let line = *line.lock().unwrap();
                tokio::spawn(async move {
                    if line == Line::Silent {
                        // Held open until the client has waited long enough.
                        let (mut client, mut nothing) = (client, Vec::new());
                        let _ = client.read_to_end(&mut nothing).await;
                        return;
                    }
                    let Ok(server) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let answers =
                        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
                    let (mut sent, mut chunk) = (0, [0; 1024]);
                    while let Ok(read) = from_client.read(&mut chunk).await {
                        sent += read;
                        let breaks = matches!(line, Line::Breaks(at) if sent > at);
                        if read == 0 || breaks || to_server.write_all(&chunk[..read]).await.is_err() {
                            break;
                        }
                    }
                    answers.abort();
                });
            }
        });
        wire
    }

    #[track_caller]
    fn become_good(&self) {
        *self.line.lock().unwrap() = Line::Good;
    }

    async fn tried(&self, times: usize) {
        let start = Instant::now();
        while self.connections.load(std::sync::atomic::Ordering::SeqCst) < times {
            assert!(start.elapsed() < Duration::from_secs(40), "never tried {times} times");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn the_activation_mail_arrives_through_starttls_and_authentication_and_its_link_activates() {
    let Some(mut exim) = exim("the_activation_mail_arrives_through_starttls") else { return };
    exim.start();
    let server = server(&exim).await;
    server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201);
    let raw = exim.wait_for("marie@example.be", 1, &server).await.remove(0);
    let mail = mailparse::parse_mail(&raw).unwrap();
    let header = |name: &str| mail.headers.get_first_value(name).unwrap();
    assert_eq!(header("Subject"), "Confirmez votre compte MyCCV");
    assert_eq!(header("From"), "MyCCV <no-reply@portal.example>");
    assert!(header("Message-ID").ends_with("@portal.example>"));
    assert_eq!(
        (header("Content-Language"), header("Auto-Submitted")),
        ("fr".to_owned(), "auto-generated".to_owned())
    );
    assert!(
        header("Received").contains("TLS") && header("Received").contains("esmtpsa"),
        "{}",
        header("Received")
    );
    let kinds: Vec<_> = mail.subparts.iter().map(|part| part.ctype.mimetype.as_str()).collect();
    assert_eq!(kinds, ["text/plain", "text/html"]);
    let token = token_in(&mail.subparts[0].get_body().unwrap());
    assert!(mail.subparts[1].get_body().unwrap().contains(&token));
    server.post("/v1/activations", json!({ "token": token, "password": "Boulange7!" })).await.expect(204);
    assert!(!server.errors().contains("s3cret"));
}

#[tokio::test]
async fn refusals_for_now_are_tried_again_those_for_good_are_not_and_nobody_else_waits() {
    let Some(mut exim) = exim("refusals_for_now_are_tried_again") else { return };
    exim.start();
    let server = server(&exim).await;
    for (n, who) in (1..).zip(["refused", "busy", "marie"]) {
        server.service_post("/v1/orders", order(n, n, &format!("{who}@example.be"))).await.expect(201);
    }
    exim.wait_for("marie@example.be", 1, &server).await;
    assert!(exim.arrived("busy@example.be").is_empty());
    std::fs::write(exim.path("recovered"), "").unwrap();
    exim.wait_for("busy@example.be", 1, &server).await;
    let said = server.errors();
    assert!(said.contains("mail given up") && said.contains("the mail server said 550"), "{said}");
    assert!(said.contains("mail not sent") && said.contains("the mail server said 451"), "{said}");
    assert!(exim.arrived("refused@example.be").is_empty());
    assert!(!said.contains("@example.be"), "the server's words name people: {said}");
}

#[tokio::test]
async fn a_mail_server_that_is_away_loses_nothing() {
    let Some(mut exim) = exim("a_mail_server_that_is_away_loses_nothing") else { return };
    let mut server = server(&exim).await;
    server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201);
    let start = Instant::now();
    while !server.errors().contains("mail not sent") {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", server.errors());
        tokio::task::yield_now().await;
    }
    server.kill();
    server.restart().await;
    exim.start();
    assert_eq!(exim.wait_for("marie@example.be", 1, &server).await.len(), 1);
}

/// Away, silent, dying in the middle of a message, back again: nothing is lost, nothing comes twice, and
/// whoever logs in meanwhile notices nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_dies_in_the_middle_of_a_message_gets_each_mail_once_when_it_is_back() {
    for (line, name, why) in
        [(Line::Breaks(3_500), "breaks", "ended the connection"), (Line::Silent, "silent", "took too long")]
    {
        let Some(mut exim) = exim("a_mail_server_that_dies_in_the_middle_of_a_message") else { return };
        exim.start();
        let wire = Wire::to(&exim, line).await;
        let server = server_by(&exim, wire.port, &["--smtp-timeout", "1s"]).await;
        for n in 1..=5 {
            server.service_post("/v1/orders", order(n, n, &format!("p{n}@example.be"))).await.expect(201);
        }
        wire.tried(2).await;
        let begun = Instant::now();
        server.login("p1@example.be", "Wrong1!!").await.expect(401);
        server.service_get("/v1/accounts").await.expect(200);
        assert!(begun.elapsed() < Duration::from_secs(5), "{name}: a mail server holds up a login");
        for n in 1..=5 {
            assert!(exim.arrived(&format!("p{n}@example.be")).is_empty(), "{name}: it got through");
        }
        if name == "breaks" {
            exim.says("lost while reading message data").await;
        }
        wire.become_good();
        for n in 1..=5 {
            exim.wait_for(&format!("p{n}@example.be"), 1, &server).await;
        }
        let start = Instant::now();
        loop {
            let list = server.command().args(["mail", "list", "--json"]).output().unwrap();
            let list = String::from_utf8(list.stdout).unwrap();
            if list.matches("\"state\":\"sent\"").count() == 5 {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{name}: {list}");
        }
        let said = server.errors();
        assert!(said.contains("mail not sent") && said.contains(why), "{name}: {said}");
        for n in 1..=5 {
            assert_eq!(exim.arrived(&format!("p{n}@example.be")).len(), 1, "{name}: p{n}");
        }
        assert!(!server.errors().contains("mail given up"), "{}", server.errors());
    }
}

/// Both ways of making the connection private work, each with an authority that we trust and with no other.
#[tokio::test]
async fn tls_from_the_first_byte_and_starttls_let_us_in_and_a_certificate_that_is_not_trusted_does_not() {
    let Some(mut exim) = exim("tls_from_the_first_byte_and_starttls_let_us_in") else { return };
    exim.start();
    let secret = exim.path("secret");
    let found = |port: u16, security: &str, left_out: &str| {
        let folder = tempfile::tempdir().unwrap();
        let arguments = exim.arguments(&secret, port);
        let pairs = arguments.chunks(2).filter(|pair| pair[0] != left_out).flatten();
        let mut doctor = Command::new(loquet_tests::server::binary());
        doctor.arg("--data-dir").arg(folder.path()).args(["doctor", "--json", "--dev"]).args(pairs);
        let output = doctor.args(["--smtp-security", security]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut findings = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let finding = findings.find(|finding| finding["what"] == "mail server");
        finding.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    for (port, security) in [(exim.port, "starttls"), (exim.tls_port, "tls")] {
        let well = found(port, security, "");
        assert_eq!(well["state"], "well", "{security}: {well}");
        let untrusted = found(port, security, "--smtp-ca-file");
        let why = untrusted["found"].as_str().unwrap();
        assert!(untrusted["state"] == "failing" && why.contains("could not be made private"), "{untrusted}");
    }
    std::fs::write(exim.path("blocked"), "").unwrap();
    let refused = found(exim.tls_port, "tls", "");
    let why = refused["found"].as_str().unwrap();
    assert!(refused["state"] == "failing" && why.contains("553 5.7.1 at MAIL FROM"), "{refused}");
}

/// An account that is blocked gives no mail up, and what is said of one recipient holds up nobody.
#[tokio::test]
async fn a_sender_whom_the_mail_server_refuses_costs_no_mail_and_each_recipient_has_their_own_verdict() {
    let Some(mut exim) = exim("a_sender_whom_the_mail_server_refuses") else { return };
    exim.start();
    std::fs::write(exim.path("blocked"), "").unwrap();
    let server = server(&exim).await;
    let people = ["marie", "unknown", "full"];
    for (n, who) in (1..).zip(people) {
        server.service_post("/v1/orders", order(n, n, &format!("{who}@example.be"))).await.expect(201);
    }
    let start = Instant::now();
    while !server.errors().contains("the mail server refuses us: all mails wait") {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", server.errors());
        tokio::task::yield_now().await;
    }
    assert!(server.errors().contains("said 553 5.7.1 at MAIL FROM"), "{}", server.errors());
    assert!(!server.errors().contains("mail given up"), "{}", server.errors());
    std::fs::remove_file(exim.path("blocked")).unwrap();
    exim.wait_for("marie@example.be", 1, &server).await;
    while !["said 550 5.1.1 at RCPT TO", "said 452 4.2.2 at RCPT TO"]
        .iter()
        .all(|said| server.errors().contains(said))
    {
        assert!(start.elapsed() < Duration::from_mins(1), "{}", server.errors());
        tokio::task::yield_now().await;
    }
    let said = server.errors();
    assert_eq!(said.matches("mail given up").count(), 1, "{said}");
    assert!(!said.contains("@example.be") && !said.contains("boîte"), "{said}");
}

/// A password that has run out is no reason to give mails up: it is the operator's to mend.
#[tokio::test]
async fn a_mail_server_that_does_not_let_us_in_costs_no_mail() {
    let Some(mut exim) = exim("a_mail_server_that_does_not_let_us_in") else { return };
    exim.start();
    let mut server = server(&exim).await;
    std::fs::write(exim.path("secret"), "wrong\n").unwrap();
    server.stop();
    server.restart().await;
    server.service_post("/v1/orders", order(1, 1, "marie@example.be")).await.expect(201);
    let start = Instant::now();
    while !server.errors().contains("the mail server said 535") {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", server.errors());
        tokio::task::yield_now().await;
    }
    assert!(!server.errors().contains("mail given up"), "{}", server.errors());
    std::fs::write(exim.path("secret"), "s3cret\n").unwrap();
    server.stop();
    server.restart().await;
    exim.wait_for("marie@example.be", 1, &server).await;
}

#[tokio::test]
async fn an_operator_sees_why_a_mail_was_given_up_and_has_it_tried_again() {
    let Some(mut exim) = exim("an_operator_sees_why_a_mail_was_given_up") else { return };
    exim.start();
    let server = server(&exim).await;
    let placed =
        server.service_post("/v1/orders", order(1, 1, "refused@example.be")).await.expect(201).json();
    let loquet = |arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let start = Instant::now();
    let mails = format!("/v1/accounts/{}/mails", placed["account_id"].as_str().unwrap());
    let fate = loop {
        let mails = server.service_get(&mails).await.expect(200).json();
        if let Some(fate) = mails["items"].get(0) {
            break fate.clone();
        }
        assert!(start.elapsed() < Duration::from_secs(30), "support is told nothing: {}", server.errors());
    };
    let why = "the mail server said 550 at RCPT TO: it knows no such address";
    assert_eq!((&fate["outcome"], &fate["why"]), (&json!("given_up"), &json!(why)));
    let id = fate["mail_id"].as_str().unwrap();
    let dead = loquet(&["mail", "list", "--state", "dead"]);
    assert!(dead.contains(id) && dead.contains("activation") && dead.contains("550"), "{dead}");
    assert_eq!(loquet(&["mail", "list", "--account", "refused@example.be", "--json"]).lines().count(), 1);
    let shown = loquet(&["mail", "show", id]);
    assert!(shown.contains("refused@example.be") && shown.contains("loquet mail retry"), "{shown}");
    std::fs::write(exim.path("recovered"), "").unwrap();
    loquet(&["mail", "retry", id]);
    let raw = exim.wait_for("refused@example.be", 1, &server).await.remove(0);
    assert!(String::from_utf8_lossy(&raw).contains(id), "the same mail: its id begins the Message-ID");
    let start = Instant::now();
    loop {
        let mails = server.service_get(&mails).await.expect(200).json();
        let outcomes: Vec<_> =
            mails["items"].as_array().unwrap().iter().map(|mail| mail["outcome"].as_str().unwrap()).collect();
        if outcomes == ["sent", "given_up"] {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "support is not told that it was sent: {outcomes:?}"
        );
    }
    let again = server.command().args(["mail", "retry", id]).output().unwrap();
    assert!(!again.status.success(), "what was sent is not sent again");
}
