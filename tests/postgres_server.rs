//! A real PostgreSQL server.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loquet_postgres::{Connection, Database, Part, Protection};
use tempfile::TempDir;

use crate::server::free_port;
use crate::skip;

/// The settings of the server, beside the port. `fsync` stays on: the log refuses a server without it.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 32MB
log_min_messages = warning
";

/// The addresses of the links to network namespaces. They are reserved for tests (RFC 2544).
const TEST_NETWORK: &str = "198.18.0.0/15";

/// A server on a free port, with a folder of its own. It ends with that folder.
pub struct PostgresServer {
    pub port: u16,
    folder: PathBuf,
    _own: Option<TempDir>,
}

/// Where the programs of PostgreSQL are. Debian puts them in no folder of the search path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.filter_map(Result::ok);
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.retain(|bin| bin.join("initdb").exists());
    found.sort();
    found.pop()
}

/// Whether there is no server here. Prints the skip, and records it for CI.
pub fn is_missing(test: &str) -> bool {
    let missing = programs().is_none();
    if missing {
        skip::skipped(test, "PostgreSQL is not installed");
    }
    missing
}

/// A command that runs as somebody who is not root, since the server refuses root.
fn unprivileged(program: &Path) -> Command {
    if !skip::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

impl PostgresServer {
    /// Starts a server with an empty database. Skips the test where there is none.
    pub fn start(test: &str) -> Option<Self> {
        if is_missing(test) {
            return None;
        }
        let own = tempfile::tempdir().unwrap();
        let server = Self::in_folder(own.path(), "");
        Some(Self { _own: Some(own), ..server })
    }

    /// Starts a server with further lines of its settings.
    pub fn start_with(test: &str, settings: &str) -> Option<Self> {
        if is_missing(test) {
            return None;
        }
        let own = tempfile::tempdir().unwrap();
        let server = Self::in_folder(own.path(), settings);
        Some(Self { _own: Some(own), ..server })
    }

    /// The server of a folder. It is started if it does not run, and ends when the folder is deleted.
    pub fn in_folder(folder: &Path, settings: &str) -> Self {
        let noted = folder.join("postgres.port");
        if let Ok(port) = std::fs::read_to_string(&noted) {
            let port = port.trim().parse().unwrap();
            return Self { port, folder: folder.to_owned(), _own: None };
        }
        let server = Self { port: free_port(), folder: folder.to_owned(), _own: None };
        server.initialise(settings);
        server.run();
        server.sql_in("postgres", "CREATE DATABASE loquet");
        std::fs::write(noted, server.port.to_string()).unwrap();
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    fn initialise(&self, settings: &str) {
        // The server's user must be able to enter the folder.
        std::fs::set_permissions(&self.folder, std::fs::Permissions::from_mode(0o711)).unwrap();
        std::fs::create_dir(self.data()).unwrap();
        if skip::is_root() {
            assert!(Command::new("chown").arg("postgres").arg(self.data()).status().unwrap().success());
        }
        let mut init = unprivileged(&programs().unwrap().join("initdb"));
        init.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync", "-D"]);
        let made = init.arg(self.data()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let file = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}{SETTINGS}port = {}\n{settings}\n", self.port)).unwrap();
        // Nodes in a network namespace get in too, if the server listens on an address that they reach.
        let rules = self.data().join("pg_hba.conf");
        let text = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(rules, format!("{text}host all all {TEST_NETWORK} trust\n")).unwrap();
    }

    /// Starts the server on the same data and port, and waits until it answers. It stops when its folder is deleted, and
    /// when this process has ended, even by a kill.
    #[expect(clippy::disallowed_methods, reason = "nothing else runs on this thread while the server starts")]
    pub fn run(&self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        let script = "\"$1\" -D \"$2\" & server=$!
            test=/proc/$3; [ -d \"$test\" ] || test=/
            while [ -e \"$2/PG_VERSION\" ] && [ -d \"$test\" ] && kill -0 $server 2>/dev/null; do sleep 0.2; done
            kill -QUIT $server 2>/dev/null; kill -CONT $server 2>/dev/null; wait $server";
        let mut run = unprivileged(Path::new("/bin/sh"));
        run.args(["-c", script, "sh"]).arg(programs().unwrap().join("postgres")).arg(self.data());
        run.arg(std::process::id().to_string());
        run.current_dir("/").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        // Its end is noticed by the port, and by the script itself.
        drop(run.spawn().unwrap());
        let begun = Instant::now();
        while !self.answers() {
            assert!(begun.elapsed() < Duration::from_mins(1), "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let mut ready = Command::new(programs().unwrap().join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        TcpStream::connect(("127.0.0.1", self.port)).is_ok() && ready.status().unwrap().success()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The connection URI.
    pub fn url(&self) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/loquet", self.port)
    }

    /// The connection that the adapters take.
    pub fn connection(&self) -> Connection {
        Connection {
            url: self.url(),
            password: None,
            protection: Protection::Plaintext,
            connections: 12,
            statement_timeout: Duration::from_secs(10),
            name: "loquet-test".to_owned(),
        }
    }

    /// A pool of connections to the database, whose tables are there. May be called within a runtime.
    pub fn database(&self) -> Database {
        let database = Database::new(&self.connection()).unwrap();
        let connection = self.connection();
        let prepared = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let database = Database::new(&connection).unwrap();
                database.prepare(Part::Main).await.unwrap();
                database.prepare(Part::Keys).await.unwrap();
            });
        });
        prepared.join().unwrap();
        database
    }

    /// Runs a statement as the operator. Returns what it says.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in("loquet", statement)
    }

    #[track_caller]
    fn sql_in(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(programs().unwrap().join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"]);
        psql.args(["-p", &self.port.to_string(), "-d", database, "-c", statement]);
        // The operator can write where nobody else can.
        psql.env("PGOPTIONS", "-c default_transaction_read_only=off");
        let ran = psql.output().unwrap();
        assert!(ran.status.success(), "{statement}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    /// A session of somebody else, who types into its standard input.
    pub fn session(&self) -> Child {
        let mut psql = Command::new(programs().unwrap().join("psql"));
        psql.args(["-X", "-q", "-h", "127.0.0.1", "-U", "postgres", "-d", "loquet"]);
        psql.args(["-p", &self.port.to_string()]);
        psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Asks everybody but the operator for a password from now on.
    pub fn require_passwords(&self) {
        self.admit("host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
    }

    /// Asks for TLS with a client certificate from now on. Without TLS, only the operator of these tests gets in.
    pub fn require_certificates(&self, certificate: &[u8], key: &[u8], authority: &[u8]) {
        for (name, content) in [("server.crt", certificate), ("server.key", key), ("ca.crt", authority)] {
            let path = self.data().join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if skip::is_root() {
                assert!(Command::new("chown").arg("postgres").arg(&path).status().unwrap().success());
            }
        }
        self.sql("ALTER SYSTEM SET ssl = on");
        self.sql("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
        self.admit("hostssl loquet postgres 127.0.0.1/32 cert\n");
    }

    /// Replaces the rules of who gets in.
    fn admit(&self, rules: &str) {
        let reload = "SELECT pg_reload_conf()";
        let file = self.data().join("pg_hba.conf");
        // The session that asks for the new rules is already in.
        std::fs::write(file, rules).unwrap();
        self.sql_in("loquet", reload);
        let begun = Instant::now();
        while self.rules_are_old(rules) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "the new rules are not in force: {}",
                self.log()
            );
        }
    }

    /// Whether a session without TLS or password still gets in where the new rules refuse it.
    fn rules_are_old(&self, rules: &str) -> bool {
        let user = if rules.contains("scram") { "nobody" } else { "postgres" };
        let mut psql = Command::new(programs().unwrap().join("psql"));
        psql.args(["-X", "-w", "-h", "127.0.0.1", "-U", user, "-d", "loquet", "-c", "SELECT 1"]);
        psql.args(["-p", &self.port.to_string()]).env("PGSSLMODE", "disable");
        let said = psql.output().unwrap();
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        !(said.contains("pg_hba.conf") || said.contains("password"))
    }

    /// The process that starts all others of the server.
    fn first_process(&self) -> String {
        let noted = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        noted.lines().next().unwrap().to_owned()
    }

    /// The processes of the server, the first of all before its children.
    fn processes(&self) -> Vec<String> {
        let first = self.first_process();
        let children = Command::new("pgrep").args(["-P", &first]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        std::iter::once(first).chain(children.lines().map(str::to_owned)).collect()
    }

    /// Stops the first process, so that it starts no others. Returns all processes.
    #[expect(clippy::disallowed_methods, reason = "nothing else runs on this thread while the server stops")]
    fn stopped_processes(&self) -> Vec<String> {
        let first = self.first_process();
        signal("-STOP", std::slice::from_ref(&first));
        while state_of(&first).is_some_and(|state| !matches!(state, 'T' | 'Z')) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.processes()
    }

    /// Ends the server as a crash would, and waits until it is gone.
    #[expect(clippy::disallowed_methods, reason = "nothing else runs on this thread while the server ends")]
    pub fn crash(&self) {
        let processes = self.stopped_processes();
        signal("-KILL", &processes);
        while processes.iter().any(|process| state_of(process).is_some_and(|state| state != 'Z')) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(std::fs::remove_file(self.data().join("postmaster.pid")));
    }

    /// Stops every process of the server without ending it, as a network that stalls would (SIGSTOP).
    pub fn stall(&self) {
        signal("-STOP", &self.stopped_processes());
    }

    /// Lets a stalled server go on (SIGCONT).
    pub fn go_on(&self) {
        signal("-CONT", &self.processes());
    }
}

/// Sends a signal to processes. Some of them may have ended meanwhile.
#[track_caller]
fn signal(signal: &str, processes: &[String]) {
    assert!(Command::new("kill").arg(signal).args(processes).stderr(Stdio::null()).status().is_ok());
}

/// The state of a process: `T` if it is stopped, `Z` if it has ended and nobody has noticed. `None` if there is none.
fn state_of(process: &str) -> Option<char> {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may contain anything.
    status.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "they start this same program again, and wait for processes")]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// The variable that names the folder of the server, in the process that is killed.
    const FOLDER: &str = "LOQUET_TEST_POSTGRES_FOLDER";

    /// The processes that work in the folder of a server.
    fn processes_in(folder: &Path) -> Vec<PathBuf> {
        let all = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let data = folder.canonicalize().unwrap().join("postgres");
        all.filter(|process| std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data)).collect()
    }

    #[test]
    fn a_server_ends_with_the_process_that_started_it_even_if_that_is_killed() {
        if let Some(folder) = std::env::var_os(FOLDER) {
            PostgresServer::in_folder(Path::new(&folder), "");
            loop {
                std::thread::park();
            }
        }
        let name = "a_server_ends_with_the_process_that_started_it_even_if_that_is_killed";
        if is_missing(name) || !skip::is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut test = Command::new(std::env::current_exe().unwrap());
        test.args([&format!("postgres_server::tests::{name}"), "--exact"]).env(FOLDER, folder.path());
        let mut test = test.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        // This file is written when the server answers.
        while !folder.path().join("postgres.port").exists() {
            assert!(begun.elapsed() < Duration::from_mins(1) && test.try_wait().unwrap().is_none());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(!processes_in(folder.path()).is_empty());
        test.kill().unwrap();
        test.wait().unwrap();
        let begun = Instant::now();
        while !processes_in(folder.path()).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the server goes on without its test");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_crash_leaves_no_process_of_the_server_though_clients_connect_meanwhile() {
        let name = "a_crash_leaves_no_process_of_the_server_though_clients_connect_meanwhile";
        let Some(server) = PostgresServer::start(name) else { return };
        if !skip::is_root() {
            return;
        }
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let url = server.url();
                    while !is_over.load(Ordering::Relaxed) {
                        let mut psql = Command::new(programs().unwrap().join("psql"));
                        psql.args(["-X", "-q", "-d", &url, "-c", "SELECT 1"]);
                        drop(psql.output());
                    }
                });
            }
            let left: Vec<PathBuf> = (0..15)
                .flat_map(|_| {
                    server.crash();
                    let left = processes_in(&server.folder);
                    server.run();
                    left
                })
                .collect();
            is_over.store(true, Ordering::Relaxed);
            assert!(left.is_empty(), "{left:?}");
        });
    }
}
