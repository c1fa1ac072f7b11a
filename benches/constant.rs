//! The limit for HTTP requests: the same server in a separate process. Its only route reads the body and
//! returns a constant.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::routing::any;
use loquet_http::{Connections, serve};
use tokio::net::TcpListener;

use crate::Outcome;

/// The default number of connections of the program.
const CONNECTIONS: usize = 4096;
const ARGUMENT: &str = "--serve-constant";
/// A constant as long as a lockout in JSON.
const BODY: &str = r#"{"account_id":"6c6f7175-6574-4f8a-9d21-0f5a1d3b77c4","locked":true,"locked_since":"2026-11-23T09:30:00Z","locked_until":"2026-11-23T09:45:00Z","failures":7,"last_failure_at":"2026-11-23T09:30:00Z","position":1234567}"#;

/// The server with the constant. It is stopped when this is dropped.
pub struct Constant {
    child: Child,
    /// The address that it listens on.
    pub address: SocketAddr,
}

impl Constant {
    /// Starts this program again, as the server with the constant.
    ///
    /// # Errors
    /// The system's error.
    pub fn start() -> Outcome<Self> {
        let mut child =
            Command::new(std::env::current_exe()?).arg(ARGUMENT).stdout(Stdio::piped()).spawn()?;
        let said = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        Ok(Self { child, address: line.trim().parse()? })
    }

    /// Returns its process id.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Serves the constant until the process is killed, if this process was started for that. Returns whether it
/// was.
///
/// # Errors
/// The system's error.
#[expect(clippy::disallowed_methods, reason = "a benchmark is a program of its own")]
pub fn serves_constant() -> Outcome<bool> {
    if !std::env::args().any(|given| given == ARGUMENT) {
        return Ok(false);
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let constant =
            any(|_: Bytes| async { (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], BODY) });
        let router = Router::new().route("/constant", constant);
        let connections = Connections::uncounted(CONNECTIONS);
        serve(listener, router, connections, std::future::pending()).await;
        Ok(true)
    })
}
