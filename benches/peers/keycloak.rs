//! Keycloak, as it comes from Maven Central, with the parameters of Argon2id and the lockout of Loquet.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loquet_benches::client::{Connection, request};
use loquet_benches::history::PASSWORD;
use loquet_benches::{Outcome, pause};
use loquet_credentials::password_hasher::Cost;
use loquet_tests::server::free_port;
use serde_json::{Value, json};

/// The longest time that a start may take. The first one builds the server.
const PATIENCE: Duration = Duration::from_mins(5);
/// The one user of the administration. The server listens on this machine alone, and ends with the benchmark.
const ADMINISTRATOR: &str = "administrator";
/// Where logins go.
const TOKENS: &str = "/realms/bench/protocol/openid-connect/token";

/// A running server. It is stopped when this is dropped.
pub(crate) struct Keycloak {
    child: Child,
    log: PathBuf,
    /// The process of Java.
    pub(crate) process: u32,
    pub(crate) address: SocketAddr,
}

impl Keycloak {
    /// Starts the distribution in this folder, with so many people.
    ///
    /// # Errors
    /// It does not start, or does not hash as it was told to.
    pub(crate) fn start(distribution: &Path, people: u32, cost: Cost) -> Outcome<Self> {
        // Nothing is left of an earlier run.
        let data = distribution.join("data");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        fs::create_dir_all(data.join("import"))?;
        fs::write(data.join("import/bench-realm.json"), realm(people).to_string())?;
        let (port, log) = (free_port(), distribution.join("bench.log"));
        let said = File::create(&log)?;
        let child = Command::new(distribution.join("bin/kc.sh"))
            .args(["start", "--import-realm", "--db=dev-file", "--cache=local", "--http-enabled=true"])
            .args(["--hostname-strict=false", "--http-host=127.0.0.1"])
            .arg(format!("--http-port={port}"))
            .arg(format!("--spi-password-hashing--argon2--memory={}", cost.memory_kib))
            .arg(format!("--spi-password-hashing--argon2--iterations={}", cost.passes))
            .arg(format!("--spi-password-hashing--argon2--parallelism={}", cost.lanes))
            .envs([("KC_BOOTSTRAP_ADMIN_USERNAME", ADMINISTRATOR), ("KC_BOOTSTRAP_ADMIN_PASSWORD", PASSWORD)])
            .stdin(Stdio::null())
            .stderr(said.try_clone()?)
            .stdout(said)
            .spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut keycloak = Self { process: child.id(), child, log, address };
        keycloak.wait()?;
        keycloak.process = java(distribution)?;
        keycloak.check(cost)?;
        Ok(keycloak)
    }

    fn wait(&mut self) -> Outcome<()> {
        let begun = Instant::now();
        while !self.said()?.contains("Listening on:") {
            if self.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                return Err(format!("Keycloak did not start: see {}", self.log.display()).into());
            }
            pause(Duration::from_millis(200));
        }
        Ok(())
    }

    fn said(&self) -> Outcome<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    /// How often the log has a word. The statuses of answers do not tell a locked account from a wrong password.
    pub(crate) fn count(&self, word: &str) -> Outcome<usize> {
        Ok(self.said()?.matches(word).count())
    }

    /// Asks how the password of one person is hashed.
    fn check(&self, cost: Cost) -> Outcome<()> {
        let mut connection = Connection::open(self.address)?;
        let login =
            format!("grant_type=password&client_id=admin-cli&username={ADMINISTRATOR}&password={PASSWORD}");
        let login = form("/realms/master/protocol/openid-connect/token", &login);
        let token = connection.call(&login)?.expect(200)?.text("access_token")?;
        let mut get = |path: &str| -> Outcome<Value> {
            let answer = connection.call(&request("GET", path, Some(&token), ""))?.expect(200)?;
            Ok(serde_json::from_str(&answer.body)?)
        };
        let found = get(&format!("/admin/realms/bench/users?username={}&exact=true", name(0)))?;
        let id = found.pointer("/0/id").and_then(Value::as_str).ok_or("the realm was not imported")?;
        let credentials = get(&format!("/admin/realms/bench/users/{id}/credentials"))?;
        let data = credentials.pointer("/0/credentialData").and_then(Value::as_str).ok_or("no password")?;
        let data: Value = serde_json::from_str(data)?;
        let of =
            |name: &str| data.pointer(&format!("/additionalParameters/{name}/0")).and_then(Value::as_str);
        let is_same = data.get("algorithm") == Some(&json!("argon2"))
            && data.get("hashIterations") == Some(&json!(cost.passes))
            && of("memory") == Some(&cost.memory_kib.to_string())
            && of("parallelism") == Some(&cost.lanes.to_string())
            && of("type") == Some("id");
        if is_same { Ok(()) } else { Err(format!("Keycloak hashes otherwise: {data}").into()) }
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.process.to_string()).status());
        drop(self.child.wait());
    }
}

/// The process of Java that runs a distribution.
fn java(distribution: &Path) -> Outcome<u32> {
    let home = format!("-Dkc.home.dir={}", distribution.display());
    for process in fs::read_dir("/proc")? {
        let process = process?;
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command).contains(&home) && command.windows(4).any(|word| word == b"java")
        {
            let id = process.file_name();
            return Ok(id.to_str().ok_or("no process id")?.parse()?);
        }
    }
    Err("the process of Keycloak is not there".into())
}

/// The name and address of a person.
fn name(number: u32) -> String {
    format!("marie.{number}@boulangerie.example")
}

fn realm(people: u32) -> Value {
    let people = (0..people).map(|number| {
        json!({
            "username": name(number), "email": name(number), "emailVerified": true, "enabled": true,
            "firstName": "Marie", "lastName": "Dupont",
            "credentials": [{ "type": "password", "value": PASSWORD, "temporary": false }],
        })
    });
    json!({
        "realm": "bench", "enabled": true, "sslRequired": "none",
        // Seven wrong guesses lock for 15 minutes, however quickly they come.
        "bruteForceProtected": true, "failureFactor": 7, "waitIncrementSeconds": 900, "maxFailureWaitSeconds": 900,
        "minimumQuickLoginWaitSeconds": 0, "quickLoginCheckMilliSeconds": 0,
        "passwordPolicy": "hashAlgorithm(argon2)",
        "clients": [{
            "clientId": "bench", "publicClient": true, "directAccessGrantsEnabled": true, "standardFlowEnabled": false,
        }],
        "users": people.collect::<Vec<_>>(),
    })
}

/// The login of a person.
pub(crate) fn login(number: u32, password: &str) -> Vec<u8> {
    form(
        TOKENS,
        &format!("grant_type=password&client_id=bench&username={}&password={password}", name(number)),
    )
}

fn form(path: &str, fields: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: \
         {}\r\n\r\n{fields}",
        fields.len()
    )
    .into_bytes()
}
