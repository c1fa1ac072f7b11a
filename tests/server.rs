//! The real program on a free port, with its own folder. The folder is deleted when the test ends.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use loquet_crypto::random_ids::RandomIdentities;
use loquet_domain::ports::Identities;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{described, environment};

/// Returns the path of the program. Builds it if it is not up to date.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let mut build = environment::cargo();
        // The features of the whole workspace, as the tests have them: otherwise most crates would be built twice.
        build.args(["build", "--quiet", "--workspace", "--bin", "loquet", "--manifest-path"]).arg(manifest);
        assert!(build.status().unwrap().success(), "the program can't be built");
        // target/debug/deps/<this test> -> target/debug/loquet
        std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("loquet")
    })
}

/// Returns a port that was free a moment ago. It returns none twice, because a server that listens on several ports
/// needs different ones.
///
/// A server may listen on it much later, or again after it was killed. So it is none of the ports that the system gives
/// to connections (from 32768 on Linux), and it is chosen at random, since other tests choose ports at the same time.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = 10_000 + RandomIdentities.fresh().as_fields().1 % 20_000;
        let is_free = std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

pub struct Server {
    pub folder: PathBuf,
    pub url: String,
    pub port: u16,
    arguments: Vec<String>,
    pub variables: Vec<(String, String)>,
    /// The words before the program's own command line, such as those that enter a network namespace.
    pub launcher: Vec<String>,
    child: Option<Child>,
    pub client: Client,
    _temporary: Option<TempDir>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    #[track_caller]
    pub fn position(&self) -> u64 {
        match self.headers.get("loquet-position") {
            Some(position) => position.to_str().unwrap().parse().unwrap(),
            None => self.json()["position"].as_u64().unwrap(),
        }
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

impl Server {
    /// A development server on an empty folder.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub async fn start_with(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("var");
        let mut server = Self::made(folder, arguments, Vec::new(), Some(temporary));
        server.restart().await;
        server
    }

    /// A development server on an empty folder, with these environment variables.
    pub async fn with_variables(variables: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let folder = temporary.path().join("var");
        let mut server = Self::made(folder, &[], variables.collect(), Some(temporary));
        server.restart().await;
        server
    }

    /// A server that is not started yet, on a folder that is not deleted at the end, with these environment variables.
    pub fn stopped(folder: PathBuf, variables: Vec<(String, String)>) -> Self {
        Self::made(folder, &[], variables, None)
    }

    /// A server on an existing folder, which is not deleted at the end.
    pub async fn over(folder: PathBuf, arguments: &[&str]) -> Self {
        let mut server = Self::made(folder, arguments, Vec::new(), None);
        server.restart().await;
        server
    }

    #[track_caller]
    fn made(
        folder: PathBuf,
        arguments: &[&str],
        variables: Vec<(String, String)>,
        temporary: Option<TempDir>,
    ) -> Self {
        let port = free_port();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            folder,
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            variables,
            launcher: Vec::new(),
            child: None,
            client: Client::builder()
                .timeout(Duration::from_mins(1))
                // The server closes a connection that is idle for 20 seconds. A test that waits as long must not send on it.
                .pool_idle_timeout(Duration::from_secs(5))
                .build()
                .unwrap(),
            _temporary: temporary,
        }
    }

