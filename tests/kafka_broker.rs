//! A real Apache Kafka broker, and a consumer that nobody of this project wrote.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use tempfile::TempDir;

use crate::server::free_port;
use crate::skip;

/// One broker on a free port, with a folder of its own. It ends with the test.
pub struct Broker {
    pub port: u16,
    folder: TempDir,
    jars: PathBuf,
    python: PathBuf,
    child: Option<Child>,
}

/// A record of a topic.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub value: Option<String>,
}

impl Record {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// What a broker has besides its plain listener.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// Further listeners, such as `TLS://127.0.0.1:9093`.
    pub listeners: Vec<String>,
    /// Further lines of its configuration.
    pub lines: Vec<String>,
    /// Arguments of the storage tool, such as `--add-scram`.
    pub format: Vec<String>,
}

impl Broker {
    /// Starts a broker. Skips the test where there is none.
    pub fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &Extra::default())
    }

    pub fn start_with(test: &str, extra: &Extra) -> Option<Self> {
        let jars = skip::unless_tool(test, "kafka/complete")?.parent().unwrap().to_owned();
        let python = skip::unless_tool(test, "venv/bin/python3")?;
        if !skip::unless_installed(test, "java") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut broker = Self { port, folder, jars, python, child: None };
        broker.configure(extra);
        broker.run();
        Some(broker)
    }

    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn java(&self) -> Command {
        let mut java = Command::new("java");
        java.args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xss512k", "-cp"]);
        java.arg(self.jars.join("*"));
        java
    }

    fn configure(&self, extra: &Extra) {
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/broker/server.properties");
        let listeners: String = extra.listeners.iter().map(|listener| format!(",{listener}")).collect();
        let text = std::fs::read_to_string(template).unwrap();
        let text = text
            .replace("@PORT@", &self.port.to_string())
            .replace("@CONTROLLER_PORT@", &free_port().to_string())
            .replace("@LISTENERS@", &listeners)
            .replace("@DATA@", self.file("data").to_str().unwrap())
            .replace("@MORE@", &extra.lines.join("\n"));
        std::fs::write(self.file("server.properties"), text).unwrap();
        let mut format = self.java();
        format.args([
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            "-t",
            "MkU3OEVBNTcwNTJENDM2Qg",
            "-c",
        ]);
        format.arg(self.file("server.properties")).args(&extra.format);
        let formatted = format.output().unwrap();
        assert!(formatted.status.success(), "{formatted:?}");
    }

    /// Starts the broker on the same folder and port, and waits until it accepts connections.
    #[expect(clippy::disallowed_methods, reason = "nothing else runs on this thread while the broker starts")]
    pub fn run(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.file("log")).unwrap();
        let mut java = self.java();
        java.arg("kafka.Kafka").arg(self.file("server.properties"));
        let child = java.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the broker does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Kills the broker (kill -9).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops the broker's process without ending it, as a network that stalls would (SIGSTOP).
    pub fn stall(&self) {
        self.signal("-STOP");
    }

    /// Lets a stalled broker go on (SIGCONT).
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    #[track_caller]
    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Does something to a topic, as its operator would: see `kafka/admin.py`.
    #[track_caller]
    pub fn admin(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/admin.py");
        let did =
            Command::new(&self.python).arg(script).arg(self.brokers()).args(arguments).output().unwrap();
        assert!(did.status.success(), "{}", String::from_utf8_lossy(&did.stderr));
    }

    /// Reads topics from the beginning to the end with confluent-kafka (Python): committed records alone.
    #[track_caller]
    pub fn read(&self, topics: &[&str]) -> Vec<Record> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/read_topics.py");
        let read = Command::new(&self.python).arg(script).arg(self.brokers()).args(topics).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let lines = String::from_utf8(read.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Lets another member join a consumer group, and leave it after some seconds.
    #[track_caller]
    pub fn join(&self, topic: &str, group: &str, seconds: u32) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/join_group.py");
        let mut join = Command::new(&self.python);
        join.arg(script).arg(self.brokers()).args([topic, group, &seconds.to_string()]);
        assert!(join.status().unwrap().success());
    }

    /// Leaves a transaction of another program open in a topic.
    #[track_caller]
    pub fn hold_transaction(&self, topic: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/hold_transaction.py");
        let held = Command::new(&self.python).arg(script).arg(self.brokers()).arg(topic).status().unwrap();
        assert!(held.success());
    }

    /// The interpreter that has confluent-kafka.
    pub fn python(&self) -> Command {
        Command::new(&self.python)
    }

    /// Writes records into a topic, each with its key, by confluent-kafka.
    #[track_caller]
    pub fn write(&self, topic: &str, records: &[(String, String)]) {
        self.write_with(topic, records, "application/json");
    }

    /// Writes records with this `content-type`.
    #[track_caller]
    pub fn write_with(&self, topic: &str, records: &[(String, String)], content_type: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/write_topic.py");
        let mut write = Command::new(&self.python);
        write
            .arg(script)
            .arg(self.brokers())
            .args([topic, content_type])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut child = write.spawn().unwrap();
        let lines: String =
            records.iter().map(|(key, value)| format!("{}\n", serde_json::json!([key, value]))).collect();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
