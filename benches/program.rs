//! The real program, built for release, in a separate process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::{Answer, Connection, request};
use crate::{Outcome, argument};

/// How often its readiness is checked.
const ASK_EVERY: Duration = Duration::from_millis(2);
/// Limits that no benchmark reaches, so that the work behind them is measured.
const UNLIMITED: [(&str, &str); 5] = [
    ("LOQUET_LIMITS_REQUESTS_PER_SECOND", "1000000"),
    ("LOQUET_LIMITS_REQUESTS_BURST", "1000000"),
    ("LOQUET_LIMITS_STRANGERS_PER_SECOND", "100000"),
    ("LOQUET_LIMITS_STRANGERS_BURST", "100000"),
    ("LOQUET_LIMITS_ALL_STRANGERS_PER_SECOND", "1000000"),
];

/// A running server. It is killed when this is dropped, unless it was stopped before.
pub struct Program {
    child: Child,
    /// Kept open, because the program ends when nobody reads its output.
    _said: BufReader<ChildStdout>,
    started: Instant,
    /// The address that it listens on.
    pub address: SocketAddr,
    /// A token with every scope.
    pub token: String,
}

/// Finds the program: the one named by `--program`, or the one that cargo builds now if needed.
///
/// # Errors
/// An error if it can't be built.
pub fn executable() -> Outcome<PathBuf> {
    if let Some(path) = argument("--program")? {
        return Ok(path);
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    #[expect(clippy::disallowed_methods, reason = "the cargo that runs the benchmark builds the program")]
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--release", "--quiet", "--package", "loquet", "--manifest-path"];
    if !Command::new(cargo).args(build).arg(manifest).status()?.success() {
        return Err("the program can't be built".into());
    }
    // target/release/deps/<this benchmark> -> target/release/loquet
    let folder = std::env::current_exe()?.parent().and_then(Path::parent).map(Path::to_owned);
    Ok(folder.ok_or("no target folder")?.join("loquet"))
}

impl Program {
    /// Starts a development server on a data directory and a free port.
    ///
    /// # Errors
    /// An error if it does not begin to listen.
    pub fn start(executable: &Path, folder: &Path) -> Outcome<Self> {
        Self::start_with(executable, folder, &[])
    }

    /// Starts a development server as [`Program::start`] does, with further settings as environment variables.
    ///
    /// # Errors
    /// An error if it does not begin to listen.
    pub fn start_with(executable: &Path, folder: &Path, variables: &[(&str, String)]) -> Outcome<Self> {
        fs::create_dir_all(folder)?;
        let started = Instant::now();
        let mut child = Command::new(executable)
            .args(["serve", "--dev", "--data-dir"])
            .arg(folder)
            .env("LOQUET_HTTP_LISTEN", "127.0.0.1:0")
            .env("LOQUET_LOG", "warn")
            .envs(UNLIMITED)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("stderr"))?)
            .spawn()?;
        let mut said = BufReader::new(child.stdout.take().ok_or("no output")?);
        let address = listening_on(&mut said).ok_or_else(|| {
            let why = fs::read_to_string(folder.join("stderr")).unwrap_or_default();
            format!("the program did not start: {why}")
        })?;
        let token = fs::read_to_string(folder.join("dev-token"))?.trim().to_owned();
        Ok(Self { child, _said: said, started, address, token })
    }

    /// Waits until the server says that it is ready. Returns the time since it was started.
    ///
    /// # Errors
    /// An error if it does not answer.
    pub fn ready(&self) -> Outcome<Duration> {
        let mut connection = Connection::open(self.address)?;
        let question = request("GET", "/readyz", None, "");
        while connection.call(&question)?.status != 200 {
            crate::pause(ASK_EVERY);
        }
        Ok(self.started.elapsed())
    }

    /// Waits until every read model has reached the end of the log. Returns the time since the start.
    ///
    /// # Errors
    /// An error if the server does not answer, or if a read model has stopped.
    pub fn current(&self) -> Outcome<Duration> {
        let mut connection = Connection::open(self.address)?;
        let question = request("GET", "/readyz", Some(&self.token), "");
        loop {
            // A server whose read models are far behind says that it is not ready (503).
            let answer = connection.call(&question)?;
            let answer = if answer.status == 503 { answer } else { answer.expect(200)? };
            if behind(&serde_json::from_str(&answer.body)?)? == 0 {
                return Ok(self.started.elapsed());
            }
            crate::pause(ASK_EVERY * 10);
        }
    }

    /// Sends a request with the token that has every scope.
    ///
    /// # Errors
    /// An error if there is no answer.
    pub fn call(&self, method: &str, path: &str, body: &str) -> Outcome<Answer> {
        Connection::open(self.address)?.call(&request(method, path, Some(&self.token), body))
    }

    /// Returns its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop, and waits until it has.
    ///
    /// # Errors
    /// An error if its exit code is not 0.
    pub fn stop(mut self) -> Outcome<()> {
        Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status()?;
        let ended = self.child.wait()?;
        if ended.success() { Ok(()) } else { Err(format!("the program ended with {ended}").into()) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads the address from the line that the server prints at its start.
fn listening_on(said: &mut impl BufRead) -> Option<SocketAddr> {
    let mut line = String::new();
    said.read_line(&mut line).ok()?;
    line.split_once("listening on http://")?.1.trim().parse().ok()
}

/// Returns how many events the slowest read model has not read yet.
fn behind(readiness: &Value) -> Outcome<u64> {
    let views = readiness.get("views").and_then(Value::as_object).ok_or("no read models")?;
    if let Some(failure) = views.values().find_map(|view| view.get("failure")) {
        return Err(format!("a read model has stopped: {failure}").into());
    }
    if views.values().any(|view| view.get("building").is_some()) {
        return Ok(u64::MAX);
    }
    let views = views.iter().filter(|(name, _)| !name.starts_with("reaction "));
    let lags = views.filter_map(|(_, view)| view.get("lag").and_then(Value::as_u64));
    Ok(lags.max().unwrap_or(u64::MAX))
}

/// Returns the processor time that a process has used so far, in seconds.
///
/// # Errors
/// An error if the system does not tell. Only Linux does.
pub fn processor_seconds(process: u32) -> Outcome<f64> {
    /// Ticks a second. Linux reports this constant to all programs.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The fields after the name, which is in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name")?;
    let ticks = |at: usize| -> Outcome<f64> { Ok(fields.split(' ').nth(at).ok_or("too short")?.parse()?) };
    Ok((ticks(12)? + ticks(13)?) / TICKS)
}

/// Returns a figure of a process's status that is in KiB, such as `VmRSS`, in MB (10⁶ bytes).
///
/// # Errors
/// An error if the system does not tell. Only Linux does.
pub fn megabytes(process: u32, figure: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with(figure)).ok_or_else(|| format!("no {figure}"))?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}