    pub fn command(&self) -> Command {
        let mut words = self.launcher.iter().map(OsStr::new).chain([binary().as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("--data-dir").arg(&self.folder);
        // Only the variables that the test sets.
        for name in environment::settings() {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the program again on the same folder and port.
    pub async fn restart(&mut self) {
        let mut command = self.command();
        command.args(["serve", "--dev", "--listen"]).arg(format!("127.0.0.1:{}", self.port));
        // Hashes are cheaper than in production, so that tests do not wait for Argon2.
        command.args(["--argon2-memory-kib", "7168", "--argon2-passes", "1"]);
        // All requests come from one address, so the limits are high. Tests of the limits lower them again.
        for limit in ["requests-per-second", "requests-burst", "all-strangers-per-second"] {
            command.args([format!("--limits-{limit}"), "1000000".to_owned()]);
        }
        for limit in ["strangers-per-second", "strangers-burst"] {
            command.args([format!("--limits-{limit}"), "100000".to_owned()]);
        }
        command.args(["--http-connections-per-address", "65536"]);
        command.args(&self.arguments);
        std::fs::create_dir_all(&self.folder).unwrap();
        let errors = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.with_extension("log"))
            .unwrap();
        let child = command.stdout(Stdio::null()).stderr(errors).spawn().unwrap();
        self.child = Some(child);
        let start = Instant::now();
        while self.client.get(format!("{}/healthz", self.url)).send().await.is_err() {
            assert!(self.child.as_mut().unwrap().try_wait().unwrap().is_none(), "{}", self.errors());
            assert!(start.elapsed() < Duration::from_mins(1), "the server does not start: {}", self.errors());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the program cleanly, and starts it again with these arguments.
    pub async fn restart_with(&mut self, arguments: &[&str]) {
        self.stop();
        self.arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.restart().await;
    }

    /// Returns what the program wrote to standard error, in all its runs.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default()
    }

    /// Kills the program (kill -9).
    #[track_caller]
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends SIGTERM, and waits for a clean end.
    pub fn stop(&mut self) {
        if self.child.is_some() {
            self.terminate();
            self.wait();
        }
    }

    /// Sends SIGTERM.
    #[track_caller]
    pub fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap().success());
    }

    /// Waits for a clean end.
    #[track_caller]
    pub fn wait(&mut self) {
        let ended = self.child.take().unwrap().wait().unwrap();
        assert!(ended.success(), "{}", self.errors());
    }

    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    #[track_caller]
    pub fn token(&self) -> String {
        std::fs::read_to_string(self.folder.join("dev-token")).unwrap().trim().to_owned()
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Answer {
        self.try_send(method, path, token, body).await.unwrap()
    }

    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.url))
            .header("accept-language", "en");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let answer = Answer { status, headers, text: answer.text().await? };
        described::check(&method, path, &answer);
        Ok(answer)
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, None, Some(&body)).await
    }

    /// Sends a request with a service token that has every scope.
    pub async fn service_post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(&self.token()), Some(&body)).await
    }

    pub async fn service_get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Some(&self.token()), None).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.post("/v1/logins", json!({ "email": email, "password": password })).await
    }

    /// Returns the mails to an address so far, newest first.
    pub async fn mails(&self, to: &str) -> Vec<Value> {
        let all = self.send(Method::GET, "/dev/mail.json", None, None).await.json();
        let to_them = |mail: &&Value| mail["to"].as_str().unwrap().contains(to);
        all.as_array().unwrap().iter().filter(to_them).cloned().collect()
    }

    /// Waits until at least `count` mails to an address have this text in their subject. Returns the newest one.
    pub async fn mail(&self, to: &str, subject: &str, count: usize) -> String {
        let start = Instant::now();
        loop {
            let mails = self.mails(to).await;
            let fitting: Vec<_> =
                mails.iter().filter(|mail| mail["subject"].as_str().unwrap().contains(subject)).collect();
            if fitting.len() >= count {
                return fitting[0]["text"].as_str().unwrap().to_owned();
            }
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "no '{subject}' to {to} among {mails:?}\n{}",
                self.errors()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes an active account, through an order, its mail and its link.
    pub async fn active(&self, n: u32, email: &str, password: &str) -> String {
        let placed = self.service_post("/v1/orders", order(n, n, email)).await.expect(201).json();
        let token = token_in(&self.mail(email, "Confirmez", 1).await);
        let activated = self.post("/v1/activations", json!({ "token": token, "password": password })).await;
        let account = placed["account_id"].as_str().unwrap().to_owned();
        // The views follow the log. This waits until a reader of the account finds it there.
        let shown = format!("/v1/accounts/{account}?at_least={}", activated.expect(204).position());
        self.service_get(&shown).await.expect(200);
        account
    }

    /// Makes another administrator for an account's company, because the last one can't be deleted.
    pub async fn successor(&self, account: &str) {
        let shown = self.service_get(&format!("/v1/accounts/{account}")).await.expect(200).json();
        let email = format!("successor-{account}@example.be");
        let body = json!({
            "email": email, "given_name": "Paul", "family_name": "Dupont",
            "language": "fr", "role": "administrator", "company_id": shown["company_id"],
        });
        self.service_post("/v1/accounts", body).await.expect(201);
        let token = token_in(&self.mail(&email, "Confirmez", 1).await);
        self.post("/v1/activations", json!({ "token": token, "password": "Successeur8!" })).await.expect(204);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns the token of the link in a mail.
#[track_caller]
pub fn token_in(text: &str) -> String {
    let (_, rest) = text.split_once("token=").unwrap_or_else(|| panic!("no link in {text}"));
    rest.split_whitespace().next().unwrap().to_owned()
}

/// Returns an order, from its number, its company's number, and its contact's address.
pub fn order(number: u32, company: u32, email: &str) -> Value {
    let address = json!({ "street": "Rue Neuve", "number": "12", "postal_code": "1000", "town": "Bruxelles", "country": "BE" });
    json!({
        "order_id": format!("SO-{number}"),
        "channel": "online",
        "placed_at": "2026-11-20T09:30:00Z",
        "company": {
            "country": "BE",
            "enterprise_number": format!("{company:08}{:02}", 97 - company % 97),
            "legal_name": format!("Boulangerie {company} SRL"),
            "registered_office": address,
        },
        "contact": { "email": email, "given_name": "Marie", "family_name": "Dupont", "language": "fr" },
        "lines": [{ "model": "PAX A920 Mobile", "quantity": 2, "delivery_address": address }],
    })
}
